"""The edge on a real broker and a real PostgreSQL: everything once, whatever is killed; nothing false, whoever lies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from consumers.edge import Edge
from consumers.judging import Message
from manara.settings import Settings
from tests.support.alerts import Author
from tests.support.entries import sent
from tests.support.feeds import KINDS, Corner, now_us, until
from tests.support.kafka import Broker
from tests.support.postgres import Database

pytestmark = pytest.mark.integration


@pytest.fixture
def dsn(postgres: Database) -> str:
    """The member's national database."""
    return postgres.fresh()


@pytest.fixture
def corner(kafka: Broker, tmp_path: Path) -> Corner:
    """Azerbaijan's corner of the network."""
    return Corner(kafka, tmp_path)


class Pens:
    """Authors of three states, and the hub that puts what they write into one member's feeds."""

    def __init__(self, corner: Corner) -> None:
        self._corner = corner
        self._authors = {"person": "kz-border", "route": "tr-customs", "transfer": "ae-fiu"}
        self._pens = {kind: Author.of(agency) for kind, agency in self._authors.items()}
        self._written = 0

    def write(self, count: int, **changes: Any) -> list[Message]:
        """So many new alerts, of all kinds in turn."""
        now = now_us()
        made = []
        for _ in range(count):
            kind = KINDS[self._written % 3]
            self._written += 1
            sealed = self._pens[kind].write(kind, now=now, **changes)
            made.append(sent(sealed, at=now, topic=self._corner.feeds[kind]))
        return made


@pytest.fixture
def pens(corner: Corner) -> Pens:
    """Who writes."""
    return Pens(corner)


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


def stored(dsn: str) -> int:
    """Rows of the append-only table: a double would count."""
    return int(ask(dsn, "select count(*) from effects where true")[0][0])


def ask(dsn: str, question: str) -> list[Any]:
    """What a query gives; nothing before the tables are there."""
    with psycopg.connect(dsn) as db:
        try:
            return db.execute(question.encode()).fetchall()
        except psycopg.errors.UndefinedTable:
            return [(0,)]


def test_alerts_reach_the_national_database_and_receipts_go_back(corner: Corner, pens: Pens, dsn: str) -> None:
    """The whole way: feed, verification, inbox, PostgreSQL, signed receipt at the hub."""
    messages = pens.write(9)
    with running(corner.settings(postgres=dsn)):
        corner.put(messages)
        until(lambda: stored(dsn) == 9, "nine alerts are stored")
        until(lambda: len(corner.receipts()) == 9, "nine receipts are sent")
    receipts = corner.receipts()
    assert {receipt["stage"] for receipt in receipts} == {"STORED"}
    digests = {digest for (digest,) in ask(dsn, "select digest from alerts")}
    assert {receipt["digest"] for receipt in receipts} == digests
    assert {receipt["agency"] for receipt in receipts} == {"kz-border", "tr-customs", "ae-fiu"}
