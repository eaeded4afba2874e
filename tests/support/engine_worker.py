"""A worker of the engine as a process, for tests that kill it: `python -m tests.support.engine_worker JSON`."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manara.settings import KafkaSettings
from manara.telemetry import configure_logging
from streams.engine.clients import Clients
from streams.engine.contract import Emit
from streams.engine.effects import Effects
from streams.engine.errors import Stop, die
from streams.engine.faust_runner import FaustRunner
from streams.engine.group import GroupSource
from streams.engine.lanes import LaneSource, Topics
from streams.engine.limits import Limits
from streams.engine.loop import Batch, LoopRunner
from streams.engine.unreadable import Unreadable
from tests.support.engine import Copying, Counting


class Quiet:
    """Watches nothing."""

    def turned(self, *, ready: bool, idle: bool) -> None:
        """Nobody asks."""

    def done(self, batch: Batch) -> None:
        """Nobody asks."""

    def behind(self, records: int) -> None:
        """Nobody asks."""


def build(given: Mapping[str, Any], stopping: threading.Event) -> LoopRunner | FaustRunner:
    """The worker that `given` describes."""
    clients = Clients(KafkaSettings(**given["kafka"]), given["group"], given["slot"], Limits(**given.get("limits", {})))
    effects = Effects(clients.producer(), clients.limits)
    folder = Path(given["folder"])
    if given["role"] == "lanes":
        return LoopRunner(*_lanes(given, clients, effects, folder), effects, Quiet(), stopping.is_set)
    stage = Copying(given["target"])
    if given["role"] == "faust":
        return FaustRunner(stage, given["topic"], clients, effects, Quiet(), folder, stopping.is_set)
    source = GroupSource(clients, lambda: [given["topic"]], effects, _nothing, clients.limits.blocks)
    return LoopRunner(stage, source, effects, Quiet(), stopping.is_set)


def _lanes(given: Mapping[str, Any], clients: Clients, effects: Effects, folder: Path) -> tuple[Counting, LaneSource]:
    stage = Counting(given["log"], given["refusals"], verdicts=given.get("verdicts", ""))
    inlets = Path(given["inlets"])  # a file: {topic: lane}, as a directory that changes

    def read() -> Mapping[str, int]:
        found: dict[str, int] = json.loads(inlets.read_text())
        return found

    def tell(stretch: Unreadable) -> list[Emit]:
        text = json.dumps([stretch.topic, stretch.partition, stretch.first, stretch.last, stretch.poison])
        return [Emit(given["refusals"], b"unreadable", text.encode())]

    topics = Topics(given["log"], given["register"])
    return stage, LaneSource(clients, topics, stage, effects, folder, read, tell, given.get("accept_hole", False))


def _nothing(stretch: Unreadable) -> list[Emit]:
    return []


def main() -> None:
    """Run until SIGTERM."""
    given = json.loads(sys.argv[1])
    configure_logging(given["slot"], "json")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        build(given, stopping).run()
    except Stop as stop:
        die(stop.code, stop.why)


if __name__ == "__main__":
    main()
