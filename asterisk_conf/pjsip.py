"""callwright/pjsip*.conf: transports, and an endpoint for each trunk."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from contact_center.errors import UsageError
from contact_center.numbers import normalise
from contact_center.settings import Settings, Trunk

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")
TRUNK_PREFIX = "callwright-trunk-"
CODECS_AS_CONFIGURED = "prefer: configured, operation: intersect, keep: all, transcode: allow"

Line = tuple[str, object]


def trunk_endpoint(name: str) -> str:
    """The PJSIP endpoint of ``[trunk.NAME]``."""
    return TRUNK_PREFIX + name


def split_bind(bind: str) -> tuple[str, int]:
    """``127.0.0.1:5060`` as host and port; the brackets of an IPv6 address are taken off."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]"), int(port)


def reachable(host: str) -> str:
    """Where a server bound to ``host`` is reached from the same machine, as it stands in a URL."""
    if host in ("0.0.0.0", "::", "localhost"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def own_address(settings: Settings) -> str | None:
    """The one address SIP is bound to, or None when it is bound to all."""
    host, _ = split_bind(settings.asterisk.sip_bind)
    try:
        return None if ipaddress.ip_address(host).is_unspecified else host
    except ValueError:
        raise UsageError(f"asterisk.sip_bind: {host!r} is not an IP address; give one, or 0.0.0.0 for all.") from None


def dial_target(settings: Settings, name: str, number: str) -> str:
    """What Dial() and originate take to call ``number`` (any notation) by ``[trunk.name]``.

    A number that is not a phone number of the site's country raises UsageError.
    """
    trunk = settings.trunk[name]
    digits = normalise(number, settings.site.country, settings.site.number_check).lstrip("+")
    address = trunk.dial_format.removeprefix("sip:").format(
        number=digits, host=trunk.host, port=trunk.port, server=own_address(settings) or trunk.host
    )
    return f"PJSIP/{trunk_endpoint(name)}/sip:{address}{_transport_parameter(trunk)}"


def protocols(settings: Settings) -> frozenset[str]:
    """The transport protocols phones and trunks use."""
    return frozenset({"udp"} | {trunk.transport for trunk in settings.trunk.values()})


def transports(settings: Settings, existing: Mapping[str, str]) -> str:
    """The transports, but for protocols whose transport is there already."""
    wanted = sorted(protocols(settings) - set(existing))
    return "\n".join(_transport(settings, protocol) for protocol in wanted)


def trunks(settings: Settings, existing: Mapping[str, str]) -> str:
    """Endpoint, aor, identify, auth and registration of each trunk; ``existing`` as for transports."""
    sections: list[str] = []
    for name, trunk in settings.trunk.items():
        transport = existing.get(trunk.transport, f"callwright-{trunk.transport}")
        sections += _trunk(settings, name, trunk, transport)
    return "\n".join(sections)


def _section(name: str, kind: str, lines: Iterable[Line]) -> str:
    body = "".join(f"{key} = {value}\n" for key, value in [("type", kind), *lines])
    return f"[{name}]\n{body}"


def _transport(settings: Settings, protocol: str) -> str:
    host, port = split_bind(settings.asterisk.sip_bind)
    shown = f"[{host}]" if ":" in host else host
    port += protocol == "tls"
    lines: list[Line] = [("protocol", protocol), ("bind", f"{shown}:{port}")]
    if protocol == "tls":
        lines.append(("method", "tlsv1_2"))
    external = settings.asterisk.external_address
    if external:
        lines += [("external_signaling_address", external), ("external_media_address", external)]
        lines += [("local_net", net) for net in PRIVATE_NETWORKS]
    return _section(f"callwright-{protocol}", "transport", lines)


def media_lines(settings: Settings) -> dict[str, str]:
    """Options that keep sound on the address SIP is bound to; none when that is all of them or behind NAT."""
    address = own_address(settings)
    if address is None or settings.asterisk.external_address:
        return {}
    return {"media_address": address, "bind_rtp_to_media_address": "yes"}


def _trunk(settings: Settings, name: str, trunk: Trunk, transport: str) -> list[str]:
    section = trunk_endpoint(name)
    parts = [
        _section(section, "endpoint", _endpoint(settings, section, trunk, transport)),
        _section(section, "aor", [("contact", _uri(trunk)), ("qualify_frequency", 0)]),
        _section(section, "identify", _identify(section, trunk)),
    ]
    if trunk.username:
        credentials: list[Line] = [
            ("auth_type", "userpass"),
            ("username", trunk.username),
            ("password", trunk.password),
        ]
        parts.append(_section(section, "auth", credentials))
    if trunk.register_:
        if not trunk.username:
            raise UsageError(f"trunk.{name}.register needs a username and a password; add them.")
        parts.append(_section(section, "registration", _registration(section, trunk, transport)))
    return parts


def _endpoint(settings: Settings, section: str, trunk: Trunk, transport: str) -> list[Line]:
    lines: list[Line] = [
        ("transport", transport),
        ("context", "callwright-inbound"),
        ("identify_by", "ip"),
        ("disallow", "all"),
        ("allow", ",".join(trunk.codecs)),
        ("aors", section),
        ("direct_media", "no"),
        ("rtp_symmetric", "yes"),
        ("force_rport", "yes"),
        ("rewrite_contact", "no"),
        ("dtmf_mode", "rfc4733"),
        ("user_eq_phone", "no"),
        ("send_connected_line", "no"),
        ("trust_connected_line", "no"),
        ("trust_id_inbound", "yes"),
        ("trust_id_outbound", "yes"),
        ("send_pai", "yes"),
        ("allow_transfer", "no"),
        ("rtp_timeout", 60),
        ("rtp_timeout_hold", 300),
        ("tone_zone", tone_zone(settings.site.country)),
        *media_lines(settings).items(),
    ]
    if trunk.username:
        lines += [("outbound_auth", section), ("from_domain", trunk.host)]
    if trunk.register_:
        lines.append(("contact_user", trunk.username))
    return lines


def _transport_parameter(trunk: Trunk) -> str:
    return "" if trunk.transport == "udp" else f";transport={trunk.transport}"


def _uri(trunk: Trunk, user: str = "") -> str:
    """A SIP address as it stands in a file, where a bare semicolon would start a comment."""
    return f"sip:{user}{trunk.host}:{trunk.port}{_transport_parameter(trunk)}".replace(";", r"\;")


def _identify(section: str, trunk: Trunk) -> list[Line]:
    lines: list[Line] = [("endpoint", section), ("srv_lookups", "no")]
    return lines + [("match", match) for match in dict.fromkeys((trunk.host.strip("[]"), *trunk.match))]


def _registration(section: str, trunk: Trunk, transport: str) -> list[Line]:
    return [
        ("transport", transport),
        ("outbound_auth", section),
        ("server_uri", _uri(trunk)),
        ("client_uri", _uri(trunk, f"{trunk.username}@")),
        ("contact_user", trunk.username),
        ("endpoint", section),
        ("line", "yes"),
        ("max_random_initial_delay", 1),
        ("retry_interval", 30),
        ("forbidden_retry_interval", 300),
        ("fatal_retry_interval", 300),
        ("auth_rejection_permanent", "no"),
        ("max_retries", 10000),
        ("expiration", 600),
    ]


def tone_zone(country: str) -> str:
    """The name Asterisk's indications.conf has for a country of two capital letters."""
    return {"GB": "uk"}.get(country, country.lower())
