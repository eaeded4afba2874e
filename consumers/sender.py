"""The thread that takes receipts from their outbox to `receipts.v1.<member>`, and forgets them when they are
acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from consumers.inbox import Inbox
from consumers.receipts import Unsent, mark_sent, unsent
from manara import kafka
from manara.errors import BrokerError
from manara.settings import KafkaSettings
from schemas import message

AT_ONCE: Final = 100
PAUSE_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 1.0


@dataclass
class Sender:
    """One member's sender. `made` is set when there is something to send."""

    folder: Path
    member: str
    topic: str
    settings: KafkaSettings
    stop: threading.Event
    made: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], int] = lambda: time.time_ns() // 1000

    def run(self) -> None:
        """Send until `stop`. A producer that fails for good is thrown away and made anew: nothing is lost with it."""
        with Inbox.open(self.folder) as inbox:
            while not self.stop.is_set():
                problem = kafka.Problem(self.settings)
                try:
                    self._session(inbox, kafka.producer(self.settings, problem=problem), problem)
                except (
                    BrokerError,
                    KafkaException,
                    SystemError,
                ) as error:  # SystemError: a fatal error inside a callback
                    said = error if isinstance(error, BrokerError) else problem.after(0)
                    structlog.get_logger().warning(
                        "Receipts cannot be sent", member=self.member, problem=said.message, remedy=said.remedy
                    )
                    self.stop.wait(PAUSE_SECONDS)

    def _session(self, inbox: Inbox, producer: Producer, problem: kafka.Problem) -> None:
        while not self.stop.is_set():
            self.made.clear()
            waiting = unsent(inbox, AT_ONCE)
            if not waiting:
                producer.poll(0)
                self.made.wait(IDLE_SECONDS)
                continue
            sent = self._send(producer, waiting, problem)
            if sent:
                mark_sent(inbox, sent, self.clock(), self.member)
            if len(sent) < len(waiting):
                raise problem.error or kafka.unreachable(self.settings, "a receipt was not acknowledged")

    def _send(self, producer: Producer, waiting: Sequence[Unsent], problem: kafka.Problem) -> list[int]:
        """The ids of what the broker has acknowledged; returns when all is decided, or on `stop`."""
        sent: list[int] = []
        failed: list[int] = []

        def report(id_: int) -> Callable[[KafkaError | None, KafkaMessage], None]:
            return lambda error, _message: (sent if error is None else failed).append(id_)

        for row in waiting:
            producer.produce(
                self.topic,
                key=row.agency.encode(),
                value=row.value,
                headers=[(message.SIG, row.sig)],
                on_delivery=report(row.id),
            )
        while len(sent) + len(failed) < len(waiting) and not self.stop.is_set():
            producer.poll(0.2)
            problem.raise_if_fatal()
        return sent
