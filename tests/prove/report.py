"""The report at the address that call trackers' scripts fetch, after a thousand real calls."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import urllib.request
from datetime import datetime
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from tests.lab.centre import Centre
from tests.lab.farend.numbers import refuses, stays, talks
from tests.lab.farend.record import CallRecord
from tests.lab.farend.script import Script
from tests.prove.proof import Proof, Round
from tests.prove.scene import NEVER, TEAM, customers, left_over, stand

CALLS, AGENTS = 1000, 20
CPS = 5.0
AGENT_TALKS_SECONDS = 2.5
SLACK_SECONDS = 2.0  # from the intent, which the report tells, to the INVITE on the line, and of rounding
# as the text has it, but for the host, the installation's id, and the brackets, which stay as they are
ADDRESS = (
    "/reports/v2/triggers/calls?igrp=4711&sort[]=triggerDatetime-desc&limit=1000&format=csv"
    "&display[]=triggerDatetime&display[]=srcPhoneNumber&display[]=callState"
)
HEADER = ["triggerDatetime", "srcPhoneNumber", "callState"]
STATES = {486: "USER_BUSY_A", 480: "UNAVAILABLE_A", 404: "INVALID_NUMBER_A", 607: "REJECTED_A", 500: "NETWORK_FAILURE"}
HOSTILE = ("=1+1", "+1;DROP", "-2+3", "@SUM(A1)", 'a "quoted", word')
MORE = ("callId", "endDatetime", "agentName", "hungUpBy", "disposition", "talkDuration", "callComment")


def numbers(count: int, first: int) -> list[str]:
    """Customers who hang up first, or after their agent, or never answer."""
    kinds = (
        lambda n: talks(1.0, n, ring=0.2),
        lambda n: stays(n, ring=0.2),
        lambda n: refuses(486, n),
        lambda n: talks(1.0, n, ring=0.5),
        lambda n: refuses((480, 404, 607, 500)[n // 5 % 4], n),
    )
    return [kinds[n % len(kinds)](first + n) for n in range(count)]


async def report_round(centre: Centre, number: int, *, count: int = CALLS) -> Round:
    """A campaign to its end, and the report of it."""
    books = await stand(centre, AGENTS)
    for phone in centre.far.phones:
        phone.obeys_auto_answer, phone.script = False, Script(talk_seconds=AGENT_TALKS_SECONDS)
    campaign, called = f"report-{number}", numbers(count, number * count)
    await centre.add_campaign(campaign, called, team=TEAM, max_attempts="1", **NEVER)
    await centre.cli("campaign", "start", campaign)
    await books.until_finished(campaign, 60.0 + 2 * count / CPS)
    failures = await left_over(centre, books)
    books.close()
    login = (await centre.cli("token", "add", f"reports{number}", "--role", "read"))["token"]
    began = perf_counter()
    body = await asyncio.to_thread(_fetch, centre, ADDRESS, f"reports{number}", login)
    seconds = perf_counter() - began
    failures += _faults(body, centre, called)
    failures += await _other_columns(centre, campaign, f"reports{number}", login, count)
    return Round({"calls": count, "seconds to answer": [seconds], "bytes": len(body)}, failures)


def _fetch(centre: Centre, address: str, name: str, password: str) -> bytes:
    login = base64.b64encode(f"{name}:{password}".encode()).decode()
    url = f"http://{centre.settings.http.bind}{address}"
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.headers["Content-Type"].partition(";")[0] == "text/csv"
        return bytes(reply.read())


def _rows(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))


def _faults(body: bytes, centre: Centre, called: list[str]) -> list[str]:
    """Against the far end's record: each call once, when it was, and who ended it."""
    header, *rows = _rows(body)
    zone = ZoneInfo(centre.settings.site.timezone)
    failures = [f"the header is {header}"] if header != HEADER else []
    if body.count(b"\r\n") != body.count(b"\n") or not body.endswith(b"\r\n"):
        failures.append("a line does not end in CRLF")
    if len(rows) != len(called):
        failures.append(f"{len(rows)} rows")
    times = [row[0] for row in rows]
    if times != sorted(times, reverse=True):
        failures.append("the newest is not first")
    line = {record.party: record for record in customers(centre, called)}
    for at, number, state in rows:
        record = line.pop(number, None)
        if record is None:
            failures.append(f"{number} was not called, or stands there twice")
            continue
        wanted, began = _state(record), datetime.fromtimestamp(record.invite_at, zone).replace(tzinfo=None)
        if state != wanted:
            failures.append(f"{number}: {state}, on the line {wanted}")
        if abs((datetime.strptime(at, "%Y-%m-%d %H:%M:%S") - began).total_seconds()) > SLACK_SECONDS:
            failures.append(f"{number}: {at}, on the line {began}")
    return failures + [f"{number} is missing" for number in line]


def _state(record: CallRecord) -> str:
    """What README's table calls a call that went so for the customer."""
    if not record.answered:
        return STATES[record.final_code or 0]
    return "NORMAL_CLEARING_A" if record.ended_by == "party" else "NORMAL_CLEARING_B"


async def _other_columns(centre: Centre, campaign: str, name: str, login: str, count: int) -> list[str]:
    """Further names, in another order, with comments that look like formulas, against `call list`."""
    calls = await centre.cli("call", "list", "--campaign", campaign, "--limit", str(count))
    for call, comment in zip(calls, HOSTILE, strict=False):
        await centre.cli("call", "annotate", call["id"], "--comment", comment)
        call["comment"] = comment
    address = f"/reports/v2/triggers/calls?limit={count}&format=csv&sort[]=callId-asc&sort[]=endDatetime-desc"
    body = await asyncio.to_thread(_fetch, centre, address + "".join(f"&display[]={n}" for n in MORE), name, login)
    header, *rows = _rows(body)
    failures = [f"the header is {header}"] if tuple(header) != MORE else []
    wanted = {call["id"]: _cells(call, ZoneInfo(centre.settings.site.timezone)) for call in calls}
    for row in rows:
        if row[0] in wanted and row != wanted[row[0]]:
            failures.append(f"{row}, wanted {wanted[row[0]]}")
    return failures


def _cells(call: dict[str, Any], zone: ZoneInfo) -> list[str]:
    ended = datetime.fromisoformat(call["ended_at"]).astimezone(zone)
    comment = call["comment"] or ""
    harmless = f"'{comment}" if comment[:1] in tuple("=+-@") else comment
    cells = [call["id"], f"{ended:%Y-%m-%d %H:%M:%S}", "; ".join(call["agents"]), call["hung_up_by"] or ""]
    return [*cells, call["disposition"], str(round(call["talk_seconds"] or 0)), harmless]


class ReportCentre(Centre):
    """Its trunk takes as many calls a second as the machine bears easily."""

    def __init__(self) -> None:
        super().__init__("report", settings={"trunk.main": {"max_cps": CPS}})


PROOFS: list[Proof] = [
    Proof(
        name="report",
        claim="After 1 000 real calls the trackers' address answers with each of them once, in the order, under the "
        "header and with the times and states that README defines, by the far end's record",
        rounds=1,
        run=report_round,
        centre=ReportCentre,
    ),
]
