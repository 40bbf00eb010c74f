"""What holds for every command: one line and an exit code for what goes wrong, never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from contact_center.console.root import global_options_first, make_app
from contact_center.errors import UsageError
from tests.unit.console.support import Cli, one_line

BROKEN = {
    "not TOML": "[site\n",
    "not UTF-8": b'[site]\nname = "\xff\xfe"\n',
    "unknown section": "[sight]\n",
    "unknown key": "[site]\nnaem = 'x'\n",
    "unknown zone": "[site]\ntimezone = 'Europe/Londres'\n",
    "unknown country": "[site]\ncountry = 'England'\n",
    "unknown language": "[site]\nlanguage = 'tlh'\n",
    "bad currency": "[site]\ncurrency = 'pounds'\n",
    "bad number check": "[site]\nnumber_check = 'perhaps'\n",
    "bad database": "[database]\nurl = 'mysql://localhost/x'\n",
    "bad ARI address": "[asterisk]\nari_url = 'localhost:8088'\n",
    "secret that breaks out": '[asterisk]\nari_password = "a\\nb"\n',
    "bad port": "[asterisk]\nami_port = 0\n",
    "trunk without host": "[trunk.main]\nport = 5060\n",
    "bad trunk name": "[trunk.'a b']\nhost = 'x.example'\n",
    "bad dial format": "[trunk.main]\nhost = 'x.example'\ndial_format = '{number}'\n",
    "unknown macro": "[trunk.main]\nhost = 'x.example'\ndial_format = '{digits}@{host}'\n",
    "a name for an address": "[trunk.main]\nhost = 'x.example'\nmatch = ['our carrier']\n",
    "a network that is none": "[trunk.main]\nhost = 'x.example'\nmatch = ['192.0.2.0/64']\n",
    "unknown codec": "[trunk.main]\nhost = 'x.example'\ncodecs = ['allaw']\n",
    "no codec": "[trunk.main]\nhost = 'x.example'\ncodecs = []\n",
    "no channels": "[trunk.main]\nhost = 'x.example'\nmax_channels = 0\n",
    "bad connect": "[agents]\nconnect = 'always'\n",
    "bad bind": "[http]\nbind = '8080'\n",
    "bad broker": "[mqtt]\nurl = 'http://x'\n",
    "wrong type": "[site]\nname = 7\n",
    "a list for a table": "site = [1, 2]\n",
    "a key twice": "[site]\nname = 'a'\nname = 'b'\n",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_configuration_is_one_sentence_and_exit_2(cli: Cli, content: str | bytes) -> None:
    cli.config.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert str(cli.config) in cli.refused(2, "agent", "list")


def test_addresses_networks_and_hosts_may_be_matched(cli: Cli) -> None:
    for match in (
        "192.0.2.10",
        "192.0.2.0/24",
        "192.0.2.10/24",
        "2001:db8::/32",
        "2001:db8::1",
        "sip.example",
        "[2001:db8::1]",
    ):
        cli.config.write_text(f"[trunk.main]\nhost = 'x.example'\nmatch = ['{match}']\n[database]\nurl = '{cli.url}'\n")
        cli.ok("campaign", "list")


def test_a_missing_configuration_is_one_sentence(cli: Cli) -> None:
    one_line(cli.bare("--config", str(cli.folder / "nowhere.toml"), "agent", "list"), 2)
    one_line(cli.bare("agent", "list", env={"CALLWRIGHT_CONFIG": str(cli.folder / "nowhere.toml")}), 2)
    one_line(cli.bare("--config", str(cli.folder), "agent", "list"), 2)


def test_a_database_that_is_away_is_exit_4(cli: Cli) -> None:
    env = {"CALLWRIGHT_DATABASE__URL": "postgresql+psycopg://nobody:secret@127.0.0.1:1/none"}
    line = one_line(cli.bare("agent", "list", env=env), 4)
    assert "secret" not in line


def test_a_database_that_was_never_made_is_told(cli: Cli) -> None:
    env = {"CALLWRIGHT_DATABASE__URL": f"sqlite:///{cli.folder / 'none.db'}"}
    assert "db upgrade" in one_line(cli.bare("agent", "list", env=env), 4)
    assert not (cli.folder / "none.db").exists()


def test_a_database_that_cannot_be_made_is_exit_4(cli: Cli) -> None:
    env = {"CALLWRIGHT_DATABASE__URL": f"sqlite:///{cli.folder / 'no' / 'such' / 'none.db'}"}
    one_line(cli.bare("db", "upgrade", env=env), 4)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("CALLWRIGHT_SITE__NAEM", "x", "site.naem"),
        ("CALLWRIGHT_TRUNK__MAIN__HOST", "a b", "trunk.main.host"),
        ("CALLWRIGHT_TRUNK__MAIN__ALLOWED_PREFIXES", "44", "trunk.main.allowed_prefixes.0"),
    ],
)
def test_a_bad_value_of_the_environment_is_blamed_on_its_variable(
    cli: Cli, variable: str, value: str, told: str
) -> None:
    env = {"CALLWRIGHT_TRUNK__MAIN__HOST": "198.51.100.1", variable: value}
    line = one_line(cli.bare("agent", "list", env=env), 2)
    assert line.startswith(f"callwright: environment: {variable}: {told} ")


@pytest.mark.parametrize("text", ["match = '198.51.100.1'", "codecs = 'alaw'", "register = 'maybe'", "max_cps = 0"])
def test_a_value_of_the_wrong_kind_is_refused_in_words_for_people(cli: Cli, text: str) -> None:
    cli.config.write_text(f"[trunk.main]\nhost = '198.51.100.1'\n{text}\n")
    line = cli.refused(2, "agent", "list")
    assert " wanted" in line
    assert not re.search(r"tuple|input should", line)


REPORTS = ("queues", "agents", "campaign", "hours", "amd", "abandonment", "ratings", "goals", "matching", "evidence")


@pytest.mark.parametrize("report", REPORTS)
def test_the_instants_of_a_report_are_named_so(cli: Cli, report: str) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    named = set(_instants(cli.json("report", report, "--from", "2026-03-01", "--to", "2026-03-02")))
    assert all(name == "at" or name.endswith("_at") for name in named), named


def _instants(document: Any, name: str = "") -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _instants(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _instants(value, name)
    elif isinstance(document, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", document):
        yield name


def test_the_program_says_its_version(cli: Cli) -> None:
    version = cli.json("--version")["version"]
    assert cli.ok("--version").strip() == f"callwright {version}"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", version)


def test_wrong_usage_is_one_line_and_exit_2(cli: Cli) -> None:
    for words in (
        ("bogus",),
        ("agent",),
        ("agent", "bogus"),
        ("agent", "add"),
        ("agent", "add", "1001"),
        ("agent", "list", "--bogus"),
        ("agent", "pause", "1001"),
        ("campaign", "add", "x"),
        ("lead", "show", "x"),
        ("lead", "list", "--limit", "0"),
        ("call", "dispose", "x"),
    ):
        cli.refused(2, *words)


def test_global_options_may_stand_anywhere_but_after_two_dashes() -> None:
    assert global_options_first(["call", "show", "x", "--json"]) == ["--json", "call", "show", "x"]
    assert global_options_first(["agent", "--config", "f", "list"]) == ["--config", "f", "agent", "list"]
    assert global_options_first(["agent", "--config=f", "list"]) == ["--config=f", "agent", "list"]
    assert global_options_first(["a", "--", "--json"]) == ["a", "--", "--json"]
    with pytest.raises(UsageError, match="--config needs a file"):
        global_options_first(["a", "--config"])


def test_every_command_and_every_group_has_a_help_with_an_example(cli: Cli) -> None:
    def below(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        inner = getattr(command, "commands", {})
        return [path, *(found for name, sub in inner.items() for found in below(sub, (*path, name)))]

    paths = below(get_command(cli.app()), ())[1:]
    assert len(paths) > 50
    for path in paths:
        answer = cli.bare(*path, "--help")
        assert answer.exit_code == 0
        assert f"Example: callwright {' '.join(path)}" in " ".join(answer.stdout.split()), path


def test_help_needs_no_configuration(cli: Cli) -> None:
    assert "agent" in cli.bare().stdout
    assert cli.bare("--help").exit_code == 0


def explode(app: typer.Typer) -> None:
    @app.command("explode")
    def explode_() -> None:
        raise RuntimeError("two\nlines with \x1b[31mcolour")


def test_what_nobody_foresaw_is_one_line_and_details_only_on_demand() -> None:
    from typer.testing import CliRunner

    app = make_app()
    explode(app)
    result = CliRunner(env={"CALLWRIGHT_DEBUG": None}).invoke(app, ["explode"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr
    assert "Traceback" not in result.stderr
    result = CliRunner(env={"CALLWRIGHT_DEBUG": "1"}).invoke(app, ["explode"])
    log = Path(result.stderr.split("details are in ")[1].strip().rstrip(")"))
    assert "RuntimeError" in log.read_text(encoding="utf-8")
    log.unlink()


def test_a_reader_who_leaves_is_no_error(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    leads = cli.config.parent / "leads.csv"
    leads.write_text("phone\n" + "\n".join(f"+4420794600{n:02d}" for n in range(60)) + "\n")
    cli.ok("lead", "import", "spring", str(leads))
    program = textwrap.dedent("""
        from contact_center import console
        from contact_center.console.root import make_app, run
        app = make_app()
        console.mount(app)
        run(app)
    """)
    words = [sys.executable, "-c", program, "--config", str(cli.config), "lead", "list", "--json"]
    read_end, write_end = os.pipe()
    with subprocess.Popen(words, stdout=write_end, stderr=subprocess.PIPE, text=True) as process:
        os.close(write_end)
        os.read(read_end, 10)
        os.close(read_end)
        _, stderr = process.communicate(timeout=30)
    assert stderr == ""
    assert process.returncode in (0, 1)


@pytest.mark.parametrize(
    "words",
    [
        ("agent", "show", "9999"),
        ("queue", "show", "nope"),
        ("campaign", "show", "nope"),
        ("lead", "show", "99"),
        ("call", "show", "nope"),
        ("callback", "cancel", "nope"),
        ("dnc", "remove", "+442079460018"),
        ("rating", "group", "show", "nope"),
        ("tracking", "pool", "remove", "nope"),
        ("token", "remove", "nope"),
        ("webhook", "remove", "nope"),
        ("analytics", "remove", "nope"),
    ],
)
def test_who_names_what_is_not_there_is_told_a_command_that_shows_what_is(cli: Cli, words: tuple[str, ...]) -> None:
    found = re.search(r"`callwright (.+? list)`", cli.refused(3, *words))
    assert found is not None
    cli.ok(*found[1].split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("campaign", "set", "spring", "opt_out_key=12"), "opt_out_key=12 is not allowed: one digit is wanted."),
        (("campaign", "set", "spring", "priority=100"), "priority=100 is not allowed: at most 99 is wanted."),
        (("campaign", "set", "spring", "max_attempts=x"), "max_attempts=x is not allowed: a whole number is wanted."),
        (("campaign", "set", "spring", "ring_seconds=14"), "ring_seconds=14 is not allowed: at least 15 is wanted."),
        (
            ("campaign", "set", "spring", "opt_out=all"),
            "opt_out=all is not allowed: 'company' or 'campaign' is wanted.",
        ),
        (("campaign", "set", "spring", "hours=x"), "hours=x is not allowed: hours such as"),
        (
            ("call", "listen", "x", "--on", "1001", "--as", "spy"),
            "'--as': 'spy' is not one of 'listen', 'whisper', 'barge'",
        ),
        (("lead", "add", "spring", "02079460018", "nokv"), "'nokv' is not key=value; write it as first_name=Ann."),
        (("agent", "list", "--config"), "--config needs a file"),
    ],
)
def test_bad_input_is_refused_in_words_for_people(cli: Cli, words: tuple[str, ...], said: str) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")
    assert said in cli.refused(2, *words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[site]\ncurrency = 'pounds'\n", "three capital letters are wanted, such as GBP"),
        ("[asterisk]\nari_url = 'localhost:8088'\n", "an address such as http://127.0.0.1:8088/ari is wanted"),
    ],
)
def test_a_setting_of_another_form_is_refused_in_words_for_people(cli: Cli, text: str, said: str) -> None:
    cli.config.write_text(text, encoding="utf-8")
    assert said in cli.refused(2, "agent", "list")
