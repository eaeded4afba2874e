"""Batches of a stranger that no careful client will read: found, measured and stepped past.

A zstd batch of 15 KB may inflate to 500 MB. librdkafka refuses it, again and again at the same offset, for ever.
Kafka gives the whole batch for any offset inside it, and the client says where it begins but not where it ends; so
its end is bisected: the first offset that gives something else. Good messages behind it arrive, and the high
watermark bounds the search.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from manara.kafka import is_noise

POISON = frozenset({KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG})  # noqa: SLF001
"""What librdkafka says of a batch that it will not or cannot unpack."""
MISPLACED = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001
"""The position does not exist in the log."""


class Unreadable(NamedTuple):
    """Offsets `first` to `last` of a source cannot be read: a batch that is refused, or a part of the log that is gone.

    With `last` below `first` it is empty: the position was wrong, and nothing is missing.
    """

    topic: str
    topic_id: str
    partition: int
    first: int
    last: int
    poison: bool  # False: the log begins or ends elsewhere

    @property
    def resume(self) -> int:
        """Where reading goes on."""
        return self.last + 1


def measure(reads: Callable[[int], int | None], base: int, high: int) -> int:
    """The first offset behind the unreadable batch that begins at `base`, at most `high`.

    `reads(offset)` gives the base of the unreadable batch that holds `offset`, or None if it can be read (or is the
    end).
    """
    inside, beyond = base, high
    while beyond - inside > 1:
        middle = (inside + beyond) // 2
        if reads(middle) == base:
            inside = middle
        else:
            beyond = middle
    return beyond


def probe(consumer: Consumer, topic: str, topic_id: str, partition: int, offset: int, *, poison: bool) -> Unreadable:
    """Find out how far the trouble at `offset` goes. Waits for the broker: not for the loop. Closes the consumer."""
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10.0)
        if not poison:
            resume = low if offset < low else min(offset, high)
            return Unreadable(topic, topic_id, partition, min(offset, resume), resume - 1, poison=False)

        def reads(at: int) -> int | None:
            return _base(consumer, topic, partition, at)

        return Unreadable(
            topic, topic_id, partition, offset, measure(reads, offset, max(high, offset + 1)) - 1, poison=True
        )
    finally:
        consumer.close()


def _base(consumer: Consumer, topic: str, partition: int, offset: int, patience: float = 10.0) -> int | None:
    """Base of the unreadable batch that holds `offset`; None if a message or the end comes instead."""
    consumer.assign([TopicPartition(topic, partition, offset)])
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None:
            continue
        error = message.error()
        if error is not None and is_noise(error):
            continue
        if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            return None
        if error.code() in POISON:
            return message.offset()
        if error.code() in MISPLACED or error.fatal():
            raise KafkaException(error)
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
