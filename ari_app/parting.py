"""What the end of a party's channel is in the story of its call."""

from __future__ import annotations

from datetime import datetime

from ari_app.channel import Channel
from ari_app.gone import Gone, GoneKind
from contact_center import story
from contact_center.terms import Party


def customer_left(gone: Gone, calls: story.CallLog) -> None:
    """He hung up, was cut off by his trunk's limit, or was lost with Asterisk."""
    if gone.kind is GoneKind.LOST:
        calls.add(story.SwitchLost(gone.at))
    by = Party.SYSTEM if gone.kind is GoneKind.LOST or _cut_off(gone, calls) else Party.CALLER
    calls.add(story.Left(gone.at, by))


def other_left(other: Channel, at: datetime, calls: story.CallLog) -> None:
    """Who had the customer, an agent or a number outside, is with him no more."""
    gone = other.gone.value if other.gone.happened else None
    calls.add(story.Left(at, Party.SYSTEM if gone is not None and _cut_off(gone, calls) else Party.AGENT))


def _cut_off(gone: Gone, calls: story.CallLog) -> bool:
    if gone.cut_off:
        calls.add(story.CutOff(gone.at))
    return gone.cut_off
