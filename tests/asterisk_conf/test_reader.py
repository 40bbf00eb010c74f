from __future__ import annotations

from pathlib import Path

from asterisk_conf import reader


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / f"{name}.conf").write_text(text)


def test_comments_arrows_and_case_are_read_as_asterisk_does(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="; x\n[general]  ; y\nEnabled=yes ; z\nport => 5038\npath=a\\;b\n;-- gone\n[gone]\n--;\n[last]\n",
    )

    sections = reader.sections(tmp_path, "a.conf")

    assert [section.name for section in sections] == ["general", "last"]
    assert sections[0].entries == [("enabled", "yes"), ("port", "5038"), ("path", "a\\;b")]


def test_sections_opened_again_with_a_plus_are_one(tmp_path: Path) -> None:
    write(tmp_path, a="[general]\na=1\n[other]\n[general](+)\na=2\nb=3\n")

    general = reader.first(reader.sections(tmp_path, "a.conf"), "general")

    assert general is not None
    assert (general.get("a"), general.get("b"), general.all("a")) == ("2", "3", ["1", "2"])


def test_templates_hand_their_lines_on_and_are_marked(tmp_path: Path) -> None:
    write(tmp_path, a="[base](!)\ntype=transport\nprotocol=udp\n[mine](base)\nbind=0.0.0.0\n")

    base, mine = reader.sections(tmp_path, "a.conf")

    assert base.template
    assert not mine.template
    assert (mine.get("type"), mine.get("bind")) == ("transport", "0.0.0.0")


def test_includes_are_followed_but_for_those_to_be_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.d").mkdir()
    write(tmp_path / "a.d", one="[one]\n", two="[two]\n")
    (tmp_path / "callwright").mkdir()
    write(tmp_path / "callwright", a="[ours]\n")
    write(
        tmp_path,
        a='[top]\n#include "a.d/*.conf"\n#tryinclude missing.conf\n#tryinclude callwright/a.conf ; added\n',
    )

    names = [section.name for section in reader.sections(tmp_path, "a.conf", skip="callwright/")]

    assert names == ["top", "one", "two"]
    assert [section.name for section in reader.sections(tmp_path, "a.conf")][-1] == "ours"


def test_a_file_that_includes_itself_comes_to_an_end(tmp_path: Path) -> None:
    write(tmp_path, a="[x]\n#include a.conf\n")

    assert {section.name for section in reader.sections(tmp_path, "a.conf")} == {"x"}
