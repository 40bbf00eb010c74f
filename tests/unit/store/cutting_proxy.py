"""A proxy before PostgreSQL that loses the connection at COMMIT: before it is sent, or after it is obeyed."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal

SOCKET_NAME = ".s.PGSQL.5432"
Cut = Literal["", "before", "after"]


class CuttingProxy:
    """Listens on a unix socket in ``folder`` as PostgreSQL does. ``cut`` is used up by the next COMMIT."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.cut: Cut = ""
        self.cuts = 0
        self._server = str(server / SOCKET_NAME)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET_NAME))
        self._listener.listen()
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._open += [client, server]
                doomed = threading.Event()
                for source, target, upwards in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=(source, target, upwards, doomed), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, upwards: bool, doomed: threading.Event) -> None:
        with suppress(OSError):
            while block := source.recv(65536):
                if upwards and self.cut and b"COMMIT" in block:
                    cut, self.cut = self.cut, ""
                    self.cuts += 1
                    if cut == "before":
                        break
                    doomed.set()
                elif not upwards and doomed.is_set():
                    break  # the server has obeyed; nobody will hear of it
                target.sendall(block)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._accepting.join(5)
