"""Whether an agent's open line still has a phone at its end, told by the sound that comes from it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import ceil

from ari_app.channel import Channel
from ari_app.errors import AriError

SOUND_SECONDS = 1.5  # a phone that sends no sound for so long, and is asked after for a reason, is gone
ASK_SECONDS = 0.2  # how often it is looked meanwhile
LOOK_SECONDS = 2.0  # how often each idle line is looked at
TOGETHER_SECONDS = 0.25  # lines whose looks are due within so long are looked at in one go: each time we wake up costs
STEADY_PER_SECOND = 10.0  # packets: with frames of 60 ms a phone sends 16
STEADY_LOOKS = 5  # so many in a row, and no pause before: the phone does not keep quiet while nobody speaks
SILENT_LOOKS = 3  # nothing at all in so many


@dataclass(slots=True)
class Pulse:
    """What the packets of one line come to; ``note`` is told how many there were, and when."""

    steady_looks: int = 0
    silent_looks: int = 0
    pauses: bool = False  # it has been quiet before, or nearly so: silence says nothing
    _last: tuple[int, float] | None = None

    def note(self, count: int, at: float) -> None:
        """One look."""
        last, self._last = self._last, (count, at)
        if last is None or at <= last[1]:
            return
        rate = (count - last[0]) / (at - last[1])
        if rate >= STEADY_PER_SECOND:
            self.steady_looks, self.silent_looks = self.steady_looks + 1, 0
        elif rate <= 0 and self.steady_looks >= STEADY_LOOKS:
            self.silent_looks += 1
        else:
            self.pauses = True

    def skip(self) -> None:
        """The line was not looked at for a while."""
        self._last, self.silent_looks = None, 0

    @property
    def is_gone(self) -> bool:
        """Whether a phone that sent all along sends no more."""
        return not self.pauses and self.silent_looks >= SILENT_LOOKS


def next_look(now: float) -> float:
    """Seconds from `now` (of the loop's clock) to a line's next look, LOOK_SECONDS or a little more."""
    return ceil((now + LOOK_SECONDS) / TOGETHER_SECONDS) * TOGETHER_SECONDS - now


async def packets(channel: Channel) -> int:
    """How many have come from the phone. Raises AriError."""
    told = await channel.command("GET", "/rtp_statistics")
    return int(told.get("rxcount") or 0)


async def is_heard(channel: Channel) -> bool:
    """Whether sound comes from the phone; as soon as it does, or after SOUND_SECONDS."""
    try:
        before, end = await packets(channel), asyncio.get_running_loop().time() + SOUND_SECONDS
        while asyncio.get_running_loop().time() < end:
            if await channel.gone_within(ASK_SECONDS):
                return False
            if await packets(channel) > before:
                return True
    except AriError:
        return False
    return False


async def is_on_hold(channel: Channel) -> bool:
    """Whether the phone has put the line on hold, and sends nothing for that reason."""
    try:
        return await channel.get_var("CHANNEL(rtp,hold)") == "1"
    except AriError:
        return False
