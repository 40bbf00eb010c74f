"""Messages to one caller who has nobody yet: each is heard to its end, and his dead man's clock runs on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from ari_app import prompts as sounds
from ari_app.channel import Channel
from ari_app.errors import AriDown, AriError, HungUp, Uncertain
from ari_app.queue_music import DeadMan
from ari_app.queue_prompts import QueuePrompts
from contact_center import story
from contact_center.clock import Clock
from contact_center.options import QueueOptions
from contact_center.queues.rules import QueueRules
from contact_center.terms import Party

log = structlog.get_logger(__name__)


class Words:
    """What one caller is told; ``calls`` notes what he heard. ``spawn`` runs an answer that nobody waits for."""

    def __init__(
        self,
        caller: Channel,
        dead_man: DeadMan,
        clock: Clock,
        calls: story.CallLog,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
    ) -> None:
        self._caller, self._dead_man, self._clock, self._log = caller, dead_man, clock, calls
        self._spawn = spawn
        self._answer: asyncio.Task[None] | None = None

    async def receive(self, prompts: QueuePrompts, rules: QueueRules, language: str, *, is_open: bool) -> bool:
        """Answer and greet him; False where he only heard that the queue is closed.

        Who hears nothing first is answered while an agent is rung for him: see :meth:`until_answered`.
        """
        first = self.greetings(prompts, rules.options, language) if is_open else {}
        if is_open and not first and language == "en":
            self._answer = self._spawn(self._caller.answer(), f"answer {self._caller.id}")
            self._log.add(story.Answered(self._clock.now()))
            return True
        await self._caller.answer()
        self._log.add(story.Answered(self._clock.now()))
        if language != "en":
            await self.speak(language)
        if not is_open:
            self._log.add(story.Closed(self._clock.now(), rules.name))
            await self.say("closed_message", prompts.closed(rules.options.closed_message, language))
            self._log.add(story.Left(self._clock.now(), Party.SYSTEM))
        for word, media in first.items():
            await self.say(word, media)
        return is_open

    async def until_answered(self) -> None:
        """Wait until he is: a sound would hold up an answer that comes after it. Raises AriError.

        Where it is not known what came of it he is answered again, which changes nothing for who is answered already.
        """
        if self._answer is None:
            return
        try:
            await asyncio.shield(self._answer)
        except (AriDown, Uncertain):
            await self._caller.answer()
        self._answer = None

    async def speak(self, language: str) -> None:
        """From now on Asterisk's own words are in this language."""
        try:
            await self._caller.set_var("CHANNEL(language)", language)
        except HungUp:
            raise
        except AriError as error:
            log.info("another language is spoken", action="queue", reason=str(error))

    def greetings(self, prompts: QueuePrompts, options: QueueOptions, language: str) -> dict[str, tuple[str, ...]]:
        """What he hears first: the greeting, and that his talk will be recorded, where both are wanted."""
        words = {"greeting": options.greeting}
        if options.record and options.record_announcement:
            words["record_announcement"] = options.record_announcement
        sounds = {word: prompts.message(word, text, language) for word, text in words.items()}
        return {word: media for word, media in sounds.items() if media}

    async def say(self, word: str, media: tuple[str, ...]) -> None:
        """Let him hear a message to its end; a sound that is missing keeps nobody."""
        if not media:
            return
        await self._dead_man.wind(sounds.PLAY_SECONDS)
        began = self._clock.now()
        heard = True
        try:
            heard = await sounds.play(self._caller, *media)
        finally:
            if heard:
                gone = self._caller.gone
                self._log.add(story.Announced(began, gone.value.at if gone.happened else self._clock.now(), word))
        await self._dead_man.wind()
