"""Predictive campaigns on the real line against the simulator: abandonment and how busy the agents are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from dialer.pacing import Pacer, make_pacer
from dialer.simulation.laws import Laws, Recorded, constant
from dialer.simulation.replications import Interval, shifts
from dialer.windows import DAY_SECONDS, MONTH_SECONDS
from tests.lab.centre import Centre
from tests.lab.farend.numbers import stays
from tests.lab.farend.record import CallRecord, Direction, Side
from tests.lab.farend.script import Script
from tests.prove.books import Books
from tests.prove.proof import Proof, Round
from tests.prove.scene import TEAM, customers, left_over, stand

AGENTS, LEADS, CAMPAIGNS = 20, 1000, 3
TALK_SECONDS, WRAP_UP_SECONDS = 20.0, 5.0
RING_SECONDS = 15.0  # the campaign's, for those who never answer
ANSWER_SHARE, SILENT_SHARE = 0.3, 0.35  # of the customers: answer, let it ring for ever
LIMIT = 0.03
DEADLINE_SECONDS = 2.0
DECIDED_AFTER = 0.9 * DEADLINE_SECONDS  # the product lets people go so long after their answer
NEAR = 0.04  # of utilization: how far the line may be from the simulator
SEEDS = range(1, 21)
_DIAL_SECONDS = 0.1  # from the intent to the far end's 180


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many customers, and what each does: the same for the same seed."""

    scripts: dict[str, Script]

    @classmethod
    def of(
        cls,
        count: int,
        first: int,
        seed: int,
        *,
        talk: float = TALK_SECONDS,
        ring: tuple[float, float] = (3.0, 8.0),
        answer: float = ANSWER_SHARE,
        silent: float = SILENT_SHARE,
    ) -> Crowd:
        """They ring so long and talk half to one and a half times ``talk``, or are busy, away, or never answer."""
        fate = random.Random(seed)
        scripts: dict[str, Script] = {}
        for n in range(count):
            rings, kind = fate.uniform(*ring), fate.random()
            if kind < answer:
                script = Script("answers", ring_seconds=rings, talk_seconds=talk * fate.uniform(0.5, 1.5))
            elif kind < answer + silent:
                script = Script("never answers", ring_seconds=None)
            else:
                script = Script("refuses", ring_seconds=rings / 4, code=486 if kind < 0.85 else 480)
            scripts[stays(first + n, ring=1.0)] = script
        return cls(scripts)

    @property
    def numbers(self) -> list[str]:
        """In the order of the file."""
        return list(self.scripts)

    def laws(self, agents: int, seconds: float, wrap_up: float) -> Laws:
        """What the simulator is told of them."""
        answers, fails, talks = [], [], []
        for script in self.scripts.values():
            if script.talk_seconds is not None and script.ring_seconds is not None:
                answers.append(_DIAL_SECONDS + script.ring_seconds)
                talks.append(script.talk_seconds)
            elif script.ring_seconds is None:
                fails.append((_DIAL_SECONDS + RING_SECONDS, "no_answer"))
            else:
                fails.append((_DIAL_SECONDS + script.ring_seconds, "busy"))
        return Laws(
            agents=((0.0, agents),),
            answer_rate=constant(len(answers) / len(self.scripts)),
            ring_timeout=RING_SECONDS,
            connect_deadline=DECIDED_AFTER,
            break_every=None,
            shift_seconds=seconds,
            recorded=Recorded(tuple(answers), tuple(fails), tuple(talks), (wrap_up,)),
        )


def pacer() -> Pacer:
    """As the product makes one for a campaign that has no past."""
    windows = [(DAY_SECONDS, LIMIT, 0, 0), (MONTH_SECONDS, LIMIT, 0, 0)]
    return make_pacer(
        "predictive", target=LIMIT, connect_deadline=DEADLINE_SECONDS, ring_timeout=RING_SECONDS, windows=windows
    )


def foretold(laws: Laws, seeds: Sequence[int] = SEEDS) -> Interval:
    """The utilization that the simulator expects until the leads are through."""
    return Interval.of([outcome.utilization for outcome in shifts(laws, pacer, seeds)])


@dataclass(frozen=True, slots=True)
class Measured:
    """What the far end saw of a campaign, between its first INVITE and its last."""

    answered: int
    dropped: int
    seconds: float
    utilization: float


def measured(centre: Centre, numbers: Sequence[str], agents: int, wrap_up: float) -> Measured:
    """By the far end's record alone: who heard no agent was dropped, unless he left before the deadline by himself.

    Agents work while they talk and wrap up.
    """
    records = customers(centre, list(numbers))
    names = {phone.name for phone in centre.far.phones}
    answered = [record for record in records if record.answered]
    unheard = [record for record in answered if not record.parties_heard() & names]
    dropped = [r for r in unheard if r.ended_by != "party" or r.talk_seconds >= DEADLINE_SECONDS]
    begin, end = min(r.invite_at for r in records), max(r.invite_at for r in records)
    rung = [r for r in centre.far.log.select(Side.PHONE, Direction.IN) if r.party in names and r.answered]
    busy = sum(_within(record, wrap_up, begin, end) for record in rung)
    return Measured(len(answered), len(dropped), end - begin, busy / (agents * max(end - begin, 1.0)))


def _within(record: CallRecord, wrap_up: float, begin: float, end: float) -> float:
    since = record.answered_at or 0.0
    until = (record.ended_at or end) + wrap_up
    return max(min(until, end) - max(since, begin), 0.0)


async def campaign(
    centre: Centre, books: Books, name: str, crowd: Crowd, *, wrap_up: float = WRAP_UP_SECONDS, deadline: float = 3600.0
) -> None:
    """A predictive campaign over these customers, from its start to its end."""
    for number, script in crowd.scripts.items():
        centre.far.trunk.script(number, script)
    keys = {"max_attempts": "1", "ring_seconds": f"{RING_SECONDS:g}s", "wrap_up_seconds": f"{wrap_up:g}s"}
    keys |= {"abandonment_limit": f"{LIMIT:g}", "connect_deadline": f"{DEADLINE_SECONDS:g}s", "record_trace": "on"}
    await centre.add_campaign(name, crowd.numbers, mode="predictive", team=TEAM, **keys)
    await centre.cli("campaign", "start", name)
    await books.until_finished(name, deadline)


async def predictive_round(
    centre: Centre, number: int, *, campaigns: int = CAMPAIGNS, leads: int = LEADS, agents: int = AGENTS
) -> Round:
    """Campaigns one after the other, each new to its pacer; abandonment pooled, utilization as the simulator says."""
    books = await stand(centre, agents)
    failures: list[str] = []
    lines: list[Measured] = []
    expected: list[Interval] = []
    for n in range(campaigns):
        name = f"predictive-{number}-{n}"
        crowd = Crowd.of(leads, 1000 * ((3 * number + n) % 10), seed=100 * number + n)
        await campaign(centre, books, name, crowd)
        failures += await left_over(centre, books)
        seen = measured(centre, crowd.numbers, agents, WRAP_UP_SECONDS)
        lines.append(seen)
        expected.append(foretold(crowd.laws(agents, seen.seconds, WRAP_UP_SECONDS)))
        checked = await centre.cli("campaign", "trace", name, "--check")
        if checked["differing"] or not checked["decisions"]:
            failures.append(f"{name}: of {checked['decisions']} recorded decisions {checked['differing']} differ")
    books.close()
    answered, dropped = sum(s.answered for s in lines), sum(s.dropped for s in lines)
    utilization = sum(s.utilization for s in lines) / len(lines)
    simulated = sum(interval.mean for interval in expected) / len(expected)
    if dropped > LIMIT * answered:
        failures.append(f"{dropped} of {answered} answered calls were dropped, more than {LIMIT:.0%}")
    if abs(utilization - simulated) > NEAR:
        failures.append(f"utilization {utilization:.3f}, the simulator says {simulated:.3f}")
    figures = {
        "campaigns": campaigns,
        "answered": answered,
        "dropped": dropped,
        "abandonment": f"{dropped / max(answered, 1):.2%}",
        "utilization on the line": [s.utilization for s in lines],
        "utilization foretold": [interval.mean for interval in expected],
        "minutes of dialling": [s.seconds / 60 for s in lines],
    }
    return Round(figures, failures)


PROOFS = [
    Proof(
        "predictive",
        "Three predictive campaigns of 1 000 leads over 20 agents (ring 3 to 8 s, talk 20 s, wrap-up 5 s) stay under "
        "3 % abandonment pooled, by the far end's record, and keep the agents as busy as the simulator foretells, "
        "within 4 points; every recorded decision replays to the same number.",
        1,
        predictive_round,
        lambda: Centre("predictive", settings={"trunk.main": {"max_channels": 400, "max_cps": 100.0}}),
    )
]
