"""The AGI conversation: replies, hang-ups and values that must not leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from agi_scripts.session import (
    AgiHungUp,
    AgiSession,
    AgiTimeout,
    BadValue,
    CommandRefused,
    encode_command,
    parse_header,
    read_header,
)
from agi_scripts.voice import Voice
from tests.unit.agi.paper_asterisk import header


@asynccontextmanager
async def session_with(*replies: bytes) -> AsyncIterator[AgiSession]:
    """A session whose peer sends the next of ``replies`` after each command, and closes after the last."""
    done, closed = asyncio.Event(), asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(header("x"))
        for reply in replies:
            await reader.readline()
            writer.write(reply)
        with suppress(OSError):
            if replies[-1] != b"":
                writer.write_eof()
        await done.wait()
        writer.transport.abort()
        closed.set()

    server = await asyncio.start_server(peer, "127.64.0.2", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=65536)
        try:
            yield AgiSession(await read_header(reader), reader, writer, Voice(lambda: 0.0))
        finally:
            done.set()
            writer.transport.abort()
            await closed.wait()


async def test_a_variable_is_read_with_brackets_and_accents_in_it() -> None:
    async with session_with("200 result=1 (Zoë (shop) 1)\n".encode(), b"200 result=0\n") as session:
        assert await session.get_variable("NAME") == "Zoë (shop) 1"
        assert await session.get_variable("NONE") is None


async def test_a_hangup_line_is_not_taken_for_the_reply_of_the_next_command() -> None:
    async with session_with(b"HANGUP\n200 result=1 (right)\n", b"200 result=1 (never asked)\n") as session:
        assert await session.get_variable("A") == "right"
        assert session.hung_up
        with pytest.raises(AgiHungUp):
            await session.get_variable("B")


async def test_511_and_end_of_file_mean_that_the_channel_has_gone() -> None:
    async with session_with(b"511 Command Not Permitted on a dead channel or intercept routine\n") as session:
        with pytest.raises(AgiHungUp):
            await session.answer()
    async with session_with(b"200 result=0\n") as session:
        await session.answer()
        with pytest.raises(AgiHungUp):
            await session.answer()


async def test_a_silent_asterisk_is_given_up_after_the_commands_deadline() -> None:
    async with session_with(b"") as session:
        with pytest.raises(AgiTimeout):
            await session.command("ANSWER", within=0.05)
        with pytest.raises(AgiHungUp):
            await session.command("ANSWER", within=0.05)


async def test_a_usage_reply_of_many_lines_is_one_refusal_and_the_next_reply_is_in_step() -> None:
    usage = b"520-Invalid command syntax.  Proper usage follows:\nUsage: X\n520 End of proper usage.\n"
    async with session_with(usage, b"510 Invalid or unknown command\n", b"200 result=7\n") as session:
        with pytest.raises(CommandRefused, match="520"):
            await session.command("SAY", "x")
        with pytest.raises(CommandRefused, match="510"):
            await session.command("NONSENSE")
        assert (await session.command("X")).result == 7


@pytest.mark.parametrize("flood", [b"HANGUP\n", b"100 result=0 Trying...\n", b"520-go on\n"])
async def test_a_reply_that_never_ends_ends_the_session(flood: bytes) -> None:
    async with session_with(flood * 5000) as session:
        with pytest.raises(AgiHungUp):
            await session.answer()


@pytest.mark.parametrize("byte", [*range(0x20), 0x7F])
def test_no_control_byte_leaves_in_a_value(byte: int) -> None:
    with pytest.raises(BadValue, match="Word 3"):
        encode_command("SET VARIABLE", "NAME", f"Bob{chr(byte)}HANGUP")


def test_quotes_and_backslashes_stay_within_the_value() -> None:
    assert encode_command("SET VARIABLE", "A", 'say "hi" \\ bye') == b'SET VARIABLE A "say \\"hi\\" \\\\ bye"\n'
    assert encode_command("STREAM FILE", "x", "") == b'STREAM FILE x ""\n'


def test_the_script_is_split_into_path_and_query() -> None:
    parsed = parse_header(b"agi_network_script: agent_online?x=1&y=a%20b\nagi_arg_1: 1001\nagi_arg_3: lost\n\n")
    assert (parsed.script, dict(parsed.query), parsed.args) == (
        "agent_online",
        {"x": "1", "y": "a b"},
        ("1001",),
    )


def test_invalid_utf_8_in_a_callers_name_is_replaced() -> None:
    parsed = parse_header(b"agi_calleridname: Zo\xeb\nagi_network_script: x\n\n")
    assert parsed.fields["calleridname"] == "Zo\ufffd"


async def test_a_missing_sound_does_not_end_the_script_but_a_hang_up_does() -> None:
    replies = b"200 result=-1 endpos=0\n", b"200 result=0 endpos=8000\n", b"200 result=-1 endpos=960\n"
    async with session_with(*replies) as session:
        assert not await session.stream_file("callwright/none")
        assert await session.stream_file("agent-loginok")
        with pytest.raises(AgiHungUp):
            await session.stream_file("agent-loginok")
