"""`callwright report queues` and `report agents`: service level, abandonment, waits, handle time, occupancy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import typer
from rich.console import RenderableType

from contact_center.console.context import Console, console_of
from contact_center.console.moments import past_instant
from contact_center.console.output import local, seconds, share, table
from contact_center.console.report_sheets import rows_sheet
from contact_center.errors import UsageError
from contact_center.options import parse_span
from contact_center.store import report_queues
from contact_center.store.queries_queues import midnight

QUEUES_EXAMPLE = "Example: callwright report queues --from 2026-03-01 --to 2026-03-02 --interval 30m"
AGENTS_EXAMPLE = "Example: callwright report agents --from 2026-03-01 --to 2026-03-02 --queue support"
FORMATS = ("table", "csv", "json")
LEAST_INTERVAL_SECONDS = 60.0
MOST_INTERVALS = 5000
Since = typer.Option("", "--from", help="From this instant; the local day's beginning when it is left out.")
Until = typer.Option("", "--to", help="To this instant; now when it is left out.")
Form = typer.Option("table", "--format", help="table, csv or json.")


def queues(
    ctx: typer.Context,
    queue: str = typer.Option("", "--queue", help="Only this queue."),
    since: str = Since,
    until: str = Until,
    interval: str = typer.Option("", "--interval", help="Also by stretches of this length, as 30m, 1h or 1d."),
    format: str = Form,
) -> None:
    """Queues: SL = answered within T / answered; SL2 = (answered + abandoned within T) / (answered + abandoned).

    Abandonment = abandoned / queued; ASA = mean wait of the answered; AHT = (talk + wrap-up) / answered; occupancy =
    (talk + wrap-up) / (talk + wrap-up + free) of the queue's agents. T is the queue's service_level_seconds.
    """
    console = console_of(ctx)
    begin, end = _between(console, since, until)
    with console.reading() as session:
        documents = [
            document
            for start, stop in _stretches(begin, end, interval)
            for document in report_queues.queue_rows(session, queue, start, stop)
        ]
    _print(console, documents, format, _queue_view)


def agents(
    ctx: typer.Context,
    queue: str = typer.Option("", "--queue", help="Only agents and calls of this queue."),
    agent: str = typer.Option("", "--agent", help="Only this extension."),
    since: str = Since,
    until: str = Until,
    format: str = Form,
) -> None:
    """Agents: callers they took from queues, with handle time, customers of campaigns they spoke with, and how long
    they talked, wrapped up, were free or paused.
    """
    console = console_of(ctx)
    begin, end = _between(console, since, until)
    with console.reading() as session:
        documents = report_queues.agent_rows(session, queue, agent, begin, end)
    _print(console, documents, format, _agent_view)


def _between(console: Console, since: str, until: str) -> tuple[datetime, datetime]:
    zone, now = console.settings.site.timezone, console.clock.now()
    begin = past_instant(since, zone, now, "--from") if since else midnight(zone, now)
    end = past_instant(until, zone, now, "--to") if until else now
    if end <= begin:
        raise UsageError("--to is not after --from; give a later instant.")
    return begin, min(end, max(now, begin))


def _stretches(begin: datetime, end: datetime, interval: str) -> Iterator[tuple[datetime, datetime]]:
    if not interval:
        yield begin, end
        return
    try:
        span = parse_span(interval)
    except ValueError as error:
        raise UsageError(f"--interval {interval[:20]!r} is not allowed: {error}.") from None
    if span < LEAST_INTERVAL_SECONDS or (end - begin).total_seconds() / span > MOST_INTERVALS:
        raise UsageError(f"--interval {interval[:20]} is not allowed: from 1m to {MOST_INTERVALS} stretches in all.")
    while begin < end:
        following = min(begin + timedelta(seconds=span), end)
        yield begin, following
        begin = following


def _print(
    console: Console,
    documents: list[dict[str, Any]],
    format: str,
    view: Callable[[list[dict[str, Any]], str], RenderableType],
) -> None:
    if format not in FORMATS:
        raise UsageError(f"--format {format[:20]!r} is not known; one of {', '.join(FORMATS)} is wanted.")
    if console.json or format == "json":
        console.emit(documents)
    elif format == "csv":
        rows_sheet(documents).print()
    else:
        console.show(documents, lambda found: view(found, console.settings.site.timezone))


def _queue_view(documents: list[dict[str, Any]], zone: str) -> RenderableType:
    columns = (
        *("queue", "from", "queued", "answered", "abandoned", "sent on", "SL", "SL2", "ASA", "AHT", "longest"),
        *("occupancy", "said waits", "said off"),
    )
    rows = (
        (
            d["queue"],
            local(d["since_at"], zone),
            d["queued"],
            d["answered"],
            f"{d['abandoned']} ({share(d['abandonment'])})",
            d["sent_on"],
            share(d["service_level"]),
            share(d["service_level_2"]),
            seconds(d["asa_seconds"]),
            seconds(d["aht_seconds"]),
            seconds(d["longest_wait_seconds"]),
            share(d["occupancy"]),
            d["said_waits"],
            seconds(d["said_off_seconds"]),
        )
        for d in documents
    )
    return table(columns, rows)


def _agent_view(documents: list[dict[str, Any]], _: str) -> RenderableType:
    columns = ("agent", "name", "taken", "connected", "AHT", "talk", "wrap-up", "free", "paused", "occupancy")
    rows = (
        (
            d["ext"],
            d["name"],
            d["taken"],
            d["connected"],
            seconds(d["aht_seconds"]),
            seconds(d["talking_seconds"]),
            seconds(d["wrap_up_seconds"]),
            seconds(d["free_seconds"]),
            seconds(d["paused_seconds"]),
            share(d["occupancy"]),
        )
        for d in documents
    )
    return table(columns, rows)
