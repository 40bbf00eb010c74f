"""Lines of the trunks and the channels on them: taken before the dial, given back when the channel has gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from ari_app.channel import Channel
from ari_app.gone import Gone, GoneKind
from ari_app.services import Services
from ari_app.snapshot import Snapshot
from contact_center.trunks import LINE_SECONDS, Line

TRUNKS = "PJSIP/callwright-trunk-"
"""What the name of a channel begins with that is on one of our trunks; the trunk's own name follows."""
SILENT_SECONDS = 25.0
"""A trunk that has said nothing for so long has swallowed the call (RFC 3261's timer B is 32 s)."""
_SERVICE_UNAVAILABLE = 503
_NO_ANSWER_AT_ALL = (None, 408), (None, 18, 19)  # what Asterisk says itself when timer B has run out


async def take_line(env: Services, channel: Channel, names: Sequence[str], within: float = LINE_SECONDS) -> str:
    """A line for a channel that is to be dialled at once: the trunk's name, which the dial string is then made for.

    The line is given back when the channel has gone, which whoever dials sees to. Raises NoLine.
    """
    line = await env.trunks.line(names, channel.id, within)
    _keep(env, line, channel)
    return line.trunk


def hold_arrival(env: Services, channel: Channel) -> None:
    """A caller is on a trunk: he takes one of its lines, whatever the limits."""
    _hold(env, channel, inbound=True)


def hold_found(env: Services, snapshot: Snapshot, campaigns: Collection[str]) -> None:
    """Calls of an earlier process take lines too; ``campaigns``: channels that are counted by the dialer."""
    for channel_id in snapshot.channels:
        channel = env.ari.find(channel_id)
        if channel is not None and not channel.gone.happened and channel_id not in campaigns:
            _hold(env, channel, inbound=not channel_id.startswith("cw-"))


def trunk_of(name: str) -> str:
    """The trunk that a channel is on, by the channel's name; empty where it is on none."""
    return name.removeprefix(TRUNKS).rpartition("-")[0] if name.startswith(TRUNKS) else ""


def _hold(env: Services, channel: Channel, *, inbound: bool) -> None:
    name = trunk_of(channel.info.name) if channel.info is not None else ""
    line = env.trunks.hold(name, channel.id, inbound=inbound)
    if line is not None:
        _keep(env, line, channel)


def _keep(env: Services, line: Line, channel: Channel) -> None:
    began = env.clock.monotonic()

    def carries(_: object) -> None:
        line.carries()

    def answered(_: object) -> None:
        line.carries()
        line.answered(_created(channel))

    def over(_: object) -> None:
        gone = channel.gone.value
        line.give_back()
        if not line.inbound and not channel.answered.happened:
            _judge(line, gone, channel, env.clock.monotonic() - began)

    if not line.inbound:  # a caller who comes in proves nothing of calls that go out
        channel.ringing.add_done_callback(carries)
        channel.answered.add_done_callback(answered)
    channel.gone.add_done_callback(over)


def _created(channel: Channel) -> datetime | None:
    """When Asterisk made the channel, which is a little before its answer."""
    try:
        return datetime.fromisoformat(channel.info.created_at).astimezone(UTC) if channel.info is not None else None
    except ValueError:
        return None


def _judge(line: Line, gone: Gone, channel: Channel, waited: float) -> None:
    """What the end of a call that nobody answered says of its trunk."""
    codes, causes = _NO_ANSWER_AT_ALL
    if gone.kind is not GoneKind.DESTROYED or channel.ringing.happened:
        return
    if gone.tech_cause == _SERVICE_UNAVAILABLE and not gone.asked:
        line.failed("answers 503")
    elif waited >= SILENT_SECONDS and (gone.asked or (gone.tech_cause in codes and gone.cause in causes)):
        line.failed("does not answer")
    elif gone.tech_cause is not None and not gone.asked:
        line.carries()
