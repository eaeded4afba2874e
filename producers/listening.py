"""Reads the agency's status topic into the outbox: by `assign`, from the position that the outbox holds, every
signature checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from manara import kafka
from manara.settings import KafkaSettings
from producers.ledger import Ledger, Said, Spot, UnfitError
from schemas import message
from schemas.directory import Directory
from schemas.reasons import Reason, Refusal

MOST = 500
_BEAT, _CLOCK = "heartbeat", "hub.clock"
PATIENCE = 15.0
"""Seconds to wait for a directory that knows the key of a record before the record is stepped past."""


class Listener:
    """The receiving half of a relay: `topics` are the status topic and the heartbeat's. Make a new one after any
    BrokerError.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        ledger: Ledger,
        topics: tuple[str, str],
        directory: Callable[[], Directory | None],
    ) -> None:
        self._problem = kafka.Problem(settings)
        self._kafka = settings
        self._client: Consumer = kafka.consumer(settings, problem=self._problem)
        self._ledger = ledger
        self._topic, self._beats = topics
        self._topic_id = ""
        self._directory = directory
        self._held: list[Message] = []
        self._held_since = 0.0
        self.taken = 0
        self.log = structlog.get_logger()

    def assign(self, topic_id: str, timeout: float) -> None:
        """Take all partitions of the topic from where the outbox stands. BrokerError where it is not there."""
        if topic_id == self._topic_id:
            return
        self._topic_id = topic_id
        try:
            found = self._client.list_topics(self._topic, timeout=timeout).topics[self._topic]
            if found.error is not None:
                raise kafka.words(found.error, self._kafka, what=self._topic)
            positions = {number: self._ledger.position(self._topic, number, topic_id) for number in found.partitions}
            self._client.assign(
                [TopicPartition(self._topic, n, OFFSET_BEGINNING if at is None else at) for n, at in positions.items()]
                + self._clock(timeout)
            )
        except KafkaException as error:
            raise kafka.words(error.args[0], self._kafka, what=self._topic) from error
        self._held = []

    def _clock(self, timeout: float) -> list[TopicPartition]:
        """The hub's heartbeat from its end on, where there is one: it tells log time while nothing else does."""
        found = self._client.list_topics(self._beats, timeout=timeout).topics[self._beats]
        return [] if found.error is not None else [TopicPartition(self._beats, n, OFFSET_END) for n in found.partitions]

    def step(self, wait: float) -> bool:
        """Take in what has arrived, waiting up to `wait` seconds for it; whether there was anything."""
        try:
            fresh = self._client.consume(MOST, wait) if len(self._held) < MOST else []
        except KafkaException as error:
            raise kafka.words(error.args[0], self._kafka, what=self._topic) from error
        self._problem.raise_if_fatal()
        self._held += [item for item in fresh if self._usable(item)]
        directory = self._directory()
        if directory is None or not self._held:
            return False
        return self._take(directory)

    def _usable(self, item: Message) -> bool:
        error = item.error()
        if error is None:
            return True
        if kafka.is_noise(error):
            return False
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the position is older than what the topic keeps
            if item.topic() == self._beats:
                self._topic_id = ""  # the next look takes it from its end again
                return False
            self.log.warning(
                "Status records were deleted before we read them", topic=self._topic, partition=item.partition()
            )
            status = TopicPartition(self._topic, item.partition() or 0, OFFSET_BEGINNING)
            self._client.assign([status, *self._clock(timeout=10)])
            return False
        raise kafka.words(error, self._kafka, what=self._topic)

    def _take(self, directory: Directory) -> bool:
        said: list[Said] = []
        spots: list[Spot] = []
        log_time = 0
        for number, item in enumerate(self._held):
            try:
                one = self._open(item, directory)
            except Refusal as refusal:
                if refusal.reason == Reason.UNKNOWN_KEY and self._hold():
                    self._held = self._held[number:]
                    break
                self._disbelieve(item, refusal.reason)
            except UnfitError as error:
                self._disbelieve(item, str(error))
            else:
                self._held_since = 0.0
                log_time = max(log_time, one.at)
                if one.name != _BEAT:
                    said.append(one)
            if item.topic() == self._topic:
                spots.append(self._spot(item))
        else:
            self._held = []
        if spots or log_time:
            self._ledger.take(said, spots, log_time)
            self.taken += len(said)
        return bool(spots)

    def _hold(self) -> bool:
        """Whether to wait still for a directory that knows the key."""
        self._held_since = self._held_since or time.monotonic()
        return time.monotonic() - self._held_since < PATIENCE

    def _open(self, item: Message, directory: Directory) -> Said:
        at = item.timestamp()[1] * 1000
        headers = cast("message.Headers", item.headers() or [])
        schema, record, signer = message.open_record(item.value(), headers, directory=directory, at=at)
        sig = next((value for name, value in headers if name == message.SIG), None) or b""
        said = Said(schema.name, record, signer, self._spot(item), at, item.value() or b"", sig)
        if item.topic() == self._beats:
            if said.name != _BEAT or signer.holder != _CLOCK:
                raise UnfitError("only the hub's clock gives heartbeats")
            return said
        self._ledger.judge(said)
        return said

    def _spot(self, item: Message) -> Spot:
        return Spot(self._topic, self._topic_id, item.partition() or 0, item.offset() or 0)

    def _disbelieve(self, item: Message, why: str) -> None:
        self.log.warning(
            "A status record is not believed",
            topic=item.topic(),
            partition=item.partition(),
            offset=item.offset(),
            reason=why,
        )

    def close(self) -> None:
        """Leave the topic."""
        self._client.close()
