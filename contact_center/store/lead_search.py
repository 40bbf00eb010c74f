"""A long list is searched for the leads that a filter wants in pieces, so that no look holds the writer for long.

A pass goes over all leads of a campaign that wait, by their keys, a piece at each look. What it finds is kept in the
dialling order and checked once more before it is taken; leads that change meanwhile are found by the next pass, which
begins when something was told of leads, and else after a while.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, column, text
from sqlalchemy.orm import Session

from contact_center.models import Instant, Lead
from contact_center.store.claim_sql import FORBIDDEN, NO_LIVE_CALL, TAKEN, Asked, LeadClass, may_take
from contact_center.store.filter_sql import condition
from contact_center.store.prepared import Prepared
from contact_center.store.tables import table_of
from contact_center.terms import LeadState

LARGE = 8_000
"""Where fewer leads wait, each look goes over them all."""
PIECE = 4_000
"""Leads that one look goes over."""
KEPT = 2_000
"""Found leads that are kept, the first in the dialling order."""
ANEW = timedelta(seconds=30)
"""After so long a pass is made again, whatever was told."""

_CHECKED = 100
_LAST = 1 << 62
_LEAD = table_of(Lead)
_STATES = (LeadState.NEW.value, LeadState.DUE.value)
_COUNT = Prepared(
    text("""
        SELECT count(*) AS leads FROM (
            SELECT 1 AS one FROM lead WHERE campaign_id = :campaign AND state IN ('new', 'due') LIMIT :most
        ) AS waiting
    """).columns(column("leads"))
)
_END = Prepared(
    text("""
        SELECT id FROM lead WHERE campaign_id = :campaign AND state = :state AND id > :after
        ORDER BY id LIMIT 1 OFFSET :piece
    """).columns(column("id"))
)


@lru_cache(maxsize=256)
def _piece(wanted: str, dialect: str) -> Prepared:
    """What a filter wants of a piece; parameters campaign, state, after, upto."""
    asked = condition(wanted, dialect)
    statement = asked.bind(
        text(f"""
            SELECT id, priority, zones, next_attempt_at, (last_agent <> '' OR callback_at IS NOT NULL) AS served
            FROM lead{" INDEXED BY ix_lead_state" if dialect == "sqlite" else ""}
            WHERE campaign_id = :campaign AND state = :state AND id > :after AND id <= :upto{asked.sql}
        """)
    )
    return Prepared(
        statement.columns(*(_LEAD.c[name] for name in ("id", "priority", "zones", "next_attempt_at")), column("served"))
    )


@lru_cache(maxsize=256)
def _checked(wanted: str, dialect: str) -> Prepared:
    """Of some leads those that may be taken, as rows of the claim; parameters campaign, ids, now."""
    asked = condition(wanted, dialect)
    ids = "SELECT value FROM json_each(:ids)" if dialect == "sqlite" else "SELECT unnest(CAST(:ids AS integer[]))"
    statement = asked.bind(
        text(f"""
            SELECT {", ".join(f"lead.{name}" for name in TAKEN)}, {FORBIDDEN} AS is_forbidden FROM lead
            WHERE id IN ({ids}) AND campaign_id = :campaign
                AND (state = 'new' OR state = 'due' AND next_attempt_at <= :now) AND {NO_LIVE_CALL}{asked.sql}
            {"" if dialect == "sqlite" else "FOR UPDATE OF lead SKIP LOCKED"}
        """)
    ).bindparams(bindparam("now", type_=Instant()))
    return Prepared(statement.columns(*(_LEAD.c[name] for name in TAKEN), column("is_forbidden")))


@dataclass(slots=True, eq=False)
class LeadSearch:
    """Of one campaign, used in the writer's thread; ``renew`` may be called in any.

    ``due_at``: when the next lead is due that the last pass found to be due later. ``goes_on``: the last look has not
    gone over everything.
    """

    large: int = LARGE
    piece: int = PIECE
    kept: int = KEPT
    is_large: bool = False
    goes_on: bool = False
    due_at: datetime | None = None
    _is_old: bool = True
    _asked: tuple[str, tuple[LeadClass, ...], frozenset[str]] = ("", (), frozenset())
    _began: datetime | None = None
    _looked: datetime | None = None
    _at: tuple[int, int] | None = None  # the state that is gone over, by its place, and behind which lead
    _found: list[int] = field(default_factory=list)
    _finding: list[tuple[Any, ...]] = field(default_factory=list)
    _is_cut: bool = False
    _later: datetime | None = None

    @property
    def is_small(self) -> bool:
        """Whether it is known that so few leads wait that all may be gone over at once."""
        return self._began is not None and not self.is_large

    def renew(self) -> None:
        """Leads were added or changed: after the pass under way another one is made."""
        self._is_old = True

    def leads(
        self,
        session: Session,
        campaign_id: int,
        campaign: Asked,
        zones: Collection[str] | None,
        now: datetime,
        few: int,
    ) -> list[Any] | None:
        """The first ``few`` leads that may be taken, as far as one look tells; None: ask for them at once."""
        classes, wanted = campaign.classes, campaign.wanted
        asked = (wanted, classes, frozenset(zones or ()))
        if not wanted or zones is None:
            self.is_large = self.goes_on = False
            return None
        if asked != self._asked:
            self._asked, self._at, self._found, self._is_old = asked, None, [], True
        if self._at is None and self._is_due(now):
            self._begin(session, campaign_id, now)
        if not self.is_large:
            self.goes_on = False
            return None
        if self._at is not None and self._looked != now:
            self._looked = now
            self._look(session, campaign_id, *self._at)
        rows = self._check(session, campaign_id, now, few)
        more = self._is_cut if not self._found else len(rows) < min(few, len(self._found))
        self.goes_on = self._at is not None or self._is_old or more
        return rows

    def _is_due(self, now: datetime) -> bool:
        """Whether a pass is to begin."""
        if self._is_old or self._began is None or not self._began <= now < self._began + ANEW:
            return True
        return (self._is_cut and not self._found) or (self.due_at is not None and self.due_at <= now)

    def _begin(self, session: Session, campaign_id: int, now: datetime) -> None:
        self._is_old, self._began = False, now
        counted = _COUNT.first(session, {"campaign": campaign_id, "most": self.large + 1})
        self.is_large = counted.leads > self.large
        self._at, self._finding, self._is_cut, self._later = ((0, 0) if self.is_large else None), [], False, None
        self.due_at = None

    def _look(self, session: Session, campaign_id: int, place: int, after: int) -> None:
        """Go over the next piece; at the end what was found takes the place of what the last pass found."""
        wanted, classes, _ = self._asked
        state = _STATES[place]
        end = None
        if any(may_take(wanted, one) for one in classes if one.is_timed == (state == LeadState.DUE)):
            where = {"campaign": campaign_id, "state": state, "after": after}
            end = _END.first(session, {**where, "piece": self.piece - 1})
            found = _piece(wanted, session.get_bind().dialect.name)
            for row in found.rows(session, {**where, "upto": end.id if end is not None else _LAST}):
                self._take(row, state)
        if len(self._finding) > 2 * self.kept:
            self._cut()
        if end is not None:
            self._at = (place, end.id)
        elif place + 1 < len(_STATES):
            self._at = (place + 1, 0)
        else:
            self._cut()
            self._at, self._found, self.due_at = None, [key[-1] for key in self._finding], self._later
            self._finding = []

    def _take(self, row: Any, state: str) -> None:
        """Keep what is due in an open place, by its place in the dialling order; of others, when the first is due."""
        _, classes, zones = self._asked
        at = row.next_attempt_at
        if row.zones not in zones or (state == LeadState.DUE and at is None):
            return
        if state == LeadState.DUE and self._began is not None and at > self._began:
            self._later = at if self._later is None else min(self._later, at)
            return
        index = "ix_lead_new" if state == LeadState.NEW else "ix_lead_served" if row.served else "ix_lead_retry"
        rank = next(n for n, one in enumerate(classes) if one.index == index)
        first = -row.id if state == LeadState.NEW else at
        self._finding.append((rank, -row.priority, first, row.id))

    def _cut(self) -> None:
        self._finding.sort()
        self._is_cut |= len(self._finding) > self.kept
        del self._finding[self.kept :]

    def _check(self, session: Session, campaign_id: int, now: datetime, few: int) -> list[Any]:
        """Those of the first found ones that may still be taken; the others are forgotten."""
        wanted, _, zones = self._asked
        ids = self._found[: max(2 * few, _CHECKED)]
        if not ids:
            return []
        dialect = session.get_bind().dialect.name
        parameters = {"campaign": campaign_id, "ids": json.dumps(ids) if dialect == "sqlite" else ids, "now": now}
        rows = {row.id: row for row in _checked(wanted, dialect).rows(session, parameters) if row.zones in zones}
        self._found[: len(ids)] = [id_ for id_ in ids if id_ in rows]
        return [rows[id_] for id_ in ids if id_ in rows][:few]
