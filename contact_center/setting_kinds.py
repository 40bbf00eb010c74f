"""The kinds of values that settings have, each with what is wanted in words."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

CODECS = (
    *("alaw", "ulaw", "g722", "g729", "g726", "g726aal2", "g723", "gsm", "ilbc", "opus", "speex", "speex16", "speex32"),
    *("slin", "slin16", "amr", "amrwb", "evs", "codec2", "g719", "siren7", "siren14", "silk8", "silk16", "silk24"),
)
"""What Asterisk calls the codecs of telephony: with another word it does not load the trunk."""


def _bind(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("an address and a port, as in 127.0.0.1:8080, is wanted")
    return value


def _plain(value: str) -> str:
    """Values that end up in Asterisk's files or in a protocol line must not break out of them."""
    if any(ord(c) < 0x20 or c in ";#[]\x7f" for c in value):
        raise ValueError("control characters and ; # [ ] are not allowed here")
    return value


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", value):
        raise ValueError("a host name or an address is wanted")
    return value


def _peer(value: str) -> str:
    """Whom calls come from: a host, an address or a network, as 192.0.2.0/24."""
    try:
        ip_network(value, strict=False)
    except ValueError:
        return _host(value)
    return value


def _codec(value: str) -> str:
    if value not in CODECS:
        raise ValueError(f"one of {', '.join(CODECS)} is wanted")
    return value


def _host_or_bind(value: str) -> str:
    """``host``, ``host:port``, ``[::1]`` or ``[::1]:9000``."""
    host, _, port = value.rpartition(":")
    if host and port.isdigit():
        _bind(value)
        return f"{_host(host)}:{port}"
    return _host(value)


Bind = Annotated[str, AfterValidator(_bind)]
Plain = Annotated[str, AfterValidator(_plain)]
Host = Annotated[str, AfterValidator(_host)]
Peer = Annotated[str, AfterValidator(_peer)]
Codec = Annotated[str, AfterValidator(_codec)]
HostOrBind = Annotated[str, AfterValidator(_host_or_bind)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Prefix = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{0,14}$")]
