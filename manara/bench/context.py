"""What every figure is given: the stand, how much to do, the alerts, and whom to tell."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from manara.bench import alerts
from manara.bench.alerts import Made
from manara.bench.measure import Meters, Window, cpu_seconds, family_seconds, watch, window
from manara.bench.stand import ADMIN, Scene, Stand
from manara.bench.topics import Topics
from manara.supervisor import Supervisor

READERS: Final = 3
PROGRAMS: Final = Path(__file__).parents[2] / "tests" / "bench"
"""The programs that stand for an agency and for other systems; they come with a clone, not with an installation."""


@dataclass
class Bench:
    """`count` alerts a run, `rounds` runs of each variant; `say` is told what is being done, `turn` how far it is."""

    stand: Stand
    topics: Topics
    count: int
    rounds: int
    quick: bool
    say: Callable[[str], None]
    turn: Callable[[int, int], None]
    missing: dict[str, str] = field(default_factory=dict)
    """Parts of the figure in work that this machine cannot run, and why."""
    _made: dict[tuple[int, int], list[Made]] = field(default_factory=dict)

    @classmethod
    def on(
        cls, stand: Stand, count: int, rounds: int, *, quick: bool, say: Callable[[str], None],
        turn: Callable[[int, int], None],
    ) -> Bench:  # fmt: skip
        """A bench on a stand that runs."""
        return cls(stand, Topics(stand.kafka_settings(ADMIN)), count, rounds, quick, say, turn)

    def alerts(self, count: int = 0, readers: int = READERS) -> list[Made]:
        """Sealed alerts with that many readers each; made once, a part of the most that was asked for."""
        wanted = count or self.count
        known = next((made for (n, r), made in self._made.items() if r == readers and n >= wanted), None)
        if known is None:
            self.say(f"Making {wanted:,} alerts")
            keys = {agency: self.stand.keys[agency] for agency in self.stand.draft.agencies}
            members = sorted(self.stand.draft.members)
            known = alerts.make(keys, members, wanted, readers, time.time_ns() // 1000)
            self._made[wanted, readers] = known
        return known[:wanted]

    def broker(self) -> float:
        """CPU-seconds of the broker so far."""
        return cpu_seconds(self.stand.kafka.pid or 0)

    def servers(self) -> float:
        """CPU-seconds of broker and PostgreSQL so far."""
        return self.broker() + family_seconds(self.stand.postgres.pid or 0)

    def samples(
        self, workers: Supervisor, names: Sequence[str], done: Callable[[], int], goal: int, *, servers: bool = False
    ) -> list[Any]:
        """Watch these workers until `goal` results are there."""

        def ours() -> float:
            return sum(family_seconds(workers.pid(name) or 0) for name in names)

        meters = Meters(ours, self.servers if servers else self.broker, done)
        return watch(meters, goal, turned=lambda now: self.turn(now, goal))

    def measured(self, workers: Supervisor, names: Sequence[str], done: Callable[[], int], goal: int) -> Window:
        """The window of such a run."""
        return window(self.samples(workers, names, done, goal), goal)

    @contextmanager
    def scene(self, *, lanes: int = 8) -> Iterator[Scene]:
        """A scene that is gone afterwards, its topics too."""
        made = self.stand.scene(lanes=lanes)
        try:
            yield made
        finally:
            self.topics.delete(made.names.prefix)


class LogCount:
    """Progress as a worker tells it in its log: the sum of one number over all lines of one event."""

    def __init__(self, path: Path, event: str, key: str) -> None:
        """The file need not be there yet."""
        self._path, self._event, self._key = path, event, key
        self._place, self._total, self._rest = 0, 0, b""

    def __call__(self) -> int:
        """The sum as of now."""
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            file.seek(self._place)
            text = self._rest + file.read()
            self._place = file.tell()
        *lines, self._rest = text.split(b"\n")
        self._total += sum(self._number(line) for line in lines)
        return self._total

    def _number(self, line: bytes) -> int:
        if self._event.encode() not in line:
            return 0
        try:
            said = json.loads(line)
        except ValueError:
            return 0
        return int(said[self._key]) if said.get("event") == self._event else 0
