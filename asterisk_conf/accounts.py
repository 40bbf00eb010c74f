"""A phone's SIP account as data: the objects ARI's dynamic configuration takes while Asterisk runs.

Each object goes to ``PUT /ari/asterisk/config/dynamic/{config_class}/{object_type}/{id}`` with the body
``{"fields": [{"attribute": ..., "value": ...}, ...]}``; putting it again changes it, DELETE takes it away.
Asterisk keeps them in its own database, so they outlive a restart of Asterisk.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from asterisk_conf import pjsip
from asterisk_conf.secrets import demand_strong
from contact_center.errors import UsageError
from contact_center.settings import Settings

CONFIG_CLASS = "res_pjsip"
AGENT_CODECS = ("alaw", "ulaw", "opus")
NAME_LENGTH = 80


class DynamicObject(NamedTuple):
    """One object of ARI's dynamic configuration."""

    config_class: str
    object_type: str
    id: str
    fields: dict[str, str]


def account_objects(
    ext: str,
    name: str,
    username: str,
    password: str,
    settings: Settings,
    *,
    max_contacts: int = 1,
    qualify_seconds: int = 20,
    codecs: tuple[str, ...] = AGENT_CODECS,
) -> list[DynamicObject]:
    """What an agent's phone needs, in the order it is to be put: auth, aor, endpoint.

    ``username`` is the SIP user as well as the name of the endpoint (``PJSIP/username``); ``name`` and
    ``ext`` are what others see. With one contact a phone that registers takes over from the one before.
    Raises UsageError for a username, extension or password that cannot be used.
    """
    _demand_usable(ext, username, password)
    auth = {"auth_type": "userpass", "username": username, "password": password}
    aor = {
        "max_contacts": str(max_contacts),
        "remove_existing": "yes",
        "qualify_frequency": str(qualify_seconds),
        "qualify_timeout": "3.0",
        "minimum_expiration": "30",
        "default_expiration": "120",
        "maximum_expiration": "3600",
    }
    return [
        DynamicObject(CONFIG_CLASS, "auth", username, auth),
        DynamicObject(CONFIG_CLASS, "aor", username, aor),
        DynamicObject(CONFIG_CLASS, "endpoint", username, _endpoint(ext, name, username, codecs, settings)),
    ]


def account_ids(username: str) -> list[tuple[str, str, str]]:
    """(config_class, object_type, id) of an account's objects, in the order they are to be deleted."""
    return [(CONFIG_CLASS, kind, username) for kind in ("endpoint", "aor", "auth")]


def _endpoint(ext: str, name: str, username: str, codecs: tuple[str, ...], settings: Settings) -> dict[str, str]:
    fields = {
        "context": "callwright-agent",
        "identify_by": "username,auth_username",
        "auth": username,
        "aors": username,
        "disallow": "all",
        "allow": ",".join(_as_trunks_prefer(codecs, settings)),
        "codec_prefs_incoming_offer": pjsip.CODECS_AS_CONFIGURED,
        "callerid": f'"{display_name(name)}" <{ext}>',
        "direct_media": "no",
        "rtp_symmetric": "yes",
        "force_rport": "yes",
        "rewrite_contact": "yes",
        "dtmf_mode": "rfc4733",
        "user_eq_phone": "no",
        "allow_transfer": "yes",
        "send_connected_line": "no",
        "trust_connected_line": "no",
        "rtp_timeout": "300",
        "rtp_timeout_hold": "3600",
        "moh_suggest": "default",
        "tone_zone": pjsip.tone_zone(settings.site.country),
    }
    return fields | pjsip.media_lines(settings)


def _as_trunks_prefer(codecs: tuple[str, ...], settings: Settings) -> list[str]:
    """The agents' codecs, those that customers' legs settle on first: what needs no translation costs no time."""
    trunks = [codec for trunk in settings.trunk.values() for codec in trunk.codecs]
    return sorted(codecs, key=lambda codec: trunks.index(codec) if codec in trunks else len(trunks))


def display_name(name: str) -> str:
    """A name that can stand between quotes in a SIP header: no control characters, quotes or brackets."""
    return re.sub(r'[\x00-\x1f\x7f"\\<>;]', "", name).strip()[:NAME_LENGTH]


def _demand_usable(ext: str, username: str, password: str) -> None:
    if not re.fullmatch(r"[0-9]{1,20}", ext):
        raise UsageError(f"{ext!r} is not an extension; use digits only, such as 1001.")
    usable = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", username)
    if not usable or username.startswith("callwright-"):
        raise UsageError(f"{username!r} cannot be a SIP user; use letters, digits, - and _, such as 1001.")
    demand_strong(f"the password of {username}", password, user=username)
