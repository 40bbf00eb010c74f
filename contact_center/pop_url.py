"""The address that a screen pop opens, from a campaign's template such as ``https://crm.example/lead/{lead_id}``.

What a lead says of itself goes into path, query or fragment only, percent-encoded: it can never choose the host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_FORM = re.compile(r"https?://[A-Za-z0-9.\-_:\[\]]+(?:[/?#][^\s\"'<>\\^`|]*)?\Z")
_HOLE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[^{}\s]{1,80}\Z")
_LONGEST = 1000
_LONGEST_FILLED = 4000


def checked_pop_url(value: Any) -> str:
    """A template as ``campaign set screen_pop_url=`` takes it; empty switches it off. Raises ValueError."""
    text = str(value).strip()
    holes = _HOLE.findall(text)
    bare = _HOLE.sub("", text)
    well_formed = _FORM.match(_HOLE.sub("x", text)) and not set("{}") & set(bare) and all(map(_NAME.match, holes))
    host = re.match(r"https?://[^/?#]*", text)
    if text and (not well_formed or len(text) > _LONGEST or "{" in (host[0] if host else "{")):
        raise ValueError("an address such as https://crm.example/lead/{lead_id}?phone={number} is wanted")
    return text


def filled_pop_url(template: str, values: Mapping[str, Any]) -> str:
    """The template with each ``{name}`` replaced, percent-encoded; a name that says nothing is left empty."""
    url = _HOLE.sub(lambda hole: quote(_text(values.get(hole[1])), safe="", errors="replace"), template)
    return url if len(url) <= _LONGEST_FILLED else ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)
