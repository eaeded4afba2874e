"""The syslog sink: CEF events to a collector over TCP or TLS.

Syslog has no acknowledgement. So each batch goes over a connection of its own, which we end first; the collector ends
its side when it has read everything. That end is waited for, and is what the cursor rests on. At least once: the fields
`externalId` (agency and alert id), `cn1` (version) and `cn2` (the inbox's number) tell a repeat.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from consumers.entry import Cursor, Entry
from consumers.errors import SinkUnavailableError
from consumers.sinks.address import connect
from consumers.sinks.breaker import Breaker
from consumers.sinks.cef import frame
from consumers.sinks.contract import Delivered
from consumers.sinks.ledger import Ledger, Planned
from manara.errors import in_words
from manara.settings import SyslogSettings

BATCH_LIMIT: Final = 500
READ: Final = 4096


class Syslog:
    """Delivers to one collector. Its cursor is kept in `folder`; the collector may be in our own network."""

    name = "syslog"
    batch_limit = BATCH_LIMIT

    def __init__(self, settings: SyslogSettings, folder: Path) -> None:
        self._settings = settings
        self._ledger = Ledger(folder)
        self._breaker = Breaker(time.monotonic)

    def open(self, inbox: str) -> Cursor:
        """Read the cursor."""
        try:
            return self._ledger.open(inbox)
        except OSError as error:
            raise _said(error) from error

    def deliver(self, batch: Sequence[Entry], upto: Cursor) -> Delivered:
        """One connection, then the cursor."""
        try:
            return self._ledger.deliver(batch, upto, self._send)
        except OSError as error:
            raise _said(error) from error

    def tell_time(self, at: int) -> None:
        """A collector keeps no time of ours."""

    def close(self) -> None:
        """No connection outlives its batch."""

    def _send(self, planned: Planned) -> None:
        self._breaker.check("The syslog collector")
        host = socket.gethostname().encode("ascii", "replace").decode()[:255] or "-"
        frames = b"".join(frame(entry, host, content=self._settings.content) for entry in planned.batch)
        try:
            self._exchange(frames)
        except (OSError, SinkUnavailableError) as error:
            self._breaker.failed()
            if isinstance(error, SinkUnavailableError):
                raise
            raise SinkUnavailableError(
                f"The syslog collector at {self._settings.address} did not take the events ({type(error).__name__}).",
                "Start it, or correct syslog.address and syslog.tls_ca. The inbox keeps everything meanwhile.",
            ) from error
        self._breaker.worked()

    def _exchange(self, frames: bytes) -> None:
        host, _, port = self._settings.address.rpartition(":")
        host = host.strip("[]")
        with connect(host, int(port), self._settings.timeout, allow_private=True) as plain:
            if self._settings.tls_ca is None:
                _say(plain, frames)
                return
            context = ssl.create_default_context(cafile=self._settings.tls_ca)
            with context.wrap_socket(plain, server_hostname=host) as secured:
                secured.sendall(frames)
                with contextlib.suppress(ssl.SSLEOFError):  # some end the connection without TLS's own farewell
                    secured.unwrap()  # sends our end and waits for the collector's


def _say(plain: socket.socket, frames: bytes) -> None:
    plain.sendall(frames)
    plain.shutdown(socket.SHUT_WR)
    while plain.recv(READ):
        continue


def _said(error: OSError) -> SinkUnavailableError:
    said = in_words(error)
    return SinkUnavailableError(f"The syslog sink's state cannot be kept: {said.message}", said.remedy)
