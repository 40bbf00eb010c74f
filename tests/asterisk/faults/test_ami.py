"""AMI as `serve` has it, by way of a proxy: cut, half open, refused, full, torn, slow. Rows D of the matrix.

No call needs AMI: each campaign here goes through whatever happens to it. `queue_log` is Asterisk's own file.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import aiohttp
import pytest

from tests.asterisk.faults.fault import AGENTS, part, survived
from tests.lab.faults import Mode, ProxiedCentre
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.scene import stand

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

FOUND_SECONDS = 15.0
BACK_SECONDS = 15.0
MOST_FLOODS = 40


async def until_ami(centre: ProxiedCentre, ok: bool, deadline: float) -> str:
    """Wait until readiness says so of AMI; its words. AMI is not needed to be ready."""
    said: dict[str, object] = {}

    async def so() -> bool:
        said.update(await part(centre, "ami"))
        return said["ok"] is ok

    await until(so, deadline, f"AMI to be {'live' if ok else 'in doubt'}")
    return str(said["why"])


def records(centre: ProxiedCentre, campaign: str) -> Counter[tuple[str, str]]:
    """How often each (call, event) stands in Asterisk's queue_log for a campaign."""
    lines = (centre.switch.base / "log" / "queue_log").read_text(errors="replace").splitlines()
    rows = [line.split("|") for line in lines]
    return Counter((row[1], row[4]) for row in rows if len(row) > 4 and row[2] == campaign)


async def test_records_under_way_when_the_connection_is_cut_are_written_once_at_most(proxied: ProxiedCentre):
    async def cuts() -> None:
        for _ in range(4):
            proxied.ami.mode = Mode.DROP  # what was sent is obeyed or not; no answer comes
            await asyncio.sleep(0.3)
            proxied.ami.mode = Mode.PASS
            proxied.ami.cut()
            await until_ami(proxied, True, BACK_SECONDS)

    failures, _ = await survived(proxied, "cuts", 2000, cuts, leads=14)
    assert failures == []
    await until_ami(proxied, True, BACK_SECONDS)
    seen = records(proxied, "cuts")
    assert seen
    assert {key: count for key, count in seen.items() if count > 1} == {}


async def test_a_half_open_connection_is_found_within_15_seconds_and_no_call_waits_for_it(proxied: ProxiedCentre):
    async def black_hole() -> None:
        proxied.ami.mode = Mode.DROP
        why = await until_ami(proxied, False, FOUND_SECONDS)
        assert "ping" in why or "no answer" in why
        assert await proxied.http_status("/health/ready") == 200
        proxied.ami.mode = Mode.PASS
        await until_ami(proxied, True, BACK_SECONDS)

    failures, story = await survived(proxied, "half-open", 2100, black_hole, leads=24)
    assert failures == []
    assert len(story.talks()) >= 10


async def test_a_password_that_is_refused_is_said_and_not_repeated_in_haste(proxied: ProxiedCentre):
    secret = proxied.direct.asterisk.ami_secret
    files = [f for f in proxied.switch.etc.rglob("*.conf") if secret in f.read_text()]
    assert files

    async def refused() -> None:
        try:
            for file in files:
                file.write_text(file.read_text().replace(secret, "another-secret-altogether"))
            await proxied.switch.cli("manager reload")
            before = proxied.ami.accepted
            proxied.ami.cut()
            assert "refuses the AMI user" in await until_why(proxied, "refuses the AMI user")
            await asyncio.sleep(6.0)
            assert proxied.ami.accepted - before <= 4
            assert await proxied.http_status("/health/ready") == 200
        finally:
            for file in files:
                file.write_text(file.read_text().replace("another-secret-altogether", secret))
            await proxied.switch.cli("manager reload")
        await until_ami(proxied, True, BACK_SECONDS)

    failures, _ = await survived(proxied, "refused", 2200, refused, leads=14)
    assert failures == []


async def until_why(centre: ProxiedCentre, words: str) -> str:
    async def said() -> str:
        why = str((await part(centre, "ami"))["why"])
        return why if words in why else ""

    return await until(said, FOUND_SECONDS, f"AMI's status to hold {words!r}")


async def test_idle_sockets_that_use_up_the_logins_are_told_and_calls_go_on(proxied: ProxiedCentre):
    async def full() -> None:
        idle = [await asyncio.open_connection(proxied.asterisk_at, 5038) for _ in range(55)]
        try:
            proxied.ami.cut()
            await until_ami(proxied, False, 5.0)
            assert await proxied.http_status("/health/ready") == 200
        finally:
            for _, writer in idle:
                writer.close()
        await until_ami(proxied, True, BACK_SECONDS)

    failures, _ = await survived(proxied, "idle", 2300, full, leads=14)
    assert failures == []


async def test_characters_torn_between_segments_stay_whole_and_every_record_comes_once(proxied: ProxiedCentre):
    proxied.ami.torn_bytes = 3
    (await stand(proxied, AGENTS)).close()
    proxied.ami.cut()
    await until_ami(proxied, True, BACK_SECONDS)

    async def torn() -> None:
        await proxied.cli("agent", "pause", "1001", "--reason", "Zoë, Käse und Brötchen", as_json=False)
        await proxied.obeyed()
        await proxied.cli("agent", "unpause", "1001", as_json=False)

    failures, _ = await survived(proxied, "torn", 2400, torn, leads=14)
    proxied.ami.torn_bytes = 0
    assert failures == []
    assert await until_ami(proxied, True, BACK_SECONDS) == "live"
    assert set(records(proxied, "torn").values()) == {1}
    assert "Zoë, Käse und Brötchen" in (proxied.switch.base / "log" / "queue_log").read_text()
    bad = [key for key in records(proxied, "torn") if not re.fullmatch(r"[\w.-]+", key[0])]
    assert bad == []


async def test_a_reader_that_asterisk_finds_too_slow_is_cut_and_takes_stock_anew(proxied: ProxiedCentre):
    proxied.ami.window_bytes = 2048
    (await stand(proxied, AGENTS)).close()
    proxied.ami.cut()
    await until_ami(proxied, True, BACK_SECONDS)
    phone = next(iter(proxied.far.phones))
    books = Books(proxied)

    async def slow() -> None:
        accepted = proxied.ami.accepted  # the program may give the silent line up before the flood is over
        proxied.ami.mode = Mode.DROP
        for _ in range(MOST_FLOODS):  # until it is more than the sockets take in and Asterisk has had enough
            await _flood(proxied, 5_000)
            if proxied.settings.asterisk.ami_user not in await proxied.switch.cli("manager show connected"):
                break
        await phone.unregister()
        proxied.ami.mode = Mode.PASS
        await until(lambda: proxied.ami.accepted > accepted, BACK_SECONDS, "a new connection")
        await until_ami(proxied, True, BACK_SECONDS)
        # where the proxy swallowed the end, the program finds the line half open first
        within = FOUND_SECONDS + BACK_SECONDS
        await until(lambda: "unreachable" in books.agents().values(), within, "the phone that left to be known")
        await phone.register()

    failures, _ = await survived(proxied, "slow", 2500, slow, leads=14)
    books.close()
    proxied.ami.window_bytes = 0
    assert failures == []


async def _flood(centre: ProxiedCentre, count: int) -> None:
    """Reloads of a small module, one after the other; AMI tells every listener of each."""
    asterisk = centre.direct.asterisk
    headers = {"Authorization": aiohttp.encode_basic_auth(asterisk.ari_user, asterisk.ari_password)}
    url = f"{asterisk.ari_url}/asterisk/modules/app_playback.so"
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(count):
            async with session.put(url) as said:
                assert said.status == 204
