"""Preview: an agent is shown the next lead, and only when he takes it is it called.

The agent is held meanwhile, as for a call that rings. The lead is not: it is taken by the claim when the agent
wants it, so that everything which holds back a call is asked then, in the transaction of the intent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy.orm import Session

from contact_center.attempt_rules import AttemptRules
from contact_center.clock import Clock
from contact_center.dialling import DialOrder, PlaceCall, PreviewCard
from contact_center.ids import new_id
from contact_center.numbers import mask
from contact_center.pops import concealed
from contact_center.roster import Offer, Roster
from contact_center.seat import Seat
from contact_center.settings import Settings
from contact_center.store.claim_one import claim_one
from contact_center.store.claims import Claim
from contact_center.store.facts import PreviewNoted
from contact_center.store.previews import ALONE_SECONDS, SKIPPED_SECONDS, PreviewLead, preview_leads, put_off_held
from contact_center.store.writer import Writer
from contact_center.terms import AgentState, AgentStatus, CampaignMode, CampaignState
from contact_center.trunks import CAPPED, NoLine, Trunks
from dialer.calling_hours import CallingHours
from dialer.campaign import CampaignRun, LiveCall
from dialer.carriage import Carriage
from dialer.fresh import Lists, Look
from dialer.intents import order_of, own_agents
from dialer.ledger import Ledger

SPARE_LEADS = 20  # looked at beyond the agents there are, for leads that others are shown or have skipped

SPARE_LEADS_KEPT = 200  # the same, where leads may wait for agents of their own

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Preview:
    """A lead at an agent's place, in the dialer's queue since ``shown_at``. ``until``: monotonic seconds."""

    run: CampaignRun
    lead: PreviewLead
    offer: Offer
    card: PreviewCard
    shown_at: datetime
    until: float


@dataclass(frozen=True, slots=True)
class Parts:
    """What the dialer lends its previews."""

    roster: Roster
    writer: Writer
    clock: Clock
    placer: PlaceCall
    settings: Settings
    hours: CallingHours
    trunks: Trunks
    ledger: Ledger
    lists: Lists
    carriage: Carriage
    may_dial: Callable[[], bool]
    nothing_left: Callable[[CampaignRun, Sequence[str], datetime], Awaitable[None]]


class Previews:
    """Owned by the dialer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.shown: dict[str, Preview] = {}
        self._skipped: dict[tuple[int, str], float] = {}  # when, in monotonic seconds

    # -- showing --------------------------------------------------------------------------------------

    async def look(self, run: CampaignRun, at: datetime) -> None:
        """End what has lapsed, and show a lead to each free agent of a running campaign. Raises Unreachable."""
        parts = self._parts
        self._lapse()
        if not list(self._free(run)) or run.idle_seconds(at):
            return
        if parts.trunks.spent(run.options.trunk):  # nobody is shown whom he could not call
            return
        run.look_at = None
        zones = await parts.hours.open_zones(run, at)
        own, rules = own_agents(run, parts.roster, at), AttemptRules.of(run.options, parts.settings.site)
        spare = SPARE_LEADS if own is None else SPARE_LEADS_KEPT
        few = len(list(self._free(run))) + len(self.shown) + len(self._skipped) + spare
        asked: dict[str, Any] = {"campaign_id": run.id, "open_zones": zones, "now": at, "few": few}
        asked |= {"profile": run.options.profile, "own": rules}
        found = await parts.writer.read(partial(preview_leads, **asked))
        leads = await parts.carriage.only_carried(run, found, zones)
        if leads is None:
            return
        if not leads:
            if await parts.writer.commit(partial(put_off_held, **asked)):
                return
            await parts.nothing_left(run, zones, at)
        if run.state is not CampaignState.RUNNING or run.mode is not CampaignMode.PREVIEW or not parts.may_dial():
            return
        taken = {preview.lead.number for preview in self.shown.values()}
        for patience in (SKIPPED_SECONDS, ALONE_SECONDS):  # what was let pass comes when there is nothing else
            for lead in leads:
                let_pass = self._let_pass(lead, lead.last_agent, patience)
                kept = own is not None and not let_pass and own.keep(lead.last_agent, lead.due_at, lead.promised_to)
                if lead.number not in taken and not kept and (seat := self._seat_for(run, lead, patience)):
                    taken.add(lead.number)
                    self._show(run, lead, seat, at)
                    own = own and own.with_call_for(seat.ext)

    def _let_pass(self, lead: PreviewLead, ext: str, patience: float) -> bool:
        """Whether this agent let it pass less than so many seconds ago."""
        skipped = self._skipped.get((lead.id, ext))
        return skipped is not None and self._parts.clock.monotonic() - skipped < patience

    def _free(self, run: CampaignRun) -> Iterator[Seat]:
        """Agents of its team who wait for a call, the one who has waited longest first."""
        idle = [seat for seat in self._parts.roster if seat.serves(run.team) and seat.state is AgentState.IDLE]
        yield from sorted(idle, key=lambda seat: (seat.idle_since_at, seat.ext))

    def _seat_for(self, run: CampaignRun, lead: PreviewLead, patience: float) -> Seat | None:
        """The agent who served this lead before, if he is free, else the next one who has not let it pass."""
        free = [seat for seat in self._free(run) if not self._let_pass(lead, seat.ext, patience)]
        wanted = lead.last_agent if run.options.sticky or lead.promised_to else ""
        own = next((seat for seat in free if seat.ext == wanted), None)
        return own or next(iter(free), None)

    def _show(self, run: CampaignRun, lead: PreviewLead, seat: Seat, at: datetime) -> None:
        parts, seconds = self._parts, run.options.preview_seconds
        card = PreviewCard(
            call_id=new_id("preview"),
            ext=seat.ext,
            lead_id=lead.id,
            campaign=run.name,
            number=lead.number,
            hide_number=run.options.hide_number,
            until_at=at + timedelta(seconds=seconds),
            fields=lead.fields,
            screen_pop_url=run.options.screen_pop_url,
        )
        parts.placer.show_preview(card)
        offer = parts.roster.reserve(run.team, card.call_id, seat.ext)
        if offer is None or offer.ext != seat.ext:  # a caller in a queue was quicker
            parts.placer.hide_preview(card)
            if offer is not None:
                offer.close()
            return
        self.shown[seat.ext] = Preview(run, lead, offer, card, at, parts.clock.monotonic() + seconds)
        self._note(card, at, "")
        log.info("lead shown", action="preview", agent=seat.ext, lead_id=lead.id, campaign=run.name)

    def _lapse(self) -> None:
        now = self._parts.clock.monotonic()
        self._skipped = {key: at for key, at in self._skipped.items() if now - at < SKIPPED_SECONDS}
        for ext, preview in list(self.shown.items()):
            run = preview.run
            if now >= preview.until:
                self._end(ext, "lapsed")
            elif run.state is not CampaignState.RUNNING or run.mode is not CampaignMode.PREVIEW:
                self._end(ext, "withdrawn")
            elif preview.offer.seat.status is not AgentStatus.ONLINE:
                self._end(ext, "gone")

    def changed(self) -> None:
        """Campaigns or agents were changed: who is shown a lead of a campaign that rests is free again."""
        self._lapse()

    def next_end_seconds(self, run: CampaignRun) -> float | None:
        """In how many seconds the first preview of a campaign lapses; None where there is none."""
        ends = [preview.until for preview in self.shown.values() if preview.run is run]
        return max(min(ends) - self._parts.clock.monotonic(), 0.0) if ends else None

    async def decide(self, ext: str, action: str, lead_id: int) -> None:
        """``take`` or ``skip`` as somebody asked who looked at this lead; nothing where another is shown by now.

        Raises Unreachable.
        """
        preview = self.shown.get(ext)
        if preview is None or preview.lead.id != lead_id:
            log.info("the lead is not shown any more", action="preview", agent=ext, lead_id=lead_id, wish=action)
        elif action == "take":
            try:
                await self.take(ext)
            except NoLine as error:
                log.warning("not called", action="preview", agent=ext, reason=str(error))
        else:
            self.skip(ext)

    def skip(self, ext: str) -> bool:
        """The agent lets the lead pass: another one is shown it, and he the next. False: he is shown none."""
        return self._end(ext, "skipped")

    def _end(self, ext: str, why: str) -> bool:
        preview = self.shown.pop(ext, None)
        if preview is None:
            return False
        if why in ("skipped", "lapsed", "taken"):
            self._skipped[preview.lead.id, ext] = self._parts.clock.monotonic()
        self._note(preview.card, self._parts.clock.now(), why)
        self._parts.placer.hide_preview(preview.card)
        if why != "taken":
            preview.offer.close()
        return True

    def _note(self, card: PreviewCard, at: datetime, over: str) -> None:
        hidden = card.hide_number
        fact = PreviewNoted(
            ext=card.ext,
            call_id=card.call_id,
            lead_id=card.lead_id,
            campaign=card.campaign,
            number=mask(card.number) if hidden else card.number,
            fields=concealed(dict(card.fields), card.number) if hidden else dict(card.fields),
            until_at=card.until_at,
            at=at,
            over=over,
        )
        self._parts.writer.post(fact)

    # -- taking ---------------------------------------------------------------------------------------

    async def take(self, ext: str, leg: object = None) -> DialOrder | None:
        """Call the lead that the agent is shown; None where he is shown none, or it may not be called after all.

        ``leg``: his own call, in which the customer is to arrive. Raises Unreachable, and NoLine where no trunk may
        carry calls any more.
        """
        preview = self.shown.get(ext)
        if preview is None:
            return None
        self._end(ext, "taken")
        intent = asyncio.create_task(self._intend(preview), name=f"intent of {ext}")
        cancelled = await _at_its_end(intent)
        order: DialOrder | None = None
        try:
            order = intent.result()
            if order is not None and not self._may_send(preview.run, order, is_wanted=cancelled is None):
                order = None
        finally:
            if order is None:
                preview.offer.close()
                log.info("not called after all", action="preview", agent=ext, lead_id=preview.lead.id)
            if cancelled is not None:
                raise cancelled
        if order is not None:
            preview.offer.call_id = order.call_id
            self._parts.placer.place_held(order, preview.offer, leg)
            self._parts.roster.change(preview.offer.seat, call_id=order.call_id)
        return order

    async def _intend(self, preview: Preview) -> DialOrder | None:
        """Write the intent down; None where the lead may not be called."""
        parts, run = self._parts, preview.run
        taken = parts.clock.monotonic()
        names = parts.carriage.trunks_for(run, preview.lead.number)
        line = parts.trunks.choose(names, taken) if names is not None else None
        if line is None:
            if names is not None and (why := parts.trunks.spent(names)):
                raise NoLine(why, CAPPED)
            return None
        claim: Claim | None = None
        try:
            claim, look = await self._claim(preview, line)
        finally:
            if claim is None:
                parts.trunks.give_back(line)
        if claim is None:
            return None
        allowed, fresh_until = await parts.lists.allowed([claim], look)
        return order_of(run, claim, parts.trunks, parts.settings, fresh_until if allowed else float("-inf"))

    def _may_send(self, run: CampaignRun, order: DialOrder, *, is_wanted: bool) -> bool:
        """Whether the call is placed now; if not, its intent is given back."""
        parts, now = self._parts, self._parts.clock.monotonic()
        late = order.is_late(parts.clock.now(), now)
        if late or not is_wanted or not parts.may_dial() or run.state is not CampaignState.RUNNING:
            parts.ledger.never_placed(run, order)
            return False
        parts.trunks.sent(order.trunk)
        parts.ledger.placed(run, LiveCall(order, now))
        run.last_placed = now
        return True

    async def _claim(self, preview: Preview, line: str) -> tuple[Claim | None, Look]:
        parts, run, at = self._parts, preview.run, self._parts.clock.now()
        zones = await parts.hours.open_zones(run, at)

        def claim(session: Session) -> tuple[Claim | None, Look]:
            taken = claim_one(
                session,
                campaign_id=run.id,
                lead_id=preview.lead.id,
                now=at,
                open_zones=zones,
                trunk=line,
                max_attempts=run.options.max_attempts,
                profile=run.options.profile,
                queued_at=preview.shown_at,
                own=AttemptRules.of(run.options, parts.settings.site),
                number=preview.lead.number,
            )
            return taken, parts.lists.look()

        return await parts.writer.commit(claim, ahead=True)


async def _at_its_end(intent: asyncio.Task[DialOrder | None]) -> asyncio.CancelledError | None:
    """Wait for an intent to its end, for what is stored must have an owner; gives the cancel that came meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not intent.done():
        try:
            await asyncio.wait([intent])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
