"""What somebody may write in place of a number who wants a call to go elsewhere."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

_EVIL = (
    *("@evil.example", "@127.0.0.1:9999", "&Local/1@ctx", "&PJSIP/1001", ",20,Tt", ";user=phone", "?Header=x", "|x"),
    *(
        "$(id)",
        "${SHELL(id)}",
        "{x}",
        "`id`",
        "'; DROP TABLE lead;--",
        "\r\nINVITE",
        "\n",
        "\0",
        "\\",
        "<x>",
        '"',
        "%40",
    ),
    *("*", "#", "!", "=", "~", "^", ":5060", "/n", "PJSIP/", "sip:", "Local/", "*72", "//", "..", "\u202e", "е"),  # noqa: RUF001
)
_BASES = ("+442079460018", "02079460018", "900", "", "+1", "00", "+44 20 7946 0018", "112", "1001")


def hostile(count: int, seed: int, hosts: Sequence[str] = ()) -> Iterator[str]:
    """So many dial strings; ``hosts``: addresses where somebody waits for the call."""
    rng = random.Random(seed)
    evil = (*_EVIL, *(f"{mark}{host}" for host in hosts for mark in ("@", "@sip:", "%40", ";maddr=", ">,<sip:9@")))
    for _ in range(count):
        text = rng.choice(_BASES)
        for _ in range(rng.randint(1, 3)):
            place = rng.randint(0, len(text))
            text = text[:place] + rng.choice(evil) + text[place:]
        yield text
