"""What the scripts say: own recordings where there are any, else Asterisk's core sounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from agi_scripts.session import AgiSession

OWN_FOLDER = "callwright"
RETRY_SECONDS = 60.0

CORE_SOUNDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "agent-online": ("agent-loginok",),  # "Agent logged in."
        "agent-offline": ("agent-loggedoff",),  # "Agent logged off."
        "agent-paused": ("dictate/paused",),  # "Paused."
        "agent-unpaused": ("dictate/pause", "de-activated"),  # "Pause, de-activated."
        "agent-status-offline": ("agent-loggedoff",),
        "agent-status-idle": ("agent-loginok",),
        "agent-status-offered": ("agent-loginok", "calling"),
        "agent-status-talking": ("spy-agent", "is-in-use"),
        "agent-status-wrap_up": ("agent-loginok", "info-about-last-call"),
        "agent-status-paused": ("spy-agent", "dictate/paused"),
        "agent-status-unreachable": ("spy-agent", "vm-isunavail"),
        "agent-unknown": ("beeperr", "vm-incorrect"),  # "Login incorrect."
        "agent-refused": ("beeperr", "feature-not-avail-line"),  # "... not available on this line."
    }
)


class Voice:
    """Says phrases, and remembers which own recordings are missing so as not to ask for them at each call.

    Asterisk writes a warning whenever a sound is not there; a missing one is asked for again after a minute.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._missing_until: dict[str, float] = {}

    async def say(self, session: AgiSession, phrase: str) -> None:
        """Play one phrase of CORE_SOUNDS. Sounds that are missing are passed over.

        Raises AgiHungUp when the channel goes meanwhile.
        """
        if self._missing_until.get(phrase, 0.0) <= self._monotonic():
            if await session.stream_file(f"{OWN_FOLDER}/{phrase}"):
                return
            self._missing_until[phrase] = self._monotonic() + RETRY_SECONDS
        for sound in CORE_SOUNDS[phrase]:
            await session.stream_file(sound)
