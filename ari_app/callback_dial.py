"""The dial of one customer who is called back, as the far end takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from ari_app import formats
from ari_app.channel import Channel, Gone, GoneKind
from ari_app.errors import AriDown, HungUp, Refused, Uncertain
from ari_app.scope import heard_late, until_hangup
from ari_app.services import Services
from ari_app.trunk_line import take_line
from contact_center import story
from contact_center.callbacks.plan import Kept
from contact_center.crash_points import reached
from contact_center.errors import UsageError
from contact_center.outcomes import classify, gave_up
from contact_center.outside_calls import trunks_for
from contact_center.terms import Outcome, Party
from contact_center.trunks import NoLine

SAFETY_SECONDS = 10.0  # Asterisk's own timeout is so much longer than ours, which counts from the ringing
TIMER_B_SECONDS = 31.0  # RFC 3261: an INVITE that nothing answers ends after 32 s

LINE_SECONDS = 5.0  # an agent holds the line for this customer, who has waited for long: a line is waited for

log = structlog.get_logger(__name__)


class CustomerDial:
    """One dial; ``outcome`` is None while nothing is known, ``certain`` False where it never will be."""

    def __init__(self, env: Services, kept: Kept, channel_id: str, calls: story.CallLog) -> None:
        self.channel: Channel = env.ari.channel(channel_id)
        self.outcome: Outcome | None = None
        self.certain = True
        self._env, self._kept, self._log = env, kept, calls
        self._limit: asyncio.Timeout | None = None
        self._placed_at = 0.0

    async def answered(self, ring_seconds: float, trunks: Sequence[str] = ()) -> bool:
        """Dial and wait for the answer, ``ring_seconds`` from the ringing; False with ``outcome`` where none came.

        ``trunks``: those that may carry it, none named: all.

        Raises HungUp only for the channels of scopes around it.
        """
        self.channel.ringing.add_done_callback(self._on_ringing(ring_seconds))
        self._placed_at = asyncio.get_running_loop().time()
        try:
            async with until_hangup(self.channel), asyncio.timeout(ring_seconds) as self._limit:
                await self._place(ring_seconds, trunks)
                await self.channel.entered
        except TimeoutError:
            await heard_late(self._limit, self.channel.entered, self.channel.gone)
            if self.channel.gone.happened:
                return False
            if not self.channel.entered.happened:
                self.outcome = gave_up(rang=self.channel.ringing.happened)
                self._log.add(story.Left(self._now(), Party.SYSTEM))
                return False
        except HungUp as hangup:
            if hangup.channel is not self.channel:
                raise
            return False
        except (Refused, AriDown, UsageError, NoLine) as error:
            self.outcome = Outcome.NOT_ATTEMPTED
            log.warning("not placed", action="callback", call_id=self._kept.call_id, reason=str(error))
            return False
        except Uncertain as error:
            self.certain = False
            log.warning("placed or not", action="callback", call_id=self._kept.call_id, reason=str(error))
            return False
        finally:
            self._limit = None
        self._log.add(story.Answered(self.channel.answered.at or self._now()))
        return True

    async def _place(self, ring_seconds: float, trunks: Sequence[str]) -> None:
        number = self._kept.number
        allowed = trunks_for(self._env.settings, trunks, number)
        trunk = await take_line(self._env, self.channel, allowed, LINE_SECONDS)
        await self.channel.originate(
            self._env.trunks.dial_string(trunk, number),
            ring_seconds=2 * ring_seconds + SAFETY_SECONDS,
            app_args=("callback", self._kept.id),
            caller_id=self._kept.did,
            formats=formats.of_trunk(self._env.settings, trunk),
        )
        reached("originate_sent")

    def _on_ringing(self, ring_seconds: float) -> Callable[[object], None]:
        def ring(_: object) -> None:
            self._log.add(story.Rang(self.channel.ringing.at or self._now()))
            if self._limit is not None and not self._limit.expired():
                self._limit.reschedule(asyncio.get_running_loop().time() + ring_seconds)

        return ring

    def withdraw(self) -> None:
        """Take it back unless it is answered."""
        if self._limit is not None and not self._limit.expired() and not self.channel.entered.happened:
            self._limit.reschedule(asyncio.get_running_loop().time())

    def over(self) -> Outcome:
        """What it came to, when the line is free or has been given up."""
        if self.outcome is not None:
            return self.outcome
        if self.channel.answered.happened and self._log.find(story.Answered) is None:
            self._log.add(story.Answered(self.channel.answered.at or self._now()))
        if self._log.find(story.Answered) is not None:
            return Outcome.CONNECTED
        gone = self.channel.gone.value if self.channel.gone.happened else None
        if gone is None or gone.asked:
            return gave_up(rang=self.channel.ringing.happened)
        if gone.kind is GoneKind.REFUSED:
            return Outcome.NOT_ATTEMPTED
        if gone.kind is not GoneKind.DESTROYED:
            self.certain = False
            return Outcome.TECHNICAL_ERROR
        return self._refused(gone)

    def _refused(self, gone: Gone) -> Outcome:
        """What the refusal means. Asterisk answers 408 itself when the trunk said nothing for 32 s (timer B)."""
        waited = asyncio.get_running_loop().time() - self._placed_at
        silent = gone.tech_cause in (None, 408) and gone.cause in (None, 18, 19)
        if silent and not self.channel.ringing.happened and waited >= TIMER_B_SECONDS:
            return Outcome.NOT_ATTEMPTED
        return classify(gone.tech_cause, gone.cause)

    @property
    def sip_code(self) -> int | None:
        """The far end's final answer, where there was one."""
        if self.channel.answered.happened:
            return 200
        gone = self.channel.gone.value if self.channel.gone.happened else None
        return gone.tech_cause if gone is not None and not gone.asked else None

    def _now(self) -> datetime:
        return self._env.clock.now()
