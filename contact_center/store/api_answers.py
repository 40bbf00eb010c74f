"""Doing a thing once: the answer to a request is stored under its Idempotency-Key in the transaction of the act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from contact_center.errors import CallwrightError
from contact_center.models_api import ApiAnswer

KEPT_SECONDS = 86400.0
"""How long a key is remembered; the same key after that is a new request."""
ERASED = '{"erased":true}'
"""What is left of an answer that named a person who was erased: his request is still not done twice."""
_FORGOTTEN_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Key:
    """Whose key, the key, and the SHA-256 of the request it stands for."""

    token_id: int
    key: str
    request: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a JSON document; ``replayed``: it was given before."""

    status: int
    body: bytes
    replayed: bool = False


def answer_once(session: Session, key: Key, at: datetime, act: Callable[[], Answer]) -> Answer:
    """The answer given before under this key, else that of ``act``, kept for the next time.

    Writing transactions run one at a time, so of two requests with one key the second finds the first's answer.
    Raises CallwrightError when the key stood for another request.
    """
    oldest = at - timedelta(seconds=KEPT_SECONDS)
    known = session.scalars(
        select(ApiAnswer).where(col(ApiAnswer.token_id) == key.token_id, col(ApiAnswer.key) == key.key)
    ).first()
    if known is not None and known.at >= oldest:
        if known.request != key.request:
            raise CallwrightError("This Idempotency-Key was used for another request; take a new key.")
        return Answer(known.status, known.body.encode(), replayed=True)
    if known is not None:
        session.delete(known)
        session.flush()
    answer = act()
    _forget_some(session, oldest)
    session.add(
        ApiAnswer(
            token_id=key.token_id,
            key=key.key,
            request=key.request,
            status=answer.status,
            body=answer.body.decode(),
            at=at,
        )
    )
    session.flush()
    return answer


def _forget_some(session: Session, before: datetime) -> None:
    """A few old keys go with each new one, so that the table does not grow for ever."""
    old = select(col(ApiAnswer.id)).where(col(ApiAnswer.at) < before).order_by(col(ApiAnswer.at))
    session.connection().execute(delete(ApiAnswer).where(col(ApiAnswer.id).in_(old.limit(_FORGOTTEN_AT_ONCE))))
