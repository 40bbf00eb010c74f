"""Whatever is asked of the API in whatever form, it answers: no 5xx, and each refusal is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from contact_center.store.schema import upgrade
from tests.lab.postgres import Postgres
from tests.support.api_sweep import sweep
from tests.support.api_world import ApiWorld

REQUESTS = 3600


@pytest.mark.timeout(300)
async def test_no_generated_request_is_answered_by_a_5xx(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'callwright.db'}"
    upgrade(url)
    async with ApiWorld(url) as api:
        swept = await sweep(api, seed=5, count=REQUESTS)
        assert swept.bad == []
        assert swept.statuses.total() == REQUESTS
        for status in (200, 201, 403, 404, 409, 422):
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
            swept = await sweep(api, seed=77, count=REQUESTS // 2)
            assert swept.bad == []
            assert swept.statuses[200] > 100
    finally:
        server.remove()
