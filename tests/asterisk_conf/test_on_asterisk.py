"""The bundle on a real Asterisk: it boots without a complaint, takes accounts, and is a safety net."""

from __future__ import annotations

import json
import re

import pytest

from asterisk_conf import accounts, secrets
from contact_center.settings import Settings
from tests.asterisk_conf.place import Place, ari, stasis
from tests.lab.farend import OTHER, FarEnd, Phone, RegistrationError, Script, Side
from tests.lab.switch import Switch
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

PROMPT_SECONDS = 8.0


async def put_account(settings: Settings, ext: str, password: str, name: str = "Ann Ash") -> None:
    for thing in accounts.account_objects(ext, name, ext, password, settings):
        fields = [{"attribute": key, "value": value} for key, value in thing.fields.items()]
        path = f"asterisk/config/dynamic/{thing.config_class}/{thing.object_type}/{thing.id}"
        status, body = await ari(settings, "PUT", path, {"fields": fields})
        assert status == 200, body


async def delete_account(settings: Settings, ext: str) -> None:
    for config_class, kind, name in accounts.account_ids(ext):
        status, _ = await ari(settings, "DELETE", f"asterisk/config/dynamic/{config_class}/{kind}/{name}")
        assert status == 204


async def add_phone(settings: Settings, world: FarEnd, ext: str) -> Phone:
    password = secrets.fresh()
    await put_account(settings, ext, password)
    phone = world.phones.add(ext, password)
    await phone.register()
    return phone


async def is_online(settings: Settings, ext: str) -> bool:
    _, endpoint = await ari(settings, "GET", f"endpoints/PJSIP/{ext}")
    return bool(endpoint["state"] == "online")


async def test_it_boots_without_a_warning(switch: Switch) -> None:
    lines = (switch.base / "log" / "messages.log").read_text().splitlines()
    until_boot = [line for line in lines if re.search(r" (WARNING|ERROR)\[", line) and "stir_shaken" not in line]

    assert until_boot == []
    assert "Not Running" not in await switch.cli("module show")


async def test_the_doors_are_on_loopback_and_closed_to_the_unknown(settings: Settings, switch: Switch) -> None:
    status = await switch.cli("http show status")

    assert "/static" not in status
    assert "/httpstatus" not in status
    stranger = settings.model_copy(
        update={"asterisk": settings.asterisk.model_copy(update={"ari_password": secrets.fresh()})}
    )
    assert (await ari(stranger, "GET", "asterisk/info"))[0] == 401
    assert "live_dangerously" not in (switch.etc / "asterisk.conf").read_text().replace("live_dangerously = no", "")


async def test_an_account_put_while_asterisk_runs_registers_and_takes_calls(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    await add_phone(settings, world, "1001")

    await until(lambda: is_online(settings, "1001"), 5, "1001 online")
    _, endpoints = await ari(settings, "GET", "endpoints/PJSIP")
    assert {"1001", "callwright-trunk-main"} <= {endpoint["resource"] for endpoint in endpoints}
    shown = await switch.cli("pjsip show endpoint 1001")
    assert re.search(r'callerid\s*: "Ann Ash" <1001>', shown)
    assert re.search(r"context\s*: callwright-agent", shown)


async def test_a_new_password_holds_at_once_and_a_removed_account_is_gone(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    phone = await add_phone(settings, world, "1002")
    old = phone.password

    phone.password = secrets.fresh()
    await put_account(settings, "1002", phone.password)
    await phone.register()
    phone.password = old
    with pytest.raises(RegistrationError, match="401"):
        await phone.register()
    await delete_account(settings, "1002")
    with pytest.raises(RegistrationError, match=r"40[14]"):
        await phone.register()
    assert (await ari(settings, "GET", "endpoints/PJSIP/1002"))[0] == 404


async def test_accounts_and_trunks_survive_a_restart_of_asterisk(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    phone = await add_phone(settings, world, "1003")

    await switch.restart()

    assert (await ari(settings, "GET", "endpoints/PJSIP/callwright-trunk-main"))[0] == 200
    await phone.register()
    await until(lambda: is_online(settings, "1003"), 5, "1003 online")
    await switch.cli("module reload res_pjsip.so")
    await phone.register()
    assert await is_online(settings, "1003")


async def test_a_phone_behind_the_address_of_the_trunk_is_known_by_its_name(
    settings: Settings, place: Place, switch: Switch, world: FarEnd
) -> None:
    password = secrets.fresh()
    await put_account(settings, "1004", password)
    world.phones.agent = world.trunk.agent
    phone = world.phones.add("1004", password)

    await phone.register()
    assert phone.is_registered


async def test_nobody_gets_in_under_the_trunks_name(settings: Settings, switch: Switch, world: FarEnd) -> None:
    stranger = world.phones.add("callwright-trunk-main", "")
    call = stranger.dial("+442079460000")

    await call.until_over(5)
    assert call.record.final_code in (401, 403)


async def test_a_caller_hears_the_fallback_when_no_application_is_there(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    caller = world.trunk.call("+442079460123", "+447700900123")

    await caller.until_answered(3)
    served = await world.trunk.until_called("+447420000999", 3)
    await served.until_answered(3)
    assert served.record.from_user.lstrip("+") == "447700900123"
    caller.hangup()
    await served.until_over(3)


async def test_a_caller_hears_an_apology_when_the_fallback_does_not_answer(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    world.trunk.script("+447420000999", Script(code=486))
    caller = world.trunk.call("442079460123", "+447700900124")

    await caller.until_answered(3)
    await caller.until_hears(OTHER, 5)
    await caller.until_over(PROMPT_SECONDS * 2)
    assert caller.record.ended_by == "switch"


async def test_an_arriving_call_is_handed_over_with_its_number_and_trunk(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    async with stasis(settings) as application:
        caller = world.trunk.call("+442079460123", "+447700900125")
        event = await application.entered()

        assert event["args"] == ["inbound", "+442079460123", "callwright-trunk-main"]
        assert event["channel"]["state"] == "Ring"
        assert event["channel"]["caller"]["number"] == "+447700900125"
        assert event["channel"]["dialplan"]["exten"] == "+442079460123"
        channel = event["channel"]["id"]
        assert (await ari(settings, "POST", f"channels/{channel}/answer"))[0] == 204
        await caller.until_answered(3)
        caller.hangup()
        await caller.until_over(3)


async def test_music_outlives_the_application_and_the_dead_mans_clock_ends_it(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    async with stasis(settings) as application:
        caller = world.trunk.call("+442079460124", "+447700900126")
        event = await application.entered()
        channel = event["channel"]["id"]
        await ari(settings, "POST", f"channels/{channel}/answer")
        await ari(settings, "POST", f"channels/{channel}/moh")
        await caller.until_hears(OTHER, 3)
    died_at = world.clock.now()
    served = await world.trunk.until_called("+447420000999", settings.asterisk.dead_man_seconds + 3)
    await served.until_answered(3)

    waited = served.record.invite_at - died_at
    after = [span for span in caller.heard().heard if span.start_at > died_at]
    music = sum(span.seconds for span in caller.heard().heard if OTHER in span.heard and span.end_at > died_at)
    assert waited > settings.asterisk.dead_man_seconds - 3
    assert music > waited / 2, after  # music has pauses of its own
    caller.hangup()
    await served.until_over(3)


async def test_strange_dids_reach_the_application_as_harmless_text(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    async with stasis(settings) as application:
        for did, told in (("sales", "sales"), ("s", "s"), ("+44-207,x", "+44207")):
            caller = world.trunk.call(did, "+447700900127")
            event = await application.entered()
            assert event["args"][:2] == ["inbound", told]
            caller.hangup()
            await caller.until_over(3)


async def test_what_an_agent_dials_reaches_the_application_with_his_endpoint(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    phone = await add_phone(settings, world, "1005")
    expected = {
        "1001": ["manual", "1005", "1001"],
        "+442079460000": ["manual", "1005", "+442079460000"],
        "*48": ["persistent", "1005"],
        "*49": ["preview_accept", "1005"],
    }
    async with stasis(settings) as application:
        for dialled, args in expected.items():
            call = phone.dial(dialled)
            event = await application.entered()
            assert event["args"] == args
            assert event["channel"]["state"] == ("Up" if dialled == "*48" else "Ring")
            call.hangup()
            await call.until_over(3)


HOSTILE = [
    "44&PJSIP/x",
    "44%26PJSIP%2Fx",
    "123456789012345678901",
    "abc",
    "12;34",
    "*99",
    "12%2234",
    "12%5C34",
    "12%2C34",
    "12%24%7BEXTEN%7D",
    "12)34",
    "12%5D%3Fbad",
]


@pytest.mark.parametrize("dialled", HOSTILE)
async def test_what_is_no_number_is_refused(settings: Settings, switch: Switch, world: FarEnd, dialled: str) -> None:
    phone = await add_phone(settings, world, "1006")
    async with stasis(settings) as application:
        call = phone.dial(dialled)
        await call.until_over(5)
        assert call.record.final_code in (404, 484)
        checked = phone.dial("1001")
        assert (await application.entered())["args"] == ["manual", "1006", "1001"], "the hostile one came first"
        checked.hangup()
        await checked.until_over(3)
    assert world.log.select(side=Side.CUSTOMER) == []


@pytest.mark.parametrize("code", ["*45", "*46", "*47", "*48", "*49", "+442079460000"])
async def test_an_agent_is_told_when_the_program_is_away(
    settings: Settings, switch: Switch, world: FarEnd, code: str
) -> None:
    phone = await add_phone(settings, world, "1007")
    call = phone.dial(code)

    await call.until_answered(3)
    await call.until_hears(OTHER, 3)
    call.hangup()
    await call.until_over(3)


async def test_the_application_can_send_a_caller_to_a_polite_end(
    settings: Settings, switch: Switch, world: FarEnd
) -> None:
    async with stasis(settings) as application:
        caller = world.trunk.call("+442079460125", "+447700900128")
        channel = (await application.entered())["channel"]["id"]
        status, _ = await ari(settings, "POST", f"channels/{channel}/continue?context=callwright-goodbye&extension=s")
        assert status == 204
        await caller.until_answered(3)
        await caller.until_hears(OTHER, 3)
        await caller.until_over(PROMPT_SECONDS)
        assert caller.record.ended_by == "switch"


async def test_machine_detection_hands_its_verdict_back(settings: Settings, switch: Switch, world: FarEnd) -> None:
    async with stasis(settings) as application:
        caller = world.trunk.call("+442079460126", "+447700900129")
        channel = (await application.entered())["channel"]["id"]
        await ari(settings, "POST", f"channels/{channel}/answer")
        await ari(settings, "POST", f"channels/{channel}/continue?context=callwright-amd&extension=s")
        args = (await application.entered(10))["args"]
        assert args[0] == "amd"
        assert args[1] in ("HUMAN", "MACHINE", "NOTSURE")
        assert args[2]
        caller.hangup()
        await caller.until_over(3)


async def test_a_refer_from_a_phone_calls_nobody(settings: Settings, switch: Switch, world: FarEnd) -> None:
    phone = await add_phone(settings, world, "1008")
    async with stasis(settings) as application:
        call = phone.dial("*48")
        await application.entered()
        await call.until_answered(3)
        assert await call.refer("+442079460000") == 202  # the application is asked
        transfer = await application.told("ChannelTransfer")
        assert "+442079460000" in json.dumps(transfer["refer_to"])
        call.hangup()
        await call.until_over(3)
    assert world.log.select(side=Side.CUSTOMER) == []
