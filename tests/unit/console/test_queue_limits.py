"""What a queue may be set to: lines, what it names, times between callbacks, languages."""

from __future__ import annotations

from typing import get_args

import pytest
from sqlalchemy import select

from contact_center.models import Queue
from contact_center.options import LANGUAGES
from contact_center.settings import Site
from tests.unit.console.support import Cli


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("442079460018", "+442079460018"),
        ("442079460018", "02079460018"),
        ("+442079460018", "02079460018"),
        ("02079460018", "442079460018"),
        ("abc", "ABC"),
        ("+100", "100"),
    ],
)
def test_a_line_belongs_to_one_queue_however_its_number_is_written(cli: Cli, theirs: str, ours: str) -> None:
    cli.ok("queue", "add", "support", "--did", theirs)
    cli.ok("queue", "add", "sales")
    told = cli.refused(2, "queue", "set", "sales", f"dids={ours}")
    assert f"The number {ours} belongs to queue support, as {theirs}" in told
    assert "queue support" in cli.refused(2, "queue", "add", "more", "--did", ours)
    cli.ok("queue", "set", "support", f"dids={ours}")


@pytest.mark.parametrize("pair", ["overflow=queue:nowhere", "rating_group=nobody"])
def test_what_a_queue_names_must_be_there(cli: Cli, pair: str) -> None:
    cli.ok("queue", "add", "support")
    before = cli.json("queue", "list")
    assert "There is no" in cli.refused(3, "queue", "set", "support", pair)
    assert cli.json("queue", "list") == before


def test_a_queue_speaks_the_languages_of_the_site(cli: Cli) -> None:
    assert set(get_args(Site.model_fields["language"].annotation)) == set(LANGUAGES)
    cli.ok("queue", "add", "support", "language=ru")
    cli.ok("queue", "set", "support", "language=")


def test_fewer_attempts_leave_the_usual_times_between_callbacks_as_they_are(cli: Cli) -> None:
    cli.ok("queue", "add", "support", "callback=on", "callback_attempts=1")
    assert cli.json("queue", "show", "support")["options"]["callback_delays"] == [900.0, 3600.0]


def test_a_queue_that_was_stored_with_what_nobody_may_set_now_still_loads(cli: Cli) -> None:
    cli.ok("queue", "add", "support")
    with cli.writing() as session:
        row = session.scalars(select(Queue)).one()
        row.options = {**row.options, "language": "xx", "callback_delays": [0.0]}
    assert cli.json("queue", "set", "support", "priority=60")["options"]["language"] == "xx"
