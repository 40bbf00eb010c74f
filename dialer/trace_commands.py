"""`callwright campaign trace`: the recorded decisions of a campaign, taken along or made again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import typer

from contact_center.console import campaign
from contact_center.console.context import console_of
from contact_center.console.output import clean, count
from contact_center.errors import CallwrightError, UsageError, typed
from contact_center.store.queries import campaign_options, find_campaign


def mount() -> None:
    """Add the command to `campaign`."""
    if not any(command.name == "trace" for command in campaign.app.registered_commands):
        campaign.app.command("trace", epilog="Example: callwright campaign trace spring --to spring.trace")(trace)


def trace(
    ctx: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    to: Path | None = typer.Option(None, "--to", help="Write what was recorded to this file; - is standard output."),
    check: bool = typer.Option(False, "--check", help="Make every decision again and compare the numbers."),
) -> None:
    """The pacing decisions that were recorded while `record_trace` was on, line by line as JSON."""
    from dialer.trace_file import trace_path  # noqa: PLC0415  every command would start later for it

    console = console_of(ctx)
    with console.reading() as session:
        recording = campaign_options(find_campaign(session, name)).record_trace
    path = trace_path(console.settings, name)
    if not path.exists():
        hint = (
            "nothing was decided yet"
            if recording
            else f"`callwright campaign set {typed(name)} record_trace=on` begins"
        )
        raise CallwrightError(f"No trace of {name} has been recorded at {path}: {hint}.")
    lines = sum(1 for _ in _whole_lines(path))
    document = {"campaign": name, "file": str(path), "recording": recording, "lines": lines}
    said = f"{count(lines, 'line')} recorded in {clean(str(path))}."
    if to is not None:
        _copy(path, to)
        said = f"{count(lines, 'line')} of {name} written to {clean(str(to))}."
        document["to"] = str(to)
    if check:
        decisions, differing = _again(path)
        document |= {"decisions": decisions, "differing": differing}
        verdict = "all as they were" if not differing else f"{differing} differ: another version recorded them"
        said += f" {count(decisions, 'decision')} made again, {verdict}."
    if str(to) != "-":
        console.done(said, document)


def _whole_lines(path: Path) -> Iterator[str]:
    """A running `serve` may be in the middle of its last line."""
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield line
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from error


def _copy(path: Path, to: Path) -> None:
    if str(to) == "-":
        _write(path, typer.get_text_stream("stdout"))
        return
    if to.resolve() == path.resolve():
        raise UsageError(f"{to} is the file that is being recorded; name another one.")
    try:
        with to.open("w", encoding="utf-8") as file:
            _write(path, file)
    except OSError as error:
        raise UsageError(f"The trace cannot be written to {to}: {os.strerror(error.errno or 0)}.") from error


def _write(path: Path, file: TextIO) -> None:
    for line in _whole_lines(path):
        file.write(line)


def _again(path: Path) -> tuple[int, int]:
    """Decisions in the trace, and those that come out differently now."""
    from dialer.trace import replay_all  # noqa: PLC0415  numpy only where it is used

    decisions = differing = 0
    try:
        for then, now in replay_all(_whole_lines(path)):
            decisions += 1
            differing += then != now
    except ValueError as error:
        raise CallwrightError(f"{path} is not a whole trace: {error}.") from error
    return decisions, differing
