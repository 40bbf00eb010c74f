"""Debian's stock configuration with the product installed into it, on a real Asterisk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from asterisk_conf import accounts, install, secrets
from tests.asterisk_conf.place import Place, ari, stasis
from tests.lab.addresses import AddressBlock
from tests.lab.provision import provide
from tests.lab.switch import Switch

pytestmark = pytest.mark.asterisk


def stock(to: Path, at: str) -> Path:
    """A copy of the stock files; the protocols nobody needs here listen on an address of our own."""
    root = provide().root or Path("/")
    shutil.copytree(root / "etc/asterisk", to)
    for name in ("iax.conf", "dundi.conf", "unistim.conf"):
        (to / name).write_text(f"[general]\nbindaddr={at}\n")
    return to


async def test_the_stock_configuration_works_before_with_and_after_the_product(tmp_path: Path) -> None:
    with AddressBlock() as block:
        place = Place.of(block)
        settings = place.settings()
        etc = stock(tmp_path / "asterisk", place.at)
        before = {file: file.read_bytes() for file in etc.rglob("*") if file.is_file()}
        install.apply(install.plan(etc, settings))
        assert install.plan(etc, settings).changes == ()

        async with Switch("stock", place.at, etc) as switch:
            assert (await ari(settings, "GET", "asterisk/info"))[0] == 200
            for context in ("callwright-inbound", "callwright-agent", "callwright-amd"):
                assert f"Context '{context}' created by 'pbx_config'" in await switch.cli(f"dialplan show {context}")
            assert (await ari(settings, "GET", "endpoints/PJSIP/callwright-trunk-main"))[0] == 200
            assert f"{place.at}:5060" in await switch.cli("pjsip show transports")
            assert "callwright" in await switch.cli("manager show users")

            async with place.far_end(tmp_path / "calls.jsonl") as world:
                password = secrets.fresh()
                for thing in accounts.account_objects("1001", "Ann", "1001", password, settings):
                    fields = [{"attribute": key, "value": value} for key, value in thing.fields.items()]
                    path = f"asterisk/config/dynamic/{thing.config_class}/{thing.object_type}/{thing.id}"
                    assert (await ari(settings, "PUT", path, {"fields": fields}))[0] == 200
                phone = world.phones.add("1001", password)
                await phone.register()
                async with stasis(settings) as application:
                    caller = world.trunk.call("+442079460123", "+447700900123")
                    assert (await application.entered())["args"][0] == "inbound"
                    caller.hangup()
                    await caller.until_over(3)
                    call = phone.dial("*48")
                    assert (await application.entered())["args"] == ["persistent", "1001"]
                    call.hangup()
                    await call.until_over(3)

        install.finish_uninstall(install.uninstall(etc))
        assert {file: file.read_bytes() for file in etc.rglob("*") if file.is_file()} == before
