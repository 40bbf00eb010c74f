"""Tokens of the HTTP API: ``cw_KEY_SECRET``. The key finds the row; of the secret only a digest is kept.

A secret has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess that a slow hash would guard.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.clock import iso
from contact_center.errors import NotFound, UsageError
from contact_center.models_api import ApiAnswer, ApiToken
from contact_center.store.admin import By, shown
from contact_center.store.queries_agents import find_agent
from contact_center.terms import ApiRole

_TOKEN = re.compile(r"cw_([0-9a-z]{12})_([0-9A-Za-z_-]{43})\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,39}\Z")  # scripts log in to reports with an address as the name
_KEY_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A row, and the token itself: the only time that it is known."""

    row: ApiToken
    token: str


def split_token(text: str) -> tuple[str, str] | None:
    """Key and digest of a token as somebody sent it; None when it has not the form of one."""
    match = _TOKEN.match(text)
    return (match[1], digest_of(match[2])) if match else None


def digest_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add_token(session: Session, by: By, name: str, role: str, agent: str = "") -> NewToken:
    """A new token. Raises UsageError when the name is taken, NotFound when there is no such agent."""
    if not _NAME.match(name):
        raise UsageError(f"The token name {shown(name)} may only have letters, digits, _ - . + and @, 40 at most.")
    if role not in list(ApiRole):
        raise UsageError(f"role={role[:40]} is not allowed: one of {', '.join(ApiRole)} is wanted.")
    if role == ApiRole.AGENT and not agent:
        raise UsageError("A token of the role agent speaks for one agent; name him, as --agent 1001.")
    if role != ApiRole.AGENT and agent:
        raise UsageError(f"A token of the role {role} speaks for no agent; leave --agent out.")
    if agent:
        find_agent(session, agent)
    if session.scalars(select(ApiToken).where(col(ApiToken.name) == name)).first():
        raise UsageError(f"There is already a token {name}; choose another name, or remove that one first.")
    key, secret = "".join(secrets.choice(_KEY_ALPHABET) for _ in range(12)), secrets.token_urlsafe(32)
    row = ApiToken(name=name, role=role, agent=agent, key=key, digest=digest_of(secret), created_at=by.at)
    session.add(row)
    session.flush()
    by.note(session, "token", name, "add", {"name": name, "role": role, "agent": agent}, obey=False)
    return NewToken(row, f"cw_{key}_{secret}")


def remove_token(session: Session, by: By, name: str) -> ApiToken:
    """Take a token away; a running serve refuses it within a second. Raises NotFound."""
    row = session.scalars(select(ApiToken).where(col(ApiToken.name) == name)).first()
    if row is None:
        raise NotFound("token", name[:60])
    _remove(session, by, row)
    return row


def remove_tokens_of(session: Session, by: By, agent: str) -> None:
    """An agent is removed: nobody is to speak for whoever gets his extension next."""
    for row in session.scalars(select(ApiToken).where(col(ApiToken.agent) == agent)).all():
        _remove(session, by, row)


def _remove(session: Session, by: By, row: ApiToken) -> None:
    session.execute(delete(ApiAnswer).where(col(ApiAnswer.token_id) == row.id))  # its id may be given again
    session.delete(row)
    payload = {"name": row.name, "role": row.role, "agent": row.agent}
    by.note(session, "token", row.name, "remove", payload, obey=False)


def list_tokens(session: Session) -> list[ApiToken]:
    """All tokens by name."""
    return list(session.scalars(select(ApiToken).order_by(col(ApiToken.name))))


def token_document(row: ApiToken) -> dict[str, Any]:
    """A token as people see it: never the token itself."""
    return {"name": row.name, "role": row.role, "agent": row.agent or None, "created_at": iso(row.created_at)}
