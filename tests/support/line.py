"""One stateless stage of the hub under test: the real process under the product's supervisor, what goes in, what comes
out.

Messages are numbered by key. Into route they go as blocks of the gate, into receipts as an edge's signed records; both
are read back from where their receivers would read them.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from manara.supervisor import Child, Supervisor
from schemas import codec, message, registry
from schemas.errors import ContractError
from tests.support.breaking import FOLDER
from tests.support.history import Delivery, History, Place, Submission, now
from tests.support.hub import LANES, ROOT, Hub, until

AGENCY = "az-police"
READERS = (("EG", "MA"), ("EG",), ("MA", "TR"))
KEYS = 7
BLOCK = 5
WAIT = 90.0


def digest(text: str) -> str:
    """The digest that stands for a message."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Line:
    """A stage (`route`, `receipts`) on a runner, one scenario long. `scope` keeps its messages apart from others'."""

    hub: Hub
    stage: str
    runner: str
    history: History
    scope: str
    supervisors: dict[str, Supervisor] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _versions: dict[str, int] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def running(cls, hub: Hub, worker: str, scenario: str) -> Iterator[Line]:
        """A line on which nothing runs yet; what was started is ended."""
        stage, _, runner = worker.partition(" on ")
        history = History(f"{worker}: {scenario}", (Place.LOG,))
        line = cls(hub, stage, runner, history, hub.broker.unique("k"))
        line.raising.mkdir(exist_ok=True)
        try:
            yield line
        finally:
            for supervisor in line.supervisors.values():
                supervisor.stop()

    @property
    def raising(self) -> Any:
        """The folder that says where the body raises."""
        return self.hub.folder / "raising"

    # ------------------------------------------------------------------ processes

    def start(self, slot: str = "1") -> None:
        """Start a worker; the supervisor starts it again whenever it dies."""
        config = self.hub.config(f"hub.{self.stage}")
        words = ["--config", str(config), "hub", self.stage, "--slot", slot]
        words += ["--runner", self.runner] if self.stage == "route" else []
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")}
        env = {**clean, "PYTHONPATH": str(ROOT), FOLDER: str(self.raising)}
        argv = (sys.executable, "-m", "tests.support.breaking", *words)
        child = Child(slot, argv, env, self.hub.folder / f"{self.stage}-{slot}.log")
        self.supervisors[slot] = Supervisor([child]).start()

    def pid(self, slot: str = "1") -> int:
        """The process id of a worker."""
        return until("the worker runs", lambda: self.supervisors[slot].pid(slot))

    def kill(self, slot: str = "1") -> None:
        """Kill -9; its supervisor starts it again."""
        pid = self.pid(slot)
        os.kill(pid, signal.SIGKILL)
        until("it is started again", lambda: self.supervisors[slot].pid(slot) not in (None, pid))

    def stop(self, slot: str = "1") -> None:
        """SIGTERM, and wait until it has gone."""
        self.supervisors.pop(slot).stop()

    def died(self, slot: str = "1") -> int:
        """How often it was started again."""
        return self.supervisors[slot].restarts[slot]

    def code(self, slot: str = "1") -> int | None:
        """The exit code of its last death."""
        return self.supervisors[slot].states()[0].code

    # ------------------------------------------------------------------ what goes in

    def send(self, count: int) -> list[Submission]:
        """So many messages, acknowledged at the return."""
        made = [self._submission(next(self._numbers)) for _ in range(count)]
        client = self.hub.producer("admin")
        write = self._blocks if self.stage == "route" else self._receipts
        for topic, value, headers, partition in write(made):
            client.produce(topic, value, b"x", partition, headers=headers)
            client.poll(0)
        assert client.flush(60) == 0
        self.history.submissions += made
        return made

    @contextmanager
    def load(self, rate: float) -> Iterator[None]:
        """A constant rate of messages, as long as the block lasts."""
        stop, errors = threading.Event(), list[BaseException]()

        def run() -> None:
            try:
                while not stop.wait(BLOCK / rate):
                    self.send(BLOCK)
            except BaseException as error:  # noqa: BLE001 - told below
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(70)
        assert not errors, errors

    def raise_at(self, sent: Sequence[Submission]) -> None:
        """Let the body raise when it meets these. Said before they are sent or while nothing runs."""
        for each in sent:
            (self.raising / each.digest).touch()

    def next(self, count: int) -> list[str]:
        """The digests of the messages that `send` will make next."""
        found, versions = [], dict(self._versions)
        start = len(self.history.submissions) + 1
        for number in range(start, start + count):
            key = self._key(number)
            versions[key] = versions.get(key, 0) + 1
            found.append(digest(f"{key}:{versions[key]}"))
        return found

    def _key(self, number: int) -> str:
        return f"{self.scope}-{number % KEYS}"

    def _submission(self, number: int) -> Submission:
        key = self._key(number)
        self._versions[key] = version = self._versions.get(key, 0) + 1
        readers = READERS[number % len(READERS)] if self.stage == "route" else (AGENCY,)
        text = f"{key}:{version}"
        return Submission(digest(text), AGENCY, key, version, "", frozenset(readers), now())

    def _blocks(self, sent: Sequence[Submission]) -> Iterator[tuple[str, bytes, Any, int]]:
        schema = registry.by_name("block")
        for lane in range(LANES):
            mine = [each for each in sent if int(each.alert_id[-1]) % LANES == lane]
            for start in range(0, len(mine), BLOCK):
                items = [_item(each) for each in mine[start : start + BLOCK]]
                body = codec.encode(schema, {"lane": lane, "positions": [], "admitted": items})
                yield self.hub.names.admitted, codec.frame(schema, body), [], lane

    def _receipts(self, sent: Sequence[Submission]) -> Iterator[tuple[str, bytes, Any, int]]:
        for each in sent:
            receipt = {
                "digest": each.digest, "kind": "person", "alert_id": each.alert_id, "version": each.version,
                "stage": "STORED", "at": each.at, "reason": "", "count": 0,
            }  # fmt: skip
            record = {"issuer": "edge.eg", "member": "EG", "agency": AGENCY, "receipts": [receipt]}
            value, headers = message.sign_record(registry.by_name("receipt"), record, self.hub.net.key("edge.eg"))
            yield self.hub.names.receipts("EG"), value, list(headers), 0

    # ------------------------------------------------------------------ what comes out

    def delivered(self) -> list[Delivery]:
        """Everything of this scenario that has come out, repeats included."""
        found = self._fed() if self.stage == "route" else self._told()
        return [each for each in found if each.alert_id.startswith(self.scope)]

    def _fed(self) -> Iterator[Delivery]:
        for member in ("AZ", "EG", "MA", "TR"):
            for order, read in enumerate(
                self.hub.read(self.hub.names.feed(member, "person"), f"edge.{member.lower()}")
            ):
                _, _, alert_id = (read.key or b"").decode().partition("/")
                version = int((read.value or b"").decode())
                yield Delivery(member, Place.LOG, AGENCY, alert_id, version, order, at=read.time)

    def _told(self) -> Iterator[Delivery]:
        order = itertools.count()
        for read in self.hub.read(self.hub.names.status(AGENCY), AGENCY):
            with suppress(ContractError):
                _schema, said, _key = message.open_record(
                    read.value, read.headers, directory=self.hub.net.directory, at=read.time, holders=["edge.eg"]
                )
                for one in said["receipts"]:
                    place = (AGENCY, Place.LOG, AGENCY, one["alert_id"], one["version"], next(order))
                    yield Delivery(*place, at=read.time)

    def arrived(self) -> int:
        """How many different deliveries have come out."""
        return len({(d.member, d.alert_id, d.version) for d in self.delivered()})

    @property
    def wanted(self) -> int:
        """How many different deliveries there must be in the end."""
        return sum(len(each.readers) for each in self.history.submissions)

    def until(self, more: int) -> None:
        """Wait until so many different deliveries have come out."""
        until(f"{more} are delivered", lambda: self.arrived() >= more, WAIT)

    def finish(self) -> History:
        """Wait until all is out or the time is over, and note what came: the checker says what is missing."""
        deadline = time.monotonic() + WAIT
        while self.arrived() < self.wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        self.history.deliveries = self.delivered()
        return self.history

    def stall(self) -> float:
        """The longest time in seconds that a message waited between its write and its first delivery."""
        sent = {(each.alert_id, each.version): each.at for each in self.history.submissions}
        first: dict[tuple[str, int], int] = {}
        for each in self.history.deliveries:
            key = (each.alert_id, each.version)
            first[key] = min(each.at, first.get(key, each.at))
        return max(((at - sent[key]) / 1e6 for key, at in first.items() if key in sent), default=0.0)


def _item(sent: Submission) -> dict[str, Any]:
    return {
        "agency": sent.agency, "alert_id": sent.alert_id, "kind": "person", "version": sent.version, "message": "ALERT",
        "digest": sent.digest, "admitted_at": sent.at, "expires_at": 0, "precedence": "ROUTINE", "directory_seq": 1,
        "partition": 0, "offset": 0, "deliver": sorted(sent.readers), "leave": [], "rules": [], "trace": "",
        "hub": b"", "signature": b"", "value": b"%d" % sent.version,
    }  # fmt: skip
