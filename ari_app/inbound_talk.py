"""Customer and agent hear each other: both are welcomed, the agent's codes are obeyed, until one of them leaves.

The agent may consult somebody and give the customer away; then the talk goes on with whoever has him.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from ari_app import prompts, talks
from ari_app.after_call import After
from ari_app.agent_keys import Action, ConsultWith, Dispose, ForceHangUp, InConsult, PassOn, obeyed_keys, pass_on
from ari_app.agent_leg import AdoptedLeg, DialledLeg, Leg, NotTaken
from ari_app.agent_line import LineLeg
from ari_app.bridge import Bridge
from ari_app.channel import Channel
from ari_app.consult import Consult, tell_phone
from ari_app.consult_words import Back, Given, Talking, Unserved
from ari_app.errors import AriError, HungUp
from ari_app.events import ChannelTransfer
from ari_app.moment import Moment
from ari_app.parting import other_left
from ari_app.phone_consult import PhoneConsult
from ari_app.queue_music import Music
from ari_app.recording import TapeOrder, ToRecord
from ari_app.scope import finish
from ari_app.services import Services
from ari_app.transfer import Reached, Target, TargetKind, Wish
from contact_center import story
from contact_center.crash_points import reached
from contact_center.errors import CallwrightError
from contact_center.store.talk_facts import TalkMoved
from contact_center.story_kept import to_keep
from contact_center.terms import Party

SORRY = ("sound:im-sorry", "sound:please-try-call-later", "sound:goodbye")
"""What a customer hears whom nobody took after his agent had gone, and who has no queue to go back to."""
Moved = Callable[[datetime, Reached], None]

log = structlog.get_logger(__name__)


def _unheard(_at: datetime, _to: Reached) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Whom the agent wants to consult, or to give the customer to."""

    target: Target
    give: bool = False
    phone: Channel | None = None  # the second call of his phone, in which he consults


class Talk:
    """One talk of one customer; ``agent`` is the extension of who talks to him.

    ``side`` holds whoever talks to him: the agent, who is let go when he gives the customer away, and then the next
    one. It ends after ``after``, whose agent is the last one. ``moved`` is told who has the customer then, ``wrap_up``
    are the seconds that agent has afterwards. ``music`` is the class that a customer hears who is on hold, ``record``
    says whether the talk is recorded.
    """

    def __init__(
        self,
        env: Services,
        caller: Channel,
        calls: story.CallLog,
        agent: str,
        *,
        side: AsyncExitStack,
        after: After | None = None,
        moved: Moved = _unheard,
        wrap_up: float = 0.0,
        music: str = "",
        record: ToRecord | None = None,
    ) -> None:
        self._env, self._caller, self._log, self._agent = env, caller, calls, agent
        self._side, self._after = side, after
        self._moved, self._wrap_up, self._music, self._record = moved, wrap_up, music, record
        self._consult: Consult | None = None
        self._wishes: asyncio.Queue[_Wanted | None] = asyncio.Queue()
        self._name = self._name_of(agent)
        self.refused_by = ""
        """The agent who gave the customer away, was rung again for him and did not take him."""

    def _name_of(self, ext: str) -> str:
        seat = self._env.roster.get(ext)
        return seat.name if seat else ext

    # -- the story ------------------------------------------------------------------------------------

    async def until_over(self, leg: Leg, *, may_force: bool, welcome: tuple[str, ...]) -> bool:
        """Until whoever talks to him leaves; that the customer leaves is his own scope's matter.

        False where he is still there with music, and nobody has him: an agent gave him away to somebody who did not
        take him, and did not come back for him either.
        """
        words: asyncio.Task[bool] | None = None
        if welcome:
            said = self._say(leg, welcome, "welcome_message")
            words = asyncio.create_task(said, name=f"welcome {self._caller.id}")
        try:
            with self._recorded(leg, words):
                return await self._through(leg, may_force)
        finally:
            reached("talk_over")
            if words is not None:
                words.cancel()
                await finish(_ended(words))

    async def _through(self, leg: Leg, may_force: bool) -> bool:
        """One after the other talks to him."""
        while True:
            end = await self._with(leg, may_force)
            if isinstance(end, Unserved):
                self._asks(None)
                end = await self._recall()
                if end is None:
                    return False
            if end is None:
                other_left(leg.channel, self._now(), self._log)
                return True
            leg = end.leg
            self._agent, self._name = end.agent, end.name
            if end.offer is not None:
                end.offer.connected(self._wrap_up)
            self._asks(end)
            self._moved(self._now(), end)
            self._env.post(TalkMoved(call_id=self._log.header.id, talk=to_keep(self._log)))

    def _asks(self, to: Reached | None) -> None:
        """Who is asked when the customer has gone: the agent who has him, but nobody outside."""
        if self._after is None:
            return
        if to is None or to.offer is None:
            self._after.nobody()
        else:
            self._after.given(to.leg.channel, to.offer)

    async def _with(self, leg: Leg, may_force: bool) -> Reached | Unserved | None:
        """Until this one leaves (None), or the customer is another's, or nobody's."""
        if not self._agent:
            await leg.channel.left()
            return None
        self._wishes = asyncio.Queue()
        both = Talking(self._caller, leg.channel, _where(leg, self._env), self._name, self._side.aclose)
        consulting = self._is_consulting if self._env.targets is not None else None
        async with obeyed_keys(leg.channel, self._obey, may_force=may_force, consulting=consulting):
            hang_up = partial(self._hung_up_by_command, leg, may_force)
            found = talks.Talking(self._log.header.id, self._caller, leg, self._agent, hang_up, self._also_calls)
            with self._heard_of(leg.channel), talks.talking(self._env, found), self._no_call_left():
                while (wish := await self._wishes.get()) is not None:
                    end = await self._consulted(both, wish)
                    if not isinstance(end, Back):
                        return end
        return None

    @contextmanager
    def _heard_of(self, agent: Channel) -> Iterator[None]:
        """While the block lasts, the agent's end and his wish to transfer are put among the wishes."""
        targets = self._env.targets

        def gone(_: object) -> None:
            self._wishes.put_nowait(None)

        def refers(wanted: asyncio.Future[ChannelTransfer]) -> None:
            agent.transfer_wanted = Moment()
            agent.transfer_wanted.add_done_callback(refers)
            event = wanted.result()
            if event.replaces and isinstance(self._consult, PhoneConsult) and self._consult.give(agent, event):
                return
            if targets is None or event.replaces or self._consult_lasts() or not event.destination:
                self._env.ari.spawn(tell_phone(agent, "channel_declined"), f"no transfer {agent.id}")
            else:
                self._wishes.put_nowait(_Wanted(targets.find(event.destination), give=True))

        agent.gone.add_done_callback(gone)
        agent.transfer_wanted.add_done_callback(refers)
        try:
            yield
        finally:
            agent.gone.remove_done_callback(gone)
            agent.transfer_wanted.remove_done_callback(refers)

    def _consult_lasts(self) -> bool:
        return self._consult is not None and not self._consult.is_over

    def _also_calls(self, phone: Channel, digits: str) -> bool:
        """A second call of his phone begins a consult, unless one goes on or is wished for."""
        targets = self._env.targets
        if targets is None or self._consult_lasts() or not self._wishes.empty():
            return False
        self._wishes.put_nowait(_Wanted(targets.find(digits), phone=phone))
        return True

    @contextmanager
    def _no_call_left(self) -> Iterator[None]:
        """After the block no call of his phone waits for a consult that will never be."""
        wishes = self._wishes
        try:
            yield
        finally:
            while not wishes.empty():
                if (wish := wishes.get_nowait()) is not None and wish.phone is not None:
                    self._env.ari.spawn(wish.phone.hang_up(), f"no consult {wish.phone.id}")

    async def _consulted(self, both: Talking, wanted: _Wanted) -> Reached | Unserved | Back:
        header = self._log.header
        wish = Wish(header.id, header.caller_number, both.customer)
        if wanted.phone is not None:
            self._consult = PhoneConsult(self._env, both, self._log, self._music, phone=wanted.phone)
        else:
            self._consult = Consult(self._env, both, self._log, self._music, give=wanted.give)
        try:
            end = await self._consult.live(wanted.target, wish)
        finally:
            self._consult = None
        if not isinstance(end, Given):
            return end
        self._side.push_async_exit(end.side)
        return end.to

    async def _recall(self) -> Reached | None:
        """The agent who gave him away is rung once more, and nobody else."""
        if self._env.targets is None:
            return None
        header = self._log.header
        try:
            wish = Wish(header.id, header.caller_number, self._caller)
            to = await self._env.targets.reach(Target(TargetKind.AGENT, self._agent), wish, self._side)
            await to.leg.join(self._caller)
            await Music(self._caller, on=True).stop()
        except (NotTaken, AriError) as failure:
            if isinstance(failure, HungUp) and failure.channel is self._caller:
                raise
            log.info("nobody has the customer", action="consult", call_id=header.id, reason=str(failure))
            self.refused_by = "" if str(failure) == "busy" else self._agent
            await self._side.aclose()
            return None
        self._log.add(story.Connected(self._now(), to.name))
        return to

    def _is_consulting(self) -> bool:
        return self._consult is not None

    # -- what else ------------------------------------------------------------------------------------

    async def _say(self, leg: Leg, media: tuple[str, ...], word: str) -> bool:
        """A short message to both, as soon as they hear each other; whether they heard it."""
        if not media:
            return False
        began, heard = self._now(), True
        try:
            heard = await prompts.play(_where(leg, self._env), *media)
        finally:
            if heard:
                gone = self._caller.gone
                until = gone.value.at if gone.happened else self._now()
                self._log.add(story.Announced(began, until, word))
        return heard

    def _recorded(self, leg: Leg, words: asyncio.Task[bool] | None) -> AbstractContextManager[None]:
        """The talk is recorded while the block lasts, from the end of what both are told."""
        tapes, rules, header = self._env.tapes, self._record, self._log.header
        if tapes is None or rules is None or not rules.record:
            return nullcontext()

        async def announce() -> bool:
            if words is not None:
                await asyncio.wait([words])
            media = await tapes.announcement(rules.record_announcement, header.language)
            return await self._say(leg, media, "record_announcement")

        was_told = any(said.word == "record_announcement" for said in self._log.all(story.Announced))
        wanted = announce if rules.record_announcement and not was_told else None
        return tapes.recording(TapeOrder(header.id, self._caller, wanted, adopted=isinstance(leg, AdoptedLeg)))

    async def _obey(self, action: Action) -> None:
        match action:
            case PassOn(keys):
                for party in self._consult.listeners if self._consult is not None else [self._caller]:
                    await pass_on(party, keys)
            case ForceHangUp():
                self._log.add(story.Forced(self._now()))
                self._log.add(story.Left(self._now(), Party.AGENT))
                await self._caller.hang_up()
            case Dispose(code):
                await self._dispose(code)
            case ConsultWith(digits) if self._consult is None and self._env.targets is not None:
                self._wishes.put_nowait(_Wanted(self._env.targets.find(digits)))
            case InConsult() if self._consult is not None:
                self._consult.key(action)

    async def _hung_up_by_command(self, leg: Leg, may_force: bool) -> None:
        """The agent ends it without his phone: as by `*2` where he may, else as if he hung up."""
        stays = isinstance(leg, LineLeg)  # his line is up anyway
        if may_force and (stays or self._consult is None):
            await self._obey(ForceHangUp())
        else:
            await leg.channel.hang_up()

    async def _dispose(self, code: str) -> None:
        call_id = self._log.header.id
        try:
            await self._env.dispose(call_id, code, f"agent:{self._agent}")
        except CallwrightError as error:
            log.info("disposition refused", action="dispose", call_id=call_id, reason=str(error))

    def _now(self) -> datetime:
        return self._env.clock.now()


async def say_sorry(caller: Channel) -> None:
    """The end for a customer whom nobody took: he hears why, and is not left in silence."""
    await Music(caller, on=True).stop()
    with suppress(AriError):
        await caller.leave_bridge()
        await prompts.play(caller, *SORRY)


def _where(leg: Leg, env: Services) -> Bridge:
    match leg:
        case DialledLeg() | LineLeg():
            return leg.bridge
    return env.ari.bridge(leg.bridge_id)


async def _ended(task: asyncio.Task[bool]) -> None:
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("no welcome message", action="queue", reason=str(error))
