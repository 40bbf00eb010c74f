"""What a contact centre lives on, asked part by part. It needs no web framework: it is there before one is loaded."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

PROBE_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """Whether one part works, and why (not), in a sentence."""

    ok: bool
    why: str = ""


Probe = Callable[[], Part | Awaitable[Part]]


class Health:
    """The parts we live on. A probe that takes more than a second, or raises, counts as not working.

    A probe that hangs is not started a second time: later questions wait for the same answer.
    """

    def __init__(self, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._probes: dict[str, tuple[Probe, bool]] = {}
        self._asking: dict[str, asyncio.Task[Part]] = {}
        self._probe_seconds = probe_seconds

    def add(self, name: str, probe: Probe, *, required: bool = True) -> None:
        """Ask ``probe`` about ``name``; what is not required is shown and does not make us unready."""
        self._probes[name] = (probe, required)

    async def ask(self) -> tuple[bool, dict[str, dict[str, Any]]]:
        """Whether we are ready, and every part by name: {"ok": bool, "required": bool, "why": str}."""
        parts = await asyncio.gather(*(self._one(name) for name in self._probes))
        shown = {
            name: {"ok": part.ok, "required": required, "why": part.why}
            for part, (name, (_, required)) in zip(parts, self._probes.items(), strict=True)
        }
        return all(part["ok"] or not part["required"] for part in shown.values()), shown

    async def _one(self, name: str) -> Part:
        task = self._asking.get(name)
        if task is None or task.done():
            task = self._asking[name] = asyncio.create_task(self._probe(name), name=f"probe {name}")
        try:
            async with asyncio.timeout(self._probe_seconds):
                return await asyncio.shield(task)
        except TimeoutError:
            return Part(False, f"no answer within {self._probe_seconds:g} s")

    async def _probe(self, name: str) -> Part:
        probe, _ = self._probes[name]
        try:
            answer = probe()
            return await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            log.warning("probe failed", action="health", part=name, why=str(error))
            return Part(False, f"the probe failed: {type(error).__name__}")

    async def close(self) -> None:
        """End probes that still hang."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        self._asking.clear()
