"""One TOML file and the environment, checked at start: a bad value is one sentence, no surprise later."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import phonenumbers
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from contact_center.errors import SettingsError, plain_reason
from contact_center.law.zone_names import is_zone
from contact_center.matching.transactions import TransactionType
from contact_center.options import checked_caps
from contact_center.setting_kinds import Bind, Codec, Host, HostOrBind, Name, Peer, Plain, Port, Prefix
from contact_center.terms import AgentConnect, NumberCheck

ENVIRONMENT_PREFIX = "CALLWRIGHT_"
LISTS = ("match", "codecs", "allow_hosts", "allowed_prefixes")
FILE_NAME = "callwright.toml"


class Section(BaseModel):
    """A table of the file: unknown keys are errors, values do not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(Section):
    """Where the contact centre stands and how it speaks."""

    name: Plain = "Callwright"
    timezone: str = "Europe/London"
    country: str = "GB"
    language: Literal["en", "da", "ru"] = "en"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "GBP"
    number_check: NumberCheck = NumberCheck.VALID
    person_cap: Annotated[str, BeforeValidator(checked_caps)] = ""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if not is_zone(value):
            raise ValueError("a zone of the tz database is wanted, such as Europe/London")
        return value

    @field_validator("country")
    @classmethod
    def _known_country(cls, value: str) -> str:
        if value not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("a country of two capital letters is wanted, such as GB")
        return value


class Database(Section):
    """Where facts are kept."""

    url: str = "sqlite:///callwright.db"

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not re.match(r"^(sqlite:///.+|postgresql\+psycopg://.+)", value):
            raise ValueError("sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME is wanted")
        return value


class Asterisk(Section):
    """How we speak with Asterisk, and where the bundled configuration makes it listen.

    ``recordings``: the folder of Asterisk's recordings as it is seen from here, to watch that they grow and that
    ``recordings_free_mb`` are free there; empty: nobody watches.
    """

    ari_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] = "http://127.0.0.1:8088/ari"
    ari_user: Name = "callwright"
    ari_password: Plain = ""
    app: Name = "callwright"
    ami_host: Host = "127.0.0.1"
    ami_port: Port = 5038
    ami_user: Name = "callwright"
    ami_secret: Plain = ""
    sip_bind: Bind = "127.0.0.1:5060"
    external_address: Plain = ""
    rtp_start: Annotated[int, Field(ge=1024, le=65000)] = 10000
    rtp_end: Annotated[int, Field(ge=1025, le=65535)] = 20000
    fallback_number: Plain = ""
    recordings: Plain = "/var/spool/asterisk/recording"
    recordings_free_mb: Annotated[int, Field(ge=0, le=100_000_000)] = 1000
    dead_man_seconds: Annotated[int, Field(ge=10, le=3600)] = 60


class Caps(Section):
    """What a trunk may carry out, and spend, in any 60 minutes and any 24 hours; 0: no cap. Money: site.currency.

    ``max_call_minutes``: how long one call to the outside may last.
    """

    calls_per_hour: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    calls_per_day: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    minutes_per_hour: Annotated[float, Field(ge=0, le=10_000_000)] = 0.0
    minutes_per_day: Annotated[float, Field(ge=0, le=10_000_000)] = 0.0
    cost_per_minute: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    spend_per_day: Annotated[float, Field(ge=0, le=100_000_000)] = 0.0
    max_call_minutes: Annotated[float, Field(ge=0, le=10_000)] = 0.0

    @field_validator("spend_per_day")
    @classmethod
    def _has_a_price(cls, value: float, info: ValidationInfo) -> float:
        if value and not info.data.get("cost_per_minute"):
            raise ValueError("it needs cost_per_minute, too")
        return value


class Trunk(Caps):
    """A carrier's SIP trunk. ``dial_format`` may use {number} (digits only), {host}, {port}, {server}.

    ``max_channels`` and ``max_cps`` bind all calls; campaigns leave ``reserve_inbound`` channels free.
    ``allowed_prefixes``: what the numbers dialled by it must begin with, such as +44; empty: all may be dialled.
    """

    host: Host
    port: Port = 5060
    username: Plain = ""
    password: Plain = ""
    register_: bool = Field(default=False, alias="register")
    match: tuple[Peer, ...] = ()
    transport: Literal["udp", "tcp", "tls"] = "udp"
    codecs: Annotated[tuple[Codec, ...], Field(min_length=1)] = ("alaw", "ulaw")
    dial_format: Plain = "+{number}@{host}:{port}"
    max_channels: Annotated[int, Field(ge=1, le=10000)] = 100
    max_cps: Annotated[float, Field(gt=0, le=1000)] = 20.0
    reserve_inbound: Annotated[int, Field(ge=0, le=10000)] = 0
    allowed_prefixes: tuple[Prefix, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _port_of_tls(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("transport") == "tls" and "port" not in values:
            return {**values, "port": 5061}
        return values

    @field_validator("dial_format")
    @classmethod
    def _macros(cls, value: str) -> str:
        bare = value.removeprefix("sip:")
        if set(re.findall(r"\{([^}]*)\}", bare)) - {"number", "host", "port", "server"} or "{number}" not in bare:
            raise ValueError("only {number}, {host}, {port} and {server} may be used, and {number} must be")
        rest = re.sub(r"\{[a-z]+\}", "", bare)
        if not re.fullmatch(r"[A-Za-z0-9+*@:;=._\-]*", rest) or rest.count("@") != 1:
            raise ValueError("a SIP address is wanted, such as +{number}@{host}:{port}")
        return value


class Agents(Section):
    """What holds for every agent unless his own row says otherwise.

    ``menu_seconds``: the menus after a call, rating and category together, keep an agent from his next one no longer.
    Of the calls that agents make themselves: ``trunk`` carries them (empty: any), ``caller_id`` is shown,
    ``dial_seconds`` is how long the number may ring, ``obey_dnc`` refuses numbers of the do-not-call list.
    """

    connect: AgentConnect = AgentConnect.ON_DEMAND
    ring_seconds: Annotated[int, Field(ge=3, le=120)] = 20
    max_misses: Annotated[int, Field(ge=1, le=100)] = 2
    menu_seconds: Annotated[int, Field(ge=5, le=300)] = 60
    trunk: str = ""
    caller_id: Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{6,14})?$")] = ""
    dial_seconds: Annotated[int, Field(ge=5, le=180)] = 45
    obey_dnc: bool = True


class FastAgi(Section):
    """Where the AGI scripts listen."""

    bind: Bind = "127.0.0.1:4573"


class Http(Section):
    """Where health, metrics and the API listen."""

    bind: Bind = "127.0.0.1:8080"


class Mqtt(Section):
    """The broker that is told; an empty url switches it off. ``prefix``: the first levels of all topics."""

    url: Annotated[str, Field(pattern=r"^(mqtts?://[^\s]+)?$")] = ""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}(/[A-Za-z0-9_-]{1,40}){0,3}$")] = "callwright"


class Webhooks(Section):
    """Receivers of webhooks. ``allow_hosts``: hosts (host or host:port) that may be local, and spoken to by http."""

    allow_hosts: tuple[HostOrBind, ...] = ()


class GoogleAnalytics(Section):
    """Where Google Analytics listens: ``url`` is another one only in the EU, or in a test."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] = "https://www.google-analytics.com/mp/collect"


class Tracking(Section):
    """Numbers handed to visitors of a site, and what a data platform is told of the calls to them.

    ``hold_seconds``: how long a number is a visitor's after he was last seen. ``rest_seconds``: how long it is then
    handed to nobody. ``keep_days``: how long visits, and whose call it was, are kept. ``url``: who is told of
    calls as transactions; empty: nobody. ``property``: the client's tracking id there. ``send_at``: told when the
    call begins or when it ends. ``send``: only calls that were matched to a visitor, or all. ``details``: whose call
    it is, and from where he came, is told as well.
    """

    hold_seconds: Annotated[int, Field(ge=60, le=2_592_000)] = 1800
    rest_seconds: Annotated[int, Field(ge=0, le=86_400)] = 600
    keep_days: Annotated[int, Field(ge=31, le=3650)] = 400
    url: Annotated[str, Field(pattern=r"^(https?://[^\s]+)?$")] = ""
    property: Plain = ""
    event: TransactionType = TransactionType.SHOP
    send_at: Literal["start", "end"] = "end"
    send: Literal["matched", "all"] = "matched"
    details: bool = False
    source: Annotated[Plain, Field(max_length=80)] = "callwright@0.1.0"


class Speech(Section):
    """The command that turns text into a wav file: {text}, {voice}, {language} and {file} are filled in."""

    command: str = "espeak-ng -v {voice} -w {file} {text}"


class Amd(Section):
    """Is it a person or a machine? The numbers are those of Asterisk's AMD, in seconds.

    ``bound_seconds``: who is not known by then is a person; it never takes more than 85 % of a campaign's
    ``connect_deadline``. ``greeting_seconds``: so much talk, or ``words``, is a machine; ``after_greeting_seconds`` of
    silence after less of it is a person. ``sample_share``: of the calls judged to be machines so many go to an agent
    all the same, whose word tells how often the verdict is wrong. ``message_silence_seconds``: a message begins after
    so much silence, and after ``greeting_longest_seconds`` at the latest.
    """

    bound_seconds: Annotated[float, Field(ge=0.5, le=10)] = 1.7
    greeting_seconds: Annotated[float, Field(ge=0.2, le=10)] = 1.1
    after_greeting_seconds: Annotated[float, Field(ge=0.1, le=5)] = 0.5
    words: Annotated[int, Field(ge=2, le=20)] = 5
    word_seconds: Annotated[float, Field(ge=0.02, le=1)] = 0.1
    between_words_seconds: Annotated[float, Field(ge=0.02, le=1)] = 0.05
    silence_threshold: Annotated[int, Field(ge=1, le=10000)] = 256
    sample_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    message_silence_seconds: Annotated[float, Field(ge=0.3, le=10)] = 2.0
    greeting_longest_seconds: Annotated[float, Field(ge=5, le=300)] = 60.0


class Settings(Section):
    """The whole file."""

    site: Site = Site()
    database: Database = Database()
    asterisk: Asterisk = Asterisk()
    trunk: dict[Name, Trunk] = Field(default_factory=dict)
    agents: Agents = Agents()
    fastagi: FastAgi = FastAgi()
    http: Http = Http()
    mqtt: Mqtt = Mqtt()
    webhooks: Webhooks = Webhooks()
    analytics: GoogleAnalytics = GoogleAnalytics()
    tracking: Tracking = Tracking()
    speech: Speech = Speech()
    amd: Amd = Amd()

    @model_validator(mode="after")
    def _known_trunk(self) -> Settings:
        if self.agents.trunk and self.agents.trunk not in self.trunk:
            raise ValueError(f"agents.trunk: there is no [trunk.{self.agents.trunk}]")
        return self


def find_file(explicit: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The file in force: ``--config``, ``$CALLWRIGHT_CONFIG``, the working directory, then /etc; or none.

    Raises SettingsError when a file that was named is not there.
    """
    named = explicit or (Path(environment["CALLWRIGHT_CONFIG"]) if environment.get("CALLWRIGHT_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError(f"{named}: there is no such file; `callwright init` writes one.")
        return named
    for candidate in (Path(FILE_NAME), Path("/etc/callwright") / FILE_NAME):
        if candidate.is_file():
            return candidate
    return None


def load(explicit: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from file and environment.

    Raises SettingsError with one sentence that names file, key and what is allowed.
    """
    environment = os.environ if environment is None else environment
    file = find_file(explicit, environment)
    tables = _read(file) if file else {}
    where = str(file) if file else "environment"
    variables: dict[str, str] = {}
    for name, text in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            variables[_set_from_environment(tables, name, text)] = name
    try:
        return Settings.model_validate(tables)
    except ValidationError as error:
        location = error.errors(include_url=False)[0]["loc"]
        blamed = next((variables[key] for key in _keys_of(location) if key in variables), None)
        raise SettingsError(f"{f'environment: {blamed}' if blamed else where}: {sentence_of(error)}") from None


def _keys_of(location: tuple[int | str, ...]) -> list[str]:
    """The key that an error is about, and those it lies in: ``trunk.main.match.0`` lies in ``trunk.main.match``."""
    return [".".join(str(part) for part in location[:end]) for end in range(len(location), 1, -1)]


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: the file is not UTF-8 text; save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: this is not TOML ({error}); mend that line.") from None
    except OSError as error:
        raise SettingsError(f"{file}: it cannot be read ({error.strerror}); mend its permissions.") from None


def _set_from_environment(tables: dict[str, Any], name: str, text: str) -> str:
    """``CALLWRIGHT_TRUNK__MAIN__HOST=sip.example`` sets ``host`` of ``[trunk.main]``; the key with its tables."""
    *path, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
    table, tables_named = tables, list[str]()
    for part in path:
        known = next((k for k in table if k.lower() == part), part)
        tables_named.append(known)
        table = table.setdefault(known, {})
        if not isinstance(table, dict):
            raise SettingsError(f"environment: {name} does not name a setting.")
    table[key] = [item.strip() for item in text.split(",")] if key in LISTS else text
    return ".".join([*tables_named, key])


def sentence_of(error: ValidationError) -> str:
    """What is wrong with the first value that is, in one sentence."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key} is not a known key{_allowed(first['loc'])}."
    if first["type"] == "missing":
        return f"{key} is missing; give it a value."
    reason = plain_reason(first["type"], first["msg"], first.get("ctx", {}))
    return f"{key} is not allowed as {first['input']!r}: {reason}."


def _allowed(location: tuple[int | str, ...]) -> str:
    model: Any = Settings
    for part in location[:-1]:
        fields = getattr(model, "model_fields", {})
        if part in fields:
            model = Trunk if part == "trunk" else fields[part].annotation
    fields = getattr(model, "model_fields", None)
    if not fields:
        return ""
    names = sorted(field.alias or name for name, field in fields.items())
    return f"; known are {', '.join(names)}"
