"""A member's edge at work inside a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from consumers.edge import Edge
from manara.settings import Settings


@contextmanager
def running(settings: Settings) -> Iterator[Edge]:
    """An edge at work in a thread; its failure is the test's."""
    edge, stop, failure = Edge(settings), threading.Event(), []

    def body() -> None:
        try:
            edge.run(stop)
        except BaseException as error:  # noqa: BLE001
            failure.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield edge
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    if failure:
        raise failure[0]
