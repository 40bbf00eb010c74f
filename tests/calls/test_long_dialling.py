"""A short round of the proof `virtual_hours`: minutes of dialling on the virtual clock leave nothing behind."""

from __future__ import annotations

from tests.prove import hours


async def test_three_minutes_of_dialling_leave_nothing_behind():
    found = await hours.dialled(0.05)
    assert hours.faults(found) == []
    assert found["dialled"] > 400
    assert found["outcomes"]["connected"] > 100


def test_what_is_left_over_and_what_grew_is_named():
    found = {
        "before": {"tasks": 9, "channels": 0}, "after": {"tasks": 10, "channels": 0},
        "more_objects": {"ari_app.bridge.Bridge": 7, "ari_app.channel.Channel": 51},
        "open_attempts": 0, "leads_on_the_line": 2, "twice_at_once": 0,
        "megabytes": [[0.0, 80.0], [600.0, 100.0], [660.0, 100.0], [720.0, 100.0], [7200.0, 106.0]],
    }  # fmt: skip
    assert hours.faults(found) == [
        "tasks: 9 before, 10 afterwards",
        "51 more objects ari_app.channel.Channel than before",
        "leads on the line: 2",
        "memory grew from 100.0 to 106.0 MB",
    ]
