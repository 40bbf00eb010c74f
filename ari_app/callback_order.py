"""How a caller orders a callback: he presses 1, hears his number, confirms it or keys another one.

Who presses 1 has ordered: were he to hang up in the menu, or to say nothing, he is called under the number from which
he calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from ari_app import prompts
from ari_app.channel import Channel
from ari_app.errors import HungUp
from ari_app.prompts import Collected, CollectSeconds, Stop
from ari_app.queue_music import DeadMan
from ari_app.queue_prompts import QueuePrompts
from contact_center import story
from contact_center.callbacks.plan import may_be_called
from contact_center.clock import Clock
from contact_center.errors import UsageError
from contact_center.numbers import dialable, normalise
from contact_center.options import QueueOptions
from contact_center.queues.board import QueueBoard, Waiting
from contact_center.settings import Site

TRIES = 3
"""How often a number may be keyed."""
MENU_SECONDS = 90.0
"""Asterisk's own clock on the caller is wound up so far for the menu."""
KEYS = CollectSeconds(first_digit=5.0, inter_digit=4.0, overall=40.0)


def is_offered(board: QueueBoard, entry: Waiting, options: QueueOptions, now: datetime) -> bool:
    """Whether a caller who stands in line may ask to be called back: by his wait, by his place, or always."""
    if not options.callback:
        return False
    if not options.callback_wait and not options.callback_position:
        return True
    if options.callback_position and board.position(entry) >= options.callback_position:
        return True
    if not options.callback_wait:
        return False
    waited = (now - entry.entered_at).total_seconds()
    expected = board.expected_wait(entry)
    return waited >= options.callback_wait or (expected is not None and expected >= options.callback_wait)


class OrderMenu:
    """What is said and keyed; ``standing`` is the number that holds if he hangs up now, empty for none."""

    def __init__(
        self,
        channel: Channel,
        shown: str,
        options: QueueOptions,
        *,
        site: Site,
        book: QueuePrompts,
        language: str,
        log: story.CallLog,
        clock: Clock,
        is_forbidden: Callable[[str], Awaitable[bool]],
        has_asked: bool = True,
    ) -> None:
        self._channel, self._shown, self._options, self._site = channel, shown, options, site
        self._book, self._language, self._log, self._clock = book, language, log, clock
        self._is_forbidden, self._has_asked = is_forbidden, has_asked
        self.standing = ""

    async def ask(self, dead_man: DeadMan, order: Callable[[str], Awaitable[None]]) -> str:
        """The number that is to be called; empty where he wants to go on waiting, or none is allowed.

        ``order`` is awaited with it before he is told that it will be.
        """
        await dead_man.wind(MENU_SECONDS)
        began = self._clock.now()
        number = self._shown if await self._is_allowed(self._shown, keyed=False) else ""
        self.standing = number if self._has_asked else ""
        answer = "2" if self._has_asked else "3"
        try:
            if number:
                answer = await self._confirm(number)
        finally:
            self._log.add(story.Announced(began, self._now(), "callback_offered"))
        if answer == "2":
            number = await self._keyed()
        elif answer == "3":
            number = self.standing = ""
        if number:
            await order(number)
            await self._say("callback_ordered")
        return number

    async def _confirm(self, number: str) -> str:
        """1, 2 or 3; who has asked to be called back and says nothing means 1."""
        media = (
            *self._words("callback_confirm"),
            *prompts.digit_sounds(number),
            *self._words("callback_confirm_keys"),
        )
        for _ in range(TRIES):
            answer = await self._collect(media, prompts.one_of("123"))
            if answer.complete:
                return answer.digits
            if answer.stop is not Stop.INVALID:
                break
        return "1" if self._has_asked or self.standing else "3"

    async def _keyed(self) -> str:
        """A number that he keys and confirms; empty after too many tries."""
        began, number = self._now(), ""
        try:
            for _ in range(TRIES):
                answer = await self._collect(self._words("callback_enter"), prompts.up_to_hash(18, least=3))
                number = self._read(answer)
                if not number or not await self._is_allowed(number, keyed=True):
                    number = ""
                    await self._play("callback_refused")
                    continue
                self.standing = number
                if await self._confirm(number) == "1":
                    break
                number = ""
        finally:
            self._log.add(story.Announced(began, self._now(), "callback_entered"))
        if not number:
            self.standing = ""
        return number

    def _read(self, answer: Collected) -> str:
        """E.164 of what was keyed; who leaves out the hash key has keyed a number all the same."""
        digits = answer.digits.rstrip("#")
        try:
            return normalise(digits, self._site.country, self._site.number_check)
        except UsageError:
            return ""

    async def _is_allowed(self, number: str, *, keyed: bool) -> bool:
        country, abroad = self._site.country, self._options.callback_abroad
        if not dialable(number) or not may_be_called(
            number, shown=self._shown, country=country, keyed=keyed, abroad=abroad
        ):
            return False
        return not await self._is_forbidden(number)

    # -- sounds ---------------------------------------------------------------------------------------

    def _words(self, word: str) -> tuple[str, ...]:
        return self._book.callback(word, self._language)

    async def _collect(self, media: tuple[str, ...], match: prompts.Matcher) -> Collected:
        answer = await prompts.collect(self._channel, *media, match=match, seconds=KEYS)
        if self._channel.gone.happened:
            raise HungUp(self._channel)
        return answer

    async def _say(self, word: str) -> None:
        began = self._clock.now()
        try:
            await self._play(word)
        finally:
            self._log.add(story.Announced(began, self._now(), word))

    async def _play(self, word: str) -> None:
        await prompts.play(self._channel, *self._words(word))

    def _now(self) -> datetime:
        return self._channel.gone.value.at if self._channel.gone.happened else self._clock.now()
