"""AMD and TALK_DETECT of the fake Asterisk: who answers, and what is heard of him."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tests.support.fake_ari import FakeAri
from tests.support.fake_world import FakeChannel


@dataclass(frozen=True)
class Answerer:
    """AMD's verdict after so many seconds of listening (None: never), and when he talks.

    ``talks``: from and to, in seconds after the answer.
    """

    status: str = "HUMAN"
    cause: str = "HUMAN-500-500"
    seconds: float | None = 1.2
    talks: Sequence[tuple[float, float]] = ()


PERSON = Answerer()
SILENT_PERSON = Answerer("NOTSURE", "TOOLONG-1700", 1.7)
MACHINE = Answerer("MACHINE", "LONGGREETING-1100-1100", 1.3, ((0.0, 6.0), (6.5, 6.9)))


def answered_by(fake: FakeAri, answerer: Answerer) -> None:
    """Every customer of the fake is this one from now on."""

    def amd(ear: FakeChannel) -> None:
        bound = int(ear.variables["CALLWRIGHT_AMD"].split(",")[3]) / 1000
        if answerer.seconds is None:
            return
        sure = answerer.seconds < bound
        args = ["amd", answerer.status, answerer.cause] if sure else ["amd", "NOTSURE", "TOOLONG"]
        fake.later(ear, min(answerer.seconds, bound), lambda: back(ear, args))

    def back(ear: FakeChannel, args: list[str]) -> None:
        if not fake.enter(ear, "callwright", args):
            fake.destroy(ear, 16)

    listening: dict[str, int] = {}

    def talk_detect(channel: FakeChannel, name: str) -> None:
        if name not in ("TALK_DETECT(set)", "TALK_DETECT(remove)"):
            return
        turn = listening[channel.id] = listening.get(channel.id, 0) + 1
        if name == "TALK_DETECT(remove)":
            return
        silence = int(channel.variables[name].split(",")[0]) / 1000
        for kind, seconds, lasted in heard(answerer.talks, fake.time() - (channel.answered_at or 0.0), silence):
            fake.later(channel, seconds, partial(tell, channel, turn, kind, lasted))

    def tell(channel: FakeChannel, turn: int, kind: str, lasted: float) -> None:
        if listening[channel.id] != turn:
            return
        more = {"duration": round(1000 * lasted)} if kind == "ChannelTalkingFinished" else {}
        fake.tell(channel, kind, channel=channel.shown(), **more)

    fake.dialplan["callwright-amd", "s"] = amd
    fake.on_variable = talk_detect


def heard(talks: Sequence[tuple[float, float]], now: float, silence: float) -> list[tuple[str, float, float]]:
    """The events that follow ``now``, in seconds from it, with how long the talk was that ends.

    Pauses shorter than ``silence`` are not heard as such.
    """
    merged: list[list[float]] = []
    for begin, end in talks:
        if end <= now:
            continue
        if merged and begin - merged[-1][1] < silence:
            merged[-1][1] = end
        else:
            merged.append([max(begin, now), end])
    events = []
    for begin, end in merged:
        events += [("ChannelTalkingStarted", begin - now, 0.0)]
        events += [("ChannelTalkingFinished", end - now + silence, end - begin)]
    return events
