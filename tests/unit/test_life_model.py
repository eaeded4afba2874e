"""The life of alerts as a model: random orders of what authors send, through the gate, to every recipient.

The model is written apart from the code under test: a history is one letter a message, and what may follow is one
regular expression. Signatures are checked once, for a pool of messages made beforehand; everything after them is the
real stage. 5,000 orders in the usual run; 100,000 with MANARA_LONG=1 (three minutes).
"""

from __future__ import annotations

import os
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas import codec, message, registry
from schemas.models import Admitted
from schemas.recipient import LEAVING, Incoming, apply, replay
from streams.engine.contract import Output, Record
from streams.gate import blocks, register
from streams.gate.stage import Gate
from streams.gate.verify import Verified, Verifier
from tests.support.alerts import END_REASONS, Author, alert_id
from tests.support.directories import NOW, network
from tests.support.gates import NAMES, Inlets

LONG = os.environ.get("MANARA_LONG") == "1"
AGENCIES = ("az-police", "tr-customs")
LETTERS = {
    "ALERT": "A", "UPDATE": "U", "EXTEND": "E", "SUSPEND": "S", "RESUME": "R", "CANCEL": "C", "WITHDRAW": "W",
    "FULFIL": "F",
}  # fmt: skip
LAWFUL = re.compile(r"A(?:[UE]|SR)*S?[CWF]?")
"""Every history that an alert may have."""
STATE = {"C": "CANCELLED", "W": "WITHDRAWN", "F": "FULFILLED", "S": "SUSPENDED"}
AUDIENCES = (("EG",), ("EG", "KZ"), ("KZ", "MA"), ("AE", "EG", "MA"), ("MA",))
SUSPENDED = (frozenset[str](), frozenset({"MA"}), frozenset({"EG", "KZ"}))
VERSIONS = 6
SHARED = alert_id(1)
"""Both agencies use the same alert id: two alerts, since identity is agency and id."""


class Known(Verifier):
    """Answers for the messages of a pool, each of which was truly verified once."""

    def __init__(self, found: dict[bytes, Verified]) -> None:
        super().__init__(1)
        self._found = found

    def verify(self, records: Sequence[Record], directory: Any) -> list[Verified]:
        """What was found out about each."""
        return [self._found[record.value or b""] for record in records]


@dataclass(frozen=True)
class Said:
    """One message of the pool."""

    agency: str
    name: str
    version: int
    audience: tuple[str, ...]
    sealed: message.Sealed


@dataclass
class Truth:
    """What the model says about one alert."""

    history: str = ""
    partition: int = 0
    digests: list[str] = field(default_factory=list)
    readers: list[frozenset[str]] = field(default_factory=list)  # of each living version
    ever: set[str] = field(default_factory=set)

    def take(self, said: Said, partition: int, suspended: frozenset[str]) -> str:
        """ADMITTED, AGAIN or REFUSED; moves on where it is admitted."""
        if said.sealed.digest in self.digests:
            return "AGAIN"
        letter, readers = LETTERS[said.name], frozenset(said.audience) - suspended
        lawful = LAWFUL.fullmatch(self.history + letter) and said.version == len(self.history) + 1
        if not lawful or (self.history and partition != self.partition):
            return "REFUSED"
        if said.name not in END_REASONS:
            if not readers:
                return "REFUSED"
            self.readers.append(readers)
            self.ever |= readers
        self.history += letter
        self.partition = partition
        self.digests.append(said.sealed.digest)
        return "ADMITTED"

    def state_of(self, member: str) -> str:
        """What this member must believe in the end; "" if it must know nothing."""
        if member not in self.ever:
            return ""
        last = self.history[-1]
        if last in "CWF":
            return STATE[last]
        return STATE.get(last, "ACTIVE") if member in self.readers[-1] else "LEFT_OUT"


class World:
    """The pool, the gate and three directories; `play` runs one order."""

    def __init__(self) -> None:
        self.nets = [network(n + 1, members={m: {"standing": "SUSPENDED"} for m in s}) for n, s in enumerate(SUSPENDED)]
        self.pool = {
            (agency, name, version, number): self._said(agency, name, version, audience)
            for agency in AGENCIES
            for name in LETTERS
            for version in range(1, VERSIONS + 1)
            for number, audience in enumerate(AUDIENCES)
        }
        self.now = 0
        self.gate = Gate(NAMES, lambda: self.nets[self.now].directory, self.nets[0].key("hub.gate"), observe=_ignore)
        self.gate._verifier.close()
        self.gate._verifier = Known(self._verified())

    def _said(self, agency: str, name: str, version: int, audience: tuple[str, ...]) -> Said:
        first = message.Sealed(b"", b"", [], "", "route", SHARED, version)
        author = Author.of(agency)  # every one is the first of its author's chain: gaps are another test's matter
        sealed = author.follow(first, name, version=version, mode="LISTED", members=audience, unit=",".join(audience))
        return Said(agency, name, version, audience, sealed)

    def _verified(self) -> dict[bytes, Verified]:
        inlets, said = Inlets(), list(self.pool.values())
        records = [inlets.put(each.sealed, time=NOW + 1) for each in said]
        found = Verifier(1).verify(records, self.nets[0].directory)
        assert not [each for each in found if isinstance(each, Exception)]
        return {each.sealed.value: one for each, one in zip(said, found, strict=True)}

    def order(self, dice: random.Random) -> list[tuple[Said, int]]:
        """What arrives at the gate: walks of both authors with mistakes, gaps, twins, then reordered and sent again."""
        arrivals = [arrival for agency in AGENCIES for arrival in self._walk(agency, dice)]
        for _ in range(dice.choice((0, 0, 2, 6))):
            place = dice.randrange(len(arrivals) - 1) if len(arrivals) > 1 else 0
            arrivals[place : place + 2] = reversed(arrivals[place : place + 2])
        if dice.random() < 0.3:
            dice.shuffle(arrivals)
        again = dice.choice((0, 1, 2)) * [*arrivals]  # an outbox sends all of it once more, in its order
        spare = [dice.choice(arrivals) for _ in range(dice.randrange(4))]
        return [*arrivals, *again, *spare]

    def _walk(self, agency: str, dice: random.Random) -> list[tuple[Said, int]]:
        walk, version, history = [], 1, ""
        for _ in range(dice.randrange(1, 8)):
            lawful = [name for name, letter in LETTERS.items() if LAWFUL.fullmatch(history + letter)]
            honest = bool(lawful) and dice.random() < 0.85
            name = dice.choice(lawful if honest else list(LETTERS))
            number = version if dice.random() < 0.9 else dice.randrange(1, VERSIONS + 1)
            said = self.pool[agency, name, min(number, VERSIONS), dice.randrange(len(AUDIENCES))]
            walk.append((said, 1 if dice.random() < 0.05 else 0))
            if honest and number == version and version < VERSIONS:
                version, history = version + 1, history + LETTERS[name]
        return walk


def _ignore(_tally: object) -> None:
    """Metrics are not the matter here."""


@dataclass
class Run:
    """One order at work: the gate's state, the model's, and what each member's feed got."""

    world: World
    dice: random.Random
    state: dict[bytes, bytes] = field(default_factory=dict)
    truths: dict[str, Truth] = field(default_factory=lambda: {agency: Truth() for agency in AGENCIES})
    feeds: dict[tuple[str, str], list[Incoming]] = field(default_factory=lambda: defaultdict(list))
    log: list[bytes] = field(default_factory=list)

    def play(self) -> int:
        """All arrivals, in batches, under changing directories; returns how many were admitted."""
        arrivals, inlets, admitted = self.world.order(self.dice), Inlets(), 0
        while arrivals:
            size = self.dice.choice((1, 4, 30))
            part, arrivals = arrivals[:size], arrivals[size:]
            self.world.now = self.dice.choice((0, 0, 1, 2))
            records = [inlets.put(said.sealed, partition=partition, time=NOW + 1) for said, partition in part]
            suspended = SUSPENDED[self.world.now]
            expected = [self.truths[said.agency].take(said, partition, suspended) for said, partition in part]
            output = self.world.gate.process(0, records, self.state, NOW + 1)
            self.state |= {put.key: put.value for put in output.puts}
            self._compare(records, expected, output)
            self._deliver([item for emit in output.commits for item in blocks.read(emit.value or b"")["admitted"]])
            self.log += [emit.value or b"" for emit in output.commits]
            admitted += expected.count("ADMITTED")
        return admitted

    def _compare(self, records: list[Record], expected: list[str], output: Output) -> None:
        told = {}
        for emit in output.emits:
            number, body = codec.unframe(emit.value or b"")
            if registry.by_id(number).name != "verdict":
                continue
            for verdict in codec.decode(registry.by_id(number), body)["verdicts"]:
                source = verdict["source"]
                word = "AGAIN" if verdict["again"] else verdict["outcome"]
                told[source["topic"], source["partition"], source["offset"]] = word
        assert [told[record.topic, record.partition, record.offset] for record in records] == expected

    def _deliver(self, items: list[Admitted]) -> None:
        """Onto the feeds, as route does it."""
        for item in items:
            for member in item["deliver"]:
                what = Incoming(item["version"], item["message"], item["digest"], item["kind"])
                self.feeds[item["agency"], member].append(what)
            for member in item["leave"]:
                self.feeds[item["agency"], member].append(Incoming(item["version"], LEAVING, "", item["kind"]))

    def check(self) -> None:
        """Registers, feeds and recipients against the model."""
        for agency, truth in self.truths.items():
            self._check_register(agency, truth)
            for member in sorted(self.world.nets[0].directory.members):
                self._check_feed(self.feeds[agency, member], truth, member)
                self._check_recipients(self.feeds[agency, member], truth.state_of(member))
        again: dict[bytes, bytes] = {}
        for offset, block in enumerate(self.log):
            again |= dict(self.world.gate.fold(block, offset, again, lambda *_: 0).puts)
        assert again == self.state, "the register is a fold of the blocks"

    def _check_register(self, agency: str, truth: Truth) -> None:
        entry = register.read(self.state.get(message.identity(agency, SHARED)))
        assert (entry is None) == (not truth.history)
        if entry is not None:
            assert LAWFUL.fullmatch(truth.history)
            assert entry["state"] == STATE.get(truth.history[-1], "ACTIVE")
            assert (entry["version"], entry["digests"]) == (len(truth.history), truth.digests)
            assert entry["reached"] == sorted(truth.ever)

    def _check_feed(self, feed: list[Incoming], truth: Truth, member: str) -> None:
        """Exactly its versions, every end, one notice each time that it is left out, nothing else."""
        expected: list[tuple[int, str]] = []
        member_has = False
        for version, (letter, digest) in enumerate(zip(truth.history, truth.digests, strict=True), 1):
            if letter in "CWF":
                expected += [(version, digest)] if member in truth.ever else []
                continue
            reads = member in truth.readers[version - 1]
            if reads:
                expected.append((version, digest))
            elif member_has:
                expected.append((version, ""))
            member_has = reads
        assert [(got.version, got.digest) for got in feed] == expected

    def _check_recipients(self, feed: list[Incoming], state: str) -> None:
        """Two edges that get it in any order, with repeats, and one that reads the compacted feed."""
        if not feed:
            assert state == ""
            return
        held = [replay(self._shaken(feed)) for _ in range(2)]
        assert held[0] is not None
        assert held[0] == held[1]
        assert held[0].state == state
        assert held[0].purge == (state == "WITHDRAWN")
        compacted = apply(None, feed[-1])
        assert (compacted.state, compacted.latest) == (held[0].state, held[0].latest)

    def _shaken(self, feed: list[Incoming]) -> list[Incoming]:
        shaken = [*feed, *(self.dice.choice(feed) for _ in range(self.dice.randrange(3)))]
        self.dice.shuffle(shaken)
        return shaken


@pytest.mark.timeout(3600 if LONG else 300)
def test_all_recipients_end_where_the_model_says_whatever_the_order() -> None:
    """No forbidden step is admitted, whoever was reached gets every end, nobody else gets anything."""
    world, admitted, ends, left = World(), 0, 0, 0
    for seed in range(100_000 if LONG else 5_000):
        run = Run(world, random.Random(seed))
        try:
            admitted += run.play()
            run.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, histories {[t.history for t in run.truths.values()]}") from error
        ends += sum(truth.history[-1:] in set("CWF") for truth in run.truths.values())
        left += sum(got.message == LEAVING for feed in run.feeds.values() for got in feed)
    world.gate.close()
    totals = f"{seed + 1} orders: {admitted} messages admitted, {ends} alerts ended, {left} notices of leaving"
    print(totals)  # noqa: T201 - read with -s
    assert min(admitted, ends, left) > seed // 4, "the orders must be worth something"
