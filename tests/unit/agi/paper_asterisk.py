"""The side Asterisk has in FastAGI, scripted: sends a header, answers commands, keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

OWN_SOUND_MISSING = "200 result=-1 endpos=0\n"


def header(script: str, *args: str, **fields: str) -> bytes:
    lines = ["agi_network: yes", f"agi_network_script: {script}", "agi_uniqueid: 1700000000.1"]
    lines += [f"agi_{name}: {value}" for name, value in fields.items()]
    lines += [f"agi_arg_{n}: {value}" for n, value in enumerate(args, 1)]
    return ("\n".join(lines) + "\n\n").encode()


def obedient(command: str) -> str:
    """Replies like a healthy call whose own recordings are missing."""
    if command.startswith("STREAM FILE callwright/"):
        return OWN_SOUND_MISSING
    if command.startswith("STREAM FILE"):
        return "200 result=0 endpos=8000\n"
    if command.startswith("HANGUP"):
        return "200 result=1\n"
    return "200 result=0\n"


@dataclass
class PaperAsterisk:
    commands: list[str] = field(default_factory=list)

    async def call(
        self, bind: str, sent: bytes, reply: Callable[[str], str | None] = obedient, within: float = 5.0
    ) -> list[str]:
        """One call, from header to the server's end of file; the commands it was asked."""
        host, _, port = bind.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.timeout(within):
                writer.write(sent)
                while line := await reader.readline():
                    command = line.decode().rstrip("\n")
                    self.commands.append(command)
                    answer = reply(command)
                    if answer is None:
                        break
                    writer.write(answer.encode())
        except ConnectionError:
            self.commands.append("(reset)")
        finally:
            writer.close()
        return self.commands
