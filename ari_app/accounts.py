"""The SIP accounts of agents: in Asterisk there are those that the store knows, and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import select

from ari_app.errors import AriError, Refused
from ari_app.phones import Phones
from ari_app.provisioning import Account
from contact_center.models import Agent
from contact_center.store.queries_agents import withdrawn_accounts
from contact_center.store.writer import Writer

log = structlog.get_logger(__name__)


class Accounts:
    """``make`` gives what an agent's account consists of, ``keys_of`` a user name what it is known by."""

    def __init__(
        self,
        writer: Writer,
        phones: Phones,
        make: Callable[[Agent], Sequence[Account]],
        keys_of: Callable[[str], Sequence[tuple[str, str, str]]],
    ) -> None:
        self._writer, self._phones = writer, phones
        self._make, self._keys_of = make, keys_of

    async def push_all(self) -> None:
        """Every agent's SIP account is in Asterisk, and it is known whose phone can be reached."""
        rows = await self._writer.read(lambda session: list(session.scalars(select(Agent))))
        for row in rows:
            if row.password:
                await self._push(row)
        await self._withdraw()
        await self._phones.look()

    async def renew(self, ext: str, row: Agent | None, *, unmade: bool) -> None:
        """An agent was changed, or is gone (None); ``unmade``: an account of his may have been withdrawn."""
        try:
            if row and row.password:
                await self._phones.push(self._make(row))
            if unmade:
                await self._withdraw()
            if row:
                await self._phones.look_at(row.endpoint)
        except AriError as error:
            log.warning("account not as wanted yet", action="account", agent=ext, reason=str(error))

    async def _push(self, row: Agent) -> None:
        """An account that Asterisk refuses is one agent's trouble, and no reason not to dial."""
        try:
            await self._phones.push(self._make(row))
        except Refused as error:
            log.warning("account not made", action="account", agent=row.ext, reason=str(error))

    async def _withdraw(self) -> None:
        """What was unmade while Asterisk was away is unmade there too."""
        await self._phones.withdraw(await self._writer.read(withdrawn_accounts), self._keys_of)
