"""`callwright init` and `callwright db upgrade`: from nothing to a database."""

from __future__ import annotations

import json
import os
import secrets
import string
import tempfile
from contextlib import suppress
from pathlib import Path

import typer

from contact_center import settings as settings_file
from contact_center.console.context import Console, console_of
from contact_center.console.output import clean
from contact_center.errors import UsageError
from contact_center.settings import FILE_NAME, Settings
from contact_center.store.schema import upgrade

database = typer.Typer(help="The database.", epilog="Example: callwright db upgrade", no_args_is_help=False)
_ALPHABET = string.ascii_letters + string.digits
_SECRET_LENGTH = 32

_TEMPLATE = """\
# Callwright's settings. Every key may also come from the environment, as CALLWRIGHT_SITE__NAME=...
# An unknown key or a bad value is refused with one sentence; `callwright doctor` looks at the rest.
# This file holds passwords: keep it readable by Callwright only.

[site]
name = {name}
timezone = {timezone}          # of the site; also of leads whose number tells no zone
country = {country}                     # region of national numbers
language = "en"                    # en, da or ru
currency = "GBP"
number_check = "valid"             # valid: asks the numbering plan; digits: any 7 to 15 digits

[database]
url = {url}
# url = "postgresql+psycopg://callwright:PASSWORD@127.0.0.1/callwright"

[asterisk]                         # Asterisk 22 or newer; `callwright conf install` sets it up
ari_url = "http://127.0.0.1:8088/ari"
ari_user = "callwright"
ari_password = {ari_password}
app = "callwright"
ami_host = "127.0.0.1"
ami_port = 5038
ami_user = "callwright"
ami_secret = {ami_secret}
sip_bind = "127.0.0.1:5060"        # where phones and trunks reach Asterisk; 0.0.0.0:5060 for every address
external_address = ""              # the address outside, when a NAT router stands in between
rtp_start = 10000                  # UDP ports of the sound, to be opened in the firewall
rtp_end = 20000
fallback_number = ""               # callers go there while the program is away; empty: a message
dead_man_seconds = 60              # after so long without the program a caller is not kept any longer

# [trunk.main]                     # one table for each carrier
# host = "sip.carrier.example"
# port = 5060
# username = ""
# password = ""
# register = false
# match = ["192.0.2.10"]           # addresses its calls come from
# dial_format = "+{{number}}@{{host}}:{{port}}"
# max_channels = 30
# max_cps = 5.0
# reserve_inbound = 5              # channels kept free for callers

[agents]
connect = "on_demand"              # on_demand rings the phone; persistent: the agent's call stays up (*48)
ring_seconds = 20
max_misses = 2                     # calls not taken before an agent is paused

[fastagi]
bind = "127.0.0.1:4573"

[http]
bind = "127.0.0.1:8080"

[mqtt]
url = ""                           # empty: off; mqtt://host:1883 or mqtts://host:8883

[speech]
command = "espeak-ng -v {{voice}} -w {{file}} {{text}}"
"""


def init(
    ctx: typer.Context,
    force: bool = typer.Option(False, "--force", help="Overwrite settings that are there (fresh secrets)."),
    name: str = typer.Option("Callwright", "--name", help="The site's name."),
    timezone: str = typer.Option("Europe/London", "--timezone", help="The site's zone of the tz database."),
    country: str = typer.Option("GB", "--country", help="The region of national numbers."),
    url: str = typer.Option("", "--database", help="The database; else callwright.db beside the settings."),
) -> None:
    """Write callwright.toml with fresh secrets, and make the database."""
    console = console_of(ctx)
    path = Path(os.path.abspath(console.settings_path or FILE_NAME))
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file.")
    if path.exists() and not force:
        raise UsageError(f"{path}: there are settings already; --force overwrites them.")
    text = settings_text(name, timezone, country, url or f"sqlite:///{path.parent / 'callwright.db'}")
    settings = _write(path, text)
    state = upgrade(settings.database.url)
    console.done(
        f"{path} is written and the database is ready ({clean(state.head)}); next: set sip_bind and a "
        "[trunk.NAME] in it, then `callwright conf install` and `callwright doctor`.",
        {"settings": str(path), "database": _shown_url(settings), "schema": state.head},
    )


def settings_text(name: str, timezone: str, country: str, url: str) -> str:
    """The settings file of a new site, with fresh secrets."""
    return _TEMPLATE.format(
        name=json.dumps(name, ensure_ascii=False),
        timezone=json.dumps(timezone, ensure_ascii=False),
        country=json.dumps(country, ensure_ascii=False),
        url=json.dumps(url, ensure_ascii=False),
        ari_password=json.dumps(_secret()),
        ami_secret=json.dumps(_secret()),
    )


def _secret() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))


def _write(path: Path, text: str) -> Settings:
    """Check the text as the program would read it, then put it in place, readable by its owner only."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written ({error.strerror}); choose another folder.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            settings = settings_file.load(Path(name))
        except UsageError as error:
            raise UsageError(str(error).replace(name, str(path))) from None
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    return settings


def _shown_url(settings: Settings) -> str:
    scheme, _, rest = settings.database.url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


@database.command("upgrade", epilog="Example: callwright db upgrade")
def upgrade_(ctx: typer.Context) -> None:
    """Make the database, or bring it to the version this program needs."""
    console: Console = console_of(ctx)
    state = upgrade(console.settings.database.url)
    console.done(f"The database is at {clean(state.head)}.", {"current": state.current, "head": state.head})
