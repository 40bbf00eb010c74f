"""What the doctor judges by itself, without an Asterisk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from asterisk_conf.doctor import ari, host, manager
from contact_center.settings import Settings
from tests.asterisk_conf.place import Place

PLACE = Place("127.63.1.1", "127.63.1.2", "127.63.1.3")


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", True),
        ("22.11.0", True),
        ("23.0.0", True),
        ("22.10.0", None),
        ("22.5.2", None),
        ("certified-22.8-cert2", None),
        ("21.12.0", False),
        ("20.9.3", False),
        ("GIT-master-0123abc", None),
        ("", None),
    ],
)
def test_versions_are_judged_by_their_numbers(text: str, ok: bool | None) -> None:
    finding = ari.judge_version(text)

    assert finding.ok is ok
    assert bool(finding.fix) is (ok is not True)


def test_a_clock_that_is_off_is_named() -> None:
    assert manager.judge_clock(1000.0, 1001.5).ok
    finding = manager.judge_clock(1000.0, 1090.0)
    assert finding.ok is False
    assert "90 s" in finding.detail


def test_a_database_on_a_network_file_system_is_named(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nnas:/x /srv nfs4 rw 0 0\n/dev/sdb1 /srv/my\\040disk xfs rw 0 0\n")

    def judged(path: str) -> bool | None:
        finding = host.database_disk(PLACE.settings(database={"url": f"sqlite:///{path}"}), mounts)
        assert finding is not None
        return finding.ok

    assert judged("/var/lib/callwright.db") is True
    assert judged("/srv/callwright.db") is False
    assert judged("/srv/my disk/callwright.db") is True
    assert judged("/srvother/callwright.db") is True
    server = PLACE.settings(database={"url": "postgresql+psycopg://u:p@h/n"})
    assert host.database_disk(server, mounts) is None


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    settings = PLACE.settings(database={"url": f"sqlite:///{tmp_path}/c.db"})

    assert host.disk_space(settings, least=1).ok
    assert host.disk_space(settings, least=1 << 62).ok is False


def test_a_zone_without_data_is_named() -> None:
    settings = PLACE.settings()
    lost = settings.model_copy(update={"site": settings.site.model_copy(update={"timezone": "Atlantis/Main"})})

    assert host.time_zone(settings).ok
    assert host.time_zone(lost).ok is False


def test_only_listeners_on_every_address_count_as_open(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st\n"
    table = tmp_path / "tcp"
    table.write_text(
        head
        + "   0: 0100007F:1F98 00000000:0000 0A\n"  # 127.0.0.1:8088 listens
        + "   1: 00000000:13AE 00000000:0000 0A\n"  # 0.0.0.0:5038 listens
        + "   2: 00000000:1F98 00000000:0000 01\n"  # 0.0.0.0:8088, not listening
    )
    six = tmp_path / "tcp6"
    six.write_text(head + f"   0: {'0' * 32}:1F99 {'0' * 32}:0000 0A\n")

    assert host.bound_to_all(table.read_text()) == {5038}
    assert host.bound_to_all(six.read_text()) == {8089}
    settings = Settings()
    finding = host.listens_on_loopback(settings, (table, six))
    assert finding.ok is False
    assert finding.detail == "AMI listens on all addresses, port 5038"
    assert host.listens_on_loopback(settings, (tmp_path / "none",)).ok is None


async def test_a_socket_that_never_answers_requests_is_named(free_place: Place) -> None:
    async def events(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            await socket.send_json({"type": "ChannelVarset"})
        return socket

    app = web.Application()
    app.router.add_get("/ari/events", events)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, free_place.at, 8088).start()
    try:
        async with asyncio.timeout(10), ari.AriProbe(free_place.settings()) as probe:
            finding = await ari.rest_over_websocket(probe)
    finally:
        await runner.cleanup()

    assert finding.ok is False
    assert finding.fix == "install Asterisk 22.10.1 or newer"
