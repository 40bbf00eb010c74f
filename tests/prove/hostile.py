"""Ten thousand texts that are meant to send a call elsewhere: by files, the API and agents' own calls."""

from __future__ import annotations

import asyncio
import csv
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import aiohttp

from tests.lab.centre import Centre
from tests.lab.farend.numbers import script_for
from tests.lab.farend.record import Direction, Side
from tests.lab.farend.script import Script
from tests.lab.until import until
from tests.prove.books import Books
from tests.prove.proof import Figure, Proof, Round
from tests.prove.scene import NEVER, TEAM, left_over, stand
from tests.support.hostile_numbers import hostile

TEXTS, ROUNDS = 2000, 5
PUSHED, OWN = 400, 100  # of them by the API as leads, and as calls of an agent
PLAIN = re.compile(r"\+?[0-9]{3,15}\Z")


class HostileCentre(Centre):
    """Whatever has as many digits as a number is taken for one; two addresses wait for calls that go astray."""

    def __init__(self) -> None:
        super().__init__("hostile", settings={"site": {"number_check": "digits"}})


class Traps:
    """Sockets at addresses to which no call may go; `caught` is what came."""

    def __init__(self, hosts: list[str]) -> None:
        self.hosts, self._sockets = hosts, ExitStack()
        self.listening = [self._listen(host, port) for host in hosts for port in (5060, 9999)]

    def _listen(self, host: str, port: int) -> socket.socket:
        one = self._sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        one.bind((host, port))
        one.setblocking(False)
        return one

    def caught(self) -> list[str]:
        """The first line of each datagram."""
        found = []
        for one in self.listening:
            try:
                while True:
                    found.append(one.recv(65536).split(b"\r\n")[0].decode(errors="replace"))
            except BlockingIOError:
                continue
        return found

    def close(self) -> None:
        """Listen no more."""
        self._sockets.close()


@contextmanager
def traps(centre: Centre) -> Iterator[Traps]:
    """At two addresses of this run."""
    laid = Traps([centre.block.take(), centre.block.take()])
    try:
        yield laid
    finally:
        laid.close()


async def hostile_round(centre: Centre, number: int, *, texts: int = TEXTS) -> Round:
    """So many texts; whatever is taken is called, by nobody but the trunk, as digits and nothing else."""
    books = await stand(centre, 6)
    campaign = f"hostile-{number}"
    centre.far.trunk.behave = lambda _: Script("busy", ring_seconds=0.1, code=486)
    try:
        with traps(centre) as laid:
            hosts = [*laid.hosts, *(f"{host}:9999" for host in laid.hosts)]
            given = list(hostile(texts, seed=100 + number, hosts=hosts))
            refused = await _give(centre, books, campaign, given)
            strayed = laid.caught()
    finally:
        centre.far.trunk.behave = script_for
    calls = [c for c in centre.far.log.select(Side.CUSTOMER, Direction.IN) if c.script == "busy"]
    failures = [f"went astray: {line}" for line in strayed]
    failures += [f"dialled {call.number!r}" for call in calls if not PLAIN.match(call.number)]
    dialled, came = (
        len(books.dials(campaign)),
        len([c for c in calls if c.party in {d.number for d in books.dials(campaign)}]),
    )
    if came < dialled:
        failures.append(f"of {dialled} dials {came} came to the trunk")
    if not dialled:
        failures.append("no text was taken: nothing was shown")
    failures += await left_over(centre, books)
    books.close()
    figures: dict[str, Figure] = {
        "texts": texts, "refused": refused, "numbers dialled": len({call.party for call in calls}), "dials": len(calls),
        "datagrams at another address": len(strayed),
    }  # fmt: skip
    return Round(figures, failures)


async def _give(centre: Centre, books: Books, campaign: str, given: list[str]) -> int:
    """By every way in; how many texts were refused. Returns when every call is over."""
    keys = {"multiplier": "8", "max_attempts": "1", "ring_seconds": "15", **NEVER}
    await centre.add_campaign(campaign, [], team=TEAM, **keys)
    in_file = [text for text in given[PUSHED + OWN :] if "\0" not in text]
    file = centre.base / f"{campaign}.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([["phone"], *([text] for text in in_file)])
    told = await centre.cli("lead", "import", campaign, str(file), "--dedupe", "none")
    refused = int(told["rejected"])
    token = (await centre.cli("token", "add", campaign, "--role", "supervisor"))["token"]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as web:
        await centre.cli("campaign", "start", campaign)
        base = f"http://{centre.settings.http.bind}/v1"
        for text in given[:PUSHED]:
            refused += await _refused(web, f"{base}/campaigns/{campaign}/leads", {"number": text})
        for text in given[PUSHED : PUSHED + OWN]:
            refused += await _refused(web, f"{base}/calls", {"ext": "1001", "number": text})
    await books.until_quiet(campaign, 120.0)
    await until(lambda: not centre.far.log.live(), 60.0, "every call to be over")
    await centre.cli("campaign", "stop", campaign)
    return refused


async def _refused(web: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> int:
    """1 when it was refused in one sentence. RuntimeError when the server failed."""
    while True:
        async with web.post(url, json=body) as answer:
            told = await answer.json()
            if answer.status == 429:
                await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
                continue
            if answer.status >= 500:
                raise RuntimeError(f"{url} {body!r}: {answer.status} {told}")
            return int(answer.status >= 400)


PROOFS: list[Proof] = [
    Proof(
        "hostile_numbers",
        "10 000 texts that are meant to send a call elsewhere, by file, as leads and calls of the API: each is refused "
        "or dialled at the trunk as digits and nothing else; no datagram comes to any other address.",
        ROUNDS,
        hostile_round,
        HostileCentre,
    ),
]
