"""Checks of Asterisk's own configuration directory, where we can read it."""

from __future__ import annotations

from pathlib import Path

from asterisk_conf import install, reader
from asterisk_conf.doctor.finding import Finding, bad, note, well
from asterisk_conf.secrets import weakness
from asterisk_conf.site import is_yes
from contact_center.errors import CallwrightError
from contact_center.settings import Settings

USUAL_PLACE = Path("/etc/asterisk")
SHOWN = 3


def check_all(etc: Path | None, settings: Settings) -> list[Finding]:
    """Drift from the settings, and doors left open, in ``etc`` (by default the usual place)."""
    etc = etc or USUAL_PLACE
    if not (etc / "asterisk.conf").is_file():
        return [
            note(
                "configuration",
                f"{etc} is not there: not compared",
                "name the directory with --asterisk-etc DIR",
            )
        ]
    try:
        return [_drift(etc, settings), _doors(etc)]
    except CallwrightError as error:
        return [note("configuration", str(error), "run the doctor as a user who may read it")]
    except OSError as error:
        return [
            note(
                "configuration",
                f"{error.filename}: {error.strerror}",
                "run the doctor as a user who may read it",
            )
        ]


def _drift(etc: Path, settings: Settings) -> Finding:
    drifts = install.check(etc, settings)
    if drifts:
        shown = "; ".join(f"{drift.file.relative_to(etc)} {drift.problem}" for drift in drifts[:SHOWN])
        more = f" and {len(drifts) - SHOWN} more" if len(drifts) > SHOWN else ""
        return bad("configuration", f"{etc}: {shown}{more}", "run `callwright conf install` and restart Asterisk")
    return well("configuration", f"{etc} is as the settings ask")


def _doors(etc: Path) -> Finding:
    """Known passwords and switches that open more than anybody needs."""
    open_doors = []
    for file, key in (("ari.conf", "password"), ("manager.conf", "secret")):
        for section in reader.sections(etc, file):
            reason = weakness(section.get(key), user=section.name) if section.get(key) else None
            if reason:
                open_doors.append(f"{file} [{section.name}] {key} {reason}")
    for file, section_name, key in (
        ("asterisk.conf", "options", "live_dangerously"),
        ("http.conf", "general", "enable_static"),
        ("manager.conf", "general", "webenabled"),
    ):
        section_found = reader.first(reader.sections(etc, file), section_name)
        if section_found and is_yes(section_found.get(key)):
            open_doors.append(f"{file} [{section_name}] {key} = yes")
    general = reader.first(reader.sections(etc, "ari.conf"), "general")
    if general and "*" in general.get("allowed_origins"):
        open_doors.append("ari.conf [general] allowed_origins = *")
    if open_doors:
        return bad(
            "open doors",
            "; ".join(open_doors),
            "choose random passwords, switch the rest off, restart Asterisk",
        )
    return well("open doors", f"no known password and no dangerous switch in {etc}")
