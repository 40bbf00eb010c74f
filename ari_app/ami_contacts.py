"""Which endpoints can be reached, folded from the AMI events that tell of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_DEVICE = {"UNAVAILABLE": False, "INVALID": False, "NOT_INUSE": True}
_PEER = {"Unreachable": False, "Unregistered": False, "Reachable": True, "Registered": True}


class Contacts:
    """Reachable or not, by endpoint (``PJSIP/1001``).

    PeerStatus and DeviceStateChange speak of the endpoint as a whole. ContactStatus speaks of one of its
    phones and is left out: when one of two phones goes, the endpoint can still be reached, and whenever the
    last one goes Asterisk sends PeerStatus too.
    """

    def __init__(self) -> None:
        self.reachable: dict[str, bool] = {}
        self.listeners: list[Callable[[str, bool], None]] = []

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Take in PeerStatus or DeviceStateChange; other events change nothing."""
        match event.get("Event"):
            case "PeerStatus":
                self._learn(str(event.get("Peer")), _PEER.get(str(event.get("PeerStatus"))))
            case "DeviceStateChange":
                self._learn(str(event.get("Device")), _DEVICE.get(str(event.get("State"))))

    def _learn(self, endpoint: str, reachable: bool | None) -> None:
        if not endpoint.startswith("PJSIP/"):
            return
        if reachable is None:
            # In use, ringing, on hold: that says nothing of its registration, but it was there a moment ago.
            reachable = self.reachable.get(endpoint, True)
        if self.reachable.get(endpoint) is reachable:
            return
        self.reachable[endpoint] = reachable
        for listener in tuple(self.listeners):
            listener(endpoint, reachable)
