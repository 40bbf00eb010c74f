"""`callwright init` and `callwright db upgrade`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from contact_center.console.setup import settings_text
from contact_center.settings import load
from contact_center.store.schema import schema_state
from tests.unit.console.support import Cli, one_line


def test_init_writes_settings_with_fresh_secrets_and_makes_the_database(cli: Cli) -> None:
    folder = cli.folder / "new"
    folder.mkdir()
    file = folder / "callwright.toml"
    answer = cli.bare("--json", "--config", str(file), "init", "--country", "DK", "--timezone", "Europe/Copenhagen")
    assert answer.exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    settings = load(file, {})
    assert (settings.site.country, settings.site.timezone) == ("DK", "Europe/Copenhagen")
    assert len({settings.asterisk.ari_password, settings.asterisk.ami_secret}) == 2
    assert len(settings.asterisk.ari_password) == len(settings.asterisk.ami_secret) == 32
    assert settings.database.url == f"sqlite:///{folder / 'callwright.db'}"
    assert schema_state(settings.database.url).is_current
    assert cli.bare("--config", str(file), "agent", "list", "--json").json == []


def test_init_does_not_overwrite_settings_unless_forced(cli: Cli) -> None:
    before = cli.config.read_bytes()
    assert "--force" in cli.refused(2, "init")
    assert cli.config.read_bytes() == before
    cli.ok("init", "--force")
    first = load(cli.config, {}).asterisk.ari_password
    cli.ok("init", "--force")
    assert load(cli.config, {}).asterisk.ari_password != first


def test_init_checks_what_it_is_told_before_it_writes(cli: Cli) -> None:
    folder = cli.folder / "new"
    folder.mkdir()
    file = folder / "callwright.toml"
    for words in (("--timezone", "Mars/Base"), ("--country", "XX"), ("--database", "mysql://x"), ("--name", "a\nb")):
        line = one_line(cli.bare("--config", str(file), "init", *words), 2)
        assert str(file) in line
    assert list(folder.iterdir()) == []
    one_line(cli.bare("--config", str(folder), "init"), 2)
    one_line(cli.bare("--config", str(folder / "no" / "x.toml"), "init"), 2)


def test_the_template_says_what_the_settings_have_as_defaults() -> None:
    text = settings_text("Callwright", "Europe/London", "GB", "sqlite:///callwright.db")
    given = tomllib.loads(text)
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    trunk = lines[lines.index(next(line for line in lines if line.startswith("[trunk.main]"))) :]
    commented = tomllib.loads("\n".join(trunk[: trunk.index("")]))
    assert set(commented["trunk"]["main"]) >= {"host", "max_channels", "reserve_inbound", "dial_format"}
    default = load(None, {"CALLWRIGHT_CONFIG": ""}).model_dump()
    for section, table in given.items():
        for key, value in table.items():
            if key not in ("ari_password", "ami_secret"):
                assert default[section][key] == value, (section, key)


def test_db_upgrade_makes_the_database_once(cli: Cli) -> None:
    url = f"sqlite:///{cli.folder / 'second.db'}"
    env = {"CALLWRIGHT_DATABASE__URL": url}
    first = cli.bare("--json", "db", "upgrade", env=env).json
    assert first["current"] == first["head"]
    assert cli.bare("--json", "db", "upgrade", env=env).json == first
    assert Path(cli.folder / "second.db").exists()
