"""The menus after a call, key by key."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_center.errors import UsageError
from contact_center.ratings.choices import RatingGroup, RatingOption
from contact_center.ratings.menu import TRIES, CategoryMenu, RatingMenu, Result, Word
from contact_center.ratings.money import MOST, keyed_value, money_words, written_value
from contact_center.ratings.words import option_words, words_of

GROUP = RatingGroup("sales", options=(RatingOption(1, "Sale", asks_value=True, goal="bought"), RatingOption(2, "Lost")))
PAUSE = "."


def keyed(keys: str, group: RatingGroup = GROUP) -> RatingMenu:
    """A menu after these keys; a point is a pause as long as the menu waits."""
    menu = RatingMenu(group)
    for key in keys:
        menu.silence() if key == PAUSE else menu.key(key)
    return menu


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("1050#", "0.50"),
        ("1100#", "1.00"),
        ("11000#", "10.00"),
        ("12999#", "29.99"),
        ("110000#", "100.00"),
        ("1100000#", "1000.00"),
        ("199999999#", "999999.99"),
        ("1000#", "0.00"),
    ],
)
def test_a_value_is_pounds_then_pence_and_hash_saves_it(keys, value):
    menu = keyed(keys)
    assert (menu.result, menu.option, menu.value) == (Result.DONE, GROUP.options[0], Decimal(value))
    assert menu.words() == (Word.SAVED,)


@pytest.mark.parametrize("entry", ["", "5", "50", "100000000", "12*4", "*", "9" * 40])
def test_a_wrong_value_is_told_and_asked_again_and_given_up_after_the_third(entry):
    menu = RatingMenu(GROUP)
    menu.key("1")
    assert menu.words() == (Word.VALUE,)
    for n in range(TRIES):
        assert menu.result is None
        for key in entry + "#":
            menu.key(key)
        assert menu.words() == ((Word.GIVEN_UP,) if n == TRIES - 1 else (Word.WRONG_VALUE, Word.VALUE))
    assert (menu.result, menu.option, menu.value) == (Result.WRONG_VALUE, None, None)


def test_after_a_wrong_value_a_right_one_is_taken():
    menu = keyed("15#2999#")
    assert (menu.result, menu.value) == (Result.DONE, Decimal("29.99"))


def test_an_option_without_a_value_is_rated_by_its_digit_alone_or_closed_by_hash():
    for keys in ("2.", "2#"):
        assert (keyed(keys).result, keyed(keys).option, keyed(keys).value) == (Result.DONE, GROUP.options[1], None)


@pytest.mark.parametrize(
    ("keys", "result"),
    [
        (".", Result.SILENCE),
        ("7..", Result.SILENCE),
        ("7.7.7.", Result.INVALID),
        ("#.*.0.", Result.INVALID),
        ("1.", Result.SILENCE),
        ("129..", Result.SILENCE),
        ("2" * 40 + "..", Result.SILENCE),
        ("1234567890" * 4 + "..", Result.SILENCE),
        ("9" * 40 + "..", Result.SILENCE),
    ],
)
def test_what_is_no_rating_is_not_rated(keys, result):
    menu = keyed(keys)
    assert (menu.result, menu.option) == (result, None)


def test_a_wrong_digit_is_told_and_the_options_are_said_again():
    menu = RatingMenu(GROUP)
    assert menu.words() == (Word.RATE,)
    menu.key("7")
    menu.silence()
    assert menu.words() == (Word.WRONG_OPTION, Word.RATE)
    menu.key("2")
    menu.silence()
    assert menu.result is Result.DONE


def test_nothing_changes_a_menu_that_is_over():
    menu = keyed("2.")
    menu.key("1")
    menu.silence()
    assert menu.option == GROUP.options[1]


@given(st.text(alphabet="0123456789*#.", max_size=80))
def test_whatever_is_keyed_the_menu_ends_and_what_it_says_was_keyed(keys):
    menu = keyed(keys)
    for _ in range(2 * TRIES + 2):
        menu.silence()
    assert menu.result is not None
    if menu.result is Result.DONE:
        assert menu.option in GROUP.options
        assert (menu.value is None) is not menu.option.asks_value
        if menu.value is not None:
            assert Decimal(0) <= menu.value <= MOST
            assert f"{menu.value * 100:.0f}" in keys.replace(PAUSE, "")
    else:
        assert (menu.option, menu.value) == (None, None)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_keyed_value_is_a_hundredth_of_its_digits(number):
    value = keyed_value(f"{number:03d}")
    assert value == (Decimal(number) / 100 if number <= 99_999_999 else None)


@pytest.mark.parametrize("text", ["", "1.234", "-1", "1000000", "nan", "1e3", " 1", "\u0661", "1,50"])
def test_a_value_on_the_command_line_is_plain_money(text):
    with pytest.raises(UsageError, match=r"29\.99"):
        written_value(text)
    assert written_value("30") == Decimal("30.00")


def category(keys: str, *, code: bool = True, value: bool = True) -> CategoryMenu:
    menu = CategoryMenu({3, 12}, code=code, value=value)
    for key in keys:
        menu.silence() if key == PAUSE else menu.key(key)
    return menu


def test_the_category_menu_asks_code_value_or_both():
    both = category("12#2999#")
    assert (both.result, both.category, both.value) == (Result.DONE, 12, Decimal("29.99"))
    code = category("3#", value=False)
    assert (code.result, code.category, code.value) == (Result.DONE, 3, None)
    value = category("050#", code=False)
    assert (value.result, value.category, value.value) == (Result.DONE, None, Decimal("0.50"))
    assert CategoryMenu({3}, code=True, value=True).words() == (Word.CODE,)
    assert CategoryMenu({3}, code=False, value=True).words() == (Word.VALUE,)


def test_a_code_that_is_no_category_is_told_and_what_was_keyed_before_silence_is_kept():
    assert category("4#").words() == (Word.WRONG_CODE, Word.CODE)
    assert category("4#4#4#").result is Result.INVALID
    kept = category("3#.")
    assert (kept.result, kept.category, kept.value) == (Result.SILENCE, 3, None)
    assert category("3#5#5#5#").result is Result.WRONG_VALUE


def test_the_prompts_say_the_settings_currency_in_the_language_of_the_queue():
    said = words_of(Word.VALUE, "en", "GBP")
    assert said == "Please enter sales value, first pounds and then pence followed by hash."
    assert words_of(Word.RATE, "en", "GBP") == "Please rate this call."
    assert "kroner" in words_of(Word.VALUE, "da", "DKK")
    assert money_words("CHF", "en") == ("CHF", "hundredths")
    for language in ("en", "da", "ru"):
        for word in Word:
            assert words_of(word, language, "EUR")
    assert option_words(1, "Sale", "en") == "1 for Sale."
