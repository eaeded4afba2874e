"""Rules 1, 3 and 5 of the engine: whatever dies between whichever steps, the register is the same fold of blocks."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.engine.contract import Record
from streams.engine.effects import Ack, Effects
from streams.engine.limits import Limits
from streams.engine.loop import Batch, LoopRunner
from streams.engine.owned import Owned
from streams.engine.source import Share
from streams.engine.store import Lane
from tests.support.engine import Counting, parse
from tests.support.fake_log import FakeProducer, Log

LOG, REFUSALS, VERDICTS = "log", "refusals", "verdicts"
INLETS = ("inlet.a", "inlet.b")


class Quiet:
    """Watches nothing."""

    def turned(self, *, ready: bool, idle: bool) -> None:
        """Nobody asks."""

    def done(self, batch: Batch) -> None:
        """Nobody asks."""

    def behind(self, records: int) -> None:
        """Nobody asks."""


class Inlet:
    """What an agency has written: an id that changes when the topic is made anew, and messages."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.made = 0
        self.values: list[str] = []

    @property
    def topic_id(self) -> str:
        """The id of the topic as it is now."""
        return f"{self.name}-{self.made}"


class OneLane:
    """A source with one lane over inlets in memory, kept and healed by the engine's own parts."""

    def __init__(self, path: Path, log: Log, stage: Counting, inlets: Sequence[Inlet]) -> None:
        self.log = log
        self.stage = stage
        lane = Lane(path, "id-of-log")
        blocks = [(offset, stored.value) for offset, stored in enumerate(log.read(LOG, 0))]
        lane.fold(stage, blocks[lane.next :])
        self.owned = Owned(lane)
        self.inlets = inlets
        self.ids = {inlet.name: inlet.topic_id for inlet in inlets}
        self.next = {inlet.name: lane.known(inlet.name, inlet.topic_id, 0) for inlet in inlets}
        self.most = 1

    def turn(self) -> None:
        """A topic that was made anew is read from where its new id stands: the beginning."""
        for inlet in self.inlets:
            if self.ids[inlet.name] != inlet.topic_id:
                self.ids[inlet.name] = inlet.topic_id
                self.next[inlet.name] = self.owned.lane.known(inlet.name, inlet.topic_id, 0)

    def pull(self, timeout: float) -> list[Record]:
        """At most `most` records of each inlet."""
        found = []
        for inlet in self.inlets:
            start = self.next[inlet.name]
            for offset, value in enumerate(inlet.values[start : start + self.most], start):
                found.append(Record(inlet.name, self.ids[inlet.name], 0, offset, 0, None, value.encode(), []))
            self.next[inlet.name] = min(start + self.most, len(inlet.values))
        return found

    def lane(self, record: Record) -> int:
        """There is one."""
        return 0

    def state(self, lane: int) -> Mapping[bytes, bytes]:
        """Its state."""
        return self.owned.lane

    def promise(self, shares: Sequence[Share]) -> None:
        """As LaneSource does."""
        for share in shares:
            self.owned.lane.promise(share.puts)

    def keep(self, shares: Sequence[Share], acks: Sequence[Ack]) -> None:
        """As LaneSource does."""
        for ack in acks:
            self.owned.tail.own(ack.offset)
        for share in shares:
            self.owned.keep(share.puts, share.places)

    def ready(self) -> bool:
        """Always."""
        return True

    def lag(self) -> int:
        """Nobody asks."""
        return 0

    def close(self) -> None:
        """Nothing to leave."""


class Crashes(RuleBasedStateMachine):
    """One worker at a time over a log that outlives it, and dead ones whose last messages may still arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.path = self.folder / "lane.db"
        self.log = Log()
        self.workers = 0
        self.inlets = [Inlet(name) for name in INLETS]
        self.sent: Counter[str] = Counter()
        self.zombies: list[FakeProducer] = []
        self.start()

    def start(self) -> None:
        """A new worker: restore, then a loop that never sleeps."""
        self.workers += 1
        # a name of its own, as another directory would give other readers: what a late block says shows
        self.stage = Counting(LOG, REFUSALS, size=2, verdicts=VERDICTS, reader=f"w{self.workers}")
        self.producer = FakeProducer(self.log)
        self.source = OneLane(self.path, self.log, self.stage, self.inlets)
        assert self.source.next == {inlet.name: self.covered(inlet) for inlet in self.inlets}
        self.effects = Effects(self.producer, Limits(flying=12, idle=0.0))
        self.runner = LoopRunner(self.stage, self.source, self.effects, Quiet(), lambda: False, clock=lambda: 0.0)

    def teardown(self) -> None:
        """Remove the store."""
        self.source.owned.lane.close()
        shutil.rmtree(self.folder)

    @rule(inlet=st.sampled_from(INLETS), number=st.integers(1, 5))
    def an_agency_writes(self, inlet: str, number: int) -> None:
        """The next versions of its alert."""
        (found,) = [i for i in self.inlets if i.name == inlet]
        for _ in range(number):
            self.sent[inlet] += 1
            found.values.append(f"{inlet}:{self.sent[inlet]}")

    @rule(most=st.integers(1, 4))
    def the_loop_turns(self, most: int) -> None:
        """One batch, or acknowledgements."""
        self.source.most = most
        self.runner.turn()

    @rule(number=st.integers(1, 6))
    def the_broker_takes(self, number: int) -> None:
        """Messages arrive; their reports wait for the next poll."""
        self.producer.land(number)

    @rule(number=st.integers(0, 6), zombie=st.booleans(), wiped=st.booleans())
    def the_worker_dies(self, number: int, zombie: bool, wiped: bool) -> None:
        """At any moment: some of what it held has arrived, some may arrive later, its store may be gone."""
        self.producer.land(number)
        if zombie:
            self.zombies.append(self.producer)
        self.source.owned.lane.close()
        if wiped:
            for file in self.folder.iterdir():
                file.unlink()
        self.start()

    @precondition(lambda self: self.zombies)
    @rule(number=st.integers(1, 6))
    def a_dead_worker_s_messages_arrive(self, number: int) -> None:
        """What its client had queued leaves late."""
        self.zombies[0].land(number)
        if not self.zombies[0].queue:
            self.zombies.pop(0)

    @rule()
    def the_owner_heals_its_lane(self) -> None:
        """It reads what others wrote; as LaneSource does, with nothing of its own in flight."""
        owned = self.source.owned
        blocks = [(offset, stored.value) for offset, stored in enumerate(self.log.read(LOG, 0))]
        end = len(blocks)
        self.drain()
        owned.heal(self.stage, end, blocks[owned.tail.floor :])

    @rule(inlet=st.sampled_from(INLETS))
    def a_topic_is_made_anew(self, inlet: str) -> None:
        """The agency's outbox sends everything again, after something new: who reads on by the number misses that."""
        (found,) = [i for i in self.inlets if i.name == inlet]
        found.made += 1
        self.sent[f"{inlet}#{found.made}"] = 1
        keys = [f"{inlet}#{n}" for n in range(found.made, 0, -1)]
        found.values = [f"{key}:1" for key in keys] + [f"{inlet}:{n}" for n in range(1, self.sent[inlet] + 1)]

    def covered(self, inlet: Inlet) -> int:
        """Where the blocks say that reading goes on: exactly there, nothing is read twice after a crash."""
        positions = [p for stored in self.log.read(LOG, 0) for p in json.loads(stored.value)["positions"]]
        ours = [p for p in positions if p["topic"] == inlet.name]
        last = 0
        topic_id = ""
        for position in ours:
            if position["topic_id"] != topic_id:
                topic_id, last = position["topic_id"], 0
            last = max(last, position["next_offset"])
        return last if topic_id == inlet.topic_id else 0

    def drain(self) -> None:
        """Let everything in flight be acknowledged."""
        self.producer.eager = True
        self.effects.drain()
        self.producer.eager = False

    def folded(self) -> dict[bytes, bytes]:
        """The register, folded from the log alone."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            lane = Lane(Path(folder) / "scratch.db", "id-of-log")
            lane.fold(self.stage, [(n, stored.value) for n, stored in enumerate(self.log.read(LOG, 0))])
            found = dict(lane)
            lane.close()
        return found

    @invariant()
    def what_was_sent_is_what_is_known(self) -> None:
        """With nothing in flight and nothing of a dead worker unread, the store is the fold of the log."""
        owned = self.source.owned
        if self.effects.flying or owned.tail.high < len(self.log.read(LOG, 0)) or owned.tail.gaps:
            return
        assert dict(owned.lane) == self.folded()

    @invariant()
    def the_store_never_runs_ahead_of_the_log(self) -> None:
        """What the store counts as durable is never more than the log says."""
        folded = self.folded()
        for key in self.source.owned.lane:
            stored = self.source.owned.lane.stored(key)
            if stored is not None:
                assert parse(stored)[0] <= parse(folded.get(key))[0]

    def finish(self) -> None:
        """Everything is worked off in the end."""
        for _ in range(400):
            self.source.most = 50
            self.runner.turn()
            self.drain()
            if all(self.source.next[i.name] >= len(i.values) for i in self.inlets) and not self.effects.flying:
                break
        found = {key.decode(): parse(value)[0] for key, value in self.folded().items()}
        assert found == {key: number for key, number in self.sent.items() if number}
        assert self.log.read(REFUSALS, -1) == []


class CrashesFinished(Crashes):
    """The same, and at the end every message must be in the register, in order, none refused."""

    def teardown(self) -> None:
        """Finish, then clean up."""
        try:
            self.the_owner_heals_its_lane()
            self.finish()
        finally:
            super().teardown()


TestCrashes = CrashesFinished.TestCase
TestCrashes.settings = settings(max_examples=60, stateful_step_count=40)
