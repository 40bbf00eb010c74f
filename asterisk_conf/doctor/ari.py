"""Checks through ARI: is it there, is it the right Asterisk, has it all that calls need?"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from asterisk_conf import pjsip, secrets
from asterisk_conf.doctor.finding import Finding, bad, note, well
from asterisk_conf.modules import NEEDED
from contact_center.settings import Settings

REPLY_SECONDS = 3.0
"""How long Asterisk may take for one answer."""

OLDEST = (22, 0, 0)
SAFE = (22, 10, 1)
"""The first 22 with the security fixes of June 2026."""

FEWEST_OPEN_FILES = 4096
"""A call takes about eight file descriptors; this is 500 calls."""

SOUNDS = (
    "agent-loggedoff",
    "agent-loginok",
    "beep",
    "goodbye",
    "im-sorry",
    "please-try-again",
    "please-try-call-later",
    "sorry-youre-having-problems",
)
"""Core sounds that the dialplan and the scripts play."""

INSTALL = "run `callwright conf install` and restart Asterisk"


class AriAway(Exception):
    """No answer over HTTP; the text says why."""


@dataclass(frozen=True)
class Reply:
    """An HTTP status and the decoded body, None when there was none."""

    status: int
    body: Any


class AriProbe:
    """``async with AriProbe(settings) as ari``: plain requests, each with a deadline."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.asterisk.ari_url.rstrip("/")
        pair = f"{settings.asterisk.ari_user}:{settings.asterisk.ari_password}".encode()
        self._headers = {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=REPLY_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """One request below ari_url. Raises AriAway when nothing answers in time."""
        try:
            async with self._session.request(method, f"{self._url}/{path}", json=body) as response:
                text = await response.text()
        except TimeoutError:
            raise AriAway(f"no answer within {REPLY_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise AriAway(_reason(error)) from None
        try:
            return Reply(response.status, json.loads(text) if text else None)
        except ValueError:
            return Reply(response.status, None)

    async def over_websocket(self) -> Reply | None:
        """The answer to a request sent over an event socket; None when the socket never answers requests.

        The socket has an application name of its own: with the product's it would take its calls away.
        """
        url = f"{self._url}/events?app=callwright-doctor-{uuid.uuid4().hex[:8]}"
        request = {"type": "RESTRequest", "request_id": "doctor", "method": "GET", "uri": "asterisk/ping"}
        try:
            async with asyncio.timeout(REPLY_SECONDS), self._session.ws_connect(url) as socket:
                await socket.send_json(request)
                async for message in socket:
                    event = json.loads(message.data)
                    if event.get("type") == "RESTResponse":
                        return Reply(event["status_code"], event.get("message_body"))
        except TimeoutError:
            return None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise AriAway(_reason(error)) from None
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nothing listens there" if error.os_error.errno else str(error)
    return str(error) or type(error).__name__


async def check_all(settings: Settings) -> list[Finding]:
    """Each check through ARI; when ARI itself is not well, that alone."""
    async with AriProbe(settings) as ari:
        try:
            info = await ari.request("GET", "asterisk/info")
            door = _door(settings, info)
            if not door.ok:
                return [door]
            findings = [door, _version(info), _open_files(info)]
            findings.append(await rest_over_websocket(ari))
            findings.append(await _application(ari, settings))
            findings.append(await _modules(ari, settings))
            findings.append(await _sounds(ari))
            findings.append(await _recordings(ari))
            findings.append(await _phones(ari))
            findings += [await _trunk(ari, name) for name in settings.trunk]
        except AriAway as away:
            return [_unreachable(settings, str(away))]
    return findings


def _unreachable(settings: Settings, why: str) -> Finding:
    return bad(
        "ARI",
        f"{settings.asterisk.ari_url} cannot be reached: {why}",
        "start Asterisk; if it runs, enable its web server in http.conf (`callwright conf install` does)",
    )


def _door(settings: Settings, info: Reply) -> Finding:
    where = settings.asterisk.ari_url
    if info.status == 200 and isinstance(info.body, dict):
        return well("ARI", f"{where} answers as {settings.asterisk.ari_user}")
    if info.status in (401, 403):
        return bad(
            "ARI",
            f"{where} refuses the user {settings.asterisk.ari_user}",
            f"asterisk.ari_user and ari_password must be those of ari.conf; {INSTALL}",
        )
    if info.status == 404:
        return bad(
            "ARI",
            f"{where} has a web server without ARI",
            "load res_ari.so and set enabled = yes in ari.conf",
        )
    return bad("ARI", f"{where} answers {info.status}", "look into Asterisk's log; restart Asterisk")


def version_of(text: str) -> tuple[int, int, int] | None:
    """``22.10.1+dfsg+...``, ``certified/22.8-cert1`` or ``22.10.1-2`` as numbers; None for anything else."""
    match = re.match(r"(?:certified[/-])?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def _version(info: Reply) -> Finding:
    return judge_version(str(info.body.get("system", {}).get("version", "")))


def judge_version(text: str) -> Finding:
    """Too old to work, old enough to be dangerous, or well."""
    version = version_of(text)
    if version is None:
        return note("Asterisk version", f"{text or 'unknown'}: cannot be compared", "22.10.1 or newer is wanted")
    if version < OLDEST:
        return bad("Asterisk version", f"{text} is too old", "install Asterisk 22.10.1 or newer")
    if version < SAFE:
        return note("Asterisk version", f"{text} lacks security fixes", "install Asterisk 22.10.1 or newer")
    return well("Asterisk version", text)


def _open_files(info: Reply) -> Finding:
    limit = info.body.get("config", {}).get("max_open_files")
    fix = "set maxfiles = 65536 under [options] of asterisk.conf and restart Asterisk"
    if not isinstance(limit, int):
        return note("open files", "Asterisk's limit is the system's", fix)
    if limit < FEWEST_OPEN_FILES:
        return bad("open files", f"Asterisk may open {limit} files, enough for {limit // 8} calls", fix)
    return well("open files", f"Asterisk may open {limit}")


async def rest_over_websocket(ari: AriProbe) -> Finding:
    """Whether commands can go over the event socket, as they do from 22.5 on."""
    reply = await ari.over_websocket()
    if reply is None or reply.status != 200:
        what = "gives no answer" if reply is None else f"answers {reply.status}"
        return bad("REST over WebSocket", f"the event socket {what}", "install Asterisk 22.10.1 or newer")
    return well("REST over WebSocket", "the event socket answers requests")


async def _application(ari: AriProbe, settings: Settings) -> Finding:
    reply = await ari.request("GET", f"applications/{settings.asterisk.app}")
    if reply.status == 200:
        return well("application", f"{settings.asterisk.app} is registered")
    return note(
        "application",
        f"{settings.asterisk.app} is not registered: callers hear the fallback",
        "start `callwright serve`",
    )


async def _modules(ari: AriProbe, settings: Settings) -> Finding:
    reply = await ari.request("GET", "asterisk/modules")
    running = {module["name"] for module in reply.body or () if module.get("status") == "Running"}
    running = {name if name.endswith(".so") else f"{name}.so" for name in running}
    missing = [
        f"{', '.join(absent)} ({what})"
        for what, modules in NEEDED.items()
        if (absent := [module for module in modules if module not in running])
    ]
    if not any(trunk.register_ for trunk in settings.trunk.values()):
        missing = [text for text in missing if "trunks that register" not in text]
    if missing:
        return bad("modules", f"not running: {'; '.join(missing)}", "load them in modules.conf and restart Asterisk")
    return well("modules", f"{len(running)} are running, all that are needed among them")


async def _sounds(ari: AriProbe) -> Finding:
    replies = await asyncio.gather(*(ari.request("GET", f"sounds/{name}") for name in SOUNDS))
    missing = [
        name
        for name, reply in zip(SOUNDS, replies, strict=True)
        if reply.status != 200 or not reply.body.get("formats")
    ]
    if missing:
        return bad(
            "sounds",
            f"Asterisk does not find {', '.join(missing)}",
            "install its core sounds (Debian: asterisk-core-sounds-en) and load the format of those files",
        )
    return well("sounds", f"{len(SOUNDS)} of {len(SOUNDS)} core sounds are there")


async def _recordings(ari: AriProbe) -> Finding:
    reply = await ari.request("GET", "recordings/stored")
    if reply.status != 200:
        return bad(
            "recordings",
            "Asterisk cannot read its directory of recordings",
            "make /var/spool/asterisk/recording (below astspooldir) and give it to Asterisk's user",
        )
    return well("recordings", f"the directory is there and holds {len(reply.body or ())}")


async def _phones(ari: AriProbe) -> Finding:
    """Whether an account can be added while Asterisk runs: one is, and taken away again."""
    name = f"callwright-doctor-{uuid.uuid4().hex[:8]}"
    values = {"auth_type": "userpass", "username": name, "password": secrets.fresh()}
    fields = [{"attribute": key, "value": value} for key, value in values.items()]
    path = f"asterisk/config/dynamic/res_pjsip/auth/{name}"
    put = await ari.request("PUT", path, {"fields": fields})
    if "write access denied" in str(put.body).lower():
        return bad("phones", "the ARI user may only read", "set read_only = no for it in ari.conf")
    if put.status != 200:
        return bad("phones", f"accounts cannot be added: ARI answers {put.status}", f"mend sorcery.conf: {INSTALL}")
    removed = await ari.request("DELETE", path)
    if removed.status != 204:
        return bad(
            "phones",
            f"accounts cannot be removed: ARI answers {removed.status}",
            f"mend sorcery.conf: {INSTALL}",
        )
    return well("phones", "accounts can be added and removed while Asterisk runs")


async def _trunk(ari: AriProbe, name: str) -> Finding:
    endpoint = pjsip.trunk_endpoint(name)
    reply = await ari.request("GET", f"endpoints/PJSIP/{endpoint}")
    if reply.status != 200:
        return bad(f"trunk {name}", f"Asterisk has no endpoint {endpoint}", INSTALL)
    return well(f"trunk {name}", f"endpoint {endpoint} is there")
