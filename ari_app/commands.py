"""The commands of one channel that is alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from ari_app.errors import AriError, Refused
from ari_app.line import Line, clean, part
from ari_app.media import Playback, Recording
from ari_app.moment import Moment
from ari_app.scope import finish

if TYPE_CHECKING:
    from ari_app.channel import Channel

TIMER_EXPIRED = 102  # Q.850
WHISPERS = "cw-whisper-"  # what the ids of channels begin with that whisper

ENTER_WAIT_SECONDS = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064)
"""Waits between tries of what a new channel refuses until it has entered its application."""

Direction = Literal["both", "in", "out", "none"]


class ChannelCommands:
    """What can be asked of a channel; ``Channel`` adds how it begins, ends and what happens to it."""

    def __init__(self, line: Line, channel_id: str) -> None:
        self.id = channel_id
        self.answered: Moment[datetime] = Moment()
        self._line = line
        self._playbacks: set[Playback] = set()
        self._recording: Recording | None = None
        self.on_bridged: list[Callable[[bool], None]] = []  # told when it is let into a bridge, or out
        self.bridge_id = ""  # of the bridge it was let into
        self._numbers = count(1)

    @property
    def _whole(self) -> Channel:
        """The channel these are the commands of."""
        raise NotImplementedError

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
        raise NotImplementedError

    async def raise_if_gone(self, refused: Refused) -> None:
        """HungUp where `refused` came because this channel has gone."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether a sound plays to it or it is being recorded: some commands wait for the end of that."""
        recording = self._recording is not None and not self._recording.finished.happened
        return recording or bool(self._playbacks)

    def tell_bridged(self, bridge_id: str) -> None:
        """It was let into a bridge, or (empty) out of one."""
        self.bridge_id = bridge_id
        for told in tuple(self.on_bridged):
            told(bool(bridge_id))

    async def leave_bridge(self) -> None:
        """Out of the bridge it is in, if any; HungUp where it has gone.

        For who is alone there and is to hear something: when a party hangs up in the very moment in which a sound for
        it reaches its bridge, Asterisk (22.10.1) keeps the channel, deaf to every hang-up, for ten minutes.
        """
        bridge_id = self.bridge_id
        if not bridge_id:
            return
        self.tell_bridged("")
        try:
            query = {"channel": self.id}
            await self._line.request("POST", f"bridges/{part(bridge_id)}/removeChannel", query=query)
        except Refused as refused:
            await self.raise_if_gone(refused)  # else it was out already

    async def stop_sounds(self) -> None:
        """Stop all that plays to it, and see it end: what began in that very moment may miss a stop."""
        for playback in list(self._playbacks):
            await playback.stop_for_sure()

    async def cut_off(self) -> None:
        """Its trunk lets no call last longer: the system ends it, and the far end is told a timer's cause."""
        whole = self._whole
        whole.is_cut_off = True
        await whole.hang_up(reason_code=TIMER_EXPIRED)

    async def answer(self) -> None:
        """Answer it. Blocks while a sound plays to the channel: answer first, then play."""
        await self.command("POST", "/answer", may_block=self.busy)
        now = self._line.now()
        self.answered.happen(now, now)

    async def ring(self) -> None:
        """Let the party hear ringback."""
        await self.command("POST", "/ring")

    async def ring_stop(self) -> None:
        """End ringback."""
        await self.command("DELETE", "/ring")

    async def start_moh(self, klass: str = "") -> None:
        """Music on hold, for a channel that is in no bridge."""
        await self.command("POST", "/moh", query={"mohClass": klass} if klass else None)

    async def stop_moh(self) -> None:
        """End the music; needed before or after joining a bridge, else it goes on there."""
        await self.command("DELETE", "/moh")

    async def hold(self) -> None:
        """Put on hold."""
        await self.command("POST", "/hold")

    async def unhold(self) -> None:
        """Take off hold."""
        await self.command("DELETE", "/hold")

    async def mute(self, direction: Direction = "both") -> None:
        """Silence it: "in" is what the party says, "out" what it hears."""
        await self.command("POST", "/mute", query={"direction": direction})

    async def unmute(self, direction: Direction = "both") -> None:
        """Undo mute."""
        await self.command("DELETE", "/mute", query={"direction": direction})

    async def send_dtmf(self, digits: str) -> None:
        """Press keys towards the party."""
        await self.command("POST", "/dtmf", query={"dtmf": digits})

    async def transfer_progress(self, state: str) -> None:
        """Tell the phone what became of its REFER: channel_progress, _answered, _unavailable or _declined."""
        await self.command("POST", "/transfer_progress", query={"states": state})

    async def set_var(self, name: str, value: str) -> None:
        """Set a channel variable or function. Blocks while a sound plays to the channel."""
        query = {"variable": name, "value": clean(name, value)}
        await self.command("POST", "/variable", query=query, may_block=self.busy)

    async def get_var(self, name: str) -> str:
        """A channel variable or function; empty where it is not set."""
        try:
            reply = await self.command("GET", "/variable", query={"variable": name})
        except Refused as refused:
            if refused.status != 404:
                raise
            return ""
        return str(reply["value"]) if isinstance(reply, dict) and "value" in reply else ""

    async def subscribe(self) -> None:
        """Get all its events, ChannelDestroyed too: needed for channels that came from the dialplan."""
        query = {"eventSource": f"channel:{self.id}"}
        try:
            await self._line.request("POST", f"applications/{part(self._line.app)}/subscription", query=query)
        except Refused as refused:
            await self.raise_if_gone(refused)
            raise

    async def play(self, *media: str) -> Playback:
        """Play sounds to this party, one after the other; in a bridge it then hears nobody else."""
        playback = Playback(self._line, f"{self.id}.p{next(self._numbers)}", media, self._whole)
        self._playbacks.add(playback)
        playback.finished.add_done_callback(lambda _: self._playbacks.discard(playback))
        if playback.finished.happened:
            return playback
        try:
            await self.command("POST", f"/play/{part(playback.id)}", body={"media": list(media)})
        except AriError:
            playback.finish("gone")
            raise
        return playback

    def stop_soon(self, playback: Playback) -> None:
        """Stop a sound from a task of the client's: for code that is being cancelled."""
        self._line.spawn(playback.stop(), f"stop {playback.id}")

    async def record(self, name: str, *, file_format: str = "wav", query: Mapping[str, str] | None = None) -> Recording:
        """Record what this party says; its other commands block meanwhile, so prefer the bridge's."""
        recording = Recording(self._line, name)
        wanted = {"name": name, "format": file_format, "ifExists": "overwrite", **(query or {})}
        try:
            await self.command("POST", "/record", query=wanted)
        except AriError:
            self._line.recordings.pop(name, None)
            raise
        self._recording = recording
        return recording

    async def whisper(self, media: str, seconds: float) -> None:
        """Mix a sound into what this party hears, for `seconds` at most; what others say goes on. Returns at its end.

        It is heard as soon as there is anything else to be heard. A channel of its own carries it, of which no
        events are sent.
        """
        name = f"{WHISPERS}{self.id}.{next(self._numbers)}"
        path = f"channels/{part(name)}"
        try:
            await self.command("POST", f"/snoop/{part(name)}", query={"whisper": "out", "app": self._line.quiet_app})
            await self._play_soon(f"{path}/play", media)
            await asyncio.sleep(seconds)
        finally:
            await finish(self._end_whisper(path))

    async def _play_soon(self, path: str, media: str) -> None:
        """Play as soon as the channel has entered its application; until then Asterisk says 409."""
        for wait in ENTER_WAIT_SECONDS:
            try:
                await self._line.request("POST", path, body={"media": [media]})
                return
            except Refused as refused:
                if refused.status != 409:
                    raise
            await asyncio.sleep(wait)

    async def _end_whisper(self, path: str) -> None:
        try:
            await self._line.request("DELETE", path)
        except Refused as refused:
            if refused.status != 404:
                raise

    async def snoop(
        self,
        snoop_id: str,
        *,
        spy: Direction = "none",
        whisper: Direction = "none",
        app_args: Sequence[str] = (),
    ) -> Channel:
        """A channel that listens (`spy`) or speaks (`whisper`) into this one; it enters our application."""
        snoop = self._line.channel(snoop_id)
        snoop.uncertain = True  # until it enters
        query = {"spy": spy, "whisper": whisper, "app": self._line.app, "appArgs": ",".join(app_args)}
        try:
            await self.command("POST", f"/snoop/{part(snoop_id)}", query=query)
        except AriError:
            snoop.lost()
            raise
        return snoop
