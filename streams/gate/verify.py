"""Signatures of a whole batch, checked side by side on a few threads.

Ed25519 is 60 % of the gate's work and libsodium releases the GIL, so two threads are worth their price for large
batches; a small one is done at once, because waking threads costs more than it saves.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from typing import TypeAlias

from schemas.directory import Directory
from schemas.message import Authentic, authenticate
from streams.engine.contract import Record

INLINE = 16
"""Below this many records a batch is verified by the caller's thread."""

Verified: TypeAlias = Authentic | Exception
"""A message whose signature holds, or why not: a Refusal, or whatever unexpected came up."""


class Verifier:
    """A pool of threads that authenticates records; with one thread it is the caller's."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")

    def verify(self, records: Sequence[Record], directory: Directory) -> list[Verified]:
        """One answer for each record, in their order. Raises nothing over the content of a record."""
        if len(records) < INLINE or self._threads == 1:
            return _part(records, directory)
        size = -(-len(records) // self._threads)
        parts = [records[start : start + size] for start in range(0, len(records), size)]
        return list(chain.from_iterable(self._pool.map(_part, parts, repeat(directory))))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def _part(records: Sequence[Record], directory: Directory) -> list[Verified]:
    found: list[Verified] = []
    for record in records:
        try:
            found.append(authenticate(record.key, record.value, record.headers, directory=directory, at=record.time))
        except Exception as error:  # noqa: BLE001 - the next record must not suffer; the stage says what it was
            found.append(error)
    return found
