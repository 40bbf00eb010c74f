"""Steering a far end by JSON lines: {"id": 1, "do": "dial", "phone": "1001", "number": "*45"}.

Each request gets one line back, {"id": 1, "ok": true, "result": ...} or {"id": 1, "ok": false, "error":
"..."}. Requests are served side by side, so one that waits holds up no other. The public methods of
`Commands` are the commands.
"""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Awaitable, Callable
from typing import Any

from tests.lab.farend.audio import Voice
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.phones import AUTO_ANSWER, BY_HAND, Phone
from tests.lab.farend.record import CallRecord, Side, max_at_once_per_number, max_in_flight
from tests.lab.farend.script import Script
from tests.lab.farend.world import FarEnd

AnyCall = IncomingCall | OutgoingCall


class CommandError(ValueError):
    """The request cannot be done; the text goes back to whoever asked."""


def read_script(given: Any) -> Script:
    """A Script from "answer", "by_hand" or an object of its fields; CommandError when it is none of these."""
    named = {"answer": AUTO_ANSWER, "by_hand": BY_HAND}
    if isinstance(given, str) and given in named:
        return named[given]
    if not isinstance(given, dict):
        raise CommandError(f"a script is 'answer', 'by_hand' or an object, not {given!r}")
    fields = dict(given)
    if "voice" in fields:
        fields["voice"] = Voice(fields["voice"])
    if "presses" in fields:
        fields["presses"] = tuple((float(after), str(digits)) for after, digits in fields["presses"])
    try:
        return Script(**fields)
    except TypeError as error:
        raise CommandError(f"no such script: {error}") from error


class Commands:
    """What can be asked. Calls are named by the id of their record (the Call-ID)."""

    def __init__(self, world: FarEnd) -> None:
        self._world = world
        self._made: dict[str, AnyCall] = {}
        self.stopped = asyncio.Event()

    async def ping(self) -> float:
        """The far end's clock, epoch seconds."""
        return self._world.clock.now()

    async def add_phones(self, accounts: dict[str, str], script: Any = "answer", register: bool = True) -> int:
        """Phones by name and password, registered at once; how many there are now."""
        for name, password in accounts.items():
            self._world.phones.add(name, password, script=read_script(script))
        if register:
            gate = asyncio.Semaphore(20)

            async def one(name: str) -> None:
                async with gate:
                    await self._world.phones[name].register()

            async with asyncio.TaskGroup() as tasks:
                for name in accounts:
                    tasks.create_task(one(name))
        return len(self._world.phones)

    async def phone(self, name: str, act: str) -> bool:
        """register, unregister, crash, revive or hangup of one phone; whether it is registered then."""
        phone = self._phone(name)
        if act in ("register", "unregister"):
            await (phone.register() if act == "register" else phone.unregister())
        elif act in ("crash", "revive", "hangup"):
            {"crash": phone.crash, "revive": phone.revive, "hangup": phone.hangup}[act]()
        else:
            raise CommandError("act is register, unregister, crash, revive or hangup")
        return phone.is_registered

    async def phone_script(self, name: str, script: Any, once: bool = False) -> None:
        """What the phone does with calls from now on (or with its next one)."""
        phone = self._phone(name)
        if once:
            phone.next_scripts.append(read_script(script))
        else:
            phone.script = read_script(script)

    async def script(self, number: str, scripts: list[Any]) -> None:
        """What the customer at `number` does, one script per attempt; none: the table again."""
        self._world.trunk.script(number, *(read_script(x) for x in scripts))

    async def trunk(self, up: bool) -> None:
        """The trunk dies (false) or comes back."""
        (self._world.trunk.up if up else self._world.trunk.down)()

    async def dial(self, phone: str, number: str, script: Any = None) -> str:
        """A phone calls; the call's id."""
        plan = read_script(script) if script is not None else None
        return self._keep(self._phone(phone).dial(number, script=plan))

    async def call_in(self, did: str, caller: str, display: str = "", script: Any = None) -> str:
        """A customer calls `did`; the call's id."""
        plan = read_script(script) if script is not None else None
        return self._keep(self._world.trunk.call(did, caller, display=display, script=plan))

    async def call_in_all(self, calls: list[tuple[float, str, str]], script: Any = None) -> int:
        """Customers call: seconds from now, DID and number of each, in order of time. How many, after the last."""
        plan = read_script(script) if script is not None else None
        loop = asyncio.get_running_loop()
        began = loop.time()
        for after, did, caller in calls:
            if (wait := began + after - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._world.trunk.call(did, caller, script=plan)
        return len(calls)

    async def next_call(self, phone: str, deadline: float = 10.0) -> str:
        """Wait for the phone's next incoming call; its id."""
        return self._keep(await self._phone(phone).incoming(deadline))

    async def customer_call(self, number: str, deadline: float = 10.0, attempt: int = 1) -> str:
        """Wait for Asterisk's n-th call to a customer; its id."""
        return self._keep(await self._world.trunk.until_called(number, deadline, attempt=attempt))

    async def act(self, call: str, act: str, digits: str = "", code: int = 486) -> None:
        """answer, ring, reject (with `code`), hangup, vanish, press (`digits`), hold or unhold in a call."""
        live = self._call(call)
        if act in ("hold", "unhold"):
            await live.hold(act == "hold")
        elif act == "press":
            live.press(digits)
        elif act in ("hangup", "vanish"):
            (live.hangup if act == "hangup" else live.vanish)()
        elif act in ("answer", "ring", "reject") and isinstance(live, IncomingCall):
            done: dict[str, Callable[[], None]] = {
                "answer": live.answer, "ring": live.ring, "reject": lambda: live.reject(code),
            }  # fmt: skip
            done[act]()
        else:
            raise CommandError(f"this call cannot {act!r}")

    async def wait(self, call: str, what: str, deadline: float = 10.0, who: str = "") -> dict[str, Any]:
        """Wait until the call is answered, over, or hears `who`; its record."""
        live = self._call(call)
        if what == "answered":
            await live.until_answered(deadline)
        elif what == "over":
            await live.until_over(deadline)
        elif what == "hears":
            await live.until_hears(who, deadline)
        else:
            raise CommandError("what is answered, over or hears")
        return _plain(live.heard())

    async def record(self, call: str) -> dict[str, Any]:
        """The call's record up to now."""
        return _plain(self._call(call).heard())

    async def calls(self, party: str = "", live: bool = False, since: int = 0) -> list[dict[str, Any]]:
        """Records from the `since`-th on, of one party or all, live ones or all."""
        found = self._world.log.calls[since:]
        return [_plain(c) for c in found if party in ("", c.party) and not (live and c.ended_at is not None)]

    async def summary(self) -> dict[str, Any]:
        """Counts over everything so far, and what this process has cost."""
        calls = self._world.log.calls
        customers = self._world.log.select(Side.CUSTOMER)
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "calls": len(calls), "live": len(self._world.log.live()), "customers": len(customers),
            "answered": sum(c.answered for c in customers), "max_in_flight": max_in_flight(customers),
            "max_at_once_per_number": max(max_at_once_per_number(customers).values(), default=0),
            "problems": sum(len(c.problems) for c in calls), "faults": self._world.faults,
            "datagrams": self._world.counts, "cpu_seconds": used.ru_utime + used.ru_stime,
            "media_late_seconds": self._world.media.late_seconds,
        }  # fmt: skip

    async def stop(self) -> None:
        """End every call and the process."""
        self.stopped.set()

    def _keep(self, call: AnyCall) -> str:
        self._made[call.record.id] = call
        return call.record.id

    def _call(self, number: str) -> AnyCall:
        call = self._made.get(number)
        if call is None:
            raise CommandError(f"no call {number!r} is known here")
        return call

    def _phone(self, name: str) -> Phone:
        try:
            return self._world.phones[name]
        except KeyError:
            raise CommandError(f"no phone {name!r}") from None


def _plain(record: CallRecord) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(record.to_json())
    return row


Write = Callable[[bytes], Awaitable[None]]


async def serve_line(commands: Commands, line: bytes, write: Write) -> None:
    """Do what one line asks and write the line that answers it."""
    number: Any = None
    try:
        asked = json.loads(line)
        if not isinstance(asked, dict):
            raise CommandError("a request is a JSON object")
        number, name = asked.pop("id", None), str(asked.pop("do", ""))
        method = None if name.startswith("_") else getattr(commands, name, None)
        if not asyncio.iscoroutinefunction(method):
            raise CommandError(f"no command {name!r}")
        answer = {"id": number, "ok": True, "result": await method(**asked)}
    except (ValueError, TypeError, OSError, ExceptionGroup) as error:
        inner = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        answer = {"id": number, "ok": False, "error": f"{type(inner).__name__}: {inner}"}
    await write(json.dumps(answer).encode() + b"\n")


async def serve_stream(commands: Commands, reader: asyncio.StreamReader, write: Write) -> None:
    """Serve requests until the other side closes; those under way are cancelled then."""
    async with asyncio.TaskGroup() as tasks:
        under_way: set[asyncio.Task[None]] = set()
        while line := await reader.readline():
            task = tasks.create_task(serve_line(commands, line, write))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        for task in under_way:
            task.cancel()
