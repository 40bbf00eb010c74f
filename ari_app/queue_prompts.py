"""What a queue says to its callers: Asterisk's own sounds where there are some, the site's recordings, or spoken words.

The site's own recording of a prompt (by name: greeting, closed_message, position_3, wait_2 ...) replaces any of them.
"""

from __future__ import annotations

import re

from ari_app.speech import Speech
from contact_center.labels import spoken_words
from contact_center.queues.waits import as_told

# Prompts of the queue in Asterisk's core sounds: "you are currently caller number", "waiting to speak with ...".
_FIRST = ("sound:queue-youarenext",)
_CLOSED = ("sound:im-sorry", "sound:please-try-call-later", "sound:goodbye")
CALLBACK = {
    "callback_offer": ("sound:to-call-this-number", "sound:vm-press", "sound:digits/1"),
    "callback_confirm": ("sound:vm-num-i-have",),
    "callback_confirm_keys": (
        *("sound:if-correct-press", "sound:digits/1", "sound:vm-calldiffnum", "sound:vm-press", "sound:digits/2"),
        *("sound:vm-tocancel", "sound:vm-press", "sound:digits/3"),
    ),
    "callback_enter": ("sound:vm-enter-num-to-call", "sound:vm-then-pound"),
    "callback_refused": ("sound:im-sorry", "sound:vm-nonumber"),
    "callback_ordered": ("sound:auth-thankyou", "sound:goodbye"),
    "callback_agent": ("sound:beep", "sound:vm-dialout"),
}
"""Asterisk's nearest words for what is said about callbacks, where nothing can be spoken."""
TOLD = {
    "no_line": ("sound:all-circuits-busy-now", "sound:please-try-call-later"),
    "capped": ("sound:simul-call-limit-reached",),
}
"""What agents are told, in Asterisk's nearest words."""
_SOUND = re.compile(r"(?:sound:)?([A-Za-z0-9_./-]+)\Z")
_ONE_WORD = re.compile(r"[A-Z][a-z]*(?:-[a-z]+)*\Z")
"""A word as a sentence begins with it; Asterisk's sounds are named in small letters."""


def is_words(text: str) -> bool:
    """Whether a message is words to be spoken, not the name of a sound."""
    words = text.strip()
    is_sentence = words.endswith(".") or _ONE_WORD.match(words) is not None
    return bool(words) and (is_sentence or _SOUND.match(words) is None)


class QueuePrompts:
    """Media for ``prompts.play``; an empty tuple where there is nothing to say, or nothing to say it with yet."""

    def __init__(self, speech: Speech, language: str = "en") -> None:
        self._speech, self._language = speech, language

    def said(self, text: str) -> tuple[str, ...]:
        """The message of a campaign for people for whom nobody is free, in the site's language."""
        return self.message("silent_message", text, self._language)

    def left(self, text: str) -> tuple[str, ...]:
        """The message of a campaign that is left on answering machines, in the site's language."""
        return self.message("machine_message", text, self._language)

    def message(self, word: str, value: str, language: str) -> tuple[str, ...]:
        """A message of a queue's settings: the name of a sound, or words to be spoken."""
        if own := self._speech.own(word, language):
            return (own,)
        text = value.strip()
        if not text:
            return ()
        if not is_words(text) and (sound := _SOUND.match(text)):
            return (f"sound:{sound.group(1)}",)
        spoken = self._speech.spoken(text, language)
        return (spoken,) if spoken else ()

    def closed(self, value: str, language: str) -> tuple[str, ...]:
        """Outside the opening hours."""
        return self.message("closed_message", value, language) or self._worded("closed", 0, language) or _CLOSED

    def overflow(self, value: str, language: str) -> tuple[str, ...]:
        """Nobody could take the caller."""
        return self.message("overflow_message", value, language) or self._worded("overflow", 0, language) or _CLOSED

    def position(self, position: int, language: str) -> tuple[str, ...]:
        """His place in the line."""
        if own := self._speech.own(f"position_{position}", language):
            return (own,)
        word = "first" if position == 1 else "position"
        if worded := self._worded(word, position, language):
            return worded
        return _FIRST if position == 1 else ("sound:queue-thereare", f"number:{position}", "sound:queue-callswaiting")

    def wait(self, seconds: float, language: str) -> tuple[str, ...]:
        """How long it will take, in whole minutes."""
        minutes = as_told(seconds)
        if own := self._speech.own(f"wait_{minutes}", language):
            return (own,)
        if worded := self._worded("wait_one" if minutes == 1 else "wait", minutes, language):
            return worded
        return ("sound:queue-holdtime", f"number:{minutes}", "sound:queue-minutes")

    def callback(self, word: str, language: str, own_words: str = "") -> tuple[str, ...]:
        """What is said about callbacks: ``word`` is one of those in ``CALLBACK``."""
        return self.message(word, own_words, language) or self._worded(word, 0, language) or CALLBACK[word]

    def told(self, word: str) -> tuple[str, ...]:
        """What an agent is told, in the site's language: ``word`` is one of those in ``TOLD``."""
        return self.message(word, "", self._language) or self._worded(word, 0, self._language) or TOLD[word]

    def prepare(self, texts: dict[str, str], language: str) -> None:
        """Have a queue's messages spoken before anybody calls."""
        for word, value in texts.items():
            self.message(word, value, language)
        if spoken_words("closed", language):
            self.closed(texts.get("closed_message", ""), language)
            self.overflow(texts.get("overflow_message", ""), language)
            self.position(1, language)

    def prepare_callbacks(self, language: str, offer: str) -> None:
        """Have all words about callbacks spoken; ``offer`` is what the queue's settings say in place of ours."""
        for word in CALLBACK:
            self.callback(word, language, offer if word == "callback_offer" else "")

    def _worded(self, word: str, number: int, language: str) -> tuple[str, ...]:
        """Words in a language that Asterisk itself does not come with."""
        text = spoken_words(word, language)
        spoken = self._speech.spoken(text.format(n=number), language) if text else None
        return (spoken,) if spoken else ()
