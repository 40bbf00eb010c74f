"""The address of the web server, taken before anything heavy is loaded: a clash of addresses is told at once."""

from __future__ import annotations

import os
import socket

from contact_center.errors import UsageError


def listen(bind: str) -> socket.socket:
    """A listening socket at ``host:port``; raises UsageError when the address cannot be had."""
    host, _, port = bind.rpartition(":")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise UsageError(f"[http] bind: {bind} cannot be had ({why}); choose another.") from None
    return listener
