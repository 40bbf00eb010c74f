"""Intents: the leads of several campaigns taken in one transaction, and the orders made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from sqlalchemy.orm import Session

from contact_center.attempt_rules import AttemptRules
from contact_center.carriers import Carriers, Hand
from contact_center.dialling import DialOrder, PlaceCall
from contact_center.law.duties import Duties, duties
from contact_center.law.rules import Clock
from contact_center.local_presence import caller_id_for
from contact_center.own_agents import OwnAgents
from contact_center.roster import Roster
from contact_center.settings import Settings, Site
from contact_center.silent_text import silent_text
from contact_center.store.claims import Claim, claim
from contact_center.store.recovery import OpenAttempt
from contact_center.terms import CallKind
from contact_center.trunks import Trunks
from dialer.campaign import CampaignRun

_AS_THEY_ARE = (
    *("hide_number", "force_hangup", "wrap_up_seconds", "screen_pop_url", "rating_group", "rating_ivr"),
    *("opt_out", "opt_out_key", "record", "record_announcement"),
)  # settings of a campaign that an order has under the same names
GREETING_SECONDS = 3.0  # who speaks longer hears the message all the same
MOST_AT_ONCE = 50  # intents in one transaction: a burst must not hold the database for others


@dataclass(slots=True)
class Want:
    """Calls that a campaign is to place, with a line taken for each.

    ``most``: how many; where its trunks carry different numbers, lines are taken of each kind, and there are more.
    ``taken``: when the lines were, in monotonic seconds; ``cut``: it wanted more than there were lines.
    ``lacking``: trunks of which there was no line for the next leads.
    """

    run: CampaignRun
    lines: Sequence[str]
    taken: float
    most: int
    carriers: Carriers
    own: OwnAgents | None = None
    cut: bool = False
    open_zones: Sequence[str] = ()
    lacking: Collection[str] = ()

    def short_by(self, claimed: int) -> str:
        """Why fewer calls than wanted came of it; empty where none is missing."""
        if claimed >= self.most:
            return ""
        return (
            "no free line on the trunks that may carry the next leads" if self.lacking else "no lead may be called now"
        )

    @property
    def odds(self) -> Mapping[int, float] | None:
        """The odds of the next leads by id, if the campaign chooses by them and they are any good."""
        if not self.run.options.choose_by_odds or not self.run.odds.useful:
            return None
        return {lead: forecast.odds for lead, forecast in self.run.coming.items()}


def own_agents(run: CampaignRun, roster: Roster, at: datetime) -> OwnAgents | None:
    """For whom leads of a campaign wait; None where they do not."""
    expected = (call.order.prefer_agent for call in run.live.values() if call.connected is None)
    return OwnAgents.of(run.options, run.team, roster, expected, at)


def want_of(
    run: CampaignRun, trunks: Trunks, carriers: Carriers, own: OwnAgents | None, most: int, now: float
) -> Want | None:
    """Up to ``most`` calls of a campaign with their lines; None where there is no line."""
    groups = carriers.groups() if carriers.lists else [run.options.trunk]
    lines = [line for names in groups for line in trunks.take_lines(names, most, now)]
    lines.sort(key=lambda name: carriers.trunks.index(name) if carriers.lists else 0)
    return Want(run, lines, now, min(most, len(lines)), carriers, own, cut=len(lines) < most) if lines else None


def bundles(wants: Sequence[Want]) -> list[list[Want]]:
    """Wants that are stored together, in their order."""
    made: list[list[Want]] = []
    room = 0
    for want in wants:
        if not made or want.most > room:
            made.append([])
            room = MOST_AT_ONCE
        made[-1].append(want)
        room -= want.most
    return made


def take_leads(
    session: Session, bundle: Sequence[Want], odds: Sequence[Mapping[int, float] | None], at: datetime, site: Site
) -> list[list[Claim]]:
    """The leads of each want, in the caller's transaction; ``odds``: of each want's leads, or None."""
    hands = [Hand(want.lines, want.carriers, want.own) for want in bundle]
    taken = [
        claim(
            session,
            campaign_id=want.run.id,
            want=want.most,
            now=at,
            open_zones=want.open_zones,
            trunks=hand,
            max_attempts=want.run.options.max_attempts,
            kind=CallKind(want.run.mode.value),
            odds=known,
            profile=want.run.options.profile,
            own=AttemptRules.of(want.run.options, site),
            search=want.run.search,
        )
        for want, hand, known in zip(bundle, hands, odds, strict=True)
    ]
    for want, hand in zip(bundle, hands, strict=True):
        want.lacking = hand.lacking
    return taken


def speechless(run: CampaignRun, placer: PlaceCall, language: str, at: datetime) -> str:
    """Why nobody may be called yet: words that the law wants for whom nobody is free, or that are to be left on
    machines, cannot be played.
    """
    options, words = run.options, silent_text(run.options, language, at)
    if options.amd and options.amd_action == "message" and not placer.can_leave(options.amd_message):
        lacking = " yet" if options.amd_message else ": amd_message must be set"
        return f"the message for answering machines cannot be played{lacking}"
    if not words.required or (words.text and placer.can_say(words.text)):
        return ""
    lacking = f": {' and '.join(words.missing)} must be set" if words.missing else " yet"
    return f"the silent call message cannot be played{lacking}"


def order_of(
    run: CampaignRun, claimed: Claim | OpenAttempt, trunks: Trunks, settings: Settings, fresh_until: float = inf
) -> DialOrder:
    """The order of an attempt that is committed, by this process or an earlier one, with what the law asks of it."""
    words = silent_text(run.options, settings.site.language, claimed.intent_at)
    owed = duties(claimed.zones, run.options.hours, run.options.profile, claimed.intent_at)
    return DialOrder(
        call_id=claimed.call_id,
        channel_id=claimed.channel_id,
        attempt_id=claimed.attempt_id,
        n=claimed.n,
        attempts=claimed.attempts,
        lead_id=claimed.lead_id,
        campaign=run.name,
        kind=claimed.kind,
        number=claimed.number,
        trunk=claimed.trunk,
        endpoint=_endpoint(claimed, trunks),
        caller_id=caller_id_for(claimed.number, run.options.caller_ids, run.options.caller_id),
        team=run.team,
        prefer_agent=claimed.promised or (claimed.last_agent if run.options.sticky else ""),
        ring_seconds=max(run.options.ring_seconds, owed.ring_seconds),
        agent_ring_seconds=float(settings.agents.ring_seconds),
        deadline_seconds=min(run.options.connect_deadline, owed.message_seconds or inf),
        ordered_at=claimed.intent_at,
        queued_at=claimed.queued_at,
        fields=claimed.fields,
        campaign_id=claimed.campaign_id,
        invite_before=owed.invite_before,
        fresh_until=fresh_until,
        lockout_seconds=max(owed.lockout_seconds, run.options.lockout),
        machine_lockout_seconds=owed.machine_lockout_seconds,
        greeting_seconds=_greeting_seconds(run, owed),
        law_version=owed.version,
        message=words.text,
        message_required=words.required,
        detect=run.options.amd and claimed.kind is not CallKind.PREVIEW,
        machine_action=run.options.amd_action,
        machine_message=run.options.amd_message,
        **{key: getattr(run.options, key) for key in _AS_THEY_ARE},
    )


def _greeting_seconds(run: CampaignRun, owed: Duties) -> float:
    """How much of a greeting is waited for; 0 where the campaign or the law of the place counts from the answer."""
    from_end = owed.message_seconds is not None and owed.message_clock is Clock.GREETING_END
    return GREETING_SECONDS if from_end and run.options.message_clock == Clock.GREETING_END.value else 0.0


def _endpoint(claimed: Claim | OpenAttempt, trunks: Trunks) -> str:
    """The dial string; empty where an adopted call is on a trunk that was removed since."""
    there = claimed.trunk in trunks.lines
    return trunks.dial_string(claimed.trunk, claimed.number) if there else ""
