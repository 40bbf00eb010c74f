"""A far end in a process of its own, and the client that steers it over a UNIX socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab.farend.media import Sending
from tests.lab.farend.transaction import Address
from tests.lab.process import die_with_parent

START_SECONDS = 20.0
ROOT = Path(__file__).resolve().parents[3]


class RemoteError(RuntimeError):
    """The far end refused a command or is gone; the text says which."""


class RemoteFarEnd:
    """`async with RemoteFarEnd(...) as world: await world.ask("dial", phone="1001", number="*45")`."""

    def __init__(
        self,
        *,
        switch: Address,
        trunk: Address,
        phones: Address,
        record: Path | None = None,
        customers_audio: Sending = Sending.FULL,
        phones_audio: Sending = Sending.FULL,
        listen: bool = True,
    ) -> None:
        self._arguments = ["--switch", _text(switch), "--trunk", _text(trunk), "--phones", _text(phones)]
        self._arguments += ["--customers-audio", customers_audio, "--phones-audio", phones_audio]
        self._arguments += ["--record", str(record)] if record is not None else []
        self._arguments += [] if listen else ["--deaf-to-audio"]
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    @property
    def pid(self) -> int | None:
        """The process id."""
        return self._process.pid if self._process is not None else None

    async def ask(self, do: str, deadline: float = 60.0, **arguments: Any) -> Any:
        """Send a command and wait for its result; RemoteError when it fails.

        `deadline` here is for the answer.
        """
        if self._writer is None:
            raise RemoteError("the far end is not running")
        self._count += 1
        number = self._count
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._writer.write(json.dumps({"id": number, "do": do, **arguments}).encode() + b"\n")
        try:
            async with asyncio.timeout(deadline):
                return await answer
        except TimeoutError:
            raise RemoteError(f"{do}: no answer within {deadline:g} s") from None
        finally:
            self._asked.pop(number, None)

    async def __aenter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="farend-")
        control = Path(self._directory.name) / "control"
        parent = os.getpid()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.lab.farend",
            *self._arguments,
            "--control",
            str(control),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent, signal.SIGTERM),
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            if not (await self._process.stdout.readline()).startswith(b"ready"):
                raise RemoteError("the far end did not start; what it said is above")
        reader, self._writer = await asyncio.open_unix_connection(control, limit=1 << 24)
        self._listening = asyncio.create_task(self._listen(reader), name="far end's answers")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(10.0):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._directory is not None:
            self._directory.cleanup()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            told = json.loads(line)
            answer = self._asked.get(told["id"])
            if answer is None or answer.done():
                continue
            if told["ok"]:
                answer.set_result(told["result"])
            else:
                answer.set_exception(RemoteError(told["error"]))
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(RemoteError("the far end is gone"))


def _text(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
