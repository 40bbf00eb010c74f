"""What the API takes: the bodies of requests, checked before anything else is done."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contact_center.other_numbers import MOST, is_other_number
from contact_center.terms import Ear

MOST_LEADS = 500
"""Leads in one request: more would hold the database for others."""
MOST_FIELDS = 200
_BESIDE = ("priority", "timezone", "callback_at", "callback_agent", "expires_at")


def _clean(text: str) -> str:
    if any(ord(c) < 0x20 and c not in "\t\n\r" for c in text) or "\x7f" in text:
        raise ValueError("control characters are not allowed here")
    return text


def _line(text: str) -> str:
    if any(not c.isprintable() for c in text):
        raise ValueError("control characters are not allowed here")
    return text


Line = Annotated[str, AfterValidator(_line)]
Text = Annotated[str, Field(max_length=4000), AfterValidator(_clean)]
Number = Annotated[Line, Field(min_length=1, max_length=64, description="E.164, or national in the site's country.")]
Extension = Annotated[Line, Field(min_length=1, max_length=20, description="An agent's extension.")]
FieldName = Annotated[Line, Field(min_length=1, max_length=80)]
Scalar = Text | bool | int | float | None
Value = Text | bool | int | float | None | Annotated[list[Text | int | float], Field(max_length=100)]


class Body(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class LeadIn(Body):
    """One lead. ``fields`` are your own and come back on the agent's screen. ``other_numbers``: dialled in turn.

    ``callback_at``: a call was promised for then, by agent ``callback_agent``, else by anyone; ``expires_at``: nobody
    calls from then on. Both ISO 8601, or local time of the lead, as 15:00 or +2h.
    """

    number: Number
    other_numbers: Annotated[list[Number], Field(max_length=MOST - 1)] = Field(default_factory=list)
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    timezone: Annotated[Line, Field(max_length=60)] | None = None
    callback_at: Annotated[Line, Field(max_length=60)] | None = None
    callback_agent: Annotated[Line, Field(max_length=20)] | None = None
    expires_at: Annotated[Line, Field(max_length=60)] | None = None
    fields: Annotated[dict[FieldName, Scalar], Field(max_length=MOST_FIELDS)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _own_names(self) -> Self:
        if name := next((name for name in _BESIDE if name in self.fields), ""):
            raise ValueError(f"{name} stands beside fields, not in them")
        if self.other_numbers and any(is_other_number(name) for name in self.fields):
            raise ValueError("further numbers stand in other_numbers or in fields, not in both")
        return self

    def values(self) -> dict[str, Any]:
        """As the command line would have it."""
        others = {f"phone{n}": number for n, number in enumerate(self.other_numbers, 2)}
        given: dict[str, Any] = {**self.fields, **others, "priority": str(self.priority)}
        return given | {name: value for name in _BESIDE[1:] if (value := getattr(self, name))}


class LeadsIn(Body):
    """Many leads at once. A number that ``dedupe`` finds already is passed over; one that is no number is told."""

    leads: Annotated[list[LeadIn], Field(min_length=1, max_length=MOST_LEADS)]
    dedupe: Literal["campaign", "system", "none"] = "campaign"


class NumberIn(Body):
    """A telephone number."""

    number: Number


class DncIn(Body):
    """A number that must not be called, by anybody or by one campaign."""

    number: Number
    campaign: Annotated[Line, Field(max_length=40)] = ""
    reason: Annotated[Line, Field(max_length=120)] = ""


class PauseIn(Body):
    """Why, as reports show it."""

    reason: Annotated[Line, Field(min_length=1, max_length=80)]


class DisposeIn(Body):
    """What came of a call. ``callback_at``: ISO 8601, or local time of the lead, as 15:00 or +2h.

    ``anyone``: whoever is free may call back, not the same agent first.
    """

    code: Annotated[Line, Field(min_length=1, max_length=60)]
    callback_at: Annotated[Line, Field(max_length=60)] = ""
    anyone: bool = False
    dnc: bool = False


class PlaceIn(Body):
    """Who calls, and whom: a number as above, or another agent's extension."""

    ext: Extension
    number: Number


class ListenIn(Body):
    """Whose phone is rung, a supervisor's; he is heard by nobody, by the agent alone (whisper), or by both (barge)."""

    ext: Extension
    ear: Ear = Ear.LISTEN


class PreviewIn(Body):
    """Which lead is meant. Left out, it is whichever the agent is shown."""

    lead_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


CampaignKeys = Annotated[
    dict[Annotated[Line, Field(min_length=1, max_length=60)], Value],
    Field(min_length=1, max_length=100, description="Keys of `campaign set`, such as multiplier or ring_seconds."),
]
