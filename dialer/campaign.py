"""One campaign in a running dialer: its settings, its calls in flight, and what it has learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, isfinite
from typing import Any

import structlog

from contact_center.dialling import DialOrder
from contact_center.models import Campaign
from contact_center.options import CampaignOptions
from contact_center.store.lead_search import LeadSearch
from contact_center.store.queries import campaign_options
from contact_center.terms import CampaignMode, CampaignState
from dialer.live_odds import Forecast, LiveOdds
from dialer.pacing import Pacer, make_pacer
from dialer.trace import Recorder, Remembers, header
from dialer.windows import Windows

RATE_SECONDS = 1.0  # how long a pacer's answer rate is remembered
LONGEST_SECONDS = 30.0  # between two looks at a campaign of which no lead is due
CAUTION = 0.5  # standard deviations added to the answer rate where odds are told call by call

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LiveCall:
    """A call in flight; the instants are monotonic seconds.

    ``agent``: the extension of who talks. ``person``: it is known that a person answered (with answering machine
    detection that is later than the answer), ``machine``: that none did. ``forecast``: the lead's odds,
    where they were known.
    """

    order: DialOrder
    placed: float
    rang: bool = False
    answered: float | None = None
    person: bool = False
    connected: float | None = None
    agent: str = ""
    withdrawn: bool = False
    dropped: bool = False
    machine: bool = False
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What a campaign brings along: answered and dropped calls by hour, and what was learned of it."""

    windows: Windows = field(default_factory=Windows)
    learned: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a pacer is shown. Ages in seconds; ``odds``: per ringing call, None where all are alike.

    ``waiting``: people who answered and whom no agent's phone is ringing for.
    """

    idle: int
    on_line: int
    ringing: list[float]
    waiting: int
    talking: list[float]
    wrapping: list[float]
    odds: list[float] | None = None
    next_odds: list[float] | None = None

    def told(self) -> dict[str, int]:
        """The state in numbers."""
        counts = {"idle": self.idle, "on_line": self.on_line, "waiting": self.waiting}
        return counts | {name: len(getattr(self, name)) for name in ("ringing", "talking", "wrapping")}


@dataclass(slots=True)
class CampaignRun:
    """A campaign as the dialer holds it.

    ``look_at``: when a lead that waits becomes due, as far as known, so that the database is not asked again
    before something changed; ``stale``: something has. ``search``: for the leads that its filter wants.
    ``coming``: the odds of the next leads, in order. ``write``: where a trace goes, None while none is recorded.
    """

    id: int
    name: str
    mode: CampaignMode
    multiplier: float
    team: str
    state: CampaignState
    options: CampaignOptions
    pacer: Pacer
    windows: Windows
    learned: dict[str, Any]
    has_past: bool
    odds: LiveOdds
    write: Callable[[str], object] | None = None
    live: dict[str, LiveCall] = field(default_factory=dict)
    ringing: dict[str, LiveCall] = field(default_factory=dict)
    waiting: dict[str, LiveCall] = field(default_factory=dict)
    coming: dict[int, Forecast] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    search: LeadSearch = field(default_factory=LeadSearch)
    look_at: datetime | None = None
    stale: bool = True
    may_be_done: bool = True
    reserved: int = 0
    last_placed: float = 0.0
    resolved: int = 0
    answered: int = 0
    answer_rate: float = 1.0
    cautious_rate: float = 0.5
    limit: str = ""
    scene: Scene | None = None
    looked_at: float = 0.0
    _rate_at: float = float("-inf")

    @classmethod
    def of(
        cls, row: Campaign, past: Past | None = None, *, at: float = 0.0, write: Callable[[str], object] | None = None
    ) -> CampaignRun:
        """A campaign from its row; ``at``: epoch seconds."""
        options, known = campaign_options(row), past is not None
        past = past or Past()
        run = cls(
            id=row.id or 0,
            name=row.name,
            mode=CampaignMode(row.mode),
            multiplier=row.multiplier,
            team=row.team,
            state=CampaignState(row.state),
            options=options,
            pacer=make_pacer("progressive"),
            windows=past.windows,
            learned=past.learned,
            has_past=known,
            odds=_odds(past.learned, row.name),
            write=write,
        )
        run.pacer = run._new_pacer(at)
        return run

    def take(
        self, row: Campaign, past: Past | None = None, *, at: float = 0.0, write: Callable[[str], object] | None = None
    ) -> None:
        """Obey a change of the row; the pacer goes on unless what it was made of has changed.

        ``past``: where the campaign did not look ahead before, so that its past was not read.
        """
        before = self._made_of()
        self.learned = self.remember() or self.learned
        if past is not None and not self.has_past:
            self.windows, self.learned, self.has_past = past.windows, past.learned, True
            self.odds = _odds(past.learned, row.name)
        self.mode, self.multiplier, self.team = CampaignMode(row.mode), row.multiplier, row.team
        self.state, self.options, self.write = CampaignState(row.state), campaign_options(row), write
        if self._made_of() != before:
            self.pacer = self._new_pacer(at)
        self.refresh()

    def _made_of(self) -> tuple[object, ...]:
        o = self.options
        return self.mode, self.multiplier, o.limit, o.connect_deadline, o.ring_seconds, self.write is None

    def _new_pacer(self, at: float) -> Pacer:
        """A pacer that goes on with what was learned, as far as it fits the ring time."""
        mode = CampaignMode.PROGRESSIVE if self.mode is CampaignMode.PREVIEW else self.mode
        options = self.options
        settings: dict[str, Any] = {
            "mode": mode.value,
            "target": options.limit,
            "connect_deadline": options.connect_deadline,
            "ring_timeout": options.ring_seconds,
            "multiplier": self.multiplier,
            "windows": self.windows.rows(at, options.limit),
            "history": None,
        }
        if mode is CampaignMode.PREDICTIVE and self.learned.get("ring_seconds") == options.ring_seconds:
            settings["history"] = self.learned.get("pacer")
        try:
            pacer = make_pacer(**settings)
        except ValueError as error:  # an earlier version learned in another form
            log.warning("what was learned cannot be used", action="pace", campaign=self.name, reason=str(error))
            settings["history"] = None
            pacer = make_pacer(**settings)
        if self.write is None:
            return pacer
        self.write(header(self.name, settings))
        return Recorder(pacer, self.write)

    def remember(self) -> dict[str, Any] | None:
        """What has been learned, for the next start; None where there is nothing to learn."""
        pacer = self.pacer
        if self.mode is not CampaignMode.PREDICTIVE or not isinstance(pacer, Remembers):
            return None
        kept = {"ring_seconds": self.options.ring_seconds, "pacer": pacer.remember()}
        return {**kept, "odds": self.odds.state(), "odds_report": self.odds.report()}

    def refresh(self) -> None:
        """Leads were added or changed: look again at once."""
        self.look_at, self.stale, self.may_be_done = None, True, True
        self.search.renew()

    def idle_seconds(self, at: datetime) -> float:
        """How long no lead is due, as far as known; 0 for no time, also where the clock was turned back since."""
        left = (self.look_at - at).total_seconds() if self.look_at is not None else 0.0
        return left if 0.0 < left <= LONGEST_SECONDS else 0.0

    # -- calls ----------------------------------------------------------------------------------------

    def add(self, call: LiveCall) -> None:
        """A call is on its way, or was found so."""
        key = call.order.channel_id
        self.live[key] = call
        if call.answered is None:
            self.ringing[key] = call
        elif call.connected is None:
            self.waiting[key] = call

    def move(self, call: LiveCall) -> None:
        """A call was answered, connected, or has ended (then it is in ``live`` no more)."""
        key = call.order.channel_id
        for state, now_here in (
            (self.ringing, call.answered is None),
            (self.waiting, call.answered is not None and call.connected is None and not (call.dropped or call.machine)),
        ):
            if now_here and key in self.live:
                state[key] = call
            else:
                state.pop(key, None)

    def resolve(self, call: LiveCall, *, answered: bool) -> None:
        """It is known whether a person answered."""
        self.resolved += 1
        self.answered += answered
        if call.forecast is not None:
            self.odds.observe(call.forecast, answered)
        if not self.looks_ahead:  # others that share its agents want to know; its own pacer learns nothing
            self.cautious_rate = (self.answered + 5.0) / (self.resolved + 10.0)

    @property
    def in_flight(self) -> bool:
        """Whether calls compete for agents."""
        return bool(self.ringing or self.waiting or self.reserved)

    @property
    def agents_claimed(self) -> int:
        """How many free agents this campaign's unanswered calls are meant for."""
        calls = len(self.ringing) + self.reserved
        if self.mode is CampaignMode.PREDICTIVE:
            return ceil(calls * self.answer_rate)
        return calls if self.mode is not CampaignMode.POWER else ceil(calls / max(self.multiplier, 0.1))

    def chance(self, forecast: Forecast | None) -> float:
        """The odds of one call, as far as its lead is told from the others."""
        if forecast is None or not self.odds.useful:
            return self.cautious_rate
        return min(max(self.cautious_rate * self.odds.relative(forecast), 0.001), 0.98)

    def next_odds(self) -> list[float] | None:
        """The odds of the leads that come next, in order; None while nothing is known of them."""
        if not self.looks_ahead or not self.odds.useful or not self.coming:
            return None
        odds = [self.chance(forecast) for forecast in self.coming.values()]
        return sorted(odds, reverse=True) if self.options.choose_by_odds else odds

    # -- deciding -------------------------------------------------------------------------------------

    @property
    def looks_ahead(self) -> bool:
        """Whether it dials for agents who are not free yet."""
        return self.mode is CampaignMode.PREDICTIVE

    @property
    def obeys_law(self) -> bool:
        """Whether a profile limits how many calls may be abandoned."""
        return self.options.profile != "none"

    def wants(self, now: float, scene: Scene, at: float = 0.0) -> int:
        """How many calls the pace asks for. ``now``: monotonic, ``at``: epoch seconds."""
        self.scene, self.limit, self.looked_at = scene, "", at
        placed = self.pacer.decide(
            now,
            scene.ringing,
            scene.idle,
            scene.talking,
            scene.wrapping,
            scene.on_line,
            scene.waiting,
            scene.odds,
            scene.next_odds,
        )
        one_each = max(scene.idle - len(scene.ringing) - scene.waiting, 0)
        if not self.looks_ahead:
            if placed > one_each and self.obeys_law and (used_up := self.windows.used_up(at, self.options.limit)):
                placed, self.limit = one_each, used_up
            return placed
        if now - self._rate_at >= RATE_SECONDS:
            self._rate_at = now
            told = self.pacer.explain()
            self.answer_rate = float(told["answer_rate"])
            self.cautious_rate = min(self.answer_rate + CAUTION * float(told["answer_rate_sd"]), 0.98)
        if placed > one_each and (forbidden := self.windows.forbids(at, self.options.limit)):
            placed, self.limit = one_each, forbidden
        return placed

    def explain(self, limit: str, claimed: int) -> dict[str, Any]:
        """The last decision for `why campaign`: the pacer's numbers, what it saw and what held it back."""
        told = {key: value for key, value in self.pacer.explain().items() if not _endless(value)}
        seen = self.scene.told() if self.scene else {}
        if self.limit:
            told |= {"reason": self.limit, "binding": "hard limit"}
        return {
            **told,
            **(self.windows.explain(self.looked_at) if self.looks_ahead else {}),
            **seen,
            "mode": self.mode.value,
            "held_back_by": self.limit or limit,
            "claimed": claimed,
        }


def _endless(value: Any) -> bool:
    """Infinity is no number in JSON."""
    return isinstance(value, float) and not isfinite(value)


def _odds(learned: dict[str, Any], name: str) -> LiveOdds:
    odds = LiveOdds()
    if state := learned.get("odds"):
        try:
            odds.restore(state)
        except ValueError as error:
            log.warning("the odds per lead are learned anew", action="pace", campaign=name, reason=str(error))
            return LiveOdds()
    return odds
