"""The AGI protocol on asyncio streams: the header, then one command and one reply at a time.

What comes from the socket is hostile until proven otherwise: sizes and times are limited, bytes that are
not UTF-8 become U+FFFD, and no value that goes out may hold a control byte.

    CallwrightError
    └── AgiError
        ├── BadHeader       the first lines are not AGI's, too long or too late
        ├── AgiHungUp       the channel has gone (HANGUP line, 511 or end of file)
        ├── AgiTimeout      no reply in time
        └── CommandRefused  Asterisk does not know the command or its arguments (510, 520, anything else)
    UsageError
    └── BadValue            a value may not be sent
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from contact_center.errors import CallwrightError, UsageError

if TYPE_CHECKING:
    from agi_scripts.voice import Voice

HEADER_BYTES = 64 * 1024
HEADER_SECONDS = 5.0
MANY_LINES = 200
"""More lines than any reply of Asterisk's has; a peer that sends more is not Asterisk."""
COMMAND_SECONDS = 5.0
PROMPT_SECONDS = 30.0
AFTER_HANGUP_SECONDS = 1.0

_REPLY = re.compile(r"(?P<code>[0-9]{3})(?P<more>[ -])(?P<text>.*)", re.DOTALL)
_RESULT = re.compile(
    r"result=(?P<result>-?[0-9]{0,18})(?: +\((?P<data>.*)\))?(?: +endpos=(?P<endpos>[0-9]{1,18}))?", re.DOTALL
)


class AgiError(CallwrightError):
    """A FastAGI connection could not be served."""


class BadHeader(AgiError):
    """What was sent first is not an AGI header."""


class AgiHungUp(AgiError):
    """The channel has hung up."""


class AgiTimeout(AgiError):
    """Asterisk did not reply in time."""


class CommandRefused(AgiError):
    """Asterisk refused a command; ``code`` is its three digits."""

    def __init__(self, command: str, code: int, text: str) -> None:
        super().__init__(f"Asterisk refused the AGI command {command}: {code} {text}")
        self.command, self.code, self.text = command, code, text


class BadValue(UsageError):
    """A value holds a control byte and would break out of its line."""


@dataclass(frozen=True, slots=True)
class Header:
    """What Asterisk tells about the call; ``fields`` have lost their ``agi_``, the last of a name counts."""

    fields: Mapping[str, str]
    script: str
    query: Mapping[str, str]
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: ``result`` is None where Asterisk gave none; ``endpos`` counts samples (8000 a second)."""

    code: int
    result: int | None
    data: str = ""
    endpos: int | None = None


def parse_header(raw: bytes) -> Header:
    """The header of ``agi_name: value`` lines.

    Never raises on content: lines that are not ``name: value`` are left out, bad UTF-8 is replaced.
    ``agi_network_script`` is split at ``?``; slashes around the path are dropped. Arguments end at the first
    gap in their numbers.
    """
    fields: dict[str, str] = {}
    for line in raw.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.rstrip("\r").partition(":")
        if colon and name.startswith("agi_"):
            fields[name.removeprefix("agi_")] = value.removeprefix(" ")
    path, _, query = fields.get("network_script", "").partition("?")
    args: list[str] = []
    while f"arg_{len(args) + 1}" in fields:
        args.append(fields[f"arg_{len(args) + 1}"])
    try:
        pairs = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        pairs = {}
    return Header(MappingProxyType(fields), path.strip("/"), MappingProxyType(pairs), tuple(args))


async def read_header(reader: asyncio.StreamReader, *, within: float = HEADER_SECONDS) -> Header:
    """Read up to the empty line. The reader's own limit is the limit of the header.

    Raises BadHeader when it is too long, later than ``within`` seconds or cut short.
    """
    try:
        async with asyncio.timeout(within):
            return parse_header(await reader.readuntil(b"\n\n"))
    except TimeoutError:
        raise BadHeader(f"The AGI header was not complete within {within:g} seconds.") from None
    except asyncio.LimitOverrunError:
        raise BadHeader("The AGI header is too long.") from None
    except asyncio.IncompleteReadError as error:
        raise BadHeader(f"The connection ended after {len(error.partial)} bytes of header.") from None
    except OSError as error:
        raise BadHeader(f"The connection broke before the AGI header was complete ({error}).") from None


def encode_command(*words: str) -> bytes:
    """One line: the command's words bare, values quoted where they must be.

    Raises BadValue, naming the word by its number, when it holds a byte below 0x20 or 0x7f.
    """
    line = []
    for number, word in enumerate(words):
        if any(ord(c) < 0x20 or ord(c) == 0x7F for c in word):
            raise BadValue(f"Word {number + 1} of AGI command {words[0]!r} holds a control byte.")
        if number == 0 or re.fullmatch(r"[A-Za-z0-9_*#/.:@-]+", word):
            line.append(word)
        else:
            line.append('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return (" ".join(line) + "\n").encode("utf-8", "replace")


class AgiSession:
    """One call that runs a script. Not for use by several tasks at once."""

    def __init__(
        self, header: Header, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, voice: Voice
    ) -> None:
        self.header = header
        self.voice = voice
        self.hung_up = False
        self._reader = reader
        self._writer = writer

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments the dialplan gave after the address."""
        return self.header.args

    @property
    def call_id(self) -> str:
        """The channel's unique id; empty when it was not given."""
        return self.header.fields.get("uniqueid", "")

    async def command(self, *words: str, within: float = COMMAND_SECONDS) -> Reply:
        """Send one command and wait at most ``within`` seconds for its reply.

        Raises BadValue, AgiHungUp, AgiTimeout or CommandRefused. After AgiTimeout the conversation is out of
        step and nothing more can be asked: every later command raises AgiHungUp.
        """
        line = encode_command(*words)
        if self.hung_up:
            raise AgiHungUp("The channel has hung up; nothing more can be asked of it.")
        try:
            async with asyncio.timeout(within) as deadline:
                self._writer.write(line)
                await self._writer.drain()
                return await self._reply(words[0], deadline)
        except TimeoutError:
            if self.hung_up:
                raise AgiHungUp("The channel has hung up.") from None
            self.hung_up = True
            raise AgiTimeout(f"No reply to the AGI command {words[0]} within {within:g} s.") from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.hung_up = True
            raise AgiHungUp("The AGI connection ended.") from None

    async def say(self, phrase: str) -> None:
        """Answer if need be and say one phrase; raises AgiHungUp when the channel goes meanwhile."""
        await self.answer()
        await self.voice.say(self, phrase)

    async def answer(self) -> None:
        """Answer the channel unless it is up."""
        await self.command("ANSWER")

    async def hang_up(self) -> None:
        """Hang up the channel; the script should end then."""
        await self.command("HANGUP")

    async def stream_file(self, name: str, *, within: float = PROMPT_SECONDS) -> bool:
        """Play a sound to its end; False when nothing was played, as there is none of that name.

        Asterisk answers ``result=-1 endpos=0`` to a missing sound, and the script goes on. To a channel that
        has gone it says the same; the next command tells the two apart.
        """
        reply = await self.command("STREAM FILE", name, "", within=within)
        if reply.result == -1 and reply.endpos:
            raise AgiHungUp(f"The channel hung up while {name} was played.")
        return bool(reply.endpos)

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable."""
        await self.command("SET VARIABLE", name, value)

    async def get_variable(self, name: str) -> str | None:
        """A channel variable, None when it is not set."""
        reply = await self.command("GET VARIABLE", name)
        return reply.data if reply.result == 1 else None

    async def _reply(self, command: str, deadline: asyncio.Timeout) -> Reply:
        for _ in range(MANY_LINES):
            line = await self._line()
            if line == "HANGUP":
                # Asterisk says so out of turn; the reply to the command still follows, so we stay in step.
                deadline.reschedule(asyncio.get_running_loop().time() + AFTER_HANGUP_SECONDS)
                self.hung_up = True
                continue
            match = _REPLY.fullmatch(line)
            if match is None:
                raise CommandRefused(command, 0, line[:80])
            code, text = int(match["code"]), match["text"]
            if match["more"] == "-":
                text = await self._rest(code, text)
            if code == 511:
                self.hung_up = True
                raise AgiHungUp("The channel has hung up.")
            if code == 200:
                return _parse_result(text)
            if code >= 200:
                raise CommandRefused(command, code, text[:200])
        self.hung_up = True
        raise AgiHungUp("Asterisk's reply does not come to its end.")

    async def _rest(self, code: int, first: str) -> str:
        """A reply of several lines (520): up to the line that starts with the code and a space."""
        lines = [first]
        for _ in range(MANY_LINES):
            line = await self._line()
            if line.startswith(f"{code} "):
                return " ".join(lines)
            lines.append(line)
        self.hung_up = True
        raise AgiHungUp("Asterisk's reply does not come to its end.")

    async def _line(self) -> str:
        raw = await self._reader.readuntil(b"\n")
        return raw.rstrip(b"\r\n").decode("utf-8", "replace")


def _parse_result(text: str) -> Reply:
    match = _RESULT.match(text)
    if match is None:
        return Reply(200, None)
    result = match["result"]
    endpos = match["endpos"]
    return Reply(
        200,
        int(result) if result.lstrip("-") else None,
        match["data"] or "",
        int(endpos) if endpos is not None else None,
    )
