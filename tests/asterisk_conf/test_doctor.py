"""The doctor on a real Asterisk: each thing is broken by itself, named with its fix, and mended."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from asterisk_conf import bundle, secrets
from contact_center.errors import Unreachable
from contact_center.settings import Settings
from tests.asterisk_conf.doctor_tools import (
    Registrar,
    Schema,
    assert_healthy,
    broken,
    edit,
    edited,
    examine,
    health_page,
    listening,
    state,
    with_asterisk,
)
from tests.asterisk_conf.place import Place, stasis
from tests.lab.addresses import AddressBlock
from tests.lab.switch import Switch
from tests.lab.until import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Addresses of its own: the Asterisk of other modules may still run on theirs."""
    with AddressBlock() as block:
        yield Place.of(block)


@pytest.fixture(scope="module")
def settings(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    file = tmp_path_factory.mktemp("db") / "callwright.db"
    return place.settings(database={"url": f"sqlite:///{file}"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def patient(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Switch]:
    etc = tmp_path_factory.mktemp("etc")
    bundle.render(settings, etc)
    async with Switch("doctor", settings.asterisk.ami_host, etc) as switch:
        yield switch


async def test_a_healthy_system_has_nothing_to_mend_and_says_what_is_not_running(
    settings: Settings, patient: Switch
) -> None:
    findings = await examine(settings, patient)

    assert broken(findings) == set(), findings
    assert {name for name, finding in findings.items() if finding.ok is None} == {"settings", "application"}
    assert findings["application"].fix == "start `callwright serve`"


async def test_with_serve_running_every_line_is_green(settings: Settings, patient: Switch, tmp_path: Path) -> None:
    config = tmp_path / "callwright.toml"
    config.touch(0o640)
    async with stasis(settings), health_page(settings.http.bind), listening(settings.fastagi.bind):
        findings = await examine(settings, patient, config=config)

    assert [finding for finding in findings.values() if finding.ok is not True] == []


async def test_a_wrong_ari_password_is_named(settings: Settings, patient: Switch) -> None:
    wrong = with_asterisk(settings, ari_password=secrets.fresh())
    findings = await examine(wrong, patient)

    assert broken(findings) == {"ARI", "configuration"}
    assert "refuses the user callwright" in findings["ARI"].detail
    assert "asterisk.ari_user and ari_password must be those of ari.conf" in findings["ARI"].fix


async def test_a_wrong_ami_secret_is_named(settings: Settings, patient: Switch) -> None:
    findings = await examine(with_asterisk(settings, ami_secret=secrets.fresh()), patient)

    assert broken(findings) == {"AMI", "configuration"}
    assert "refuses the user callwright" in findings["AMI"].detail


async def test_asterisk_that_is_away_is_named_once_per_door(settings: Settings, patient: Switch) -> None:
    away = with_asterisk(settings, ari_url="http://127.63.255.1:8088/ari", ami_host="127.63.255.1")
    findings = await examine(away, patient)

    assert broken(findings) == {"ARI", "AMI", "configuration"}
    assert findings["ARI"].detail.endswith("cannot be reached: nothing listens there")
    assert "start Asterisk" in findings["ARI"].fix


async def test_asterisk_that_hangs_does_not_hang_the_doctor(settings: Settings, patient: Switch) -> None:
    patient.freeze()
    try:
        async with asyncio.timeout(20):
            findings = await examine(settings, patient)
    finally:
        patient.thaw()

    assert {"ARI", "AMI"} <= broken(findings)
    assert "no answer within 3 s" in findings["ARI"].detail
    assert "no answer in time" in findings["AMI"].detail


@pytest.mark.parametrize(
    ("module", "finding", "detail"),
    [
        ("app_amd.so", "modules", "app_amd.so (machine detection)"),
        ("res_ari_recordings.so", "modules", "res_ari_recordings.so (prompts and recordings)"),
        ("app_queue.so", "AMI rights", "lacks agent"),
    ],
)
async def test_a_module_that_is_not_running_is_named(
    settings: Settings, patient: Switch, module: str, finding: str, detail: str
) -> None:
    await patient.cli(f"module unload {module}")
    try:
        findings = await examine(settings, patient)
    finally:
        await patient.cli(f"module load {module}")

    assert {"modules", finding} <= broken(findings)
    assert detail in findings[finding].detail
    await assert_healthy(settings, patient)


async def test_sounds_that_cannot_be_played_are_named(settings: Settings, patient: Switch) -> None:
    await patient.cli("module unload format_gsm.so")
    try:
        findings = await examine(settings, patient)
    finally:
        await patient.cli("module load format_gsm.so")

    assert broken(findings) == {"sounds", "modules"}
    assert "goodbye" in findings["sounds"].detail
    assert "asterisk-core-sounds-en" in findings["sounds"].fix
    await patient.cli("sounds reload")
    await assert_healthy(settings, patient)


async def test_a_missing_directory_of_recordings_is_named(settings: Settings, patient: Switch) -> None:
    directory = patient.base / "spool" / "recording"
    directory.rmdir()
    findings = await examine(settings, patient)

    assert broken(findings) == {"recordings"}
    directory.mkdir()
    await assert_healthy(settings, patient)


async def test_a_trunk_without_an_endpoint_is_named(settings: Settings, patient: Switch, place: Place) -> None:
    trunks = {"main": {"host": place.trunk}, "spare": {"host": "127.63.255.9"}}
    more = Settings.model_validate(settings.model_dump() | {"trunk": trunks})
    findings = await examine(more, patient)

    assert broken(findings) == {"trunk spare", "configuration"}
    assert findings["trunk spare"].detail == "Asterisk has no endpoint callwright-trunk-spare"


async def test_missing_contexts_are_named(settings: Settings, patient: Switch) -> None:
    await patient.cli("dialplan remove context callwright-agent")
    findings = await examine(settings, patient)

    assert broken(findings) == {"dialplan"}
    assert findings["dialplan"].detail == "not there: callwright-agent"
    await patient.cli("dialplan reload")
    await assert_healthy(settings, patient)


async def test_a_dialplan_that_leads_elsewhere_is_named(settings: Settings, patient: Switch) -> None:
    findings = await examine(with_asterisk(settings, app="other"), patient)
    assert findings["dialplan"].detail == "calls do not go to the application other"

    moved = settings.model_copy(update={"fastagi": settings.fastagi.model_copy(update={"bind": "127.63.255.1:4573"})})
    findings = await examine(moved, patient)
    assert findings["dialplan"].detail == "the agents' codes do not go to 127.63.255.1:4573"


@pytest.mark.parametrize(
    ("old", "new", "detail"),
    [
        ("write = agent,reporting", "write = reporting", "lacks agent"),
        ("write = agent,reporting", "write = agent", "lacks reporting"),
        ("read = system", "read = log", "lacks system (read)"),
        ("write = agent,reporting", "write = agent,reporting,originate,command", "Originate, Command"),
        ("write = agent,reporting", "write = all", "Originate, Command, UpdateConfig"),
    ],
)
async def test_ami_rights_that_are_too_few_or_too_many_are_named(
    settings: Settings, patient: Switch, old: str, new: str, detail: str
) -> None:
    async with edited(patient, "callwright/manager.conf", old, new, "manager reload"):
        findings = await examine(settings, patient)

    assert "AMI rights" in broken(findings)
    assert detail in findings["AMI rights"].detail
    assert "write = agent,reporting" in findings["AMI rights"].fix
    await assert_healthy(settings, patient)


async def test_an_ari_user_that_may_only_read_is_named(settings: Settings, patient: Switch) -> None:
    async with edited(patient, "callwright/ari.conf", "read_only = no", "read_only = yes", "module reload res_ari.so"):
        findings = await examine(settings, patient)

    assert "phones" in broken(findings)
    assert findings["phones"].detail == "the ARI user may only read"
    await assert_healthy(settings, patient)


async def test_accounts_that_can_not_be_added_are_named(settings: Settings, patient: Switch) -> None:
    given = patient._given / "callwright" / "sorcery.conf"
    before = given.read_text()
    given.write_text(re.sub(r"(?m)^auth.*\n", "", before))
    await patient.restart()
    try:
        findings = await examine(settings, patient)
    finally:
        given.write_text(before)
        await patient.restart()

    assert broken(findings) == {"phones", "configuration"}
    assert "accounts cannot be added" in findings["phones"].detail
    await assert_healthy(settings, patient)


async def test_too_few_open_files_are_named(settings: Settings, patient: Switch) -> None:
    given = patient._given / "asterisk.conf"
    before = given.read_text()
    edit(given, "maxfiles = 65536", "maxfiles = 1024")
    await patient.restart()
    try:
        findings = await examine(settings, patient)
    finally:
        given.write_text(before)
        await patient.restart()

    assert broken(findings) == {"open files"}
    assert findings["open files"].detail == "Asterisk may open 1024 files, enough for 128 calls"
    await assert_healthy(settings, patient)


async def test_doors_open_to_all_addresses_are_named(
    settings: Settings, patient: Switch, unused_port: Callable[[], int]
) -> None:
    at, http_port, ami_port = settings.asterisk.ami_host, unused_port(), unused_port()
    moved = with_asterisk(settings, ari_url=f"http://{at}:{http_port}/ari", ami_port=ami_port)
    http = "bindport = 8088", f"bindport = {http_port}\nbindaddr = 0.0.0.0"
    ami = "port = 5038", f"port = {ami_port}\nbindaddr = 0.0.0.0"
    async with (
        edited(patient, "callwright/http.conf", *http, "module reload http"),
        edited(patient, "callwright/manager-general.conf", *ami, "manager reload"),
    ):
        findings = await examine(moved, patient)

    assert broken(findings) == {"loopback", "configuration"}
    assert f"ARI listens on all addresses, port {http_port}" in findings["loopback"].detail
    assert f"AMI listens on all addresses, port {ami_port}" in findings["loopback"].detail
    assert findings["loopback"].fix.startswith("set bindaddr = 127.0.0.1 in http.conf, manager.conf")
    await assert_healthy(settings, patient)


@pytest.fixture
def unused_port() -> Callable[[], int]:
    def choose() -> int:
        with socket.socket() as probe:
            probe.bind(("0.0.0.0", 0))
            port: int = probe.getsockname()[1]
            return port

    return choose


async def test_ports_that_others_have_are_named(settings: Settings, patient: Switch) -> None:
    async with listening(settings.fastagi.bind), listening(settings.http.bind):
        findings = await examine(settings, patient)

    assert broken(findings) == {"FastAGI", "HTTP"}
    assert "another program has" in findings["FastAGI"].detail
    assert "set http.bind to another port" in findings["HTTP"].fix
    await assert_healthy(settings, patient)


async def test_a_serve_whose_ports_do_not_answer_is_named(settings: Settings, patient: Switch) -> None:
    async with stasis(settings):
        findings = await examine(settings, patient)

    assert broken(findings) == {"FastAGI", "HTTP"}
    assert findings["FastAGI"].fix == "restart `callwright serve`"


async def test_a_database_that_is_away_or_behind_is_named(settings: Settings, patient: Switch) -> None:
    def away(url: str) -> Schema:
        raise Unreachable("database: it does not answer; start it.")

    findings = await examine(settings, patient, schema=away)
    assert broken(findings) == {"database"}
    assert findings["database"].detail == "database: it does not answer; start it."

    findings = await examine(settings, patient, schema=lambda url: Schema("0001"))
    assert findings["database"].detail == "the schema is at 0001, 0002 is wanted"
    assert findings["database"].fix == "run `callwright db upgrade`"

    findings = await examine(settings, patient, schema=lambda url: Schema(None))
    assert findings["database"].detail == "the schema is empty, 0002 is wanted"


async def test_a_settings_file_everybody_can_read_is_named(settings: Settings, patient: Switch, tmp_path: Path) -> None:
    config = tmp_path / "callwright.toml"
    config.touch()
    config.chmod(0o644)
    findings = await examine(settings, patient, config=config)

    assert broken(findings) == {"settings"}
    assert findings["settings"].fix == f"chmod 640 {config}"
    config.chmod(0o640)
    assert (await examine(settings, patient, config=config))["settings"].ok


async def test_known_passwords_are_named(settings: Settings, patient: Switch) -> None:
    findings = await examine(with_asterisk(settings, ari_password="asterisk", ami_secret="amp111"), patient)

    detail = findings["passwords"].detail
    assert "asterisk.ari_password is a password everybody knows" in detail
    assert "asterisk.ami_secret is a password everybody knows" in detail
    assert "passwords" in broken(findings)


async def test_drift_and_open_doors_in_the_files_are_named(settings: Settings, patient: Switch) -> None:
    (patient.etc / "callwright" / "extensions.conf").unlink()
    edit(patient.etc / "asterisk.conf", "live_dangerously = no", "live_dangerously = yes")
    with (patient.etc / "manager.conf").open("a") as file:
        file.write("[admin]\nsecret = amp111\n")
    findings = await examine(settings, patient)
    patient.refresh()

    assert broken(findings) == {"configuration", "open doors"}
    assert "callwright/extensions.conf is missing" in findings["configuration"].detail
    assert "manager.conf [admin] secret is a password everybody knows" in findings["open doors"].detail
    assert "asterisk.conf [options] live_dangerously = yes" in findings["open doors"].detail
    await assert_healthy(settings, patient)


async def test_a_database_folder_that_is_gone_is_named(settings: Settings, patient: Switch, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    moved = settings.model_copy(
        update={"database": settings.database.model_copy(update={"url": f"sqlite:///{folder}/c.db"})}
    )
    assert (await examine(moved, patient))["database folder"].ok
    shutil.rmtree(folder)
    assert broken(await examine(moved, patient)) == {"database folder"}


async def test_a_registration_the_carrier_refuses_or_ignores_is_named(
    settings: Settings, patient: Switch, place: Place
) -> None:
    trunk = {"host": place.trunk, "port": 5090, "username": "u", "password": "p", "register": True}
    registering = Settings.model_validate(settings.model_dump(by_alias=True) | {"trunk": {"main": trunk}})
    transport, carrier = await asyncio.get_running_loop().create_datagram_endpoint(
        Registrar, local_addr=(place.trunk, 5090)
    )
    bundle.render(registering, patient._given)
    patient.refresh()
    await patient.cli("module reload res_pjsip.so")
    await patient.cli("module reload res_pjsip_outbound_registration.so")
    try:
        await until(lambda: carrier.seen, 5, "REGISTER")
        findings = await examine(registering, patient)
        assert findings["registration main"].detail == "unregistered: the carrier has not answered"
        assert broken(findings) == set()

        carrier.code = 403
        await state(patient, "Rejected")
        findings = await examine(registering, patient)
        assert broken(findings) == {"registration main"}, findings["registration main"]
        assert "compare username and password of [trunk.main]" in findings["registration main"].fix

        carrier.code = 200
        await state(patient, "Registered")
        assert (await examine(registering, patient))["registration main"].ok
    finally:
        transport.close()
        bundle.render(settings, patient._given)
        await patient.restart()
