"""What a process tells about itself on 127.0.0.1: /metrics, /live and /ready.

Ready means recent success, not merely running: the loop says so by `progress()`. Live means that the loop turns at all,
by `alive()`; a process that is not live should be started anew.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from manara import metrics
from manara.errors import ManaraError, in_words

LIVE_SECONDS: Final = 60.0
READY_SECONDS: Final = 30.0
Check = Callable[[], str]
"""Gives "" when all is well, else a sentence for the operator; quick, and without a network."""


class Health:
    """When the loop last turned and when it last succeeded. Its methods may be called from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, ready_within: float = READY_SECONDS) -> None:
        self._clock = clock
        self._ready_within = ready_within
        self._turned = clock()
        self._succeeded: float | None = None

    def alive(self) -> None:
        """The loop turns."""
        self._turned = self._clock()

    def progress(self) -> None:
        """The loop has finished some work, or has found that there is none to do."""
        self._turned = self._succeeded = self._clock()

    def dead(self) -> str:
        """Why the process is not live; "" when it is."""
        idle = self._clock() - self._turned
        return f"The loop has not turned for {idle:.0f} s." if idle > LIVE_SECONDS else ""

    def unready(self) -> str:
        """Why the process is not ready; "" when it is."""
        if self._succeeded is None:
            return "It has not begun to work yet."
        idle = self._clock() - self._succeeded
        return f"The last success was {idle:.0f} s ago." if idle > self._ready_within else ""


class Server:
    """The HTTP listener, on its own threads. `port` is the one that it really has."""

    def __init__(self, port: int, health: Health, checks: Mapping[str, Check], registry: CollectorRegistry) -> None:
        handler = type("Handler", (_Handler,), {"health": health, "checks": dict(checks), "registry": registry})
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        except OSError as error:
            said = in_words(error)
            raise ManaraError(
                f"Port {port} for /metrics: {said.message}", "Choose another MANARA_HTTP_PORT, or 0."
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    port: int,
    health: Health,
    checks: Mapping[str, Check] | None = None,
    registry: CollectorRegistry = metrics.REGISTRY,
) -> Server:
    """Serve on 127.0.0.1 until `close`; port 0 takes a free one. `checks` are further conditions of /ready, by name."""
    return Server(port, health, checks or {}, registry)


class _Handler(BaseHTTPRequestHandler):
    health: Health
    checks: Mapping[str, Check]
    registry: CollectorRegistry
    timeout = 5  # a client that says nothing keeps no thread

    def do_GET(self) -> None:
        """Answer one of the three addresses."""
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(self.registry))
            case "/live":
                self._report({"loop": self.health.dead()})
            case "/ready":
                self._report({"loop": self.health.unready()} | {name: check() for name, check in self.checks.items()})
            case _:
                self._answer(404, "text/plain", b"There is /metrics, /live and /ready.\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a probe a second is no news."""

    def _report(self, said: dict[str, str]) -> None:
        problems = {name: text for name, text in said.items() if text}
        body = json.dumps({"ok": not problems, "problems": problems}).encode() + b"\n"
        self._answer(503 if problems else 200, "application/json", body)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
