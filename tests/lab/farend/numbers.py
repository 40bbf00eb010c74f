"""The number table: what a customer does is written in the digits dialled.

All numbers are valid UK mobile numbers, +44 7 then nine digits `KK A TT RRRR`:

    +44 7 KK A TT RRRR
          KK      what the customer does, 40 to 57, see `Behaviour`
             A    how long it rings: index into RINGS (seconds)
               TT two more digits, their meaning stands at each behaviour
                  RRRR  any four digits: 10 000 different customers of each kind

Abroad, for laws that depend on the place: a PERSON of TT/10 s at each of ABROAD followed by TT and two digits.

Any other number, and any KK not listed, rings 1 s, answers and talks until the other side hangs up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from tests.lab.farend.audio import Voice
from tests.lab.farend.script import Script

RINGS = (0.0, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)
TALKS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 60.0)
PRESSES = ("1", "2", "3", "0", "*", "#", "*2", "123#", "1#", "0123456789*#")
DEFAULT = Script(name="default", ring_seconds=1.0)
ABROAD = ("+453252", "+1787252", "+1671646", "+649352")
"""Denmark, Puerto Rico, Guam and New Zealand: at any hour it is day in one of them."""
_ABROAD = re.compile(rf"\+?(?:{'|'.join(prefix[1:] for prefix in ABROAD)})(\d\d)(\d\d)$")
_TABLE = re.compile(r"\+?(?:00)?447([45]\d)(\d)(\d\d)(\d{4})$")


class Behaviour(StrEnum):
    """KK of the table. R is RINGS[A]; a ring of 0 s answers without a 180."""

    TALKS_SECONDS = "40"  # answers after R, talks TT s, hangs up (TT = 00: as soon as the answer is acknowledged)
    TALKS_TENTHS = "41"  # answers after R, talks TT/10 s, hangs up
    STAYS = "42"  # answers after R, stays until the other side hangs up
    ANSWERS_AT = "43"  # rings, answers after exactly ATT/10 s (0.0 to 99.9), stays
    NEVER_ANSWERS = "44"  # 180 after R, rings for ever
    REFUSES_4XX = "45"  # rings R, then 4TT
    REFUSES_5XX = "46"  # rings R, then 5TT
    REFUSES_6XX = "47"  # rings R, then 6TT
    EARLY_MEDIA = "48"  # 183 with ringback audio after R, never answers
    MACHINE = "49"  # answers after R, greeting of TT/10 s (00: 5 s), beep, then silence; stays
    SILENT_TRUNK = "50"  # no SIP answer at all, not even 100
    SLOW_NETWORK = "51"  # 100 at once, nothing for TT/10 s, then rings R, answers, stays
    PERSON = "52"  # answers after R, says a word of TT/10 s (00: 0.6 s), waits 2 s, then its tones; stays
    VANISHES = "53"  # answers after R, is gone after TT s: no RTP, no BYE, no SIP answer
    MUTE = "54"  # answers after R, sends no RTP at all; stays
    CROWD = "55"  # TT of 100 such numbers answer, see `crowd`
    EARLY_THEN_ANSWERS = "56"  # 183 with ringback audio at once, answers after TT/10 s, stays
    PRESSES = "57"  # answers after R, TT/10 s later presses PRESSES[last digit of RRRR]; stays


def crowd(answer_share: int, talk: int, serial: int) -> Script:
    """A customer of a mixed list, always the same for the same number.

    `answer_share` of 100 answer after 0.5 to 5.5 s and talk TALKS[talk] x (0.5 to 1.5) s. Of the others 60 %
    ring for ever, 25 % are busy (486), 10 % unavailable (480) and 5 % wrong numbers (404).
    """
    mixed = (serial * 7919 + 104_729) % 10_000  # 7919 has no factor of 10 000: every value comes once
    part, fine = divmod(mixed, 100)
    if fine < answer_share:
        ring, talked = 0.5 + part / 20, TALKS[talk] * (0.5 + ((serial * 31) % 101) / 100)
        return Script(name="crowd: answers", ring_seconds=ring, talk_seconds=talked)
    if part < 60:
        return Script(name="crowd: rings", ring_seconds=None)
    code = 486 if part < 85 else 480 if part < 95 else 404
    return Script(name=f"crowd: {code}", ring_seconds=0.5 + part / 100, code=code)


def _plain(ring: float, two: int, behaviour: Behaviour) -> Script:
    """Scripts that follow from ring and TT alone."""
    name = behaviour.name.lower()
    made: dict[Behaviour, Callable[[], Script]] = {
        Behaviour.TALKS_SECONDS: lambda: Script(name, ring_seconds=ring, talk_seconds=float(two)),
        Behaviour.TALKS_TENTHS: lambda: Script(name, ring_seconds=ring, talk_seconds=two / 10),
        Behaviour.STAYS: lambda: Script(name, ring_seconds=ring),
        Behaviour.NEVER_ANSWERS: lambda: Script(name, post_dial_seconds=ring, ring_seconds=None),
        Behaviour.REFUSES_4XX: lambda: Script(name, ring_seconds=ring, code=400 + two),
        Behaviour.REFUSES_5XX: lambda: Script(name, ring_seconds=ring, code=500 + two),
        Behaviour.REFUSES_6XX: lambda: Script(name, ring_seconds=ring, code=600 + two),
        Behaviour.EARLY_MEDIA: lambda: Script(name, post_dial_seconds=ring, ring_seconds=None, early_media=True),
        Behaviour.MACHINE: lambda: Script(
            name, ring_seconds=ring, voice=Voice.MACHINE, greeting_seconds=two / 10 or 5.0
        ),
        Behaviour.SILENT_TRUNK: lambda: Script(name, silent=True),
        Behaviour.SLOW_NETWORK: lambda: Script(name, post_dial_seconds=two / 10, ring_seconds=ring),
        Behaviour.PERSON: lambda: Script(name, ring_seconds=ring, voice=Voice.HELLO, greeting_seconds=two / 10 or 0.6),
        Behaviour.VANISHES: lambda: Script(name, ring_seconds=ring, talk_seconds=float(two), vanishes=True),
        Behaviour.MUTE: lambda: Script(name, ring_seconds=ring, voice=Voice.NONE),
        Behaviour.EARLY_THEN_ANSWERS: lambda: Script(name, ring_seconds=two / 10, early_media=True),
    }
    return made[behaviour]()


def script_for(number: str) -> Script:
    """What the customer at `number` (E.164, with or without +, or anything else) does."""
    match = _TABLE.match(number)
    if abroad := _ABROAD.match(number):
        return _plain(RINGS[1], int(abroad[1]), Behaviour.PERSON)
    if match is None or match[1] not in set(Behaviour):
        return DEFAULT
    behaviour, ring, two, serial = Behaviour(match[1]), int(match[2]), int(match[3]), int(match[4])
    if behaviour is Behaviour.CROWD:
        return crowd(two, ring, serial)
    if behaviour is Behaviour.ANSWERS_AT:
        return Script("answers_at", ring_seconds=(100 * ring + two) / 10)
    if behaviour is Behaviour.PRESSES:
        return Script("presses", ring_seconds=RINGS[ring], presses=((two / 10, PRESSES[serial % 10]),))
    return _plain(RINGS[ring], two, behaviour)


def number_for(behaviour: Behaviour, serial: int = 0, *, ring: float = 0.2, two: int = 0) -> str:
    """The number (E.164 with +) of customer `serial` (0 to 9999) who does `behaviour`.

    `ring`: one of RINGS, seconds (CROWD: one of TALKS, seconds of talk). `two`: TT. ValueError when it does
    not fit.
    """
    times = TALKS if behaviour is Behaviour.CROWD else RINGS
    if ring not in times or not 0 <= two <= 99 or not 0 <= serial <= 9999:
        raise ValueError(f"ring must be one of {times}, two 0 to 99, serial 0 to 9999")
    return f"+447{behaviour}{times.index(ring)}{two:02d}{serial:04d}"


def refuses(code: int, serial: int = 0, *, ring: float = 0.2) -> str:
    """The number of a customer who refuses with `code` (400 to 699) after `ring` s."""
    kinds = {4: Behaviour.REFUSES_4XX, 5: Behaviour.REFUSES_5XX, 6: Behaviour.REFUSES_6XX}
    if code // 100 not in kinds:
        raise ValueError(f"no number refuses with {code}; allowed are 400 to 699")
    return number_for(kinds[code // 100], serial, ring=ring, two=code % 100)


def talks(seconds: float, serial: int = 0, *, ring: float = 0.2) -> str:
    """The number of a customer who answers after `ring` s, talks `seconds` (tenths below 10) and hangs up."""
    if seconds < 10 and seconds != int(seconds):
        return number_for(Behaviour.TALKS_TENTHS, serial, ring=ring, two=round(seconds * 10))
    return number_for(Behaviour.TALKS_SECONDS, serial, ring=ring, two=round(seconds))


def stays(serial: int = 0, *, ring: float = 0.2) -> str:
    """The number of a customer who answers after `ring` s and stays until the other side hangs up."""
    return number_for(Behaviour.STAYS, serial, ring=ring)


def answers_at(seconds: float, serial: int = 0) -> str:
    """The number of a customer who answers exactly `seconds` (0.0 to 99.9, tenths) after the INVITE and
    stays.
    """
    tenths = round(seconds * 10)
    if not 0 <= tenths <= 999 or not 0 <= serial <= 9999:
        raise ValueError("seconds must be 0.0 to 99.9, serial 0 to 9999")
    return f"+447{Behaviour.ANSWERS_AT}{tenths:03d}{serial:04d}"
