"""The frame around every long-running process: signals, health, the log of its start and stop, its exit code."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from manara import health, metrics
from manara.errors import ManaraError, in_words
from manara.settings import Settings
from manara.telemetry import configure_logging

GRACE_SECONDS: Final = 20.0
"""A loop that has not ended this long after SIGTERM is cut off; what it holds is durable, so it only repeats some
work.
"""
CUT_OFF: Final = 75
UNEXPECTED: Final = 70


@dataclass
class Context:
    """What a loop gets: its settings, where to say that it lives, and whether it should stop."""

    name: str
    settings: Settings
    health: health.Health = field(default_factory=health.Health)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def stopping(self) -> bool:
        """True once the process was asked to stop: finish the batch in work, then return."""
        return self.stop.is_set()


Loop = Callable[[Context], int | None]
"""Works until `context.stopping`, then gives back an exit code (None is 0)."""


def run(loop: Loop, *, name: str, settings: Settings, checks: Mapping[str, health.Check] | None = None) -> int:
    """Run a loop as the process `name` and give back its exit code; hand that to `typer.Exit`.

    SIGTERM and Ctrl-C ask it to stop, a second one cuts it off, and so does a grace of 20 s. An error ends the process
    with a line in the log, not with a traceback: whoever supervises it starts it anew.
    """
    configure_logging(name, settings.log_format, settings.log_level)
    log = structlog.get_logger()
    context = Context(name, settings)
    metrics.start()
    with ExitStack() as stack:
        stack.enter_context(_signals(context))
        try:
            if settings.http_port:
                stack.enter_context(health.serve(settings.http_port, context.health, checks))
            log.info("Process started", pid=os.getpid(), port=settings.http_port)
            code = loop(context) or 0
        except ManaraError as error:
            return _fail(error, error)
        except OSError as error:
            return _fail(in_words(error), error)
        except Exception as error:  # the last line of defence: a sentence, then the supervisor's turn
            log.exception("Process failed unexpectedly", exc_info=error)
            return UNEXPECTED
        log.info("Process stopped", exit_code=code)
        return code


def _fail(said: ManaraError, error: Exception) -> int:
    structlog.get_logger().error("Process failed", problem=said.message, remedy=said.remedy, error=type(error).__name__)
    return said.exit_code


@contextmanager
def _signals(context: Context) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`, with a time limit; the handlers of before come back at the end."""
    limit: list[threading.Timer] = []

    def ask(number: int, _frame: object) -> None:
        if context.stopping:
            os._exit(128 + number)
        context.stop.set()
        timer = threading.Timer(GRACE_SECONDS, os._exit, (CUT_OFF,))
        timer.daemon = True
        limit.append(timer)
        timer.start()

    if threading.current_thread() is not threading.main_thread():  # only the main thread may; its owner stops us
        yield
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for timer in limit:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
