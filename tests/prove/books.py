"""What the product has written down, read from its database between the rounds of a proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlmodel import col

from contact_center.models import Agent, Attempt, Call, Campaign, Lead
from contact_center.store.engine import open_engine, reading
from tests.lab.centre import Centre
from tests.lab.until import until


@dataclass(frozen=True, slots=True)
class Dial:
    """One attempt as stored. Instants are epoch seconds, 0 where unknown."""

    number: str
    call_id: str
    n: int
    counted: bool
    certain: bool
    is_open: bool
    outcome: str
    agent: str
    intent_at: float
    ringing_at: float
    answered_at: float
    connected_at: float
    ended_at: float
    disposition: str


@dataclass(frozen=True, slots=True)
class Party:
    """One lead as stored."""

    number: str
    state: str
    disposition: str
    attempts: int
    has_next: bool


class Books:
    """The store of a centre, read directly: a command costs a second."""

    def __init__(self, centre: Centre) -> None:
        self._engine: Engine = open_engine(centre.settings.database.url)

    def close(self) -> None:
        self._engine.dispose()

    def dials(self, campaign: str) -> list[Dial]:
        """Every attempt of a campaign, oldest first."""
        with reading(self._engine) as session:
            rows = session.execute(
                select(Attempt, Call.disposition)
                .join(Campaign, col(Campaign.id) == col(Attempt.campaign_id))
                .join(Call, col(Call.id) == col(Attempt.call_id))
                .where(col(Campaign.name) == campaign)
                .order_by(col(Attempt.id))
            ).all()
            return [_dial(attempt, disposition) for attempt, disposition in rows]

    def leads(self, campaign: str) -> list[Party]:
        """Every lead of a campaign."""
        with reading(self._engine) as session:
            rows = session.scalars(
                select(Lead)
                .join(Campaign, col(Campaign.id) == col(Lead.campaign_id))
                .where(col(Campaign.name) == campaign)
            )
            return [
                Party(r.number, str(r.state), r.disposition or "", r.attempts, r.next_attempt_at is not None)
                for r in rows
            ]

    def campaign_state(self, campaign: str) -> str:
        with reading(self._engine) as session:
            return str(session.scalars(select(Campaign.state).where(col(Campaign.name) == campaign)).one())

    def agents(self) -> dict[str, str]:
        """State by extension."""
        with reading(self._engine) as session:
            return {row.ext: str(row.state) for row in session.scalars(select(Agent))}

    async def until_finished(self, campaign: str, deadline: float) -> None:
        await until(lambda: self.campaign_state(campaign) == "finished", deadline, f"{campaign} to finish")

    async def until_quiet(self, campaign: str, deadline: float, *, also_new: bool = True) -> None:
        """No lead of it is on the line, and none waits that was never dialled."""
        busy = {"dialing", "talking"} | ({"new"} if also_new else set())

        def is_quiet() -> bool:
            leads = self.leads(campaign)
            return not any(lead.state in busy for lead in leads) and not any(d.is_open for d in self.dials(campaign))

        await until(is_quiet, deadline, f"every call of {campaign} to be settled")


def _at(instant: datetime | None) -> float:
    return instant.timestamp() if instant else 0.0


def _dial(row: Attempt, disposition: str | None) -> Dial:
    return Dial(
        number=row.number,
        call_id=row.call_id,
        n=row.n,
        counted=row.counted,
        certain=row.state != "unknown",
        is_open=row.live_number is not None,
        outcome=row.outcome,
        agent=row.agent,
        intent_at=_at(row.intent_at),
        ringing_at=_at(row.ringing_at),
        answered_at=_at(row.answered_at),
        connected_at=_at(row.connected_at),
        ended_at=_at(row.ended_at),
        disposition=disposition or "",
    )
