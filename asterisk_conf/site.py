"""What an existing /etc/asterisk already has, and so what the product leaves alone in it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from asterisk_conf import pjsip, reader
from asterisk_conf.modules import needed_modules
from contact_center.errors import UsageError
from contact_center.settings import Settings

PARTS_FOLDER = "callwright/"

PARTS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "modules.conf": ("modules",),
        "logger.conf": ("logger",),
        "http.conf": ("http",),
        "ari.conf": ("ari",),
        "manager.conf": ("manager-general", "manager"),
        "rtp.conf": ("rtp",),
        "sorcery.conf": ("sorcery",),
        "pjsip.conf": ("pjsip-global", "pjsip-transports", "pjsip"),
        "extensions.conf": ("extensions",),
    }
)
"""Which parts (``callwright/PART.conf``) each file of /etc/asterisk includes, in order."""


@dataclass(frozen=True)
class Site:
    """The surroundings the parts are made for.

    ``sections``: by file, the sections it has of its own. ``omit``: parts that are not wanted there.
    ``transports``: by protocol, the name of a transport of its own that stands where ours would.
    ``notes``: what the administrator should know, a sentence each.
    """

    sections: Mapping[str, frozenset[str]] = field(default_factory=dict)
    omit: frozenset[str] = frozenset()
    transports: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def opening(self, file: str, section: str) -> str:
        """The line that opens a section of ``file``, or adds to it when it is there already."""
        return f"[{section}](+)" if section in self.sections.get(file, ()) else f"[{section}]"

    def parts_of(self, file: str) -> list[str]:
        """The parts ``file`` is to include."""
        return [part for part in PARTS_OF[file] if part not in self.omit]


BUNDLE = Site(
    sections={
        "rtp.conf": frozenset({"general"}),
        "logger.conf": frozenset({"general", "logfiles"}),
        "modules.conf": frozenset({"modules"}),
    }
)
"""The surroundings of ``conf render``: the bundle's own top files."""


def survey(etc: Path, settings: Settings) -> Site:
    """Look at an existing directory. Raises UsageError when it cannot be read or a name is taken there."""
    try:
        found = {file: reader.sections(etc, file, skip=PARTS_FOLDER) for file in PARTS_OF}
    except OSError as error:
        raise UsageError(f"{error.filename}: it cannot be read ({error.strerror}); run this as root.") from None
    _demand_free_names(found, settings)
    omit: set[str] = set()
    notes: list[str] = []
    for keep in (_keep_modules, _keep_http, _keep_manager, _keep_rtp, _keep_sorcery, _keep_global):
        note = keep(found, settings, omit)
        if note:
            notes.append(note)
    transports = _transports(found["pjsip.conf"], settings)
    if not pjsip.protocols(settings) - set(transports):
        omit.add("pjsip-transports")
    names = {file: frozenset(section.name for section in sections) for file, sections in found.items()}
    # A file that is missing is made from the bundle's own.
    names |= {file: opened for file, opened in BUNDLE.sections.items() if not (etc / file).exists()}
    return Site(names, frozenset(omit), transports, tuple(notes))


Found = dict[str, list[reader.Section]]


def _demand_free_names(found: Found, settings: Settings) -> None:
    taken = (
        ("ari.conf", settings.asterisk.ari_user, "asterisk.ari_user"),
        ("manager.conf", settings.asterisk.ami_user, "asterisk.ami_user"),
    )
    for file, name, key in taken:
        if reader.first(found[file], name):
            raise UsageError(f"{file} has a section [{name}] of its own already; set {key} to another name.")


def _keep_modules(found: Found, settings: Settings, omit: set[str]) -> str:
    modules = reader.first(found["modules.conf"], "modules")
    if modules is None or not is_yes(modules.get("autoload")):
        return ""
    omit.add("modules")
    refused = set(modules.all("noload")) & needed_modules()
    if refused:
        return f"modules.conf keeps {', '.join(sorted(refused))} from loading; Callwright needs them."
    return ""


def _keep_http(found: Found, settings: Settings, omit: set[str]) -> str:
    """A web server that is in use already keeps its address: phones or others may rely on it."""
    general = reader.first(found["http.conf"], "general")
    if general is None or not is_yes(general.get("enabled")):
        return ""
    omit.add("http")
    parts = urlsplit(settings.asterisk.ari_url)
    host, port = general.get("bindaddr", "0.0.0.0"), general.get("bindport", "8088")
    if not _covers(host, parts.hostname or "") or port != str(parts.port or 80):
        return f"http.conf serves {host}:{port} already and stays so; set asterisk.ari_url to that address."
    if int(general.get("sessionlimit", "100")) < 300:
        return "http.conf allows few sessions; set sessionlimit = 500 under [general]."
    return ""


def _keep_manager(found: Found, settings: Settings, omit: set[str]) -> str:
    general = reader.first(found["manager.conf"], "general")
    if general is None or not is_yes(general.get("enabled")):
        return ""
    omit.add("manager-general")
    host, port = general.get("bindaddr", "0.0.0.0"), general.get("port", "5038")
    if not _covers(host, settings.asterisk.ami_host) or port != str(settings.asterisk.ami_port):
        return f"manager.conf serves {host}:{port} already and stays so; set asterisk.ami_host and ami_port so."
    return ""


def _keep_rtp(found: Found, settings: Settings, omit: set[str]) -> str:
    general = reader.first(found["rtp.conf"], "general")
    if general is None or not general.get("rtpstart"):
        return ""
    omit.add("rtp")
    theirs = (general.get("rtpstart"), general.get("rtpend"))
    ours = (str(settings.asterisk.rtp_start), str(settings.asterisk.rtp_end))
    return "" if theirs == ours else f"rtp.conf uses the ports {theirs[0]} to {theirs[1]} and stays so."


def _keep_sorcery(found: Found, settings: Settings, omit: set[str]) -> str:
    mapped = reader.first(found["sorcery.conf"], "res_pjsip")
    if mapped is None or not any(key.split("/")[0] in ("endpoint", "auth", "aor") for key, _ in mapped.entries):
        return ""
    omit.add("sorcery")
    return "sorcery.conf says itself where endpoints are kept and stays so; agents' phones go there."


def _keep_global(found: Found, settings: Settings, omit: set[str]) -> str:
    for section in found["pjsip.conf"]:
        if section.get("type") == "global" and not section.template:
            omit.add("pjsip-global")
            order = section.get("endpoint_identifier_order", "ip,username,anonymous")
            if order.split(",")[0].strip() != "username":
                return f"pjsip.conf tells who calls by {order}: a phone behind a trunk's address passes for it."
    return ""


def _transports(found: list[reader.Section], settings: Settings) -> dict[str, str]:
    """By protocol, the site's own transport on the address ours would take."""
    host, port = pjsip.split_bind(settings.asterisk.sip_bind)
    names: dict[str, str] = {}
    for section in found:
        if section.get("type") != "transport" or section.template:
            continue
        protocol = section.get("protocol", "udp")
        their_host, their_port = _host_and_port(section.get("bind"), 5061 if protocol == "tls" else 5060)
        if their_port == port + (protocol == "tls") and (_covers(their_host, host) or _covers(host, their_host)):
            names.setdefault(protocol, section.name)
    return names


def _host_and_port(bind: str, default: int) -> tuple[str, int]:
    if bind.count(":") == 1 or (bind.startswith("[") and "]:" in bind):
        host, port = bind.rsplit(":", 1)
        return host.strip("[]"), int(port) if port.isdigit() else default
    return bind.strip("[]"), default


def _covers(bound: str, wanted: str) -> bool:
    """Whether a server bound to ``bound`` is reached at ``wanted``."""
    wanted = {"localhost": "127.0.0.1"}.get(wanted, wanted).strip("[]")
    if bound == wanted:
        return True
    try:
        return ipaddress.ip_address(bound).is_unspecified
    except ValueError:
        return False


def is_yes(value: str) -> bool:
    """What Asterisk takes for yes."""
    return value.lower() in ("yes", "true", "y", "t", "1", "on")
