"""Calls that ring are taken back when the number is put on a do-not-call list."""

from __future__ import annotations

from functools import partial

import structlog

from ari_app.app import App
from contact_center.store.admin_dnc import listed_among
from contact_center.store.writer import Writer

log = structlog.get_logger(__name__)


async def take_back_listed(app: App, writer: Writer) -> None:
    """End the calls that nobody has answered yet, to people who are on a list by now. Raises Unreachable."""
    ringing = app.unanswered()
    if not ringing:
        return
    asked = {(order.number, order.campaign_id) for order in ringing}
    listed = await writer.read(partial(listed_among, calls=asked))
    for order in ringing:
        if (order.number, order.campaign_id) in listed:
            log.info("taken back: the number is on a do-not-call list", action="dnc", call_id=order.call_id)
            app.withdraw(order)
