"""One AMI connection through panoramisk, held to what may safely be asked of it.

panoramisk frames actions and reads messages; what it gets wrong is done here: one manager per connection, so
that nothing is ever sent twice; every wait has a deadline; values with control bytes are refused; bytes are
decoded message by message, so that no character is torn; what nobody waits for any more is dropped.

    CallwrightError
    └── AmiError
        ├── AmiDown       not sent: there is no AMI connection now   (also Unreachable)
        ├── AmiUncertain  sent, and no answer came in time; it is never sent again
        └── AmiRefused    Asterisk answered Error
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from itertools import count
from typing import Any

import panoramisk
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from contact_center.errors import CallwrightError, Unreachable, UsageError

CONNECT_SECONDS = 5.0

LINE_BYTES = 1000
"""Asterisk discards a message with a line longer than 1024 bytes."""
MESSAGE_BYTES = 1 << 20
LIST_MESSAGES = 50_000

HARMLESS = frozenset(
    "CoreSettings CoreShowChannels CoreStatus DeviceStateList EndpointShow ExtensionStateList ListCommands"
    " ModuleCheck PJSIPShowAors PJSIPShowContacts PJSIPShowEndpoint PJSIPShowEndpoints"
    " PJSIPShowRegistrationsInbound PJSIPShowRegistrationsOutbound PJSIPQualify Ping QueueLog Reload"
    " ShowDialPlan Status".lower().split()
)
"""What may be sent: nothing that places, moves or ends a call, as an unanswered action may have been done."""

Fields = dict[str, Any]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OUR_ID = b"\r\nActionID: cw-"
_SINGLE = frozenset(("Event", "Response", "ActionID", "EventList", "Message"))
"""Headers that are read as text although any header may be repeated, which makes it a list."""


class AmiError(CallwrightError):
    """The manager interface could not do it."""


class AmiDown(AmiError, Unreachable):
    """There is no AMI connection now; nothing was sent."""


class AmiUncertain(AmiError):
    """An action was sent and not answered in time; it may or may not have been done."""


class AmiRefused(AmiError):
    """Asterisk answered an action with an error; ``reason`` is its own words."""

    def __init__(self, action: str, reason: str) -> None:
        super().__init__(f"Asterisk refuses the AMI action {action}: {reason}.")
        self.reason = reason


def as_fields(message: Message) -> Fields:
    """A response or an event by AMI's own header names; repeated headers are lists."""
    return {name: value for name, value in message.items() if name != "content" or value}


def harmless(action: str, fields: Fields) -> Fields:
    """The message of one action, as ``message_of``; raises UsageError when it is not a harmless one."""
    if action.lower() not in HARMLESS:
        raise UsageError(f"The AMI action {action!r} may not be sent; calls are placed and ended by ARI only.")
    return message_of(action, fields)


def message_of(action: str, fields: Fields) -> Fields:
    """The fields of one action as text.

    Raises UsageError, naming the field, for a control byte or a line that is too long.
    """
    message = {"Action": action}
    for name, value in fields.items():
        text = str(value)
        if _CONTROL.search(text) or _CONTROL.search(name) or ":" in name:
            raise UsageError(f"The field {name!r} of the AMI action {action} holds a control byte; take it out.")
        try:
            size = len(f"{name}: {text}".encode())
        except UnicodeEncodeError:
            raise UsageError(f"The field {name!r} of the AMI action {action} is not valid text.") from None
        if size > LINE_BYTES:
            raise UsageError(f"The field {name!r} of the AMI action {action} is longer than {LINE_BYTES} bytes.")
        message[name] = text
    return message


class _Action(Action):  # type: ignore[misc]
    """One action and what came back: done at the response, or at the end of the list it announces."""

    def add_message(self, message: Message) -> bool:
        """Whether the action is complete now. Events that come before the response are not its list."""
        if self.future.done():
            return True
        if not self.responses and "Response" not in message:
            return False
        self.responses.append(message)
        first = self.responses[0]
        ends = message.eventlist == "Complete" or message.event.endswith("Complete")
        if not self.as_list or not first.success or ends:
            self.future.set_result(self.responses)
        elif len(self.responses) > LIST_MESSAGES:
            self.future.set_exception(AmiUncertain(f"The list of {self['Action']} has no end."))
        return bool(self.future.done())


class _Batch:
    """Actions sent in one write, each answered by itself; `left` are those without an answer yet."""

    def __init__(self, action: str, names: list[str]) -> None:
        self.left = set(names)
        self.failed: dict[str, AmiError] = {}
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._action = action

    def answered(self, name: str, raw: bytes) -> None:
        """Asterisk's answer to one of them."""
        self.left.discard(name)
        if not raw.startswith(b"Response: Success"):
            reason = raw.partition(b"\r\nMessage: ")[2].partition(b"\r\n")[0].decode("utf-8", "replace")
            self.failed[name] = AmiRefused(self._action, reason.rstrip(".") or "no reason given")
        if not self.left:
            self.end()

    def end(self) -> None:
        """No more answers will come."""
        if not self.over.done():
            self.over.set_result(None)


class _Protocol(AMIProtocol):  # type: ignore[misc]
    """panoramisk's protocol, framed on bytes; nothing is kept for a later connection."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.buffer = bytearray()
        self.encoding = "utf-8"
        self.version: str | None = None
        self.batches: dict[str, _Batch] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.factory = self.link
        self.link.protocol = self

    def data_received(self, data: bytes) -> None:
        """Cut the stream at empty lines and decode whole messages, so no character can be torn."""
        start = max(0, len(self.buffer) - 3)
        self.buffer += data
        if self.version is None:
            if not self._banner():
                return
            start = 0
        while (end := self.buffer.find(b"\r\n\r\n", start)) >= 0:
            raw = bytes(self.buffer[:end])
            del self.buffer[: end + 4]
            start = 0
            if self._is_of_batch(raw):
                continue
            message = Message.from_line(raw.decode("utf-8", "replace").strip())
            if message is not None:
                for name in _SINGLE.intersection(message):
                    if isinstance(message[name], list):
                        message[name] = message[name][0]
                self.handle_message(message)
        if len(self.buffer) > MESSAGE_BYTES:
            self.link.drop(f"a message of more than {MESSAGE_BYTES} bytes came")

    def _is_of_batch(self, raw: bytes) -> bool:
        """Whether it was the answer to one of many; Asterisk writes the ActionID into the second line."""
        at = raw.find(_OUR_ID)
        if at < 0 or not raw.lstrip().startswith(b"Response: "):
            return False
        name = raw[at + 12 :].partition(b"\r\n")[0].decode("ascii", "replace")
        batch = self.batches.pop(name, None)
        if batch is not None:
            batch.answered(name, raw.lstrip())
        return True  # where nobody waits any more, nobody needs it

    def _banner(self) -> bool:
        line, end, rest = self.buffer.partition(b"\r\n")
        if not end and len(line) < 200:
            return False
        if not line.startswith(b"Asterisk Call Manager/"):
            self.link.drop("what answers there is not Asterisk's manager interface")
            return False
        self.version = line.decode("utf-8", "replace").partition("/")[2]
        self.buffer = rest
        if not self.link.greeted.done():
            self.link.greeted.set_result(None)
        return True

    def handle_message(self, message: Message) -> None:
        """Give it to the action that waits for it; an answer nobody waits for any more is dropped."""
        if "ActionID" in message:
            action = self.responses.get(message["ActionID"])
            if action is not None and action.add_message(message):
                self.responses.pop(action.id, None)
        elif "Event" in message:
            self.link.dispatch(message)

    def close(self) -> None:
        """End the connection; whoever waits for an answer is told that it is uncertain."""
        self.closed = True
        self.transport.abort()
        for action in self.responses.values():
            if not action.future.done():
                action.future.set_exception(
                    AmiUncertain(f"The AMI connection ended before {action['Action']} was answered.")
                )
        self.responses.clear()
        for batch in set(self.batches.values()):
            batch.end()
        self.batches.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.drop(f"the connection ended ({exc})" if exc else "Asterisk closed the connection")


class Link(panoramisk.Manager):  # type: ignore[misc]
    """panoramisk's manager for exactly one connection: it never reconnects and never sends anything twice."""

    def __init__(self, host: str, port: int, on_event: Callable[[Message], None]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(host=host, port=port, loop=loop)
        self.on_event = on_event
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.booted = asyncio.Event()
        self.lost: asyncio.Future[str] = loop.create_future()
        self._names = count(1)

    async def open(self) -> None:
        """Connect and wait for Asterisk's greeting."""
        async with asyncio.timeout(CONNECT_SECONDS):
            await self.loop.create_connection(lambda: _Protocol(self), self.config["host"], self.config["port"])
            await self.greeted
        if self.lost.done():
            raise AmiDown(self.lost.result())

    def dispatch(self, event: Message) -> None:
        """An event of its own, not part of an answer."""
        if event.event == "FullyBooted":
            self.booted.set()
        self.on_event(event)

    def drop(self, why: str) -> None:
        """End it for a reason that people can read."""
        if not self.lost.done():
            self.lost.set_result(why)
            if not self.greeted.done():
                self.greeted.set_result(None)
            if self.protocol is not None:
                self.protocol.close()

    async def ask(self, message: Fields, within: float, *, as_list: bool = False) -> list[Message]:
        """Send once, wait once. Raises AmiDown, AmiUncertain or AmiRefused."""
        if self.lost.done():
            raise AmiDown(f"There is no AMI connection: {self.lost.result()}.")
        action = _Action(message)
        try:
            async with asyncio.timeout(within):
                answers: list[Message] = await self.send_action(action, as_list=as_list)
        except TimeoutError:
            raise AmiUncertain(f"Asterisk did not answer {message['Action']} within {within:g} s.") from None
        finally:
            self.protocol.responses.pop(action.id, None)
        if not answers[0].success:
            reason = str(answers[0].message or "no reason given").rstrip(".")
            raise AmiRefused(message["Action"], reason)
        return answers

    async def ask_all(self, messages: list[Fields], within: float) -> list[AmiError | None]:
        """Send each once, all in one write, and wait once for all; AmiDown where nothing was sent."""
        if self.lost.done():
            raise AmiDown(f"There is no AMI connection: {self.lost.result()}.")
        action, protocol = str(messages[0]["Action"]), self.protocol
        names = [f"cw-{next(self._names)}" for _ in messages]
        batch = _Batch(action, names)
        protocol.batches.update((name, batch) for name in names)
        protocol.transport.write(b"".join(map(_wire, names, messages)))
        try:
            async with asyncio.timeout(within):
                await batch.over
        except TimeoutError:
            pass
        finally:
            for name in batch.left:
                protocol.batches.pop(name, None)
        unknown = AmiUncertain(f"Asterisk did not answer {action} within {within:g} s.")
        return [unknown if name in batch.left else batch.failed.get(name) for name in names]


def _wire(name: str, message: Fields) -> bytes:
    lines = [f"{key}: {value}\r\n" for key, value in message.items()]
    return f"{''.join(lines)}ActionID: {name}\r\n\r\n".encode()
