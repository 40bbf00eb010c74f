"""``callwright conf ...`` and ``callwright doctor``, mounted by the composition root."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from asterisk_conf import bundle, install
from contact_center.settings import Settings, find_file

if TYPE_CHECKING:
    from asterisk_conf.doctor import Finding, SchemaState

USUAL_PLACE = Path("/etc/asterisk")
RESTART = "Restart Asterisk so that it takes effect."


class Root(Protocol):
    """What the composition root hangs on ``ctx.obj``."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        ...

    @property
    def settings_path(self) -> Path | None:
        """The file that was named, None when none was."""
        ...

    @property
    def json(self) -> bool:
        """Whether exactly one JSON document is to be printed."""
        ...


Etc = Annotated[Path, typer.Option("--asterisk-etc", metavar="DIR", help="Asterisk's configuration directory.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be changed.")]

conf_app = typer.Typer(
    no_args_is_help=True,
    help="Asterisk's configuration: render, install, check, uninstall.",
    epilog="Example: callwright conf install --dry-run",
)


@conf_app.command()
def render(
    ctx: typer.Context,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where to write.")],
) -> None:
    """Write a complete /etc/asterisk and the systemd unit to a directory.

    Example: callwright conf render --to /tmp/asterisk
    """
    root: Root = ctx.obj
    written = bundle.render(root.settings, to)
    written.append(bundle.write_service(to, _file_in_force(root)))
    if root.json:
        _print({"directory": str(to), "files": [str(file.relative_to(to)) for file in written]})
    else:
        typer.echo(f"{len(written)} files written to {to}, {bundle.SERVICE} among them.")


@conf_app.command("install")
def install_(ctx: typer.Context, asterisk_etc: Etc = USUAL_PLACE, dry_run: DryRun = False) -> None:
    """Add Callwright's parts to an existing configuration; can be repeated and undone.

    Example: callwright conf install --dry-run
    """
    root: Root = ctx.obj
    plan = install.plan(asterisk_etc, root.settings)
    if not dry_run:
        install.apply(plan)
    _report(root, plan, applied=not dry_run, nothing="Nothing to change: all is installed.")


@conf_app.command()
def uninstall(ctx: typer.Context, asterisk_etc: Etc = USUAL_PLACE, dry_run: DryRun = False) -> None:
    """Take Callwright's parts out again.

    Example: callwright conf uninstall --asterisk-etc /etc/asterisk
    """
    root: Root = ctx.obj
    plan = install.uninstall(asterisk_etc)
    if not dry_run:
        install.finish_uninstall(plan)
    _report(root, plan, applied=not dry_run, nothing="Nothing to take out: nothing is installed.")


@conf_app.command()
def check(ctx: typer.Context, asterisk_etc: Etc = USUAL_PLACE) -> None:
    """Compare an installed or rendered configuration with the settings; exit code 1 when they differ.

    Example: callwright conf check
    """
    root: Root = ctx.obj
    drifts = install.check(asterisk_etc, root.settings)
    if root.json:
        found = [{"file": str(drift.file), "problem": drift.problem} for drift in drifts]
        _print({"directory": str(asterisk_etc), "drift": found})
    elif drifts:
        for drift in drifts:
            typer.echo(f"{drift.file} {drift.problem}")
        typer.echo("Run `callwright conf install` to put it right.")
    else:
        typer.echo(f"{asterisk_etc} is as the settings ask.")
    if drifts:
        raise typer.Exit(1)


def doctor_command(
    schema_state: Callable[[str], SchemaState], read_trunks: Callable[[Settings], list[dict[str, Any]]]
) -> Callable[..., None]:
    """The command ``doctor``; ``schema_state`` tells the schema of the database at a url, ``read_trunks`` of trunks."""

    def doctor(
        ctx: typer.Context,
        asterisk_etc: Annotated[
            Path | None,
            typer.Option("--asterisk-etc", metavar="DIR", help="Asterisk's configuration directory."),
        ] = None,
    ) -> None:
        """Check everything Callwright needs; a line per check, with the fix beside each failure.

        Example: callwright doctor
        """
        from asterisk_conf.doctor import run_checks  # noqa: PLC0415 - it brings an HTTP client that few commands need

        root: Root = ctx.obj
        findings = asyncio.run(
            run_checks(
                root.settings,
                _file_in_force(root),
                schema_state=schema_state,
                etc=asterisk_etc,
                read_trunks=read_trunks,
            )
        )
        if root.json:
            _print({"ok": _is_well(findings), "findings": [asdict(finding) for finding in findings]})
        else:
            for finding in findings:
                _show(finding)
        if not _is_well(findings):
            raise typer.Exit(1)

    return doctor


def _file_in_force(root: Root) -> Path | None:
    """The settings' file: the one named, or the one found where it is looked for."""
    return find_file(root.settings_path, os.environ)


def _is_well(findings: list[Finding]) -> bool:
    return all(finding.ok is not False for finding in findings)


def _show(finding: Finding) -> None:
    mark, color = {True: ("ok  ", "green"), False: ("FAIL", "red"), None: ("note", "yellow")}[finding.ok]
    typer.echo(f"{typer.style(mark, fg=color)}  {finding.name}: {finding.detail}")
    if finding.fix:
        typer.echo(f"      fix: {finding.fix}")


def _report(root: Root, plan: install.Plan, *, applied: bool, nothing: str) -> None:
    diff = plan.diff(hide=_secrets(root.settings))
    if root.json:
        changed = [str(change.file) for change in plan.changes]
        _print({"applied": applied, "changed": changed, "notes": list(plan.notes), "diff": diff})
        return
    if not plan.changes:
        typer.echo(nothing)
    else:
        typer.echo(diff, nl=False)
        typer.echo(RESTART if applied else "Nothing was written.")
    for text in plan.notes:
        typer.echo(f"Note: {text}")


def _secrets(settings: Settings) -> tuple[str, ...]:
    asterisk = settings.asterisk
    trunks = (trunk.password for trunk in settings.trunk.values())
    return tuple(secret for secret in (asterisk.ari_password, asterisk.ami_secret, *trunks) if secret)


def _print(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False))
