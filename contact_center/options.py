"""The keys of ``campaign set`` and ``queue set``: their types, defaults, limits and how people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contact_center.errors import UsageError, plain_reason
from contact_center.lead_filter import checked_filter
from contact_center.local_presence import checked_caller_ids
from contact_center.pop_url import checked_pop_url
from contact_center.queues.days import checked_holiday
from contact_center.queues.skills import parse_levels
from contact_center.terms import LeadOrder

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
LANGUAGES = ("en", "da", "ru")
_LONGEST_MESSAGE = 1000
_QUEUE_MESSAGES = ("greeting", "welcome_message", "closed_message", "overflow_message", "callback_message")
_SHORTEST_DELAY, _LONGEST_DELAY = 1.0, 30 * 86400.0
_LONGEST_CAP = 30 * 86400.0
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_span(value: Any) -> float:
    """Seconds of ``90m``, ``5s``, ``1h30m``, ``2d`` or a bare number of seconds."""
    text = str(value).strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd])+", text):
        raise ValueError("a span such as 90m, 5s, 1h30m or 2d is wanted")
    return sum(float(n) * _UNITS[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)([smhd])", text))


def parse_flag(value: Any) -> bool:
    """True for on, yes, true, 1."""
    text = str(value).strip().lower()
    if text in ("on", "yes", "true", "1"):
        return True
    if text in ("off", "no", "false", "0", ""):
        return False
    raise ValueError("on or off is wanted")


OUTBOUND_QUEUE = "Outbound"
"""The queue of agents' own calls: it is there without being added, and a queue of this name holds its options."""


class Hours(BaseModel):
    """Opening hours of one weekday range: minutes since local midnight, the end exclusive."""

    model_config = ConfigDict(frozen=True)
    days: tuple[int, ...]
    start_minute: int
    end_minute: int

    @classmethod
    def parse(cls, text: str) -> tuple[Hours, ...]:
        """``08:00-21:00`` or ``mon-fri 08:00-20:00, sat 10:00-18:00``; 24:00 ends a day.

        ``22:00-06:00`` ends on the following day: the late part of its days, and the early one of those after.
        """
        return tuple(hours for part in text.split(",") if part.strip() for hours in cls._parse_one(part))

    @classmethod
    def _parse_one(cls, text: str) -> tuple[Self, ...]:
        match = re.fullmatch(r"\s*(?:([a-z]{3})(?:-([a-z]{3}))?\s+)?(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)\s*", text.lower())
        if not match:
            raise ValueError("hours such as 08:00-21:00 or mon-fri 08:00-20:00, sat 10:00-18:00 are wanted")
        first, last, *clock = match.groups()
        if any(day is not None and day not in _DAYS for day in (first, last)):
            raise ValueError("weekdays are mon tue wed thu fri sat sun")
        start, end = int(clock[0]) * 60 + int(clock[1]), int(clock[2]) * 60 + int(clock[3])
        if start == end or max(start, end) > 1440:
            raise ValueError("the end must be another time than the start, and 24:00 at the latest")
        low = _DAYS.index(first) if first else 0
        high = _DAYS.index(last) if last else (low if first else 6)
        days = tuple((low + n) % 7 for n in range((high - low) % 7 + 1))
        if start < end:
            return (cls(days=days, start_minute=start, end_minute=end),)
        late, after = (days, start, 1440), (tuple((day + 1) % 7 for day in days), 0, end)
        parts = (part for part in (late, after) if part[1] < part[2])
        return tuple(cls(days=days, start_minute=start, end_minute=end) for days, start, end in parts)

    def covers(self, weekday: int, at: time) -> bool:
        """Whether local ``at`` on ``weekday`` (Monday is 0) lies inside."""
        return weekday in self.days and self.start_minute <= at.hour * 60 + at.minute < self.end_minute


def _checked_hours(value: Any) -> str:
    text = str(value).strip()
    if not Hours.parse(text):
        raise ValueError("hours such as 08:00-21:00 are wanted")
    return text


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value or ())


def _spans(value: Any) -> tuple[float, ...]:
    return tuple(parse_span(part) for part in (value.split(",") if isinstance(value, str) else value))


@dataclass(frozen=True, slots=True)
class Overflow:
    """Where a caller goes whom a queue does not serve: ``kind`` is queue, callback, message or number."""

    kind: str = "message"
    target: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """``queue:NAME``, ``number:+442079460018``, ``callback`` or ``message``; empty is a message."""
        kind, _, target = text.strip().partition(":")
        if kind in ("", "message", "callback") and not target:
            return cls(kind or "message")
        if kind == "queue" and re.fullmatch(r"[^\s:,](?:[^:,]{0,38}[^\s:,])?", target):
            return cls(kind, target)
        if kind == "number" and re.fullmatch(r"\+[1-9][0-9]{6,14}", target):
            return cls(kind, target)
        raise ValueError("queue:NAME, number:+442079460018, callback or message is wanted")


def parse_caps(value: Any) -> tuple[tuple[int, float], ...]:
    """Calls and seconds of ``3/24h`` or ``3/24h, 7/7d``: at most so many calls in any such span; empty for no cap."""
    caps = []
    for part in (text.strip() for text in str(value).split(",")):
        calls, slash, span = part.partition("/")
        if not part:
            continue
        if not slash or not re.fullmatch(r"[1-9]\d{0,2}\s*", calls) or not 60 <= parse_span(span) <= _LONGEST_CAP:
            raise ValueError("calls and a span of 1m to 30d such as 3/24h are wanted")
        caps.append((int(calls), parse_span(span)))
    return tuple(caps)


def checked_caps(value: Any) -> str:
    """As :func:`parse_caps`, kept as text."""
    parse_caps(value)
    return str(value).strip()


def _checked_parts(value: Any) -> str:
    parts = sorted((p.start_minute, p.end_minute) for p in Hours.parse(str(value)) if len(p.days) == len(_DAYS))
    if len(parts) != len([part for part in str(value).split(",") if part.strip()]):
        raise ValueError("parts of a day such as 09:00-12:00,12:00-17:00,17:00-20:00 are wanted")
    if any(later[0] < earlier[1] for earlier, later in pairwise(parts)):
        raise ValueError("the parts of a day must not overlap")
    return str(value).strip()


def _checked_overflow(value: Any) -> str:
    text = str(value).strip()
    Overflow.parse(text)
    return text


def _holidays(value: Any) -> tuple[str, ...]:
    return tuple(checked_holiday(day) for day in _names(value))


def _skills(value: Any) -> tuple[str, ...]:
    return tuple(f"{name}:{level}" for name, level in parse_levels(_names(value)).items())


Span = Annotated[float, BeforeValidator(parse_span), Field(ge=0, le=366 * 86400)]
Flag = Annotated[bool, BeforeValidator(parse_flag)]
HoursText = Annotated[str, BeforeValidator(_checked_hours)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
OverflowText = Annotated[str, BeforeValidator(_checked_overflow)]
Holidays = Annotated[tuple[str, ...], BeforeValidator(_holidays)]
SkillNeeds = Annotated[tuple[str, ...], BeforeValidator(_skills)]
FilterText = Annotated[str, BeforeValidator(checked_filter)]
CallerIds = Annotated[tuple[str, ...], BeforeValidator(checked_caller_ids), Field(max_length=2000)]
PopUrl = Annotated[str, BeforeValidator(checked_pop_url)]
Spans = Annotated[tuple[float, ...], BeforeValidator(_spans)]
OwnSpan = Annotated[float | None, BeforeValidator(lambda value: None if value in (None, "") else parse_span(value))]
CapsText = Annotated[str, BeforeValidator(checked_caps)]
PartsText = Annotated[str, BeforeValidator(_checked_parts)]
_Unserved = Literal[
    "missed", "unavailable", "busy", "technical_error", "no_free_operators", "invalid_number", "machine"
]
Unserved = Annotated[tuple[_Unserved, ...], BeforeValidator(_names)]


GREETING_END_PROFILES = ("us_tsr",)
"""Profiles whose law counts the seconds until the message from the greeting's end; a test holds it to the rules."""

ABANDONMENT_LIMITS = {"us_tsr": 0.03, "uk_ofcom": 0.03, "ca_crtc": 0.05}
"""The largest share of abandoned calls by profile, whatever the window; a test holds it to the rules."""


class Options(BaseModel):
    """Base of both: unknown keys are refused, and ``changed`` gives a checked copy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def changed(self, **values: Any) -> Self:
        """A copy with ``values`` set. Raises UsageError naming the key and what is allowed."""
        try:
            changed = type(self).model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":
                known = ", ".join(sorted(type(self).model_fields))
                raise UsageError(f"{key} is not a known key; known are {known}.") from None
            reason = plain_reason(first["type"], first["msg"], first.get("ctx", {}))
            raise UsageError(f"{key}={str(first['input'])[:40]} is not allowed: {reason}.") from None
        for key in values:
            if reason := changed.against(key):
                raise UsageError(f"{key}={str(values[key])[:40]} is not allowed: {reason}.")
        return changed

    def against(self, key: str) -> str:
        """Why nobody may set ``key`` to what it is, or nothing; what is stored already stands."""
        return ""


class CampaignOptions(Options):
    """What ``campaign set`` changes, besides mode, multiplier and team, which have columns of their own.

    ``trunk``: names in order of preference, empty for every trunk of the settings. ``caller_ids``: what customers of an
    area are shown, as ``+1212:+12125550100``; others ``caller_id``. ``lockout``: how long somebody is left alone for
    whom nobody was free, where that is longer than the law asks and than any retry. ``seller``,
    ``product``, ``audience`` and ``script`` are only written down, for the record of each call (`report evidence`).
    ``filter``: which leads are called, as lead_filter has it; empty for all.
    ``sticky_seconds``: how long a due lead is kept for the agent who served it, while he is busy (with ``sticky``).
    ``promise_seconds``: how long a promised call is kept for its agent, whatever he does, once it is due.
    ``lead_expires``: how long after its import a lead is called, 0 for ever.
    ``amd_action``: what becomes of a call that ``amd`` takes for a machine's. ``alternate_after``: the outcomes after
    which the lead's next number is dialled, ``alternate_delay`` later (None: as after any such outcome) unless all were
    tried. ``person_cap``: how often one person is called, by whatever campaign.
    ``day_parts``: parts of the lead's day; a lead that was not reached is called ``attempts_per_part`` times in each.
    """

    trunk: Names = ()
    caller_id: str = ""
    caller_ids: CallerIds = ()
    ring_seconds: Annotated[Span, Field(ge=15, le=120)] = 25.0
    max_attempts: Annotated[int, Field(ge=0, le=1000)] = 0
    retry_missed: Span = 5400.0
    retry_unavailable: Span = 5400.0
    retry_busy: Span = 300.0
    retry_technical: Span = 600.0
    lockout: Span = 0.0
    alternate_after: Unserved = ("missed", "unavailable", "busy", "invalid_number")
    alternate_delay: OwnSpan = None
    person_cap: CapsText = ""
    day_parts: PartsText = ""
    attempts_per_part: Annotated[int, Field(ge=1, le=100)] = 1
    connect_deadline: Annotated[Span, Field(ge=0.5, le=30)] = 2.0
    abandonment_limit: Annotated[float, Field(ge=0, le=1)] = 0.03
    wrap_up_seconds: Annotated[Span, Field(le=3600)] = 0.0
    hours: HoursText = "08:00-21:00"
    priority: Annotated[int, Field(ge=1, le=99)] = 50
    order: LeadOrder = LeadOrder.NEW_FIRST
    filter: FilterText = ""
    profile: Literal["none", "us_tsr", "uk_ofcom", "ca_crtc"] = "none"
    silent_message: Annotated[str, Field(max_length=1000)] = ""
    message_clock: Literal["answer", "greeting_end"] = "answer"
    opt_out: Literal["company", "campaign"] = "company"
    opt_out_key: Annotated[str, Field(pattern=r"^[0-9]$")] = "9"
    seller: Annotated[str, Field(max_length=200)] = ""
    product: Annotated[str, Field(max_length=200)] = ""
    audience: Literal["", "consumer", "business"] = ""
    script: Annotated[str, Field(max_length=2000)] = ""
    preview_seconds: Annotated[Span, Field(ge=5, le=3600)] = 60.0
    amd: Flag = False
    amd_action: Literal["hangup", "message", "agent"] = "hangup"
    amd_message: Annotated[str, Field(max_length=1000)] = ""
    sticky: Flag = True
    sticky_seconds: Annotated[Span, Field(le=86400)] = 0.0
    promise_seconds: Annotated[Span, Field(le=86400)] = 0.0
    lead_expires: Span = 0.0
    hide_number: Flag = False
    record: Flag = False
    record_announcement: Annotated[str, Field(max_length=1000)] = ""
    screen_pop_url: PopUrl = ""
    rating_group: str = ""
    rating_ivr: Flag = False
    force_hangup: Flag = False
    choose_by_odds: Flag = False
    record_trace: Flag = False

    @property
    def limit(self) -> float:
        """The share of abandoned calls that is steered by: the campaign's own, or the law's where that is stricter."""
        return min(self.abandonment_limit, ABANDONMENT_LIMITS.get(self.profile, 1.0))

    def against(self, key: str) -> str:
        """The seconds until the message count from the greeting's end only under a law that lets them."""
        if key not in ("message_clock", "profile") or self.message_clock == "answer":
            return ""
        if self.profile in GREETING_END_PROFILES:
            return ""
        return f"message_clock=greeting_end goes with profile={' or '.join(GREETING_END_PROFILES)} only"


class QueueOptions(Options):
    """What ``queue set`` changes.

    Messages (``greeting``, ``welcome_message``, ``closed_message``, ``overflow_message``, ``record_announcement``) are
    the name of a sound, as custom/hello, or words to be spoken. ``max_wait`` and ``max_length`` 0 mean no limit.
    ``when_empty``: what becomes of callers while no agent of the queue is on line. ``skills``: what an agent must be
    able to do, as danish:3; each ``skills_relax`` of waiting (0: never) takes one level off. A callback is offered to
    whoever will wait longer than ``callback_wait`` or stands at ``callback_position`` or behind it; to everybody while
    both are 0. ``callback_abandoned``: who hangs up while he waits is called back. ``callback_abroad``: keyed numbers
    may be of any country. ``trunk``: those that carry callbacks and an overflow
    to a number, in order of preference; empty: every trunk.
    """

    dids: Names = ()
    strategy: Literal[
        "longest_idle", "fewest_calls", "round_robin", "ring_all", "weighted_random", "penalties", "skills"
    ] = "longest_idle"
    ring_seconds: Annotated[Span, Field(ge=3, le=120)] = 20.0
    wrap_up_seconds: Annotated[Span, Field(le=3600)] = 0.0
    max_wait: Span = 0.0
    max_length: Annotated[int, Field(ge=0)] = 0
    music: str = ""
    greeting: str = ""
    welcome_message: str = ""
    closed_message: str = ""
    overflow: OverflowText = ""
    overflow_message: str = ""
    when_empty: Literal["wait", "overflow"] = "wait"
    hours: HoursText = "00:00-24:00"
    holidays: Holidays = ()
    announce_position: Flag = False
    announce_wait: Flag = False
    announce_every: Annotated[Span, Field(ge=10)] = 60.0
    skills: SkillNeeds = ()
    skills_relax: Span = 0.0
    callback: Flag = False
    callback_attempts: Annotated[int, Field(ge=1, le=3)] = 3
    callback_delays: Spans = (900.0, 3600.0)
    callback_wait: Span = 0.0
    callback_position: Annotated[int, Field(ge=0)] = 0
    callback_first: Literal["agent", "customer"] = "agent"
    callback_ring_seconds: Annotated[Span, Field(ge=15, le=120)] = 30.0
    callback_expires: Annotated[Span, Field(ge=60)] = 345600.0
    callback_abandoned: Flag = False
    callback_abroad: Flag = False
    callback_message: str = ""
    service_level_seconds: Annotated[Span, Field(ge=1)] = 20.0
    priority: Annotated[int, Field(ge=1, le=99)] = 50
    rating_group: str = ""
    rating_ivr: Flag = False
    force_hangup: Flag = False
    trunk: Names = ()
    category_menu: Literal["off", "code", "value", "both"] = "off"
    language: str = ""
    source: str = ""
    record: Flag = False
    record_announcement: Annotated[str, Field(max_length=1000)] = ""

    def against(self, key: str) -> str:
        """Of messages their length, of callbacks the times between the dials, of languages those there are."""
        value = getattr(self, key)
        if key in _QUEUE_MESSAGES and len(value) > _LONGEST_MESSAGE:
            return f"{_LONGEST_MESSAGE} characters are allowed"
        if key == "language" and value not in ("", *LANGUAGES):
            return f"one of {', '.join(LANGUAGES)} is wanted"
        if key != "callback_delays":
            return ""
        if not all(_SHORTEST_DELAY <= delay <= _LONGEST_DELAY for delay in value):
            return "each time is from 1s to 30d"
        if not 1 <= len(value) <= self.callback_attempts:
            return f"with callback_attempts={self.callback_attempts} there are 1 to {self.callback_attempts} times"
        return ""
