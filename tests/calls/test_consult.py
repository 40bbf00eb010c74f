"""Consult, swap, three-way and transfer on the virtual clock: every state against every event."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from contact_center.terms import AgentState
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.calls.world import make_order
from tests.support.fake_ari import FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import on_virtual_clock, run_virtual

SETTINGS = {
    "trunk": {"main": {"host": "192.0.2.1"}},
    "site": {"number_check": "digits"},
    "agents": {"ring_seconds": 10},
}
TAKES = FarEnd(rings_after=0.05, answers_after=0.5)
RINGS = FarEnd(rings_after=0.05)
FAR = "PJSIP/callwright-trunk-main/*"


@dataclass
class Three:
    """A customer who talks to 1001, who consults 1002."""

    centre: QueueWorld
    customer: FakeChannel

    @property
    def agent(self) -> FakeChannel:
        return self.centre.world.fake.dialled("PJSIP/1001")[0]

    @property
    def other(self) -> FakeChannel:
        return self.centre.world.fake.dialled("PJSIP/1002")[0]

    async def keys(self, text: str) -> None:
        self.centre.world.fake.press(self.agent.id, text)
        await asyncio.sleep(1)

    async def hang_up(self, who: str) -> None:
        self.centre.world.fake.hang_up(getattr(self, who).id)
        await asyncio.sleep(1)

    def hears(self) -> str:
        """Who hears whom: c customer, a agent, o other; a star for music."""
        fake, found = self.centre.world.fake, []
        parties = {"c": self.customer, "a": self.agent}
        if fake.dialled("PJSIP/1002"):
            parties["o"] = self.other
        for pair in ("ca", "co", "ao"):
            if all(name in parties for name in pair) and fake.together(parties[pair[0]].id, parties[pair[1]].id):
                found.append(pair)
        found += [f"{name}*" for name, party in parties.items() if party.moh and party.id in fake.channels]
        return " ".join(found)

    def up(self) -> str:
        fake = self.centre.world.fake
        parties = {"c": [self.customer], "a": fake.dialled("PJSIP/1001"), "o": fake.dialled("PJSIP/1002")}
        return "".join(name for name, legs in parties.items() if any(leg.id in fake.channels for leg in legs))


async def reach(three: Three, state: str) -> None:
    """Bring the call into a state."""
    for keys in {"ringing": [], "consult": [], "swapped": ["*4"], "three_way": ["*3"], "alone": []}[state]:
        await three.keys(keys)
    if state == "alone":
        await three.hang_up("agent")


OTHER = {"ringing": RINGS, "alone": FarEnd(rings_after=0.05, answers_after=5.0)}
HEARD = {"ringing": "c*", "consult": "ao c*", "swapped": "ca o*", "three_way": "ca co ao", "alone": "c*"}
TALK, ENDED = ("ca", "ca"), ("", "")
CELLS = {
    ("ringing", "customer"): ENDED,
    ("ringing", "agent"): ("c*", "co"),
    ("ringing", "other"): TALK,
    ("ringing", "*1"): TALK,
    ("ringing", "*3"): ("c*", "cao"),
    ("ringing", "*4"): ("c*", "cao"),
    ("ringing", "*71003#"): ("c*", "cao"),
    ("ringing", "*2"): ENDED,
    ("ringing", "*81#"): ("c*", "cao"),
    ("ringing", "5"): ("c*", "cao"),
    ("ringing", "command"): ENDED,
    ("consult", "customer"): ENDED,
    ("consult", "agent"): ("co", "co"),
    ("consult", "other"): TALK,
    ("consult", "*1"): TALK,
    ("consult", "*3"): ("ca co ao", "cao"),
    ("consult", "*4"): ("ca o*", "cao"),
    ("consult", "*71003#"): ("ao c*", "cao"),
    ("consult", "*2"): ENDED,
    ("consult", "*81#"): ("ao c*", "cao"),
    ("consult", "5"): ("ao c*", "cao"),
    ("consult", "command"): ENDED,
    ("swapped", "customer"): ENDED,
    ("swapped", "agent"): ("co", "co"),
    ("swapped", "other"): TALK,
    ("swapped", "*1"): TALK,
    ("swapped", "*3"): ("ca co ao", "cao"),
    ("swapped", "*4"): ("ao c*", "cao"),
    ("swapped", "*71003#"): ("ca o*", "cao"),
    ("swapped", "*2"): ENDED,
    ("swapped", "*81#"): ("ca o*", "cao"),
    ("swapped", "5"): ("ca o*", "cao"),
    ("swapped", "command"): ENDED,
    ("three_way", "customer"): ENDED,
    ("three_way", "agent"): ("co", "co"),
    ("three_way", "other"): TALK,
    ("three_way", "*1"): TALK,
    ("three_way", "*3"): ("ca co ao", "cao"),
    ("three_way", "*4"): ("ao c*", "cao"),
    ("three_way", "*71003#"): ("ca co ao", "cao"),
    ("three_way", "*2"): ENDED,
    ("three_way", "*81#"): ("ca co ao", "cao"),
    ("three_way", "5"): ("ca co ao", "cao"),
    ("three_way", "command"): ENDED,
    ("alone", "customer"): ENDED,
    ("alone", "command"): ENDED,
}


async def begun(centre: QueueWorld, other: FarEnd) -> Three:
    centre.queue("sales", dids=DID, force_hangup="on")
    centre.agent("1001", TAKES, "sales")
    centre.agent("1002", other)
    centre.agent("1003", TAKES)
    three = Three(centre, centre.call())
    await asyncio.sleep(3)
    assert three.hears() == "ca"
    await three.keys("*71002#")
    return three


@pytest.mark.parametrize(("state", "event"), CELLS)
def test_in_each_state_each_event_leads_where_the_table_says_and_the_customer_is_never_in_silence(state, event):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            three = await begun(centre, OTHER.get(state, TAKES))
            await reach(three, state)
            assert three.hears() == HEARD[state]
            if event in ("customer", "agent", "other"):
                await three.hang_up(event)
            elif event == "command":
                assert await centre.world.app.hang_up(centre.desk.calls[three.customer.id].caller.call_id)
                await asyncio.sleep(1)
            else:
                await three.keys(event)
            heard, up = CELLS[state, event]
            assert (three.hears(), three.up()) == (heard, up)
            assert centre.world.fake.dialled("PJSIP/1003") == []
            heard_keys = [what for _, what in three.customer.heard if what.startswith("dtmf")]
            assert heard_keys == (["dtmf:5"] if event == "5" and state in ("swapped", "three_way") else [])
            assert bool(centre.world.disposed) == (event == "*81#")
            await three.hang_up("customer")
            record = await centre.record(three.customer)
            assert record["disposition"] == "answered"
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_a_transfer_frees_the_first_agent_and_the_record_shows_who_spoke_with_whom():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, TAKES)
        await asyncio.sleep(4)
        await three.hang_up("agent")
        assert centre.world.roster.get("1001").state is AgentState.IDLE
        assert centre.world.roster.get("1002").state is AgentState.TALKING
        await asyncio.sleep(6)
        await three.hang_up("other")
        record = await centre.record(three.customer)
        spans = [(event["kind"], event["agent"], round(event["seconds"])) for event in record["timeline"]]
        assert spans == [
            ("queue", None, 1),
            ("conversation", "Agent 1001", 3),
            ("consult", "Agent 1002", 4),
            ("conversation", "Agent 1002", 7),
        ]
        assert record["agents"] == ["Agent 1001", "Agent 1002"]
        assert (record["hung_up_by"], record["call_state"]) == ("agent", "NORMAL_CLEARING_B")
        assert centre.events(three.customer) == ["ENTERQUEUE", "CONNECT", "ATTENDEDTRANSFER"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_consult_that_comes_back_and_swaps_is_told_piece_by_piece():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, TAKES)
        await asyncio.sleep(2)
        await three.keys("*4")
        await three.keys("*4")
        await three.keys("*1")
        assert three.hears() == "ca"
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        kinds = [event["kind"] for event in record["timeline"]]
        assert kinds == ["queue", "conversation", "consult", "conversation", "consult", "conversation"]
        assert centre.events(three.customer)[-1] == "COMPLETECALLER"
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize(
    ("other", "settings"),
    [
        (FarEnd(rejects_after=0.3), {}),
        (RINGS, {}),
        (FarEnd(exists=False), {}),
        (FarEnd(rings_after=None), {}),
    ],
)
def test_when_nobody_answers_the_customer_hears_his_agent_again(other, settings):
    async def life() -> None:
        async with queue_world(**SETTINGS, **settings) as centre:
            three = await begun(centre, other)
            await asyncio.sleep(12)
            assert three.hears() == "ca"
            assert not three.agent.ringback
            assert centre.world.roster.get("1002").misses == 0
            await three.hang_up("customer")
            record = await centre.record(three.customer)
            assert [event["kind"] for event in record["timeline"]] == ["queue", "conversation"]
            assert record["agents"] == ["Agent 1001"]
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_a_blind_transfer_that_nobody_takes_rings_its_agent_again_and_then_the_queue():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, FarEnd(rings_after=0.05, rejects_after=4.0))
        await three.hang_up("agent")
        assert three.customer.moh
        centre.world.fake.far("PJSIP/1001", RINGS)
        centre.world.roster.get("1003").queues = ("sales",)
        await asyncio.sleep(5)
        assert len(centre.world.fake.dialled("PJSIP/1001")) == 2
        assert three.customer.moh
        await asyncio.sleep(12)
        [third] = centre.world.fake.dialled("PJSIP/1003")
        assert centre.world.fake.together(three.customer.id, third.id)
        assert not three.customer.moh
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        assert record["agents"] == ["Agent 1001", "Agent 1003"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_number_outside_can_be_consulted_and_given_the_customer_within_the_rules_of_the_trunk():
    limited = {**SETTINGS, "trunk": {"main": {"host": "192.0.2.1", "allowed_prefixes": ["+4420"]}}}
    async with queue_world(**limited) as centre:
        centre.world.fake.far(FAR, TAKES)
        centre.queue("sales", dids=DID)
        centre.agent("1001", TAKES, "sales")
        three = Three(centre, centre.call())
        await asyncio.sleep(3)
        await three.keys("*7+449098790000#".replace("+", "00"))
        await asyncio.sleep(2)
        assert centre.world.fake.dialled(FAR) == []
        assert three.hears() == "ca"
        await three.keys("*702079460018#")
        [outside] = centre.world.fake.dialled(FAR)
        await three.keys("9")
        assert [what for _, what in outside.heard] == ["dtmf:9"]
        await three.hang_up("agent")
        assert centre.world.fake.together(three.customer.id, outside.id)
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        assert [(e["kind"], e["label"]) for e in record["timeline"]][1:] == [
            ("conversation", "conversation"),
            ("consult", "consult"),
            ("conversation", "+442079460018"),
        ]
        assert record["agents"] == ["Agent 1001"]
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_queue_is_consulted_by_its_number_and_its_next_agent_answers():
    async with queue_world(**SETTINGS) as centre:
        centre.queue("help", dids="442079460009")
        centre.queue("sales", dids=DID)
        centre.agent("1001", TAKES, "sales")
        centre.agent("1003", TAKES, "help")
        held = centre.world.roster.reserve("", "another", prefer="1003")
        three = Three(centre, centre.call())
        await asyncio.sleep(3)
        await three.keys("*7442079460009#")
        assert centre.world.fake.dialled("PJSIP/1003") == []
        held.close()
        await asyncio.sleep(2)
        [third] = centre.world.fake.dialled("PJSIP/1003")
        assert centre.world.fake.together(three.agent.id, third.id)
        await three.hang_up("agent")
        assert centre.world.fake.together(three.customer.id, third.id)
        await three.hang_up("customer")
        await centre.settled()
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_whoever_was_given_a_customer_can_give_him_on():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, TAKES)
        await three.hang_up("agent")
        centre.world.fake.press(three.other.id, "*71003#")
        await asyncio.sleep(2)
        [third] = centre.world.fake.dialled("PJSIP/1003")
        assert centre.world.fake.together(three.other.id, third.id)
        await three.hang_up("other")
        assert centre.world.fake.together(three.customer.id, third.id)
        await three.hang_up("customer")
        record = await centre.record(three.customer)
        assert record["agents"] == ["Agent 1001", "Agent 1002", "Agent 1003"]
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize("who", ["customer", "agent", "other"])
@pytest.mark.parametrize("keys", [(), ("*4",), ("*3",), ("*4", "*4", "*1")])
def test_a_hang_up_at_every_instant_of_a_consult_leaves_one_record_and_nothing_else(who, keys):
    async def life(at: float) -> None:
        async with queue_world(**SETTINGS) as centre:
            centre.queue("sales", dids=DID)
            centre.agent("1001", TAKES, "sales")
            centre.agent("1002", FarEnd(rings_after=0.02, answers_after=0.05))
            three = Three(centre, centre.call())
            await asyncio.sleep(1.2)
            fake = centre.world.fake
            loop = asyncio.get_running_loop()
            for n, key in enumerate(("*71002#", *keys)):
                loop.call_later(0.1 * n, fake.press, three.agent.id, key)
            await asyncio.sleep(at)
            legs = fake.dialled("PJSIP/1002")
            fake.hang_up(getattr(three, who).id if who != "other" or legs else three.customer.id)
            await asyncio.sleep(1.5)
            if three.customer.id in fake.channels:
                assert three.hears() in ("ca", "co", "c*", "ao c*", "ca o*", "ca co ao")
            fake.hang_up(three.customer.id)
            await centre.record(three.customer)
            await centre.settled()
            centre.world.assert_nothing_left()

    for step in range(40):
        run_virtual(life(0.001 + step * 0.0115))


@pytest.mark.parametrize("takes", [True, False])
def test_a_refer_of_the_phone_gives_the_customer_away_or_keeps_him(takes):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            centre.queue("sales", dids=DID)
            centre.agent("1001", TAKES, "sales")
            centre.agent("1002", TAKES if takes else FarEnd(rings_after=0.05, rejects_after=0.5))
            three = Three(centre, centre.call())
            await asyncio.sleep(3)
            centre.world.fake.refer(three.agent.id, "1002")
            await asyncio.sleep(0.3)
            assert three.hears() == "c*"
            await asyncio.sleep(2)
            assert three.agent.told == ["channel_answered" if takes else "channel_unavailable"]
            assert (three.hears(), three.up()) == (("co", "co") if takes else ("ca", "ca"))
            if not takes:
                centre.world.fake.far("PJSIP/1002", TAKES)
                centre.world.fake.refer(three.agent.id, "1002")
                await asyncio.sleep(2)
                assert three.agent.told[-1] == "channel_answered"
            await three.hang_up("customer")
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_a_refer_with_replaces_or_within_a_consult_is_declined_and_the_customer_stays_where_he_is():
    async with queue_world(**SETTINGS) as centre:
        three = await begun(centre, TAKES)
        centre.world.fake.refer(three.agent.id, "1003")
        await asyncio.sleep(1)
        assert (three.agent.told, three.hears()) == (["channel_declined"], "ao c*")
        await three.keys("*1")
        centre.world.fake.refer(three.agent.id, "1003", replaces=three.customer.id)
        await asyncio.sleep(1)
        assert (three.agent.told, three.hears()) == (["channel_declined"] * 2, "ca")
        assert centre.world.fake.dialled("PJSIP/1003") == []
        await three.hang_up("customer")
        await centre.settled()
        centre.world.assert_nothing_left()


@pytest.mark.parametrize("who", ["agent", "other"])
def test_an_agent_on_a_line_of_his_own_consults_and_is_consulted(who):
    async def life() -> None:
        async with queue_world(**SETTINGS) as centre:
            fake = centre.world.fake
            centre.queue("sales", dids=DID)
            centre.agent("1001", TAKES, "sales")
            centre.agent("1002", TAKES)
            ext = "1001" if who == "agent" else "1002"
            line = fake.inbound(["persistent", ext], channel_id=f"line{ext}", endpoint=f"Phone/{ext}")
            await asyncio.sleep(1)
            customer = centre.call()
            await asyncio.sleep(3)
            agent = line if who == "agent" else fake.dialled("PJSIP/1001")[0]
            assert fake.together(customer.id, agent.id)
            fake.press(agent.id, "*71002#")
            await asyncio.sleep(2)
            other = line if who == "other" else fake.dialled("PJSIP/1002")[0]
            assert fake.together(agent.id, other.id)
            assert customer.moh
            fake.press(agent.id, "*1")
            await asyncio.sleep(1)
            assert fake.together(customer.id, agent.id)
            assert line.bridge is not None
            assert line.bridge.name == "callwright-line"
            fake.press(agent.id, "*71002#")
            await asyncio.sleep(2)
            fake.hang_up(agent.id)
            await asyncio.sleep(1)
            other = line if who == "other" else fake.dialled("PJSIP/1002")[-1]
            assert fake.together(customer.id, other.id)
            assert not customer.moh
            fake.hang_up(customer.id)
            await centre.record(customer)
            await asyncio.sleep(1)
            fake.hang_up(line.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_the_customer_of_a_campaign_is_given_to_a_colleague_and_who_gets_nobody_hears_an_apology():
    async with queue_world(**SETTINGS) as centre:
        fake, app = centre.world.fake, centre.world.app
        centre.agent("1001", TAKES)
        centre.agent("1002", TAKES, team="other")
        fake.far("PJSIP/customer*", FarEnd(rings_after=0.05, answers_after=0.2))
        for number, talks_to in ((1, "1002"), (2, "")):
            app.place(make_order(number, wrap_up_seconds=3.0, prefer_agent="1001"))
            await asyncio.sleep(2)
            [customer] = fake.dialled(f"PJSIP/customer-{number}@trunk")
            agent = fake.dialled("PJSIP/1001")[-1]
            assert fake.together(customer.id, agent.id)
            fake.far("PJSIP/100?", TAKES if talks_to else FarEnd(rings_after=0.05, rejects_after=1.0))
            fake.press(agent.id, "*71002#")
            await asyncio.sleep(0.4)
            fake.hang_up(agent.id)
            await asyncio.sleep(0.1)
            assert centre.world.roster.get("1001").state is AgentState.WRAP_UP
            await asyncio.sleep(1.5)
            if talks_to:
                assert fake.together(customer.id, fake.dialled("PJSIP/1002")[0].id)
                fake.hang_up(customer.id)
            result = await centre.world.ended(f"call-{number}")
            expected = ["Agent 1001", "Agent 1002"] if talks_to else ["Agent 1001"]
            assert result.record["agents"] == expected
            assert result.record["hung_up_by"] == ("caller" if talks_to else "system")
            assert ("sound:im-sorry" in [what for _, what in customer.heard]) is not bool(talks_to)
            for ext in ("1001", "1002"):
                centre.world.roster.end_wrap_up(centre.world.roster.get(ext))
        await centre.settled()
        centre.world.assert_nothing_left()
