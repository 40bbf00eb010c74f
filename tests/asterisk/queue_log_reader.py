"""A reader of queue_log, written from Asterisk's own documentation of it and from nothing of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

NUMBER, TEXT = r"\d+", r"[^|]*"
LAYOUTS = {
    "ENTERQUEUE": (TEXT, TEXT, NUMBER),
    "CONNECT": (NUMBER, r"[^|]+", NUMBER),
    "COMPLETEAGENT": (NUMBER, NUMBER, NUMBER),
    "COMPLETECALLER": (NUMBER, NUMBER, NUMBER),
    "ABANDON": (NUMBER, NUMBER, NUMBER),
    "EXITWITHTIMEOUT": (NUMBER, NUMBER, NUMBER),
    "EXITEMPTY": (NUMBER, NUMBER, NUMBER),
    "WITHDRAW": (NUMBER, NUMBER, NUMBER, r"[^|]{0,40}"),
    "RINGNOANSWER": (NUMBER,),
    "AGENTLOGIN": (TEXT,),
    "AGENTLOGOFF": (TEXT, NUMBER),
    "PAUSEALL": (TEXT,),
    "UNPAUSEALL": (TEXT,),
    "CALLSTATUS": (TEXT,),
    "QUEUESTART": (),
    "CONFIGRELOAD": (),
}
"""The data of each event. A member stands in those of agents, NONE in those of callers alone."""
WITH_MEMBER = {"CONNECT", "COMPLETEAGENT", "COMPLETECALLER", "RINGNOANSWER"}


@dataclass(frozen=True, slots=True)
class QueueLogLine:
    """One record."""

    seconds: int
    call: str
    queue: str
    agent: str
    event: str
    data: tuple[str, ...]


def read_queue_log(path: Path) -> list[QueueLogLine]:
    """All records of the file; AssertionError at the first that is not as documented."""
    return [_parsed(line) for line in path.read_text(errors="replace").splitlines() if line]


def _parsed(line: str) -> QueueLogLine:
    seconds, call, queue, agent, event, *data = line.split("|")
    assert seconds.isdigit(), line
    layout = LAYOUTS[event]
    while len(data) > len(layout) and data[-1] == "":
        data.pop()  # Asterisk ends some records with empty fields
    assert len(data) == len(layout), line
    assert all(re.fullmatch(form, value) for form, value in zip(layout, data, strict=True)), line
    if event in WITH_MEMBER:
        assert agent != "NONE", line
    return QueueLogLine(int(seconds), call, queue, agent, event, tuple(data))
