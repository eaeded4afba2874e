"""An agency's own program, as an agency would write it on `producers.Publisher`. `python -m tests.bench.agency JSON`.

The JSON names the agency's settings file (`config`), how many alerts (`count`), for how many readers, and one mode:

hand    publish in batches of 100 and carry them to Kafka in the same process (S1)
closed  publish in batches of 100, never more than the number in the file `allowed` (S6)
open    wait until `allowed` is there, then publish at `rate` a second, each at its time; write when each was due (S7)

It runs until SIGTERM.
"""

from __future__ import annotations

import json
import random
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from manara.bench.alerts import KIND, person
from manara.telemetry import configure_logging
from producers import Publisher
from schemas.identifiers import RANDOM_BYTES, uuid7

BATCH: Final = 100
TEMPLATES: Final = 500
MEMBERS: Final = ("AE", "AZ", "EG", "KZ", "MA", "TR")
Alert = tuple[str, Mapping[str, Any], list[str]]


@dataclass
class Agency:
    """One run of the program."""

    given: dict[str, Any]
    stop: threading.Event
    due: dict[str, int] = field(default_factory=dict)
    """Alert id to the time at which it should have been published, microseconds; of the mode `open`."""

    def alerts(self, agency: str) -> Iterator[Alert]:
        """Alerts without end, each with its own id, made beforehand so that making them is not measured."""
        dice = random.Random(agency)
        others = [member for member in MEMBERS if member != agency[:2].upper()]
        now = time.time_ns() // 1000
        made = [person(agency, now, dice) for _ in range(TEMPLATES)]
        listed = [sorted(dice.sample(others, self.given["readers"])) for _ in range(TEMPLATES)]
        while True:
            for record, members in zip(made, listed, strict=True):
                header = {**record["header"], "alert_id": uuid7(now, secrets.token_bytes(RANDOM_BYTES))}
                yield KIND, {**record, "header": header}, members

    def run(self) -> None:
        """Work, then wait for the end."""
        with Publisher.open(Path(self.given["config"])) as publisher:
            publisher.directory(20)
            source = self.alerts(publisher.settings.agency)
            {"hand": self.hand, "closed": self.closed, "open": self.open}[self.given["mode"]](publisher, source)
            self.stop.wait()

    def hand(self, publisher: Publisher, source: Iterator[Alert]) -> None:
        """Publish and carry by turns."""
        carrier = publisher.carrier()
        assert carrier is not None, "another relay of this outbox runs"
        left = self.given["count"]
        while left and not self.stop.is_set():
            batch = [next(source) for _ in range(min(BATCH, left))]
            publisher.publish_many(batch, bulk=True)
            left -= len(batch)
            carrier.step(0)
        while publisher.outbox.waiting()[0] and not self.stop.is_set():
            carrier.step(0.01)
        carrier.close()

    def closed(self, publisher: Publisher, source: Iterator[Alert]) -> None:
        """Publish as much as is allowed by now."""
        done, count = 0, self.given["count"]
        while done < count and not self.stop.is_set():
            room = min(self.allowed(), count) - done
            if room <= 0:
                time.sleep(0.01)
                continue
            batch = [next(source) for _ in range(min(BATCH, room))]
            publisher.publish_many(batch)
            done += len(batch)

    def open(self, publisher: Publisher, source: Iterator[Alert]) -> None:
        """Publish on time; what is late goes in one batch, and its lateness counts."""
        publisher.publish(*next(source)[:2], audience=["TR" if publisher.settings.agency[:2] != "tr" else "AE"])
        while not self.allowed() and not self.stop.is_set():
            time.sleep(0.01)
        start, rate, done, count = time.time() + 0.2, self.given["rate"], 0, self.given["count"]
        while done < count and not self.stop.is_set():
            wait = start + done / rate - time.time()
            if wait > 0:
                time.sleep(wait)
            ready = min(count, int((time.time() - start) * rate) + 1) - done
            batch = [next(source) for _ in range(max(1, ready))]
            publisher.publish_many(batch)
            for number, (_, record, _members) in enumerate(batch, done):
                self.due[record["header"]["alert_id"]] = int((start + number / rate) * 1e6)
            done += len(batch)
        path = Path(self.given["due"])
        path.with_suffix(".new").write_text(json.dumps(self.due))
        path.with_suffix(".new").replace(path)

    def allowed(self) -> int:
        """The number in the file; 0 while there is none."""
        try:
            return int(Path(self.given["allowed"]).read_text())
        except (OSError, ValueError):
            return 0


def main() -> None:
    """Run until SIGTERM."""
    configure_logging("agency", "json")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Agency(json.loads(sys.argv[1]), stop).run()


if __name__ == "__main__":
    main()
