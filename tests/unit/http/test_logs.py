"""What stands in the log, and what never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from contact_center import logs

SECRET = "s3cr3t-Lab-Pass"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("DEBUG", stream=stream, secrets=[SECRET])
    return stream


def test_a_line_is_one_json_object_with_call_id_and_action(out: io.StringIO) -> None:
    structlog.get_logger("x").info("call ended", call_id="call-1", action="hang_up", talk_seconds=12.5)
    line = json.loads(out.getvalue())
    assert (line["event"], line["call_id"], line["action"], line["level"]) == (
        "call ended",
        "call-1",
        "hang_up",
        "info",
    )
    assert line["timestamp"].endswith("Z")
    assert line["talk_seconds"] == 12.5


@pytest.mark.parametrize(
    "number",
    [
        "+442079460123",
        "02079460123",
        "+44 20 7946 0123",
        "(020) 7946-0123",
        "020.7946.0123",
        "020.79460123",
        "020.794.601.23.0123",
        "+1-415-555-0123",
        "9460123",
    ],
)
def test_of_a_number_only_the_last_three_digits_stand_in_the_log(out: io.StringIO, number: str) -> None:
    log = structlog.get_logger("x")
    log.info(f"dialling {number} now", number=number, nested={"to": [number]}, endpoint=f"PJSIP/{number}@trunk")
    logging.getLogger("library").warning("call to %s failed", number)
    log.info("as an integer", number=442079460123)
    text = out.getvalue()
    assert number not in text
    assert "7946" not in text
    assert "***123" in text
    assert "442079460123" not in text


@pytest.mark.parametrize(
    "field",
    ["password", "ari_password", "secret", "token", "digits", "digit", "pin", "Authorization", "keyed"],
)
def test_secret_fields_are_dropped_wherever_they_stand(out: io.StringIO, field: str) -> None:
    structlog.get_logger("x").info("x", **{field: "4711-hush"}, deep={field: "4711-hush"})
    assert "hush" not in out.getvalue()
    assert "4711" not in out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "login with password=4711hush failed",
        'body {"token": "4711hush", "x": 1}',
        "Authorization: Basic 4711hush",
        "keyed digits: 4711hush",
        "keyed digits 4711hush",
        "postgresql+psycopg://callwright:4711hush@db/callwright is away",
        "GET /ari/events?api_key=4711hush&app=x",
    ],
)
def test_secrets_are_dropped_from_free_text_too(out: io.StringIO, text: str) -> None:
    logging.getLogger("library").error(text)
    structlog.get_logger("x").error(text)
    assert "4711hush" not in out.getvalue()


def test_a_known_secret_is_dropped_even_from_a_traceback(out: io.StringIO) -> None:
    try:
        raise ValueError(f"cannot use {SECRET} for +442079460123")
    except ValueError:
        structlog.get_logger("x").exception("failed", action="x")
        logging.getLogger("library").exception("failed")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == 2
    assert all("ValueError" in line["exception"] for line in lines)
    assert SECRET not in out.getvalue()
    assert "2079460123" not in out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "at 2026-11-22T05:18:41.123456Z",
        "channel 1732252721.12",
        "from 192.168.100.200:15060",
        "call-0123456789abcdefgh",
        "took 0.123456789 s",
        "503 of 100000",
    ],
)
def test_what_is_no_number_stays_readable(out: io.StringIO, text: str) -> None:
    structlog.get_logger("x").info(text)
    assert json.loads(out.getvalue())["event"] == text


def test_for_people_the_line_is_not_json_and_is_masked_all_the_same() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, console=True)
    structlog.get_logger("x").info("dialling +442079460123", call_id="call-1")
    assert "***123" in stream.getvalue()
    assert "2079460" not in stream.getvalue()
    assert "call_id=call-1" in stream.getvalue()
