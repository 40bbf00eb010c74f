"""Checks through AMI: does the login work, are its rights enough and no more, is the dialplan there?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asterisk_conf import bundle, pjsip
from asterisk_conf.doctor.ari import INSTALL
from asterisk_conf.doctor.finding import Finding, bad, note, well
from contact_center.settings import Settings

REPLY_SECONDS = 5.0
"""How long AMI may take for a reply; it keeps a refused login waiting for a second or two."""

NEEDED_ACTIONS = {
    "QueueLog": "agent",
    "CoreStatus": "reporting",
    "ShowDialPlan": "reporting",
    "PJSIPShowRegistrationsOutbound": "reporting",
}
"""Actions the product sends, with the class of ``write`` each needs."""

DANGEROUS_ACTIONS = {
    "Originate": "originate",
    "Command": "command",
    "UpdateConfig": "config",
    "GetConfig": "config",
    "ModuleLoad": "system",
    "Redirect": "call",
    "Setvar": "call",
    "AGI": "agi",
}
"""Actions that let whoever holds the password run calls or commands, with their class."""

CONTEXTS = (
    "callwright-inbound",
    "callwright-agent",
    "callwright-goodbye",
    "callwright-fallback",
    "callwright-amd",
)

MOST_SKEW_SECONDS = 2.0

Message = dict[str, str]


class AmiRefused(Exception):
    """The login was refused; the text is Asterisk's."""


class AmiProbe:
    """One logged-in connection, used for one action after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.events: list[str] = []

    async def action(self, name: str, **fields: str) -> list[Message]:
        """The reply, followed by the events of a list action. Events in between are noted by name."""
        lines = [f"Action: {name}", *(f"{key}: {value}" for key, value in fields.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(REPLY_SECONDS):
            reply = await self._message()
            while "Event" in reply:
                self.events.append(reply["Event"])
                reply = await self._message()
            found = [reply]
            while reply.get("EventList") == "start" and found[-1].get("EventList") != "Complete":
                found.append(await self._message())
        return found

    async def _message(self) -> Message:
        message: Message = {}
        while True:
            line = (await self._reader.readline()).decode("utf-8", "replace")
            if not line:
                raise ConnectionError("the connection was closed")
            if not line.strip():
                if message:
                    return message
                continue
            key, _, value = line.rstrip("\r\n").partition(": ")
            message[key] = value


@asynccontextmanager
async def logged_in(settings: Settings) -> AsyncIterator[AmiProbe]:
    """An AMI connection. Raises AmiRefused, OSError or TimeoutError."""
    asterisk = settings.asterisk
    async with asyncio.timeout(REPLY_SECONDS):
        reader, writer = await asyncio.open_connection(asterisk.ami_host, asterisk.ami_port)
    try:
        async with asyncio.timeout(REPLY_SECONDS):
            await reader.readline()
        ami = AmiProbe(reader, writer)
        reply = (await ami.action("Login", Username=asterisk.ami_user, Secret=asterisk.ami_secret))[0]
        if reply.get("Response") != "Success":
            raise AmiRefused(reply.get("Message", "no reason given"))
        yield ami
    finally:
        writer.close()


async def check_all(settings: Settings) -> list[Finding]:
    """Each check through AMI; when the login does not work, that alone."""
    where = f"{settings.asterisk.ami_host}:{settings.asterisk.ami_port}"
    try:
        async with logged_in(settings) as ami:
            findings = [well("AMI", f"{where} takes the login of {settings.asterisk.ami_user}")]
            findings.append(await _clock(ami))
            findings.append(await _rights(ami))
            findings.append(await _contexts(ami, settings))
            findings += await _registrations(ami, settings)
            return findings
    except AmiRefused as refused:
        return [
            bad(
                "AMI",
                f"{where} refuses the user {settings.asterisk.ami_user}: {refused}",
                f"asterisk.ami_user and ami_secret must be those of manager.conf; {INSTALL}",
            )
        ]
    except (OSError, TimeoutError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else "nothing listens there"
        return [
            bad(
                "AMI",
                f"{where} cannot be reached: {why}",
                "start Asterisk; if it runs, enable AMI in manager.conf (`callwright conf install` does)",
            )
        ]


async def _clock(ami: AmiProbe) -> Finding:
    pong = (await ami.action("Ping"))[0]
    return judge_clock(float(pong.get("Timestamp", "0")), time.time())


def judge_clock(theirs: float, ours: float) -> Finding:
    """Seconds since 1970 on both sides: law and records hang on the clock being right."""
    skew = abs(theirs - ours)
    if skew > MOST_SKEW_SECONDS:
        return bad(
            "clock",
            f"Asterisk's clock is {skew:.0f} s off ours",
            "run a time service (chrony) on both machines",
        )
    return well("clock", "Asterisk's agrees with ours")


async def _rights(ami: AmiProbe) -> Finding:
    commands = (await ami.action("ListCommands"))[0]
    missing = {right for action, right in NEEDED_ACTIONS.items() if action not in commands}
    if "FullyBooted" not in ami.events:
        missing.add("system (read)")
    excess = [action for action in DANGEROUS_ACTIONS if action in commands]
    fix = "set read = system and write = agent,reporting for it in manager.conf and reload"
    if missing:
        return bad("AMI rights", f"the user lacks {', '.join(sorted(missing))}", fix)
    if excess:
        return bad("AMI rights", f"the user may do more than is needed: {', '.join(excess)}", fix)
    return well("AMI rights", "what is needed and no more")


async def _contexts(ami: AmiProbe, settings: Settings) -> Finding:
    missing = []
    steps: dict[str, list[str]] = {}
    for context in CONTEXTS:
        messages = await ami.action("ShowDialPlan", Context=context)
        if messages[0].get("Response") != "Success":
            missing.append(context)
        steps[context] = [message.get("AppData", "") for message in messages[1:]]
    if missing:
        return bad("dialplan", f"not there: {', '.join(missing)}", f"{INSTALL} (or `dialplan reload`)")
    wanted = f"{settings.asterisk.app},inbound,"
    if not any(step.startswith(wanted) for step in steps["callwright-inbound"]):
        return bad("dialplan", f"calls do not go to the application {settings.asterisk.app}", INSTALL)
    code = (await ami.action("ShowDialPlan", Context="callwright-code"))[1:]
    agi = bundle.agi_address(settings)
    if not any(f"agi://{agi}/" in message.get("AppData", "") for message in code):
        return bad("dialplan", f"the agents' codes do not go to {agi}", INSTALL)
    return well("dialplan", f"{len(CONTEXTS)} contexts are there and lead to {settings.asterisk.app}")


async def _registrations(ami: AmiProbe, settings: Settings) -> list[Finding]:
    wanted = [name for name, trunk in settings.trunk.items() if trunk.register_]
    if not wanted:
        return []
    messages = await ami.action("PJSIPShowRegistrationsOutbound")
    details = [message for message in messages if message.get("Event") == "OutboundRegistrationDetail"]
    states = {message["ObjectName"]: message["Status"] for message in details}
    return [_registration(name, states.get(pjsip.trunk_endpoint(name))) for name in wanted]


def _registration(name: str, state: str | None) -> Finding:
    title = f"registration {name}"
    if state is None:
        return bad(title, "Asterisk does not try to register", INSTALL)
    if state == "Registered":
        return well(title, "the carrier has accepted it")
    if state == "Rejected":
        return bad(
            title,
            "the carrier rejects it",
            f"compare username and password of [trunk.{name}] with the carrier's",
        )
    return note(title, f"{state.lower()}: the carrier has not answered", f"is {name}'s host right, and reachable?")
