"""Orders taken over the phone, as people and programs write them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from contact_center.errors import UsageError
from contact_center.matching.transactions import Order
from contact_center.store.admin import checked_text, shown

MOST_TOTAL = Decimal("9999999999.99")


def checked_order(order_id: str, total: str, currency: str) -> Order:
    """An order as people write it. Raises UsageError."""
    try:
        amount = Decimal(total)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount <= MOST_TOTAL or amount != round(amount, 2):
        raise UsageError(f"The total {shown(total)} is not an amount: 9.99 is the form that is wanted.")
    if len(currency) != 3 or not currency.isascii() or not currency.isupper():
        raise UsageError(f"The currency {shown(currency)} is not one of three capital letters, such as GBP.")
    return Order(checked_text(order_id, "order's id", 60), round(amount, 2), currency)
