"""`lead import`: a file becomes leads, all rows or none, without holding up a running serve.

The file is read to its end into batches that nobody can dial; then they are released one by one, each in a
transaction of some milliseconds. An import that was cut short leaves nothing behind but batches, which the
next import throws away, or brings to their end if the file had been read.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

from sqlalchemy import Engine, select
from sqlmodel import col

from contact_center.carriers import ANY_TRUNK, Carriers
from contact_center.clock import Clock
from contact_center.console.spreadsheet import safe_cell
from contact_center.errors import CallwrightError, UsageError
from contact_center.models import Agent, Campaign
from contact_center.settings import Site
from contact_center.store import admin_imports
from contact_center.store.admin import By
from contact_center.store.admin_imports import BATCH_ROWS, RELEASING
from contact_center.store.admin_leads import LeadDraft
from contact_center.store.engine import reading, writing
from contact_center.store.expiry import lead_expires
from contact_center.store.queries import find_campaign
from contact_center.store.queries_leads import campaign_names
from dialer.lead_file import Good, LeadFile, Reject

GAP_SECONDS = 0.03
"""Between two batches, so that others get the write lock: SQLite asks for it again within 25 ms at first."""

Dedupe = Literal["campaign", "system", "none"]
OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class ImportResult:
    """What came of a file.

    Of the imported leads ``dnc`` are on the do-not-call list and never dialled, and ``not_carried`` are closed since
    no trunk may carry their numbers.
    """

    imported: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejects_file: str | None = None
    seconds: float = 0.0
    dnc: int = 0
    not_carried: int = 0

    def as_json(self) -> dict[str, Any]:
        """The contract's form."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What is to be imported, how, and where rejected rows go (``rejects`` None: beside the file)."""

    campaign: str
    file: Path
    dedupe: Dedupe = "campaign"
    encoding: str | None = None
    rejects: Path | None = None

    @property
    def rejects_path(self) -> Path:
        """``FILE.rejects.csv`` unless told otherwise."""
        return self.rejects or self.file.with_name(self.file.name + ".rejects.csv")


class _Rejects:
    """The rows that became no leads, written as they come; no row, no file."""

    def __init__(self, path: Path, header: Callable[[], list[str]]) -> None:
        self._path, self._header = path, header
        self._file: TextIO | None = None
        self._writer: Any = None
        self.count = 0

    def __enter__(self) -> Self:
        self._prepare(lambda: self._path.unlink(missing_ok=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, reject: Reject) -> None:
        """One row with its line and reason. Raises UsageError when the file cannot be written."""
        if self._file is None:
            self._prepare(self._open)
        self._writer.writerow([reject.line, reject.reason, *map(safe_cell, reject.cells)])
        self.count += 1

    def _open(self) -> None:
        handle = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        self._file = os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["line", "reason", *map(safe_cell, self._header())])

    def _prepare(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            raise UsageError(
                f"{self._path}: rejected rows cannot be written here ({error.strerror}); "
                "name another file by --rejects."
            ) from None


@dataclass(slots=True)
class LeadImporter:
    """Imports files into one database. ``step`` bytes are told to ``on_progress`` as they are read.

    ``carriers_of``: the trunks that a campaign with such a ``trunk`` uses; without it nothing is asked of them.
    """

    engine: Engine
    clock: Clock
    site: Site
    actor: str
    on_progress: OnProgress = field(default=lambda done, size: None)
    carriers_of: Callable[[Sequence[str]], Carriers] = field(default=lambda named: ANY_TRUNK)

    def settle(self) -> int:
        """Bring imports whose program died to their end, or throw them away; how many leads came of it."""
        read_through: list[tuple[int, str]] = []
        with writing(self.engine) as session:
            names = campaign_names(session)
            for row in admin_imports.forsaken(session, self.clock.now()):
                if row.state == RELEASING:
                    read_through.append((row.id or 0, names[row.campaign_id]))
                else:
                    admin_imports.discard(session, row.id or 0)
        total = 0
        for key, campaign in read_through:
            result = self._release(key)
            self._tell(campaign, result)
            total += result.imported
        return total

    def run(self, order: ImportOrder) -> ImportResult:
        """Import a file. Raises UsageError, NotFound or Unreachable; then no lead has come of it."""
        begun = self.clock.monotonic()
        self.settle()
        with reading(self.engine) as session:
            agents = frozenset(session.scalars(select(col(Agent.ext))))
            into = session.scalars(select(Campaign).where(col(Campaign.name) == order.campaign)).first()
            lasts = lead_expires(into) if into is not None else 0.0
        with LeadFile(order.file, self.site, order.encoding, self.clock.now(), agents, lasts) as file:
            if os.path.exists(order.rejects_path) and os.path.samefile(order.rejects_path, order.file):
                raise UsageError(f"{order.rejects_path}: the rejected rows would overwrite the file itself.")
            with writing(self.engine) as session:
                campaign = find_campaign(session, order.campaign)
                by = By(self.actor, self.clock.now())
                key = admin_imports.begin_import(session, by, campaign, order.dedupe)
            try:
                rejected = self._read(file, key, order)
            except BaseException:
                self._discard(key)
                raise
        result = self._release(key)
        result.rejected = rejected
        result.rejects_file = str(order.rejects_path) if rejected else None
        result.seconds = self.clock.monotonic() - begun
        self._tell(order.campaign, result)
        return result

    def _read(self, file: LeadFile, key: int, order: ImportOrder) -> int:
        """Read the file to its end; how many rows were rejected."""
        batch: list[LeadDraft] = []
        with _Rejects(order.rejects_path, lambda: file.header) as rejects:
            for row in file.rows():
                if isinstance(row, Good):
                    batch.append(row.draft)
                else:
                    rejects.write(row)
                if len(batch) >= BATCH_ROWS:
                    self._stage(key, batch)
                    batch = []
                    self.on_progress(file.position, 2 * file.size)
            if batch:
                self._stage(key, batch)
        with writing(self.engine) as session:
            admin_imports.finish_reading(session, key, self.clock.now())
        self.on_progress(file.size, 2 * file.size)
        return rejects.count

    def _stage(self, key: int, batch: list[LeadDraft]) -> None:
        with writing(self.engine) as session:
            admin_imports.stage(session, key, batch, self.clock.now())

    def _release(self, key: int) -> ImportResult:
        """Let the leads of an import that was read to its end be dialled."""
        result = ImportResult()
        with writing(self.engine) as session:
            waiting = admin_imports.batches_left(session, key)
        done = 0
        while True:
            with writing(self.engine) as session:
                released = admin_imports.release_next(session, key, self.clock.now(), self.carriers_of)
            if released is None:
                return result
            done, waiting = done + 1, max(waiting, done + 1)
            result.imported += released.imported
            result.duplicates += released.duplicates
            result.dnc += released.dnc
            result.not_carried += released.not_carried
            self.on_progress(waiting + done, 2 * waiting)
            time.sleep(GAP_SECONDS)

    def _discard(self, key: int) -> None:
        # What cannot be thrown away now, the next import throws away.
        with suppress(CallwrightError), writing(self.engine) as session:
            admin_imports.discard(session, key)

    def _tell(self, campaign: str, result: ImportResult) -> None:
        told = {key: value for key, value in result.as_json().items() if key != "rejects_file"}
        with writing(self.engine) as session:
            by = By(self.actor, self.clock.now())
            by.note(session, "campaign", campaign, "leads", told, obey=True)
