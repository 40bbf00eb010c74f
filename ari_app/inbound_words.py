"""Messages to one caller who has nobody yet: each is heard to its end, and his dead man's clock runs on meanwhile."""

from __future__ import annotations

import structlog

from ari_app import prompts as sounds
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.queue_music import DeadMan
from ari_app.queue_prompts import QueuePrompts
from contact_center import story
from contact_center.clock import Clock
from contact_center.options import QueueOptions

log = structlog.get_logger(__name__)


class Words:
    """What one caller is told; ``calls`` notes what he heard."""

    def __init__(self, caller: Channel, dead_man: DeadMan, clock: Clock, calls: story.CallLog) -> None:
        self._caller, self._dead_man, self._clock, self._log = caller, dead_man, clock, calls

    async def speak(self, language: str) -> None:
        """From now on Asterisk's own words are in this language."""
        try:
            await self._caller.set_var("CHANNEL(language)", language)
        except HungUp:
            raise
        except AriError as error:
            log.info("another language is spoken", action="queue", reason=str(error))

    async def greet(self, prompts: QueuePrompts, options: QueueOptions, language: str) -> None:
        """What he hears first: the greeting, and that his talk will be recorded, where both are wanted."""
        words = {"greeting": options.greeting}
        if options.record and options.record_announcement:
            words["record_announcement"] = options.record_announcement
        for word, text in words.items():
            await self.say(word, prompts.message(word, text, language))

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
