"""Telephone numbers: what people type or paste, as E.164 with ``+``, or the reason why not.

Only what :func:`dialable` accepts ever goes into a dial string.
"""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from contact_center.errors import UsageError
from contact_center.terms import NumberCheck

_DIALABLE = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_SHOWN_DIGITS = 3
_LONGEST_TEXT = 64

_LABEL = re.compile(r"(tel|telephone|phone|mobile|mob|cell|callto)( *[.:] *| +)(?=[+(0-9])", re.IGNORECASE)
_EXTENSION = re.compile(
    r"(?<=\d) *([,;]? *(ext|extn|extension|xtn)\b *[.:=]?|;ext=|[x#](?=[ :.]*\d)) *[.:]? *\d{1,7}\Z", re.IGNORECASE
)
_DIGITS = re.compile(r"\+?[0-9]+\Z")
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u30fc\ufe58\ufe63\u00ad"
_SAME = str.maketrans({**dict.fromkeys(_DASHES, "-"), "\u00b7": ".", "\u2022": ".", "[": "(", "]": ")", "\t": " "})
"""Marks that stand for one of ours; the kinds of spaces and full-width forms are made the same before."""

_POSSIBLE = {
    ValidationResult.TOO_SHORT: "it is too short",
    ValidationResult.TOO_LONG: "it is too long",
    ValidationResult.INVALID_LENGTH: "no number there has that many digits",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
    ValidationResult.INVALID_COUNTRY_CODE: "its country code does not exist",
}


def dialable(number: str) -> bool:
    """Whether this is ``+`` and 7 to 15 digits, the first not 0, and nothing else."""
    return _DIALABLE.match(number) is not None


def mask(number: str) -> str:
    """The number with all but its last three digits hidden, for logs and screens that others see."""
    hidden = max(len(number) - _SHOWN_DIGITS, 0)
    return "*" * hidden + number[hidden:]


def normalise(text: str, country: str, check: NumberCheck) -> str:
    """E.164 of a number as people write it; ``country`` is the region of national numbers.

    Takes the digits of every script, spaces, dots, dashes, slashes and brackets of every kind, ``(0)``, the
    prefix that dials abroad from ``country``, ``tel:``, an extension at the end (it is left out: only the
    number itself can be dialled) and the marks that spreadsheets add. Raises UsageError with the reason.
    ``check`` VALID asks the numbering plan, DIGITS only the length of E.164.
    """
    plain = _plain(text)
    if plain.startswith("00") and len(plain) > 9 and (_exists("+" + plain[2:]) or not _dials_abroad(plain, country)):
        plain = "+" + plain[2:]
    number = _e164(plain, text, country, check)
    if not dialable(number):
        raise UsageError(f"{_quoted(text)} is not a number to dial: E.164 has 7 to 15 digits.")
    return number


def _dials_abroad(digits: str, country: str) -> bool:
    """Whether these digits begin with the country's own prefix for calls abroad, as 0011 in Australia."""
    plan = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    prefix = plan.international_prefix if plan is not None else None
    found = re.match(prefix, digits) if prefix else None
    return found is not None and found.group() != "00" and _exists(digits, country)


def _exists(digits: str, country: str | None = None) -> bool:
    """Whether a numbering plan has this number; 00 may be the plus sign or begin a longer prefix."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits, country))
    except NumberParseException:
        return False


def _plain(text: str) -> str:
    """Digits with at most a leading ``+`` and ``(0)``; raises UsageError on anything that is no number."""
    if len(text) > _LONGEST_TEXT:
        raise UsageError(f"{_quoted(text)} is too long for a phone number.")
    if _DIGITS.match(text):  # as carriers send them
        return text
    kept = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    kept = _without_marks(kept.strip())
    if not kept:
        raise UsageError("The phone number is empty.")
    if re.fullmatch(r"\d([.,]\d+)?[eE]\+?\d+", kept):
        raise UsageError(f"{_quoted(text)} was rounded by a spreadsheet; export that column as text.")
    kept = _EXTENSION.sub("", kept).translate(_SAME)
    bad = next((c for c in kept if not (c.isdecimal() or c in " +-.()/")), "")
    if bad:
        raise UsageError(f"{_quoted(text)} is not a phone number: {_quoted(bad)} does not belong in one.")
    digits = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in kept)
    digits = re.sub(r"[ \-./]", "", digits)
    if not any(c.isdigit() for c in digits):
        raise UsageError(f"{_quoted(text)} is not a phone number: it has no digits.")
    if "+" in digits.lstrip("(")[1:]:
        raise UsageError(f"{_quoted(text)} is not a phone number: + may only stand in front.")
    return re.sub(r"^\(\+(\d+)\)", r"+\1", digits)


def _without_marks(kept: str) -> str:
    """Without the label in front of a number and without what a spreadsheet puts around it."""
    if quoted := re.fullmatch(r"=\"(.*)\"", kept):
        kept = quoted.group(1)
    kept = _LABEL.sub("", kept.lstrip("'").strip())
    if re.fullmatch(r"\+?\d{6,}\.0", kept):
        kept = kept[:-2]
    return kept.strip()


def _e164(plain: str, text: str, country: str, check: NumberCheck) -> str:
    try:
        parsed = phonenumbers.parse(plain, country)
    except NumberParseException as error:
        bare = re.sub(r"[()]", "", plain.replace("(0)", ""))
        if check is NumberCheck.DIGITS and plain.startswith("+") and dialable(bare):
            return bare
        why = "its country code does not exist" if plain.startswith("+") else "it is too short or too long"
        if error.error_type == NumberParseException.TOO_LONG:
            why = "it is too long"
        raise UsageError(f"{_quoted(text)} is not a phone number: {why}.") from None
    if check is NumberCheck.VALID and not phonenumbers.is_valid_number(parsed):
        possible = phonenumbers.is_possible_number_with_reason(parsed)
        where = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
        why = _POSSIBLE.get(possible, f"the numbering plan of {where} has no such number")
        raise UsageError(f"{_quoted(text)} is not a valid phone number: {why}.")
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


def _quoted(text: str) -> str:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return repr(shown)
