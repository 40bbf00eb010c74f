"""What the menus after a call sound like: the site's recordings, spoken words, or what Asterisk comes with.

A recording ``own/LANGUAGE/rate_this_call.wav`` (or another word of ratings.menu.Word) replaces that prompt, and
``own/LANGUAGE/rating_1.wav`` what is said of an option.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ari_app.speech import Speech
from contact_center.ratings.choices import RatingGroup, RatingOption
from contact_center.ratings.menu import Word
from contact_center.ratings.words import option_words, words_of

# Asterisk's core sounds have no word for a rating: without recordings and speech an agent hears "information about
# last call", "press" and the digits, "then press pound", "I did not understand", "saved", "goodbye".
_CORE: Mapping[Word, tuple[str, ...]] = MappingProxyType(
    {
        Word.RATE: ("sound:info-about-last-call",),
        Word.WRONG_OPTION: ("sound:vm-sorry",),
        Word.VALUE: ("sound:ascending-2tone", "sound:vm-then-pound"),
        Word.WRONG_VALUE: ("sound:vm-sorry",),
        Word.CODE: ("sound:extension", "sound:vm-then-pound"),
        Word.WRONG_CODE: ("sound:vm-sorry",),
        Word.SAVED: ("sound:vm-saved",),
        Word.GIVEN_UP: ("sound:vm-goodbye",),
    }
)


class MenuPrompts:
    """Media for the menus. Nothing here is waited for: words that are not spoken yet are spoken for the next call."""

    def __init__(self, speech: Speech, currency: str) -> None:
        self._speech, self._currency = speech, currency

    def word(self, word: Word, language: str) -> tuple[str, ...]:
        """One prompt."""
        own = self._speech.own(word.value, language)
        said = own or self._speech.spoken(words_of(word, language, self._currency), language)
        return (said,) if said else _CORE[word]

    def options(self, group: RatingGroup, language: str) -> tuple[str, ...]:
        """All options of a group, or nothing where its speech is off."""
        if not group.speech:
            return ()
        return tuple(sound for option in group.options for sound in self._option(option, language))

    def _option(self, option: RatingOption, language: str) -> tuple[str, ...]:
        own = self._speech.own(f"rating_{option.digit}", language)
        said = own or self._speech.spoken(option_words(option.digit, option.name, language), language)
        return (said,) if said else ("sound:vm-press", f"sound:digits/{option.digit}")

    def prepare(self, group: RatingGroup, language: str) -> None:
        """Have everything spoken before the first call."""
        self.options(group, language)
        for word in Word:
            self.word(word, language)
