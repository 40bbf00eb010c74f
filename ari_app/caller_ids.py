"""The number that is shown outside. Asterisk tells who has none as anonymous, which carriers refuse."""

from __future__ import annotations

import re

from contact_center.settings import Settings


def shown(settings: Settings, trunk: str, caller_id: str) -> str:
    """``callerId`` of an originate by a trunk: ``caller_id``, else the account name of the trunk, if it has one."""
    found = settings.trunk.get(trunk)
    account = found.username.partition("@")[0] if found else ""
    if caller_id or not re.fullmatch(r"\+?[A-Za-z0-9._-]+", account):
        return caller_id
    return f"<{account}>"
