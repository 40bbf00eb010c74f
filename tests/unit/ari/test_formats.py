"""The order of codecs in what we dial."""

from __future__ import annotations

from ari_app import formats
from contact_center.settings import Settings


def settings(**trunks: list[str]) -> Settings:
    return Settings.model_validate(
        {"trunk": {name: {"host": "192.0.2.1", "codecs": codecs} for name, codecs in trunks.items()}}
    )


def test_a_trunks_own_order_is_offered():
    assert formats.of_trunk(settings(main=["g722", "alaw"]), "main") == "g722,alaw"


def test_a_trunk_that_is_gone_or_a_name_asterisk_may_not_know_leaves_the_order_to_asterisk():
    assert formats.of_trunk(settings(), "main") is None
    assert formats.of_trunk(settings(main=["alaw", "amr"]), "main") is None


def test_a_phone_is_offered_what_customers_speak_first_and_all_it_may_speak():
    assert formats.of_phones(settings(us=["ulaw"], eu=["g729", "alaw"])) == "ulaw,alaw,opus"
    assert formats.of_phones(settings()) == "alaw,ulaw,opus"
