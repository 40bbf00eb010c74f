"""SIP messages (RFC 3261 section 7): reading a datagram, asking for its parts, writing one.

Header names are kept in lower case and long form; `Via`, `Route`, `Record-Route` and `Contact` that came as
one comma-separated line are split into one entry per value. Nothing here knows sockets or transactions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
    "s": "subject",
    "e": "content-encoding",
    "r": "refer-to",
    "b": "referred-by",
    "o": "event",
    "u": "allow-events",
    "x": "session-expires",
}
LISTS = frozenset({"via", "route", "record-route", "contact"})
MANDATORY = ("via", "from", "to", "call-id", "cseq")
REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    410: "Gone",
    420: "Bad Extension",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
    607: "Unwanted",
    608: "Rejected",
}

_URI = re.compile(
    r"(?P<scheme>sips?|tel):(?:(?P<user>[^@;?>\s]*?)(?::[^@;?>\s]*)?@)?(?P<host>\[[^\]]*\]|[^:;?>\s]*)"
    r"(?::(?P<port>\d{1,5}))?(?P<params>(?:;[^?>\s]*)?)(?:\?[^>\s]*)?$",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r'\s*(?P<display>"(?:[^"\\]|\\.)*"|[^<"]*)\s*<(?P<uri>[^>]*)>(?P<rest>.*)$', re.DOTALL)
_RESPONSE = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?$")
_REQUEST = re.compile(r"([A-Za-z0-9.!%*_+`'~-]+) (\S+) SIP/2\.0$")
_CSEQ = re.compile(r"(\d{1,10})\s+([A-Za-z0-9.!%*_+`'~-]+)$")
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*(\w+)\s+(\[[^\]]*\]|[^\s;:]+)(?::(\d{1,5}))?\s*(.*)$", re.IGNORECASE | re.DOTALL
)


class SipError(ValueError):
    """The datagram (or header) is not valid SIP; the text says which part."""


@dataclass(frozen=True, slots=True)
class Uri:
    """A sip: or tel: URI; `params` as written, with the leading semicolon."""

    user: str
    host: str
    port: int | None = None
    params: str = ""

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Read a bare URI; SipError when it is not one."""
        match = _URI.match(text.strip())
        if match is None:
            raise SipError(f"not a SIP URI: {text[:80]!r}")
        if match["scheme"].lower() == "tel":
            return cls(match["host"], "", None, match["params"])
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 0 < port < 65536:
            raise SipError(f"port out of range in {text[:80]!r}")
        return cls(match["user"] or "", match["host"], port, match["params"])

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"sip:{user}{self.host}{port}{self.params}"


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A From, To, Contact or Route value: display name, URI and header parameters."""

    uri: Uri
    display: str = ""
    params: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read `"Name" <uri>;a=b` or the bare form `uri;a=b`; SipError when it is neither."""
        match = _BRACKETED.match(text)
        if match is not None:
            display = match["display"].strip()
            if display.startswith('"'):
                display = re.sub(r"\\(.)", r"\1", display[1:-1])
            return cls(Uri.parse(match["uri"]), display, parse_params(match["rest"]))
        bare, _, rest = text.strip().partition(";")
        return cls(Uri.parse(bare), "", parse_params(rest))


def parse_params(text: str) -> dict[str, str]:
    """`;a=b;c` as a dictionary, names in lower case, quotes removed."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        if name:
            found[name.strip().lower()] = value.strip().strip('"')
    return found


def split_list(value: str) -> list[str]:
    """Split at commas that stand outside quotes and angle brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(value):
        if char == '"' and (at == 0 or value[at - 1] != "\\"):
            quoted = not quoted
        elif not quoted and char in "<>":
            depth += 1 if char == "<" else -1
        elif char == "," and not quoted and depth == 0:
            parts.append(value[start:at].strip())
            start = at + 1
    parts.append(value[start:].strip())
    return parts


@dataclass
class Message:
    """What requests and responses share. `headers`: (lower-case name, value) in order."""

    headers: list[tuple[str, str]]
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """The first value of header `name` (lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def all(self, name: str) -> list[str]:
        """All values of header `name` (lower case), in order."""
        return [value for key, value in self.headers if key == name]

    def need(self, name: str) -> str:
        """The first value of header `name`; SipError when it is missing."""
        value = self.get(name)
        if value is None:
            raise SipError(f"no {name} header")
        return value

    @cached_property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.need("call-id")

    @cached_property
    def cseq(self) -> tuple[int, str]:
        """Number and method of the CSeq header."""
        match = _CSEQ.match(self.need("cseq").strip())
        if match is None:
            raise SipError("bad CSeq")
        return int(match[1]), match[2].upper()

    @cached_property
    def from_(self) -> NameAddr:
        """The From header."""
        return NameAddr.parse(self.need("from"))

    @cached_property
    def to(self) -> NameAddr:
        """The To header."""
        return NameAddr.parse(self.need("to"))

    @cached_property
    def via(self) -> tuple[str, int, dict[str, str]]:
        """Host, port and parameters of the topmost Via."""
        match = _VIA.match(self.need("via").strip())
        if match is None:
            raise SipError("bad Via")
        return match[2], int(match[3] or 5060), parse_params(match[4])

    @property
    def branch(self) -> str:
        """The branch of the topmost Via, empty when it has none."""
        return self.via[2].get("branch", "")

    @cached_property
    def contact(self) -> Uri | None:
        """The URI of the first Contact, None when there is none or it is `*`."""
        value = self.get("contact")
        return None if value is None or value.strip() == "*" else NameAddr.parse(value).uri

    def _write(self, first: str) -> bytes:
        lines = [first]
        lines += [f"{name.title()}: {value}" for name, value in self.headers if name != "content-length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode() + self.body


@dataclass
class Request(Message):
    """A SIP request; `method` in upper case, `uri` as written."""

    method: str = ""
    uri: str = ""

    def to_bytes(self) -> bytes:
        """The datagram."""
        return self._write(f"{self.method} {self.uri} SIP/2.0")


@dataclass
class Response(Message):
    """A SIP response."""

    code: int = 0
    reason: str = ""

    def to_bytes(self) -> bytes:
        """The datagram."""
        return self._write(f"SIP/2.0 {self.code} {self.reason}")


def parse(data: bytes) -> Request | Response:
    """Read one datagram; SipError with the reason when it is not a complete SIP message."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        raise SipError("no empty line after the headers")
    lines = head.decode("utf-8", "replace").split("\r\n")
    headers = _headers(lines[1:])
    present = {name for name, _ in headers}
    for name in MANDATORY:
        if name not in present:
            raise SipError(f"no {name} header")
    response, request = _RESPONSE.match(lines[0]), _REQUEST.match(lines[0])
    message: Request | Response
    if response is not None:
        message = Response(headers, body, int(response[1]), response[2] or "")
    elif request is not None:
        message = Request(headers, body, request[1].upper(), request[2])
    else:
        raise SipError(f"bad start line {lines[0][:60]!r}")
    message.body = body[: _length(message, len(body))]
    number, method = message.cseq
    if number >= 2**31 or (isinstance(message, Request) and method != message.method):
        raise SipError("CSeq does not fit the request")
    _ = (
        message.from_,
        message.to,
        message.via,
        message.contact,
    )  # malformed parts are refused here, in one place
    return message


def _headers(lines: list[str]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = name, f"{value} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or not name:
            raise SipError(f"bad header line {line[:60]!r}")
        name = COMPACT.get(name, name)
        if name in LISTS and "," in value:
            headers += [(name, part) for part in split_list(value)]
        else:
            headers.append((name, value.strip()))
    return headers


def _length(message: Message, there: int) -> int:
    value = message.get("content-length")
    if value is None:
        return there
    if not (value.isascii() and value.isdigit()) or int(value) > there:
        raise SipError(f"Content-Length {value[:20]!r} with {there} bytes of body")
    return int(value)


def reply(request: Request, code: int, *, to_tag: str = "", reason: str = "") -> Response:
    """A response to `request` with its Via, From, To, Call-ID, CSeq and Record-Route (RFC 3261, 8.2.6)."""
    headers = []
    for name, value in request.headers:
        if name in ("via", "from", "call-id", "cseq") or (name == "record-route" and 100 < code < 300):
            headers.append((name, value))
        elif name == "to":
            tagged = to_tag and "tag" not in request.to.params and code > 100
            headers.append((name, f"{value};tag={to_tag}" if tagged else value))
    return Response(headers, b"", code, reason or REASONS.get(code, "Unassigned"))
