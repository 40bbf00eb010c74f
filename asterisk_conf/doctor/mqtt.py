"""Checks of the MQTT broker that is told of events, where one is set."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import aiomqtt

from asterisk_conf.doctor.finding import Finding, bad, well
from contact_center.ids import new_id
from contact_center.settings import Settings
from contact_center.telling.broker import Broker

ANSWER_SECONDS = 3.0
"""How long the broker may take to take a connection, and then for each of its answers."""
REFUSED = 128
"""Answers to a subscription from here on mean that it is not granted."""


async def check_all(settings: Settings) -> list[Finding]:
    """Whether the broker can be reached, and then whether it takes our login; nothing without a broker."""
    if not settings.mqtt.url:
        return []
    broker = Broker.of(settings.mqtt.url)
    reached = await _reached(broker)
    return [reached, await _login(broker, f"{settings.mqtt.prefix}/resync")] if reached.ok else [reached]


async def _reached(broker: Broker) -> Finding:
    fix = "start the broker, or mend mqtt.url in the settings"
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            context = ssl.create_default_context() if broker.is_tls else None
            _, writer = await asyncio.open_connection(broker.host, broker.port, ssl=context)
    except TimeoutError:
        return bad("MQTT broker", f"{broker.place} does not answer within {ANSWER_SECONDS:g} s", fix)
    except ssl.SSLCertVerificationError as error:
        why = f"the certificate of {broker.place} is not trusted: {error.verify_message}"
        return bad("MQTT broker", why, "name the host as its certificate does, or install the authority's certificate")
    except socket.gaierror:
        return bad("MQTT broker", f"there is no host {broker.host}", fix)
    except OSError as error:
        if broker.is_tls and isinstance(error, (ssl.SSLError, ConnectionResetError)):
            fix = "write mqtt:// in mqtt.url, or the port at which the broker speaks TLS"
            return bad("MQTT broker", f"{broker.place} does not agree on TLS", fix)
        nobody = error.errno in (None, errno.ECONNREFUSED)
        cut = f"{broker.place} cannot be reached: {(error.strerror or str(error)).lower()}"
        return bad("MQTT broker", f"nothing listens at {broker.place}" if nobody else cut, fix)
    writer.close()
    return well("MQTT broker", f"{broker.place} can be reached")


async def _login(broker: Broker, topic: str) -> Finding:
    """The topic is the one that ``serve`` listens to."""
    who = f"the user {broker.username}" if broker.username else "connections without a user"
    try:
        async with broker.client(new_id("callwright-doctor"), ANSWER_SECONDS) as client:
            granted = await client.subscribe(topic, qos=1)
    except aiomqtt.MqttError as error:
        fix = (
            "compare user and password in mqtt.url with the broker's"
            if broker.refuses_login(error)
            else "is it an MQTT broker? mend mqtt.url in the settings"
        )
        return bad("MQTT login", broker.trouble(error), fix)
    if any(_code(answer) >= REFUSED for answer in granted):
        why = f"{broker.place} takes {who}, and does not let it subscribe to {topic}"
        return bad("MQTT login", why, "give it the right to read and write below mqtt.prefix")
    return well("MQTT login", f"{broker.place} takes {who}")


def _code(answer: object) -> int:
    value = getattr(answer, "value", answer)
    return value if isinstance(value, int) else 0
