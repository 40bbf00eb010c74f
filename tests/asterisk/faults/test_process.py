"""`serve` stands still, is started twice, or meets a row that makes no sense; Asterisk is not there, or goes away
in good order. Rows A5 to A7, C2 and C3 of the matrix.
"""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from tests.asterisk.faults.fault import part, survived
from tests.lab.centre import Centre
from tests.lab.farend.numbers import refuses, talks
from tests.lab.faults import ProxiedCentre
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.crash import frozen_round
from tests.prove.losses import begun
from tests.prove.scene import customers, left_over, stand, talking
from tests.prove.story import Outage, Story

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


async def test_a_serve_that_stands_still_for_a_while_goes_on_where_the_calls_are(proxied: ProxiedCentre):
    assert (await frozen_round(proxied, 0, seconds=4.0, leads=8)).failures == []


async def test_a_second_serve_on_the_same_database_is_refused_and_the_first_goes_on(proxied: ProxiedCentre):
    async def second() -> None:
        for _ in range(2):
            answer = await proxied.run("serve")
            assert answer.code != 0
            assert "already runs on this database" in answer.err
            assert "Traceback" not in answer.err
            assert len(answer.err.strip().splitlines()) == 1

    failures, _ = await survived(proxied, "twice", 1000, second, leads=8)
    assert failures == []


async def test_a_campaign_whose_settings_make_no_sense_harms_no_other_and_no_start(proxied: ProxiedCentre):
    await stand(proxied, 4)
    await proxied.add_campaign("senseless", [refuses(486, 1100)], team="proof")
    file = proxied.settings.database.url.removeprefix("sqlite:///")
    with sqlite3.connect(file, timeout=5) as database:
        database.execute("UPDATE campaign SET options = '{\"ring_seconds\": \"never\"}', state = 'running' "
                         "WHERE name = 'senseless'")  # fmt: skip

    async def restart() -> None:
        proxied.serve.kill()
        await proxied.serve.ended()
        await proxied.serve.start()

    failures, _ = await survived(proxied, "sensible", 1100, restart, leads=8)
    assert failures == []
    assert "a campaign is left out" in proxied.serve.log.read_text()


async def test_a_serve_that_is_there_before_asterisk_waits_for_it(proxied: ProxiedCentre):
    (await stand(proxied, 4)).close()
    await proxied.serve.stop()
    await proxied.switch.stop()
    begin = len(proxied.serve.log.read_text())
    try:
        await proxied.serve.start(ready=False)

        async def says_so() -> bool:
            return await proxied.http_status("/health/ready") == 503

        await until(says_so, 10.0, "readiness to say no")
        assert not (await part(proxied, "ari"))["ok"]
        await asyncio.sleep(3.0)
        assert await proxied.http_status("/health/live") == 200
        assert proxied.serve.log.read_text()[begin:].count("no connection to Asterisk") == 1
    finally:
        await proxied.switch.start()
        await proxied.serve.until_ready(10.0)
        for phone in proxied.far.phones:
            await phone.register()
    failures, _ = await survived(proxied, "waited", 1200, lambda: asyncio.sleep(0), leads=8)
    assert failures == []


@pytest.mark.parametrize("what", ["res_pjsip.so", "res_ari.so", ""])
async def test_a_reload_of_asterisk_costs_no_call(proxied: ProxiedCentre, what: str):
    async def reload() -> None:
        await proxied.switch.cli(f"module reload {what}".strip())

    name = what.partition(".")[0] or "all"
    failures, _ = await survived(proxied, f"reload-{name}", 1300 + len(what) * 20, reload, leads=8)
    assert failures == []


async def test_an_asterisk_that_is_stopped_gracefully_keeps_its_talks_and_burns_no_lead(proxied: ProxiedCentre):
    books = await stand(proxied, 4)
    numbers = [*(talks(5.0, 1400 + n, ring=0.5) for n in range(4)), *(talks(1.0, 1410 + n, ring=0.5) for n in range(6))]
    await begun(proxied, "graceful", numbers, retry_technical="1s")
    story = Story(proxied, "graceful", numbers, 2)
    began, pairs = proxied.far.clock.now(), talking(proxied)
    assert pairs
    await proxied.switch.cli("core stop gracefully")
    await until(lambda: not proxied.switch.is_running, 20.0, "Asterisk to end")
    assert [r.party for r in pairs if r.ended_by != "party"] == []
    await proxied.switch.start()
    for phone in proxied.far.phones:
        await phone.register()
    await proxied.serve.until_ready(10.0)
    story.outages.append(Outage(began, proxied.far.clock.now()))
    await books.until_finished("graceful", 60.0)
    assert await left_over(proxied, books) == []
    assert story.faults(books) == []
    assert _not_reached(proxied, numbers, books) == []
    books.close()


def _not_reached(centre: Centre, numbers: list[str], books: Books) -> list[str]:
    answered = {r.party for r in customers(centre, numbers) if r.answered}
    return [f"{lead.number}: {lead.disposition}" for lead in books.leads("graceful") if lead.number not in answered]
