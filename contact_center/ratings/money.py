"""Sums of money as they are keyed on a phone, written on a command line, and spoken."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from contact_center.errors import UsageError

MOST = Decimal("999999.99")
LEAST_DIGITS = 3
_CENT = Decimal("0.01")


def keyed_value(digits: str) -> Decimal | None:
    """The sum of what was keyed before ``#``: 050 is 0.50, 2999 is 29.99. None: too short, too much, or no number."""
    if not re.fullmatch(r"[0-9]+", digits) or len(digits) < LEAST_DIGITS:
        return None
    pence = int(digits)
    value = Decimal(pence) * _CENT
    return value if value <= MOST else None


def written_value(text: str, what: str = "value") -> Decimal:
    """The sum of ``29.99`` or ``30``. Raises UsageError."""
    try:
        value = Decimal(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", text) else None
    except InvalidOperation:
        value = None
    if value is None or value > MOST:
        raise UsageError(f"The {what} {text[:20]!r} is not allowed: from 0 to {MOST} is wanted, written as 29.99.")
    return value.quantize(_CENT)


_WORDS = {
    "en": {
        "GBP": ("pounds", "pence"), "EUR": ("euros", "cents"), "USD": ("dollars", "cents"),
        "DKK": ("kroner", "øre"), "RUB": ("roubles", "kopecks"), "UAH": ("hryvnias", "kopecks"),
    },
    "da": {"DKK": ("kroner", "ører"), "EUR": ("euro", "cent"), "GBP": ("pund", "pence"), "USD": ("dollar", "cent")},
    "ru": {
        "RUB": ("рубли", "копейки"), "UAH": ("гривны", "копейки"), "EUR": ("евро", "центы"),
        "GBP": ("фунты", "пенсы"), "USD": ("доллары", "центы"),
    },
}  # fmt: skip
_OTHERS = {"en": ("{0}", "hundredths"), "da": ("{0}", "hundrededele"), "ru": ("{0}", "сотые")}


def money_words(currency: str, language: str) -> tuple[str, str]:
    """What whole and hundredth parts of a currency are called; its code and "hundredths" where that is not known."""
    known = _WORDS.get(language, _WORDS["en"]).get(currency)
    if known is not None:
        return known
    whole, part = _OTHERS.get(language, _OTHERS["en"])
    return whole.format(currency), part
