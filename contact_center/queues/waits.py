"""How long a caller will wait, from what is known of the calls before him."""

from __future__ import annotations

from dataclasses import dataclass

USUAL_HANDLE_SECONDS = 180.0
"""What a call takes as long as nobody knows better."""
WEIGHT = 0.1
"""How much the newest call counts in the mean."""


@dataclass(slots=True)
class HandleTime:
    """The mean of talk and wrap-up of a queue's calls, newer ones counting more."""

    seconds: float = USUAL_HANDLE_SECONDS
    calls: int = 0

    def note(self, handled_seconds: float) -> None:
        """One more call was handled."""
        self.calls += 1
        self.seconds += max(WEIGHT, 1.0 / self.calls) * (handled_seconds - self.seconds)


def expected_wait(ahead: int, agents: int, handle_seconds: float) -> float | None:
    """Seconds until a caller with ``ahead`` others before him is served by ``agents`` who are all busy.

    With talks of any age the next agent is free after a share 1/agents of a call, and one caller goes with each.
    None while no agent is there at all.
    """
    if agents <= 0:
        return None
    return (ahead + 1) * handle_seconds / agents


def as_told(seconds: float) -> int:
    """What is said to the caller: whole minutes, at least one."""
    return max(round(seconds / 60), 1)
