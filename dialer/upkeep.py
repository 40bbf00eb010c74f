"""What a running dialer does beside dialling: keep what was learned, look ahead at the leads that come next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from importlib import import_module

import structlog
from sqlalchemy.orm import Session

from contact_center.clock import Clock
from contact_center.errors import Unreachable
from contact_center.models import Campaign
from contact_center.store.claims import zones_of
from contact_center.store.facts import PaceLearned
from contact_center.store.law_places import place_leads_again
from contact_center.store.queries_pace import (
    HOUR_SECONDS,
    ComingLead,
    answered_hours,
    checked_hours,
    coming_leads,
    pace_history,
)
from contact_center.store.writer import Writer
from contact_center.terms import CampaignMode, CampaignState
from dialer.calling_hours import open_places
from dialer.campaign import CampaignRun, Past
from dialer.floor import Floor
from dialer.trace_file import Traces
from dialer.windows import MONTH_SECONDS, Windows

ROUND_SECONDS = 0.5
KEEP_SECONDS = 30.0  # what was learned is stored at most so often while a campaign runs
COMING_SECONDS = 5.0  # how long the leads that come next are remembered
COMING_LEADS = 64
FEW_LEFT = 24  # of them before more are asked for
CAMPAIGNS_A_ROUND = 10  # for which leads are looked up in one transaction
CHECK_SECONDS = 15.0  # how often it is read which calls were a machine's by their agents' word
PAST_SECONDS = 30.0  # how long the reading of a month's calls may take, of a campaign that starts

log = structlog.get_logger(__name__)


class Upkeep:
    """Owned by the dialer. ``moved``: told when leads have other places now."""

    def __init__(
        self,
        campaigns: dict[int, CampaignRun],
        floor: Floor,
        writer: Writer,
        clock: Clock,
        traces: Traces,
        site_zone: str,
        moved: Callable[[], None],
    ) -> None:
        self._campaigns, self._floor, self._writer, self._clock = campaigns, floor, writer, clock
        self._traces, self._site_zone, self._moved = traces, site_zone, moved
        self._kept: dict[int, tuple[float, int]] = {}
        self._asked: dict[int, float] = {}
        self._placed: set[int] = set()
        self._checked: dict[int, float] = {}

    async def pasts(self, rows: Iterable[Campaign]) -> dict[int, Past]:
        """What campaigns bring along that look ahead, or whose drops the law limits, and are not known yet, by id."""
        ahead = {row.id or 0 for row in rows if row.mode == CampaignMode.PREDICTIVE}
        # As it stands: a row whose other settings make no sense is left out later, and keeps nobody else.
        limited = {row.id or 0 for row in rows if (row.options or {}).get("profile", "none") != "none"}
        wanted = [campaign for campaign in sorted(ahead | limited) if self._is_new(campaign)]
        since = self._clock.now() - timedelta(seconds=MONTH_SECONDS)

        def read(session: Session) -> dict[int, Past]:
            return {
                campaign: Past(
                    Windows.of(answered_hours(session, campaign, since), checked_hours(session, campaign, since)),
                    pace_history(session, campaign),
                )
                for campaign in wanted
            }

        if not wanted:
            return {}
        if ahead:
            await asyncio.to_thread(import_module, "dialer.predictive")  # numpy takes long enough to be heard
        return await self._writer.read(read, within=PAST_SECONDS)

    def _is_new(self, campaign: int) -> bool:
        run = self._campaigns.get(campaign)
        return run is None or not run.has_past

    async def run(self) -> None:
        """Round after round, until cancelled."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                self.keep_some()
                await self._place_again()
                await self._look_up()
                await self._check()
                self._traces.flush()
            except Unreachable as error:
                log.warning("leads are not looked up", action="pace", reason=str(error))
            except Exception:  # nobody's call may end because of what is only helpful
                log.exception("upkeep of the dialer failed", action="pace")

    # -- what was learned -----------------------------------------------------------------------------

    def keep_some(self) -> None:
        """Store what was learned where that is half a minute ago and more calls have been resolved since."""
        now = self._clock.monotonic()
        for run in self._campaigns.values():
            at, resolved = self._kept.setdefault(run.id, (now, run.resolved))
            if run.resolved != resolved and now - at >= KEEP_SECONDS:
                self.keep(run)

    def keep(self, run: CampaignRun) -> None:
        """Store what was learned of a campaign, if anything was."""
        _, resolved = self._kept.get(run.id, (0.0, 0))
        learned = run.remember() if run.resolved != resolved else None
        self._kept[run.id] = self._clock.monotonic(), run.resolved
        if learned is not None:
            self._writer.post(PaceLearned(campaign_id=run.id, at=self._clock.now(), learned=learned))

    def keep_all(self) -> None:
        """Store everything that was learned: the process is about to end."""
        for run in self._campaigns.values():
            self.keep(run)
        self._traces.close()

    # -- machine detection ----------------------------------------------------------------------------

    async def _check(self) -> None:
        """Read what agents say of machines, of this hour's calls and of those of the one before, a campaign at a time.

        They key it in or after the call. What is mended later is read at the next start.
        """
        now = self._clock.monotonic()
        due = [run for run in self._campaigns.values() if self._wants_checks(run, now)]
        if not due:
            return
        run = min(due, key=lambda run: self._checked.get(run.id, 0.0))
        self._checked[run.id] = now
        at = self._clock.now()
        since = at.replace(minute=0, second=0, microsecond=0) - timedelta(seconds=HOUR_SECONDS)
        found = await self._writer.read(lambda session: checked_hours(session, run.id, since), ahead=True)
        run.windows.check(found, since.timestamp())

    def _wants_checks(self, run: CampaignRun, now: float) -> bool:
        if run.state is not CampaignState.RUNNING or not run.looks_ahead:
            return False
        return now - self._checked.get(run.id, float("-inf")) >= CHECK_SECONDS

    # -- leads of an earlier version ------------------------------------------------------------------

    async def _place_again(self) -> None:
        """Work out where leads are that were stored before their jurisdictions were; nobody waits for it.

        Until then nothing is known of them, and the strictest rules of their campaign's country hold.
        """
        new = [r for r in self._campaigns.values() if r.state is CampaignState.RUNNING and r.id not in self._placed]
        if new:
            run = new[0]
            self._placed.add(run.id)
            keys = await self._writer.read(lambda session: zones_of(session, run.id), ahead=True)
            if any("|" not in key for key in keys):
                await self._place_all(run)

    async def _place_all(self, run: CampaignRun) -> None:
        after: int | None = 0
        while after is not None:

            def place(session: Session, after: int = after or 0) -> int | None:
                return place_leads_again(session, run.id, site_zone=self._site_zone, after_id=after)

            after = await self._writer.commit(place)
        found = await self._writer.read(lambda session: zones_of(session, run.id), ahead=True)
        run.zones = tuple({*run.zones, *found})
        self._asked.pop(run.id, None)
        self._moved()

    # -- the leads that come next ---------------------------------------------------------------------

    async def _look_up(self) -> None:
        now, at = self._clock.monotonic(), self._clock.now()
        wanting = [run for run in self._campaigns.values() if self._wants_leads(run, now)]
        wanting.sort(key=lambda run: self._asked.get(run.id, 0.0))
        chosen = [(run.id, open_places(run, at)) for run in wanting[:CAMPAIGNS_A_ROUND]]
        if not chosen:
            return
        for campaign, _ in chosen:
            self._asked[campaign] = now

        def read(session: Session) -> dict[int, list[ComingLead]]:
            return {
                campaign: coming_leads(session, campaign, zones, at, COMING_LEADS) if zones else []
                for campaign, zones in chosen
            }

        for campaign, leads in (await self._writer.read(read, ahead=True)).items():
            if run := self._campaigns.get(campaign):
                run.coming = {lead.id: run.odds.forecast(lead, at) for lead in leads}
            await asyncio.sleep(0)

    def _wants_leads(self, run: CampaignRun, now: float) -> bool:
        if run.state is not CampaignState.RUNNING or not (run.looks_ahead or run.options.choose_by_odds):
            return False
        if run.look_at is not None or not self._floor.whole(run.team).on_line:
            return False
        if run.options.filter and not run.search.is_small:
            return False  # to look at all of a long list would hold up everything else
        old = now - self._asked.get(run.id, float("-inf")) >= COMING_SECONDS
        return old or (len(run.coming) < FEW_LEFT and run.last_placed > self._asked.get(run.id, 0.0))
