"""Dials of an earlier process: a talk goes on, of the others the end is written down. No dial is made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from ari_app.callback_call import CallbackCall
from ari_app.callback_outside import GivenCallback
from ari_app.events import ChannelInfo
from ari_app.given_outside import given_outside
from ari_app.queue_music import rejoin
from ari_app.snapshot import Snapshot, leg_began, talk_of
from contact_center import story
from contact_center.callbacks.fold import fold_attempt
from contact_center.callbacks.plan import after
from contact_center.options import QueueOptions
from contact_center.store.callback_claims import OpenDial
from contact_center.store.callback_facts import CallbackAnswered, CallbackDialEnded
from contact_center.terms import CallKind, Direction, Outcome, Party

if TYPE_CHECKING:
    from ari_app.callback_desk import CallbackDesk

log = structlog.get_logger(__name__)


def adopt_talks(
    desk: CallbackDesk, snapshot: Snapshot, dials: list[OpenDial], agent_of: Callable[[ChannelInfo], str]
) -> None:
    """Take over every talk that Asterisk holds, close the rest; what is left of legs is hung up by others."""
    for dial in dials:
        if dial.callback.id in desk.calls:
            continue
        adopted = _adopt(desk, snapshot, dial, agent_of)
        if not adopted:
            _close(desk, dial)
        log.info("callback", action="reconcile", callback=dial.callback.id, adopted=adopted)


def _adopt(desk: CallbackDesk, snapshot: Snapshot, dial: OpenDial, agent_of: Callable[[ChannelInfo], str]) -> bool:
    info, parts = snapshot.channels.get(dial.channel_id), desk.parts
    talk = talk_of(dial.channel_id, dial.agent_channel_id, snapshot)
    if info is None or talk is None or dial.callback.queue not in parts.board.queues:
        return False
    ext, given = agent_of(talk.agent), given_outside(parts.env, talk)
    if not ext and given is None:
        return False
    ari, now = parts.env.ari, parts.env.clock.now()
    customer = ari.adopt(info)
    since = dial.connected_at or dial.answered_at or leg_began(talk.agent) or now
    if dial.answered_at is None:
        parts.post(CallbackAnswered(callback_id=dial.callback.id, n=dial.n, at=since))
    before = replace(dial.callback, attempt=dial.callback.attempt - 1, dials=dial.callback.dials - 1)
    call: CallbackCall
    if given is not None:
        call = last = GivenCallback(before, parts, dial.intent_at)
        life = last.resume_outside(dial.n, customer, given, dial.agent, since)
    else:
        call = CallbackCall(before, parts, dial.intent_at)
        agent, bridge = ari.adopt(talk.agent), ari.bridge(talk.bridge.id)

        async def talk_on() -> None:
            if talk.on_hold:
                await rejoin(customer, bridge)
            await call.resume_talk(dial.n, customer, agent, ext, bridge.id, since)

        life = talk_on()
    desk.resume(call, ari.spawn(life, f"callback {dial.callback.id}"))
    return True


def _proven(dial: OpenDial, agent: str, language: str, now: datetime) -> story.CallLog:
    """What is proven of a call whose end nobody saw."""
    kept = dial.callback
    calls = story.CallLog(
        story.Header(
            id=kept.call_id,
            kind=CallKind.CALLBACK,
            direction=Direction.OUTBOUND,
            started_at=kept.since_at,
            caller_number=kept.number,
            queue=kept.queue,
            did=kept.did,
            attempt=kept.attempt,
            language=language,
        )
    )
    calls.add(story.Offered(dial.intent_at, agent))
    if dial.answered_at is not None:
        calls.add(story.Answered(dial.answered_at))
    if dial.connected_at is not None:
        calls.add(story.Connected(dial.connected_at, agent))
    calls.add(story.SwitchLost(now))
    calls.add(story.Left(now, Party.SYSTEM))
    calls.add(story.Ended(now, _outcome(dial)))
    return calls


def _outcome(dial: OpenDial) -> Outcome:
    return Outcome.CONNECTED if dial.answered_at is not None else Outcome.TECHNICAL_ERROR


def _close(desk: CallbackDesk, dial: OpenDial) -> None:
    """The call ended while nobody listened: what is proven is kept; it counts, and is not made again."""
    parts, kept = desk.parts, dial.callback
    now, seat = parts.env.clock.now(), parts.env.roster.get(dial.agent)
    agent = seat.name if seat else dial.agent
    rules = parts.board.queues.get(kept.queue)
    options = rules.options if rules is not None else QueueOptions()
    calls, outcome = _proven(dial, agent, parts.env.settings.site.language, now), _outcome(dial)
    step = after(
        outcome,
        attempt=kept.attempt,
        dials=kept.dials,
        most=options.callback_attempts,
        delays=options.callback_delays,
        ended_at=now,
        certain=False,
    )
    parts.post(
        CallbackDialEnded(
            callback_id=kept.id,
            n=dial.n,
            at=now,
            outcome=outcome.value,
            sip_code=None,
            counted=step.counted,
            state=step.state.value,
            due_at=step.due_at,
            reason=step.reason or "its end was not seen",
            story=fold_attempt(calls, dial.intent_at),
        )
    )
