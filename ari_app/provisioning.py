"""Agents' SIP accounts made by a command: over HTTP, without an application of our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import aiohttp

from contact_center.errors import CallwrightError, Unreachable
from contact_center.settings import Asterisk


class Account(Protocol):
    """One object of Asterisk's configuration that makes up a SIP account."""

    @property
    def config_class(self) -> str:
        """Such as res_pjsip."""
        ...

    @property
    def object_type(self) -> str:
        """auth, aor or endpoint."""
        ...

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """Its settings."""
        ...


AOR = "aor"
COMMAND_SECONDS = 3.0  # deadline of one request that a command makes to Asterisk


def is_as_wanted(found: object, wanted: Mapping[str, str]) -> bool:
    """Whether Asterisk's answer to GET of an object has these settings already; it writes them in its own way."""
    if not isinstance(found, list):
        return False
    has = {str(each.get("attribute")): str(each.get("value")) for each in found if isinstance(each, dict)}
    return all(name in has and _plain(has[name]) == _plain(value) for name, value in wanted.items())


def _plain(value: str) -> str | float:
    word = {"yes": "true", "no": "false"}.get(value, value)
    try:
        return float(word)
    except ValueError:
        return word


async def put_objects(asterisk: Asterisk, objects: Sequence[Account]) -> None:
    """Make accounts from a command, over HTTP and without an application of our own.

    An address of record that is as wanted is not put again: Asterisk would make the contact of a phone that is
    registered a permanent one, which stays when the phone leaves. Raises Unreachable, or CallwrightError when Asterisk
    refuses.
    """
    for item in objects:
        key = (item.config_class, item.object_type, item.id)
        if item.object_type == AOR and is_as_wanted(await _dynamic(asterisk, "GET", key, None), item.fields):
            continue
        fields = [{"attribute": name, "value": value} for name, value in item.fields.items()]
        await _dynamic(asterisk, "PUT", key, {"fields": fields})


async def delete_objects(asterisk: Asterisk, keys: Sequence[tuple[str, str, str]]) -> None:
    """Unmake accounts from a command; what is not there is no error. Raises as :func:`put_objects`."""
    for key in keys:
        await _dynamic(asterisk, "DELETE", key, None)


async def _dynamic(
    asterisk: Asterisk, method: str, key: tuple[str, str, str], body: dict[str, object] | None
) -> object:
    """Asterisk's answer to GET, None where there is nothing; else nothing."""
    url = f"{asterisk.ari_url.removesuffix('/')}/asterisk/config/dynamic/{'/'.join(key)}"
    auth = {"Authorization": aiohttp.encode_basic_auth(asterisk.ari_user, asterisk.ari_password)}
    limit = aiohttp.ClientTimeout(total=COMMAND_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(headers=auth, timeout=limit) as session,
            session.request(method, url, json=body) as reply,
        ):
            if reply.status >= 400 and not (method in ("DELETE", "GET") and reply.status == 404):
                raise CallwrightError(
                    f"Asterisk refuses {method} {'/'.join(key)} ({reply.status}); run `callwright doctor`."
                )
            return await reply.json() if method == "GET" and reply.status == 200 else None
    except (aiohttp.ClientError, TimeoutError):
        raise Unreachable(
            f"Asterisk cannot be reached at {asterisk.ari_url}; is it running? See `callwright doctor`."
        ) from None
