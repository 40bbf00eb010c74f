"""One party's connection. The handle exists before anything is sent, so that no event is ever missed.

Life of a handle: staged (``ari.channel(id)``), then originated, or entered from the dialplan, then gone.
Statuses that mean "this channel is dead" (404, and 400, 409, 412, 422 once looked into) become HungUp here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import structlog

from ari_app.commands import ChannelCommands
from ari_app.errors import AriDown, AriError, HungUp, Refused, Uncertain
from ari_app.events import (
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelInfo,
    ChannelTalking,
    ChannelTransfer,
    Dial,
    Event,
    StasisStart,
    channel_info,
)
from ari_app.gone import Entered, Gone, GoneKind
from ari_app.line import Line, clean, part, printable
from ari_app.media import Digit, Keys
from ari_app.moment import Moment
from ari_app.on_hold import OnHold
from ari_app.voice import Voice

GONE_SECONDS = 1.0
"""After a status that may mean "dead", the event that proves it is given this long (measured: 2 ms, more where many
hang up at once; LEFT_SECONDS have to fit in)."""
LEFT_SECONDS = 0.2
"""After StasisEnd, ChannelDestroyed with its cause is given this long (measured: 2 ms)."""
HANG_UP_SECONDS = 1.0
"""Deadline of a hang-up's own command; beyond it the client goes on trying by itself."""

__all__ = ["Channel", "Entered", "Gone", "GoneKind"]

log = structlog.get_logger(__name__)


class Channel(ChannelCommands):
    """A party's connection, by an id of our choice."""

    def __init__(self, line: Line, channel_id: str) -> None:
        self.info: ChannelInfo | None = None
        self.entered: Moment[Entered] = Moment()
        self.ringing: Moment[datetime] = Moment()
        self.hangup_requested: Moment[ChannelHangupRequest] = Moment()
        self.transfer_wanted: Moment[ChannelTransfer] = Moment()
        self.gone: Moment[Gone] = Moment()
        self.asked_to_end = self.is_cut_off = False
        self.placing: asyncio.Task[None] | None = None
        self.uncertain, self.voice, self.on_hold = False, Voice(), OnHold()
        super().__init__(line, channel_id)
        self._why, self._continued = dict[str, str](), False
        self._leaving: asyncio.TimerHandle | None = None
        self._keys: set[Callable[[Digit | None], None]] = set()

    def __repr__(self) -> str:
        return f"<Channel {self.id}>"

    @property
    def _whole(self) -> Channel:
        return self

    # -- what Asterisk tells us; any order, any number of times, must end in the same state ------------------

    def on_event(self, event: Event) -> None:
        """Take in one event about this channel."""
        now, came_late = self._line.now(), self.asked_to_end and self.uncertain
        match event:
            case StasisStart():
                self.on_entered(event.args, event.channel, now)
            case Dial(status="RINGING" | "PROGRESS"):
                self.ringing.happen(now, now)
            case Dial(status="ANSWER"):
                self.answered.happen(now, now)
            case ChannelDestroyed():
                self._end(GoneKind.DESTROYED, event.cause, event.tech_cause)
            case ChannelHangupRequest():
                self.hangup_requested.happen(event, now)
            case ChannelDtmfReceived():
                for take in tuple(self._keys):
                    take(Digit(event.digit, now, event.duration_ms))
            case ChannelTransfer():
                self.transfer_wanted.happen(event, now)
            case ChannelTalking():
                self.voice.becomes(talking=event.type == "ChannelTalkingStarted", duration_ms=event.duration_ms)
            case Event(type="ChannelHold" | "ChannelUnhold"):
                self.on_hold.becomes(held=event.type == "ChannelHold")
            case Event(type="StasisEnd"):
                self._on_left_stasis()
        if came_late:
            self._line.owe(self)  # an uncertain originate did reach Asterisk after all

    def on_entered(self, args: tuple[str, ...], info: ChannelInfo | None, at: datetime) -> None:
        """It is in our application, with `args`."""
        if info is not None:
            self.info = info
            if info.state == "Up":
                self.answered.happen(at, at)
        self._continued = self.uncertain = False
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        self.entered.happen(Entered(args, at), at)

    def _on_left_stasis(self) -> None:
        if self._continued or self._leaving is not None or self.gone.happened:
            return
        loop = asyncio.get_running_loop()
        self._leaving = loop.call_later(LEFT_SECONDS, self._end, GoneKind.LEFT)

    @property
    def sent(self) -> bool:
        """Whether Asterisk should know of it: it entered, or an originate was answered with yes."""
        if self.placing is not None:
            return self.placing.done() and not self.uncertain
        return self.entered.happened or self._continued or self.info is not None

    def settle(self, info: ChannelInfo | None) -> None:
        """Take over what a list of Asterisk says of it; None: it is not there."""
        if info is None:
            self.lost()
            return
        now = self._line.now()
        self.info = info
        if info.state in ("Ringing", "Up"):
            self.ringing.happen(now, now)
        if info.state == "Up":
            self.answered.happen(now, now)
        if info.in_stasis:
            self.on_entered(info.app_args, info, now)
        elif self.entered.happened and not self._continued:
            self._end(GoneKind.LEFT)

    def lost(self) -> None:
        """It is no longer there, and we were not told."""
        self._end(GoneKind.LOST)

    def left_stasis_unseen(self) -> None:
        """It lives on, but not in our application, and we were not told."""
        if not self._continued:
            self._end(GoneKind.LEFT)

    def _end(self, kind: GoneKind, cause: int | None = None, tech_cause: int | None = None) -> None:
        now = self._line.now()
        if not self.gone.happen(Gone(kind, now, cause, tech_cause, self.asked_to_end, self.is_cut_off), now):
            return
        if self._leaving is not None:
            self._leaving.cancel()
        self._line.forget(self)
        for take in tuple(self._keys):
            take(None)
        for playback in list(self._playbacks):
            playback.finish("gone")

    # -- beginning and end -----------------------------------------------------------------------------------

    async def originate(
        self,
        endpoint: str,
        *,
        ring_seconds: float,
        app_args: Sequence[str] = (),
        caller_id: str = "",
        variables: Mapping[str, str] | None = None,
        originator: str | None = None,
        formats: str | None = None,
        app: str = "",
    ) -> None:
        """Dial `endpoint`; when it answers, the channel enters our application (or `app`) with `app_args`.

        Raises AriDown (not sent; also while events are not proven to come, since Asterisk would ring a
        customer for nobody), Refused (no such endpoint, ...) or Uncertain. The command runs to its end even
        if this task is cancelled meanwhile; the channel must be hung up by its owner in every case.
        """
        body = self._originate_body(endpoint, ring_seconds, app_args, caller_id, variables)
        more = {"originator": originator, "formats": formats, "app": app}
        body |= {key: value for key, value in more.items() if value}
        await self._place("channels", body)

    def _originate_body(
        self,
        endpoint: str,
        ring_seconds: float,
        app_args: Sequence[str],
        caller_id: str,
        variables: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        if any("," in arg for arg in app_args):
            raise ValueError(f"An application argument must not hold a comma: {list(app_args)!r}.")
        body: dict[str, Any] = {
            "endpoint": clean("endpoint", endpoint),
            "channelId": self.id,
            "app": self._line.app,
            "appArgs": clean("application arguments", ",".join(app_args)),
            "timeout": max(1, round(ring_seconds)),
        }
        if caller_id:
            body["callerId"] = printable(caller_id)
        if variables:
            body["variables"] = {name: clean(f"variable {name}", value) for name, value in variables.items()}
        return body

    async def _place(self, path: str, body: Mapping[str, Any]) -> None:
        """Send it; goes on by itself where its caller is cancelled, since its outcome must become known."""
        self.placing = self._line.spawn(self._send(path, body), f"place {self.id}")
        await asyncio.shield(self.placing)

    async def _send(self, path: str, body: Mapping[str, Any]) -> None:
        if not self._line.live:
            raise self._not_placed(AriDown("It is not proven that Asterisk's events reach us."))
        try:
            await self._line.request("POST", path, body=body)
        except AriDown as down:
            raise self._not_placed(down) from None
        except Refused as refused:
            # A 409 is no proof: on a connection that saw one, Asterisk says it of unknown endpoints too.
            if refused.status == 409 and await self._exists():
                return
            raise self._not_placed(refused) from None
        except Uncertain:
            self.uncertain = True
            if await self._exists(sure=False):
                self.uncertain = False
                return
            raise

    def _not_placed(self, error: AriError) -> AriError:
        log.warning("not dialled", action="dial", channel=self.id, error=str(error))
        self._end(GoneKind.REFUSED)
        return error

    async def _exists(self, *, sure: bool = True) -> bool:
        """Whether Asterisk has this channel; where it cannot be asked, Uncertain or (not `sure`) False."""
        try:
            await self._line.request("GET", f"channels/{part(self.id)}")
        except Refused:
            return False
        except AriError as error:
            if not sure:
                return False
            self.uncertain = True
            raise Uncertain("GET", f"channels/{self.id}", str(error)) from None
        return True

    async def hang_up(self, *, reason_code: int | None = None) -> None:
        """End it; the first says why. Never raises: what cannot be done now is owed by the client, until it can be."""
        if self.gone.happened:
            return
        if self.placing is None and not self.sent and not self.uncertain:
            self._end(GoneKind.REFUSED)  # staged, and nothing ever sent
            return
        if not self.asked_to_end and reason_code is not None:  # Asterisk takes the latest until it has obeyed
            self._why = {"reason_code": str(reason_code)}
        self.asked_to_end = True
        sure = False
        try:
            if self.placing is not None and not self.placing.done():
                # The two commands may travel on different sockets: a hang-up that overtakes the dial is lost.
                await asyncio.wait([self.placing], timeout=HANG_UP_SECONDS)
            if self.placing is None or self.placing.done():
                sure = await self.try_hang_up()
        finally:
            if not sure:  # also where we are cancelled here
                self._line.owe(self)

    async def try_hang_up(self) -> bool:
        """Send one hang-up; whether it is certain that the channel ends or has ended."""
        if self.gone.happened:
            return True
        try:
            await self._line.request("DELETE", f"channels/{part(self.id)}", query=self._why, within=HANG_UP_SECONDS)
        except Refused as refused:
            if refused.status != 404:
                log.warning("a hang-up was refused", action="hang_up", channel=self.id, error=str(refused))
                return False
            if self.uncertain:
                return False
            await self.gone_within(GONE_SECONDS)
            self.lost()
        except (AriDown, Uncertain):
            return self.gone.happened
        return True

    async def left(self) -> Gone:
        """Wait for its end."""
        return await self.gone

    async def gone_within(self, seconds: float) -> bool:
        """Wait for its end, `seconds` at most; whether it came."""
        try:
            async with asyncio.timeout(seconds):
                await self.gone
        except TimeoutError:
            return self.gone.happened
        return True

    # -- commands --------------------------------------------------------------------------------------------

    async def command(
        self,
        method: str,
        tail: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        within: float | None = None,
        may_block: bool = False,
    ) -> Any:
        """Any command on this channel; HungUp where it has gone, else as ``Line.request``."""
        if self.gone.happened:
            raise HungUp(self)
        path = f"channels/{part(self.id)}{tail}"
        try:
            return await self._line.request(method, path, query=query, body=body, within=within, may_block=may_block)
        except Refused as refused:
            await self.raise_if_gone(refused)
            raise

    async def raise_if_gone(self, refused: Refused) -> None:
        """HungUp where `refused` came because this channel has gone; looked into, not guessed."""
        if refused.status not in (400, 404, 409, 412, 422):
            return
        if self.gone.happened or (refused.status == 404 and await self.gone_within(GONE_SECONDS)):
            raise HungUp(self)
        try:
            info = channel_info(await self._line.request("GET", f"channels/{part(self.id)}"))
        except Refused as second:
            if second.status != 404:
                return
            if refused.status == 404 or not await self.gone_within(GONE_SECONDS):
                self.lost()
            raise HungUp(self) from None
        except (AriError, KeyError, TypeError):
            return
        if self.entered.happened and not info.in_stasis:
            await self.gone_within(LEFT_SECONDS)
            self.left_stasis_unseen()
        if self.gone.happened:
            raise HungUp(self)

    async def create(
        self, endpoint: str, *, app_args: Sequence[str] = (), variables: Mapping[str, str] | None = None
    ) -> None:
        """Make the channel without dialling it: it enters our application unanswered, for ``dial``."""
        body = self._originate_body(endpoint, 1, app_args, "", variables)
        del body["timeout"]
        await self._place("channels/create", body)
        # Dialled before it is in Stasis it would be refused and stay Down for ever.
        async with asyncio.timeout(HANG_UP_SECONDS):
            await self.entered

    async def dial(self, *, ring_seconds: float, caller: str | None = None) -> None:
        """Dial a channel made by ``create``."""
        query = {"timeout": str(max(1, round(ring_seconds)))}
        if caller is not None:
            query["caller"] = caller
        await self.command("POST", "/dial", query=query)

    async def continue_in_dialplan(self, context: str, extension: str = "s", priority: int = 1) -> None:
        """Hand it to the dialplan. `entered` is a fresh Moment afterwards: it may come back with new args."""
        before, self._continued, self.entered = self.entered, True, Moment()
        query = {"context": context, "extension": extension, "priority": str(priority)}
        try:
            await self.command("POST", "/continue", query=query)
        except Refused:
            self._continued, self.entered = False, before
            raise

    @contextmanager
    def listen_dtmf(self) -> Iterator[Keys]:
        """The party's keys from now on, as ``Keys``; any number of listeners at once."""
        keys = Keys(self)
        with self.on_keys(keys.put):
            yield keys

    @contextmanager
    def on_keys(self, take: Callable[[Digit | None], None]) -> Iterator[None]:
        """While the block lasts, call `take` with each key of the party, and with None when it has gone."""
        if self.gone.happened:
            take(None)
        self._keys.add(take)
        try:
            yield
        finally:
            self._keys.discard(take)
