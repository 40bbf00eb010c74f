"""What every command has at hand: settings, database, the way it speaks, and the composition root's hooks."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.console import Console as RichConsole
from rich.console import RenderableType
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from contact_center import settings as settings_file
from contact_center.clock import Clock, SystemClock
from contact_center.lock import is_held
from contact_center.models import Agent
from contact_center.settings import Settings
from contact_center.store import engine as store
from contact_center.store.schema import require_current

_PLAIN_WIDTH = 200
"""Columns of a table that is read by a program or a file, so that nothing is cut or folded."""


def _no_accounts(settings: Settings, agents: Sequence[Agent]) -> None:
    """Without a composition root there is no Asterisk to tell."""


def _no_withdrawal(settings: Settings, endpoints: Sequence[str]) -> None:
    """Without a composition root there is no Asterisk to tell."""


def _nothing_spoken(settings: Settings, text: str) -> None:
    """Without a composition root nobody speaks."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the console cannot know by itself. ``provision`` and ``withdraw`` may raise Unreachable.

    ``provision`` makes or renews the SIP accounts of agents whose row has a password; ``withdraw`` removes
    those of endpoints such as ``PJSIP/1001``; ``speak`` has a message spoken and raises CallwrightError where it
    cannot be; ``serve_is_running`` asks by the URL of the database.
    """

    provision: Callable[[Settings, Sequence[Agent]], None] = _no_accounts
    withdraw: Callable[[Settings, Sequence[str]], None] = _no_withdrawal
    serve_is_running: Callable[[str], bool] = is_held
    speak: Callable[[Settings, str], None] = _nothing_spoken


@dataclass
class Console:
    """``ctx.obj`` of every command."""

    hooks: Hooks = field(default_factory=Hooks)
    settings_path: Path | None = None
    json: bool = False
    clock: Clock = field(default_factory=SystemClock)

    @cached_property
    def settings(self) -> Settings:
        """The settings in force. Raises SettingsError."""
        return settings_file.load(self.settings_path)

    @cached_property
    def out(self) -> RichConsole:
        """Standard output."""
        return _rich(sys.stdout)

    @cached_property
    def err(self) -> RichConsole:
        """Standard error."""
        return _rich(sys.stderr)

    @property
    def actor(self) -> str:
        """Who is at work, as the audit log names him."""
        try:
            return f"cli:{getpass.getuser()}"[:80]
        except (KeyError, OSError):
            return f"cli:{os.getuid()}"

    @cached_property
    def engine(self) -> Engine:
        """The database, its schema checked. Raises UsageError or Unreachable."""
        require_current(self.settings.database.url)
        return store.open_engine(self.settings.database.url)

    def close(self) -> None:
        """Give the database's connections back."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A reading transaction."""
        with store.reading(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A writing transaction, committed at the end of the block."""
        with store.writing(self.engine) as session:
            yield session

    def serve_is_running(self) -> bool:
        """Whether a ``serve`` obeys this database's changes now."""
        return self.hooks.serve_is_running(self.settings.database.url)

    def show(self, document: Any, view: Callable[[Any], RenderableType]) -> None:
        """The one JSON document with ``--json``, else what ``view`` makes of it for people."""
        if self.json:
            self.emit(document)
        else:
            self.out.print(view(document), highlight=False, soft_wrap=not self.out.is_terminal)

    def emit(self, document: Any) -> None:
        """Write one JSON document to stdout."""
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)
        sys.stdout.write(text.decode() + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """A sentence for people; with ``--json`` it goes to stderr, so that stdout stays one document."""
        (self.err if self.json else self.out).print(text, markup=False, highlight=False, soft_wrap=True)

    def done(self, sentence: str, document: Mapping[str, Any]) -> None:
        """A change was made: its JSON document, or the sentence."""
        if self.json:
            self.emit(document)
        else:
            self.say(sentence)

    def note_applies(self) -> None:
        """Say so when no ``serve`` is running that could obey at once."""
        if not self.serve_is_running():
            self.say("No serve is running: this applies at next start.")


def console_of(ctx: typer.Context) -> Console:
    """The console of a command."""
    console = ctx.find_object(Console)
    if console is None:
        raise RuntimeError("the command was not started by make_app()")
    return console


def _rich(stream: Any) -> RichConsole:
    terminal = bool(getattr(stream, "isatty", lambda: False)())
    return RichConsole(file=stream, width=None if terminal else _PLAIN_WIDTH)
