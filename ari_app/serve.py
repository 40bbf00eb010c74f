"""A running contact centre: every part built once, wired, and run until the process is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from ari_app import measure
from ari_app.accounts import Accounts
from ari_app.ami import Ami
from ari_app.app import App
from ari_app.bridge import BridgePool
from ari_app.census import Census
from ari_app.client import AriClient
from ari_app.dialer_part import DialerPart, MakeDialer
from ari_app.hidden_numbers import HiddenNumbers
from ari_app.inbound_desk import open_desk
from ari_app.inbound_told import Listeners
from ari_app.listed import take_back_listed
from ari_app.menus_open import load_menus, open_menus
from ari_app.own_desk import open_own_desk
from ari_app.phones import Phones
from ari_app.provisioning import Account
from ari_app.queue_log import QueueLog
from ari_app.queue_records import AgentRecords, CallRecords
from ari_app.reconcile import Reconciler
from ari_app.services import Services
from ari_app.supervise import supervise
from ari_app.tapes import Tapes
from ari_app.trunk_caps import keep_caps, load_caps, load_use
from ari_app.web import Api, web
from contact_center.clock import SystemClock
from contact_center.desk import Desk
from contact_center.dialling import DialOrder
from contact_center.errors import Unreachable
from contact_center.http.listening import listen
from contact_center.http.metrics import Meters
from contact_center.lock import InstanceLock
from contact_center.models import Agent
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.admin import By
from contact_center.store.admin_calls import dispose_call
from contact_center.store.admin_dnc import EVERYBODY
from contact_center.store.changes import Command, open_control_ids, take_controls
from contact_center.store.engine import open_engine
from contact_center.store.facts import NumberForbidden
from contact_center.store.schema import require_current
from contact_center.store.writer import Writer
from contact_center.terms import Ear, RecordWish
from contact_center.watchdog import LoopMonitor, Watchdog

STATUS_ACTIONS = ("online", "offline", "pause", "unpause")  # by which a supervisor chooses an agent's status
CONTROL_SECONDS = 0.2  # how often a running serve looks for what supervisors changed
DRAIN_SECONDS = 5.0  # the longest time that facts may take to be stored when serve ends
SWITCH_SECONDS = 0.0005  # the writer's thread may hold up the loop so long; Python's own 5 ms is heard as delay

ASIDE_THREADS = 2  # for files and for loading; the store has threads of its own
GARBAGE_EVERY = 20_000, 20, 20  # new objects until a look for garbage in circles, of which calls make few

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What this package may not import itself, or not yet; the composition root hands it in.

    ``load_api``: gives ``ari_app.api.api``. The web framework takes as long to load as all the rest.
    """

    dialer: MakeDialer
    agi: Callable[[str, Desk], AbstractAsyncContextManager[object]]
    accounts: Callable[[Settings, Agent], Sequence[Account]]
    account_keys: Callable[[str], Sequence[tuple[str, str, str]]]
    load_api: Callable[[], Api]


@dataclass(slots=True)
class Serve:
    """A running contact centre: every part, built once and handed to whoever needs it."""

    settings: Settings
    writer: Writer
    roster: Roster
    ari: AriClient
    app: App
    dialer: DialerPart
    phones: Phones
    accounts: Accounts
    ami: Ami
    queue_log: QueueLog
    parts: Parts
    tapes: Tapes = field(init=False)
    hidden: HiddenNumbers = field(init=False)
    meters: Meters = field(default_factory=Meters)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def build(cls, settings: Settings, writer: Writer, parts: Parts) -> Serve:
        """Wire the parts; nothing runs yet."""
        clock, asterisk = SystemClock(), settings.asterisk
        ami = Ami(asterisk.ami_host, asterisk.ami_port, asterisk.ami_user, asterisk.ami_secret)
        queue_log = QueueLog(ami)
        roster = Roster(clock, writer.post, max_misses=settings.agents.max_misses)
        roster.on_status.append(AgentRecords(queue_log, clock).hear)
        ari = AriClient(
            url=asterisk.ari_url.removesuffix("/").removesuffix("/ari"),
            user=asterisk.ari_user,
            password=asterisk.ari_password,
            app=asterisk.app,
        )
        app = App(Services(ari, BridgePool(ari), roster, settings, clock, post=writer.post))
        dialer = parts.dialer(writer=writer, roster=roster, placer=app, settings=settings, clock=clock)
        phones = Phones(ari, ami, roster, clock)
        accounts = Accounts(writer, phones, partial(parts.accounts, settings), parts.account_keys)
        serve = cls(settings, writer, roster, ari, app, dialer, phones, accounts, ami, queue_log, parts)
        app.env.progress = CallRecords(queue_log, roster, dialer.ledger)
        app.env.dispose, app.env.forbid, app.env.trunks = serve.dispose, serve.forbid, dialer.trunks
        app.env.after = open_menus(app.env, writer)
        app.inbound = open_desk(app.env, app.lines, writer, Listeners(writer.post, queue_log, roster, serve.meters))
        app.env.take_preview = dialer.previews.take
        app.env.words = app.inbound.reception.prompts.said
        app.env.machine_words = app.inbound.reception.prompts.left
        app.env.spoken = app.inbound.reception.prompts.told
        hidden = serve.hidden = HiddenNumbers(writer.read, app.spawn)
        app.env.hides, app.env.look_up, app.env.known = hidden.hides, hidden.look_up, hidden.known
        serve.tapes = app.env.tapes = Tapes(ari, asterisk, clock, writer.post, app.inbound.reception.prompts.message)
        app.own = open_own_desk(app.env, app.lines, app.inbound.reception.board, writer, serve.meters)
        dialer.ledger.on_result.append(measure.on_result(serve.meters))
        ari.on_connect = reconcile = Reconciler(
            app=app,
            writer=writer,
            rebuild=dialer.rebuild,
            adopted=dialer.ledger.adopted,
            prepare=serve.accounts.push_all,
        )
        # an intent whose COMMIT was never answered may have been stored: then nobody owns it
        writer.on_health(lambda healthy: app.spawn(reconcile(), "reconcile") if healthy and ari.live else None)
        return serve

    # -- what the parts need of each other ------------------------------------------------------------

    async def dispose(self, call_id: str, code: str, by: str) -> None:
        """Store a disposition that an agent keyed."""
        who = By(by, self.app.env.clock.now())

        def store(session: Session) -> tuple[str, str]:
            call = dispose_call(session, who, call_id, code)
            return call.campaign or call.queue, call.disposition

        queue, disposition = await self.writer.commit(store)
        self.queue_log.write(queue, call_id, "", "CALLSTATUS", disposition)

    def forbid(self, order: DialOrder) -> None:
        """Remember that a person wants no more calls."""
        campaign = order.campaign_id if order.opt_out == "campaign" else EVERYBODY
        now = self.app.env.clock.now()
        self.writer.post(NumberForbidden(order.number, campaign, "asked on the phone", "caller", now))

    # -- supervisors' changes -------------------------------------------------------------------------

    async def obey_controls(self) -> None:
        """Do what supervisors changed within a second of it. Runs until cancelled."""
        taken: deque[Command] = deque()  # what is taken is obeyed, if need be when the database is back
        while True:
            with suppress(TimeoutError):  # nothing was changed by way of the API meanwhile
                async with asyncio.timeout(CONTROL_SECONDS):
                    await self.stirred.wait()
            self.stirred.clear()
            try:
                if waiting := await self.writer.read(open_control_ids, ahead=True):
                    self.meters.changes.set(len(waiting))
                    taken.extend(await self._take_controls())
                    await self._know_agents({c.entity_id for c in taken if (c.entity, c.action) == ("agent", "add")})
                while taken:
                    await self._obey_one(taken[0])
                    taken.popleft()
                self.meters.changes.set(0)
            except Unreachable as error:
                log.warning("supervisors' changes wait", action="control", reason=str(error))

    async def _take_controls(self) -> list[Command]:
        now = self.app.env.clock.now()
        return await self.writer.commit(lambda session: take_controls(session, now))

    async def _know_agents(self, exts: set[str]) -> None:
        """The last of a hundred imported agents may dial *45 as soon as the first: accounts take longer than this."""
        rows = await self.writer.read(
            lambda session: list(session.scalars(select(Agent).where(col(Agent.ext).in_(exts))))
        )
        for row in rows:
            if self.roster.get(row.ext) is None:
                self.roster.sync(row.ext, row)

    async def _obey_one(self, command: Command) -> None:
        """One change that cannot be obeyed must not hold up the others."""
        try:
            await self._obey(command)
        except Unreachable:
            raise
        except Exception:
            log.exception("a change was not obeyed", action="control", entity=command.entity, what=command.action)

    async def _obey(self, command: Command) -> None:
        match command.entity, command.action:
            case "agent", "take" | "skip":
                await self.dialer.previews.decide(command.entity_id, command.action, command.payload["lead_id"])
            case "agent", _:
                await self._agent_changed(command)
            case "campaign", "leads":
                await self.dialer.leads_arrived(command.entity_id)
            case "campaign", _:
                self.hidden.campaigns_changed()
                await self.dialer.reload(command.entity_id)
            case "dnc", "add" | "import":
                self.dialer.lists_changed()
                await take_back_listed(self.app, self.writer)
                await self.dialer.leads_changed()
            case ("lead" | "dnc", _) | ("call", "dispose"):
                await self.dialer.leads_changed()
            case "queue", _:
                await self.app.queue_changed(command.entity_id)
            case "trunk", _:
                await load_caps(self.app.env.trunks, self.settings, self.writer, command.entity_id)
            case (("rating_group" | "category"), _):
                await load_menus(self.app.env, self.writer)
            case "callback", "cancel":
                self.app.callback_cancelled(command.entity_id)
            case "call", _:
                await self._obey_call(command)

    async def _obey_call(self, command: Command) -> None:
        match command.action:
            case "place":
                self.app.place_own(command.entity_id, command.payload, command.at)
            case "listen":
                ear, ext = Ear(command.payload["ear"]), str(command.payload["ext"])
                self.app.spawn(supervise(self.app.env, command.entity_id, ext, ear), f"ear {ext}")
            case "record":
                await self.tapes.pause(command.entity_id, on=command.payload["record"] == RecordWish.PAUSE)
            case "unrecord":
                self.tapes.forget(command.entity_id)
            case "hangup":
                if ext := str(command.payload.get("ext") or ""):
                    await self.app.hang_up_as(command.entity_id, ext)
                else:
                    await self.app.hang_up(command.entity_id)

    async def _agent_changed(self, command: Command) -> None:
        ext, action = command.entity_id, command.action

        def read(session: Session) -> Agent | None:
            return session.scalars(select(Agent).where(col(Agent.ext) == ext)).first()

        row = await self.writer.read(read)
        if action == "remove":  # who has his extension by now is somebody else
            self.roster.sync(ext, None)
        self.roster.sync(ext, row, chose_at=command.at if action in STATUS_ACTIONS else None)
        if self.ari.live:
            await self.accounts.renew(ext, row, unmade=action in ("remove", "set"))

    # -- running --------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Take agents and campaigns as the store knows them."""
        now = self.app.env.clock.now()
        missed = await self._take_controls()
        self.roster.load(await self.writer.read(lambda s: list(s.scalars(select(Agent)))), now)
        await self.app.load_queues()
        await load_menus(self.app.env, self.writer)
        await load_use(self.app.env.trunks, self.settings, self.writer)
        await self.dialer.load()
        for command in missed:
            if (command.entity, command.action) == ("campaign", "leads"):  # a finished campaign goes on
                await self.dialer.leads_arrived(command.entity_id)
            elif (command.entity, command.action) == ("call", "unrecord"):
                self.tapes.forget(command.entity_id)

    @asynccontextmanager
    async def doors(self) -> AsyncIterator[LoopMonitor]:
        """Everything that listens or talks to others, opened in order and closed in the reverse one."""
        async with AsyncExitStack() as stack:
            monitor = stack.enter_context(LoopMonitor())
            await stack.enter_async_context(self.parts.agi(self.settings.fastagi.bind, self.roster))
            await stack.enter_async_context(self.app)
            await stack.enter_async_context(self.ari)
            await stack.enter_async_context(self.app.env.bridges)
            await stack.enter_async_context(self.ami)
            await stack.enter_async_context(self.queue_log)
            self.ami.on_contact(self.roster.phone)
            dog = await stack.enter_async_context(Watchdog(lambda: not self.stop.is_set(), monitor))
            dog.ready("serving")
            yield monitor

    async def run(self) -> None:
        """Serve until told to stop, then leave the calls to the next process."""
        listener = listen(self.settings.http.bind)
        await self.load()
        async with self.doors() as monitor, asyncio.TaskGroup() as group:
            for work in (
                self.roster.run(),
                self.dialer.run(),
                self.app.serve_arrivals(),
                self.app.serve_callbacks(),
                self.app.lines.run(),
                self.phones.run(),
                Census(self.ari).run(),
                keep_caps(self.app.env.trunks, self.meters, self.app.env.ari),
                self.tapes.run(),
                self.obey_controls(),
                measure.keep_gauges(self.meters, self.app, self.writer, self.ami, monitor),
                self._web(listener),
            ):
                group.create_task(self._vital(work))
            log.info("serving", action="start", app=self.settings.asterisk.app)
            await self.stop.wait()
            await self._hand_over()

    async def _web(self, listener: socket.socket) -> None:
        """Health, metrics, the API and who is told of events."""
        parts = self.app, self.writer, self.ami, self.meters, self.stirred.set
        async with web(*parts, listener, self.parts.load_api):
            await asyncio.Event().wait()

    async def _vital(self, work: Coroutine[Any, Any, None]) -> None:
        """Work without which there is no contact centre. Where it fails the process ends as in a crash.

        Unwinding would hang up every call; the next process adopts them instead.
        """
        try:
            await work
        except Exception:
            log.exception("a vital part failed; the next process takes over", action="stop")
            await self.writer.drain(DRAIN_SECONDS)
            os._exit(1)

    async def _hand_over(self) -> None:
        """Dialling stops, what is known is stored, and the process ends without touching a call.

        Calls live in Asterisk, not here: the next process adopts them. Closing our side in good order would
        hang them up, so the process ends as a crash would, only with everything written down.
        """
        self.dialer.draining = True
        self.app.env.trunks.tick()
        stored = await self.writer.drain(DRAIN_SECONDS)
        log.info("handed over", action="stop", calls=len(self.app.calls), stored=stored)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def serve_forever(settings: Settings, parts: Parts) -> None:
    """One contact centre, from lock to hand-over."""
    url = settings.database.url
    sys.setswitchinterval(SWITCH_SECONDS)
    with InstanceLock.for_database(url):
        require_current(url)
        keep = timedelta(days=settings.tracking.keep_days)
        async with Writer(open_engine(url), SystemClock(), _journal(url), keep_tracking=keep) as writer:
            serve = Serve.build(settings, writer, parts)
            loop = asyncio.get_running_loop()
            loop.set_default_executor(ThreadPoolExecutor(ASIDE_THREADS, "callwright-aside"))
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, serve.stop.set)
            gc.collect()
            gc.freeze()  # modules and tables live as long as the process: not to be looked through in a call's time
            gc.set_threshold(*GARBAGE_EVERY)
            await serve.run()


def _journal(url: str) -> Path:
    """Where facts wait while the database is away: beside the SQLite file, else in the state directory."""
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///") + ".facts")
    return Path(os.environ.get("STATE_DIRECTORY", ".")) / "callwright.facts"
