"""Logs: one JSON line an event, or a readable one on a terminal.

An event is a constant sentence; data goes into keys. Texts pass only under the keys listed here, so that no name of a
person, narrative or password gets into a log by accident; numbers and yes/no pass under any key. Tracebacks keep
places, not values. Lines go to the true standard error: standard output belongs to a command's result, and Faust takes
`sys.stderr` for itself.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, Literal, TextIO

import structlog

from manara.errors import ManaraError

KEYS: Final = frozenset(
    {
        "event", "level", "at", "process", "role", "stage", "member", "agency", "kind", "outcome", "reason",
        "reasons", "rule", "rules", "precedence", "principal", "holder", "kid", "digest", "alert_id", "version",
        "previous", "topic", "topic_id", "topics", "partition", "offset", "group", "lane", "lanes", "slot", "trace",
        "sink", "state", "problem", "remedy", "code", "cause", "error", "where", "logger", "message", "url",
        "address", "bootstrap", "path", "folder", "file", "store", "command", "child", "signal", "ready", "missing",
        "added", "removed", "changed", "schema", "schemas", "operation", "resource", "security", "source", "status",
        "title", "what", "mode", "format", "table", "database", "unit", "server", "kafka", "postgres", "host",
        "link_id",
    }
)  # fmt: skip
"""Keys under which a text may be logged.

They hold ids, names of things of ours and codes; add one here when you need it.
"""
WITHHELD: Final = "(withheld: this key is not listed in manara.telemetry.KEYS)"
REPEAT_SECONDS: Final = 10.0
Format = Literal["auto", "json", "console"]
Event = MutableMapping[str, Any]


def configure_logging(name: str, format: Format = "auto", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002
    """Set up the logs of this process, called `name` in each line. A second call replaces the first."""
    out = stream or sys.__stderr__ or sys.stderr
    readable = format == "console" or (format == "auto" and out.isatty())
    render = structlog.dev.ConsoleRenderer(colors=out.isatty()) if readable else _json
    structlog.configure(
        processors=[_stamp(name), structlog.processors.add_log_level, _failure, guard, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.WARNING)


def configure_quiet(*, debug: bool) -> None:
    """For a command that answers in sentences: its log is silent, unless `debug`."""
    configure_logging("manara", "console", "debug" if debug else "critical")
    if not debug:
        logging.getLogger().handlers = [logging.NullHandler()]


def guard(_logger: object, _method: str, event: Event) -> Event:
    """Withhold every text that stands under a key nobody has listed."""
    for key, value in event.items():
        if key not in KEYS and not isinstance(value, (int, float, bool, type(None))):
            event[key] = WITHHELD
    return event


def places(trace: TracebackType | None) -> list[str]:
    """Where an exception passed, outermost first, as file:line function; no values, no source."""
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found


def _stamp(name: str) -> Callable[[object, str, Event], Event]:
    def stamp(_logger: object, _method: str, event: Event) -> Event:
        now = time.time()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
        return {"at": at, "process": name, "event": event.pop("event"), **event}

    return stamp


def _failure(_logger: object, _method: str, event: Event) -> Event:
    """An exception as its type and places.

    Only our own messages are kept: a library's may quote the data it choked on.
    """
    failure = event.pop("exc_info", None)
    if failure is True:
        failure = sys.exc_info()[1]
    if isinstance(failure, tuple):
        failure = failure[1]
    if isinstance(failure, BaseException):
        event["error"] = type(failure).__name__
        event["where"] = places(failure.__traceback__)
        if isinstance(failure, ManaraError):
            event["problem"] = failure.message
            event["remedy"] = failure.remedy
    return event


def _json(_logger: object, _method: str, event: Mapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str)


class _Bridge(logging.Handler):
    """Lines of libraries (librdkafka, aiokafka, Faust) into our log; the same one once in ten seconds."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a library's line on. It may not fail: a log never stops an alert."""
        try:
            text = record.getMessage()[:500]
            same = (record.name, text[:60])
            if time.monotonic() - self._last.get(same, -REPEAT_SECONDS) < REPEAT_SECONDS:
                return
            if len(self._last) > 1000:  # noqa: PLR2004 - distinct lines, far more than a sane process has
                self._last.clear()
            self._last[same] = time.monotonic()
            log = structlog.get_logger()
            say = log.error if record.levelno >= logging.ERROR else log.warning
            say("A library reports", logger=record.name, message=text, exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001
            self.handleError(record)
