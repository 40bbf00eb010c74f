"""After the customer has gone the agent stays on the line and is asked: a rating, then the category menu.

Nothing of it is played anywhere but to the agent's own channel, and only when the customer's has ended; the record of
his call is written before it begins. It ends at a set limit, so that the agent's next call never waits longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from ari_app import prompts
from ari_app.channel import Channel, GoneKind
from ari_app.errors import AriError, HungUp
from ari_app.media import Keys
from ari_app.menu_prompts import MenuPrompts
from contact_center.options import QueueOptions
from contact_center.ratings.choices import ChoiceBook, RatingGroup
from contact_center.ratings.menu import CategoryMenu, Menu, RatingMenu, Result, Word
from contact_center.roster import Offer
from contact_center.store.facts import CallRated, CategoryKeyed, Fact, RatingAsked

LAST_WORD_SECONDS = 3.0
"""How long "saved" may take."""
MENU_SECONDS = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an agent is asked after a call.

    ``category_menu``: off, code, value or both; it is only for calls that the customer ended himself.
    """

    call_id: str
    rating_group: str = ""
    rating_ivr: bool = False
    category_menu: str = "off"
    language: str = "en"

    @classmethod
    def of_queue(cls, call_id: str, options: QueueOptions, language: str) -> Self:
        """As a queue's settings have it."""
        return cls(call_id, options.rating_group, options.rating_ivr, options.category_menu, language)


class AfterCalls:
    """The menus of all calls."""

    def __init__(
        self,
        book: ChoiceBook,
        sounds: MenuPrompts,
        post: Callable[[Fact], None],
        now: Callable[[], datetime],
        *,
        limit_seconds: float = MENU_SECONDS,
    ) -> None:
        self.book, self.sounds = book, sounds
        self._post, self._now, self._limit_seconds = post, now, limit_seconds

    def wants(self, asked: Asked, *, customer_ended: bool) -> bool:
        """Whether there is anything to ask."""
        return self._group(asked) is not None or (customer_ended and asked.category_menu != "off")

    def _group(self, asked: Asked) -> RatingGroup | None:
        group = self.book.groups.get(asked.rating_group) if asked.rating_ivr else None
        return group if group is not None and group.options else None

    async def after(self, agent: Channel, offer: Offer, asked: Asked, *, customer_ended: bool) -> None:
        """Ask an agent who is alone on his leg; he wraps up meanwhile. Also after a customer who did not answer."""
        if self.wants(asked, customer_ended=customer_ended) and not agent.gone.happened:
            with offer.menu():
                await self._ask(agent, offer, asked, customer_ended=customer_ended)

    async def _ask(self, agent: Channel, offer: Offer, asked: Asked, *, customer_ended: bool) -> None:
        """Lead the agent through what applies, within the limit. Never raises but for a shutdown."""
        ext, group = offer.ext, self._group(asked)
        rating = RatingMenu(group) if group is not None else None
        category = None
        if customer_ended and asked.category_menu != "off":
            category = self._category_menu(asked.category_menu)
        began = self._now()
        try:
            async with asyncio.timeout(self._limit_seconds):
                with agent.listen_dtmf() as keys:
                    if offer.seat.line != agent.id:  # a line stays in its bridge for the next customer
                        await _alone(agent)
                    if rating is not None and group is not None:
                        await self._lead(agent, keys, rating, asked, group)
                    if category is not None:
                        await self._lead(agent, keys, category, asked, None)
        except TimeoutError:
            log.info("the agent's time for the menu is over", action="rating", call_id=asked.call_id, agent=ext)
            await _hush(agent)
        except HungUp:
            log.info("the agent hung up in the menu", action="rating", call_id=asked.call_id, agent=ext)
        finally:
            self._tell(agent, ext, asked, began, rating, category)

    def _category_menu(self, asked: str) -> CategoryMenu:
        return CategoryMenu(self.book.categories, code=asked in ("code", "both"), value=asked in ("value", "both"))

    async def _lead(self, agent: Channel, keys: Keys, menu: Menu, asked: Asked, group: RatingGroup | None) -> None:
        while menu.result is None:
            media = self._media(menu.words(), asked.language, group)
            seconds = prompts.CollectSeconds(first_digit=menu.patience)
            got = await prompts.collect(agent, *media, match=_any_key, seconds=seconds, keys=keys)
            if got.digits:
                menu.key(got.digits)
            else:
                menu.silence()
        await prompts.play(agent, *self._media(menu.words(), asked.language, group), within=LAST_WORD_SECONDS)

    def _media(self, words: tuple[Word, ...], language: str, group: RatingGroup | None) -> tuple[str, ...]:
        media: list[str] = []
        for word in words:
            media += self.sounds.word(word, language)
            if word is Word.RATE and group is not None:
                media += self.sounds.options(group, language)
        return tuple(media)

    # -- what is told ---------------------------------------------------------------------------------

    def _tell(
        self,
        agent: Channel,
        ext: str,
        asked: Asked,
        began: datetime,
        rating: RatingMenu | None,
        category: CategoryMenu | None,
    ) -> None:
        if rating is not None:
            unfinished = Result.HUNG_UP if agent.gone.happened else Result.TOO_LATE
            self._tell_rating(rating, ext, asked, began, unfinished)
        if category is not None and (category.category is not None or category.value is not None):
            known = self.book.categories.get(category.category) if category.category is not None else None
            self._post(
                CategoryKeyed(
                    call_id=asked.call_id,
                    at=self._now(),
                    agent=ext,
                    category=category.category,
                    category_name=known.name if known else "",
                    value=None if category.value is None else f"{category.value:.2f}",
                )
            )

    def _tell_rating(self, menu: RatingMenu, ext: str, asked: Asked, began: datetime, unfinished: Result) -> None:
        result = menu.result or unfinished
        if result is Result.DONE and (option := menu.option) is not None:
            self._post(
                CallRated(
                    call_id=asked.call_id,
                    at=self._now(),
                    agent=ext,
                    option=option.name,
                    digit=option.digit,
                    value=None if menu.value is None else f"{menu.value:.2f}",
                    group=asked.rating_group,
                    goal=option.goal,
                )
            )
        self._post(RatingAsked(call_id=asked.call_id, at=began, agent=ext, result=result.value))


class After:
    """A scope between a talk and the agent's freedom: left by the customer's hang-up, it asks the agent.

    ``over`` is told of the hang-up first, so that the customer's record is written by then. Nothing is asked of an
    agent who has gone, nor where ``talks`` was never said. A customer whom we hung up (``*2``, a supervisor) did not
    end the call himself.
    """

    def __init__(self, desk: AfterCalls | None, customer: Channel, over: Callable[[HungUp], None]) -> None:
        self._desk, self._customer, self._over = desk, customer, over
        self._agent: Channel | None = None
        self._offer: Offer | None = None
        self._asked: Asked | None = None

    def talks(self, agent: Channel, offer: Offer | None, asked: Asked) -> None:
        """Who is on the line with the customer now, and what he is asked; the last one rates."""
        self._agent, self._offer, self._asked = agent, offer, asked

    def given(self, agent: Channel, offer: Offer) -> None:
        """Another agent has the customer now, and is asked the same."""
        self._agent, self._offer = agent, offer

    def nobody(self) -> None:
        """No agent has the customer now."""
        self._agent = self._offer = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, HungUp) or error.channel is not self._customer or self._desk is None:
            return
        agent, asked, offer = self._agent, self._asked, self._offer
        gone = self._customer.gone.value
        if agent is None or asked is None or offer is None or agent.gone.happened or gone.kind is GoneKind.LOST:
            return
        by_customer = not gone.asked
        if not self._desk.wants(asked, customer_ended=by_customer):
            return
        self._over(error)
        await self._desk.after(agent, offer, asked, customer_ended=by_customer)


def _any_key(_: str) -> prompts.Match:
    return prompts.Match.COMPLETE


async def _alone(agent: Channel) -> None:
    """Out of the bridge in which the customer was; that it fails keeps nobody from being asked."""
    try:
        await agent.leave_bridge()
    except HungUp:
        raise
    except AriError as error:
        log.info("the agent is asked where he is", action="rating", channel=agent.id, reason=str(error))


async def _hush(agent: Channel) -> None:
    try:
        await agent.stop_sounds()
    except AriError as error:
        log.debug("the menu's sound goes on to its end", action="rating", reason=str(error))
