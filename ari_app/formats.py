"""Which codecs a dial offers, and in what order. Left to itself, Asterisk offers ulaw first, whatever is set."""

from __future__ import annotations

from collections.abc import Iterable

from contact_center.settings import Settings

KNOWN = frozenset(("alaw", "ulaw", "g722", "g729", "gsm", "opus", "ilbc", "g726", "speex"))
"""Names that Asterisk knows without a doubt: it refuses a dial that names another."""
PHONES = ("alaw", "ulaw", "opus")
"""What agents' accounts allow; the account decides, this is only the order."""


def of_trunk(settings: Settings, trunk: str) -> str | None:
    """The codecs of a trunk as ``formats`` of an originate; None: as Asterisk likes."""
    found = settings.trunk.get(trunk)
    return _named(found.codecs) if found else None


def of_phones(settings: Settings) -> str | None:
    """The same for a phone that is rung before its customers are known: what their trunks prefer stands first."""
    trunks = [codec for trunk in settings.trunk.values() for codec in trunk.codecs if codec in PHONES]
    return _named((*trunks, *PHONES))


def _named(codecs: Iterable[str]) -> str | None:
    names = list(dict.fromkeys(codecs))
    return ",".join(names) if names and KNOWN.issuperset(names) else None
