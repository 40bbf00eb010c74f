"""Where one Asterisk keeps its files, as that Asterisk sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPOOL_PARTS = ("recording", "monitor", "outgoing", "tmp", "system", "voicemail")


@dataclass(frozen=True)
class Layout:
    """Directories as absolute paths inside the Asterisk's own root.

    ``base`` is None for an Asterisk that keeps its built-in directories for everything but ``etc``.
    """

    etc: str
    base: str | None = None

    @classmethod
    def under(cls, base: str) -> Layout:
        """An Asterisk of its own: everything it writes lies under ``base``."""
        return cls(etc=f"{base}/etc", base=base)

    def lines(self) -> str:
        """The body of ``[directories]`` of asterisk.conf; modules and sounds stay where they were built."""
        lines = [f"astetcdir => {self.etc}"]
        if self.base is not None:
            lines += [
                f"astcachedir => {self.base}/cache",
                f"astvarlibdir => {self.base}/lib",
                f"astdbdir => {self.base}/lib",
                f"astkeydir => {self.base}/lib",
                f"astspooldir => {self.base}/spool",
                f"astrundir => {self.base}/run",
                f"astlogdir => {self.base}/log",
            ]
        return "\n".join(lines)

    def create(self, root: Path = Path("/")) -> None:
        """Make the directories of an Asterisk of its own below ``root`` (the chroot's directory, or /)."""
        if self.base is None:
            return
        base = root / self.base.lstrip("/")
        for part in ("etc", "cache", "lib", "run", "log", *(f"spool/{name}" for name in SPOOL_PARTS)):
            (base / part).mkdir(parents=True, exist_ok=True, mode=0o750)
