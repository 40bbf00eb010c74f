"""`callwright report evidence`: how a campaign called, as a file whose every change shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer

from contact_center.clock import iso
from contact_center.console.context import Console, console_of
from contact_center.console.lead import refuse_json_to_stdout
from contact_center.console.moments import stretch
from contact_center.console.output import count, local, table
from contact_center.console.spreadsheet import CsvSheet, written
from contact_center.errors import CallwrightError, UsageError
from contact_center.law.abandonment import Stretch
from contact_center.law.chain import ChainWriter, Verdict, lines_of, verify
from contact_center.store.evidence import Asked
from contact_center.store.evidence import evidence as evidence_lines
from contact_center.store.evidence_seal import seal, sealed_ends
from contact_center.store.queries import find_campaign, list_campaigns

FORMATS = ("table", "csv", "json")
_STRETCH = ("since_at", "until_at")
_SUMMARY = ("campaign", *_STRETCH, "calls", "settings", "rules", "ledgers", "outside_hours", "short_rings")
EXAMPLE = (
    "Example: callwright report evidence march.jsonl --campaign spring --from 2026-03-01 --to 2026-04-01, "
    "later: callwright report evidence --verify march.jsonl"
)


def evidence(
    ctx: typer.Context,
    file: Path | None = typer.Argument(None, metavar="[FILE]", help="A file of JSON lines; without it, stdout."),
    campaign: str = typer.Option("", "--campaign", help="Whose calls."),
    since: str = typer.Option("", "--from", help="From this instant; from the first call when it is left out."),
    until: str = typer.Option("", "--to", help="To this instant; now when it is left out."),
    check: Path | None = typer.Option(None, "--verify", metavar="FILE", help="Say whether a file was changed."),
    expect: str = typer.Option("", "--expect", metavar="HASH", help="With --verify: the end hash you noted."),
    format: str = typer.Option("", "--format", help="json: all of it as one document; table or csv: a summary."),
) -> None:
    """Everything that shows how a campaign called: settings, rules, each call, the ledgers.

    Each line carries the hash of the one before. The hash of the last one is shown and noted in the audit log:
    keep it elsewhere, too. With --format nothing is noted, and without --campaign it is of all campaigns.
    """
    console = console_of(ctx)
    if check is not None:
        _verify(console, check, expect)
    elif format := format or _implied(console, file, campaign):
        time = stretch(since, until, console.settings.site.timezone, console.clock.now())
        _formatted(console, file, campaign, time, format)
    elif not campaign:
        raise UsageError("Say whose evidence, as --campaign spring, or name a file to --verify.")
    else:
        _make(console, file, campaign, since, until)


def _implied(console: Console, file: Path | None, campaign: str) -> str:
    """What is meant without ``--format`` where no chain of lines can be: ``--json`` on stdout, or all campaigns."""
    if file is not None:
        return ""
    if console.json:
        return "json"
    return "" if campaign else "table"


def _make(console: Console, file: Path | None, name: str, since: str, until: str) -> None:
    refuse_json_to_stdout(console, file)
    now = console.clock.now()
    with console.reading() as session:
        campaign = find_campaign(session, name)
    asked = _asked(console, name, stretch(since, until, console.settings.site.timezone, now), now)
    chain = ChainWriter()
    with written(file) as stream:
        for body in evidence_lines(console.reading, campaign, asked):
            stream.write(chain.line(body))
        stream.write(chain.last())
    with console.writing() as session:
        seal(session, asked, lines=chain.lines, end=chain.end)
    if file is not None and str(file) != "-":
        document = {"file": str(file), "lines": chain.lines, "end": chain.end, "campaign": name, "made_at": iso(now)}
        console.done(f"{count(chain.lines, 'line')} written to {file}. Note the hash of its end: {chain.end}", document)


def _asked(console: Console, name: str, time: Stretch, now: datetime) -> Asked:
    site = console.settings.site
    return Asked(
        campaign=name,
        stretch=time,
        site_zone=site.timezone,
        telemarketer=site.name,
        made_by=console.actor,
        made_at=now,
        program=f"callwright {version('callwright')}",
    )


def _formatted(console: Console, file: Path | None, name: str, time: Stretch, format: str) -> None:
    """On stdout: each campaign's lines as one document, or how many there are of each kind."""
    if format not in FORMATS:
        raise UsageError(f"--format {format[:20]!r} is not known; one of {', '.join(FORMATS)} is wanted.")
    if file is not None:
        raise UsageError("A FILE is always JSON lines; leave --format out, or FILE.")
    now = console.clock.now()
    with console.reading() as session:
        campaigns = [find_campaign(session, name)] if name else list_campaigns(session)
    found = ((campaign, _asked(console, campaign.name, time, now)) for campaign in campaigns)
    documents = [_counted(asked, evidence_lines(console.reading, campaign, asked), format) for campaign, asked in found]
    if format == "json":
        console.emit(documents[0] if name else documents)
    elif console.json:
        console.emit(documents)
    elif format == "csv":
        with written(None) as stream:
            sheet = CsvSheet(stream, _SUMMARY)
            for document in documents:
                sheet.write(document.values())
    else:
        zone = console.settings.site.timezone
        rows = ([local(v, zone) if k in _STRETCH else v for k, v in d.items()] for d in documents)
        console.show(
            documents, lambda _: table([column.removesuffix("_at").replace("_", " ") for column in _SUMMARY], rows)
        )


def _counted(asked: Asked, bodies: Iterable[dict[str, Any]], format: str) -> dict[str, Any]:
    """A campaign's evidence: all of it for json, else one row of ``_SUMMARY``."""
    head = {
        "campaign": asked.campaign,
        "since_at": iso(asked.stretch.since),
        "until_at": iso(asked.stretch.until),
    }
    if format == "json":
        return {**head, "lines": list(bodies)}
    kinds: Counter[str] = Counter()
    findings: dict[str, Any] = {}
    for body in bodies:
        kinds[body["kind"]] += 1
        findings = body if body["kind"] == "findings" else findings
    return {
        **head,
        "calls": kinds["call"],
        "settings": kinds["settings"],
        "rules": kinds["rule"],
        "ledgers": kinds["ledger"],
        "outside_hours": findings["outside_hours"],
        "short_rings": findings["short_rings"],
    }


def _verify(console: Console, file: Path, expect: str) -> None:
    try:
        with file.open("rb") as stream:
            verdict = verify(lines_of(stream))
    except OSError as error:
        raise UsageError(f"{file}: it cannot be read ({error.strerror}); name a file of `report evidence`.") from None
    trouble = _trouble(console, verdict, expect)
    if console.json:
        console.emit({**_document(file, verdict), "sound": not trouble, "reason": trouble or None})
    if trouble:
        raise CallwrightError(f"{file}: {trouble}.")
    if not console.json:
        console.say(f"{file}: sound, {count(verdict.lines, 'line')}; its end is {verdict.end}.")


def _trouble(console: Console, verdict: Verdict, expect: str) -> str:
    """What is wrong with the file, in words; empty when nothing is."""
    if not verdict.sound:
        return f"the chain breaks at line {verdict.line}: {verdict.reason}"
    if expect and expect.strip().lower() != verdict.end:
        return f"its end {verdict.end} is not the hash you noted; it was made anew"
    if expect:
        return ""
    with console.reading() as session:
        known = sealed_ends(session)
    return (
        "" if verdict.end in known else f"its end {verdict.end} is not in the audit log; it was made anew or elsewhere"
    )


def _document(file: Path, verdict: Verdict) -> dict[str, Any]:
    return {"file": str(file), "line": verdict.line or None, "lines": verdict.lines, "end": verdict.end}
