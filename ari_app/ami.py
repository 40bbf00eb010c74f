"""Asterisk's manager interface: queue_log records, contacts and health.

Calls are placed and ended by ARI only, and nothing in here is ever awaited by a call. A half-open connection
is found by unanswered pings; a refused login is said in ``status`` and not tried again in haste.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

import structlog
from panoramisk.message import Message

from ari_app.ami_contacts import Contacts
from ari_app.ami_link import (
    CONNECT_SECONDS,
    AmiDown,
    AmiError,
    AmiRefused,
    AmiUncertain,
    Fields,
    Link,
    as_fields,
    harmless,
    message_of,
)
from ari_app.backoff import Backoff

__all__ = ["Ami", "AmiDown", "AmiError", "AmiRefused", "AmiUncertain"]

BOOTED_SECONDS = 2.0
ANSWER_SECONDS = 3.0
LIST_SECONDS = 5.0
PING_SECONDS = 5.0
LOST_PINGS = 2
REFUSED_SECONDS = 5.0
"""The least wait after a refused login: more haste only fills Asterisk's security log."""

log = structlog.get_logger(__name__)


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)


class Ami:
    """``async with Ami(host, port, user, secret) as ami: ...`` keeps one connection while the block runs.

    Entering does not wait for Asterisk. ``events`` is the AMI event mask; ``system`` brings contacts.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        secret: str,
        *,
        events: str = "system",
        ping_seconds: float = PING_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        backoff: Backoff | None = None,
        refused_seconds: float = REFUSED_SECONDS,
    ) -> None:
        self.status = "connecting"
        self.on_live: list[Callable[[bool], None]] = []
        self._address, self._user = (host, port), user
        self._login = message_of("Login", {"Username": user, "Secret": secret, "Events": events})
        self._ping_seconds, self._answer_seconds = ping_seconds, answer_seconds
        self._backoff = backoff or Backoff(1.0, 10.0)
        self._refused_seconds = refused_seconds
        self._live = asyncio.Event()
        self._link: Link | None = None
        self._listeners: defaultdict[str, list[Callable[[Fields], None]]] = defaultdict(list)
        self._contacts = Contacts()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._supervisor = self._tasks.create_task(self._supervise(), name="ami")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.cancel()
        await self._tasks.__aexit__(None, None, None)  # the body's own exception goes on as it is

    @property
    def live(self) -> bool:
        """Whether there is a connection that was proven alive a few seconds ago."""
        return self._live.is_set()

    async def until_live(self) -> None:
        """Wait for a connection; the deadline is the caller's."""
        await self._live.wait()

    async def send(self, action: str, *, within: float | None = None, **fields: object) -> Fields:
        """Send one harmless action and return its response by AMI's own field names.

        Raises UsageError before sending; AmiDown, AmiUncertain or AmiRefused afterwards.
        """
        return as_fields((await self._ask(action, fields, within, as_list=False))[0])

    async def send_all(self, action: str, each: Sequence[Fields]) -> list[AmiError | None]:
        """Send one harmless action many times, in one write and in this order; what went wrong with each, if anything.

        Raises UsageError or AmiDown, both before anything is sent.
        """
        messages = [harmless(action, fields) for fields in each]
        if self._link is None:
            raise AmiDown(f"There is no AMI connection: {self.status}.")
        return await self._link.ask_all(messages, self._answer_seconds)

    async def send_list(self, action: str, *, within: float = LIST_SECONDS, **fields: object) -> list[Fields]:
        """Send one harmless list action and return its events, without the response and the last."""
        answers = await self._ask(action, fields, within, as_list=True)
        return [as_fields(event) for event in answers[1:-1]]

    async def _ask(self, action: str, fields: Fields, within: float | None, *, as_list: bool) -> list[Message]:
        message = harmless(action, fields)
        if self._link is None:
            raise AmiDown(f"There is no AMI connection: {self.status}.")
        return await self._link.ask(message, within or self._answer_seconds, as_list=as_list)

    def on_event(self, names: Iterable[str], fn: Callable[[Fields], None]) -> Callable[[], None]:
        """Call ``fn(event)`` in the event loop for each event of these names; returns the way to stop it."""
        names = tuple(names)
        for name in names:
            self._listeners[name].append(fn)

        def stop() -> None:
            for name in names:
                self._listeners[name].remove(fn)

        return stop

    def on_contact(self, fn: Callable[[str, bool], None]) -> Callable[[], None]:
        """Call ``fn("PJSIP/1001", reachable)`` whenever that changes; returns the way to stop it."""
        self._contacts.listeners.append(fn)
        return lambda: self._contacts.listeners.remove(fn)

    def contacts(self) -> dict[str, bool]:
        """Whether each endpoint seen so far can be reached, as last known."""
        return dict(self._contacts.reachable)

    def _dispatch(self, event: Message) -> None:
        fields = as_fields(event)
        for fn in (self._contacts.on_event, *self._listeners[event.event]):
            try:
                fn(fields)
            except Exception:
                log.exception("listener failed", action="ami_event", event_name=event.event)

    async def _supervise(self) -> None:
        while True:
            link = Link(*self._address, self._dispatch)
            wait = 0.0
            try:
                await self._log_in(link)
                await self._watch(link)
            except AmiRefused as error:
                wait = self._refused_seconds
                self._set_status(f"Asterisk refuses the AMI user {self._user!r}: {error.reason}")
            except AmiError as error:
                self._set_status(str(error))
            except OSError as error:  # TimeoutError is one
                host, port = self._address
                self._set_status(f"there is no AMI at {host}:{port} ({_reason(error)})")
            finally:
                link.drop("closed")
                self._link = None
                self._set_live(False)
            await asyncio.sleep(max(wait, self._backoff.next_seconds()))

    async def _log_in(self, link: Link) -> None:
        await link.open()
        await link.ask(self._login, CONNECT_SECONDS)
        try:
            async with asyncio.timeout(BOOTED_SECONDS):
                await link.booted.wait()
        except TimeoutError:
            log.info("no FullyBooted from Asterisk", action="ami_login")
        link.lost.add_done_callback(lambda _: self._set_live(False))
        self._link = link
        self._backoff.reset()
        await self._take_stock(link)
        if not link.lost.done():
            self._set_status("live")
            self._set_live(True)

    async def _take_stock(self, link: Link) -> None:
        """Contacts at this moment, as far as the AMI user may see them; events tell the rest."""
        try:
            answers = await link.ask({"Action": "DeviceStateList"}, LIST_SECONDS, as_list=True)
        except AmiRefused as error:
            log.info("no list of devices", action="ami_contacts", why=str(error))
            return
        for answer in answers[1:-1]:
            self._contacts.on_event(answer)

    async def _watch(self, link: Link) -> None:
        """Return never; raise AmiError when the connection is lost or two pings in a row are."""
        lost, clock = 0, asyncio.get_running_loop().time
        next_ping_at = clock()
        while True:
            next_ping_at += self._ping_seconds
            await asyncio.wait({link.lost}, timeout=max(0.0, next_ping_at - clock()))
            try:
                await link.ask({"Action": "Ping"}, self._answer_seconds)
                lost = 0
            except AmiUncertain:
                lost += 1
                if link.lost.done():
                    raise AmiDown(f"The AMI connection was lost: {link.lost.result()}.") from None
                if lost >= LOST_PINGS:
                    raise AmiDown(f"Asterisk left {lost} AMI pings unanswered.") from None

    def _set_status(self, status: str) -> None:
        if status != self.status:
            (log.info if status == "live" else log.warning)("AMI", action="ami", status=status)
        self.status = status

    def _set_live(self, live: bool) -> None:
        if live == self.live:
            return
        if live:
            self._live.set()
        else:
            self._live.clear()
        for fn in tuple(self.on_live):
            try:
                fn(live)
            except Exception:
                log.exception("listener failed", action="ami_live")
