"""Own calls, consults, callbacks and callers who are sent on take lines of the trunks, on the virtual clock."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine

from ari_app.trunk_line import hold_found, trunk_of
from contact_center.settings import Settings
from contact_center.terms import AgentState
from contact_center.trunks import Trunks
from tests.calls.callback_world import CallbackWorld, busy, callback_world, lived, staffed, states
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.lab.until import until
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock, run_virtual

SITE = {"site": {"number_check": "digits"}}
NUMBER, OTHER = "+442079460018", "+442079460019"
FAR = "PJSIP/callwright-trunk-main/*"
PHONE = FarEnd(rings_after=0.05, answers_after=0.5)
ANSWERS = FarEnd(rings_after=0.1, answers_after=1.0)


def trunk(**keys: object) -> dict[str, object]:
    return {"trunk": {"main": {"host": "192.0.2.1", **keys}}, **SITE}


def lines(centre: QueueWorld, name: str = "main") -> tuple[int, int]:
    """Calls of ours and callers on a trunk."""
    found = centre.world.app.env.trunks.lines[name]
    return found.live, found.inbound


@on_virtual_clock
async def test_an_own_call_has_a_line_until_the_number_has_hung_up():
    async with queue_world(**trunk(max_channels=1)) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, ANSWERS)
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(0.5)
        assert lines(centre) == (1, 0)
        await asyncio.sleep(5)
        assert phone.state == "Up"
        assert centre.world.app.env.trunks.choose(()) is None
        [leg] = centre.world.fake.dialled(FAR)
        centre.world.fake.hang_up(leg.id)
        await centre.settled()
        assert lines(centre) == (0, 0)


@on_virtual_clock
async def test_an_own_call_without_a_line_waits_a_second_and_is_refused_to_the_phone_in_words():
    async with queue_world(**trunk(max_channels=1)) as centre:
        said = sentence(centre)
        centre.agent("1001", PHONE)
        campaign = centre.world.app.env.trunks
        assert campaign.choose(()) == "main"
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(0.9)
        assert phone.ended_at is None
        record = await centre.own(NUMBER)
        await centre.settled()
        assert said in [what for _, what in phone.heard]
        assert phone.cause == 34
        assert centre.world.fake.dialled(FAR) == []
        assert record["disposition"] == "not_attempted"
        assert centre.world.roster.get("1001").state is AgentState.IDLE
        assert lines(centre) == (1, 0)
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_an_own_call_and_a_consult_beyond_a_cap_of_the_trunk_are_refused_at_once_in_words_of_their_own():
    async with queue_world(**trunk(calls_per_hour=1)) as centre:
        sentence(centre)
        centre.agent("1001", PHONE)
        centre.queue("sales", dids=DID)
        centre.agent("1002", PHONE, "sales")
        customer = centre.call()
        await asyncio.sleep(3)
        (await centre.world.app.env.trunks.line((), "other")).give_back()
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(0.2)
        assert [what for _, what in phone.heard] == ["sound:capped"]
        [agent] = centre.world.fake.dialled("PJSIP/1002")
        centre.world.fake.press(agent.id, "*702079460019#")
        await asyncio.sleep(2)
        assert "sound:capped" in [what for _, what in agent.heard]
        assert centre.world.fake.together(customer.id, agent.id)
        assert centre.world.fake.dialled(FAR) == []


def sentence(centre: QueueWorld) -> str:
    """What is said where all lines are in use, as a phone hears it."""
    centre.world.app.env.spoken = lambda word: (f"sound:{word}",)
    return "sound:no_line"


@on_virtual_clock
async def test_an_own_call_waits_for_the_next_slot_of_the_trunk_and_for_a_line_that_is_freed():
    async with queue_world(**trunk(max_channels=1, max_cps=1)) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, ANSWERS)
        trunks, loop = centre.world.app.env.trunks, asyncio.get_running_loop()
        other = await trunks.line((), "other")
        began = loop.time()
        await asyncio.sleep(0.3)
        centre.dial("1001", NUMBER)
        await asyncio.sleep(0.3)
        other.give_back()
        assert trunks.choose(()) is None
        await until(lambda: bool(centre.world.fake.dialled(FAR)), 5.0, "the dial")
        assert loop.time() - began == pytest.approx(1.02, abs=0.05)
        assert lines(centre) == (1, 0)


@on_virtual_clock
async def test_a_consult_without_a_line_tells_the_agent_and_he_is_with_his_customer_again():
    async with queue_world(**trunk(max_channels=1)) as centre:
        said = sentence(centre)
        centre.queue("sales", dids=DID)
        centre.agent("1001", PHONE, "sales")
        customer = centre.call()
        await asyncio.sleep(3)
        [agent] = centre.world.fake.dialled("PJSIP/1001")
        assert centre.world.app.env.trunks.choose(()) == "main"
        centre.world.fake.press(agent.id, "*702079460019#")
        await asyncio.sleep(0.5)
        assert customer.moh
        await asyncio.sleep(2)
        assert centre.world.fake.dialled(FAR) == []
        assert centre.world.fake.together(customer.id, agent.id)
        assert said in [what for _, what in agent.heard]
        await asyncio.sleep(5)
        centre.world.fake.hang_up(customer.id)
        await centre.settled()
        assert lines(centre) == (1, 0)
        centre.world.assert_nothing_left()


@on_virtual_clock
async def test_a_consult_takes_a_line_that_is_free_again_when_the_other_has_gone():
    async with queue_world(**trunk(max_channels=1)) as centre:
        centre.world.fake.far(FAR, ANSWERS)
        centre.queue("sales", dids=DID)
        centre.agent("1001", PHONE, "sales")
        customer = centre.call()
        await asyncio.sleep(3)
        [agent] = centre.world.fake.dialled("PJSIP/1001")
        centre.world.fake.press(agent.id, "*702079460019#")
        await asyncio.sleep(3)
        assert lines(centre) == (1, 0)
        centre.world.fake.press(agent.id, "*1")
        await asyncio.sleep(2)
        assert lines(centre) == (0, 0)
        assert centre.world.fake.together(customer.id, agent.id)


@pytest.mark.parametrize(("limits", "dialled"), [({}, 1), ({"max_channels": 1}, 0), ({"allowed_prefixes": ["+45"]}, 0)])
def test_a_caller_is_sent_to_a_number_outside_only_by_a_line_that_may_carry_it(limits, dialled):
    async def life() -> None:
        async with queue_world(**trunk(**limits)) as centre:
            centre.world.fake.far(FAR, ANSWERS)
            centre.queue("sales", dids=DID, max_wait="2", overflow=f"number:{OTHER}")
            taken = centre.world.app.env.trunks.choose(())
            caller = centre.call()
            await asyncio.sleep(6)
            assert len(centre.world.fake.dialled(FAR)) == dialled
            assert lines(centre)[0] == dialled + (taken is not None)
            centre.world.fake.hang_up(caller.id)
            await centre.settled()
            assert lines(centre)[0] == (taken is not None)
            centre.world.assert_nothing_left()

    run_virtual(life())


@pytest.mark.parametrize(("named", "carrier"), [("", "main"), ("spare", "spare"), ("spare,main", "spare")])
def test_an_overflow_to_a_number_goes_by_the_trunks_of_its_queue(named, carrier):
    async def life() -> None:
        trunks = {"main": {"host": "192.0.2.1"}, "spare": {"host": "192.0.2.2"}}
        async with queue_world(trunk=trunks, **SITE) as centre:
            centre.world.fake.far("PJSIP/callwright-trunk-*", ANSWERS)
            centre.queue("sales", dids=DID, max_wait="2", overflow=f"number:{OTHER}", trunk=named)
            caller = centre.call()
            await asyncio.sleep(6)
            [leg] = centre.world.fake.dialled("PJSIP/callwright-trunk-*")
            assert leg.endpoint.startswith(f"PJSIP/callwright-trunk-{carrier}/")
            assert centre.world.fake.together(caller.id, leg.id)
            assert [lines(centre, name)[0] for name in trunks] == [int(name == carrier) for name in trunks]
            centre.world.fake.hang_up(caller.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


@on_virtual_clock
async def test_callers_of_a_trunk_take_its_lines_until_they_have_gone():
    async with queue_world(**trunk(max_channels=3, reserve_inbound=1)) as centre:
        centre.queue("sales", dids=DID)
        callers = [
            centre.world.fake.inbound(
                ["inbound", DID, "PJSIP/carrier"],
                channel_id=f"in{n}",
                number=f"+4474000000{n:02d}",
                state="Ring",
                endpoint="PJSIP/callwright-trunk-main",
            )
            for n in range(2)
        ]
        await asyncio.sleep(1)
        assert lines(centre) == (0, 2)
        trunks = centre.world.app.env.trunks
        assert trunks.take_lines((), 5) == ["main"]
        for caller in callers:
            centre.world.fake.hang_up(caller.id)
        await asyncio.sleep(3)
        assert lines(centre) == (1, 0)


@on_virtual_clock
async def test_calls_that_an_earlier_process_left_take_lines_and_give_them_back():
    async with queue_world(**trunk()) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, ANSWERS)
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(4)
        env, ours = centre.world.app.env, lines(centre)
        snapshot = await env.ari.snapshot()
        hold_found(env, snapshot, ())
        assert lines(centre) == ours == (1, 0)
        env.trunks = Trunks(env.settings, env.clock, lambda _: None)  # what a new process begins with
        hold_found(env, snapshot, [centre.world.fake.dialled(FAR)[0].id])
        assert lines(centre) == (0, 0)
        hold_found(env, snapshot, ())
        hold_found(env, snapshot, ())
        assert lines(centre) == (1, 0)
        centre.world.fake.hang_up(phone.id)
        await centre.settled()
        assert lines(centre) == (0, 0)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("PJSIP/callwright-trunk-main-0000001f", "main"),
        ("PJSIP/callwright-trunk-two-words-00000001", "two-words"),
        ("PJSIP/1001-00000001", ""),
        ("Snoop/cw-1-00000001", ""),
    ],
)
def test_a_channels_name_says_on_which_trunk_it_is(name, found):
    assert trunk_of(name) == found


# -- callbacks ----------------------------------------------------------------------------------------


def test_while_no_line_is_free_no_agent_is_rung_for_a_callback_and_then_it_is_made(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        trunks = world.centre.world.app.env.trunks
        other = await trunks.line((), "other")
        with busy(world):
            await world.ordered()
            while trunks.lines["main"].live < 100:
                await asyncio.sleep(0.2)
                for name in trunks.take_lines((), 100):
                    trunks.sent(name)
        await asyncio.sleep(30)
        assert (world.dials(), world.fake.dialled("PJSIP/1001")) == ([], [])
        assert states(world) == [("waiting", 0, 0)]
        other.give_back()
        await asyncio.sleep(12)
        [dial] = world.dials()
        assert trunks.lines["main"].live == 100
        world.fake.hang_up(dial.id)
        await asyncio.sleep(3)
        assert states(world) == [("done", 1, 1)]
        assert trunks.lines["main"].live == 99

    lived(engine, scenario)


def test_a_callback_that_no_trunk_may_carry_is_settled_with_a_reason_and_nobody_is_rung(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        world.customer(ANSWERS)
        env = world.centre.world.app.env
        env.settings = Settings.model_validate(
            {"trunk": {"main": {"host": "127.0.0.9", "allowed_prefixes": ["+45"]}}, **SITE}
        )
        with busy(world):
            await world.ordered()
        await asyncio.sleep(3600)
        assert (world.dials(), world.fake.dialled("PJSIP/1001")) == ([], [])
        [(state, reason)] = world.rows("SELECT state, reason FROM callback")
        assert state == "failed"
        assert reason.endswith("may not be called: trunk.main.allowed_prefixes has only +45.")

    lived(engine, scenario)


@pytest.mark.parametrize(("named", "carried"), [("", "main"), ("spare", "spare")])
def test_a_callback_goes_by_the_queues_trunk_else_by_the_first_that_is_up(engine: Engine, named: str, carried: str):
    async def life() -> None:
        async with callback_world(engine) as world:
            env = world.centre.world.app.env
            both = {"main": {"host": "127.0.0.9"}, "spare": {"host": "127.0.0.8"}}
            env.settings = Settings.model_validate({"trunk": both})
            env.trunks = Trunks(env.settings, env.clock, lambda _: None)
            await staffed(world, trunk=named)
            world.customer(ANSWERS)
            with busy(world):
                await world.ordered()
            await asyncio.sleep(10)
            [dial] = world.dials()
            assert dial.endpoint.startswith(f"PJSIP/callwright-trunk-{carried}/")
            world.fake.hang_up(dial.id)
            await asyncio.sleep(3)

    run_virtual(life())


def test_a_callback_goes_by_another_trunk_while_the_first_is_down(engine: Engine):
    async def life() -> None:
        async with callback_world(engine) as world:
            env = world.centre.world.app.env
            both = {"main": {"host": "127.0.0.9"}, "spare": {"host": "127.0.0.8"}}
            env.settings = Settings.model_validate({"trunk": both})
            env.trunks = Trunks(env.settings, env.clock, lambda _: None)
            for _ in range(5):
                env.trunks.note_failure("main", "answers 503")
            await staffed(world)
            world.customer(ANSWERS)
            with busy(world):
                await world.ordered()
            await asyncio.sleep(10)
            [dial] = world.dials()
            assert dial.endpoint.startswith("PJSIP/callwright-trunk-spare/")
            world.fake.hang_up(dial.id)
            await asyncio.sleep(3)

    run_virtual(life())


@on_virtual_clock
async def test_own_calls_that_the_trunk_refuses_with_503_take_it_down_and_the_next_is_told_so():
    async with queue_world(**trunk()) as centre:
        centre.agent("1001", PHONE)
        centre.world.fake.far(FAR, FarEnd(rings_after=None, rejects_after=0.2, rejects_with=(42, 503, "CONGESTION")))
        for n in range(5):
            centre.dial("1001", f"+4420794600{n:02d}")
            await asyncio.sleep(5)
        assert centre.world.app.env.trunks.is_down("main")
        assert len(centre.world.fake.dialled(FAR)) == 5
        phone = centre.dial("1001", NUMBER)
        await asyncio.sleep(3)
        assert (phone.cause, len(centre.world.fake.dialled(FAR))) == (34, 5)
        await asyncio.sleep(30)
        centre.world.fake.far(FAR, ANSWERS)
        phone = centre.dial("1001", OTHER)
        await asyncio.sleep(3)
        assert phone.state == "Up"
        assert not centre.world.app.env.trunks.is_down("main")
        centre.world.fake.hang_up(phone.id)
        await centre.settled()
