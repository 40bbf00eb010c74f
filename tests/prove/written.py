"""Whether each call has one record, which is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import Engine, select
from sqlmodel import col

from contact_center.models import Call
from contact_center.store.engine import open_engine, reading
from tests.lab.centre import Centre
from tests.lab.until import until

WRITTEN_SECONDS = 20.0
Told = dict[str, list[tuple[list[str], bool]]]
"""By number: the agents of each of its records, and whether that is over."""


async def unwritten(centre: Centre, numbers: Sequence[str], *, agents: dict[str, list[str]] | None = None) -> list[str]:
    """Numbers without exactly one record that is over, or, where they are given, with other agents in it."""
    engine = open_engine(centre.settings.database.url)
    wanted = Counter(numbers)
    with suppress(TimeoutError):  # what is missing is named below
        await until(lambda: not _open(_told(engine), wanted), WRITTEN_SECONDS, "every record to be over")
    told = _told(engine)
    engine.dispose()
    found = [f"{number}: records {told.get(number)}" for number in _open(told, wanted)]
    for number, names in (agents or {}).items():
        if number in told and [sorted(row[0]) for row in told[number]] != [sorted(names)]:
            found.append(f"{number} heard {names}; recorded: {told[number]}")
    return found


def _open(told: Told, wanted: Counter[str]) -> list[str]:
    return [n for n, count in wanted.items() if len(told.get(n, ())) != count or not all(row[1] for row in told[n])]


def _told(engine: Engine) -> Told:
    told: Told = {}
    with reading(engine) as session:
        for number, agents, ended_at in session.execute(
            select(col(Call.caller_number), col(Call.agents), col(Call.ended_at))
        ):
            told.setdefault(number, []).append((list(agents), ended_at is not None))
    return told
