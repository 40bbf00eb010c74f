"""The tables. Instants are aware UTC, spans are seconds, numbers are E.164 with ``+``."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, Index, Numeric, TypeDecorator, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from contact_center.terms import (
    AgentConnect,
    AgentState,
    AgentStatus,
    AttemptState,
    CallKind,
    CampaignMode,
    CampaignState,
    Direction,
    LeadState,
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive instants: they would mean something else on another machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an aware datetime is wanted")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _instant(*, nullable: bool = True, index: bool = False) -> Any:
    if nullable:
        return Field(default=None, sa_column=Column(Instant(), nullable=True, index=index))
    return Field(sa_column=Column(Instant(), nullable=False, index=index))


# The classes of the dialling order, as the partial indexes and the queries of store.claims both spell them:
# served before or promised a call and due again, never tried, tried without success and due again.
SERVED = "state = 'due' AND (last_agent <> '' OR callback_at IS NOT NULL)"
NEW = "state = 'new'"
RETRY = "state = 'due' AND last_agent = '' AND callback_at IS NULL"
# What no lead should be: waiting for a time that was never set. Almost always empty.
TIMELESS = "state = 'due' AND next_attempt_at IS NULL"
# What waits and has an end of its own.
ENDING = "expires_at IS NOT NULL AND state IN ('new', 'due')"


def _partial(name: str, where: str, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def _json(default: type[list[Any]] | type[dict[str, Any]]) -> Any:
    return Field(default_factory=default, sa_column=Column(JSON, nullable=False))


class Agent(SQLModel, table=True):
    """A person who takes calls. ``password`` is his SIP account's, empty when he brings his own endpoint.

    ``skills``: levels by name; ``penalties``: numbers by queue, the lower the sooner he is rung.
    """

    id: int | None = Field(default=None, primary_key=True)
    ext: str = Field(unique=True, max_length=20)
    name: str = Field(max_length=80)
    endpoint: str = Field(unique=True, max_length=80)
    password: str = Field(default="", max_length=64)
    team: str = Field(default="", index=True, max_length=40)
    queues: list[str] = _json(list)
    skills: dict[str, Any] = _json(dict)
    penalties: dict[str, Any] = _json(dict)
    connect: str = Field(default=AgentConnect.ON_DEMAND, max_length=12)
    status: str = Field(default=AgentStatus.OFFLINE, max_length=12)
    pause_reason: str = Field(default="", max_length=80)
    state: str = Field(default=AgentState.OFFLINE, max_length=12)
    since_at: datetime = _instant(nullable=False)
    wrap_up_until_at: datetime | None = _instant()
    idle_since_at: datetime | None = _instant()
    call_id: str = Field(default="", max_length=40)
    misses: int = 0


class Queue(SQLModel, table=True):
    """A line of waiting callers; ``options`` are options.QueueOptions."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=40)
    options: dict[str, Any] = _json(dict)


class Campaign(SQLModel, table=True):
    """A list of leads and how to call them; ``options`` are options.CampaignOptions."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=40)
    mode: str = Field(default=CampaignMode.PROGRESSIVE, max_length=12)
    multiplier: float = 1.0
    team: str = Field(default="", max_length=40)
    state: str = Field(default=CampaignState.STOPPED, max_length=12, index=True)
    options: dict[str, Any] = _json(dict)
    created_at: datetime = _instant(nullable=False)
    started_at: datetime | None = _instant()
    ended_at: datetime | None = _instant()


class Lead(SQLModel, table=True):
    """A person to reach. ``zones``: comma-joined tz names his number may lie in; all must be open to call.

    ``callback_at``: a call was promised for then, by agent ``callback_agent`` or by anyone, and not made yet.
    ``expires_at``: from then on nobody calls any more.

    A number may stand twice in a campaign (``lead import --dedupe none``), as two leads.
    """

    __table_args__ = (
        # Small indexes per class of the dialling order; leads that are done fall out of all of them.
        _partial("ix_lead_served", SERVED, "campaign_id", "zones", "priority", "next_attempt_at", "id"),
        _partial("ix_lead_new", NEW, "campaign_id", "zones", "priority", "id"),
        _partial("ix_lead_retry", RETRY, "campaign_id", "zones", "priority", "next_attempt_at", "id"),
        _partial("ix_lead_served_due", SERVED, "campaign_id", "zones", "next_attempt_at", "priority"),
        _partial("ix_lead_retry_due", RETRY, "campaign_id", "zones", "next_attempt_at", "priority"),
        Index("ix_lead_state", "campaign_id", "state", "id"),
        _partial("ix_lead_expires", ENDING, "campaign_id", "expires_at"),
        _partial("ix_lead_timeless", TIMELESS, "id"),
        Index("ix_lead_number", "number"),
    )
    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    number: str = Field(max_length=16)
    zones: str = Field(default="", max_length=400)
    state: str = Field(default=LeadState.NEW, max_length=8)
    disposition: str = Field(default="", max_length=40)
    attempts: int = 0
    dials: int = 0
    next_attempt_at: datetime | None = _instant()
    last_agent: str = Field(default="", max_length=20)
    priority: int = 0
    fields: dict[str, Any] = _json(dict)
    created_at: datetime = _instant(nullable=False)
    closed_at: datetime | None = _instant()
    reason: str = Field(default="", max_length=120)
    callback_at: datetime | None = _instant()
    callback_agent: str = Field(default="", max_length=20, sa_column_kwargs={"server_default": ""})
    expires_at: datetime | None = _instant()


class LeadImport(SQLModel, table=True):
    """A file of leads on its way in: ``reading`` may be thrown away, ``releasing`` must be brought to its end.

    ``owner`` is ``host:pid`` of the process that reads, so that the next import can tell a dead one.
    """

    __tablename__ = "lead_import"
    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    state: str = Field(max_length=12)
    dedupe: str = Field(max_length=12)
    owner: str = Field(max_length=120)
    touched_at: datetime = _instant(nullable=False)


class LeadBatch(SQLModel, table=True):
    """Some hundred checked rows of an import that are not leads yet, so that nobody can dial them."""

    __tablename__ = "lead_batch"
    id: int | None = Field(default=None, primary_key=True)
    import_id: int = Field(foreign_key="lead_import.id", index=True)
    rows: list[dict[str, Any]] = _json(list)


class Attempt(SQLModel, table=True):
    """One dial of one lead, committed before anything is sent.

    ``n`` numbers the dials of a lead and is never used twice; ``counted`` says whether the dial used up one
    of the lead's attempts (a dial that the trunk swallowed does not). ``live_number`` is the number while
    the attempt is open and NULL afterwards: its unique index makes two live calls to one number impossible.
    """

    __table_args__ = (
        UniqueConstraint("lead_id", "n", name="uq_attempt_lead_n"),  # the index on lead_id, too
        Index("ix_attempt_campaign_outcome", "campaign_id", "outcome", "answered_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    call_id: str = Field(unique=True, max_length=40)
    channel_id: str = Field(unique=True, max_length=60)
    lead_id: int = Field(foreign_key="lead.id")
    campaign_id: int = Field(foreign_key="campaign.id")
    n: int
    number: str = Field(max_length=16)
    live_number: str | None = Field(default=None, unique=True, max_length=16)
    trunk: str = Field(max_length=40)
    state: str = Field(default=AttemptState.INTENT, max_length=12)
    counted: bool = True
    outcome: str = Field(default="", max_length=24)
    sip_code: int | None = None
    agent: str = Field(default="", max_length=20)
    agent_channel_id: str = Field(default="", max_length=60)
    bridge_id: str = Field(default="", max_length=60)
    intent_at: datetime = _instant(nullable=False)
    ringing_at: datetime | None = _instant()
    answered_at: datetime | None = _instant()
    connected_at: datetime | None = _instant()
    ended_at: datetime | None = _instant(index=True)


class Call(SQLModel, table=True):
    """One caller's whole story; ``record`` holds the rest of the contract's `call show`."""

    __table_args__ = (
        Index("ix_call_campaign_ended", "campaign", "ended_at"),
        _partial("ix_call_open", "ended_at IS NULL", "started_at"),
    )
    id: str = Field(primary_key=True, max_length=40)
    kind: str = Field(default=CallKind.POWER, max_length=12)
    direction: str = Field(default=Direction.OUTBOUND, max_length=8)
    queue: str = Field(default="", max_length=40)
    campaign: str = Field(default="", max_length=40)
    lead_id: int | None = Field(default=None, index=True)
    did: str = Field(default="", max_length=20)
    caller_number: str = Field(default="", max_length=20, index=True)
    started_at: datetime = _instant(nullable=False, index=True)
    answered_at: datetime | None = _instant()
    ended_at: datetime | None = _instant()
    wait_seconds: float = 0.0
    ring_seconds: float = 0.0
    talk_seconds: float = 0.0
    answer_to_agent_seconds: float | None = None
    hung_up_by: str | None = Field(default=None, max_length=8)
    call_state: str = Field(default="", max_length=24)
    disposition: str = Field(default="", max_length=40)
    agents: list[str] = _json(list)
    timeline: list[dict[str, Any]] = _json(list)
    record: dict[str, Any] = _json(dict)


class QueueVisit(SQLModel, table=True):
    """One stay of one caller in one queue: a call that overflows into another queue has two of them.

    ``left_at`` is NULL while he is in the queue, or talks to the agent he got there. ``outcome``: a
    terms.VisitEnd. ``said_seconds``: the wait he was told first, at ``said_at``.
    """

    __tablename__ = "queue_visit"
    __table_args__ = (
        UniqueConstraint("call_id", "n", name="uq_queue_visit_call_n"),
        Index("ix_queue_visit_queue", "queue", "entered_at"),
        _partial("ix_queue_visit_open", "left_at IS NULL", "queue", "entered_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    call_id: str = Field(max_length=40)
    n: int
    queue: str = Field(max_length=40)
    channel_id: str = Field(max_length=60)
    entered_at: datetime = _instant(nullable=False)
    priority: int = 0
    position: int = 1
    said_at: datetime | None = _instant()
    said_seconds: float | None = None
    connected_at: datetime | None = _instant()
    agent: str = Field(default="", max_length=20)
    agent_channel_id: str = Field(default="", max_length=60)
    bridge_id: str = Field(default="", max_length=60)
    left_at: datetime | None = _instant()
    outcome: str = Field(default="", max_length=12)
    wait_seconds: float = 0.0
    talk_seconds: float = 0.0
    wrap_up_seconds: float = 0.0


class Rating(SQLModel, table=True):
    """One act of rating; the newest one of a call is the call's rating. ``goal``: what it reached, if anything."""

    id: int | None = Field(default=None, primary_key=True)
    call_id: str = Field(foreign_key="call.id", index=True, max_length=40)
    option: str = Field(max_length=80)
    digit: int
    value: Decimal | None = Field(default=None, sa_column=Column(Numeric(9, 2), nullable=True))
    source: str = Field(max_length=8)
    agent: str = Field(default="", max_length=20)
    at: datetime = _instant(nullable=False)
    group_name: str = Field(default="", max_length=40)
    goal: str = Field(default="", max_length=80)


class DncEntry(SQLModel, table=True):
    """A number that must not be called: by anyone (campaign_id 0) or by one campaign."""

    __tablename__ = "dnc"
    __table_args__ = (UniqueConstraint("number", "campaign_id", name="uq_dnc_number_campaign"),)
    id: int | None = Field(default=None, primary_key=True)
    number: str = Field(max_length=16, index=True)
    campaign_id: int = 0
    reason: str = Field(default="", max_length=120)
    at: datetime = _instant(nullable=False)


class Outbox(SQLModel, table=True):
    """What others are told, written in the transaction of the fact itself.

    ``seq`` counts without gaps per entity; ``version`` is that of the payload's schema.
    """

    __table_args__ = (UniqueConstraint("entity", "entity_id", "seq", name="uq_outbox_entity_seq"),)
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _instant(nullable=False)
    entity: str = Field(max_length=16)
    entity_id: str = Field(max_length=60)
    seq: int
    type: str = Field(max_length=40)
    version: int = 1
    payload: dict[str, Any] = _json(dict)


class Audit(SQLModel, table=True):
    """Who did what. Rows are only ever added."""

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _instant(nullable=False)
    actor: str = Field(max_length=80)
    action: str = Field(max_length=40)
    entity: str = Field(max_length=16)
    entity_id: str = Field(max_length=60, index=True)
    detail: dict[str, Any] = _json(dict)


class Control(SQLModel, table=True):
    """A change that a running ``serve`` must obey; ``taken_at`` is set by it in its own transaction."""

    __table_args__ = (_partial("ix_control_open", "taken_at IS NULL", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _instant(nullable=False)
    entity: str = Field(max_length=16)
    entity_id: str = Field(max_length=60)
    action: str = Field(max_length=40)
    payload: dict[str, Any] = _json(dict)
    taken_at: datetime | None = _instant()


class PaceNote(SQLModel, table=True):
    """The last pacing decisions of a campaign, newest first: what `why campaign` explains."""

    __tablename__ = "pace_note"
    campaign_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = _instant(nullable=False)
    decisions: list[dict[str, Any]] = _json(list)


class PaceHistory(SQLModel, table=True):
    """What pacing has learned of a campaign: where the next ``serve`` goes on, and how good its forecasts were."""

    __tablename__ = "pace_history"
    campaign_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = _instant(nullable=False)
    learned: dict[str, Any] = _json(dict)


class TrunkNote(SQLModel, table=True):
    """What a running ``serve`` thinks of a trunk: up or down, since when and why."""

    __tablename__ = "trunk_note"
    name: str = Field(primary_key=True, max_length=40)
    state: str = Field(max_length=8)
    reason: str = Field(default="", max_length=120)
    since_at: datetime = _instant(nullable=False)


class WriterMark(SQLModel, table=True):
    """How far a writer's facts are stored: those numbered up to ``seq`` are, whatever a lost reply said."""

    __tablename__ = "writer_mark"
    source: str = Field(primary_key=True, max_length=40)
    seq: int = 0
    at: datetime = _instant(nullable=False)


class Quarantine(SQLModel, table=True):
    """A fact that could not be stored because of what it says; put aside so that others get through."""

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _instant(nullable=False)
    source: str = Field(max_length=40)
    seq: int
    fact: dict[str, Any] = _json(dict)
    error: str = Field(max_length=400)
