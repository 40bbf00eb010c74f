"""The abandonment ledgers of a campaign, counted from its attempts: 24 hours, 30 days, month, any stretch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Float, bindparam, case, func, select
from sqlalchemy.orm import Session

from contact_center.clock import iso
from contact_center.law.abandonment import MACHINE_CODES, Stretch, Tally, periods, stretch_of
from contact_center.law.books import PROFILES
from contact_center.law.force import RulesInForce, rules_for
from contact_center.law.places import Places
from contact_center.law.rules import LedgerWindow
from contact_center.models import Attempt, Call, Campaign, Instant
from contact_center.store.queries import campaign_id, campaign_options
from contact_center.store.report_detection import false_machines
from contact_center.store.tables import table_of
from contact_center.terms import AttemptState, Outcome

_ATTEMPT, _CALL = table_of(Attempt), table_of(Call)
_SINCE, _UNTIL = bindparam("p_since", type_=Instant()), bindparam("p_until", type_=Instant())
_ANSWERED_BY = (Outcome.CONNECTED, Outcome.NO_FREE_OPERATORS, Outcome.TECHNICAL_ERROR, Outcome.MACHINE)
_WAITED = _CALL.c.answer_to_agent_seconds
_WITHIN: BindParameter[float] = bindparam("p_within", type_=Float())
_GREETED = func.coalesce(_CALL.c.record["greeting_seconds"].as_float(), 0.0)
_IS_LATE = (_WAITED > _WITHIN) & (_WAITED > _WITHIN + _GREETED)
_BY_MACHINE = _CALL.c.disposition.in_(MACHINE_CODES)

_COUNTS = (
    select(
        _ATTEMPT.c.outcome,
        func.count().label("calls"),
        func.coalesce(func.sum(case((_BY_MACHINE, 1), else_=0)), 0).label("machines"),
        func.coalesce(func.sum(case((_IS_LATE & ~_BY_MACHINE, 1), else_=0)), 0).label("late"),
    )
    .select_from(_ATTEMPT.join(_CALL, _CALL.c.id == _ATTEMPT.c.call_id))
    .where(
        _ATTEMPT.c.campaign_id == bindparam("p_campaign"),
        _ATTEMPT.c.outcome.in_([outcome.value for outcome in _ANSWERED_BY]),
        _ATTEMPT.c.answered_at >= _SINCE,
        _ATTEMPT.c.answered_at < _UNTIL,
    )
    .group_by(_ATTEMPT.c.outcome)
)
_UNPROVEN = select(func.count()).where(
    _ATTEMPT.c.campaign_id == bindparam("p_campaign"),
    _ATTEMPT.c.state == AttemptState.UNKNOWN.value,
    _ATTEMPT.c.answered_at.is_(None),
    _ATTEMPT.c.intent_at >= _SINCE,
    _ATTEMPT.c.intent_at < _UNTIL,
)
_FIRST_ANSWER = select(func.min(_ATTEMPT.c.answered_at)).where(
    _ATTEMPT.c.campaign_id == bindparam("p_campaign"),
    _ATTEMPT.c.outcome.in_([outcome.value for outcome in _ANSWERED_BY]),
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """One window of a campaign. ``limit``: the strictest of the law's and the campaign's own; None: not limited.

    ``false_machines``: persons taken for machines, by measure; they count as abandoned for ``is_kept``.
    """

    stretch: Stretch
    limit: float | None
    tally: Tally
    false_machines: int = 0

    @property
    def counted(self) -> Tally:
        """The tally with those who were taken for machines among the abandoned."""
        return self.tally.with_false_machines(self.false_machines)

    @property
    def is_kept(self) -> bool:
        """Whether the share of abandoned calls is within the limit."""
        tally = self.counted
        return self.limit is None or tally.rate is None or tally.abandoned <= self.limit * tally.answered + 1e-9

    @property
    def words(self) -> str:
        """The whole numbers and their share: ``41 / 1502 = 2.73 %``."""
        return _figures(self.tally)

    @property
    def counted_words(self) -> str:
        """The same with those who were taken for machines, where there are any."""
        taken = f" ({self.false_machines} of them persons taken for machines)" if self.false_machines else ""
        return f"{_figures(self.counted)}{taken}"

    def as_json(self) -> dict[str, Any]:
        """Whole numbers, both formulas as fractions, and what is left of the limit."""
        tally = self.tally
        return {
            "window": self.stretch.name,
            "since_at": iso(self.stretch.since),
            "until_at": iso(self.stretch.until),
            "limit": self.limit,
            **asdict(tally),
            "abandoned": tally.abandoned,
            "answered_by_people": tally.answered,
            "abandonment": _rounded(tally.rate),
            "abandonment_upper": _rounded(tally.upper_rate),
            "abandonment_ofcom": _rounded(tally.ofcom_rate),
            "false_machines": self.false_machines,
            "abandonment_with_false_machines": _rounded(self.counted.rate),
            "kept": self.is_kept,
            "room": None if self.limit is None else self.counted.room(self.limit),
            "figures": self.words,
        }


def tally(session: Session, campaign: int, stretch: Stretch, within_seconds: float | None) -> Tally:
    """The answered calls of a campaign in a stretch of time, by the instant of the answer.

    ``within_seconds``: by when an agent must be on the line; None: however late he came, he came.
    """
    parameters = {
        "p_campaign": campaign,
        "p_since": stretch.since,
        "p_until": stretch.until,
        "p_within": 1e9 if within_seconds is None else within_seconds,
    }
    connection = session.connection()
    rows = {row.outcome: row for row in connection.execute(_COUNTS, parameters)}
    connected = rows.get(Outcome.CONNECTED)
    return Tally(
        connected=int(connected.calls - connected.late) if connected else 0,
        agent_machines=int(connected.machines) if connected else 0,
        late=int(connected.late) if connected else 0,
        dropped=_calls(rows.get(Outcome.NO_FREE_OPERATORS)),
        left_early=_calls(rows.get(Outcome.TECHNICAL_ERROR)),
        machines=_calls(rows.get(Outcome.MACHINE)),
        unproven=int(connection.execute(_UNPROVEN, parameters).scalar_one()),
    )


def campaign_rules(profile: str, at: datetime, site_zone: str) -> RulesInForce:
    """The rules of a campaign as a whole: those of its profile's country, wherever its leads are."""
    home = PROFILES.get(profile, "")
    return rules_for(Places((site_zone,), (site_zone,), (home,) if home else ()), at, profile=profile)


def ledger(session: Session, campaign: Campaign, window: LedgerWindow, now: datetime, site_zone: str) -> Ledger:
    """One window of a campaign that ends now, with the limit that holds in it."""
    options = campaign_options(campaign)
    rules = campaign_rules(options.profile, now, site_zone)
    limits = [limit for limit in (rules.abandonment.get(window), options.abandonment_limit) if limit is not None]
    stretch = stretch_of(window, now, site_zone)
    return _counted(session, campaign_id(campaign), stretch, rules.message_seconds, min(limits, default=None))


def _counted(session: Session, key: int, stretch: Stretch, within_seconds: float | None, limit: float | None) -> Ledger:
    found = tally(session, key, stretch, within_seconds)
    return Ledger(stretch, limit, found, false_machines(session, key, stretch, found.machines))


def ledgers(session: Session, campaign: Campaign, now: datetime, site_zone: str) -> list[Ledger]:
    """The last 24 hours, the last 30 days, and the month where a law counts by it."""
    rules = campaign_rules(campaign_options(campaign).profile, now, site_zone)
    windows = [LedgerWindow.HOURS_24, LedgerWindow.DAYS_30]
    windows += [LedgerWindow.MONTH] if LedgerWindow.MONTH in rules.abandonment else []
    return [ledger(session, campaign, window, now, site_zone) for window in windows]


def abandonment_document(
    session: Session, campaign: Campaign, now: datetime, site_zone: str, asked: Stretch | None = None
) -> dict[str, Any]:
    """What `report abandonment` shows of a campaign: its windows, each 30-day period, and the stretch asked for."""
    options = campaign_options(campaign)
    rules = campaign_rules(options.profile, now, site_zone)
    key = campaign_id(campaign)
    limit = min([options.abandonment_limit, *(known for known in rules.abandonment.values() if known is not None)])
    first = session.connection().execute(_FIRST_ANSWER, {"p_campaign": key}).scalar()

    def counted(stretch: Stretch) -> dict[str, Any]:
        return _counted(session, key, stretch, rules.message_seconds, limit).as_json()

    return {
        "campaign": campaign.name,
        "profile": options.profile,
        "rules": rules.version,
        "at": iso(now),
        "asked": counted(asked) if asked else None,
        "windows": [one.as_json() for one in ledgers(session, campaign, now, site_zone)],
        "periods": [counted(stretch) for stretch in periods(first, now)] if first else [],
        "first_answer_at": iso(first),
    }


def _figures(tally: Tally) -> str:
    share = tally.rate
    told = "no call answered by a person" if share is None else f"{100 * share:.2f} %"
    return f"{tally.abandoned} / {tally.answered} = {told}"


def _calls(row: Any) -> int:
    return int(row.calls) if row is not None else 0


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)
