"""A stand for the engine on the run's broker: topics of its own, inputs, workers to kill, and what came out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.support.kafka import Broker

ROOT = Path(__file__).parents[2]
WAIT = 40.0


@dataclass
class Bench:
    """Names below `prefix`; `lanes` partitions where lanes are kept."""

    broker: Broker
    folder: Path
    lanes: int = 2
    prefix: str = field(default_factory=lambda: Broker.unique("e") + ".")
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admin = AdminClient(cast("dict[str, str | int | float | bool]", self.broker.client()))
        self.producer = Producer({**self.broker.client(), "linger.ms": 1, "enable.idempotence": True})
        self.map: dict[str, int] = {}
        self.inlets = self.folder / "inlets.json"
        self.inlets.write_text("{}")

    def name(self, short: str) -> str:
        """The topic's full name."""
        return self.prefix + short

    def topics(self, **partitions: int) -> None:
        """Make topics (`log_v1=2`: an underscore is a dot), with log time, and wait until they are there."""
        config = {"message.timestamp.type": "LogAppendTime"}
        wanted = [NewTopic(self.name(n.replace("_", ".")), p, 1, config=config) for n, p in partitions.items()]
        for made in self.admin.create_topics(wanted).values():
            made.result(20)

    def delete(self, short: str) -> None:
        """Delete a topic and wait until it is gone."""
        self.admin.delete_topics([self.name(short)])[self.name(short)].result(20)
        until(lambda: self.name(short) not in self.admin.list_topics(timeout=5).topics, f"{short} is deleted")

    def inlet(self, short: str, lane: int) -> None:
        """Put an inlet on the map that workers look at."""
        self.map[self.name(short)] = lane
        new = self.inlets.with_suffix(".new")
        new.write_text(json.dumps(self.map))
        new.replace(self.inlets)

    def send(self, short: str, values: Sequence[str], partition: int = 0) -> None:
        """Write values, all of them acknowledged at the return."""
        for value in values:
            self.producer.produce(self.name(short), value.encode(), value.partition(":")[0].encode(), partition)
            self.producer.poll(0)
        assert self.producer.flush(20) == 0

    def bomb(self, short: str, records: int, size: int, partition: int = 0) -> None:
        """Write one real zstd batch of zeros: a few hundred bytes on the wire, `records * size` bytes unpacked."""
        large = {
            "message.max.bytes": 100_000_000,
            "batch.size": 100_000_000,
            "linger.ms": 500,
            "compression.type": "zstd",
        }
        producer = Producer({**self.broker.client(), **large, "queue.buffering.max.kbytes": 500_000})
        for _ in range(records):
            producer.produce(self.name(short), bytes(size), b"bomb", partition)
        assert producer.flush(20) == 0

    def start(self, role: str, slot: str = "1", **given: Any) -> subprocess.Popen[bytes]:
        """Start a worker process."""
        provider = self.broker.provider
        config = {
            "kafka": {
                "bootstrap": provider.bootstrap,
                "ca": str(provider.ca),
                "username": provider.admin_username,
                "password": provider.admin_password,
            },
            "role": role,
            "slot": slot,
            "group": self.name(f"group.{role}"),
            "folder": str(self.folder / f"slot{slot}"),
            "inlets": str(self.inlets),
            "log": self.name("log"),
            "register": self.name("register"),
            "refusals": self.name("refusals"),
            **given,
            "limits": {"look": 0.1, "recheck": 0.3, "snapshot_pause": 0.2, "commit": 0.2, **given.get("limits", {})},
        }
        log = (self.folder / f"{role}{slot}.log").open("ab")
        command = [sys.executable, "-m", "tests.support.engine_worker", json.dumps(config)]
        worker = subprocess.Popen(
            command, cwd=ROOT, stderr=log, stdout=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        log.close()
        self.workers.append(worker)
        return worker

    def logged(self, role: str, slot: str = "1") -> list[dict[str, Any]]:
        """The worker's log lines."""
        lines = (self.folder / f"{role}{slot}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def read(self, short: str) -> list[tuple[int, int, bytes | None, bytes | None]]:
        """Everything in a topic now: (partition, offset, key, value)."""
        topic = self.name(short)
        consumer = Consumer(
            {
                **self.broker.client(),
                "group.id": "reader",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        try:
            parts = self.admin.list_topics(topic, timeout=10).topics[topic].partitions
            consumer.assign([TopicPartition(topic, p, 0) for p in parts])
            found = list(_until_ends(consumer, len(parts)))
        finally:
            consumer.close()
        return [(m.partition() or 0, m.offset() or 0, m.key(), m.value()) for m in found]

    def values(self, short: str) -> list[str]:
        """The values in a topic, as text."""
        return [(value or b"").decode() for *_, value in self.read(short)]

    def close(self) -> None:
        """End every worker that still runs."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
            worker.wait(10)


def _until_ends(consumer: Consumer, partitions: int) -> Iterator[Message]:
    ended: set[int | None] = set()
    deadline = time.monotonic() + WAIT
    while len(ended) < partitions:
        assert time.monotonic() < deadline, "the topic could not be read to its end"
        message = consumer.poll(1)
        if message is None:
            continue
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())


def until(true: Callable[[], object], what: str, wait: float = WAIT) -> None:
    """Wait for an outcome, at most `wait` seconds."""
    deadline = time.monotonic() + wait
    while not true():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


def stop(worker: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    """Signal a worker and wait for its exit code."""
    worker.send_signal(number)
    return worker.wait(WAIT)
