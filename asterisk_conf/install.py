"""Into an existing /etc/asterisk and out again: files of our own, and one include line each in the others.

Installing writes ``callwright/*.conf``, appends lines ``#tryinclude callwright/X.conf`` and keeps
``X.conf.callwright-backup`` of each file it touches. Doing it again changes nothing; uninstalling brings the
backup back byte for byte, or, when the file was changed meanwhile, takes out only our lines.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from asterisk_conf import bundle
from asterisk_conf.site import PARTS_FOLDER, PARTS_OF, survey
from contact_center.errors import CallwrightError, UsageError
from contact_center.settings import Settings

BACKUP_SUFFIX = ".callwright-backup"
COMMENT = "; added by `callwright conf install`"
ALSO_NEEDED = ("musiconhold.conf", "amd.conf", "indications.conf", "queues.conf")
"""Files without which a module we need does not load; made when they are missing."""

_OUR_LINE = re.compile(r"\s*#tryinclude\s+[\"<]?callwright/([a-z-]+)\.conf[\">]?\s*(;.*)?")


@dataclass(frozen=True)
class Change:
    """One file: what it holds and what it should hold; None where it is not, or should not be, there."""

    file: Path
    before: str | None
    after: str | None

    @property
    def ours(self) -> bool:
        """Whether the file is the product's own; the others get a backup."""
        return self.file.parent.name + "/" == PARTS_FOLDER


@dataclass(frozen=True)
class Plan:
    """What would be changed below a directory, and what the administrator should know besides."""

    etc: Path
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def diff(self, hide: tuple[str, ...] = ()) -> str:
        """A unified diff of all changes; the texts in ``hide`` (passwords) are blotted out."""
        text = "".join(_diff(self.etc, change) for change in self.changes)
        for secret in hide:
            text = text.replace(secret, "********") if secret else text
        return text


@dataclass(frozen=True)
class Drift:
    """Something in the directory is not as ``conf install`` would leave it."""

    file: Path
    problem: str


def plan(etc: Path, settings: Settings) -> Plan:
    """What ``apply`` would do. Raises UsageError when the directory is not there or cannot be read."""
    _demand_directory(etc)
    site = survey(etc, settings)
    changes = [_part(etc, name, text) for name, text in bundle.parts(settings, site).items()]
    wanted = {change.file for change in changes}
    changes += [Change(file, _read(file), None) for file in _own_files(etc) if file not in wanted]
    for file in PARTS_OF:
        changes.append(_with_includes(etc, settings, file, site.parts_of(file)))
    changes += [_missing(etc, settings, file) for file in ALSO_NEEDED if not (etc / file).exists()]
    return Plan(etc, tuple(change for change in changes if change.before != change.after), site.notes)


def apply(what: Plan) -> None:
    """Write the changes, our own files first, so that no include line ever points nowhere.

    Raises CallwrightError when a file cannot be written; what was written until then stays and can be undone.
    """
    try:
        for change in sorted(what.changes, key=lambda change: not change.ours):
            if change.before is not None and not change.ours:
                _keep_backup(change.file)
            _write(change)
        _remove_if_empty(what.etc / PARTS_FOLDER)
    except OSError as error:
        raise CallwrightError(f"{error.filename}: it cannot be written ({error.strerror}); run as root.") from None


def uninstall(etc: Path) -> Plan:
    """What is to be applied to bring the directory back to what it was."""
    _demand_directory(etc)
    changes = [_without_includes(etc / file) for file in PARTS_OF]
    changes += [_unmade(etc / file) for file in ALSO_NEEDED]
    changes += [Change(file, _read(file), None) for file in _own_files(etc)]
    return Plan(etc, tuple(change for change in changes if change.before != change.after))


def finish_uninstall(what: Plan) -> None:
    """Apply the plan of ``uninstall``, then put the backups away."""
    try:
        for change in sorted(what.changes, key=lambda change: change.ours):
            _write(change)
        for file in PARTS_OF:
            _backup_of(what.etc / file).unlink(missing_ok=True)
        _remove_if_empty(what.etc / PARTS_FOLDER)
    except OSError as error:
        raise CallwrightError(f"{error.filename}: it cannot be written ({error.strerror}); run as root.") from None


def check(etc: Path, settings: Settings) -> list[Drift]:
    """Each file or line that is missing or differs from what the settings ask for; [] when all is well."""
    return [Drift(change.file, _problem(change)) for change in plan(etc, settings).changes]


def _demand_directory(etc: Path) -> None:
    if not etc.is_dir():
        raise UsageError(f"{etc}: there is no such directory; name it with --asterisk-etc DIR.")


def _part(etc: Path, name: str, text: str) -> Change:
    return Change(etc / name, _read(etc / name), text)


def _missing(etc: Path, settings: Settings, file: str) -> Change:
    return Change(etc / file, None, bundle.top_file(settings, file))


def _with_includes(etc: Path, settings: Settings, file: str, wanted: list[str]) -> Change:
    before = _read(etc / file)
    text = bundle.top_file(settings, file) if before is None else before
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if _included(line) is None or _included(line) in wanted]
    present = [name for name in map(_included, kept) if name]
    added = [f"#tryinclude {PARTS_FOLDER}{part}.conf {COMMENT}\n" for part in wanted if part not in present]
    if before is None and not wanted:
        return Change(etc / file, None, None)
    if added and kept and not kept[-1].endswith("\n"):
        kept[-1] += "\n"
    return Change(etc / file, before, "".join(kept + added))


def _without_includes(file: Path) -> Change:
    before = _read(file)
    if before is None:
        return Change(file, None, None)
    bare = "".join(line for line in before.splitlines(keepends=True) if _included(line) is None)
    backup = _read(_backup_of(file))
    if backup is not None:
        return Change(file, before, backup if backup.rstrip("\n") == bare.rstrip("\n") else bare)
    return Change(file, before, None if _made_by_us(bare) else bare)


def _unmade(file: Path) -> Change:
    before = _read(file)
    return Change(file, before, None if before is not None and _made_by_us(before) else before)


def _made_by_us(text: str) -> bool:
    return text.startswith(f"; {bundle.MARKER}\n")


def _included(line: str) -> str | None:
    """The part an include line of ours names; None for any other line."""
    match = _OUR_LINE.fullmatch(line.rstrip("\n"))
    return match[1] if match else None


def _own_files(etc: Path) -> list[Path]:
    """The files we know as ours; others in the folder are not touched."""
    names = [f"{PARTS_FOLDER}{part}.conf" for parts in PARTS_OF.values() for part in parts]
    return [etc / name for name in names if (etc / name).is_file()]


def _read(file: Path) -> str | None:
    """The text with its line ends as they are; any bytes can be written back unharmed."""
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{file}: it cannot be read ({error.strerror}); run this as root.") from None


def _write(change: Change) -> None:
    if change.after is None:
        change.file.unlink()
    elif change.before is None or change.ours:
        bundle.write_private(change.file, change.after)
    else:
        _replace(change.file.resolve(), change.after)


def _replace(file: Path, text: str) -> None:
    """Write a file anew that keeps its owner and permissions; a symbolic link has been followed before."""
    new = file.with_name(file.name + ".new")
    stat = file.stat()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(text.encode("utf-8", "surrogateescape"))
        os.fchmod(descriptor, stat.st_mode & 0o7777)
        if os.geteuid() == 0:
            os.fchown(descriptor, stat.st_uid, stat.st_gid)
    new.replace(file)


def _keep_backup(file: Path) -> None:
    """The first one stays: it is the file from before us."""
    backup = _backup_of(file)
    if not backup.exists():
        shutil.copy2(file, backup)
        if os.geteuid() == 0:
            stat = file.stat()
            os.chown(backup, stat.st_uid, stat.st_gid)


def _backup_of(file: Path) -> Path:
    return file.with_name(file.name + BACKUP_SUFFIX)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _diff(etc: Path, change: Change) -> str:
    name = str(change.file.relative_to(etc))
    old = (change.before or "").splitlines(keepends=True)
    new = (change.after or "").splitlines(keepends=True)
    source = "/dev/null" if change.before is None else f"a/{name}"
    target = "/dev/null" if change.after is None else f"b/{name}"
    lines = difflib.unified_diff(old, new, source, target)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _problem(change: Change) -> str:
    if change.before is None:
        return "is missing"
    if change.after is None:
        return "is left over"
    have, want = change.before.splitlines(), change.after.splitlines()
    missing = [line for line in want if line not in have]
    extra = [line for line in have if line not in want]
    if missing and not change.ours:
        return f"lacks the line {missing[0].split(' ;')[0]}"
    number = next((n for n, (a, b) in enumerate(zip(have, want, strict=False), 1) if a != b), len(have))
    if missing or extra:
        return f"differs from line {number} on"
    return f"has its lines in another order from line {number} on"
