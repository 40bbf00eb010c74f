"""Whole lives of callers on the virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from contact_center.terms import AgentState
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.lab.until import until
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock

TAKES = FarEnd(rings_after=0.05, answers_after=0.5)
RINGS = FarEnd(rings_after=0.05)


def kinds(record: dict) -> list[tuple[str, str]]:
    return [(event["kind"], event["label"]) for event in record["timeline"]]


def agent_leg(centre: QueueWorld, ext: str):
    return centre.world.fake.dialled(f"PJSIP/{ext}")[-1]


@on_virtual_clock
async def test_a_caller_hears_music_until_the_agent_answers_and_is_written_down():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID)
        centre.agent("1001", TAKES, "sales")
        caller = centre.call()
        await asyncio.sleep(0.3)
        assert caller.state == "Up"
        assert caller.moh
        await asyncio.sleep(1.0)
        assert centre.world.fake.together(caller.id, agent_leg(centre, "1001").id)
        assert not caller.moh
        assert caller.variables["TIMEOUT(absolute)"] == "0"
        centre.world.fake.hang_up(caller.id)
        record = await centre.record(caller)
        assert kinds(record) == [("queue", "sales"), ("conversation", "conversation")]
        assert (record["call_state"], record["hung_up_by"]) == ("NORMAL_CLEARING_A", "caller")
        assert record["wait_seconds"] == pytest.approx(0.5, abs=0.05)
        assert centre.events(caller) == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_an_agent_is_rung_while_the_caller_is_answered_and_in_doubt_he_is_answered_again():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID)
        centre.agent("1001", FarEnd(rings_after=0.1, answers_after=12.0), "sales")
        answers: list[str] = []

        def loses(_: str, path: str) -> bool:
            if path.endswith("/answer"):
                answers.append(path)
            return len(answers) == 1 and path.endswith("/answer")

        centre.world.fake.lose_reply = loses
        caller = centre.call()
        await asyncio.sleep(0.1)
        leg = agent_leg(centre, "1001")
        await until(lambda: centre.world.fake.together(caller.id, leg.id), 60.0, "the talk")
        assert len(answers) == 2
        centre.world.fake.hang_up(caller.id)
        record = await centre.record(caller)
        assert record["disposition"] == "answered"
        await centre.settled()


@on_virtual_clock
async def test_an_agent_who_becomes_free_is_rung_in_the_same_turn_for_the_oldest_of_the_most_urgent():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID)
        centre.queue("vip", dids="442079460009", priority="80")
        centre.agent("1001", TAKES, "sales", "vip")
        held = centre.world.roster.reserve("", "another call")
        first, second = centre.call(), centre.call()
        await asyncio.sleep(1)
        urgent = centre.call("442079460009")
        await asyncio.sleep(1)
        assert [entry.queue for entry in centre.board.waiting()] == ["vip", "sales", "sales"]
        held.close()
        assert centre.world.roster.get("1001").state is AgentState.OFFERED
        for caller in (urgent, first, second):
            await asyncio.sleep(1)
            assert centre.world.fake.together(caller.id, agent_leg(centre, "1001").id)
            centre.world.fake.hang_up(caller.id)
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_phone_that_is_not_answered_is_followed_by_the_next_agent_at_once():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, ring_seconds="4")
        centre.agent("1001", RINGS, "sales")
        await asyncio.sleep(0.1)
        centre.agent("1002", TAKES, "sales")
        caller = centre.call()
        await asyncio.sleep(7)
        first, second = centre.world.fake.dialled("PJSIP/1001")[0], centre.world.fake.dialled("PJSIP/1002")[0]
        assert second.created - first.ended_at < 0.1
        assert centre.world.fake.together(caller.id, second.id)
        assert centre.world.roster.get("1001").misses == 1
        centre.world.fake.hang_up(caller.id)
        record = await centre.record(caller)
        assert record["agents"] == ["Agent 1002"]
        assert centre.events(caller) == ["ENTERQUEUE", "RINGNOANSWER", "CONNECT", "COMPLETECALLER"]
        [rung] = [data for _, _, _, event, data in centre.lines if event == "RINGNOANSWER"]
        assert rung[0] == pytest.approx(4000, abs=300)


@on_virtual_clock
async def test_the_only_agent_who_missed_a_caller_is_rung_again_after_a_breath_and_paused_after_two():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, ring_seconds="4")
        centre.agent("1001", RINGS, "sales")
        caller = centre.call()
        await asyncio.sleep(30)
        first, second = centre.world.fake.dialled("PJSIP/1001")
        assert second.created - first.ended_at == pytest.approx(5.0, abs=0.2)
        assert centre.world.roster.get("1001").state is AgentState.PAUSED
        centre.world.fake.hang_up(caller.id)
        assert (await centre.record(caller))["disposition"] == "abandoned"


@on_virtual_clock
async def test_a_caller_who_hung_up_at_once_did_so_himself_though_a_busy_asterisk_tells_it_late():
    async with queue_world() as centre:
        fake, told = centre.world.fake, []

        def late(event: dict) -> bool:
            if event["type"] == "StasisEnd" and not told:
                told.append(event)
                asyncio.get_running_loop().call_later(0.1, fake.emit, fake.apps["callwright"], event)
                return True
            return event["type"] == "ChannelDestroyed"  # told only to who subscribed before

        fake.lose_event = late
        centre.queue("sales", dids=DID)
        caller = centre.call()
        fake.hang_up(caller.id)
        record = await centre.record(caller)
        await centre.settled()
        assert told
        assert (record["call_state"], record["hung_up_by"]) == ("ORIGINATOR_CANCEL_A", "caller")
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_caller_who_gives_up_frees_the_agent_whose_phone_rings():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID)
        centre.agent("1001", RINGS, "sales")
        caller = centre.call()
        await asyncio.sleep(2)
        centre.world.fake.hang_up(caller.id)
        record = await centre.record(caller)
        await centre.settled()
        assert kinds(record) == [("queue", "sales")]
        assert (record["disposition"], record["call_state"]) == ("abandoned", "ORIGINATOR_CANCEL_A")
        assert centre.world.roster.get("1001").state is AgentState.IDLE
        assert centre.world.roster.get("1001").misses == 0
        assert centre.lines[-1][3:] == ("ABANDON", (1, 1, 2))
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_ring_all_rings_every_free_agent_and_whoever_becomes_free_and_the_first_to_answer_wins():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, strategy="ring_all")
        for ext in ("1001", "1002"):
            centre.agent(ext, RINGS, "sales")
        centre.agent("1003", FarEnd(rings_after=0.05, answers_after=1.0), "sales")
        held = centre.world.roster.reserve("", "another", prefer="1003")
        caller = centre.call()
        await asyncio.sleep(2)
        assert len(centre.world.fake.dialled("PJSIP/100[12]")) == 2
        held.close()
        await asyncio.sleep(1.5)
        winner = agent_leg(centre, "1003")
        assert centre.world.fake.together(caller.id, winner.id)
        for loser in centre.world.fake.dialled("PJSIP/100[12]"):
            assert loser.ended_at - (winner.created + 1.0) < 0.1
        states = {seat.ext: (seat.state, seat.misses) for seat in centre.world.roster}
        assert states["1001"] == states["1002"] == (AgentState.IDLE, 0)
        centre.world.fake.hang_up(caller.id)
        assert (await centre.record(caller))["agents"] == ["Agent 1003"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_closed_queue_says_so_and_ends_the_call():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, hours="00:00-00:01", closed_message="custom/closed")
        centre.agent("1001", TAKES, "sales")
        caller = centre.call()
        record = await centre.record(caller)
        assert [what for _, what in caller.heard] == ["sound:custom/closed"]
        assert kinds(record) == [("menu", "closed")]
        assert (record["disposition"], record["call_state"], record["hung_up_by"]) == (
            "closed",
            "QUEUE_CLOSED",
            "system",
        )
        assert centre.world.fake.dialled("PJSIP/1001") == []


@on_virtual_clock
async def test_a_greeting_is_a_menu_before_the_queue_and_a_welcome_message_one_after_the_talk_began():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, greeting="custom/hello", welcome_message="custom/welcome")
        centre.agent("1001", TAKES, "sales")
        caller = centre.call()
        await asyncio.sleep(5)
        agent = agent_leg(centre, "1001")
        assert "sound:custom/welcome" in [what for _, what in agent.heard]
        assert [what for _, what in caller.heard] == ["sound:custom/hello", "sound:custom/welcome"]
        centre.world.fake.hang_up(agent.id)
        record = await centre.record(caller)
        assert kinds(record) == [
            ("menu", "greeting"),
            ("queue", "sales"),
            ("conversation", "conversation"),
            ("menu", "welcome message"),
        ]
        assert record["call_state"] == "NORMAL_CLEARING_B"
        assert centre.events(caller)[-1] == "COMPLETEAGENT"


@on_virtual_clock
async def test_a_sound_that_is_missing_stops_no_call_and_is_no_menu():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, greeting="custom/nowhere")
        centre.world.fake.missing_sounds.add("sound:custom/nowhere")
        centre.agent("1001", TAKES, "sales")
        caller = centre.call()
        await asyncio.sleep(3)
        centre.world.fake.hang_up(caller.id)
        assert kinds(await centre.record(caller)) == [("queue", "sales"), ("conversation", "conversation")]


@on_virtual_clock
async def test_the_longest_wait_sends_a_caller_on_to_another_queue_and_its_agent():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, max_wait="5", overflow="queue:help")
        centre.queue("help", wrap_up_seconds="10")
        centre.agent("1001", TAKES, "help")
        caller = centre.call()
        await asyncio.sleep(8)
        assert centre.world.fake.together(caller.id, agent_leg(centre, "1001").id)
        centre.world.fake.hang_up(caller.id)
        record = await centre.record(caller)
        assert kinds(record) == [("queue", "sales"), ("queue", "help"), ("conversation", "conversation")]
        assert record["queue"] == "help"
        assert record["timeline"][0]["seconds"] == pytest.approx(5.0, abs=0.1)
        assert centre.events(caller) == ["ENTERQUEUE", "EXITWITHTIMEOUT", "ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
        await asyncio.sleep(1)
        assert centre.world.roster.get("1001").state is AgentState.WRAP_UP


@on_virtual_clock
async def test_a_longest_wait_that_is_set_anew_counts_for_those_who_wait():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID)
        centre.queue("help")
        centre.agent("1001", TAKES, "help")
        caller, other = centre.call(), centre.call()
        await asyncio.sleep(6)
        centre.queue("sales", dids=DID, max_wait="20", overflow="queue:help")
        await asyncio.sleep(1)
        assert centre.board.length("sales") == 2
        centre.queue("sales", dids=DID, max_wait="5", overflow="queue:help")
        await asyncio.sleep(3)
        assert centre.world.fake.together(caller.id, agent_leg(centre, "1001").id)
        centre.queue("sales", dids=DID, max_wait="0")
        centre.world.fake.hang_up(caller.id)
        centre.world.fake.hang_up(other.id)
        record = await centre.record(caller)
        assert kinds(record) == [("queue", "sales"), ("queue", "help"), ("conversation", "conversation")]
        assert record["timeline"][0]["seconds"] == pytest.approx(7.0, abs=0.1)


@on_virtual_clock
async def test_queues_that_overflow_into_each_other_end_with_a_message():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, max_wait="5", overflow="queue:help", overflow_message="custom/busy")
        centre.queue("help", max_wait="5", overflow="queue:sales", overflow_message="custom/busy")
        caller = centre.call()
        record = await centre.record(caller)
        assert kinds(record) == [("queue", "sales"), ("queue", "help"), ("menu", "overflow message")]
        assert (record["disposition"], record["call_state"]) == ("overflow", "QUEUE_OVERFLOW")


@on_virtual_clock
async def test_a_full_queue_takes_nobody_more_and_the_others_keep_their_place():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, max_length="2")
        first, second, third = (centre.call() for _ in range(3))
        record = await centre.record(third)
        assert kinds(record) == [("queue", "sales"), ("menu", "overflow message")]
        assert record["timeline"][0]["seconds"] == 0.0
        assert centre.board.length("sales") == 2
        for caller in (first, second):
            centre.world.fake.hang_up(caller.id)
        await centre.settled()


@on_virtual_clock
async def test_when_the_last_agent_goes_off_line_those_who_wait_are_sent_on_where_the_queue_says_so():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, when_empty="overflow")
        centre.agent("1001", TAKES, "sales")
        held = centre.world.roster.reserve("", "another")
        caller = centre.call()
        await asyncio.sleep(3)
        assert centre.board.length("sales") == 1
        await centre.world.roster.go_offline("1001", by="test")
        held.close()
        record = await centre.record(caller)
        assert record["disposition"] == "overflow"
        assert "EXITEMPTY" in centre.events(caller)


@on_virtual_clock
async def test_position_and_wait_are_said_with_the_music_paused_and_the_said_wait_is_kept():
    async with queue_world() as centre:
        centre.queue("sales", dids=DID, announce_position="on", announce_wait="on", announce_every="30")
        centre.agent("1001", TAKES, "sales")
        held = centre.world.roster.reserve("", "another")
        first, second = centre.call(), centre.call()
        await asyncio.sleep(4.5)
        assert [what for _, what in first.heard][:1] == ["sound:queue-youarenext"]
        assert [what for _, what in second.heard][:3] == [
            "sound:queue-thereare",
            "number:2",
            "sound:queue-callswaiting",
        ]
        await asyncio.sleep(8)
        assert first.moh
        assert second.moh
        said = [fact for fact in centre.facts if type(fact).__name__ == "WaitSaid"]
        assert [fact.seconds for fact in said[:2]] == [180.0, 360.0]
        held.close()
        await asyncio.sleep(3)
        centre.world.fake.hang_up(first.id)
        centre.world.fake.hang_up(second.id)
        await centre.settled()


@on_virtual_clock
async def test_an_agent_who_answers_during_an_announcement_is_heard_at_once():
    async with queue_world() as centre:
        centre.world.fake.sound_seconds["sound:queue-youarenext"] = 20.0
        centre.queue("sales", dids=DID, announce_position="on")
        centre.agent("1001", TAKES, "sales")
        held = centre.world.roster.reserve("", "another")
        caller = centre.call()
        await asyncio.sleep(4)
        held.close()
        await asyncio.sleep(0.7)
        assert centre.world.fake.together(caller.id, agent_leg(centre, "1001").id)
        assert not caller.moh
        await asyncio.sleep(30)
        assert not caller.moh
        centre.world.fake.hang_up(caller.id)
        await centre.settled()
        centre.world.assert_nothing_left()
