"""What a rule of dialling law can say. The rules themselves are data; see :mod:`contact_center.law.books`."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contact_center.options import Hours


class Force(StrEnum):
    """What stands behind a rule: a statute or regulation, a regulator's policy, or what the trade does."""

    LAW = "law"
    POLICY = "policy"
    PRACTICE = "practice"


class Clock(StrEnum):
    """From which instant the seconds until an agent or a message are counted."""

    ANSWER = "answer"
    GREETING_END = "greeting_end"


class LedgerWindow(StrEnum):
    """Over which time a share of abandoned calls is counted; ``since`` means the whole campaign if shorter."""

    HOURS_24 = "24h"
    DAYS_30 = "30d"
    MONTH = "month"


class Rule(BaseModel):
    """One rule of one jurisdiction, in force from a local day until just before another.

    ``jurisdiction``: ``US``, ``US-FL``, ``GB``, ``CA``. ``source``: where it is written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str
    jurisdiction: str
    since: date = Field(alias="from")
    until: date | None = None
    source: str
    force: Force = Force.LAW
    note: str = ""

    def in_force(self, day: date) -> bool:
        """Whether it holds on a local day."""
        return self.since <= day and (self.until is None or day < self.until)


class HoursRule(Rule):
    """When it may be called; ``closed``: calendars on whose days it may not be called at all.

    ``counts``: whether the start of a call must lie inside the hours, or its ringing as well.
    """

    kind: Literal["hours"] = "hours"
    hours: str
    closed: tuple[str, ...] = ()
    counts: Literal["initiated", "ringing"] = "initiated"

    @field_validator("hours")
    @classmethod
    def _readable(cls, text: str) -> str:
        if not Hours.parse(text):
            raise ValueError("hours are wanted")
        return text


class AbandonmentRule(Rule):
    """The largest share of calls answered by a person that may be abandoned, per campaign and window.

    ``limit`` None: the share is to be counted, and none of it is safe.
    """

    kind: Literal["abandonment"] = "abandonment"
    limit: Annotated[float, Field(gt=0, le=1)] | None
    window: LedgerWindow


class MessageRule(Rule):
    """Within how many seconds a person who has no agent must hear who called, and what he must be told."""

    kind: Literal["message"] = "message"
    within_seconds: Annotated[float, Field(gt=0)]
    counted_from: Clock
    contents: tuple[str, ...] = ()


class RingRule(Rule):
    """How long a call must ring before it may be given up."""

    kind: Literal["ring"] = "ring"
    seconds: Annotated[float, Field(gt=0)]


class CapRule(Rule):
    """How many calls a person may get in a stretch of time, whatever campaign or number they are made by."""

    kind: Literal["cap"] = "cap"
    calls: Annotated[int, Field(ge=1)]
    within_seconds: Annotated[float, Field(gt=0)]


class LockoutRule(Rule):
    """How long a person whose call was abandoned must not be called, unless an agent is sure to be there."""

    kind: Literal["lockout"] = "lockout"
    seconds: Annotated[float, Field(gt=0)]


class MachineLockoutRule(Rule):
    """How long a number that detection took for a machine's must not be called, unless an agent is sure to be there."""

    kind: Literal["machine_lockout"] = "machine_lockout"
    seconds: Annotated[float, Field(gt=0)]


class ListRule(Rule):
    """How old the national do-not-call list may be when a number is called."""

    kind: Literal["list"] = "list"
    max_age_days: Annotated[int, Field(ge=1)]
    list_name: str


class RequestRule(Rule):
    """How soon a person's own wish not to be called must be obeyed, and for how long it is kept."""

    kind: Literal["request"] = "request"
    honour_days: Annotated[int, Field(ge=0)]
    business_days: bool = False
    keep_days: int | None = None


class CallerIdRule(Rule):
    """What the number that is shown must be."""

    kind: Literal["caller_id"] = "caller_id"
    duties: tuple[str, ...]


class RecordsRule(Rule):
    """How long the record of a call is kept, and what it has to say."""

    kind: Literal["records"] = "records"
    keep_days: Annotated[int, Field(ge=1)]
    items: tuple[str, ...] = ()


AnyRule = Annotated[
    HoursRule
    | AbandonmentRule
    | MessageRule
    | RingRule
    | CapRule
    | LockoutRule
    | MachineLockoutRule
    | ListRule
    | RequestRule
    | CallerIdRule
    | RecordsRule,
    Field(discriminator="kind"),
]


class Calendar(BaseModel):
    """Days of the year on which some rules are stricter; ``days`` as :mod:`contact_center.law.calendars` reads them.

    ``observed``: ``monday`` also closes the Monday after a Sunday; ``both`` also the Friday before a Saturday.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    days: tuple[str, ...]
    observed: Literal["none", "monday", "both"] = "none"


class Book(BaseModel):
    """One file of rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    book: str
    name: str
    version: str
    rule: tuple[AnyRule, ...] = ()
    calendar: tuple[Calendar, ...] = ()
