"""The words of the silent call message: who called, on which number to reach him, and the key to be called no more.

A person who answers while no agent is free hears them where the law of the campaign's profile wants it, or where the
campaign has words of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from contact_center.errors import CallwrightError
from contact_center.law.force import quarter_of, rules_for
from contact_center.options import CampaignOptions

PLACES = ("{seller}", "{number}", "{key}")
"""What a campaign's own words may have filled in."""

_WORDS = {
    "en": "Hello. This is {seller}. We called you, but nobody is free to speak with you now. {why}"
    "You can reach us on {number}. To get no more calls from us, press {key}. Goodbye.",
    "da": "Goddag. Det er {seller}. Vi ringede til Dem, men ingen er ledig lige nu. {why}"
    "De kan ringe til os på {number}. Tryk {key}, hvis De ikke vil ringes op igen. Farvel.",
    "ru": "Здравствуйте. Это {seller}. Мы звонили вам, но сейчас никто не свободен. {why}"
    "Наш номер: {number}. Чтобы мы больше не звонили, нажмите {key}. До свидания.",
}
_SALES_CALL = {
    "en": "This was a telemarketing call. ",
    "da": "Det var et salgsopkald. ",
    "ru": "Это был рекламный звонок. ",
}


@dataclass(frozen=True, slots=True)
class SilentText:
    """``text``: words, or the name of a sound; empty: there are none. ``required``: by the law of the profile.

    ``missing``: which settings the words need that are not set.
    """

    text: str
    required: bool
    missing: tuple[str, ...] = ()

    @property
    def is_lacking(self) -> bool:
        """Whether the law wants words that cannot be made."""
        return self.required and not self.text


def silent_text(options: CampaignOptions, language: str, at: datetime) -> SilentText:
    """The words of a campaign, by the rules in force at an instant."""
    return _text(
        options.silent_message,
        options.seller,
        _spelled(options.caller_id),
        options.opt_out_key,
        language,
        _is_required(options.profile, quarter_of(at)),
        (options.profile == "us_tsr"),
    )


def refuse_without_words(name: str, options: CampaignOptions, at: datetime) -> None:
    """Raises CallwrightError where the law of the profile wants words that cannot be made."""
    words = silent_text(options, "en", at)
    if words.is_lacking:
        keys = " and ".join(f"{key}=..." for key in words.missing)
        raise CallwrightError(
            f"Campaign {name} obeys {options.profile}, which wants a message for people for whom no agent is free: "
            f"set {keys}, or silent_message=..."
        )


@lru_cache(maxsize=64)
def _is_required(profile: str, quarter: datetime) -> bool:
    """Whether the law of a profile wants a message, by the rules of a quarter of an hour."""
    return rules_for("", quarter, profile=profile).message_seconds is not None


@lru_cache(maxsize=512)
def _text(own: str, seller: str, number: str, key: str, language: str, required: bool, sales_call: bool) -> SilentText:
    if not own and not required:
        return SilentText("", False)
    missing = tuple(name for name, value in (("seller", seller), ("caller_id", number)) if not value)
    if own:
        return SilentText(_filled(own, seller, number, key), required)
    if missing:
        return SilentText("", required, missing)
    words = _WORDS.get(language, _WORDS["en"])
    why = _SALES_CALL.get(language, _SALES_CALL["en"]) if sales_call else ""
    return SilentText(_filled(words.replace("{why}", why), seller, number, key), required)


def _filled(words: str, seller: str, number: str, key: str) -> str:
    for place, value in zip(PLACES, (seller, number, key), strict=True):
        words = words.replace(place, value)
    return words


@lru_cache(maxsize=512)
def _spelled(number: str) -> str:
    """A number as it is said: digit by digit."""
    return " ".join(character for character in number if character.isdigit())
