"""What becomes of a callback after a dial, and which numbers may be called back. No input or output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from contact_center.terms import CallbackState, Outcome

USED_UP = "all attempts are used up"
TRUNK_SECONDS = 60.0
"""After a dial that the trunk did not take the customer is tried again so soon, then after twice as long, and so on."""
LONGEST_TRUNK_SECONDS = 1800.0
CLAIM_AGAIN_SECONDS = 5.0
"""A turn that came to nothing, for the database or the agent's phone, is taken again after so long."""

_COSTLY = {
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.VOICEMAIL,
    PhoneNumberType.PAGER,
    PhoneNumberType.UAN,
}
_NETWORKS = {870, 878, 881, 882, 883, 888, 979}  # satellites and networks of no country: dear, and nobody's home


@dataclass(frozen=True, slots=True)
class Kept:
    """A callback that is open: who waits for our call, and his place. Instants are aware UTC."""

    id: str
    call_id: str
    queue: str
    number: str
    did: str
    state: CallbackState
    attempt: int
    dials: int
    priority: int
    entered_at: datetime
    ordered_at: datetime
    since_at: datetime
    due_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """What is next: ``due_at`` None where no more dial follows; ``counted``: the dial used up an attempt."""

    state: CallbackState
    due_at: datetime | None
    counted: bool
    reason: str = ""


def after(
    outcome: Outcome,
    *,
    attempt: int,
    dials: int,
    most: int,
    delays: Sequence[float],
    ended_at: datetime,
    certain: bool = True,
) -> Step:
    """The next step after a dial.

    ``attempt``: how many attempts are used up, this one included; ``dials``: how many dials there were. A person or a
    machine that answered ends it. What the trunk refused uses up none. A dial of which nothing is certain counts.
    """
    if outcome in (Outcome.CONNECTED, Outcome.MACHINE, Outcome.NO_FREE_OPERATORS):
        return Step(CallbackState.DONE, None, counted=True)
    if certain and outcome in (Outcome.NOT_ATTEMPTED, Outcome.TECHNICAL_ERROR):
        tries = max(dials - attempt, 0)  # those before this one which the trunk did not take either
        wait = min(TRUNK_SECONDS * 2**tries, LONGEST_TRUNK_SECONDS)
        due_at = ended_at + timedelta(seconds=wait)
        return Step(CallbackState.WAITING, due_at, counted=False, reason="the trunk did not take the call")
    if outcome is Outcome.INVALID_NUMBER:
        return Step(CallbackState.FAILED, None, counted=True, reason="the number does not exist")
    if outcome is Outcome.BLOCKED:
        return Step(CallbackState.FAILED, None, counted=True, reason="the network blocks our calls")
    if attempt >= most:
        return Step(CallbackState.FAILED, None, counted=True, reason=USED_UP)
    return Step(CallbackState.WAITING, ended_at + timedelta(seconds=_delay(attempt, delays)), counted=True)


def _delay(attempt: int, delays: Sequence[float]) -> float:
    """Seconds until the attempt after number ``attempt``; the last delay that is set holds for all further ones."""
    return delays[min(attempt, len(delays)) - 1] if delays else 0.0


def may_be_called(number: str, *, shown: str, country: str, keyed: bool, abroad: bool) -> bool:
    """Whether the toll rules allow a call to this E.164 number.

    Never to numbers that cost more than a call. A number that was keyed must be of the site's country, or of that of
    the number from which he calls (``shown``), unless ``abroad`` allows any.
    """
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return False
    if parsed.country_code in _NETWORKS or phonenumbers.number_type(parsed) in _COSTLY:
        return False
    if not keyed or abroad:
        return True
    home = {phonenumbers.country_code_for_region(country), _country_code(shown)}
    return parsed.country_code in home


def _country_code(number: str) -> int | None:
    try:
        return phonenumbers.parse(number).country_code
    except NumberParseException:
        return None
