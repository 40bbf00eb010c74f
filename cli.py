"""The program ``callwright``: the one place that sees every part and puts them together.

What only a running contact centre needs is imported when it is needed, so that commands start at once.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from contact_center import console
from contact_center.console import Hooks, console_of
from contact_center.console.root import global_options_first, make_app, run
from contact_center.errors import CallwrightError

if TYPE_CHECKING:
    from ari_app.web import Api
    from asterisk_conf.accounts import DynamicObject
    from contact_center.models import Agent
    from contact_center.settings import Settings


def account_objects(settings: Settings, row: Agent) -> list[DynamicObject]:
    """The SIP account of an agent, as Asterisk is told it."""
    from asterisk_conf import accounts

    username = row.endpoint.partition("/")[2]
    return accounts.account_objects(row.ext, row.name, username, row.password, settings)


def provision(settings: Settings, agents: Sequence[Agent]) -> None:
    """Console hook: make or renew the SIP accounts of agents."""
    from ari_app.provisioning import put_objects

    objects = [item for row in agents if row.password for item in account_objects(settings, row)]
    asyncio.run(put_objects(settings.asterisk, objects))


def withdraw(settings: Settings, endpoints: Sequence[str]) -> None:
    """Console hook: remove SIP accounts."""
    from ari_app.provisioning import delete_objects
    from asterisk_conf import accounts

    keys = [key for endpoint in endpoints for key in accounts.account_ids(endpoint.partition("/")[2])]
    asyncio.run(delete_objects(settings.asterisk, keys))


def speak(settings: Settings, text: str) -> None:
    """Console hook: have a message spoken. Raises CallwrightError where it cannot be."""
    from ari_app.silent_message import prepare

    asyncio.run(prepare(settings, text))


def load_api() -> Api:
    """The API and those who are told of events; loaded when calls are served already."""
    from ari_app.api import api

    return api


def serve(ctx: typer.Context) -> None:
    """Run the contact centre: ARI app, dialer, AGI scripts, health and metrics.

    Example: callwright serve
    """
    gc.disable()  # modules are no garbage: looking through them while they are loaded takes a tenth of the start
    import uvloop

    from agi_scripts.server import AgiServer
    from ari_app.serve import Parts, serve_forever
    from asterisk_conf import accounts
    from contact_center import logs
    from contact_center.carriers import Carriers
    from dialer.engine import Dialer
    from dialer.lead_import import LeadImporter

    gc.enable()
    at_hand = console_of(ctx)
    settings = at_hand.settings
    logs.configure(secrets=(settings.asterisk.ari_password, settings.asterisk.ami_secret))
    forsaken = LeadImporter(
        at_hand.engine, at_hand.clock, settings.site, "serve", carriers_of=partial(Carriers.of, settings)
    )
    forsaken.settle()  # an import that was killed
    at_hand.engine.dispose()
    at_hand.close()  # serve_forever looks into the file itself, and closing it would end SQLite's locks on it
    parts = Parts(
        dialer=Dialer,
        agi=AgiServer,
        accounts=account_objects,
        account_keys=accounts.account_ids,
        load_api=load_api,
    )
    try:
        uvloop.run(serve_forever(settings, parts))
    except BaseExceptionGroup as group:
        raise _plain(group) from None


def _plain(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The product's own error inside a group, if there is one: it is a sentence for people."""
    ours = group.subgroup(CallwrightError)
    error: BaseException = ours if ours is not None else group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def build(words: Sequence[str] = ()) -> typer.Typer:
    """The program with the commands that ``words`` are about; with all of them where that is not plain."""
    app = make_app(Hooks(provision=provision, withdraw=withdraw, speak=speak))
    group = _group(words)
    if group == "serve":
        app.command()(serve)
        return app
    console.mount(app, group)
    if group in ("", "lead", "campaign"):
        from dialer import commands as dialer_commands

        dialer_commands.mount(app)
    if not group:
        from asterisk_conf import commands as conf_commands
        from contact_center.store.schema import schema_state
        from contact_center.store.trunk_use import read_trunks
        from dialer import simulate_commands

        simulate_commands.mount(app)
        app.add_typer(conf_commands.conf_app, name="conf")
        app.command("doctor")(conf_commands.doctor_command(schema_state, read_trunks))
        app.command()(serve)
    return app


def _group(words: Sequence[str]) -> str:
    """The group whose commands are enough; empty for all."""
    rest = iter(global_options_first(list(words)))
    for word in rest:
        if word == "--config":
            next(rest, None)
        elif not word.startswith("-"):
            return word if word == "serve" or word in console.GROUPS else ""
        elif word != "--json" and not word.startswith("--config="):
            return ""
    return ""


def __getattr__(name: str) -> Any:
    """``app``: the whole program, for whoever imports it."""
    if name == "app":
        return build()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> None:
    """The console script."""
    run(build(sys.argv[1:]))


if __name__ == "__main__":
    main()
