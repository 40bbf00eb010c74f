"""The AMI wrapper against a manager that drops, stalls, tears and lies (faults D1 to D7)."""

from __future__ import annotations

import asyncio
import time

import pytest

from ari_app.ami import ANSWER_SECONDS, PING_SECONDS, Ami, AmiDown, AmiRefused, AmiUncertain
from contact_center.errors import UsageError
from tests.unit.ami.paper_ami import error, event, healthy, paper_ami, success
from tests.unit.waiting import until

pytestmark = pytest.mark.clock

RECORD = {"Queue": "sales", "Event": "ENTERQUEUE", "Uniqueid": "c1", "Interface": "NONE", "Message": "|1|2"}


async def test_an_action_in_flight_at_a_drop_is_uncertain_and_sent_once_only() -> None:
    async with (
        paper_ami(lambda a: None if a["Action"] == "QueueLog" else healthy(a)) as paper,
        paper.ami() as ami,
    ):
        async with asyncio.timeout(2):
            await ami.until_live()
        asking = asyncio.create_task(ami.send("QueueLog", within=5.0, **RECORD))
        await until(lambda: paper.count("QueueLog") == 1)
        paper.cut()
        with pytest.raises(AmiUncertain):
            await asking
        await until(lambda: len(paper.connections) == 2)
        async with asyncio.timeout(2):
            await ami.until_live()
        await ami.send("Ping")
        assert paper.count("QueueLog") == 1


async def test_a_half_open_connection_is_found_by_two_lost_pings_and_opened_anew() -> None:
    """D2 on a tenth of the real scale: 15 s there are 1.5 s here."""
    assert (PING_SECONDS, ANSWER_SECONDS) == (5.0, 3.0)
    async with paper_ami() as paper, paper.ami(ping_seconds=0.5, answer_seconds=0.3) as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        changes: list[bool] = []
        ami.on_live.append(changes.append)
        paper.deaf = True
        began = time.monotonic()
        await until(lambda: not ami.live)
        assert time.monotonic() - began < 1.5
        assert ami.status == "Asterisk left 2 AMI pings unanswered."
        paper.deaf = False
        await until(lambda: len(paper.connections) == 2)
        paper.cut()
        async with asyncio.timeout(2):
            await ami.until_live()
        assert changes == [False, True]


async def test_a_refused_login_is_said_and_not_repeated_in_haste() -> None:
    async with paper_ami() as paper, paper.ami("wrong", refused_seconds=0.4) as ami:
        await until(lambda: "refuses" in ami.status)
        assert ami.status == "Asterisk refuses the AMI user 'callwright': Authentication failed"
        with pytest.raises(AmiDown, match="Authentication failed"):
            await ami.send("Ping")
        first = time.monotonic()
        await until(lambda: paper.count("Login") == 2)
        assert time.monotonic() - first > 0.3


async def test_a_missing_class_is_a_refusal_and_no_hanging_wait() -> None:
    def poor(action: dict[str, str]) -> bytes | None:
        if action["Action"] in ("QueueLog", "DeviceStateList"):
            return error(action, "Permission denied")
        return healthy(action)

    async with paper_ami(poor) as paper, paper.ami() as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        with pytest.raises(AmiRefused, match="Permission denied"):
            await ami.send("QueueLog", **RECORD)
        with pytest.raises(AmiRefused, match="Permission denied"):
            await ami.send_list("DeviceStateList")


async def test_what_answers_there_but_is_no_manager_is_said() -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(http, "127.64.3.1", 0)
    async with server, Ami("127.64.3.1", server.sockets[0].getsockname()[1], "u", "s") as ami:
        await until(lambda: "not Asterisk's manager" in ami.status)


async def test_nobody_there_is_said_and_tried_again() -> None:
    async with paper_ami() as paper:
        port = paper.port
    async with Ami("127.64.3.1", port, "u", "s") as ami:
        await until(lambda: ami.status == f"there is no AMI at 127.64.3.1:{port} (connection refused)")
        with pytest.raises(AmiDown):
            await ami.send("Ping")


@pytest.mark.parametrize("byte", [*range(0x20), 0x7F])
@pytest.mark.parametrize("field", [*RECORD, "Na\nme"])
async def test_no_control_byte_is_sent_in_any_field_and_the_field_is_named(byte: int, field: str) -> None:
    ami = Ami("127.64.3.1", 1, "u", "s")
    with pytest.raises(UsageError, match=field.encode("unicode_escape").decode().replace("\\", "\\\\")):
        await ami.send("QueueLog", **(RECORD | {field: f"Bob{chr(byte)}Action: Originate"}))
    with pytest.raises(UsageError, match="Secret"):
        Ami("127.64.3.1", 1, "u", f"s{chr(byte)}")


@pytest.mark.parametrize(
    "action",
    [
        "Originate",
        "Redirect",
        "Hangup",
        "QueueAdd",
        "originate",
        "Atxfer",
        "Bridge",
        "Command",
        "Setvar",
        "AGI",
    ],
)
async def test_nothing_that_places_or_moves_a_call_is_ever_sent(action: str) -> None:
    async with paper_ami() as paper, paper.ami() as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        with pytest.raises(UsageError, match=action):
            await ami.send(action, Channel="PJSIP/x")
        assert paper.count(action) == 0


async def test_a_line_that_asterisk_would_discard_is_refused_with_its_field() -> None:
    with pytest.raises(UsageError, match="Message"):
        await Ami("127.64.3.1", 1, "u", "s").send("QueueLog", Message="é" * 500)


async def test_an_answer_that_comes_too_late_is_not_taken_for_another() -> None:
    late: list[dict[str, str]] = []

    def slow(action: dict[str, str]) -> bytes | None:
        if action["Action"] == "CoreStatus" and not late:
            late.append(action)
            return None
        return healthy(action)

    async with paper_ami(slow) as paper, paper.ami(ping_seconds=5.0) as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        events: list[object] = []
        ami.on_event(["Fake"], events.append)
        with pytest.raises(AmiUncertain):
            await ami.send("CoreStatus")
        await paper.tell(success(late[0], "CoreCurrentCalls: 999"))
        await paper.tell(event("Fake", f"ActionID: {late[0]['ActionID']}"))
        await paper.tell(success({"ActionID": "someone-else/1"}, "CoreCurrentCalls: 888"))
        assert "CoreCurrentCalls" not in await ami.send("CoreStatus")
        assert events == []


async def test_an_event_before_the_answer_is_not_the_answer() -> None:
    def early(action: dict[str, str]) -> bytes | None:
        if action["Action"] == "CoreStatus":
            return event("X", f"ActionID: {action['ActionID']}") + success(action, "CoreCurrentCalls: 3")
        return healthy(action)

    async with paper_ami(early) as paper, paper.ami() as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        assert (await ami.send("CoreStatus"))["CoreCurrentCalls"] == "3"


async def test_a_megabyte_without_an_end_closes_the_connection_and_memory_stays_bounded() -> None:
    async with paper_ami() as paper, paper.ami() as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        await paper.tell(b"Event: Huge\r\nData: " + b"x" * 3_000_000)
        await until(lambda: len(paper.connections) == 2)
        async with asyncio.timeout(2):
            await ami.until_live()


async def test_repeated_headers_do_not_break_the_reader() -> None:
    async with paper_ami() as paper, paper.ami() as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        seen: list[dict[str, object]] = []
        ami.on_event(["Twice"], seen.append)
        await paper.tell(event("Twice", "Event: Again", "Response: A", "Response: B", "Variable: 1", "Variable: 2"))
        await until(lambda: len(seen) == 1)
        assert seen[0]["Variable"] == ["1", "2"]
        assert len(paper.connections) == 1


async def test_a_listener_that_fails_does_not_stop_the_others() -> None:
    async with paper_ami() as paper, paper.ami() as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        seen: list[dict[str, object]] = []
        ami.on_event(["X"], lambda fields: {}["missing"])
        stop = ami.on_event(["X"], seen.append)
        await paper.tell(event("X", "N: 1"))
        await until(lambda: len(seen) == 1)
        stop()
        await paper.tell(event("X", "N: 2"))
        await ami.send("Ping")
        assert len(seen) == 1


async def test_contacts_are_told_on_change_only_and_one_phone_of_two_does_not_count() -> None:
    async with paper_ami() as paper, paper.ami() as ami:
        async with asyncio.timeout(2):
            await ami.until_live()
        told: list[tuple[str, bool]] = []
        ami.on_contact(lambda endpoint, reachable: told.append((endpoint, reachable)))
        await paper.tell(event("PeerStatus", "Peer: PJSIP/1001", "PeerStatus: Reachable"))
        await paper.tell(event("DeviceStateChange", "Device: PJSIP/1001", "State: INUSE"))
        await paper.tell(event("ContactStatus", "EndpointName: 1001", "URI: sip:a", "ContactStatus: Removed"))
        await paper.tell(event("DeviceStateChange", "Device: PJSIP/1001", "State: UNAVAILABLE"))
        await paper.tell(event("PeerStatus", "Peer: PJSIP/1001", "PeerStatus: Unreachable"))
        await paper.tell(event("DeviceStateChange", "Device: Queue:sales", "State: INUSE"))
        await ami.send("Ping")
        assert told == [("PJSIP/1001", True), ("PJSIP/1001", False)]
        assert ami.contacts() == {"PJSIP/1001": False}
