"""TCP ports on 127.0.0.1: find free ones, see whether one is free, whether one answers."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack, suppress

HOST = "127.0.0.1"
OURS = range(20000, 32768)
"""Below the ports that the kernel gives to outgoing connections: none can take a port while its server is down."""


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that nobody listened on a moment ago; another program may still be quicker, so be ready to try again."""
    found: list[int] = []
    with ExitStack() as stack:
        # each is held until all are found, so that no port comes twice
        while len(found) < count:
            port = secrets.choice(OURS)
            with suppress(OSError):
                stack.enter_context(_bound(port))
                found.append(port)
    return tuple(found)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    try:
        _bound(port).close()
    except OSError:
        return False
    return True


def answers(port: int) -> bool:
    """Whether something accepts connections on this port."""
    try:
        socket.create_connection((HOST, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def _bound(port: int) -> socket.socket:
    """A socket that listens on a port in the way servers do it: connections of a server that has ended do not block it.

    Bound alone, the kernel would let others that say SO_REUSEADDR have the same port.
    """
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen(1)
    except OSError:
        made.close()
        raise
    return made
