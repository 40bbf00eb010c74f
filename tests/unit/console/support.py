"""A console in this process: real commands on a real database, with a composition root of the test's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import typer
import typer.testing
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from contact_center import console
from contact_center.console import Hooks
from contact_center.console.root import make_app
from contact_center.errors import Unreachable
from contact_center.models import Agent
from contact_center.settings import Settings
from contact_center.store.engine import open_engine, reading, writing
from dialer import commands

SETTINGS = """
[site]
timezone = "Europe/London"
country = "GB"
number_check = "{check}"
[database]
url = "{url}"
[trunk.main]
host = "127.0.0.9"
max_channels = 2
"""


# Typer looks through the signatures of all commands for each command line: three fifths of the time of these tests.
# As in the program itself, which lives for one, they are looked through once.
typer.testing._get_command = cache(typer.testing._get_command)  # type: ignore[attr-defined]
_ASKED: list[Cli] = []  # whose hooks are meant


@cache
def _app() -> typer.Typer:
    def provision(settings: Settings, agents: Sequence[Agent]) -> None:
        _ASKED[0]._provision(agents)

    def withdraw(settings: Settings, endpoints: Sequence[str]) -> None:
        _ASKED[0]._withdraw(endpoints)

    app = make_app(Hooks(provision, withdraw, lambda url: _ASKED[0].served))
    console.mount(app)
    commands.mount(app)
    return app


@dataclass
class Answer:
    """What a command said and how it ended."""

    exit_code: int
    stdout: str
    stderr: str
    exception: BaseException | None

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.stdout)


@dataclass
class Cli:
    """Runs commands; ``served`` plays a running serve, ``asterisk_away`` an Asterisk that is not there."""

    folder: Path
    url: str
    check: str = "valid"
    served: bool = False
    asterisk_away: bool = False
    provisioned: list[tuple[str, str]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = self.folder / "callwright.toml"
        self.config.write_text(SETTINGS.format(url=self.url, check=self.check), encoding="utf-8")
        self.engine: Engine = open_engine(self.url)

    def app(self) -> typer.Typer:
        """The root app, whose hooks are this test's."""
        _ASKED[:] = [self]
        return _app()

    def _provision(self, agents: Sequence[Agent]) -> None:
        if self.asterisk_away:
            raise Unreachable("Asterisk is away.")
        self.provisioned += [(agent.endpoint, agent.password) for agent in agents]

    def _withdraw(self, endpoints: Sequence[str]) -> None:
        if self.asterisk_away:
            raise Unreachable("Asterisk is away.")
        self.withdrawn += endpoints

    def run(self, *words: object) -> Answer:
        """Run a command with this console's settings."""
        return self.bare("--config", str(self.config), *words)

    def bare(self, *words: object, env: dict[str, str | None] | None = None) -> Answer:
        """Run a command as it stands."""
        result = CliRunner(env={"COLUMNS": "200", **(env or {})}).invoke(self.app(), [str(w) for w in words])
        return Answer(result.exit_code, result.stdout, result.stderr, result.exception)

    def ok(self, *words: object) -> str:
        """Run a command that must succeed; what it said."""
        answer = self.run(*words)
        assert answer.exit_code == 0, answer
        return answer.stdout

    def json(self, *words: object) -> Any:
        """Run a command with --json that must succeed; its document."""
        answer = self.run("--json", *words)
        assert answer.exit_code == 0, answer
        return answer.json

    def refused(self, code: int, *words: object) -> str:
        """Run a command that must fail with this exit code; its one line."""
        answer = self.run(*words)
        return one_line(answer, code)

    def reading(self) -> AbstractContextManager[Session]:
        """The database, to look at."""
        return reading(self.engine)

    def writing(self) -> AbstractContextManager[Session]:
        """The database, to play a running serve."""
        return writing(self.engine)


def one_line(answer: Answer, code: int) -> str:
    """The single line of a failed command: no traceback, nothing on stdout."""
    assert answer.exit_code == code, answer
    assert answer.stdout == "", answer
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 1, answer
    assert lines[0].startswith("callwright: "), answer
    assert "Traceback" not in answer.stderr
    return lines[0]
