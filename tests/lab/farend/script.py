"""What a called party does with one call, told in time order by one coroutine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.lab.farend.audio import Voice
from tests.lab.farend.call import Call
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.outgoing import OutgoingCall

FOR_EVER_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Script:
    """One attempt's behaviour. All spans in seconds.

    `post_dial_seconds`: after 100, before anything else. `ring_seconds`: from the 180 to the final response;
    None rings for ever; 0 sends no 180. `early_media`: 183 with ringback audio instead of 180. `code`: the
    final response. `talk_seconds`: from the answer to the party's own BYE; None stays. `vanishes`: gone
    instead of BYE. `presses`: (seconds after the answer, digits). `silent`: no SIP answer at all. `contact`:
    where a 3xx points.
    """

    name: str = "script"
    post_dial_seconds: float = 0.0
    ring_seconds: float | None = 0.0
    early_media: bool = False
    code: int = 200
    talk_seconds: float | None = None
    vanishes: bool = False
    voice: Voice = Voice.TONES
    greeting_seconds: float = 0.0
    presses: tuple[tuple[float, str], ...] = ()
    silent: bool = False
    contact: str = ""


async def perform(call: IncomingCall, script: Script) -> None:
    """Play the party's part; returns when the party has nothing more to do. Cancelled when the call ends.

    Times count from the arrival of the INVITE, so a busy machine does not add up delays.
    """
    clock = call.agent.clock
    at = call.record.invite_at + script.post_dial_seconds
    if script.post_dial_seconds:
        await asyncio.sleep(max(0.0, at - clock.now()))
    if script.early_media:
        call.progress()
    elif script.ring_seconds != 0:
        call.ring()
    if script.ring_seconds is None:
        return
    if script.ring_seconds:
        await asyncio.sleep(max(0.0, at + script.ring_seconds - clock.now()))
    if script.code != 200:
        call.reject(script.code, contact=script.contact)
        return
    call.voice, call.greeting_seconds = script.voice, script.greeting_seconds
    call.answer()
    await _talk(call, script)


async def follow(call: OutgoingCall, script: Script) -> None:
    """Play the caller's part in a call placed already.

    Of `script` only this counts: `ring_seconds` (not 0: the caller gives up when not answered by then), `presses`,
    `talk_seconds` and `vanishes`.
    """
    if script.ring_seconds:
        try:
            await call.until_answered(script.ring_seconds)
        except TimeoutError:
            call.hangup()
            return
    else:
        await call.until(lambda: call.is_answered, FOR_EVER_SECONDS, "answer")
    await _talk(call, script)


async def _talk(call: Call, script: Script) -> None:
    """From the answer on."""
    clock, answered_at = call.agent.clock, call.record.answered_at
    if answered_at is None:
        return
    for after, digits in script.presses:
        await asyncio.sleep(max(0.0, answered_at + after - clock.now()))
        call.press(digits)
    if script.talk_seconds is not None:
        await asyncio.sleep(max(0.0, answered_at + script.talk_seconds - clock.now()))
        if script.vanishes:
            call.vanish()
        else:
            call.hangup()
