from __future__ import annotations

import stat
from pathlib import Path

import pytest

from asterisk_conf import bundle, install, reader
from contact_center.errors import CallwrightError, UsageError
from contact_center.settings import Settings
from tests.asterisk_conf.place import Place

PLACE = Place("127.63.1.1", "127.63.1.2", "127.63.1.3")


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A small site with odd files: no newline at the end, DOS line ends, bytes that are not UTF-8."""
    etc = tmp_path / "asterisk"
    etc.mkdir()
    files = {
        "asterisk.conf": b"[options]\nverbose = 3\n",
        "modules.conf": b"[modules]\nautoload=yes\n[global]\n",
        "http.conf": b"[general]\r\nservername=Asterisk\r\n",
        "ari.conf": b"; nothing in here",
        "manager.conf": b"[general]\nenabled = no\nport = 5038",
        "extensions.conf": b"[general]\n; caf\xe9\n[default]\nexten => 100,1,Dial(PJSIP/100)\n",
        "rtp.conf": b"[general]\nrtpstart=30000\nrtpend=30100\n",
        "pjsip.conf": b"",
    }
    for name, content in files.items():
        (etc / name).write_bytes(content)
        (etc / name).chmod(0o640)
    return etc


def contents(directory: Path) -> dict[str, bytes]:
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


def do_install(etc: Path, settings: Settings) -> install.Plan:
    plan = install.plan(etc, settings)
    install.apply(plan)
    return plan


def do_uninstall(etc: Path) -> None:
    install.finish_uninstall(install.uninstall(etc))


def test_only_include_lines_are_added_to_the_files_of_the_site(etc: Path) -> None:
    before = contents(etc)

    do_install(etc, PLACE.settings())

    for name, content in before.items():
        now = (etc / name).read_bytes()
        assert now.startswith(content), name
        added = now[len(content) :].decode().splitlines()
        assert all(line.startswith("#tryinclude callwright/") for line in added if line), name
    assert before["asterisk.conf"] == (etc / "asterisk.conf").read_bytes()


def test_planning_writes_nothing(etc: Path) -> None:
    before = contents(etc)

    plan = install.plan(etc, PLACE.settings())

    assert plan.changes
    assert contents(etc) == before


def test_installing_again_changes_nothing(etc: Path) -> None:
    settings = PLACE.settings()
    do_install(etc, settings)
    once = contents(etc)

    again = do_install(etc, settings)

    assert again.changes == ()
    assert contents(etc) == once
    assert install.check(etc, settings) == []


def test_uninstalling_leaves_every_byte_as_it_was(etc: Path) -> None:
    before = contents(etc)
    modes = {name: stat.S_IMODE((etc / name).stat().st_mode) for name in before}

    do_install(etc, PLACE.settings())
    do_uninstall(etc)

    assert contents(etc) == before
    assert {name: stat.S_IMODE((etc / name).stat().st_mode) for name in before} == modes
    assert not (etc / "callwright").exists()


def test_what_the_administrator_changed_meanwhile_stays(etc: Path) -> None:
    do_install(etc, PLACE.settings())
    with (etc / "extensions.conf").open("ab") as file:
        file.write(b"[mine]\nexten => 1,1,NoOp()\n")
    (etc / "callwright" / "notes.txt").write_text("his own")

    do_uninstall(etc)

    text = (etc / "extensions.conf").read_bytes()
    assert b"#tryinclude" not in text
    assert text.endswith(b"[mine]\nexten => 1,1,NoOp()\n")
    assert (etc / "callwright" / "notes.txt").read_text() == "his own"


def test_a_lost_backup_does_not_keep_our_lines_in(etc: Path) -> None:
    do_install(etc, PLACE.settings())
    (etc / "http.conf.callwright-backup").unlink()

    do_uninstall(etc)

    assert (etc / "http.conf").read_bytes() == b"[general]\r\nservername=Asterisk\r\n"


def test_each_drift_is_named_with_its_file(etc: Path) -> None:
    settings = PLACE.settings()
    do_install(etc, settings)
    own = etc / "callwright"
    own.joinpath("extensions.conf").write_text(own.joinpath("extensions.conf").read_text().replace("goodbye", "beep"))
    own.joinpath("ari.conf").unlink()
    (etc / "pjsip.conf").write_text("")

    drifts = {drift.file.relative_to(etc).as_posix(): drift.problem for drift in install.check(etc, settings)}

    assert set(drifts) == {"callwright/extensions.conf", "callwright/ari.conf", "pjsip.conf"}
    assert drifts["callwright/ari.conf"] == "is missing"
    assert drifts["pjsip.conf"] == "lacks the line #tryinclude callwright/pjsip-global.conf"
    assert drifts["callwright/extensions.conf"].startswith("differs from line ")
    do_install(etc, settings)
    assert install.check(etc, settings) == []


def test_new_settings_are_drift_until_they_are_installed(etc: Path) -> None:
    do_install(etc, PLACE.settings())

    settings = PLACE.settings()

    assert {drift.file.name for drift in install.check(etc, settings)} == {"ari.conf", "manager.conf"}
    do_install(etc, settings)
    assert install.check(etc, settings) == []


def test_the_diff_shows_every_change_and_no_password(etc: Path) -> None:
    settings = PLACE.settings()
    secrets = (settings.asterisk.ari_password, settings.asterisk.ami_secret)

    diff = install.plan(etc, settings).diff(hide=secrets)

    assert "+++ b/callwright/extensions.conf" in diff
    assert "+#tryinclude callwright/http.conf" in diff
    assert "\\ No newline at end of file" in diff
    assert "********" in diff
    assert not any(secret in diff for secret in secrets)


def test_own_files_cannot_be_read_by_others(etc: Path) -> None:
    do_install(etc, PLACE.settings())

    for file in (etc / "callwright").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
    for backup in etc.glob("*.callwright-backup"):
        assert stat.S_IMODE(backup.stat().st_mode) == 0o640


def test_a_section_is_opened_where_there_is_none_and_added_to_where_there_is(etc: Path) -> None:
    do_install(etc, PLACE.settings())

    assert "\n[general](+)\n" in (etc / "callwright/http.conf").read_text()
    assert "\n[general]\n" in (etc / "callwright/ari.conf").read_text()
    general = reader.first(reader.sections(etc, "http.conf"), "general")
    assert general is not None
    assert (general.get("servername"), general.get("enabled")) == ("Callwright", "yes")


def test_modules_and_rtp_of_the_site_stay_its_own(etc: Path) -> None:
    plan = do_install(etc, PLACE.settings())

    assert not (etc / "callwright/modules.conf").exists()
    assert not (etc / "callwright/rtp.conf").exists()
    assert any("30000 to 30100" in note for note in plan.notes)


def test_a_module_list_of_the_site_gets_what_is_needed(etc: Path) -> None:
    (etc / "modules.conf").write_text("[modules]\nautoload = no\nload = chan_pjsip.so\n[global]\n")

    do_install(etc, PLACE.settings())

    modules = reader.first(reader.sections(etc, "modules.conf"), "modules")
    assert modules is not None
    assert "app_stasis.so" in modules.all("load")


def test_a_module_that_is_kept_from_loading_is_named(etc: Path) -> None:
    (etc / "modules.conf").write_text("[modules]\nautoload = yes\nnoload = app_stasis.so\n")

    assert any("app_stasis.so" in note for note in install.plan(etc, PLACE.settings()).notes)


def test_a_web_server_in_use_keeps_its_address(etc: Path) -> None:
    (etc / "http.conf").write_text("[general]\nenabled=yes\nbindaddr=0.0.0.0\nbindport=8088\nsessionlimit=500\n")

    plan = do_install(etc, PLACE.settings())

    assert not (etc / "callwright/http.conf").exists()
    assert not [note for note in plan.notes if "http.conf" in note]


def test_a_web_server_elsewhere_is_told_about(etc: Path) -> None:
    (etc / "http.conf").write_text("[general]\nenabled=yes\nbindaddr=192.0.2.1\nbindport=8089\n")

    notes = install.plan(etc, PLACE.settings()).notes

    assert "http.conf serves 192.0.2.1:8089 already and stays so; set asterisk.ari_url to that address." in notes


def test_a_manager_in_use_gets_our_user_and_nothing_else(etc: Path) -> None:
    (etc / "manager.conf").write_text("[general]\nenabled=yes\nbindaddr=0.0.0.0\nport=5038\n[boss]\nsecret=x\n")

    do_install(etc, PLACE.settings())

    assert "manager-general" not in (etc / "manager.conf").read_text()
    assert reader.first(reader.sections(etc, "manager.conf"), "callwright") is not None


def test_a_user_of_the_same_name_is_not_overwritten(etc: Path) -> None:
    (etc / "manager.conf").write_text("[general]\n[callwright]\nsecret=theirs\n")

    with pytest.raises(UsageError, match=r"manager\.conf has a section \[callwright\].*set asterisk\.ami_user"):
        install.plan(etc, PLACE.settings())


def test_a_transport_on_our_address_is_used_and_a_global_section_stays_the_only_one(etc: Path) -> None:
    (etc / "pjsip.conf").write_text(
        "[base](!)\ntype=transport\nbind=0.0.0.0:5060\n[site-udp](base)\nprotocol=udp\n"
        "[global]\ntype=global\nendpoint_identifier_order=ip,username\n"
    )

    plan = do_install(etc, PLACE.settings())

    assert not (etc / "callwright/pjsip-transports.conf").exists()
    assert not (etc / "callwright/pjsip-global.conf").exists()
    assert "\ntransport = site-udp\n" in (etc / "callwright/pjsip.conf").read_text()
    assert any("endpoint_identifier_order" in note or "tells who calls by" in note for note in plan.notes)


def test_a_site_that_keeps_endpoints_elsewhere_goes_on_doing_so(etc: Path) -> None:
    (etc / "sorcery.conf").write_text("[res_pjsip]\nendpoint=realtime,ps_endpoints\n")

    plan = do_install(etc, PLACE.settings())

    assert not (etc / "callwright/sorcery.conf").exists()
    assert any("sorcery.conf" in note for note in plan.notes)


def test_missing_files_are_made_and_taken_away_again(etc: Path) -> None:
    for name in ("http.conf", "extensions.conf"):
        (etc / name).unlink()
    before = contents(etc)

    do_install(etc, PLACE.settings())
    for name in ("http.conf", "extensions.conf", "musiconhold.conf", "amd.conf"):
        assert (etc / name).is_file()
    do_uninstall(etc)

    assert contents(etc) == before


def test_a_symbolic_link_stays_one(etc: Path) -> None:
    target = etc.parent / "elsewhere.conf"
    target.write_text("[general]\n")
    (etc / "extensions.conf").unlink()
    (etc / "extensions.conf").symlink_to(target)

    do_install(etc, PLACE.settings())

    assert (etc / "extensions.conf").is_symlink()
    assert "#tryinclude callwright/extensions.conf" in target.read_text()
    do_uninstall(etc)
    assert (etc / "extensions.conf").is_symlink()
    assert target.read_text() == "[general]\n"


def test_a_directory_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such directory; name it with --asterisk-etc DIR"):
        install.plan(tmp_path / "nowhere", PLACE.settings())
    with pytest.raises(UsageError, match="there is no such directory"):
        install.uninstall(tmp_path / "nowhere")


def test_a_file_in_the_way_is_one_sentence(etc: Path) -> None:
    (etc / "callwright").write_text("in the way")

    with pytest.raises(CallwrightError, match="callwright"):
        install.apply(install.plan(etc, PLACE.settings()))


def test_a_rendered_directory_passes_the_check(tmp_path: Path) -> None:
    settings = PLACE.settings()
    bundle.render(settings, tmp_path / "etc")

    assert install.check(tmp_path / "etc", settings) == []
