"""queue_log records: their text, their order, and what happens to them while AMI is away."""

from __future__ import annotations

import asyncio

from ari_app.queue_log import QueueLog, fields_of
from tests.unit.ami.paper_ami import error, healthy, paper_ami
from tests.unit.waiting import until


def test_bars_and_control_bytes_cannot_break_a_record() -> None:
    fields = fields_of("sa|les", "1700000000.1", "PJSIP/1001", "ENTERQUEUE", ("", "+1|2\r\nAction: x\x1b", 3))
    assert fields == {
        "Queue": "sa/les",
        "Uniqueid": "1700000000.1",
        "Interface": "PJSIP/1001",
        "Event": "ENTERQUEUE",
        "Message": "|+1/2  Action: x |3",
    }


def test_empty_names_stand_as_none_and_long_text_is_cut_at_a_character() -> None:
    fields = fields_of("", "", "", "PAUSEALL", ("é" * 1000,))
    assert (fields["Queue"], fields["Uniqueid"], fields["Interface"]) == ("NONE", "NONE", "NONE")
    assert set(fields["Message"]) == {"é"}
    assert len(f"Message: {fields['Message']}".encode()) <= 1000


async def test_records_written_while_ami_is_away_are_sent_in_order_when_it_is_back() -> None:
    async with paper_ami() as paper, paper.ami() as ami, QueueLog(ami) as queue_log:
        async with asyncio.timeout(2):
            await ami.until_live()
        paper.deaf = True
        await until(lambda: not ami.live)
        for n in range(50):
            queue_log.write("sales", f"c{n}", "", "ENTERQUEUE", "", "+441632960123", n)
        assert queue_log.backlog == 50
        assert not await queue_log.flush(0.05)
        paper.deaf = False
        paper.cut()
        assert await queue_log.flush(5.0)
        sent = [a["Uniqueid"] for a in paper.actions if a["Action"] == "QueueLog"]
        assert sent == [f"c{n}" for n in range(50)]
        assert (queue_log.dropped, queue_log.uncertain) == (0, 0)


async def test_the_backlog_is_bounded_and_the_oldest_gives_way_and_is_counted() -> None:
    async with paper_ami() as paper, paper.ami("wrong") as ami, QueueLog(ami, limit=10) as queue_log:
        for n in range(25):
            queue_log.write("sales", f"c{n}", "", "ABANDON", 1, 1, n)
        assert (queue_log.backlog, queue_log.dropped) == (10, 15)
        assert paper.count("QueueLog") == 0


async def test_a_record_that_was_never_answered_is_counted_and_not_sent_again() -> None:
    def mute_once(action: dict[str, str]) -> bytes | None:
        return None if action.get("Uniqueid") == "c0" else healthy(action)

    async with paper_ami(mute_once) as paper, paper.ami() as ami, QueueLog(ami) as queue_log:
        queue_log.write("sales", "c0", "", "ABANDON", 1, 1, 5)
        queue_log.write("sales", "c1", "", "ABANDON", 1, 1, 6)
        assert await queue_log.flush(3.0)
        assert [a["Uniqueid"] for a in paper.actions if a["Action"] == "QueueLog"] == ["c0", "c1"]
        assert queue_log.uncertain == 1


async def test_records_of_one_moment_travel_together_in_their_order_and_each_is_judged_by_its_own_answer() -> None:
    def refuse_one(action: dict[str, str]) -> bytes | None:
        return error(action, "No such thing") if action.get("Uniqueid") == "c2" else healthy(action)

    async with paper_ami(refuse_one) as paper, paper.ami() as ami, QueueLog(ami) as queue_log:
        async with asyncio.timeout(2):
            await ami.until_live()
        for n in range(25):
            queue_log.write("sales", f"c{n}", "", "ABANDON", 1, 1, n)
        assert await queue_log.flush(3.0)
        assert [a["Uniqueid"] for a in paper.actions if a["Action"] == "QueueLog"] == [f"c{n}" for n in range(25)]
        assert (queue_log.dropped, queue_log.uncertain) == (1, 0)


async def test_records_whose_answers_are_lost_with_the_connection_are_uncertain_and_the_later_ones_are_sent() -> None:
    def cut_at_two(action: dict[str, str]) -> bytes | None:
        if action.get("Uniqueid") == "c2" and len(paper.connections) == 1:
            paper.cut()
            return None
        return healthy(action)

    async with paper_ami(cut_at_two) as paper, paper.ami() as ami, QueueLog(ami) as queue_log:
        async with asyncio.timeout(2):
            await ami.until_live()
        for n in range(30):
            queue_log.write("sales", f"c{n}", "", "ABANDON", 1, 1, n)
        assert await queue_log.flush(5.0)
        sent = [a["Uniqueid"] for a in paper.actions if a["Action"] == "QueueLog"]
        assert sent[:3] == ["c0", "c1", "c2"]
        assert sent[-10:] == [f"c{n}" for n in range(20, 30)]
        assert len(sent) == len(set(sent))
        assert 18 <= queue_log.uncertain <= 20
        assert queue_log.dropped == 0
