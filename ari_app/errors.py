"""What can go wrong between us and Asterisk, drawn as a tree.

    CallwrightError
    └── AriError
        ├── AriDown      not sent: there is no way to Asterisk now            (also Unreachable)
        ├── Uncertain    sent, and nobody knows what came of it
        ├── Refused      Asterisk answered with an HTTP status that says no
        ├── HungUp       the channel this coroutine lives for has gone
        └── NoAnswer     a channel we dialled ended before it answered

``Uncertain`` is never to be read as "it did not happen": a call may be ringing. Statuses that only mean
"this channel is dead" become ``HungUp`` in channel.py and bridge.py, nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contact_center.errors import CallwrightError, Unreachable

if TYPE_CHECKING:
    from ari_app.channel import Channel, Gone


class AriError(CallwrightError):
    """Something between us and Asterisk failed."""


class AriDown(AriError, Unreachable):
    """There is no way to Asterisk now; the command was not sent."""


class Uncertain(AriError):
    """The command was sent and its reply never came, so it may or may not have been done."""

    def __init__(self, method: str, path: str, why: str) -> None:
        super().__init__(f"Asterisk was sent {method} {path} and it is not known what came of it: {why}.")
        self.method, self.path, self.why = method, path, why


class Refused(AriError):
    """Asterisk answered, and said no."""

    def __init__(self, status: int, message: str, method: str = "", path: str = "") -> None:
        super().__init__(f"Asterisk refuses {method} {path}: {status} {message}".replace("  ", " "))
        self.status, self.message, self.method, self.path = status, message, method, path


class HungUp(AriError):
    """The channel has gone: hung up, or taken out of our hands."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(f"Channel {channel.id} has gone.")
        self.channel = channel


class NoAnswer(AriError):
    """A channel we dialled ended before it answered."""

    def __init__(self, channel: Channel, gone: Gone) -> None:
        super().__init__(f"Channel {channel.id} ended unanswered: cause {gone.cause}, SIP {gone.tech_cause}.")
        self.channel, self.gone = channel, gone
