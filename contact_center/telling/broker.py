"""An MQTT broker: where it is, a connection to it, and what is wrong with it in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import aiomqtt

_WRONG_LOGIN = (4, 5, 134, 135)
"""Bad user name or password, and not authorized: in MQTT 3.1.1 and in MQTT 5."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, from the settings' url."""

    host: str
    port: int
    username: str | None
    password: str | None
    is_tls: bool

    @classmethod
    def of(cls, url: str) -> Broker:
        """``mqtt://user:password@host:1883`` or ``mqtts://host``."""
        parts = urlsplit(url)
        is_tls = parts.scheme == "mqtts"
        return cls(
            parts.hostname or "localhost",
            parts.port or (8883 if is_tls else 1883),
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            is_tls,
        )

    @property
    def place(self) -> str:
        """As people name it: without user and password."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def client(self, identifier: str, answer_seconds: float, **more: Any) -> aiomqtt.Client:
        """A client of it, not connected yet; ``more`` as aiomqtt takes it."""
        return aiomqtt.Client(
            self.host,
            self.port,
            username=self.username,
            password=self.password,
            identifier=identifier,
            clean_session=True,
            timeout=answer_seconds,
            tls_params=aiomqtt.TLSParameters() if self.is_tls else None,
            **more,
        )

    def refuses_login(self, error: Exception) -> bool:
        """Whether it answered, and does not take the user or his password."""
        code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
        return getattr(code, "value", code) in _WRONG_LOGIN

    def trouble(self, error: Exception) -> str:
        """Why it is away, without our own words for the program's errors."""
        if self.refuses_login(error):
            who = f"the user {self.username}" if self.username else "a connection without a user"
            return f"{self.place} refuses {who}"
        text = re.sub(r"^\[(Errno|code:)[^\]]*\] *", "", str(error)).strip().rstrip(".")[:200]
        if "timed out" in text.lower():
            return f"{self.place} does not answer"
        return f"{self.place}: {text[:1].lower()}{text[1:]}" if text else f"{self.place} does not answer"
