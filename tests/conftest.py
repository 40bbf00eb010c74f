"""What all tests share: none is slowed down by what earlier ones left in memory, or by those that use up the cores."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.alone import TURN, Turn
from tests.lab.centre import CLOSED_IN_ERROR, OPEN, ROOT

WATCH_THE_CLOCK = ("contract", "farend", "asterisk_conf", "asterisk", "readme")
"""Folders of tests with real parties, who stand still when the cores are used up; elsewhere the mark is `clock`. Those
that bear it least come first, furthest from the tests that compute."""
COMPUTES = 1 + len(WATCH_THE_CLOCK)


@pytest.fixture(scope="module", autouse=True)
def _nothing_old_to_look_through() -> None:
    """After thousands of tests a worker holds hundreds of MB: one full collection takes a second of a test's time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def alone_from_here(request: pytest.FixtureRequest) -> Callable[[], None]:
    """To be called before a test's timed part, where what comes before it takes long: as the mark `alone` from then."""

    def wait() -> None:
        if (turn := request.config.stash.get(TURN, None)) is not None:
            turn.over()
            turn.wait(alone=True)

    return wait


def _turn(item: pytest.Item) -> int:
    folder = item.nodeid.split("/")[1]
    if folder in WATCH_THE_CLOCK:
        return WATCH_THE_CLOCK.index(folder)
    return COMPUTES - 1 if any(item.iter_markers("clock")) or any(item.iter_markers("asterisk")) else COMPUTES


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait for real parties first, side by side; then those that compute as fast as they can.

    Of each kind the files with tests that are `alone` come first, and in them these: who is alone waits for all others
    to end what they do, and so they wait for each other at one time only.
    """
    alone = {item for item in items if any(item.iter_markers("alone"))}
    files = {item.path for item in alone}
    places: dict[Path, int] = {}
    for place, item in enumerate(items):
        places.setdefault(item.path, place)

    def turn(item: pytest.Item) -> tuple[int, bool, int, bool]:
        has_alone = item.path in files
        return _phase(item, has_alone), not has_alone, places[item.path], item not in alone

    items.sort(key=turn)


def _phase(item: pytest.Item, has_alone: bool) -> int:
    """Real parties who are timed are the very first."""
    turn = _turn(item)
    return -1 if has_alone and turn < len(WATCH_THE_CLOCK) else turn


def pytest_configure(config: pytest.Config) -> None:
    """A worker among others takes turns with them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        config.stash[TURN] = Turn(ROOT / ".lab")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Wait for the turn where nothing of the file's earlier tests lives on; else the folder's own fixture does."""
    turn = item.config.stash.get(TURN, None)
    if turn is None:
        return (yield)
    if turn.file != item.path or item.nodeid.split("/")[1] != "asterisk":
        turn.wait(alone=any(item.iter_markers("alone")))
        turn.file = item.path
    try:
        return (yield)
    finally:
        turn.over()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """What the programs logged stands with the test that failed: it may not fail again for whoever looks."""
    report = yield
    if report.failed:
        report.sections += [section for centre in OPEN for section in centre.logs().items()]
        report.sections += CLOSED_IN_ERROR.items()
    CLOSED_IN_ERROR.clear()
    return report
