"""README.md is true: what it shows is run, in its order, and prints what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from cli import app
from contact_center.options import CampaignOptions
from contact_center.settings import Settings
from contact_center.store.admin_calls import KEYED_CODES
from contact_center.terms import AgentState, CallState, CampaignMode, Outcome
from tests.asterisk_conf.test_install_on_asterisk import stock
from tests.lab.addresses import AddressBlock
from tests.readme.page import README, ROOT, Remark, Step, shell_lines, story
from tests.readme.reader import Reader

TEXT = README.read_text()


@pytest.mark.asterisk
@pytest.mark.timeout(240)
async def test_a_reader_gets_from_nothing_to_a_finished_campaign(tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    with AddressBlock() as block:
        reader = Reader(folder, stock(tmp_path / "asterisk", f"{block.prefix}.200"), block)
        try:
            async with reader.far:
                for part in story(TEXT):
                    await reader.does(part)
                assert await reader.stops_serve() == 0
                assert not reader.far.faults
        finally:
            await reader.leaves()


def test_a_line_that_was_not_printed_or_came_too_early_is_missed() -> None:
    step = Step(1, "callwright agent list", shown=[" ext   name", "...", " 1001  Ann ... idle"])

    assert step.missing(" ext    name\n ────\n 1001   Ann Lee   idle \n") == ""
    assert step.missing(" ext    name\n ────\n 1001   Ann Lee   paused \n") == "1001 Ann ... idle"
    assert step.missing(" 1001   Ann Lee   idle\n ext   name\n") == "1001 Ann ... idle"


def test_every_example_is_one_we_know_how_to_check() -> None:
    parts = story(TEXT)
    assert sum(isinstance(part, Step) for part in parts) > 40
    assert sum(isinstance(part, Remark) for part in parts) == TEXT.count("<!-- test:")


def test_shell_lines_that_are_not_run_are_shell_and_name_commands_that_exist() -> None:
    lines = shell_lines(TEXT)
    subprocess.run(["bash", "-n", "-c", "\n".join(lines)], check=True)
    named = [shlex.split(line)[1:] for line in lines if line.startswith("callwright ")]
    assert named
    for words in named:
        command = get_command(app)
        for word in words[2:] if words[0] == "--config" else words:
            if word.startswith("-"):
                break
            command = command.commands[word]  # type: ignore[attr-defined]


def test_the_settings_reference_has_every_key() -> None:
    section = TEXT[TEXT.index("## Settings") : TEXT.index("## Running it for real")]
    words = set(re.findall(r"`\[?([a-z_]+)\]?`", section)) | {"trunk"}
    for name, field in Settings.model_fields.items():
        if name == "trunk":
            continue
        assert f"[{name}]" in section
        keys = {f.alias or key for key, f in field.annotation.model_fields.items()}  # type: ignore[union-attr]
        assert not keys - words, f"[{name}] lacks {keys - words}"
    trunk = Settings.model_validate({"trunk": {"main": {"host": "a"}}}).trunk["main"]
    assert not {f.alias or key for key, f in type(trunk).model_fields.items()} - words


def test_the_campaign_keys_call_states_outcomes_and_codes_are_all_told() -> None:
    told = set(re.findall(r"`([A-Za-z_0-9]+)`", TEXT))
    assert not set(CampaignOptions.model_fields) - told
    assert not {outcome.value for outcome in Outcome} - told - {"machine"}
    assert not {mode.value for mode in CampaignMode} - told
    assert not {state.value for state in AgentState} - told
    assert not set(KEYED_CODES.values()) - told
    short = {"NORMAL_CLEARING_B", "NORMAL_CLEARING_S"}  # written as `_B` and `_S`
    assert not {state.value for state in CallState} - told - short
    assert {"_B", "_S"} <= told


def test_the_contents_and_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)", TEXT, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert target[1:] in anchors if target.startswith("#") else (ROOT / target).exists(), target
