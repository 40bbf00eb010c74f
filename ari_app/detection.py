"""Is it a person or a machine? Asterisk's own AMD listens by a channel beside the customer's, which stays where it is.

So an end, a crash or a verdict that never comes leaves the customer's call as it was, and the time that a person loses
has a limit that does not depend on Asterisk.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import structlog

from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.scope import until_hangup
from ari_app.services import Services
from contact_center.dialling import DialOrder
from contact_center.settings import Amd

CONTEXT = "callwright-amd"
EAR = "-ear"  # what the id of a channel ends with that listens
PARAMETERS = "CALLWRIGHT_AMD"
BOUND_SHARE = 0.85  # of the deadline, so that something is left of it to connect an agent
GRACE_SECONDS = 0.05  # after AMD's own bound

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``status`` and ``cause`` are AMD's own words; ``seconds``: how long it took; ``sampled``: an agent is asked."""

    status: str
    cause: str
    seconds: float
    sampled: bool = False

    @property
    def is_machine(self) -> bool:
        """In doubt it is a person."""
        return self.status == "MACHINE"

    def as_json(self, action: str) -> dict[str, Any]:
        """For the call's record; ``action``: what was done then."""
        told = {"status": self.status, "cause": self.cause, "seconds": round(self.seconds, 3)}
        return {**told, "sampled": self.sampled, "action": action}


def bound_seconds(amd: Amd, deadline_seconds: float) -> float:
    """By when a person is known to be one, or taken for one."""
    return min(amd.bound_seconds, BOUND_SHARE * deadline_seconds)


def parameters(amd: Amd, bound: float) -> str:
    """The arguments of AMD(). Silence alone never makes a machine: its limit lies behind the bound."""
    seconds = (2 * bound, amd.greeting_seconds, amd.after_greeting_seconds, bound, amd.word_seconds)
    spans = [round(1000 * span) for span in (*seconds, amd.between_words_seconds)]
    longest_word = 2 * spans[1]  # one long word is a long greeting before
    return ",".join(str(value) for value in (*spans, amd.words, amd.silence_threshold, longest_word))


def is_sampled(call_id: str, share: float) -> bool:
    """Whether an agent is asked about this verdict: always the same for the same call."""
    return crc32(call_id.encode()) < share * 2**32


async def judge(customer: Channel, order: DialOrder, env: Services) -> Verdict:
    """Who answered, within the bound. Raises HungUp(customer)."""
    amd, loop = env.settings.amd, asyncio.get_running_loop()
    bound, began = bound_seconds(amd, order.deadline_seconds), loop.time()
    ear = env.ari.channel(f"{customer.id}{EAR}")
    status, cause = "NOTSURE", "UNHEARD"
    try:
        async with until_hangup(customer), asyncio.timeout(bound + GRACE_SECONDS):
            status, cause = await _heard(customer, ear, parameters(amd, bound))
    except TimeoutError:
        log.warning("no verdict in time", action="amd", call_id=order.call_id)
    except HungUp as hangup:
        if hangup.channel is customer:
            raise
    except AriError as error:
        log.warning("nobody listens whether it is a machine", action="amd", call_id=order.call_id, reason=str(error))
    finally:
        if not ear.gone.happened:
            env.ari.spawn(ear.hang_up(), f"end {ear.id}")
    verdict = Verdict(status, cause, loop.time() - began)
    sampled = verdict.is_machine and order.machine_action != "agent" and is_sampled(order.call_id, amd.sample_share)
    return Verdict(status, cause, verdict.seconds, sampled)


async def _heard(customer: Channel, ear: Channel, arguments: str) -> tuple[str, str]:
    await customer.snoop(ear.id, spy="in", app_args=("ear",))
    async with until_hangup(ear):
        await ear.entered
        await ear.set_var(PARAMETERS, arguments)
        await ear.continue_in_dialplan(CONTEXT)
        match (await ear.entered).args:
            case ("amd", status, cause, *_):
                return status, cause
    return "NOTSURE", "UNHEARD"
