"""The people of a contact centre under test: agents at their phones, customers, and the CLI without its start-up."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import cli
from tests.lab.centre import Centre, CommandFailed
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.phones import Phone
from tests.lab.farend.record import CallRecord, Direction, Side
from tests.lab.until import until

SOON = 1.0  # what a supervisor or an agent does must show within a second
SHOWN = 6.0  # the same, where a busy machine may be slow to ask; `since_at` tells what it was


class Floor:
    """Everything below runs on `centre`; each test has a team, and with it agents and a campaign, of its own."""

    def __init__(self, centre: Centre) -> None:
        self.centre, self.far = centre, centre.far
        self._one_at_a_time = asyncio.Lock()

    async def cli(self, *words: str) -> Any:
        """Run a command in this process; its JSON document. Raises CommandFailed."""
        running = asyncio.create_task(self._alone(words))
        code, out, err = await asyncio.shield(running)  # a thread cannot be stopped, and stdout is everybody's
        if code:
            raise CommandFailed(words, code, out, err)
        return json.loads(out) if out.strip() else None

    async def _alone(self, words: tuple[str, ...]) -> tuple[int, str, str]:
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._run, words)

    def _run(self, words: tuple[str, ...]) -> tuple[int, str, str]:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                cli.build(words)(["--config", str(self.centre.config), "--json", *words])
            except SystemExit as end:
                code = int(end.code or 0)
        return code, out.getvalue(), err.getvalue()

    # -- agents ---------------------------------------------------------------------------------------

    async def agent(self, ext: str, *, team: str, online: bool = True, **options: str) -> Phone:
        """A new agent whose phone is registered, on line unless told otherwise."""
        more = [word for key, value in options.items() for word in (f"--{key}", value)]
        await self.cli("agent", "add", ext, "--name", f"Agent {ext}", "--team", team, *more)
        phone = await self.phone(ext)
        await phone.register()
        await self.cli("agent", "online", ext)
        await self.until_state(ext, "idle")
        if not online:
            await self.cli("agent", "offline", ext)
            await self.until_state(ext, "offline")
        return phone

    async def phone(self, ext: str) -> Phone:
        """The phone of an agent, with what `agent phone` prints; not registered yet."""
        card = await self.cli("agent", "phone", ext)
        return self.far.phones.add(card["user"], card["password"])

    async def show(self, ext: str) -> dict[str, Any]:
        """`agent show`."""
        shown: dict[str, Any] = await self.cli("agent", "show", ext)
        return shown

    async def until_state(self, ext: str, state: str, deadline: float = SHOWN) -> dict[str, Any]:
        """Wait until `agent show` says so."""
        last: dict[str, Any] = {}

        async def reached() -> bool:
            last.update(await self.show(ext))
            return bool(last["state"] == state)

        try:
            await until(reached, deadline, f"agent {ext} to be {state}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; he is {last}; {self.centre.serve.tail()}") from None
        return last

    # -- customers ------------------------------------------------------------------------------------

    async def campaign(self, name: str, *numbers: str, **keys: str) -> None:
        """A campaign for the team of the same name; it runs, and calls `numbers` now."""
        await self.cli("campaign", "add", name, "--mode", "power", "--team", name)
        settings = {"hours": "00:00-24:00", "max_attempts": "1", **keys}
        await self.cli("campaign", "set", name, *(f"{key}={value}" for key, value in settings.items()))
        for number in numbers:
            await self.cli("lead", "add", name, number)
        await self.cli("campaign", "start", name)

    async def call(self, campaign: str, number: str, deadline: float = 3.0) -> IncomingCall:
        """Have `number` called, and wait for its call."""
        await self.cli("lead", "add", campaign, number)
        return await self.called(number, deadline)

    async def called(self, number: str, deadline: float = 3.0) -> IncomingCall:
        """The customer's call, once it rings."""
        try:
            return await self.far.trunk.until_called(number, deadline)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.centre.serve.tail()}") from None

    async def record(self, campaign: str, number: str) -> dict[str, Any]:
        """`call show` of a call that is over."""
        found: list[dict[str, Any]] = []

        async def written() -> bool:
            calls = await self.cli("call", "list", "--campaign", campaign, "--limit", "1000")
            found[:] = [c for c in calls if c["caller_number"] == number and c["ended_at"]]
            return bool(found)

        await until(written, 3.0, f"the record of {number}")
        shown: dict[str, Any] = await self.cli("call", "show", found[0]["id"])
        return shown

    def rung(self, phone: Phone) -> list[CallRecord]:
        """The calls Asterisk made to a phone, in order."""
        return [c for c in self.far.log.of(phone.name) if c.side is Side.PHONE and c.direction is Direction.IN]
