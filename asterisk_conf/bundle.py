"""Rendering: from Settings to the files of a complete /etc/asterisk, or to the parts added to one.

The top files (http.conf, pjsip.conf, ...) hold a line ``#tryinclude callwright/X.conf``; what the product
needs stands in ``callwright/X.conf``. Arguments that the dialplan hands to the Stasis application:

    inbound,<number dialled>,<trunk's endpoint>     callwright-inbound; not answered, TIMEOUT(absolute) runs
    persistent,<agent's endpoint>                   callwright-agent *48; answered
    preview_accept,<agent's endpoint>               callwright-agent *49; not answered
    manual,<agent's endpoint>,<digits dialled>      callwright-agent; not answered
    amd,<AMDSTATUS>,<AMDCAUSE>                      callwright-amd

The application may ``continue`` a channel to exten s of callwright-goodbye, -fallback and -amd.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import urlsplit

from asterisk_conf import pjsip
from asterisk_conf.layout import Layout
from asterisk_conf.secrets import demand_strong
from asterisk_conf.site import BUNDLE, PARTS_FOLDER, PARTS_OF, Site
from contact_center.errors import UsageError
from contact_center.settings import FILE_NAME, Settings

MARKER = "Made by `callwright conf`: changes are overwritten."
SERVICE = "callwright.service"
FILE_MODE = 0o640
DIRECTORY_MODE = 0o750


def render(settings: Settings, to: Path, *, layout: Layout | None = None) -> list[Path]:
    """Write a complete configuration directory and return the files written.

    ``layout`` says where that Asterisk sees its directories; by default its configuration is ``to`` and all
    else stays as it was built. Raises UsageError for settings no safe configuration can be made of, and for a
    ``to`` that is a file.
    """
    if to.exists() and not to.is_dir():
        raise UsageError(f"{to}: this is a file; name a folder to write to.")
    texts = files(settings, layout or Layout(etc=str(to.resolve())))
    for name, text in texts.items():
        write_private(to / name, text)
    return [to / name for name in texts]


def files(settings: Settings, layout: Layout) -> dict[str, str]:
    """Each file of a complete directory, by its name below the directory."""
    values = _values(settings) | {"directories": layout.lines()}
    top = {name: fill(text, values) for name, text in _templates("").items()}
    return top | parts(settings, BUNDLE)


def write_service(to: Path, settings_file: Path | None) -> Path:
    """Write the systemd unit of ``callwright serve`` into a directory and return its path."""
    program = shutil.which("callwright") or str(Path(sys.executable).with_name("callwright"))
    file = settings_file.resolve() if settings_file else Path("/etc/callwright") / FILE_NAME
    template = (resources.files("asterisk_conf") / "templates" / "unit" / SERVICE).read_text(encoding="utf-8")
    write_private(to / SERVICE, fill(template, {"marker": MARKER, "command": program, "config": file}))
    return to / SERVICE


def top_file(settings: Settings, name: str) -> str:
    """The bundle's own ``name`` for a directory that has no such file, without its includes."""
    lines = fill(_templates("")[name], _values(settings)).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#tryinclude"))


def parts(settings: Settings, site: Site) -> dict[str, str]:
    """The product's own files alone, made for their surroundings: ``callwright/X.conf`` by name."""
    values = _values(settings)
    templates = _templates(PARTS_FOLDER)
    texts = {}
    for file in PARTS_OF:
        openings = {section: site.opening(file, section) for section in ("general", "logfiles", "modules", "res_pjsip")}
        for part in site.parts_of(file):
            template = templates.get(f"{PARTS_FOLDER}{part}.conf", "; {{marker}}\n\n{{body}}")
            body = _BODIES.get(part, _nothing)(settings, site)
            texts[f"{PARTS_FOLDER}{part}.conf"] = fill(template, values | openings | {"body": body})
    return texts


def _nothing(settings: Settings, site: Site) -> str:
    return ""


_BODIES: Mapping[str, Callable[[Settings, Site], str]] = {
    "pjsip-transports": lambda settings, site: pjsip.transports(settings, site.transports),
    "pjsip": lambda settings, site: pjsip.trunks(settings, site.transports),
}


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner and group can read, owned like the directory it lies in."""
    _directory(file.parent)
    descriptor = os.open(file.with_name(file.name + ".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, FILE_MODE)
        stream.write(text)
    _own_like_parent(file.with_name(file.name + ".new"))
    file.with_name(file.name + ".new").replace(file)


def _directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(parents=True, mode=DIRECTORY_MODE)
        _own_like_parent(path)


def _own_like_parent(path: Path) -> None:
    if os.geteuid() == 0:
        parent = path.parent.stat()
        shutil.chown(path, parent.st_uid, parent.st_gid)


def _templates(folder: str) -> dict[str, str]:
    where: Traversable = resources.files("asterisk_conf") / "templates" / folder
    found = (entry for entry in where.iterdir() if entry.is_file())
    return {folder + entry.name: entry.read_text(encoding="utf-8") for entry in found}


def fill(template: str, values: Mapping[str, object]) -> str:
    """Put values in place of ``{{name}}``; a line that only holds an empty value disappears.

    Raises KeyError for a name without a value.
    """

    def value(match: re.Match[str]) -> str:
        line, inner = match.groups()
        text = str(values[line or inner])
        return f"{text}\n" if line and text else text

    return re.sub(r"(?m)^\{\{(\w+)\}\}\n|\{\{(\w+)\}\}", value, template)


def _values(settings: Settings) -> dict[str, object]:
    asterisk = settings.asterisk
    demand_strong("asterisk.ari_password", asterisk.ari_password, user=asterisk.ari_user)
    demand_strong("asterisk.ami_secret", asterisk.ami_secret, user=asterisk.ami_user)
    if asterisk.rtp_end - asterisk.rtp_start < 1:
        raise UsageError("asterisk.rtp_end is not allowed below rtp_start; give it a higher port.")
    http_host, http_port, http_prefix = _http(asterisk.ari_url)
    return {
        "marker": MARKER,
        "language": settings.site.language,
        "tone_zone": known_zone(settings.site.country),
        "entity_id": _entity_id(settings),
        "http_host": http_host,
        "http_port": http_port,
        "http_prefix": f"prefix = {http_prefix}" if http_prefix else "",
        "ari_user": asterisk.ari_user,
        "ari_password": asterisk.ari_password,
        "ami_host": loopback("asterisk.ami_host", asterisk.ami_host),
        "ami_port": asterisk.ami_port,
        "ami_user": asterisk.ami_user,
        "ami_secret": asterisk.ami_secret,
        "rtp_start": asterisk.rtp_start,
        "rtp_end": asterisk.rtp_end,
        "app": asterisk.app,
        "dead_man_seconds": asterisk.dead_man_seconds,
        "fastagi": agi_address(settings),
        "fallback": _fallback(settings),
    }


def loopback(key: str, host: str) -> str:
    """The numeric address of a host of this machine's own loopback.

    Raises UsageError for any other: these doors open everything and are not encrypted.
    """
    address = {"localhost": "127.0.0.1"}.get(host, host.strip("[]"))
    try:
        if ipaddress.ip_address(address).is_loopback:
            return address
    except ValueError:
        pass
    raise UsageError(
        f"{key}: the bundled configuration listens on loopback addresses only, not on {host}; use 127.0.0.1."
    )


def _http(url: str) -> tuple[str, int, str]:
    """Host, port and path prefix out of ari_url."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"asterisk.ari_url: the bundled configuration speaks plain http, not {url}.")
    path = parts.path.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9_-]+)?/ari", path):
        raise UsageError(f"asterisk.ari_url: {url} must end in /ari, as in http://127.0.0.1:8088/ari.")
    host = loopback("asterisk.ari_url", parts.hostname)
    return host, parts.port or 80, path.removesuffix("/ari").strip("/")


def agi_address(settings: Settings) -> str:
    """Where the dialplan reaches the FastAGI server, as host:port."""
    host, port = pjsip.split_bind(settings.fastagi.bind)
    return f"{pjsip.reachable(host)}:{port}"


def _entity_id(settings: Settings) -> str:
    """An entity id of its own for an Asterisk on loopback, where several share a machine."""
    address = pjsip.own_address(settings)
    if address is None or not ipaddress.ip_address(address).is_loopback:
        return ""
    digest = hashlib.sha256(f"{settings.asterisk.sip_bind} {settings.asterisk.ari_url}".encode()).digest()
    return "entityid = " + ":".join(f"{byte:02x}" for byte in (2, *digest[:5]))


def known_zone(country: str) -> str:
    """The country's tone zone when the bundled indications.conf has it, else the American one."""
    zone = pjsip.tone_zone(country)
    return zone if f"\n[{zone}]\n" in _templates("")["indications.conf"] else "us"


def _fallback(settings: Settings) -> str:
    number = settings.asterisk.fallback_number
    if not number:
        return ""
    if not settings.trunk:
        raise UsageError("asterisk.fallback_number needs a trunk to call it by; add a [trunk.NAME] or empty it.")
    target = pjsip.dial_target(settings, next(iter(settings.trunk)), number)
    escaped = target.replace(";", r"\;")
    return f" same => n,Dial({escaped},60,r)"
