"""What agents' screens and the HTTP API are given of calls that are up: the card of each, from memory alone."""

from __future__ import annotations

from collections.abc import Callable

from ari_app.app import App
from contact_center.dialling import DialOrder
from contact_center.http.api.desk import ApiDesk
from contact_center.http.metrics import Meters
from contact_center.pops import Card, ScreenPops
from contact_center.store.writer import Writer
from contact_center.terms import CallKind


def card_of_order(order: DialOrder) -> Card:
    """The card of a call that a campaign placed."""
    return Card(
        call_id=order.call_id,
        kind=str(order.kind),
        number=order.number,
        hide_number=order.hide_number,
        campaign=order.campaign,
        lead_id=order.lead_id,
        attempt=order.n,
        fields=order.fields,
        url=order.screen_pop_url,
    )


def card_of(app: App, call_id: str) -> Card | None:
    """The card of a call that is up here; None when nothing is known of it."""
    if (shown := app.previews.get(call_id)) is not None:
        return Card(
            call_id=call_id,
            kind=CallKind.PREVIEW.value,
            number=shown.number,
            hide_number=shown.hide_number,
            campaign=shown.campaign,
            lead_id=shown.lead_id,
            fields=shown.fields,
            url=shown.screen_pop_url,
        )
    for call in app.calls.values():
        if call.order.call_id == call_id:
            return card_of_order(call.order)
    for caller in (call.caller for call in app.inbound.calls.values()) if app.inbound is not None else ():
        if caller.call_id == call_id:
            return Card(
                call_id, CallKind.INBOUND.value, caller.number, did=caller.did, hide_number=app.env.hides(caller.number)
            )
    return None


def api_desk(app: App, writer: Writer, meters: Meters, stir: Callable[[], None]) -> ApiDesk:
    """The HTTP API's part of a running contact centre; ``stir``: called when a change wants to be obeyed."""
    env = app.env
    pops = ScreenPops(env.clock, lambda call_id: card_of(app, call_id))
    env.roster.on_seat.append(pops.hear)
    return ApiDesk(env.settings, writer, env.clock, env.roster, pops, meters, stir=stir)
