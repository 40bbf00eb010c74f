"""Digest authentication of a client (RFC 2617, RFC 7616, RFC 8760): MD5 and SHA-256, with and without
qop=auth.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable

from tests.lab.farend.message import Response

_FIELD = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}


class AuthError(ValueError):
    """The challenge cannot be answered; the text says why."""


def challenges(response: Response) -> list[tuple[str, dict[str, str]]]:
    """The digest challenges of a 401 or 407: (name of the header to answer with, fields)."""
    found = []
    for name, answer in (
        ("www-authenticate", "authorization"),
        ("proxy-authenticate", "proxy-authorization"),
    ):
        for value in response.all(name):
            scheme, _, rest = value.partition(" ")
            if scheme.lower() == "digest":
                found.append((answer, {m[1].lower(): m[2] or m[3] or "" for m in _FIELD.finditer(rest)}))
    return found


def read_credentials(value: str) -> dict[str, str]:
    """The fields of an Authorization header; none when it is no digest."""
    scheme, _, rest = value.partition(" ")
    return {m[1].lower(): m[2] or m[3] or "" for m in _FIELD.finditer(rest)} if scheme.lower() == "digest" else {}


def proves(fields: dict[str, str], method: str, password: str) -> bool:
    """Whether the credentials in `fields` were made with `password` for `method` and the URI they name."""
    digest = HASHES.get(fields.get("algorithm", "MD5").upper())
    if digest is None:
        return False
    first = digest(f"{fields.get('username', '')}:{fields.get('realm', '')}:{password}".encode())
    second = digest(f"{method}:{fields.get('uri', '')}".encode())
    middle = [fields.get("nonce", "")]
    if "qop" in fields:
        middle += [fields.get("nc", ""), fields.get("cnonce", ""), fields["qop"]]
    expected = digest(":".join([first, *middle, second]).encode())
    return secrets.compare_digest(expected, fields.get("response", ""))


def authorize(response: Response, method: str, uri: str, user: str, password: str) -> tuple[str, str]:
    """The header (name, value) that answers the challenge in `response`; AuthError when none can be."""
    for header, fields in challenges(response):
        algorithm = fields.get("algorithm", "MD5").upper()
        digest = HASHES.get(algorithm)
        if digest is None or "nonce" not in fields:
            continue
        realm, nonce = fields.get("realm", ""), fields["nonce"]
        first = digest(f"{user}:{realm}:{password}".encode())
        second = digest(f"{method}:{uri}".encode())
        parts = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
        text = ", ".join(f'{key}="{value}"' for key, value in parts.items()) + f", algorithm={algorithm}"
        if "auth" in [q.strip() for q in fields.get("qop", "").split(",")]:
            own, count = secrets.token_hex(8), "00000001"
            answer = digest(f"{first}:{nonce}:{count}:{own}:auth:{second}".encode())
            text += f', qop=auth, nc={count}, cnonce="{own}"'
        else:
            answer = digest(f"{first}:{nonce}:{second}".encode())
        text += f', response="{answer}"'
        if "opaque" in fields:
            text += f', opaque="{fields["opaque"]}"'
        return header, f"Digest {text}"
    raise AuthError(f"{response.code} without a digest challenge of MD5 or SHA-256")
