"""Judging in bulk: the same pure judgement, spread over processes while an edge is far behind.

Most of an edge's work on a message is a signature and the rules of content. On the way to a message that has just been
published that is nothing; for an empty inbox before a feed of millions it is everything. So after some full batches in
a row the judging moves to a process a core, and back when the edge has caught up.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from operator import attrgetter
from typing import Any, Final

import structlog

from consumers.entry import Arrival
from consumers.judging import Accepted, Message, Refused, judge
from schemas.directory import Directory

BATCH: Final = 500
"""Messages taken at once while little waits, so that the first of them is not delayed."""
BULK_BATCH: Final = 4_000
PATIENCE: Final = 4
"""So many full batches in a row mean that the edge is far behind."""
WATCH_SECONDS: Final = 1.0

_FIELDS: Final = [name for name in Arrival.__dataclass_fields__ if name not in ("value", "sig")]
_facts = attrgetter(*_FIELDS)
_state: dict[str, Directory] = {}  # of a worker process: the directory it was started with

Sent = Sequence[tuple[str, Message]]


class Judges:
    """Judges batches, in this process or in several. For one thread."""

    def __init__(self, processes: int = 0, *, bulk: bool = False) -> None:
        self._processes = processes or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        self._seq = -1
        self._full = PATIENCE if bulk else 0

    @property
    def far_behind(self) -> bool:
        """Whether many batches in a row were full."""
        return self._full >= PATIENCE and self._processes > 1

    @property
    def limit(self) -> int:
        """How many messages to take next."""
        return BULK_BATCH if self.far_behind else BATCH

    def judge(self, sent: Sent, directory: Directory, now: int) -> list[Accepted | Refused]:
        """What to make of each message, in order."""
        self._full = self._full + 1 if len(sent) >= BATCH else 0
        if not self.far_behind:
            self.close()
            return [judge(message, kind, directory, now) for kind, message in sent]
        size = -(-len(sent) // (self._processes * 2))
        parts = [sent[start : start + size] for start in range(0, len(sent), size)]
        pool = self._opened(directory)
        waiting = [pool.submit(_judge_part, [(kind, tuple(one)) for kind, one in part], now) for part in parts]
        return [
            _whole(one, message)
            for part, future in zip(parts, waiting, strict=True)
            for one, (_, message) in zip(future.result(), part, strict=True)
        ]

    def close(self) -> None:
        """End the processes."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _opened(self, directory: Directory) -> ProcessPoolExecutor:
        if self._pool is not None and self._seq != directory.seq:
            self.close()
        if self._pool is None:
            structlog.get_logger().info("Far behind: judging goes to several processes", count=self._processes)
            self._seq = directory.seq
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(directory, os.getpid()),
            )
        return self._pool


def _begin(directory: Directory, parent: int) -> None:
    """A worker's start: it ends with its parent, however that one ends, and leaves signals to it."""
    _state["directory"] = directory
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(0)


def _judge_part(sent: Sequence[tuple[str, tuple[Any, ...]]], now: int) -> list[tuple[Any, ...]]:
    """In a worker: facts of what is accepted, or reason, detail and digest; bytes do not travel back."""
    judged = (judge(Message(*message), kind, _state["directory"], now) for kind, message in sent)
    return [(*_facts(one.arrival), one.arrival.sig) if isinstance(one, Accepted) else one[1:] for one in judged]


def _whole(made: tuple[Any, ...], message: Message) -> Accepted | Refused:
    """What a worker said, together with the message it is about."""
    if len(made) == len(Refused._fields) - 1:
        return Refused(message, *made)
    facts = dict(zip(_FIELDS, made, strict=False))
    return Accepted(message, Arrival(**facts, value=message.value or b"", sig=made[-1]))
