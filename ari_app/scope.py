"""The life of a call as a scope: a hang-up is an exception at the current await, clean-up runs to its end.

Nothing here knows Asterisk. What the two tools promise was settled by sweeping hang-ups, time-outs and
shutdowns over every instant of whole calls (tests/unit/ari/test_scope.py, test_scope_losses.py):

* A hang-up raises HungUp in the scope of its own channel, never later, never in code after the scope.
* A shutdown, or the time-out of an outer scope, is never turned into HungUp, nor swallowed.
* Two ends at one instant: the outermost scope that was struck decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from ari_app.errors import HungUp

if TYPE_CHECKING:
    from ari_app.channel import Channel
    from ari_app.moment import Moment

LATE_SECONDS = 0.25
"""A time-out that is noticed so much too late tells of a process that stood still."""
NEWS_SECONDS = 0.5
"""How long what happened meanwhile may take to be read then."""
FINISH_SECONDS = 2.0
"""How long a clean-up may take by default."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def until_hangup(*channels: Channel) -> AsyncIterator[None]:
    """Run the body while all `channels` live; HungUp(channel) at its current await when one goes."""
    task = asyncio.current_task()
    assert task is not None
    before, inside = task.cancelling(), True
    struck: Channel | None = None

    def strike(channel: Channel, _gone: object) -> None:
        nonlocal struck
        if inside and struck is None:  # a late callback must not cancel what comes after the scope
            struck = channel
            task.cancel()

    for channel in channels:
        if channel.gone.happened:
            raise HungUp(channel)
    callbacks = [(channel, partial(strike, channel)) for channel in channels]
    for channel, callback in callbacks:
        channel.gone.add_done_callback(callback)
    try:
        yield
    except asyncio.CancelledError:
        inside = False
        if struck is not None and task.uncancel() <= before:  # ours alone
            raise HungUp(struck) from None
        raise
    except BaseException:
        inside = False
        if struck is not None:
            task.uncancel()  # the error goes on as it is, but the count must not stay up
        raise
    else:
        inside = False
        if struck is not None and task.uncancel() <= before:
            raise HungUp(struck)  # the body ate our cancel and ended as if nothing had happened
    finally:
        for channel, callback in callbacks:
            channel.gone.remove_done_callback(callback)


async def heard_late(limit: asyncio.Timeout | None, *moments: Moment[Any]) -> None:
    """After a time-out, before what it says is believed: wait a little for these where it struck late.

    A process that stood still finds its time-outs over before it has read what happened meanwhile.
    """
    struck_at, loop = limit.when() if limit is not None else None, asyncio.get_running_loop()
    if struck_at is None or loop.time() - struck_at < LATE_SECONDS:
        return
    happened = asyncio.Event()
    for moment in moments:
        moment.add_done_callback(lambda _: happened.set())
    with suppress(TimeoutError):
        async with asyncio.timeout(NEWS_SECONDS):
            await happened.wait()


async def at_once(first: Coroutine[Any, Any, object], *others: Coroutine[Any, Any, object]) -> list[Exception | None]:
    """Run these side by side to the end of all; what became of each, None for well. One alone costs no task.

    A cancel strikes all of them, and goes on when all have ended.
    """
    tasks = [asyncio.create_task(other) for other in others]
    failure: Exception | None = None
    try:
        try:
            await first
        except Exception as error:
            failure = error
        if tasks:
            await asyncio.wait(tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        raise
    return [failure, *map(_failure, tasks)]


def _failure(task: asyncio.Task[object]) -> Exception | None:
    error = task.exception()
    if error is not None and not isinstance(error, Exception):
        raise error
    return error


async def finish(cleanup: Coroutine[Any, Any, object], within: float = FINISH_SECONDS) -> None:
    """Run `cleanup` to its end, or for `within` seconds, though this task be cancelled meanwhile.

    It runs as a task of its own. A cancel that came meanwhile goes on afterwards. A clean-up that fails or
    takes too long is logged, not raised: it must not hide what ended the call.
    """
    task = asyncio.ensure_future(_bounded(cleanup, within))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _bounded(cleanup: Coroutine[Any, Any, object], within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await cleanup
    except Exception as error:
        log.warning("a clean-up did not succeed", cleanup=repr(cleanup), error=repr(error))
