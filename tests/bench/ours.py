"""S4, our engine: the job as a stage, on either runner. `python -m tests.bench.ours FILE loop|faust`.

The loop reads single messages, as the gate does; Faust reads blocks of 100, as every stage behind the gate does.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manara.settings import KafkaSettings
from manara.telemetry import configure_logging
from schemas import codec, message, registry
from streams.engine.clients import Clients
from streams.engine.contract import Emit, Output, Record
from streams.engine.effects import Effects
from streams.engine.faust_runner import FaustRunner
from streams.engine.group import GroupSource
from streams.engine.limits import Limits
from streams.engine.loop import Batch, LoopRunner
from streams.engine.unreadable import Unreadable
from tests.bench.job import PRODUCER, Given, Job


class Singles:
    """A message in, its copies out."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Answer a batch."""
        output = Output()
        for record in batch:
            found = dict(record.headers)
            value, sig, hub = record.value or b"", found["sig"] or b"", found["hub"] or b""
            headers: list[tuple[str, bytes | None]] = [("sig", sig)]
            output.emits += [Emit(topic, record.key, value, headers) for topic in self._job.topics(value, sig, hub)]
        return output


class Blocks:
    """A block in, its messages' copies out."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._schema = registry.by_name("block")

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Answer some blocks."""
        output = Output()
        for record in batch:
            block: Any = codec.decode(self._schema, codec.unframe(record.value or b"")[1])
            for item in block["admitted"]:
                key = message.identity(item["agency"], item["alert_id"])
                value, sig, headers = item["value"], item["signature"], [("sig", item["signature"])]
                output.emits += [
                    Emit(topic, key, value, headers) for topic in self._job.topics(value, sig, item["hub"])
                ]
        return output


class Quiet:
    """Watches nothing."""

    def turned(self, *, ready: bool, idle: bool) -> None:
        """Nobody asks."""

    def done(self, batch: Batch) -> None:
        """Nobody asks."""

    def behind(self, records: int) -> None:
        """Nobody asks."""


def main() -> None:
    """Work until SIGTERM."""
    given, runner = Given.load(sys.argv[1]), sys.argv[2]
    configure_logging("bench", "json")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    client = given.client
    kafka = KafkaSettings(
        bootstrap=client["bootstrap.servers"],
        ca=Path(client["ssl.ca.location"]),
        username=client["sasl.username"],
        password=client["sasl.password"],
    )
    clients = Clients(kafka, given.group, "1", Limits())
    effects = Effects(clients.producer(**{name.replace(".", "_"): value for name, value in PRODUCER.items()}), Limits())
    job = Job(given)
    if runner == "faust":
        FaustRunner(Blocks(job), given.source, clients, effects, Quiet(), Path(given.folder), stopping.is_set).run()
        return
    source = GroupSource(clients, lambda: [given.source], effects, _never, Limits().batch)
    LoopRunner(Singles(job), source, effects, Quiet(), stopping.is_set).run()


def _never(stretch: Unreadable) -> list[Emit]:
    raise RuntimeError(f"{stretch.topic} cannot be read")


if __name__ == "__main__":
    main()
