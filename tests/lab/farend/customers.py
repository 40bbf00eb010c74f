"""The trunk's far side: every customer Asterisk calls, and customers who call in."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable

from tests.lab.farend.agent import UserAgent
from tests.lab.farend.audio import AudioOptions
from tests.lab.farend.gate import Gate
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.numbers import script_for
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.owner import Owner
from tests.lab.farend.record import Side
from tests.lab.farend.script import Script, follow, perform
from tests.lab.farend.transaction import Address

KEPT_CALLS = 20_000


def e164(user: str) -> str:
    """The dialled user part as +digits (`00` in front is taken as +); unchanged when it is no number."""
    digits = re.sub(r"[\s().-]", "", user)
    match = re.fullmatch(r"(?:\+|00)?(\d{3,})", digits)
    return f"+{match[1]}" if match else user


class Trunk:
    """Answers INVITEs by the number table, unless the number was given scripts of its own.

    `peer`: Asterisk's SIP address, for calls in. `behave` may be replaced to change what numbers do in
    general.
    """

    def __init__(self, agent: UserAgent, owner: Owner, peer: Address, options: AudioOptions) -> None:
        self.agent, self.peer, self.options = agent, peer, options
        self.behave: Callable[[str], Script] = script_for
        self._owner = owner
        self._scripts: dict[str, tuple[Script, ...]] = {}
        self._tries: dict[str, int] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self.incoming: deque[IncomingCall] = deque(maxlen=KEPT_CALLS)
        self._by_number: dict[str, list[IncomingCall]] = {}
        agent.on_call = self._called

    def script(self, number: str, *scripts: Script) -> None:
        """What the customer at `number` does at the 1st, 2nd, ...

        attempt from now on; the last one goes for all after.
        """
        key = e164(number)
        self._tries.pop(key, None)
        if scripts:
            self._scripts[key] = scripts
        else:
            self._scripts.pop(key, None)

    def down(self) -> None:
        """The trunk is dead: nothing is answered, nothing sent."""
        self.agent.deaf = True

    def up(self) -> None:
        """The trunk is back."""
        self.agent.deaf = False

    def call(
        self,
        did: str,
        caller: str,
        *,
        display: str = "",
        script: Script | None = None,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> OutgoingCall:
        """A customer at `caller` calls `did`. It stays until told to hang up, unless a `script` says more.

        `extra`: more headers of the INVITE.
        """
        call = OutgoingCall(
            self.agent,
            side=Side.CUSTOMER,
            party=caller,
            number=did,
            peer=self.peer,
            display=display,
            options=self.options,
            extra=extra,
        )
        call.place()
        if script is not None:
            call.record.script = script.name
            self._owner.play(call, follow(call, script))
        return call

    def calls_to(self, number: str) -> list[IncomingCall]:
        """The calls Asterisk has made to `number` so far, ended ones included."""
        return list(self._by_number.get(e164(number), ()))

    async def until_called(self, number: str, deadline: float, *, attempt: int = 1) -> IncomingCall:
        """The `attempt`-th call Asterisk makes to `number`, as soon as its INVITE is there."""
        try:
            async with asyncio.timeout(deadline):
                while len(calls := self.calls_to(number)) < attempt:
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
        except TimeoutError:
            raise TimeoutError(f"call {attempt} to {number} did not come within {deadline:g} s") from None
        return calls[attempt - 1]

    def require(self, username: str, password: str) -> Gate:
        """From now on want digest credentials for calls, and take registrations; the gate tells of them."""
        self.agent.gate = Gate(username, password)
        return self.agent.gate

    def _called(self, call: IncomingCall) -> None:
        number = e164(call.record.number)
        script = self._next_script(number)
        call.identify(Side.CUSTOMER, number, number, self.options)
        call.record.script = script.name
        self._keep(number, call)
        if script.silent:
            call.ignore()
        else:
            call.trying()
            self._owner.play(call, perform(call, script))
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _keep(self, number: str, call: IncomingCall) -> None:
        """Remember the call; the oldest is forgotten beyond KEPT_CALLS (its record is not)."""
        if len(self.incoming) == KEPT_CALLS:
            oldest = self.incoming[0].record.party
            self._by_number[oldest].pop(0)
            if not self._by_number[oldest]:
                del self._by_number[oldest]
        self.incoming.append(call)
        self._by_number.setdefault(number, []).append(call)

    def _next_script(self, number: str) -> Script:
        scripts = self._scripts.get(number)
        if scripts is None:
            return self.behave(number)
        n = self._tries.get(number, 0)
        self._tries[number] = n + 1
        return scripts[min(n, len(scripts) - 1)]
