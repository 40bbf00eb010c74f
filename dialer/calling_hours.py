"""In which zones a campaign's leads may be called now, and when that changes or the next lead is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from contact_center.clock import Clock
from contact_center.dialling import SENDING_SECONDS
from contact_center.law.windows import is_open, next_opening
from contact_center.store.claims import campaign_exhausted, has_leads, next_due_at, zones_of
from contact_center.store.expiry import close_expired, expired_leads
from contact_center.store.writer import Writer
from dialer.campaign import LONGEST_SECONDS, CampaignRun

ZONES_SECONDS = 60.0  # how long the zones of a campaign's leads are remembered, if nobody changes a lead
CLOSING = timedelta(seconds=2 * SENDING_SECONDS)  # before the hours end no lead is chosen any more
SEARCH_SECONDS = 0.02  # before a look goes over the next piece of a long list: others have their turn
SAME_LOOK_SECONDS = 0.5  # before leads that could not be taken are looked at again, if nothing happens


class CallingHours:
    """Asks the store as seldom as it can."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer, self._clock = writer, clock
        self._zones_at: dict[int, float] = {}

    def forget(self, campaign: int) -> None:
        """Its leads have changed."""
        self._zones_at.pop(campaign, None)

    def knows(self, run: CampaignRun) -> bool:
        """Whether its leads are still where they were when their places were asked for."""
        return run.id in self._zones_at

    async def open_zones(self, run: CampaignRun, at: datetime) -> list[str]:
        """The places (keys of leads) where it may ring now, by its own hours and by the law."""
        now = self._clock.monotonic()
        if now - self._zones_at.get(run.id, float("-inf")) > ZONES_SECONDS:
            found = await self._writer.read(lambda session: zones_of(session, run.id), ahead=True)
            run.zones = tuple({*run.zones, *found})  # a zone whose only lead is on the line is not forgotten
            self._zones_at[run.id] = now
        return open_places(run, at)

    async def exhausted(self, run: CampaignRun) -> bool:
        """Whether it had leads, and none is left that waits or is on the line; those that have expired are closed."""
        now = self._clock.now()
        while await self._writer.read(lambda session: expired_leads(session, run.id, now)):
            await self._writer.commit(lambda session: close_expired(session, run.id, now))
        return await self._writer.read(lambda s: campaign_exhausted(s, run.id) and has_leads(s, run.id))

    async def has_work(self, run: CampaignRun) -> bool:
        """Whether a lead is left that waits or is on the line."""
        return not await self._writer.read(lambda session: campaign_exhausted(session, run.id))

    async def next_look(self, run: CampaignRun, open_zones: Sequence[str], at: datetime) -> datetime:
        """When a campaign that got no lead should ask again: a lead is due, a zone opens, or to be safe."""
        if run.search.goes_on:
            return at + timedelta(seconds=SEARCH_SECONDS)
        moments = [at + timedelta(seconds=LONGEST_SECONDS)]
        if run.search.is_large:
            due = run.search.due_at
        else:
            due = await self._writer.read(lambda session: next_due_at(session, run.id, open_zones, at))
        if due is not None:
            on_the_line = due <= at  # due, but its number is on the line already
            soon = timedelta(seconds=SAME_LOOK_SECONDS if on_the_line else 0.02)
            moments.append(max(due, at + soon))
        closed = [zone for zone in run.zones if zone not in open_zones]
        moments += [opens for zone in closed if (opens := _opens(run, zone, at))]
        return min(moments)


def open_places(run: CampaignRun, at: datetime) -> list[str]:
    """Where, of all the places of its leads that are known, a campaign may call now and a moment later."""
    hours, profile, later = run.options.hours, run.options.profile, at + CLOSING
    return [zone for zone in run.zones if is_open(zone, hours, profile, at) and is_open(zone, hours, profile, later)]


def _opens(run: CampaignRun, zone: str, at: datetime) -> datetime | None:
    """When a place opens next that is closed, or is about to close."""
    hours, profile = run.options.hours, run.options.profile
    opens = next_opening(zone, hours, profile, at)
    return next_opening(zone, hours, profile, at + CLOSING) if opens is not None and opens <= at else opens
