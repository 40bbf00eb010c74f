"""One campaign in a running dialer: its settings, its calls in flight, and what it wants next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from contact_center.dialling import DialOrder
from contact_center.models import Campaign
from contact_center.options import CampaignOptions
from contact_center.store.queries import campaign_options
from contact_center.terms import CampaignMode, CampaignState
from dialer.pacing import Pacer, make_pacer


@runtime_checkable
class Remembers(Protocol):
    """A pacer that can tell what it has learned."""

    def remember(self) -> dict[str, Any]:
        """For ``history=`` of the next one."""
        ...


@dataclass(slots=True)
class LiveCall:
    """A call in flight; the instants are monotonic seconds."""

    order: DialOrder
    placed: float
    rang: bool = False
    answered: float | None = None
    connected: float | None = None
    agent: int = 0
    withdrawn: bool = False


@dataclass(slots=True)
class CampaignRun:
    """A campaign as the dialer holds it.

    ``next_due_at``: when a lead that waits becomes due, as far as known; ``exhausted_at`` remembers that the
    last look found nothing to call, so that the database is not asked again before something changed.
    """

    id: int
    name: str
    mode: CampaignMode
    multiplier: float
    team: str
    state: CampaignState
    options: CampaignOptions
    pacer: Pacer
    live: dict[str, LiveCall] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    look_at: datetime | None = None
    stale: bool = True
    reserved: int = 0
    last_placed: float = 0.0
    checked: float = 0.0
    dropped: int = 0
    answered: int = 0

    @classmethod
    def of(cls, row: Campaign) -> CampaignRun:
        """A campaign from its row."""
        options = campaign_options(row)
        return cls(
            id=row.id or 0,
            name=row.name,
            mode=CampaignMode(row.mode),
            multiplier=row.multiplier,
            team=row.team,
            state=CampaignState(row.state),
            options=options,
            pacer=_pacer(CampaignMode(row.mode), row.multiplier, options),
        )

    def take(self, row: Campaign) -> None:
        """Obey a change of the row; the pacer is kept where its rule did not change."""
        options = campaign_options(row)
        if (row.mode, row.multiplier) != (self.mode, self.multiplier) or options != self.options:
            learned = self._learned() if options.ring_seconds == self.options.ring_seconds else None
            self.pacer = _pacer(CampaignMode(row.mode), row.multiplier, options, learned)
        self.mode, self.multiplier = CampaignMode(row.mode), row.multiplier
        self.team, self.state, self.options = row.team, CampaignState(row.state), options
        self.refresh()

    def _learned(self) -> dict[str, Any] | None:
        """What a predictive pacer has learned; a change of settings must not make it forget.

        Its laws reach to the ring timeout, so they do not outlive a change of that.
        """
        return self.pacer.remember() if isinstance(self.pacer, Remembers) else None

    def refresh(self) -> None:
        """Leads were added or changed: look again at once."""
        self.look_at, self.stale = None, True

    @property
    def ringing(self) -> list[LiveCall]:
        """Calls that nobody has answered yet."""
        return [call for call in self.live.values() if call.answered is None]

    @property
    def waiting(self) -> int:
        """People who answered and have no agent."""
        return sum(1 for c in self.live.values() if c.answered is not None and c.connected is None)

    @property
    def agents_claimed(self) -> float:
        """How many free agents this campaign's unanswered calls are meant for."""
        calls = len(self.ringing) + self.reserved
        if self.mode is CampaignMode.PREDICTIVE:
            return float(calls * self.pacer.explain().get("answer_rate", 1.0))
        return calls if self.mode is CampaignMode.PROGRESSIVE else calls / max(self.multiplier, 0.1)

    @property
    def call_ids(self) -> set[str]:
        """Ids of the calls in flight."""
        return {call.order.call_id for call in self.live.values()}

    def wants(
        self, now: float, idle: int, on_line: int, talking: list[float], wrapping: list[float], waiting: int
    ) -> int:
        """How many calls the pace asks for, those whose intent is being committed included.

        ``waiting``: people who answered and whom no agent's phone is ringing for.
        """
        ages = [now - call.placed for call in self.ringing] + [0.0] * self.reserved
        return self.pacer.decide(now, ages, idle, talking, wrapping, on_line, waiting)

    def explain(self, at: datetime, limit: str, placed: int) -> dict[str, Any]:
        """The last decision for `why campaign`: the pacer's numbers and what held it back."""
        return {**self.pacer.explain(), "mode": self.mode.value, "held_back_by": limit, "claimed": placed}


def _pacer(
    mode: CampaignMode, multiplier: float, options: CampaignOptions, history: dict[str, Any] | None = None
) -> Pacer:
    if mode is CampaignMode.PREVIEW:
        mode = CampaignMode.PROGRESSIVE
    return make_pacer(
        mode.value,
        target=options.abandonment_limit,
        connect_deadline=options.connect_deadline,
        ring_timeout=options.ring_seconds,
        multiplier=multiplier,
        history=history,
    )
