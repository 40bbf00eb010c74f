from __future__ import annotations

import re

import pytest

from asterisk_conf import secrets
from contact_center.errors import UsageError


def test_fresh_passwords_are_32_letters_and_digits_and_never_the_same() -> None:
    made = {secrets.fresh() for _ in range(500)}

    assert len(made) == 500
    assert all(re.fullmatch("[A-Za-z0-9]{32}", secret) for secret in made)
    assert set("".join(made)) >= set("azAZ09")


@pytest.mark.parametrize("known", ["admin", "ASTERISK", "amp111", "mysecret", "password123", "callwright"])
def test_a_password_everybody_knows_is_refused(known: str) -> None:
    with pytest.raises(UsageError, match=r"^asterisk\.ari_password is a password everybody knows; .*init"):
        secrets.demand_strong("asterisk.ari_password", known)


def test_empty_short_and_user_named_passwords_are_refused() -> None:
    assert secrets.weakness("") == "is empty"
    assert secrets.weakness("aZ3k9") == "has fewer than 12 characters"
    assert secrets.weakness("operations-desk", user="Operations-Desk") == "is a password everybody knows"
    assert secrets.weakness(secrets.fresh(), user="callwright") is None
