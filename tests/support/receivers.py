"""National systems of others under test: a webhook's receiver and a syslog collector, real servers on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple


class Got(NamedTuple):
    """A request that the receiver answered."""

    id: str
    timestamp: str
    signatures: list[str]
    body: bytes
    answer: int

    @property
    def documents(self) -> list[dict[str, Any]]:
        """What it carried."""
        found: list[dict[str, Any]] = json.loads(self.body)["data"]
        return found

    def holds(self, secret: bytes) -> bool:
        """Whether a receiver that knows this secret would believe it; written from the standard, not from our code."""
        signed = self.id.encode() + b"." + self.timestamp.encode() + b"." + self.body
        mine = "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        return mine in self.signatures


class Receiver:
    """An HTTP server that keeps what it gets; `answer` decides status and headers of each."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self.got: list[Got] = []
        self.answer: Callable[[list[dict[str, Any]]], tuple[int, dict[str, str]]] = lambda _: (200, {})
        self.delay = threading.Event()
        self.delay.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self.delay.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def taken(self) -> list[Got]:
        """What was taken, each id once, as the standard asks a receiver to do."""
        return list({got.id: got for got in self.got if got.answer == 200}.values())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.delay.wait(10)
                status, headers = receiver.answer(json.loads(body)["data"])
                receiver.got.append(
                    Got(
                        self.headers["webhook-id"],
                        self.headers["webhook-timestamp"],
                        self.headers["webhook-signature"].split(" "),
                        body,
                        status,
                    )
                )
                self.send_response(status)
                for name, value in {**headers, "content-length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                """Silent."""

        return Handler


class Collector:
    """A syslog server over TCP that reads frames by octet counting and keeps their texts."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self.texts: list[str] = []
        self.dead = False
        self._context: ssl.SSLContext | None = None
        if tls is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(*tls)
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen, again on the same port."""
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                if not self.dead:
                    self._read(client)

    def _read(self, plain: socket.socket) -> None:
        try:
            client = self._context.wrap_socket(plain, server_side=True) if self._context else plain
        except OSError:
            return
        with client:
            stream = b""
            while part := client.recv(65536):
                stream += part
            self.texts += frames(stream)
            if isinstance(client, ssl.SSLSocket):
                client.unwrap()


def frames(stream: bytes) -> list[str]:
    """The messages in a stream of `<length> <message>` (RFC 6587, 3.4.1)."""
    found = []
    while stream:
        length, _, rest = stream.partition(b" ")
        found.append(rest[: int(length)].decode())
        stream = rest[int(length) :]
    return found


def cef(text: str) -> tuple[list[str], dict[str, str]]:
    """Header and fields of the CEF event in a syslog message, read as a collector does."""
    header, rest = [], text[text.index("CEF:0|") + 6 :]
    for _ in range(6):
        found = re.match(r"((?:[^|\\]|\\.)*)\|", rest)
        assert found, rest
        header.append(re.sub(r"\\(.)", r"\1", found[1]))
        rest = rest[found.end() :]
    fields = re.findall(r"(\w+)=((?:[^=\\]|\\.)*?)(?= \w+=|$)", rest)
    return header, {name: re.sub(r"\\(.)", r"\1", value) for name, value in fields}
