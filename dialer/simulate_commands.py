"""`callwright simulate` and `callwright replay`: hours of campaign in seconds, with the very pacing code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from contact_center.console.context import Console, console_of
from contact_center.console.output import clean, share, table
from contact_center.errors import CallwrightError, UsageError
from contact_center.store.queries import find_campaign

if TYPE_CHECKING:
    from dialer.simulation.laws import Laws

_MODES = ("progressive", "power", "predictive")
_PICTURE = typer.Option(None, "--picture", help="Write utilization against abandonment to this PNG file.")
_MODE = typer.Option([], "--mode", help="progressive, power or predictive; may be repeated. Default: all.")
_MULTIPLIER = typer.Option([], "--multiplier", help="For power; may be repeated. Default: 1.5, 2 and 3.")
_LIMIT = typer.Option(0.03, "--limit", min=0.001, max=0.5, help="Abandonment allowed, as a share.")
_SHIFTS = typer.Option(6, "--shifts", min=1, max=200, help="Simulated shifts per mode, on the same calls.")
_SEED = typer.Option(1, "--seed", min=0, help="Other calls for another number.")


def mount(app: typer.Typer) -> None:
    """Add the commands to the root app."""
    app.command("simulate", epilog="Example: callwright simulate --agents 20 --answer-rate 0.25")(simulate)
    app.command("replay", epilog="Example: callwright replay spring --mode predictive --agents 12")(replay)


def simulate(
    ctx: typer.Context,
    campaign: str = typer.Option("", "--campaign", help="Take the laws of this campaign's own attempts."),
    agents: int | None = typer.Option(None, "--agents", min=1, max=2000, help="Agents on line. Default: 10."),
    answer_rate: float = typer.Option(0.25, "--answer-rate", min=0.01, max=1.0, help="Share answered by a person."),
    talk: float = typer.Option(90.0, "--talk", min=1.0, help="Mean seconds of a talk."),
    wrap_up: float = typer.Option(20.0, "--wrap-up", min=0.0, help="Mean seconds of wrap-up."),
    deadline: float = typer.Option(2.0, "--deadline", min=0.0, help="Seconds within which an agent must be there."),
    hours: float = typer.Option(4.0, "--hours", min=0.1, max=24.0, help="Length of a shift."),
    mode: list[str] = _MODE,
    multiplier: list[float] = _MULTIPLIER,
    limit: float = _LIMIT,
    number: int = _SHIFTS,
    seed: int = _SEED,
    picture: Path | None = _PICTURE,
) -> None:
    """Simulate a campaign by parameters, or by a recorded campaign's own laws, and compare the modes."""
    from dialer.simulation.laws import Laws, constant  # noqa: PLC0415  numpy only where it is used

    console = console_of(ctx)
    if campaign:
        laws, title = _recorded(console, campaign, agents), f"Campaign {clean(campaign)} by its own laws"
    else:
        laws = Laws(
            agents=((0.0, agents or 10),),
            answer_rate=constant(answer_rate),
            talk_mean=constant(talk),
            wrap_up_mean=wrap_up,
            connect_deadline=deadline,
            shift_seconds=hours * 3600.0,
        )
        title = f"{agents or 10} agents, answer rate {answer_rate:g}, talk {talk:g} s, wrap-up {wrap_up:g} s"
    _compare(console, laws, title, _candidates(mode, multiplier), limit, range(seed, seed + number), picture)


def replay(
    ctx: typer.Context,
    campaign: str = typer.Argument(metavar="CAMPAIGN"),
    agents: int | None = typer.Option(None, "--agents", min=1, max=2000, help="So many agents instead."),
    mode: list[str] = _MODE,
    multiplier: list[float] = _MULTIPLIER,
    limit: float = _LIMIT,
    number: int = _SHIFTS,
    seed: int = _SEED,
    picture: Path | None = _PICTURE,
) -> None:
    """The last recorded day of a campaign again, quarter hour by quarter hour, under other settings."""
    console = console_of(ctx)
    laws = _recorded(console, campaign, agents)
    title = f"The last day of {clean(campaign)} again"
    _compare(console, laws, title, _candidates(mode, multiplier), limit, range(seed, seed + number), picture)


def _recorded(console: Console, campaign: str, agents: int | None) -> Laws:
    from dialer.simulation.recorded import laws_of  # noqa: PLC0415

    with console.reading() as session:
        return laws_of(session, find_campaign(session, campaign), agents)


def _candidates(modes: Sequence[str], multipliers: Sequence[float]) -> list[tuple[str, float]]:
    for mode in modes:
        if mode not in _MODES:
            raise UsageError(f"--mode {clean(mode)} is not known; one of {', '.join(_MODES)} is wanted.")
    for multiplier in multipliers:
        if not 0.1 <= multiplier <= 20.0:
            raise UsageError(f"--multiplier {multiplier:g} makes no sense; 0.1 to 20 is wanted.")
    chosen: list[tuple[str, float]] = []
    for mode in modes or _MODES:
        chosen += [(mode, m) for m in multipliers or (1.5, 2.0, 3.0)] if mode == "power" else [(mode, 1.0)]
    return chosen


def _compare(
    console: Console,
    laws: Laws,
    title: str,
    candidates: Sequence[tuple[str, float]],
    limit: float,
    seeds: range,
    picture: Path | None,
) -> None:
    from dialer.simulation import study  # noqa: PLC0415

    warm_up = min(1800.0, laws.shift_seconds / 8)
    ways = [study.Candidate(mode, multiplier) for mode, multiplier in candidates]
    with _progress(console, len(ways) * len(seeds)) as on_shift:
        found = study.study(laws, ways, limit=limit, seeds=seeds, warm_up=warm_up, on_shift=on_shift)
    advice = study.advise(found, limit)
    if picture is not None:
        _draw(study.picture, found, limit, picture, title)
    document = {"title": title, **study.as_document(found, advice, limit)}
    console.show(document, _view)
    if not console.json:
        console.say(f"Recommended: {advice.sentence}" if advice.mode else advice.sentence)
        if picture is not None:
            console.say(f"Picture: {clean(picture)}")


def _draw(draw: Callable[..., None], found: Any, limit: float, path: Path, title: str) -> None:
    try:
        draw(found, limit, path, title)
    except ImportError as error:
        raise CallwrightError(f"The picture needs matplotlib: pip install matplotlib ({error}).") from error
    except OSError as error:
        raise UsageError(f"The picture cannot be written to {path}: {os.strerror(error.errno or 0)}.") from error


def _view(document: dict[str, Any]) -> Any:
    columns = ("pacing", "utilization", "±", "after warm-up", "abandonment", "worst shift", "over limit",
               "worst 15 min", "connects/agent/h")  # fmt: skip
    rows = [
        (
            row["name"],
            share(row["utilization"]),
            "-" if row["utilization_half_width"] is None else share(row["utilization_half_width"]),
            share(row["utilization_after_warm_up"]),
            f"{100 * row['abandonment']:.2f} %",
            f"{100 * row['worst_shift']:.2f} %",
            share(row["shifts_over_limit"]),
            share(row["worst_quarter_hour"]),
            f"{row['connects_per_agent_hour']:.1f}",
        )
        for row in document["modes"]
    ]
    return table(columns, rows, title=f"{document['title']} (limit {100 * document['abandonment_limit']:.1f} %)")


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if console.json or not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.err, transient=True) as progress:
        task = progress.add_task("simulate", total=total)
        yield lambda: progress.advance(task)
