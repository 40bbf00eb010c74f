"""The tables of the HTTP API: who may use it, and what it has answered already."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from contact_center.models import Instant


class ApiToken(SQLModel, table=True):
    """A key to the API. ``key`` is the public half of the token, ``digest`` the SHA-256 of its secret half.

    ``role``: a terms.ApiRole; ``agent``: the extension that a token of the role agent speaks for.
    """

    __tablename__ = "api_token"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=40)
    role: str = Field(max_length=12)
    agent: str = Field(default="", max_length=20)
    key: str = Field(unique=True, max_length=16)
    digest: str = Field(max_length=64)
    created_at: datetime = Field(sa_column=Column(Instant(), nullable=False))


class ApiAnswer(SQLModel, table=True):
    """What a request with an Idempotency-Key was answered, written in the transaction of what it did.

    ``request`` is the SHA-256 of the request; ``body`` the JSON document as it was sent.
    """

    __tablename__ = "api_answer"
    __table_args__ = (
        UniqueConstraint("token_id", "key", name="uq_api_answer_token_key"),
        Index("ix_api_answer_at", "at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    token_id: int
    key: str = Field(max_length=200)
    request: str = Field(max_length=64)
    status: int
    body: str = Field(sa_column=Column(Text(), nullable=False))
    at: datetime = Field(sa_column=Column(Instant(), nullable=False))
