"""Promised calls and ends of leads, pushed and said of calls by the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contact_center.clock import iso
from tests.support.api_world import ApiWorld

NUMBER = "+447421000001"


def soon(hours: int) -> str:
    return str(iso((datetime.now(UTC) + timedelta(hours=hours)).replace(microsecond=0)))


async def test_a_lead_is_pushed_with_the_call_that_was_promised_and_its_end(api: ApiWorld) -> None:
    at, end = soon(24), soon(48)
    body = {"number": NUMBER, "callback_at": at, "callback_agent": "1001", "expires_at": end}
    lead = (await api.post("/v1/campaigns/spring/leads", body)).json
    assert (lead["state"], lead["callback_at"], lead["callback_agent"], lead["expires_at"]) == ("due", at, "1001", end)
    many = {"leads": [{"number": "+447421000002", "callback_at": at}, {"number": NUMBER, "callback_at": "2020-01-01"}]}
    pushed = (await api.post("/v1/campaigns/spring/leads", many)).json
    assert (pushed["imported"], pushed["rejected"]) == (1, 1)
    assert "is past" in str(pushed["rejects"])
    found = (await api.get(f"/v1/leads/{pushed['leads'][0]}")).json
    assert (found["next_attempt_at"], found["callback_agent"]) == (at, None)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"callback_at": "2020-01-01"}, "is past"),
        ({"fields": {"callback_at": "15:00"}}, "callback_at stands beside fields"),
        ({"fields": {"next_attempt_at": "15:00"}}, "next_attempt_at is not set by hand"),
    ],
)
async def test_a_time_that_cannot_be_is_refused(api: ApiWorld, more: dict[str, object], told: str) -> None:
    reply = await api.post("/v1/campaigns/spring/leads", {"number": NUMBER, **more})
    assert reply.status in (400, 422)
    assert told in reply.error
