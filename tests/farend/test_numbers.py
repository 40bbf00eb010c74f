from __future__ import annotations

import random

import phonenumbers
import pytest

from tests.lab.farend import (
    Behaviour,
    Script,
    Voice,
    answers_at,
    number_for,
    refuses,
    script_for,
    stays,
    talks,
)
from tests.lab.farend.numbers import DEFAULT, RINGS, TALKS


def test_every_number_of_the_table_is_a_valid_number() -> None:
    chance = random.Random(1)
    for behaviour in Behaviour:
        for times in range(60):
            rings = TALKS if behaviour is Behaviour.CROWD else RINGS
            two, serial = chance.randrange(100), chance.randrange(10_000)
            number = number_for(behaviour, serial, ring=rings[times % 10], two=two)
            parsed = phonenumbers.parse(number)
            assert phonenumbers.is_valid_number(parsed), number
            assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number


def test_there_are_ten_thousand_customers_of_each_kind() -> None:
    for behaviour in Behaviour:
        ring = 1.0
        numbers = {number_for(behaviour, serial, ring=ring, two=7) for serial in range(10_000)}
        assert len(numbers) == 10_000
        if behaviour not in (Behaviour.CROWD, Behaviour.PRESSES):
            assert len({script_for(number) for number in numbers}) == 1


@pytest.mark.parametrize(
    ("number", "script"),
    [
        (talks(25, 3, ring=2.0), Script("talks_seconds", ring_seconds=2.0, talk_seconds=25.0)),
        (talks(0.4, 3), Script("talks_tenths", ring_seconds=0.2, talk_seconds=0.4)),
        (talks(0), Script("talks_seconds", ring_seconds=0.2, talk_seconds=0.0)),
        (stays(9999, ring=0.0), Script("stays", ring_seconds=0.0)),
        (answers_at(12.3, 4), Script("answers_at", ring_seconds=12.3)),
        (refuses(486, 1, ring=5.0), Script("refuses_4xx", ring_seconds=5.0, code=486)),
        (refuses(503), Script("refuses_5xx", ring_seconds=0.2, code=503)),
        (refuses(607), Script("refuses_6xx", ring_seconds=0.2, code=607)),
        (number_for(Behaviour.SILENT_TRUNK), Script("silent_trunk", silent=True)),
        (
            number_for(Behaviour.MACHINE, two=35),
            Script("machine", ring_seconds=0.2, voice=Voice.MACHINE, greeting_seconds=3.5),
        ),
        (
            number_for(Behaviour.PRESSES, 16, two=20),
            Script("presses", ring_seconds=0.2, presses=((2.0, "*2"),)),
        ),
        ("+442079460000", DEFAULT),
        ("+447581000000", DEFAULT),
        ("*45", DEFAULT),
    ],
)
def test_a_number_says_what_its_customer_does(number: str, script: Script) -> None:
    assert script_for(number) == script


def test_the_share_of_a_crowd_that_answers_is_what_the_number_says() -> None:
    for share in (0, 30, 75, 99):
        scripts = [script_for(number_for(Behaviour.CROWD, n, ring=2.0, two=share)) for n in range(10_000)]
        assert sum(s.code == 200 and s.ring_seconds is not None for s in scripts) == share * 100
        first = [script_for(number_for(Behaviour.CROWD, n, ring=2.0, two=share)) for n in range(200)]
        answering = sum(s.code == 200 and s.ring_seconds is not None for s in first)
        assert answering == pytest.approx(share * 2, abs=30)


@pytest.mark.parametrize(
    "wrong", [lambda: refuses(302), lambda: stays(10_000), lambda: stays(ring=0.3), lambda: answers_at(100)]
)
def test_what_no_number_can_say_is_refused(wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"\d"):
        wrong()
