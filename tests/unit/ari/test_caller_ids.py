from __future__ import annotations

import pytest

from ari_app import caller_ids
from contact_center.settings import Settings


@pytest.mark.parametrize(
    ("username", "caller_id", "shown"),
    [
        ("442079460111", "", "<442079460111>"),
        ("+442079460111", "", "<+442079460111>"),
        ("harbour", "", "<harbour>"),
        ("harbour@carrier.example", "", "<harbour>"),
        ("harbour", "+442079460000", "+442079460000"),
        ("", "", ""),
        ('a"<b>', "", ""),
    ],
)
def test_without_a_number_of_its_own_a_call_shows_the_account_of_its_trunk(username: str, caller_id: str, shown: str):
    settings = Settings.model_validate({"trunk": {"main": {"host": "198.51.100.1", "username": username}}})
    assert caller_ids.shown(settings, "main", caller_id) == shown


def test_of_a_trunk_that_is_gone_nothing_is_known():
    assert caller_ids.shown(Settings(), "main", "") == ""
