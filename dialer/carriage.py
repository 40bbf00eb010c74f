"""Which trunks may carry the leads of a campaign, and what becomes of leads that none may carry."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from contact_center.carriers import Carriers
from contact_center.clock import Clock
from contact_center.settings import Settings
from contact_center.store.carriage import close_not_carried, not_carried_count, open_carried
from contact_center.store.previews import PreviewLead
from contact_center.store.writer import Writer
from dialer.campaign import CampaignRun

COUNT_SECONDS = 30.0  # how long looking through the closed leads of a campaign may take


class Carriage:
    """Owned by the dialer."""

    def __init__(self, settings: Settings, writer: Writer, clock: Clock) -> None:
        self._settings, self._writer, self._clock = settings, writer, clock
        self._known: dict[tuple[str, ...], Carriers] = {}
        self._opened: dict[int, Carriers] = {}

    def of(self, run: CampaignRun) -> Carriers:
        """The trunks of a campaign with what they may carry."""
        named = run.options.trunk
        if named not in self._known:
            self._known[named] = Carriers.of(self._settings, named)
        return self._known[named]

    def trunks_for(self, run: CampaignRun, number: str) -> tuple[str, ...] | None:
        """By which a lead may be called, as they are asked for a line; None where none may carry it."""
        carriers = self.of(run)
        if not carriers.lists:
            return run.options.trunk
        return carriers.for_number(number) or None

    async def open_carried(self, run: CampaignRun) -> int:
        """Open those leads again that a trunk may carry now, if the trunks are others than at the last look; how many.

        Raises Unreachable.
        """
        carriers = self.of(run)
        if self._opened.get(run.id) == carriers:
            return 0
        if not await self._writer.read(lambda session: not_carried_count(session, run.id), within=COUNT_SECONDS):
            self._opened[run.id] = carriers
            return 0
        opened, after = 0, 0

        def some(session: Session) -> tuple[int, int | None]:
            return open_carried(session, run.id, carriers, self._clock.now(), after)

        while True:
            count, behind = await self._writer.commit(some)
            opened += count
            if behind is None:
                self._opened[run.id] = carriers
                return opened
            after = behind

    async def only_carried(
        self, run: CampaignRun, leads: list[PreviewLead], zones: Sequence[str]
    ) -> list[PreviewLead] | None:
        """Those that a trunk may carry; None where none of them is: the next ones are closed, and others come next.

        Raises Unreachable.
        """
        carriers = self.of(run)
        good = [lead for lead in leads if carriers.carry(lead.number)]
        if len(good) == len(leads):
            return good
        await self._writer.commit(lambda s: close_not_carried(s, run.id, zones, carriers, self._clock.now()))
        return good or None
