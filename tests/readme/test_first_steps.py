"""What a newcomer stumbles over is told to him before he has to ask."""

from __future__ import annotations

import pytest

from asterisk_conf.doctor import host
from contact_center.settings import Settings
from tests.unit.console.support import Cli


def _settings(bind: str, trunk: str) -> Settings:
    return Settings.model_validate({"asterisk": {"sip_bind": bind}, "trunk": {"main": {"host": trunk}}})


def test_a_carrier_outside_cannot_be_reached_from_loopback_and_the_doctor_says_so() -> None:
    finding = host.sip_address(_settings("127.0.0.1:5060", "sip.carrier.example"))

    assert finding.ok is False
    assert "trunk main" in finding.detail
    assert "sip_bind" in finding.fix


@pytest.mark.parametrize(
    ("bind", "trunk"),
    [
        ("0.0.0.0:5060", "sip.carrier.example"),
        ("192.0.2.7:5060", "192.0.2.9"),
        ("127.4.0.1:5060", "127.4.0.2"),
        ("127.0.0.1:5060", "localhost"),
    ],
)
def test_an_address_from_which_the_trunk_can_be_reached_is_well(bind: str, trunk: str) -> None:
    assert host.sip_address(_settings(bind, trunk)).ok is True


def test_a_bind_that_is_no_address_is_named_and_no_traceback() -> None:
    finding = host.sip_address(_settings("asterisk.example:5060", "sip.carrier.example"))

    assert finding.ok is False
    assert "asterisk.example" in finding.detail


def test_a_phone_is_not_sent_to_an_address_it_cannot_use_without_a_word(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann")
    said = {}
    for bind in ("127.0.0.1:5060", "0.0.0.0:5060", "192.0.2.7:5060"):
        monkeypatch.setenv("CALLWRIGHT_ASTERISK__SIP_BIND", bind)
        said[bind] = cli.ok("agent", "phone", "1001")

    assert "only phones on this machine" in said["127.0.0.1:5060"]
    assert "every address" in said["0.0.0.0:5060"]
    assert "server    192.0.2.7:5060" in said["192.0.2.7:5060"]
    assert "sip_bind" not in said["192.0.2.7:5060"]


def test_a_campaign_that_is_started_and_cannot_dial_says_why_at_once(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power", "--team", "sales")
    assert "No lead is left" in cli.ok("campaign", "start", "spring")
    cli.ok("campaign", "pause", "spring")
    cli.ok("lead", "add", "spring", "+442079460018")

    assert "It does not dial now: " in cli.ok("campaign", "resume", "spring")
    assert "It does not dial now" not in cli.ok("campaign", "stop", "spring")


def test_with_json_the_reason_leaves_the_document_alone(cli: Cli) -> None:
    cli.ok("campaign", "add", "spring", "--mode", "power")

    assert cli.json("campaign", "start", "spring")["state"] == "running"
