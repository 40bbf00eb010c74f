from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest

from asterisk_conf import bundle, pjsip, reader
from asterisk_conf.doctor.ari import SOUNDS
from asterisk_conf.layout import Layout
from asterisk_conf.site import BUNDLE
from contact_center.errors import UsageError
from contact_center.settings import Settings
from tests.asterisk_conf.place import Place

PLACE = Place("127.63.1.1", "127.63.1.2", "127.63.1.3")


def section(etc: Path, file: str, name: str, kind: str = "") -> reader.Section:
    return next(
        found for found in reader.sections(etc, file) if found.name == name and (not kind or found.get("type") == kind)
    )


def test_no_placeholder_is_left_and_every_include_leads_to_a_file(tmp_path: Path) -> None:
    written = bundle.render(PLACE.settings(), tmp_path)

    assert {file.relative_to(tmp_path).as_posix() for file in written} == {
        file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()
    }
    for file in written:
        text = file.read_text()
        assert "{{" not in text, file
        for included in re.findall(r"^#tryinclude (\S+)$", text, re.MULTILINE):
            assert (tmp_path / included).is_file()


def test_rendering_again_gives_the_same_bytes(tmp_path: Path) -> None:
    settings = PLACE.settings()
    before = {file: file.read_bytes() for file in bundle.render(settings, tmp_path)}

    assert {file: file.read_bytes() for file in bundle.render(settings, tmp_path)} == before


def test_no_file_can_be_read_by_others(tmp_path: Path) -> None:
    settings = PLACE.settings()
    to = tmp_path / "etc"
    for file in bundle.render(settings, to):
        assert stat.S_IMODE(file.stat().st_mode) == 0o640, file
    assert stat.S_IMODE(to.stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE((to / "callwright").stat().st_mode) & 0o007 == 0


def test_secrets_stand_in_their_own_files_only(tmp_path: Path) -> None:
    settings = PLACE.settings(trunk={"main": {"host": "127.63.1.2", "username": "u", "password": "tr-unk-pass"}})
    bundle.render(settings, tmp_path)

    def holders(secret: str) -> list[str]:
        return sorted(file.name for file in tmp_path.rglob("*.conf") if secret in file.read_text())

    assert holders(settings.asterisk.ari_password) == ["ari.conf"]
    assert holders(settings.asterisk.ami_secret) == ["manager.conf"]
    assert holders("tr-unk-pass") == ["pjsip.conf"]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"ari_password": ""}, "asterisk.ari_password is empty"),
        ({"ami_secret": "mysecret"}, "asterisk.ami_secret is a password everybody knows"),
        ({"ari_url": "http://192.0.2.9:8088/ari"}, "loopback addresses only, not on 192.0.2.9"),
        ({"ari_url": "https://127.0.0.1:8089/ari"}, "speaks plain http"),
        ({"ari_url": "http://127.0.0.1:8088/rest"}, "must end in /ari"),
        ({"ami_host": "pbx.example.com"}, "asterisk.ami_host"),
        ({"rtp_start": 20000, "rtp_end": 10000}, "asterisk.rtp_end"),
        ({"sip_bind": "pbx.example.com:5060"}, "asterisk.sip_bind: 'pbx.example.com' is not an IP address"),
        ({"fallback_number": "07700x"}, "07700x"),
    ],
)
def test_settings_no_safe_configuration_can_be_made_of_are_refused(
    tmp_path: Path, keys: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        bundle.render(PLACE.settings(asterisk={**PLACE.settings().asterisk.model_dump(), **keys}), tmp_path / "etc")
    assert not (tmp_path / "etc").exists()


def test_each_trunk_gets_endpoint_identify_and_credentials(tmp_path: Path) -> None:
    trunks = {
        "one": {"host": "192.0.2.10", "match": ["192.0.2.0/28"], "codecs": ["g722", "alaw"]},
        "two": {
            "host": "sip.example.net",
            "port": 5070,
            "username": "u2",
            "password": "p2",
            "register": True,
        },
        "three": {"host": "192.0.2.30", "transport": "tcp"},
    }
    bundle.render(PLACE.settings(trunk=trunks), tmp_path)

    one = section(tmp_path, "pjsip.conf", "callwright-trunk-one", "endpoint")
    assert one.get("allow") == "g722,alaw"
    assert one.get("context") == "callwright-inbound"
    assert one.get("send_connected_line") == "no"
    assert one.get("identify_by") == "ip"
    assert one.get("rtp_timeout")
    identify = section(tmp_path, "pjsip.conf", "callwright-trunk-one", "identify")
    assert identify.all("match") == ["192.0.2.10", "192.0.2.0/28"]
    assert section(tmp_path, "pjsip.conf", "callwright-trunk-one", "aor").get("qualify_frequency") == "0"
    registration = section(tmp_path, "pjsip.conf", "callwright-trunk-two", "registration")
    assert registration.get("server_uri") == "sip:sip.example.net:5070"
    assert registration.get("client_uri") == "sip:u2@sip.example.net:5070"
    assert section(tmp_path, "pjsip.conf", "callwright-trunk-two", "auth").get("password") == "p2"
    assert section(tmp_path, "pjsip.conf", "callwright-tcp", "transport").get("protocol") == "tcp"
    names = [(found.name, found.get("type")) for found in reader.sections(tmp_path, "pjsip.conf")]
    assert ("callwright-trunk-one", "auth") not in names
    assert ("callwright-trunk-three", "registration") not in names


def test_a_trunk_that_registers_needs_a_username(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"trunk\.main\.register needs a username"):
        bundle.render(PLACE.settings(trunk={"main": {"host": "192.0.2.1", "register": True}}), tmp_path)


def test_behind_nat_the_outside_address_is_told_and_sound_is_not_bound(tmp_path: Path) -> None:
    keys = PLACE.settings().asterisk.model_dump() | {"external_address": "198.51.100.7"}
    bundle.render(PLACE.settings(asterisk=keys), tmp_path)

    transport = section(tmp_path, "pjsip.conf", "callwright-udp")
    assert transport.get("external_media_address") == "198.51.100.7"
    assert "192.168.0.0/16" in transport.all("local_net")
    assert section(tmp_path, "pjsip.conf", "callwright-trunk-main", "endpoint").get("media_address") == ""


def test_the_dialplan_never_dials_what_a_caller_sent(tmp_path: Path) -> None:
    keys = PLACE.settings().asterisk.model_dump() | {"fallback_number": "020 7946 0000"}
    bundle.render(PLACE.settings(asterisk=keys), tmp_path)

    text = (tmp_path / "callwright/extensions.conf").read_text()
    dials = re.findall(r"Dial\((.*)\)", text)
    assert dials == ["PJSIP/callwright-trunk-main/sip:+442079460000@127.63.1.2:5060,60,r"]
    assert not re.search(r"exten => _[X.]", text)
    assert "System(" not in text
    assert "CALLERID(" not in text
    assert "include =>" not in text


def test_the_doctor_looks_for_every_sound_the_dialplan_plays() -> None:
    dialplan = bundle.parts(PLACE.settings(), BUNDLE)["callwright/extensions.conf"]

    played = {name for names in re.findall(r"Playback\((.*)\)", dialplan) for name in names.split("&")}

    assert played
    assert played <= set(SOUNDS)


def test_the_dial_target_of_a_trunk_follows_its_format() -> None:
    trunks: dict[str, Any] = {
        "plain": {"host": "192.0.2.1"},
        "prefix": {"host": "192.0.2.1", "port": 5080, "dial_format": "sip:00{number}@{host}:{port}"},
        "own": {"host": "192.0.2.1", "dial_format": "{number}@{server}"},
        "tcp": {"host": "192.0.2.1", "transport": "tcp"},
    }
    settings = PLACE.settings(trunk=trunks)

    def target(name: str) -> str:
        return pjsip.dial_target(settings, name, "020 7946 0000")

    assert target("plain") == "PJSIP/callwright-trunk-plain/sip:+442079460000@192.0.2.1:5060"
    assert target("prefix") == "PJSIP/callwright-trunk-prefix/sip:00442079460000@192.0.2.1:5080"
    assert target("own") == "PJSIP/callwright-trunk-own/sip:442079460000@127.63.1.1"
    assert target("tcp").endswith("@192.0.2.1:5060;transport=tcp")


def test_a_password_that_looks_like_a_placeholder_stays_as_it_is(tmp_path: Path) -> None:
    trunk = {"host": "192.0.2.1", "username": "u", "password": "{{app}}-{{nothing}}"}
    bundle.render(PLACE.settings(trunk={"main": trunk}), tmp_path)

    assert section(tmp_path, "pjsip.conf", "callwright-trunk-main", "auth").get("password") == "{{app}}-{{nothing}}"


def test_the_country_chooses_the_tones(tmp_path: Path) -> None:
    def country(code: str) -> str:
        bundle.render(PLACE.settings(site={"country": code}), tmp_path)
        return section(tmp_path, "indications.conf", "general").get("country")

    assert [country("GB"), country("DK"), country("RU"), country("LI")] == ["uk", "dk", "ru", "us"]


def test_a_private_layout_keeps_everything_below_its_base(tmp_path: Path) -> None:
    layout = Layout.under("/lab/one")
    layout.create(tmp_path)
    bundle.render(PLACE.settings(), tmp_path / "lab/one/etc", layout=layout)

    directories = section(tmp_path / "lab/one/etc", "asterisk.conf", "directories")
    assert len(directories.entries) == 8
    assert all(value.startswith("/lab/one/") for _, value in directories.entries)
    assert (tmp_path / "lab/one/spool/recording").is_dir()


def test_the_unit_notifies_restarts_and_is_locked_up(tmp_path: Path) -> None:
    settings_file = tmp_path / "callwright.toml"
    settings_file.touch()
    unit = bundle.write_service(tmp_path / "out", settings_file).read_text()

    hardening = ("NoNewPrivileges=yes", "ProtectSystem=strict", "RestrictSUIDSGID=yes")
    for line in ("Type=notify", "Restart=always", "StateDirectory=callwright", *hardening):
        assert f"\n{line}\n" in unit
    assert re.search(rf"\nExecStart=/\S*callwright --config {settings_file} serve\n", unit)
    assert re.search(r"\nWatchdogSec=\d+\n", unit)


def test_ari_conf_and_settings_agree() -> None:
    defaults = Settings().asterisk
    parts = bundle.parts(PLACE.settings(), BUNDLE)

    assert f"[{defaults.ari_user}]" in parts["callwright/ari.conf"]
    assert "allowed_origins" not in parts["callwright/ari.conf"]
    assert "websocket_write_timeout = 1000" in parts["callwright/ari.conf"]
    assert "enable_static = no" in parts["callwright/http.conf"]
    assert "enable_status = no" in parts["callwright/http.conf"]
    assert "sessionlimit = 500" in parts["callwright/http.conf"]
    write = re.search(r"^write = (.*)$", parts["callwright/manager.conf"], re.MULTILINE)
    assert write
    assert set(write[1].split(",")) == {"agent", "reporting"}
