"""Sends the outbox to the agency's inlet, in order of number in each partition, and records what the broker has
confirmed.

A message counts as sent only on a delivery report without error and with an offset. Whatever else happens, a report
that never
comes, an exception, kill -9, leaves it waiting, and it is sent again: the hub answers `again` to what it has already.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from manara import kafka, metrics
from manara.errors import BrokerError, Cause
from manara.settings import KafkaSettings
from producers.outbox import BULK, LIVE, Ack, Outbox

WINDOW = 500
"""Messages in flight for each partition: bulk never takes the live ones' room."""
_CLASS = {LIVE: "live", BULK: "bulk"}


@dataclass(slots=True)
class _Lane:
    """One partition: the last number handed to the client, and what it has not confirmed."""

    handed: int = 0
    flying: set[int] = field(default_factory=set)


class Sender:
    """The sending half of a relay. Make a new one after any BrokerError: what was in flight is then sent again."""

    def __init__(self, settings: KafkaSettings, outbox: Outbox, inlet: str, clock: Callable[[], int]) -> None:
        self._problem = kafka.Problem(settings)
        self._kafka = settings
        # no time-out of the client's own: it would give up, and order with it, where we want to wait
        self._client: Producer = kafka.producer(
            settings, problem=self._problem, delivery_timeout_ms=0, queue_buffering_max_messages=10_000
        )
        self._outbox = outbox
        self._inlet = inlet
        self._clock = clock
        self._lanes = {LIVE: _Lane(), BULK: _Lane()}
        self._reports: list[tuple[int, int, KafkaError | None, int]] = []
        self._high = {LIVE: -1, BULK: -1}
        self.suspicious = False
        self.sent = 0
        self.progress_at = time.monotonic()

    @property
    def flying(self) -> int:
        """Messages handed to the client and not confirmed."""
        return sum(len(lane.flying) for lane in self._lanes.values())

    @property
    def problem(self) -> BrokerError | None:
        """What the client last complained about, in words."""
        return self._problem.error

    def connect(self, timeout: float) -> str:
        """Wait for the cluster; its id. BrokerError says why it cannot be used."""
        kafka.reach(self._client, self._problem, timeout)
        return str(self._client.list_topics(self._inlet, timeout=timeout).cluster_id)

    def step(self, topic_id: str, wait: float) -> bool:
        """Hand over what has room, collect reports for up to `wait` seconds; whether anything moved. BrokerError to
        start anew.
        """
        try:
            handed = [self._hand_over(partition, lane) for partition, lane in self._lanes.items()]
            self._client.poll(wait if self.flying and not any(handed) else 0)
        except (
            KafkaException,
            SystemError,
        ) as error:  # a fatal error can surface from inside a callback as SystemError
            raise self._in_words(error) from error
        self._problem.raise_if_fatal()
        return self._record(topic_id) or any(handed)

    def _hand_over(self, partition: int, lane: _Lane) -> bool:
        room = WINDOW - len(lane.flying)
        if room < WINDOW // 4:
            return False
        outgoing = self._outbox.pending(partition, lane.handed, room)
        for item in outgoing:
            report = functools.partial(self._report, partition, item.number)
            try:
                self._client.produce(
                    self._inlet, item.value, item.key, partition, on_delivery=report, headers=item.headers
                )
            except BufferError:  # full: the rest waits for the next round
                return True
            lane.handed = item.number
            lane.flying.add(item.number)
        return bool(outgoing)

    def _report(self, partition: int, number: int, error: KafkaError | None, message: Message) -> None:
        """A delivery report; it only notes, since an exception here would surface anywhere."""
        offset = message.offset()
        self._reports.append((partition, number, error, -1 if offset is None else offset))

    def _record(self, topic_id: str) -> bool:
        """Write down what was confirmed; the first report of a failure ends this sender."""
        reports, self._reports = self._reports, []
        good = [report for report in reports if report[2] is None and report[3] >= 0]
        if good:
            self._outbox.acknowledge([Ack(number, offset) for _, number, _, offset in good], topic_id, self._clock())
            self.progress_at = time.monotonic()
            self.sent += len(good)
        for partition, number, _, offset in good:
            self._lanes[partition].flying.discard(number)
            # offsets of one topic only grow: one that does not means that the topic was made anew behind our back
            self.suspicious = self.suspicious or offset <= self._high[partition]
            self._high[partition] = max(self._high[partition], offset)
            metrics.relay_sent.labels(partition=_CLASS[partition]).inc()
        for _, _, error, _ in reports:
            if error is not None:
                raise kafka.words(error, self._kafka, what=self._inlet)
        return bool(good)

    def _in_words(self, error: KafkaException | SystemError) -> BrokerError:
        cause = error.args[0] if error.args else None
        if isinstance(cause, KafkaError):
            return kafka.words(cause, self._kafka, what=self._inlet)
        return BrokerError(
            "The Kafka client has failed inside itself.", "It is started again; nothing is lost.", cause=Cause.CLIENT
        )

    def drain(self, topic_id: str, grace: float) -> None:
        """Wait up to `grace` seconds for what is in flight, and write down what was confirmed. BrokerError."""
        try:
            self._client.flush(grace)
        except (KafkaException, SystemError) as error:
            raise self._in_words(error) from error
        self._record(topic_id)

    def close(self, grace: float) -> None:
        """Wait up to `grace` seconds for what is in flight, then drop it from the client (never from the outbox)."""
        try:
            self._client.flush(grace)
            self._client.purge()
            self._client.flush(1)
        except (KafkaException, SystemError):
            pass  # it is being thrown away
