"""What one party heard during a call: intervals, each with the set of what was heard.

A set holds names of parties ('1001', '+447420000001'), or one of the words below; two names mean both at
once.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.farend.tones import Pairs, Sound

OTHER = "other"  # a prompt, music, speech: energy that is no party's tones
RINGBACK = "ringback"
SILENCE = "silence"  # packets arrive and hold silence
NOTHING = "nothing"  # no packets arrive
WORDS = frozenset({OTHER, RINGBACK, SILENCE, NOTHING})
GAP_SECONDS = 0.1
FRAME_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start_at` to `end_at` (epoch seconds) `heard` was heard."""

    start_at: float
    end_at: float
    heard: frozenset[str]

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end_at - self.start_at


class Ear:
    """Turns sounds with arrival times (epoch seconds) into intervals."""

    def __init__(self, pairs: Pairs, opened_at: float) -> None:
        self._pairs = pairs
        self.intervals: list[Interval] = []
        self.heard: frozenset[str] = frozenset({NOTHING})
        self.since = opened_at
        self.last_at = opened_at - FRAME_SECONDS
        self._sound: Sound | None = None
        self._doubt: tuple[float, frozenset[str]] | None = None

    def feed(self, at: float, sound: Sound) -> bool:
        """A frame arrived at `at`; True when what is heard changed."""
        if at - self.last_at > GAP_SECONDS and NOTHING not in self.heard:
            self._turn(self.last_at + FRAME_SECONDS, frozenset({NOTHING}))
        self.last_at = at
        if sound is self._sound and self._doubt is None and NOTHING not in self.heard:
            return False
        self._sound = sound
        return self._hear(at, self._name(sound))

    def keep(self, at: float) -> None:
        """A packet without audio (a digit) arrived at `at`: what was heard goes on."""
        if NOTHING not in self.heard and at - self.last_at <= GAP_SECONDS:
            self.last_at = at

    def _name(self, sound: Sound) -> frozenset[str]:
        if sound.silent:
            return frozenset({SILENCE})
        parties, left_over = self._pairs.who(sound.bins, self.heard - WORDS)
        if sound.ringback:
            return parties | {RINGBACK}
        return parties | {OTHER} if sound.other or left_over else parties

    def _hear(self, at: float, heard: frozenset[str]) -> bool:
        """Take what was heard. What holds OTHER counts from its second frame on, dated back to the first.

        One such frame alone is a cut, or voices that looked like a party's tones for 20 ms.
        """
        if heard == self.heard:
            self._doubt = None
            return False
        if OTHER in heard and NOTHING not in self.heard:
            if self._doubt is None:
                self._doubt = at, heard
                return False
            at, heard = self._doubt[0], self._doubt[1] & heard
            if heard == self.heard:
                self._doubt = None
                return False
        self._doubt = None
        self._turn(at, heard)
        return True

    def _turn(self, at: float, heard: frozenset[str]) -> None:
        if at > self.since:
            self.intervals.append(Interval(self.since, at, self.heard))
        self.heard, self.since = heard, max(at, self.since)

    def until(self, now: float) -> list[Interval]:
        """All intervals up to `now`, the present one included; a gap of packets shows as NOTHING."""
        told = list(self.intervals)
        end = now
        if NOTHING not in self.heard and now - self.last_at > GAP_SECONDS:
            end = self.last_at + FRAME_SECONDS
        if end > self.since:
            told.append(Interval(self.since, end, self.heard))
        if end < now:
            told.append(Interval(max(end, self.since), now, frozenset({NOTHING})))
        return told
