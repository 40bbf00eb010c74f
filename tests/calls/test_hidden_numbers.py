"""A lead whose campaign hides its number calls in, or is called back: no agent's phone or screen shows it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ari_app.hidden_numbers import HiddenNumbers
from ari_app.screens import card_of
from contact_center.models import Campaign, Lead
from contact_center.options import CampaignOptions
from contact_center.store.engine import writing
from tests.calls.callback_world import ANSWERS, CallbackWorld, busy, lived, made_store
from tests.support.fake_ari import FarEnd

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HIDDEN, OPEN, STRANGER = "+447400000001", "+447400000002", "+447400000003"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = made_store(tmp_path)
    with writing(made) as session:
        for name, number, hide in (("quiet", HIDDEN, True), ("loud", OPEN, False)):
            options = CampaignOptions(hide_number=hide).model_dump(mode="json")
            campaign = Campaign(name=name, created_at=AT, options=options)
            session.add(campaign)
            session.flush()
            session.add(Lead(campaign_id=campaign.id, number=number, created_at=AT))
    return made


def looks(world: CallbackWorld) -> HiddenNumbers:
    """Numbers are looked up from now on, as `serve` has it done."""
    env, app = world.centre.world.app.env, world.centre.world.app
    hidden = HiddenNumbers(world.store.read, app.spawn)
    env.hides, env.look_up, env.known = hidden.hides, hidden.look_up, hidden.known
    return hidden


@pytest.mark.parametrize(("number", "is_hidden"), [(HIDDEN, True), (OPEN, False), (STRANGER, False)])
def test_a_callers_number_is_shown_unless_his_campaign_hides_it(engine: Engine, number: str, is_hidden: bool):
    async def scenario(world: CallbackWorld) -> None:
        looks(world)
        caller = world.centre.call(number=number)
        await asyncio.sleep(3)
        [rung] = world.fake.dialled("PJSIP/1001")
        [call] = world.centre.desk.calls.values()
        assert rung.caller_id == (call.caller.call_id if is_hidden else number)
        card = card_of(world.centre.world.app, call.caller.call_id)
        assert card is not None
        assert (number in str(card.document(in_clear=False))) is not is_hidden
        assert card.document(in_clear=True)["number"] == number
        world.fake.hang_up(caller.id)
        await asyncio.sleep(3)

    lived(engine, scenario)


async def called_back(world: CallbackWorld) -> None:
    """A hidden caller orders a callback while everybody is busy, and then its turn comes."""
    with busy(world):
        caller = world.centre.call(number=HIDDEN)
        await asyncio.sleep(1)
        for _ in range(2):
            world.fake.press(caller.id, "1")
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)
    await asyncio.sleep(10)


def test_an_agent_who_is_rung_for_a_callback_does_not_see_a_hidden_number(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        looks(world)
        world.customer(ANSWERS)
        await called_back(world)
        [rung] = world.fake.dialled("PJSIP/1001")
        assert HIDDEN not in rung.caller_id
        [dial] = world.dials()
        world.fake.hang_up(dial.id)
        await asyncio.sleep(3)

    lived(engine, scenario)


def test_an_agent_who_is_found_for_a_customer_called_first_does_not_see_a_hidden_number(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        looks(world)
        world.customer(ANSWERS)
        await called_back(world)
        [dial] = world.dials()
        [rung] = world.fake.dialled("PJSIP/1001")
        assert HIDDEN not in rung.caller_id
        world.fake.hang_up(dial.id)
        await asyncio.sleep(3)

    lived(engine, scenario, callback_first="customer")


@pytest.mark.parametrize(("number", "is_hidden"), [(HIDDEN, True), (OPEN, False)])
def test_a_colleague_who_is_consulted_for_somebody_never_looked_up_does_not_see_a_hidden_number(
    engine: Engine, number: str, is_hidden: bool
):
    async def scenario(world: CallbackWorld) -> None:
        world.centre.agent("1002", FarEnd(rings_after=0.05, answers_after=0.5))
        caller = world.centre.call(number=number)
        await asyncio.sleep(3)
        looks(world)  # from now on: the customer of a campaign, or of an earlier process, is not looked up before
        [agent] = world.fake.dialled("PJSIP/1001")
        world.fake.press(agent.id, "*71002#")
        await asyncio.sleep(2)
        [rung] = world.fake.dialled("PJSIP/1002")
        assert (number not in rung.caller_id) is is_hidden
        world.fake.hang_up(caller.id)
        await asyncio.sleep(3)

    lived(engine, scenario)


def test_while_it_is_not_known_a_number_is_hidden_where_some_campaign_hides_numbers(engine: Engine):
    async def scenario(world: CallbackWorld) -> None:
        hidden = looks(world)
        assert hidden.hides(STRANGER), "nothing at all is known before the first look"
        await hidden.look(HIDDEN)
        assert (hidden.hides(HIDDEN), hidden.hides(STRANGER)) == (True, True)
        world.store.down = True
        await hidden.look(STRANGER)
        assert hidden.hides(STRANGER)
        world.store.down = False
        await hidden.look(STRANGER)
        assert not hidden.hides(STRANGER)

    lived(engine, scenario)


def test_while_no_campaign_hides_numbers_the_store_is_asked_only_after_a_campaign_was_changed(tmp_path: Path):
    made = made_store(tmp_path)

    def set_options(*, hide: bool) -> None:
        with writing(made) as session:
            options = CampaignOptions(hide_number=hide).model_dump(mode="json")
            campaign = session.get(Campaign, 1) or Campaign(id=1, name="quiet", created_at=AT)
            if not campaign.options:
                session.add(campaign)
                session.add(Lead(campaign_id=1, number=HIDDEN, created_at=AT))
            campaign.options = options

    async def scenario(world: CallbackWorld) -> None:
        hidden = looks(world)
        set_options(hide=False)
        hidden.look_up(STRANGER)
        await asyncio.sleep(1)
        set_options(hide=True)
        hidden.look_up(HIDDEN)
        await asyncio.sleep(1)
        assert not hidden.hides(HIDDEN)  # nobody told of a change, so nobody was asked
        hidden.campaigns_changed()
        hidden.look_up(HIDDEN)
        await hidden.known(HIDDEN)
        assert hidden.hides(HIDDEN)
        set_options(hide=False)
        hidden.campaigns_changed()
        hidden.look_up(STRANGER)
        await hidden.known(STRANGER)
        await asyncio.sleep(1)
        assert not hidden.hides(HIDDEN)  # nor is what was known of others remembered

    lived(made, scenario)
