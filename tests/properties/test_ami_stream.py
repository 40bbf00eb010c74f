"""D6: in whatever pieces, messages come through whole; whatever the bytes, nothing breaks or grows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from panoramisk.message import Message

from ari_app.ami_link import MESSAGE_BYTES, Link, _Protocol, as_fields

VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=20)
EVENTS = st.lists(
    st.dictionaries(st.from_regex(r"Key[0-9]{1,3}", fullmatch=True), VALUES, max_size=5),
    min_size=1,
    max_size=5,
)


class Wire(asyncio.Transport):
    """A transport that takes everything and knows whether it was aborted."""

    aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


def feed(chunks: Iterable[bytes]) -> tuple[list[Message], _Protocol, Wire]:
    async def run() -> tuple[list[Message], _Protocol, Wire]:
        events: list[Message] = []
        link = Link("127.0.0.1", 0, events.append)
        protocol, wire = _Protocol(link), Wire()
        protocol.connection_made(wire)
        for chunk in chunks:
            if not wire.aborted:
                protocol.data_received(chunk)
        return events, protocol, wire

    return asyncio.run(run())


@given(EVENTS, st.integers(1, 7))
def test_events_in_pieces_of_one_to_seven_bytes_are_the_events_that_were_sent(
    events: list[dict[str, str]], size: int
) -> None:
    raw = b"Asterisk Call Manager/11.0.0\r\n"
    for event in events:
        lines = ["Event: Test", *(f"{name}: {value}" for name, value in event.items()), "", ""]
        raw += "\r\n".join(lines).encode()
    seen, _, _ = feed(raw[i : i + size] for i in range(0, len(raw), size))
    assert [as_fields(event) for event in seen] == [{"Event": "Test", **event} for event in events]


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_no_bytes_whatever_break_the_reader(chunks: list[bytes]) -> None:
    _, protocol, _ = feed([b"Asterisk Call Manager/11.0.0\r\n", *chunks, b"\r\n\r\n"])
    assert len(protocol.buffer) <= MESSAGE_BYTES


@given(
    st.lists(
        st.sampled_from(
            [
                b"Event: ",
                b"Response: Success",
                b"ActionID: action/1",
                b"EventList: Complete",
                b"\r\n",
                b"\r\n\r\n",
                b": ",
                b"\n",
                b"Message: \xff",
            ]
        ),
        max_size=40,
    )
)
def test_no_order_of_true_pieces_breaks_the_reader(pieces: list[bytes]) -> None:
    feed([b"Asterisk Call Manager/11.0.0\r\n", *pieces, b"\r\n\r\n"])


def test_bytes_without_an_end_are_dropped_at_the_limit() -> None:
    _, protocol, wire = feed([b"Asterisk Call Manager/11.0.0\r\nEvent: "] + [b"x" * 65536] * 40)
    assert wire.aborted
    assert len(protocol.buffer) <= MESSAGE_BYTES + 65536
