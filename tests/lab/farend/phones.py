"""Agents' phones: they register, are called, call, and misbehave when told to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from tests.lab.farend import auth
from tests.lab.farend.agent import UserAgent
from tests.lab.farend.audio import AudioOptions
from tests.lab.farend.dialog import Dialog
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.message import NameAddr, Response
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.owner import Owner
from tests.lab.farend.record import Side
from tests.lab.farend.script import Script, follow, perform
from tests.lab.farend.transaction import Address

KEPT_CALLS = 1000
AUTO_ANSWER = Script(name="answers at once")
BY_HAND = Script(name="by hand", ring_seconds=None)


class RegistrationError(ConnectionError):
    """The registrar refused, or did not answer."""


class Phone:
    """One SIP account. `script`: what it does with a call that comes in (BY_HAND: rings, and the test acts).

    `next_scripts` are used up first, one per call. A call that asks for auto-answer is answered at once
    unless `obeys_auto_answer` is False.
    """

    def __init__(self, bank: Phones, name: str, password: str, script: Script, options: AudioOptions) -> None:
        self.bank, self.name, self.password = bank, name, password
        self.script, self.options = script, options
        self.next_scripts: deque[Script] = deque()
        self.obeys_auto_answer = True
        self.crashed = False
        self.registered_until = 0.0
        self.expires_seconds = 300
        self._calls: deque[IncomingCall] = deque(maxlen=KEPT_CALLS)
        self._arrived = asyncio.Event()
        self._dialog = Dialog.to_call(bank.agent.address, name, "", name, bank.peer, bank.peer[0])
        self._renewal: asyncio.Task[None] | None = None

    # ---- registration

    @property
    def is_registered(self) -> bool:
        """The registrar has accepted it and the time has not run out."""
        return self.registered_until > self.bank.agent.clock.now()

    async def register(self, expires_seconds: int = 300, deadline: float = 5.0) -> None:
        """Register and keep registered; RegistrationError when refused or unanswered."""
        self.expires_seconds = expires_seconds
        await self._register(expires_seconds, deadline)
        if self._renewal is None or self._renewal.done():
            self._renewal = self.bank.owner.start(self._renew(), f"registration of {self.name}")

    async def unregister(self, deadline: float = 5.0) -> None:
        """Take the registration back."""
        self._stop_renewal()
        await self._register(0, deadline)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.expires_seconds * 0.6)
            try:
                await self._register(self.expires_seconds, 32.0)
            except RegistrationError as error:
                self.bank.agent.faults.append(f"{self.name}: {error}")

    async def _register(self, expires: int, deadline: float) -> None:
        extra: tuple[tuple[str, str], ...] = (("expires", str(expires)),)
        response = await self._send_register(extra, deadline)
        if response.code in (401, 407):
            host, _ = self.bank.peer
            try:
                header = auth.authorize(response, "REGISTER", f"sip:{host}", self.name, self.password)
            except auth.AuthError as error:
                raise RegistrationError(f"{self.name}: {error}") from error
            response = await self._send_register((*extra, header), deadline)
        if response.code != 200:
            raise RegistrationError(f"{self.name}: REGISTER answered {response.code} {response.reason}")
        self.registered_until = self.bank.agent.clock.now() + self._granted(response, expires)

    def _granted(self, response: Response, asked: int) -> float:
        own = self._dialog.contact[1:-1]
        for value in response.all("contact"):
            contact = NameAddr.parse(value)
            if str(contact.uri).startswith(own):
                return float(contact.params.get("expires", asked))
        return float(response.get("expires") or 0) if asked else 0.0

    async def _send_register(self, extra: tuple[tuple[str, str], ...], deadline: float) -> Response:
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        request = self._dialog.request("REGISTER", extra=extra)
        host, _ = self.bank.peer
        request.uri = f"sip:{host}"
        for n, (name, _) in enumerate(request.headers):
            if name == "to":
                request.headers[n] = "to", f"<sip:{self.name}@{host}>"

        def on_response(response: Response) -> None:
            if response.code >= 200 and not done.done():
                done.set_result(response)

        transaction = self.bank.agent.request(request, self.bank.peer, on_response, lambda: None)
        try:
            async with asyncio.timeout(deadline):
                return await done
        except TimeoutError:
            raise RegistrationError(f"{self.name}: REGISTER not answered within {deadline:g} s") from None
        finally:
            transaction.stop()

    def _stop_renewal(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None

    # ---- calls

    @property
    def calls(self) -> list[IncomingCall | OutgoingCall]:
        """Its live calls."""
        return [
            call for call in self.bank.agent.live_calls()
            if call.record.party == self.name and isinstance(call, IncomingCall | OutgoingCall)
        ]  # fmt: skip

    async def incoming(self, deadline: float) -> IncomingCall:
        """The next call that Asterisk makes to this phone; each is given once, also one that came before."""
        try:
            async with asyncio.timeout(deadline):
                while not self._calls:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise TimeoutError(f"{self.name}: no call came within {deadline:g} s") from None
        return self._calls.popleft()

    def forget_calls(self) -> None:
        """`incoming` gives only calls that come from now on."""
        self._calls.clear()

    def dial(
        self, number: str, *, script: Script | None = None, extra: tuple[tuple[str, str], ...] = ()
    ) -> OutgoingCall:
        """Call `number` or a code such as *45 through Asterisk; `script`: what to do in the call, see `follow`."""
        call = OutgoingCall(
            self.bank.agent,
            side=Side.PHONE,
            party=self.name,
            number=number,
            peer=self.bank.peer,
            credentials=(self.name, self.password),
            options=self.options,
            extra=extra,
        )
        call.place()
        if script is not None:
            call.record.script = script.name
            self.bank.owner.play(call, follow(call, script))
        return call

    def hangup(self) -> None:
        """End all its calls."""
        for call in self.calls:
            call.hangup()

    def crash(self) -> None:
        """Power off: calls vanish, nothing is answered, the registration is left behind."""
        self._stop_renewal()
        self.crashed = True
        for call in self.calls:
            call.vanish()

    def revive(self) -> None:
        """Power on again (not registered anew by itself)."""
        self.crashed = False

    def called(self, call: IncomingCall) -> None:
        """A call from Asterisk arrived for this phone."""
        call.identify(Side.PHONE, self.name, self.name, self.options)
        if self.crashed:
            call.record.script = "crashed"
            call.ignore()
            return
        call.trying()
        script = self.next_scripts.popleft() if self.next_scripts else self.script
        if self.obeys_auto_answer and call.wants_auto_answer:
            script = AUTO_ANSWER
        call.record.script = script.name
        self._calls.append(call)
        self._arrived.set()
        self.bank.owner.play(call, perform(call, script))


class Phones:
    """All phones: they share one SIP socket and are told apart by the user part of the request URI."""

    def __init__(self, agent: UserAgent, owner: Owner, peer: Address, options: AudioOptions) -> None:
        self.agent, self.owner, self.peer, self.options = agent, owner, peer, options
        self._phones: dict[str, Phone] = {}
        agent.on_call = self._called
        agent.is_dead = self._is_dead

    def add(
        self,
        name: str,
        password: str = "",
        *,
        script: Script = AUTO_ANSWER,
        options: AudioOptions | None = None,
    ) -> Phone:
        """A new phone with the user name `name`; not registered yet (a static contact works without)."""
        phone = Phone(self, name, password, script, options or self.options)
        self._phones[name] = phone
        return phone

    def __getitem__(self, name: str) -> Phone:
        return self._phones[name]

    def __iter__(self) -> Iterator[Phone]:
        return iter(self._phones.values())

    def __len__(self) -> int:
        return len(self._phones)

    def remove(self, name: str) -> None:
        """The phone is thrown away; calls to it get 404."""
        self._phones.pop(name).crash()

    async def register_all(self, *, at_once: int = 20, deadline: float = 10.0) -> None:
        """Register every phone; RegistrationError (in a group) when one fails."""
        gate = asyncio.Semaphore(at_once)

        async def one(phone: Phone) -> None:
            async with gate:
                await phone.register(deadline=deadline)

        async with asyncio.TaskGroup() as tasks:
            for phone in self:
                tasks.create_task(one(phone))

    def _is_dead(self, user: str) -> bool:
        return user in self._phones and self._phones[user].crashed

    def _called(self, call: IncomingCall) -> None:
        phone = self._phones.get(call.record.number)
        if phone is not None:
            phone.called(call)
            return
        call.identify(Side.PHONE, call.record.number, call.record.number, self.options)
        call.reject(404)
