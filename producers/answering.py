"""Sends our answers to links to the agency's own topic of answers, until the broker has confirmed each.

Answers are few and given by people; alerts must flow whatever becomes of them. So trouble here (no such topic yet, no
right to write) never stops the relay: it is said in the log, the answers wait in the outbox, and after a while it is
tried again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from manara import kafka
from manara.errors import BrokerError
from manara.settings import KafkaSettings
from producers import answers
from producers.outbox import Outbox

PAUSE_SECONDS: Final = 30.0
"""Between two attempts after trouble."""


class Answerer:
    """The part of a relay that sends answers. Its client is made when there is something to send."""

    def __init__(self, settings: KafkaSettings, outbox: Outbox, topic: str, clock: Callable[[], int]) -> None:
        self._kafka = settings
        self._outbox = outbox
        self._topic = topic
        self._clock = clock
        self._client: Producer | None = None
        self._problem = kafka.Problem(settings)
        self._flying: set[int] = set()
        self._reports: list[tuple[int, KafkaError | None]] = []
        self._not_before = 0.0
        self._there = False
        self._told = False
        self.looked = False
        self.log = structlog.get_logger()

    def look(self, cluster_id: str, topic_id: str | None) -> None:
        """What the relay has found: the cluster, and the topic's id or None where it is not there."""
        self.looked, self._there = True, topic_id is not None
        if topic_id is not None:
            self._told = False
            again = answers.settle(self._outbox, cluster_id, topic_id)
            if again:
                self.log.warning("The topic of answers was made anew; the last answers are sent again", answers=again)
        elif not self._told and answers.waiting(self._outbox):
            self._told = True
            self.log.warning("Answers wait: the hub has no topic for them yet", topic=self._topic)

    def step(self) -> bool:
        """Hand over what waits, note what was confirmed; whether anything moved. Never raises for the broker's sake."""
        if not self._there or time.monotonic() < self._not_before:
            return False
        try:
            handed = self._hand_over()
            if self._client is not None:
                self._client.poll(0)
            self._problem.raise_if_fatal()
            return self._record() or handed
        except (BrokerError, KafkaException, SystemError) as error:
            self._give_up(error)
            return False

    def _hand_over(self) -> bool:
        waiting = answers.pending(self._outbox, self._flying)
        if not waiting:
            return False
        if self._client is None:
            self._problem = kafka.Problem(self._kafka)
            self._client = kafka.producer(self._kafka, problem=self._problem)
        for item in waiting:
            report = functools.partial(self._report, item.number)
            try:
                self._client.produce(self._topic, item.value, item.key, on_delivery=report, headers=item.headers)
            except BufferError:  # full: the rest waits for the next round
                return True
            self._flying.add(item.number)
        return True

    def _report(self, number: int, error: KafkaError | None, _message: Message) -> None:
        """A delivery report; it only notes, since an exception here would surface anywhere."""
        self._reports.append((number, error))

    def _record(self) -> bool:
        """Write down what was confirmed. BrokerError for the first that was not."""
        reports, self._reports = self._reports, []
        good = [number for number, error in reports if error is None]
        if good:
            answers.acknowledge(self._outbox, good, self._clock())
        self._flying.difference_update(number for number, _ in reports)
        for _, error in reports:
            if error is not None:
                raise kafka.words(error, self._kafka, what=self._topic)
        return bool(good)

    def _give_up(self, error: Exception) -> None:
        """Say it, drop the client with what is in flight (it stays in the outbox), and pause."""
        said = error if isinstance(error, BrokerError) else self._problem.error
        problem, remedy = (said.message, said.remedy) if said else ("The Kafka client has failed inside itself.", "")
        self.log.warning("Answers cannot be sent", problem=problem, remedy=remedy, next_try_s=PAUSE_SECONDS)
        self.close(0)
        self._not_before = time.monotonic() + PAUSE_SECONDS

    def close(self, grace: float) -> None:
        """Wait up to `grace` seconds for what is in flight, write down what was confirmed, and drop the client."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            client.flush(grace)
            self._record()
            client.purge()
            client.flush(1)
        except (BrokerError, KafkaException, SystemError):
            pass  # it stays in the outbox
        self._flying.clear()
        self._reports.clear()
