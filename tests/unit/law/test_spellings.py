"""One person, one number: thousands of ways to write it, and ten thousand texts that must never be dialled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat

from asterisk_conf.pjsip import dial_target
from contact_center.errors import UsageError
from contact_center.numbers import dialable, normalise
from contact_center.settings import Settings
from contact_center.terms import NumberCheck
from tests.support.hostile_numbers import hostile

REGIONS = ("GB", "US", "CA", "AU", "DE", "FR", "IT", "ES", "JP", "RU", "IN", "BR", "ZA", "MX", "HU", "SE", "NZ", "SG")
_DIGITS = ("０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "๐๑๒๓๔๕๖๗๘๙")  # noqa: RUF001
_SPACES = ("", " ", "-", ".", "\u00a0", "\u2009", "\u3000", "\u2011", "\u2013", "\u2212", " - ", "\u00b7")


def numbers() -> Iterator[tuple[str, str]]:
    """(E.164, region) of some real-looking numbers of each kind in each region."""
    for region in REGIONS:
        for kind in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE):
            example = phonenumbers.example_number_for_type(region, kind)
            assert example is not None
            for change in range(3):
                own = phonenumbers.PhoneNumber()
                own.merge_from(example)
                own.national_number = (example.national_number or 0) + change
                if phonenumbers.is_valid_number(own):
                    yield phonenumbers.format_number(own, PhoneNumberFormat.E164), region


def _in(digits: str) -> Callable[[str], str]:
    return lambda text: text.translate({ord("0") + n: digit for n, digit in enumerate(digits)})


def spellings(number: str, region: str) -> Iterator[str]:
    """How people, CRMs and spreadsheets write it."""
    parsed = phonenumbers.parse(number)
    international = phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
    national = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    abroad = phonenumbers.format_out_of_country_calling_number(parsed, region)
    uri = phonenumbers.format_number(parsed, PhoneNumberFormat.RFC3966)
    yield from (number, f"00{number[1:]}", international, national, uri, abroad)
    if region not in ("DE", "SE"):  # their plans have national numbers that begin like their own country code
        yield number[1:]
    for space in _SPACES:
        yield re.sub(r"[\s-]+", space, international)
        yield re.sub(r"[\s-]+", space, national)
    for digits in _DIGITS:
        yield _in(digits)(international)
        yield _in(digits)(national)
    for mark in ("tel:{}", "TEL:{}", "Tel. {}", "phone: {}", "'{}", '="{}"', "\u202a{}\u202c", " {} ", "\ufeff{}"):
        yield mark.format(number)
    for extension in (" ext 5", " ext. 12", "x123", " x 4", ";ext=77", " #9", " Extension 1234", ", ext 5"):
        yield number + extension
        yield national + extension
    yield f"({number[:3]}) {number[3:]}"
    yield f"[{number[:3]}] {number[3:]}"


def test_five_thousand_spellings_are_one_number_each() -> None:
    tried = 0
    for number, region in numbers():
        for text in set(spellings(number, region)):
            assert normalise(text, region, NumberCheck.VALID) == number, (text, region)
            tried += 1
    assert tried >= 5000


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("011 44 20 7946 0018", "US", "+442079460018"),
        ("0011 44 20 7946 0018", "AU", "+442079460018"),
        ("010 44 20 7946 0018", "JP", "+442079460018"),
        ("8 10 44 20 7946 0018", "RU", "+442079460018"),
        ("0044 20 7946 0018", "SG", "+442079460018"),
        ("001 44 20 7946 0018", "SG", "+442079460018"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("06 1 234 5678", "HU", "+3612345678"),
        ("1 (212) 555-0123", "US", "+12125550123"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
    ],
)
def test_each_country_has_its_own_prefixes(text: str, country: str, number: str) -> None:
    assert normalise(text, country, NumberCheck.VALID) == number


@pytest.mark.parametrize("text", ["02079460018 ext", "x5", "02079460018#", "020 7946 ext 0018 5", "fax 02079460018"])
def test_half_an_extension_is_no_number(text: str) -> None:
    with pytest.raises(UsageError, match=r"does not belong|not a valid"):
        normalise(text, "GB", NumberCheck.VALID)


def test_ten_thousand_hostile_texts_are_refused_in_one_sentence_or_are_plain_digits() -> None:
    settings = Settings.model_validate(
        {"site": {"country": "GB", "number_check": "digits"}, "trunk": {"main": {"host": "192.0.2.1"}}}
    )
    refused = 0
    for text in hostile(10_000, seed=5):
        try:
            number = normalise(text, "GB", NumberCheck.DIGITS)
        except UsageError as error:
            sentence = str(error)
            assert sentence.endswith(".")
            assert "\n" not in sentence
            assert "\r" not in sentence
            refused += 1
        else:
            assert dialable(number)
            target = dial_target(settings, "main", number)
            assert re.fullmatch(r"PJSIP/[^/]+/sip:\+?[0-9]+@192\.0\.2\.1:5060(;transport=udp)?", target), target
    assert refused > 9000
