"""What the doctor says of the broker that is told of events: one clear sentence each."""

from __future__ import annotations

import asyncio
import socket

from asterisk_conf.doctor import Finding, mqtt
from contact_center.settings import Mqtt, Settings
from tests.support.mqtt_broker import Broker


async def said(url: str, prefix: str = "callwright") -> dict[str, Finding]:
    findings = await mqtt.check_all(Settings(mqtt=Mqtt(url=url, prefix=prefix)))
    assert all(bool(finding.fix) is (finding.ok is False) for finding in findings)
    assert not any("s3cret" in f"{finding.detail}{finding.fix}" for finding in findings)
    return {finding.name: finding for finding in findings}


def a_free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_without_a_broker_nothing_is_checked() -> None:
    assert await said("") == {}


async def test_a_broker_that_takes_us_is_well() -> None:
    async with Broker() as broker:
        findings = await said(broker.url)
        assert [finding.ok for finding in findings.values()] == [True, True]
        place = f"127.0.0.1:{broker.port}"
        assert findings["MQTT broker"].detail == f"{place} can be reached"
        assert findings["MQTT login"].detail == f"{place} takes connections without a user"
        assert not broker.published, "no last will, and nothing else that others would take for a running serve"


async def test_a_user_is_taken_with_his_password_only() -> None:
    async with Broker() as broker:
        broker.users = {"callwright": "s3cret"}
        place = f"127.0.0.1:{broker.port}"
        findings = await said(broker.url_of("callwright:s3cret"), "site/a")
        assert findings["MQTT login"].detail == f"{place} takes the user callwright"
        wrong = (await said(broker.url_of("callwright:other")))["MQTT login"]
        assert (wrong.ok, wrong.detail) == (False, f"{place} refuses the user callwright")
        assert wrong.fix == "compare user and password in mqtt.url with the broker's"
        nobody = (await said(broker.url))["MQTT login"]
        assert (nobody.ok, nobody.detail) == (False, f"{place} refuses a connection without a user")


async def test_a_user_without_rights_is_named() -> None:
    async with Broker() as broker:
        broker.grants = False
        login = (await said(broker.url, "site/a"))["MQTT login"]
        assert login.ok is False
        assert login.detail.endswith("does not let it subscribe to site/a/resync")


async def test_where_nobody_listens_that_is_all_that_is_said() -> None:
    port = a_free_port()
    findings = await said(f"mqtt://127.0.0.1:{port}")
    assert list(findings) == ["MQTT broker"]
    assert findings["MQTT broker"].detail == f"nothing listens at 127.0.0.1:{port}"
    assert (await said("mqtt://no-such-host.invalid"))["MQTT broker"].detail == "there is no host no-such-host.invalid"


async def test_what_listens_and_is_no_broker_is_told_in_seconds() -> None:
    async with Broker() as broker:
        broker.answers = False
        began = asyncio.get_running_loop().time()
        login = (await said(broker.url))["MQTT login"]
        assert (login.ok, login.detail) == (False, f"127.0.0.1:{broker.port} does not answer")
        assert asyncio.get_running_loop().time() - began < mqtt.ANSWER_SECONDS + 2.0


async def test_tls_to_a_port_that_has_none_is_told() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x20\x02\x00\x01")  # as a broker answers what it does not understand
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        finding = (await said(f"mqtts://127.0.0.1:{port}"))["MQTT broker"]
    assert finding.ok is False
    assert finding.detail == f"127.0.0.1:{port} does not agree on TLS"
