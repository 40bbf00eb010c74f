from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from asterisk_conf.commands import conf_app, doctor_command
from contact_center.errors import UsageError
from contact_center.settings import Settings
from tests.asterisk_conf.place import Place

PLACE = Place("127.63.1.1", "127.63.1.2", "127.63.1.3")


@dataclass(frozen=True)
class Root:
    settings: Settings
    settings_path: Path | None = None
    json: bool = False


@dataclass(frozen=True)
class Schema:
    current: str | None = "0001"
    head: str = "0001"


def run(root: Root, *words: str) -> Result:
    app = typer.Typer()
    app.add_typer(conf_app, name="conf")
    app.command("doctor")(doctor_command(lambda url: Schema(), lambda settings: []))
    return CliRunner().invoke(app, list(words), obj=root)


def document(result: Result) -> Any:
    """The one JSON document on stdout."""
    assert len(result.stdout.strip().splitlines()) == 1
    return json.loads(result.stdout)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    etc = tmp_path / "asterisk"
    etc.mkdir()
    (etc / "asterisk.conf").write_text("[options]\n")
    (etc / "modules.conf").write_text("[modules]\nautoload=yes\n")
    return etc


def test_render_does_not_write_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")

    result = run(Root(PLACE.settings()), "conf", "render", "--to", str(tmp_path / "out"))

    assert isinstance(result.exception, UsageError)
    assert "this is a file" in str(result.exception)
    assert (tmp_path / "out").read_text() == "mine"


def test_render_writes_a_directory_and_the_unit(tmp_path: Path) -> None:
    result = run(Root(PLACE.settings(), json=True), "conf", "render", "--to", str(tmp_path / "out"))

    assert result.exit_code == 0
    assert {"asterisk.conf", "callwright/pjsip.conf", "callwright.service"} <= set(document(result)["files"])
    assert (tmp_path / "out" / "callwright.service").is_file()


def test_a_dry_run_shows_the_diff_and_writes_nothing(etc: Path) -> None:
    settings = PLACE.settings()
    result = run(Root(settings), "conf", "install", "--asterisk-etc", str(etc), "--dry-run")

    assert result.exit_code == 0
    assert "+++ b/callwright/ari.conf" in result.stdout
    assert settings.asterisk.ari_password not in result.stdout
    assert result.stdout.rstrip().endswith("Nothing was written.")
    assert not (etc / "callwright").exists()


def test_install_check_and_uninstall_follow_each_other(etc: Path) -> None:
    root, place = Root(PLACE.settings(), json=True), ("--asterisk-etc", str(etc))

    before = run(root, "conf", "check", *place)
    assert before.exit_code == 1
    assert document(before)["drift"]
    assert document(run(root, "conf", "install", *place))["applied"] is True
    assert document(run(root, "conf", "install", *place))["changed"] == []
    assert document(run(root, "conf", "check", *place))["drift"] == []
    assert document(run(root, "conf", "uninstall", *place))["changed"]
    assert sorted(file.name for file in etc.iterdir()) == ["asterisk.conf", "modules.conf"]


def test_people_are_told_what_drifted_and_what_to_do(etc: Path) -> None:
    root, place = Root(PLACE.settings()), ("--asterisk-etc", str(etc))
    run(root, "conf", "install", *place)
    (etc / "callwright" / "ari.conf").unlink()

    result = run(root, "conf", "check", *place)

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{etc}/callwright/ari.conf is missing",
        "Run `callwright conf install` to put it right.",
    ]


def test_bad_settings_are_left_to_the_root_to_report(etc: Path) -> None:
    result = run(Root(Settings()), "conf", "install", "--asterisk-etc", str(etc))

    assert isinstance(result.exception, UsageError)
    assert "asterisk.ari_password is empty" in str(result.exception)


def test_the_doctor_shows_a_line_per_check_with_the_fix_beside_each_failure(free_place: Place, etc: Path) -> None:
    root = Root(free_place.settings())
    result = run(root, "doctor", "--asterisk-etc", str(etc))

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("FAIL  ARI:"))
    assert lines[at + 1].startswith("      fix: start Asterisk")
    assert any(line.startswith("ok    database:") for line in lines)


def test_the_doctor_prints_one_document_for_programs(free_place: Place, etc: Path) -> None:
    result = run(Root(free_place.settings(), json=True), "doctor", "--asterisk-etc", str(etc))

    report = document(result)
    assert result.exit_code == 1
    assert report["ok"] is False
    assert {"name", "ok", "detail", "fix"} == set(report["findings"][0])
    assert any(finding["name"] == "configuration" and not finding["ok"] for finding in report["findings"])


@pytest.mark.parametrize("command", ["render", "install", "check", "uninstall"])
def test_each_command_helps_with_an_example(command: str) -> None:
    result = run(Root(Settings()), "conf", command, "--help")

    assert result.exit_code == 0
    assert f"Example: callwright conf {command}" in result.stdout
