"""Sending answers with a client that fails: whatever it does, nothing is lost, and the relay's other work goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from manara import kafka
from producers import answering, answers
from producers.answering import Answerer
from producers.linking import Says
from producers.outbox import Outbox
from tests.support.agency import settings_for
from tests.support.directories import NOW, network
from tests.support.links import LINK, hear, match
from tests.unit.test_outbox import KEY, outbox  # noqa: F401 - a fixture

Report = Callable[[KafkaError | None, Any], None]


class Client:
    """A producer that reports what it is told to, at the next poll."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.failing: KafkaError | None = None
        self.full = self.broken = False
        self._reports: list[Report] = []

    def produce(self, _topic: str, _value: bytes, key: bytes, *, on_delivery: Report, headers: Any) -> None:
        """Take it, or say that there is no room."""
        assert headers
        if self.full:
            raise BufferError
        self.sent.append(key)
        self._reports.append(on_delivery)

    def poll(self, _wait: float) -> None:
        """Report."""
        if self.broken:
            raise KafkaException(KafkaError(KafkaError._FAIL))
        reports, self._reports = self._reports, []
        for report in reports:
            report(self.failing, None)

    def flush(self, _grace: float) -> None:
        """Nothing more comes."""

    def purge(self) -> None:
        """What was in flight is gone."""
        self._reports = []


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """What is made for every producer; no pause after trouble."""
    made = Client()
    monkeypatch.setattr(kafka, "producer", lambda *_, **__: made)
    monkeypatch.setattr(answering, "PAUSE_SECONDS", 0.0)
    return made


@pytest.fixture
def sender(outbox: Outbox, client: Client, tmp_path: Path) -> Answerer:  # noqa: F811
    """A sender that has an answer to send and has seen its topic."""
    hear(outbox, match("OFFERED", "a"))
    answers.give(outbox, LINK, Says.ACCEPTED, KEY, now=NOW)
    made = Answerer(settings_for(tmp_path, None, "", network()).kafka, outbox, "answers", lambda: NOW)
    made.look("c", "one")
    return made


def test_a_confirmed_answer_is_sent_once(sender: Answerer, client: Client, outbox: Outbox) -> None:  # noqa: F811
    """Handed over, confirmed, and then there is nothing to do."""
    assert sender.step()
    assert (answers.waiting(outbox), sender.step(), client.sent) == (0, False, [LINK.encode()])


@pytest.mark.parametrize("trouble", ["refused", "broken", "full"])
def test_whatever_fails_the_answer_waits_and_is_sent_again(
    sender: Answerer,
    client: Client,
    outbox: Outbox,  # noqa: F811
    trouble: str,
) -> None:
    """No right to write, a client that breaks, no room: no exception, the answer stays, the next attempt sends it."""
    client.failing = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED) if trouble == "refused" else None
    client.broken, client.full = trouble == "broken", trouble == "full"
    for _ in range(3):
        sender.step()
        assert answers.waiting(outbox) == 1
    client.failing, client.broken, client.full = None, False, False
    while answers.waiting(outbox):
        assert sender.step()
    assert client.sent[-1] == LINK.encode()


def test_without_a_topic_nothing_is_handed_over(sender: Answerer, client: Client, outbox: Outbox) -> None:  # noqa: F811
    """Not there, or not to be seen by us."""
    sender.look("c", None)
    assert (sender.step(), client.sent, answers.waiting(outbox)) == (False, [], 1)


def test_an_end_of_the_line_forgets_what_was_in_flight_and_not_what_is_owed(
    sender: Answerer,
    client: Client,
    outbox: Outbox,  # noqa: F811
) -> None:
    """The next line sends it."""
    client.poll = lambda _wait: None  # type: ignore[method-assign]
    assert sender.step()
    assert (sender.step(), client.sent) == (False, [LINK.encode()])
    sender.close(0)
    assert sender.step()
    assert (client.sent, answers.waiting(outbox)) == ([LINK.encode()] * 2, 1)
