from __future__ import annotations

import pytest

from ari_app.agent_keys import Dispose, ForceHangUp, KeyReader, PassOn


def keyed(keys: str, *, may_force: bool = False) -> tuple[list[object], KeyReader]:
    reader = KeyReader(may_force=may_force)
    return [action for key in keys for action in reader.key(key)], reader


@pytest.mark.parametrize(
    ("keys", "actions"),
    [
        ("50", [PassOn("5"), PassOn("0")]),
        ("#", [PassOn("#")]),
        ("*5", [PassOn("*5")]),
        ("**5", [PassOn("*"), PassOn("*5")]),
        ("*81#", [Dispose("1")]),
        ("*8#", []),
        ("*84*81#", [Dispose("1")]),
        ("*8" + "1" * 12 + "#", [Dispose("1" * 12)]),
        ("*8" + "1" * 40 + "#7", [PassOn("7")]),
        ("*2", []),
        ("*26", [PassOn("6")]),
    ],
)
def test_codes_are_ours_finished_or_not_and_every_other_key_is_the_customers(keys: str, actions: list[object]) -> None:
    assert keyed(keys)[0] == actions


def test_force_hang_up_is_obeyed_where_it_is_allowed() -> None:
    assert keyed("*2", may_force=True)[0] == [ForceHangUp()]


@pytest.mark.parametrize(("keys", "passed"), [("*", [PassOn("*")]), ("*8", []), ("*812", []), ("5", [])])
def test_a_lone_star_is_passed_on_after_a_while_and_an_unfinished_code_is_forgotten(
    keys: str, passed: list[object]
) -> None:
    _, reader = keyed(keys)
    assert reader.expire() == passed
    assert reader.patience is None
    assert reader.key("7") == [PassOn("7")]
