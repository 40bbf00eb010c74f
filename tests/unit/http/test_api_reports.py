"""Reports by the API: the command line's documents, as JSON and as CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from contact_center.law.abandonment import Stretch
from contact_center.law.chain import verify
from contact_center.models import Agent, Attempt, Call, Campaign, Rating
from contact_center.models_telling import CallMatch
from contact_center.store.admin import By
from contact_center.store.admin_queues import add_queue
from contact_center.store.engine import reading, writing
from contact_center.store.evidence_seal import sealed_ends
from contact_center.store.queries import find_campaign
from contact_center.store.ratings import add_group, add_option, rate_call
from contact_center.store.report_campaign import campaign_report
from contact_center.store.report_hours import hours_report
from contact_center.store.report_matching import matching_report
from contact_center.store.report_ratings import goals_report, ratings_report
from contact_center.store.tables import table_of
from tests.support.api_world import ApiWorld
from tests.unit.http.stored import NUMBER, store_call

NEW = ("campaign", "hours", "amd", "ratings", "goals", "matching")
ALL = (*NEW, "queues", "agents", "abandonment")
FORMULA = "=HYPERLINK(1)"


def url(report: str) -> str:
    return f"/v1/reports/{report}"


async def rows(api: ApiWorld, report: str, **query: Any) -> list[dict[str, str]]:
    reply = await api.get(url(report), role="read", query={"format": "csv", **query})
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "text/csv")
    assert reply.headers["content-disposition"] == f'attachment; filename="{report}.csv"'
    assert reply.headers["cache-control"] == "no-store"
    return list(csv.DictReader(io.StringIO(reply.body.decode(), newline="")))


async def set_up(api: ApiWorld) -> str:
    """A call of a campaign, judged to be a person's, rated as a sale that reaches a goal, and matched to a visitor."""
    by = By("test", datetime.now(UTC))
    lead = (await api.push(NUMBER)).json["id"]
    call_id = store_call(api, lead, "spring")
    with writing(api.engine) as session:
        add_group(session, by, "sales", speech=True)
        add_option(session, by, "sales", "1", "Sale", asks_value=False, goal="bought")
        add_queue(session, by, "support", {"rating_group": "sales", "source": "print"})
        call = session.get_one(Call, call_id)
        call.queue, call.call_state, call.talk_seconds = "support", "NORMAL_CLEARING_A", 20.0
        call.record = {"amd": {"status": "HUMAN", "seconds": 0.9}}
        attempt = session.query(Attempt).one()
        attempt.outcome, attempt.answered_at, attempt.connected_at, attempt.ended_at = "connected", by.at, by.at, by.at
        session.flush()
        rate_call(session, by, call_id, "Sale", None, source="cli")
        session.add(
            CallMatch(
                call_id=call_id, at=by.at, did="1", pool="shop", source="adwords", matched=True, offline=False,
                context_id="ann", usable=True,
            )
        )  # fmt: skip
    return call_id


async def test_the_documents_are_those_of_the_command_line(api: ApiWorld) -> None:
    await set_up(api)
    now, zone = datetime.now(UTC), api.settings.site.timezone
    since, until = now - timedelta(days=2), now + timedelta(seconds=1)
    query = {"from": since.isoformat(), "to": until.isoformat()}
    with reading(api.engine) as session:
        spring = find_campaign(session, "spring")
        wanted = {
            "ratings": ratings_report(session, since, until),
            "goals": goals_report(session, since, until),
            "matching": matching_report(session, since, until),
            "hours": hours_report(session, spring, Stretch("", since, until), now, zone),
            "campaign": [campaign_report(session, spring, Stretch("", since, until), now, zone)],
        }
    for report, document in wanted.items():
        more = {"campaign": "spring"} if report in ("hours", "campaign") else {}
        found = (await api.get(url(report), role="read", query={**query, **more})).json
        assert _without_ends(found) == _without_ends(document), report
    assert wanted["goals"]["goals"][0]["goal"] == "bought"
    assert (wanted["matching"]["matched"], wanted["ratings"]["channels"][0]["channel"]) == (1, "adwords")
    [judged] = (await api.get(url("amd"), query={"campaign": "spring"})).json
    assert (judged["campaign"], judged["judged"], judged["humans"], judged["handled_by_agents"]) == ("spring", 1, 1, 1)


def _without_ends(value: Any) -> Any:
    """The end of a stretch is now at the latest, which is another one for each who asks."""
    if isinstance(value, dict):
        return {k: _without_ends(v) for k, v in value.items() if k != "until_at"}
    return [_without_ends(item) for item in value] if isinstance(value, list) else value


async def test_as_csv_they_are_the_command_lines_sheets(api: ApiWorld) -> None:
    call_id = await set_up(api)
    campaigns = await rows(api, "campaign")
    assert [row["campaign"] for row in campaigns] == ["secret", "spring"]
    assert (campaigns[1]["dials"], campaigns[1]["leads_loaded"], campaigns[1]["outcome_connected"]) == ("1", "1", "1")
    hours = await rows(api, "hours", campaign="spring")
    assert (len(hours), sum(int(row["dials"]) for row in hours)) == (24, 1)
    [dialled] = await rows(api, "hours", by="weekday")
    assert (dialled["dials"], list(dialled)[:2]) == ("1", ["weekday", "hour"])
    assert [(row["campaign"], row["humans"]) for row in await rows(api, "amd")] == [("secret", "0"), ("spring", "1")]
    assert await rows(api, "ratings") == [{"channel": "adwords", "option": "Sale", "count": "1", "value": "0.00"}]
    assert [row["agent"] for row in await rows(api, "ratings", by="habit")] == ["Ann Lee"]
    assert [(row["goal"], row["call_id"], row["context_id"]) for row in await rows(api, "goals")] == [
        ("bought", call_id, "ann")
    ]
    assert [(row["of"], row["name"], row["calls"]) for row in await rows(api, "matching")] == [
        ("all", "", "1"), ("pool", "shop", "1"), ("source", "adwords", "1"),
    ]  # fmt: skip
    assert [row["queue"] for row in await rows(api, "queues")] == ["support"]
    assert [row["ext"] for row in await rows(api, "agents")] == ["1001", "1002"]
    assert {row["campaign"] for row in await rows(api, "abandonment")} == {"secret", "spring"}


async def test_no_cell_is_a_formula_whatever_things_are_called(api: ApiWorld) -> None:
    await set_up(api)
    with writing(api.engine) as session:
        for model, column in ((Campaign, "name"), (Agent, "name"), (Rating, "option"), (CallMatch, "source")):
            keyed = table_of(model)
            first = min(row[0] for row in session.execute(keyed.select()))
            session.execute(update(keyed).where(next(iter(keyed.primary_key)) == first).values({column: FORMULA}))
    harmless = 0
    for report in ALL:
        for row in await rows(api, report):
            assert not any((cell or "").startswith(("=", "+", "-", "@")) for cell in row.values()), report
            harmless += sum(cell == f"'{FORMULA}" for cell in row.values())
    assert harmless >= 5


async def test_no_report_names_a_number_of_a_customer(api: ApiWorld) -> None:
    await set_up(api)
    for report in ALL:
        for format in ("json", "csv"):
            reply = await api.get(url(report), role="read", query={"format": format})
            assert (reply.status, "1000007" in reply.body.decode()) == (200, False), report


async def test_a_report_of_a_campaign_begins_with_it_or_as_long_ago_as_is_allowed(api: ApiWorld) -> None:
    now = datetime.now(UTC)
    with writing(api.engine) as session:
        session.execute(update(Campaign).where(table_of(Campaign).c.name == "secret").values(created_at=_ago(now, 90)))
        session.execute(update(Campaign).where(table_of(Campaign).c.name == "spring").values(created_at=_ago(now, 3)))
    secret, spring = (await api.get(url("campaign"))).json
    assert abs(datetime.fromisoformat(spring["since_at"]) - _ago(now, 3)) < timedelta(seconds=1)
    assert abs(datetime.fromisoformat(secret["since_at"]) - _ago(now, 31)) < timedelta(minutes=1)
    [hours] = [(await api.get(url("hours"), query={"campaign": "spring"})).json]
    assert abs(datetime.fromisoformat(hours["since_at"]) - _ago(now, 3)) < timedelta(seconds=1)


def _ago(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)


@pytest.mark.parametrize("report", NEW)
async def test_what_is_not_known_is_refused_in_one_sentence(api: ApiWorld, report: str) -> None:
    for query in ({"from": "2020-01-01"}, {"to": "0001-01-02"}, {"from": "soon"}, {"format": "table"}):
        refused = await api.get(url(report), query=query)
        assert (refused.status, refused.error.endswith(".")) == (422, True), query
    if report in ("campaign", "hours", "amd"):
        assert (await api.get(url(report), query={"campaign": "none"})).status == 404
    if report in ("hours", "ratings"):
        assert (await api.get(url(report), query={"by": "moon"})).status == 422


async def test_evidence_is_the_file_of_the_command_line_sound_and_noted_before_its_last_line(api: ApiWorld) -> None:
    call_id = await set_up(api)
    reply = await api.get(url("evidence"), query={"campaign": "spring"})
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "application/jsonl")
    assert reply.headers["content-disposition"] == 'attachment; filename="evidence.jsonl"'
    lines = reply.body.splitlines(keepends=True)
    verdict = verify(lines)
    assert verdict.sound, verdict
    bodies = [json.loads(line) for line in lines]
    assert [body["call_id"] for body in bodies if body["kind"] == "call"] == [call_id]
    assert bodies[0]["made_by"] == "api:supervisor"
    with reading(api.engine) as session:
        assert sealed_ends(session) == {verdict.end}
    assert not verify(lines[:-1]).sound


async def test_evidence_is_for_supervisors_of_one_campaign_and_of_31_days(api: ApiWorld) -> None:
    assert (await api.get(url("evidence"), role="read", query={"campaign": "spring"})).status == 403
    assert (await api.get(url("evidence"), query={"campaign": "winter"})).status == 404
    assert (await api.get(url("evidence"))).status == 422
    refused = await api.get(url("evidence"), query={"campaign": "spring", "from": "2020-01-01"})
    assert (refused.status, "31 days" in refused.error) == (422, True)
