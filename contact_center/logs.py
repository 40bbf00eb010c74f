"""Log lines people and machines can read, with nothing in them that they should not.

Every line goes through ``Mask``: phone numbers keep their last three digits, keyed digits and secrets are
dropped, in fields and in free text, in our lines and in those of libraries, tracebacks included.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

Event = MutableMapping[str, Any]

DROPPED = "[dropped]"

_SECRET_WORDS = (
    "password", "passwd", "pwd", "secret", "token", "credential", "authorization", "cookie", "api_key",
    "apikey", "private_key", "digit", "digits", "pin", "dtmf", "keyed",
)  # fmt: skip
_NUMBER_WORDS = (
    "number",
    "phone",
    "caller",
    "callee",
    "msisdn",
    "did",
    "caller_id",
    "callerid",
    "to",
    "from",
)
_SAFE_FIELDS = frozenset(
    (
        "timestamp",
        "level",
        "logger",
        "action",
        "pid",
        "port",
        "count",
        "seconds",
        "bytes",
        "lineno",
        "call_id",
    )
)

_SECRET_FIELD = re.compile(rf"(?:^|_)(?:{'|'.join(_SECRET_WORDS)})s?(?:$|_)", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    rf"""(?P<name>["']?\b[\w-]*(?:{"|".join(_SECRET_WORDS)})s?["']?)
         (?P<sign>\s*[=:]\s*|\s+(?=\d))(?P<scheme>(?:basic|bearer|digest)\s+)?
         (?P<value>"[^"]*"|'[^']*'|[^\s,;&)\]}}]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_USER_INFO = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@", re.IGNORECASE)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_NUMBER = re.compile(
    r"""(?P<keep>
          \b\d{4}-\d\d-\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?      # an instant
        | \b1[5-9]\d{8}\.\d+\b                                            # Asterisk's unique id
        | (?<![\w.])(?:OCTET\.){3}OCTET(?::\d{1,5})?(?![\w.])             # an IPv4 address and port
        | \b[a-z]{1,12}-[0-9a-hjkmnp-tv-z]{18}\b                          # an id of our own
        | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b
        | (?<![\w.])(?:0|[1-9]\d{0,5})\.\d+(?![\w.])                      # a decimal figure
        | 0x[0-9a-fA-F]+
        )
      | (?P<number>(?<![0-9])\+?\(?\d(?:[\ ().\-/]{0,2}\d){6,})""".replace("OCTET", _OCTET),
    re.VERBOSE,
)


def mask_number(number: str) -> str:
    """``+442079460123`` as ``***123``."""
    digits = [c for c in number if c.isdigit()]
    return "***" + "".join(digits[-3:])


class Mask:
    """A structlog processor; ``secrets`` are exact texts that are dropped wherever they turn up."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, logger: object, method: str, event: Event) -> Event:
        """Mask every field of the line."""
        for name, value in event.items():
            event[name] = self._field(str(name), value)
        return event

    def text(self, text: str) -> str:
        """Mask free text."""
        if self._known is not None:
            text = self._known.sub(DROPPED, text)
        text = _USER_INFO.sub(rf"\g<before>:{DROPPED}@", text)
        text = _SECRET_TEXT.sub(rf"\g<name>\g<sign>{DROPPED}", text)
        return _NUMBER.sub(lambda m: m["keep"] or mask_number(m["number"]), text)

    def _field(self, name: str, value: Any) -> Any:
        if _SECRET_FIELD.search(name):
            return DROPPED
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._field(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._field(name, item) for item in value]
        return self._plain(name, value)

    def _plain(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            words = (name.lower(), *name.lower().split("_"))
            is_number = abs(value) >= 10**6 and any(word in _NUMBER_WORDS for word in words)
            return mask_number(str(value)) if is_number else value
        text = bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
        if name in _SAFE_FIELDS:
            return text if self._known is None else self._known.sub(DROPPED, text)
        return self.text(text)


def configure(
    level: str = "INFO",
    *,
    stream: TextIO | None = None,
    console: bool | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Send structlog's and the standard library's lines to ``stream`` (standard error).

    JSON, one object a line; for people when ``console`` or, by default, when the stream is a terminal.
    """
    stream = sys.stderr if stream is None else stream
    console = stream.isatty() if console is None else console
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback, colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *shared[:4],
                structlog.stdlib.ExtraAdder(),
                structlog.processors.format_exc_info,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, Mask(secrets), renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("aiohttp.access", "uvicorn.access", "asyncio", "aiosqlite"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
