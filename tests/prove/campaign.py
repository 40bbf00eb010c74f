"""The main job: a campaign to its end, each outcome's delay, and port scans that change nothing."""

from __future__ import annotations

import asyncio
import json
import random
import re
from contextlib import suppress
from typing import Any

from tests.lab import demo
from tests.lab.centre import ROOT, Centre
from tests.lab.farend.numbers import Behaviour, number_for, refuses, talks
from tests.lab.judge import Judge
from tests.prove.proof import Proof, Round
from tests.prove.scene import TEAM, customers, left_over, mixed, stand

DELAYS = {"retry_missed": 3.0, "retry_unavailable": 4.0, "retry_busy": 2.0, "retry_technical": 5.0}
LATE_SECONDS = 1.0


async def demo_round(_: None, number: int) -> Round:
    """`make demo` as it is."""
    code = await demo.demo(240, 10)
    summary: dict[str, Any] = json.loads((ROOT / ".lab" / "demo-summary.json").read_text())
    failures = [*summary["mismatch_lines"], *summary["far_end_faults"]]
    if code or summary["state"] != "finished":
        failures.append(f"exit {code}, campaign {summary['state']}")
    figures = {name: summary[name] for name in ("leads", "attempts", "connects", "dropped", "mismatches")}
    return Round(figures, failures)


def _outcomes(first: int) -> dict[str, tuple[str, str | None]]:
    kinds: dict[str, tuple[str, str | None]] = {
        number_for(Behaviour.NEVER_ANSWERS, first): ("missed", "retry_missed"),
        talks(2.0, first): ("connected", None),
    }
    for codes, outcome, delay in (
        ((480, 408, 410), "unavailable", "retry_unavailable"),
        ((486, 600, 603), "busy", "retry_busy"),
        ((403, 488, 500, 502), "technical_error", "retry_technical"),
        ((404, 484, 604), "invalid_number", None),
        ((607, 608), "blocked", None),
    ):
        kinds |= {refuses(code, first): (outcome, delay) for code in codes}
    return kinds


async def outcomes_round(centre: Centre, number: int) -> Round:
    """One lead of each outcome, two attempts."""
    books = await stand(centre, 5)
    campaign, wanted = f"outcomes-{number}", _outcomes(number)
    delays = {name: f"{seconds:g}s" for name, seconds in DELAYS.items()}
    await centre.add_campaign(
        campaign, list(wanted), team=TEAM, multiplier="4", max_attempts="2", ring_seconds="15", **delays
    )
    await centre.cli("campaign", "start", campaign)
    await books.until_finished(campaign, 90.0)
    judge = await _judge(centre, campaign, list(wanted))
    failures, late = judge.mismatches(), []
    found = {lead.number: lead.disposition for lead in books.leads(campaign)}
    for one, (outcome, delay) in wanted.items():
        retries = judge.retries()[one]
        if found[one] != outcome:
            failures.append(f"{one}: {found[one]} instead of {outcome}")
        if len(retries) != (1 if delay else 0):
            failures.append(f"{one}: {len(retries)} retries")
        late += [retries[0] - DELAYS[delay]] if delay and retries else []
    failures += [f"a retry {x:+.2f} s off its delay" for x in late if not -0.05 <= x <= LATE_SECONDS]
    failures += await left_over(centre, books)
    books.close()
    return Round({"outcome kinds": len(wanted), "seconds a retry came after its delay": late}, failures)


async def _judge(centre: Centre, campaign: str, numbers: list[str]) -> Judge:
    calls = await centre.cli("call", "list", "--campaign", campaign, "--limit", "10000")
    parties = {*numbers, *(phone.name for phone in centre.far.phones)}
    return Judge(calls, [c for c in centre.far.log.calls if c.party in parties])


async def metric(centre: Centre, name: str) -> float:
    """A meter without labels, from /metrics."""
    host, _, port = centre.settings.http.bind.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(5):
        text = (await reader.read()).decode()
    writer.close()
    found = re.search(rf"(?m)^{name} (\S+)$", text)
    if found is None:
        raise LookupError(f"/metrics has no {name}")
    return float(found[1])


async def _scan(host: str, port: int, kind: int) -> None:
    """One stranger at the FastAGI port."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(0.5):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                match kind % 4:
                    case 1:
                        writer.write(b"agi_network: yes\nagi_request: agi://x/agent_online\n")
                    case 2:
                        writer.write(random.Random(kind).randbytes(3000))
                    case 3:
                        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                        await reader.read(100)
            finally:
                writer.transport.abort() if kind % 8 > 3 else writer.close()


async def scans_round(centre: Centre, number: int, *, scans: int = 1000, leads: int = 80) -> Round:
    """Port scans of FastAGI while a campaign runs and agents dial their codes."""
    books = await stand(centre, 6)
    campaign, numbers = f"scans-{number}", mixed(leads, 500 + number * leads)
    keys = {"multiplier": "2", "max_attempts": "1", "ring_seconds": "15"}
    await centre.add_campaign(campaign, numbers, team=TEAM, **keys)
    stalls = await metric(centre, "callwright_loop_stalls")
    await centre.cli("campaign", "start", campaign)
    host, _, port = centre.settings.fastagi.bind.rpartition(":")
    for begin in range(0, scans, 20):
        await asyncio.gather(*(_scan(host, int(port), begin + n) for n in range(20)))
    code = centre.far.phones[next(iter(centre.far.phones)).name].dial("*47")
    await code.until_answered(5.0)
    code.hangup()
    await books.until_finished(campaign, 120.0)
    judge = await _judge(centre, campaign, numbers)
    failures = [*judge.mismatches(), *await left_over(centre, books)]
    stalled = await metric(centre, "callwright_loop_stalls") - stalls
    if stalled:
        failures.append(f"{stalled:g} stalls of the event loop")
    books.close()
    return Round({"port scans": scans, "dials on the line": len(customers(centre, numbers))}, failures)


PROOFS = [
    Proof(
        "demo", "A campaign of 240 leads over 10 agents agrees, lead by lead, with the far end's record.", 1, demo_round
    ),
    Proof(
        "outcomes",
        "Every kind of outcome is named as the contract says, and its retry comes at its own delay, within 1 s.",
        3,
        outcomes_round,
        lambda: Centre("outcomes"),
    ),
    Proof(
        "port_scans",
        "1 000 port scans of FastAGI during a campaign change nothing: no mismatch, no stall of the event loop.",
        2,
        scans_round,
        lambda: Centre("scans"),
    ),
]
