"""What proofs judge by: spans of readiness that are certain, memory that grew, things left over, rounds taken over."""

from __future__ import annotations

import json

from tests.prove.proof import Proof, Round
from tests.prove.runner import Runner, code_hash
from tests.prove.scene import Readiness, times
from tests.prove.soak import Held, crowd, grown


def test_of_readiness_only_what_lies_between_the_first_answer_and_the_last_question_is_certain():
    seen = Readiness()
    for asked_at, told_at, ready in ((0.0, 0.1, True), (1.0, 1.4, False), (2.0, 2.1, False), (3.0, 3.9, True)):
        seen.note(asked_at, told_at, ready)
    spell = seen.spell(False, 0.5)
    assert spell is not None
    assert (spell.seen_at, spell.sure_until) == (1.4, 2.0)
    assert seen.first(True, 1.0) == 3.9
    assert times(seen, 1.0) == {"seconds until not ready": [1.4 - 1.0], "seconds not ready": [3.9 - 1.4]}
    assert times(seen, 4.0) == {"seconds until not ready": [], "seconds not ready": []}


def test_memory_may_grow_until_it_has_settled_and_by_five_per_cent_afterwards():
    minutes = [(float(60 * n), 100.0 + min(n, 10)) for n in range(61)]
    assert grown(minutes, 60.0) == []
    assert grown([*minutes, (3610.0, 110.0 * 1.04)], 60.0) == []
    assert grown([*minutes, (3610.0, 110.0 * 1.06)], 60.0) == ["memory grew from 110.0 MB at minute 10 to 116.6 MB"]


def test_what_there_is_more_of_is_named_and_what_there_is_less_of_is_not():
    before = Held(tasks=20, files=24, sockets=8, threads=7, channels=0, bridges=0)
    after = Held(tasks=21, files=23, sockets=8, threads=7, channels=0, bridges=2)
    assert after.more_than(before) == [
        "tasks: 20 before the first call, 21 after the last",
        "bridges: 0 before the first call, 2 after the last",
    ]
    assert before.more_than(before) == []


def test_a_crowd_of_an_hour_has_no_number_twice():
    numbers = crowd(18_000)
    assert len(set(numbers)) == 18_000


async def test_rounds_of_a_shorter_form_do_not_count_and_those_of_other_code_are_not_taken_over(tmp_path):
    ran: list[int] = []

    async def once(_: None, number: int) -> Round:
        ran.append(number)
        return Round({"n": 1})

    whole, short = (Proof("p", "It holds.", 2, once, variant=name) for name in ("", "short"))
    first = Runner(tmp_path / "first.json")
    assert await first.run(short)
    assert await first.run(whole, 1)
    assert ran == [0, 1, 0]
    assert await Runner(tmp_path / "first.json").run(whole)
    assert ran == [0, 1, 0, 1]
    other = Runner(tmp_path / "second.json")
    assert other.merge(tmp_path / "first.json") == ["p"]
    assert len(other.kept()["p"]["rounds"]) == 2
    assert other.merge(tmp_path / "first.json") == []
    alien = json.loads((tmp_path / "first.json").read_text())
    alien["p"]["key"]["code"] = "another"
    (tmp_path / "alien.json").write_text(json.dumps(alien))
    assert code_hash() != "another"
    assert Runner(tmp_path / "third.json").merge(tmp_path / "alien.json") == []


async def test_rounds_that_two_checkouts_ran_side_by_side_are_put_together(tmp_path):
    async def once(_: None, number: int) -> Round:
        return Round({"n": number})

    proof = Proof("p", "It holds.", 4, once)
    assert await Runner(tmp_path / "late.json").run(proof, first=2)
    early = Runner(tmp_path / "early.json")
    assert await early.run(proof, 2)
    assert early.merge(tmp_path / "late.json") == ["p"]
    assert [done["figures"]["n"] for done in early.kept()["p"]["rounds"]] == [0, 1, 2, 3]
    assert early.merge(tmp_path / "late.json") == []
