"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a check found. ``ok``: True well, False must be mended, None worth knowing or not checked."""

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


def well(name: str, detail: str) -> Finding:
    """All is as it should be."""
    return Finding(name, True, detail)


def bad(name: str, detail: str, fix: str) -> Finding:
    """Something does not work or is dangerous."""
    return Finding(name, False, detail, fix)


def note(name: str, detail: str, fix: str = "") -> Finding:
    """Worth knowing, or could not be checked."""
    return Finding(name, None, detail, fix)
