"""Whatever is asked of the API in whatever form, it answers: no 5xx, and each refusal is one sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contact_center.store.admin import By
from contact_center.store.admin_queues import add_queue
from contact_center.store.engine import writing
from contact_center.store.schema import upgrade
from tests.lab.postgres import Postgres
from tests.support.api_sweep import sweep
from tests.support.api_world import ApiWorld
from tests.unit.http.stored import show_lead, store_call, store_callback

REQUESTS = 4800


async def furnish(api: ApiWorld) -> None:
    """What requests are about: calls up and over, callbacks that wait, a lead that agent 1002 is shown."""
    with writing(api.engine) as session:
        add_queue(session, By("test", datetime.now(UTC)), "support", {})
    for n in range(3):
        campaign = ("spring", "secret")[n == 1]
        lead = (await api.push(f"+44742190000{n}", campaign)).json["id"]
        store_call(api, lead, campaign, up=n < 2)
    for n in range(40):
        store_callback(api, n, number=f"+4474219001{n:02}")
    show_lead(api, "1002", 2, "+447421900001", seconds=3600.0)


@pytest.mark.timeout(300)
async def test_no_generated_request_is_answered_by_a_5xx(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'callwright.db'}"
    upgrade(url)
    async with ApiWorld(url) as api:
        await furnish(api)
        swept = await sweep(api, seed=5, count=REQUESTS)
        assert swept.bad == []
        assert swept.statuses.total() == REQUESTS
        for status in (200, 201, 202, 403, 404, 409, 422):
            assert swept.statuses[status] > 5, swept.statuses
        assert api.writer.healthy
        assert api.desk.streams == 0


@pytest.mark.timeout(300)
async def test_nor_on_postgresql() -> None:
    server = Postgres()
    try:
        server.start()
        url = server.url()
        upgrade(url)
        async with ApiWorld(url) as api:
            await furnish(api)
            swept = await sweep(api, seed=77, count=REQUESTS // 2)
            assert swept.bad == []
            assert swept.statuses[200] > 100
    finally:
        server.remove()
