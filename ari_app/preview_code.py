"""``*49`` keyed on an agent's own line: the lead that he is shown is called."""

from __future__ import annotations

import structlog

from ari_app import prompts
from ari_app.channel import Channel
from ari_app.errors import AriError, HungUp
from ari_app.media import Digit
from ari_app.services import Services
from contact_center.dialling import DialOrder
from contact_center.errors import CallwrightError
from contact_center.trunks import NoLine

REFUSED = "sound:beeperr"
TAKE_CODE = "*49"

log = structlog.get_logger(__name__)


async def take(ext: str, leg: Channel | None, env: Services) -> tuple[DialOrder | None, tuple[str, ...]]:
    """Call the lead that this agent is shown, if it may be called, else what he hears of why not.

    ``leg``: his own call, where it arrives.
    """
    try:
        return await env.take_preview(ext, leg), (REFUSED,)
    except NoLine as error:
        log.warning("not called", action="preview", agent=ext, reason=str(error))
        return None, env.spoken(error.word) or (REFUSED,)
    except (CallwrightError, AriError) as error:
        log.warning("not called", action="preview", agent=ext, reason=str(error))
        return None, (REFUSED,)


class CodeOnLine:
    """Hears ``*49`` among the keys of an agent on his line."""

    def __init__(self, ext: str, channel: Channel, env: Services) -> None:
        self._ext, self._channel, self._env = ext, channel, env
        self._keyed = ""

    def key(self, digit: Digit | None) -> None:
        """One key; None: no more will come."""
        if digit is None:
            return
        self._keyed = (self._keyed + digit.digit)[-len(TAKE_CODE) :]
        if self._keyed == TAKE_CODE:
            self._keyed = ""
            self._env.ari.spawn(self._obey(), f"preview of {self._ext}")

    async def _obey(self) -> None:
        order, words = await take(self._ext, None, self._env)
        if order is None:
            try:
                await prompts.play(self._channel, *words)
            except HungUp:
                log.info("line ended", action="preview", agent=self._ext)
