from __future__ import annotations

from contextlib import suppress

import pytest

from tests.farend.place import Place
from tests.lab.farend import FarEnd, RegistrationError, stays
from tests.lab.switch import Switch
from tests.lab.until import until

pytestmark = pytest.mark.asterisk


async def test_a_phone_registers_with_digest_and_asterisk_knows_its_contact(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1001", "secret")
    await phone.register(expires_seconds=60)
    assert phone.is_registered
    assert phone.registered_until - world.clock.now() == pytest.approx(60, abs=2)
    assert f"sip:1001@{world.phones.agent.address[0]}" in await switch.cli("pjsip show aor 1001")


async def test_a_wrong_password_is_refused_with_a_sentence(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1001", "wrong")
    with pytest.raises(RegistrationError, match="1001: REGISTER answered 401"):
        await phone.register()
    assert not phone.is_registered


async def test_an_unregistered_phone_is_no_longer_known(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1002", "secret")
    await phone.register()
    await phone.unregister()
    assert not phone.is_registered
    assert "sip:1002@" not in await switch.cli("pjsip show aor 1002")


async def test_a_crashed_phone_becomes_unreachable_and_comes_back(switch: Switch, world: FarEnd) -> None:
    phone = world.phones.add("1001", "secret")
    await phone.register()

    async def state(wanted: str) -> bool:
        return any(
            wanted in line for line in (await switch.cli("pjsip show contacts")).splitlines() if "/sip:1001@" in line
        )

    await until(lambda: state("Avail"), 5, "the phone is qualified")
    phone.crash()
    call = world.phones.add("1002", "secret").dial("1001")
    [missed] = await until(lambda: world.log.of("1001"), 5, "the call to the dead phone")
    assert (missed.script, missed.trying_at) == ("crashed", None)
    call.hangup()
    await until(lambda: state("Unavail"), 5, "the dead phone is found out")
    phone.revive()
    await phone.register()
    await until(lambda: state("Avail"), 5, "the phone is back")


async def test_a_trunk_that_wants_credentials_gets_them(switch: Switch, world: FarEnd, place: Place) -> None:
    trunk = world.add_trunk((place.trunk, 5070))
    gate = trunk.require("centre", "trunk-secret")

    async def registered() -> (
        object
    ):  # Asterisk passes over the wish while its try at its start, at nobody, is under way
        await switch.cli("pjsip send register guarded")
        with suppress(TimeoutError):
            return await until(lambda: gate.registered, 2, "the registration")

    await until(registered, 40, "the registration")
    registration = gate.registered
    assert registration is not None
    assert (registration.user, registration.expires_seconds, gate.refused) == ("centre", 60, 0)
    await switch.cli(f"channel originate Local/{stays(1)}@guarded/n application Wait 20")
    call = await trunk.until_called(stays(1), 5)
    await call.until_answered(5)
    call.hangup()
    trunk.require("centre", "another")
    await switch.cli(f"channel originate Local/{stays(2)}@guarded/n application Wait 20")
    gate = trunk.agent.gate or gate
    await until(lambda: gate.refused == 1, 5, "the refusal")
    assert trunk.calls_to(stays(2)) == []
