"""A far end as a process of its own: `python -m tests.lab.farend --help`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.lab.farend.audio import AudioOptions
from tests.lab.farend.control import Commands, serve_stream
from tests.lab.farend.media import Sending
from tests.lab.farend.transaction import Address
from tests.lab.farend.world import FarEnd
from tests.lab.process import seldom_look_for_garbage


def address(text: str) -> Address:
    """`127.0.0.1:5060`, port 5060 when left out."""
    host, _, port = text.partition(":")
    if port and not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not an address like 127.0.0.1:5060")
    return host, int(port or 5060)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.farend", description="Simulated customers and phones.")
    parser.add_argument("--switch", type=address, required=True, help="SIP address of Asterisk")
    parser.add_argument("--trunk", type=address, required=True, help="address of the trunk's far side")
    parser.add_argument("--phones", type=address, required=True, help="address of the phones")
    parser.add_argument("--record", type=Path, help="file that gets one JSON line per call")
    parser.add_argument("--control", type=Path, help="UNIX socket for commands (default: stdin and stdout)")
    parser.add_argument("--customers-audio", type=Sending, choices=list(Sending), default=Sending.FULL)
    parser.add_argument("--phones-audio", type=Sending, choices=list(Sending), default=Sending.FULL)
    parser.add_argument("--deaf-to-audio", action="store_true", help="do not look at what is heard (saves CPU)")
    return parser


async def _stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


async def _listen(commands: Commands, path: Path) -> asyncio.Server:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(line: bytes) -> None:
            writer.write(line)
            await writer.drain()

        try:
            await serve_stream(commands, reader, write)
        finally:
            writer.close()

    path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, before anything runs
    return await asyncio.start_unix_server(client, path, limit=1 << 24)


async def run(options: argparse.Namespace) -> None:
    """Serve until `stop`, SIGTERM, SIGINT, or the end of stdin when that is what steers it."""
    listen = not options.deaf_to_audio
    async with FarEnd(
        switch=options.switch,
        trunk=options.trunk,
        phones=options.phones,
        record=options.record,
        customers_audio=AudioOptions(sending=options.customers_audio, listen=listen),
        phones_audio=AudioOptions(sending=options.phones_audio, listen=listen),
    ) as world:
        commands = Commands(world)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, commands.stopped.set)
        if options.control is not None:
            server = await _listen(commands, options.control)
            print(f"ready {os.getpid()}", flush=True)
            await commands.stopped.wait()
            server.close()
            options.control.unlink(missing_ok=True)
            return
        reader = await _stdin()
        print(f"ready {os.getpid()}", flush=True)
        serving = asyncio.ensure_future(serve_stream(commands, reader, _say))
        stopped = asyncio.ensure_future(commands.stopped.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (serving, stopped):
            task.cancel()
        await asyncio.gather(serving, stopped, return_exceptions=True)


def main() -> int:
    """Run it; 1 with one sentence when an address is taken."""
    options = _parser().parse_args()
    seldom_look_for_garbage()
    try:
        asyncio.run(run(options))
    except OSError as error:
        print(f"the far end cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
