"""Menus after calls on the virtual clock: what an agent is asked, and what the store is told of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from ari_app.after_call import AfterCalls
from ari_app.menu_prompts import MenuPrompts
from ari_app.services import Services
from ari_app.speech import Speech
from contact_center.ratings.choices import Category, ChoiceBook, RatingGroup, RatingOption
from contact_center.store.facts import CallRated, CategoryKeyed, Fact, RatingAsked
from tests.support.fake_world import FakeChannel

SALE = RatingOption(1, "Sale", asks_value=True, goal="bought")
LOST = RatingOption(2, "Lost")
GROUP = RatingGroup("sales", speech=True, options=(SALE, LOST))
QUIET = RatingGroup("quiet", speech=False, options=(LOST,))
CATEGORIES = (Category(3, "Asked for the address", Decimal("100.00")), Category(12, "Order", Decimal(0)))

RATE = "sound:info-about-last-call"
PRESS = "sound:vm-press"
VALUE = "sound:vm-then-pound"
SORRY = "sound:vm-sorry"
SAVED = "sound:vm-saved"
MENU_SOUNDS = frozenset((RATE, PRESS, VALUE, SORRY, SAVED, "sound:vm-goodbye", "sound:extension"))


class Menus:
    """The menus of a world; ``facts`` are what the store is told, and ``store`` is it where there is one."""

    def __init__(
        self, env: Services, *, limit_seconds: float = 60.0, store: Callable[[Fact], None] | None = None
    ) -> None:
        self.facts: list[Fact] = []
        self._store = store
        sounds = MenuPrompts(Speech("", Path("/nonexistent"), env.ari.spawn), env.settings.site.currency)
        self.book = ChoiceBook()
        self.book.load((GROUP, QUIET), CATEGORIES)
        env.after = AfterCalls(self.book, sounds, self._told, env.clock.now, limit_seconds=limit_seconds)

    def _told(self, fact: Fact) -> None:
        self.facts.append(fact)
        if self._store is not None:
            self._store(fact)

    @property
    def rated(self) -> list[tuple[str, str | None]]:
        """(option, value) of each rating."""
        return [(fact.option, fact.value) for fact in self.facts if isinstance(fact, CallRated)]

    @property
    def results(self) -> list[str]:
        """How each asking ended."""
        return [fact.result for fact in self.facts if isinstance(fact, RatingAsked)]

    @property
    def keyed(self) -> list[tuple[int | None, str | None]]:
        """(category, value) of each category menu."""
        return [(fact.category, fact.value) for fact in self.facts if isinstance(fact, CategoryKeyed)]


def said(channel: FakeChannel) -> list[str]:
    """The sounds of the menus that a party heard."""
    return [sound for _, sound in channel.heard if sound in MENU_SOUNDS or sound.startswith("sound:digits/")]
