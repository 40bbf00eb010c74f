"""Where we may send: only addresses of the public internet, unless a setting names the host.

Looked at twice: the URL when it is saved, and every address that a name resolves to when something is sent;
the connection is then made to an address that was looked at, never to one that is asked for once more.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from contact_center.errors import CallwrightError, UsageError

LONGEST_URL = 400
RESOLVE_SECONDS = 5.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host; raises OSError."""

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    ipaddress.ip_network(text)
    # protocol assignments with Teredo and ORCHID, documentation, 6to4 with any IPv4 address inside
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "localdomain", "arpa")


class NotAllowed(UsageError):
    """We do not send there."""


class NoSuchHost(CallwrightError):
    """The host has no address now."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was looked at. ``is_named``: the settings allow this host, wherever it is."""

    url: str
    host: str
    port: int
    is_named: bool


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet and to nothing that only looks so."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC)
    if address.scope_id is not None or address not in _PUBLIC_V6:
        return False  # mapped, compatible and translated IPv4 addresses lie outside of 2000::/3, as all others do
    return not any(address in network for network in _NOT_PUBLIC_V6)


def checked_url(text: str, allowed: Collection[str] = ()) -> Target:
    """A URL as it may be saved, names not yet resolved. ``allowed``: ``host`` or ``host:port``, as in the URL.

    Raises NotAllowed with one sentence.
    """
    if len(text) > LONGEST_URL or not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>^`{|}'):
        raise NotAllowed(f"The URL has characters that are not allowed, or more than {LONGEST_URL} of them.")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise NotAllowed("The URL cannot be read; https://crm.example.com/calls is the form that is wanted.") from None
    if parts.scheme not in ("https", "http") or not text.lower().startswith(f"{parts.scheme}://") or not host:
        raise NotAllowed("The URL is not one of https; https://crm.example.com/calls is the form that is wanted.")
    if "@" in parts.netloc or "%" in parts.netloc or parts.fragment or port == 0:
        raise NotAllowed("The URL has a user, a fragment or an escaped host; leave them out.")
    port = port or (443 if parts.scheme == "https" else 80)
    shown = f"[{host}]" if ":" in host else host
    is_named = bool({shown, f"{shown}:{port}"} & {name.lower() for name in allowed})
    if not is_named:
        _check_host(host, parts.scheme)
    return Target(text, host, port, is_named)


def _check_host(host: str, scheme: str) -> None:
    if scheme != "https":
        raise NotAllowed("The URL is not one of https, and [webhooks] allow_hosts does not name its host.")
    if ":" in host:
        address: Address | None = _address(host)
        if address is None:
            raise NotAllowed(f"{host[:60]} is no address.")
    else:
        labels = host.removesuffix(".").split(".")
        address = _address(host) if _NUMBER.match(labels[-1]) else None
        if address is None and (_NUMBER.match(labels[-1]) or not _NAME.match(host.removesuffix("."))):
            raise NotAllowed(f"{host[:60]} is neither a name nor an address in its plain form.")
        if address is None and (len(labels) < 2 or labels[-1] in _LOCAL_NAMES):
            raise NotAllowed(f"{host[:60]} is a local name; [webhooks] allow_hosts can allow it.")
    if address is not None and not is_public(address):
        raise NotAllowed(f"{host[:60]} is not an address of the public internet; [webhooks] allow_hosts can allow it.")


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host as this machine knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def addresses_of(target: Target, resolve: Resolve = system_resolve) -> list[str]:
    """The addresses to connect to. One that is not public spoils them all: it is how names are turned round.

    Raises NotAllowed, and NoSuchHost when the name has none.
    """
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = list(dict.fromkeys(await resolve(target.host, target.port)))
    except (OSError, TimeoutError, UnicodeError):
        found = []
    if not found:
        raise NoSuchHost(f"{target.host} has no address now.")
    if not target.is_named:
        for text in found:
            address = _address(text)
            if address is None or not is_public(address):
                raise NotAllowed(f"{target.host} leads to {text[:60]}, which is not of the public internet.")
    return found
