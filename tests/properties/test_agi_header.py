"""The AGI header parser takes anything, and what was said comes through whole."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from agi_scripts.session import BadHeader, BadValue, Header, encode_command, parse_header, read_header

VALUES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r"), max_size=40)
NAMES = st.from_regex(r"[a-z_]{1,20}", fullmatch=True).filter(lambda n: not n.startswith(("arg_", "network_script")))


def read(chunks: list[bytes]) -> Header:
    async def run() -> Header:
        reader = asyncio.StreamReader(limit=65536)
        for chunk in chunks:
            reader.feed_data(chunk)
        reader.feed_eof()
        return await read_header(reader)

    return asyncio.run(run())


@given(st.binary(max_size=2000))
def test_no_bytes_whatever_make_the_parser_raise(raw: bytes) -> None:
    header = parse_header(raw)
    assert all("\n" not in value for value in header.fields.values())
    assert all("\n" not in arg for arg in header.args)


@given(st.binary(max_size=300))
def test_reading_ends_in_a_header_or_in_bad_header(raw: bytes) -> None:
    try:
        header = read([raw])
    except BadHeader:
        assert b"\n\n" not in raw
    else:
        assert header == parse_header(raw[: raw.index(b"\n\n") + 2])


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.lists(VALUES, max_size=4), st.integers(1, 7))
def test_fields_and_arguments_come_through_in_any_pieces(fields: dict[str, str], args: list[str], size: int) -> None:
    lines = [f"agi_{name}: {value}" for name, value in fields.items()]
    lines += [f"agi_arg_{n}: {value}" for n, value in enumerate(args, 1)]
    raw = "\n".join(("agi_network: yes", *lines, "", "")).encode()
    header = read([raw[i : i + size] for i in range(0, len(raw), size)])
    assert header.args == tuple(args)
    assert {name: header.fields[name] for name in fields if name != "network"} == {
        name: value for name, value in fields.items() if name != "network"
    }


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_a_command_is_always_one_line_or_refused(words: list[str]) -> None:
    try:
        line = encode_command("SET VARIABLE", *words)
    except BadValue:
        assert any(ord(c) < 0x20 or ord(c) == 0x7F for word in words for c in word)
    else:
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        assert not any(byte < 0x20 or byte == 0x7F for byte in line[:-1])
