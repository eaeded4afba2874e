"""The two ends of the network alone: an agency that publishes (S1) and a member's edge that takes in (S5)."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import apsw
import psycopg

from manara.bench.alerts import KIND, Made
from manara.bench.context import PROGRAMS, Bench, LogCount
from manara.bench.errors import CannotRunError, VoidRunError
from manara.bench.measure import Window
from manara.bench.results import Row, over
from manara.bench.stand import Scene
from manara.bench.topics import Item
from manara.deployment.processes import environment
from manara.supervisor import Child
from schemas import codec, registry, signature
from schemas.models import Receipts

AUTHOR: Final = "az-police"
MEMBER: Final = "AE"
DELIVERED: Final = ("Batch delivered", "count")
PUBLISH: Final = 8_000.0
EDGE: Final = 6_000.0
RESYNC_SECONDS: Final = 180.0
RECEIPT_SECONDS: Final = 60.0
_PREFIX = 5


def s1(bench: Bench) -> list[Row]:
    """Publish: a program on `producers.Publisher` checks, encodes, signs and stores alerts in its outbox in batches of
    100 (each a durable transaction) and carries them to Kafka in the same process, on one core. A result is an alert
    that the broker has acknowledged. The alerts' content is made beforehand. Afterwards the digest of every message in
    the inlet is compared with the outbox."""
    windows = [_publish(bench) for _ in range(bench.rounds)]
    return [over("S1", "publish: check, sign, outbox, to Kafka", windows, _per_core, "alerts/s a core", least=PUBLISH)]


def agency(scene: Scene, name: str = AUTHOR, **given: Any) -> Child:
    """An agency's own program in a scene."""
    if not PROGRAMS.is_dir():
        raise CannotRunError("The agency's program is not here.", "Run the benchmark in a clone of the repository.")
    said = json.dumps({"config": str(scene.config(name)), "readers": 1, **given})
    env = {**environment(), "PYTHONPATH": str(PROGRAMS.parents[1])}
    return Child(f"agency.{name}", (sys.executable, "-m", "tests.bench.agency", said), env, scene.log(f"agency.{name}"))


def _publish(bench: Bench) -> Window:
    with bench.scene() as scene:
        inlet = [scene.names.inlet(AUTHOR)]
        places = bench.topics.partitions(inlet)
        child = agency(scene, mode="hand", count=bench.count, readers=3)
        bench.say(f"S1: an agency publishes {bench.count:,} alerts")
        with scene.running([child], bench.stand.cores.ours) as running:
            window = bench.measured(running, [child.name], lambda: bench.topics.ends(places), bench.count)
        written = set(_digests(scene.folder / AUTHOR / "outbox.db"))
        sent = Counter(_digest(m.value() or b"", dict(m.headers() or [])["sig"]) for m in bench.topics.read(inlet))
        if set(sent) != written or len(written) != bench.count:
            raise VoidRunError(f"{len(written)} alerts are in the outbox, {len(set(sent) & written)} of them in Kafka")
        return window


def _digests(outbox: Path) -> Iterator[str]:
    db = apsw.Connection(str(outbox), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        for (digest,) in db.execute("select digest from messages"):
            yield str(digest)
    finally:
        db.close()


def _digest(value: bytes, sig: Any) -> str:
    return signature.digest(signature.read(bytes(sig)).protected, value[_PREFIX:])


def s5(bench: Bench) -> list[Row]:
    """Edge: `manara edge` of one member on one core verifies the alerts that stand in its feed, takes them into its
    inbox (durable), brings them into PostgreSQL and signs and sends receipts. A result is an alert that PostgreSQL has
    committed. Afterwards the table is compared with the reference, no effect may be double, and a receipt STORED must
    stand in Kafka for every alert. The time for 1 M is computed from the wall rate of this run on that one core."""
    made = [one for one in bench.alerts() if one.agency[:2].upper() != MEMBER]
    windows = [_edge(bench, made) for _ in range(bench.rounds)]
    million = [1e6 / window.rate for window in windows]
    middle = sorted(million)[len(million) // 2]
    return [
        over("S5", "edge: verify, inbox, PostgreSQL, receipts", windows, _per_core, "alerts/s a core", least=EDGE),
        Row("S5", "edge: resync of 1 M, computed from this rate", middle, "s", most=RESYNC_SECONDS,
            runs=len(million), low=min(million), high=max(million)),
    ]  # fmt: skip


def _edge(bench: Bench, made: Sequence[Made]) -> Window:
    with bench.scene() as scene:
        bench.topics.fill(_feed_items(scene, made))
        delivered = LogCount(scene.log("edge"), *DELIVERED)
        bench.say(f"S5: an edge takes in {len(made):,} alerts")
        with scene.running([scene.edges([MEMBER])], bench.stand.cores.ours) as running:
            window = bench.measured(running, ["edge"], delivered, len(made))
            _await_receipts(bench, scene, len(made))
        check_stored(scene.database(MEMBER), {(one.agency, one.alert_id) for one in made})
        return window


def _feed_items(scene: Scene, made: Sequence[Made]) -> Iterator[Item]:
    at = (time.time_ns() // 1000).to_bytes(8, "big")
    for one in made:
        yield Item(scene.names.feed(MEMBER, KIND), -1, one.key, one.value, [("sig", one.sig), ("at", at)])


def _await_receipts(bench: Bench, scene: Scene, count: int) -> None:
    """Wait until every alert has its receipt STORED. VoidRunError where they do not come."""
    deadline = time.monotonic() + RECEIPT_SECONDS
    stored: set[str] = set()
    while len(stored) < count:
        if time.monotonic() > deadline:
            raise VoidRunError(f"{count - len(stored)} alerts have no receipt")
        stored = {
            receipt["digest"]
            for message in bench.topics.read([scene.names.receipts(MEMBER)])
            for receipt in _receipts(message.value() or b"")["receipts"]
            if receipt["stage"] == "STORED"
        }


def _receipts(value: bytes) -> Receipts:
    found: Any = codec.decode(registry.by_name("receipt"), codec.unframe(value)[1])
    return found  # type: ignore[no-any-return]


def check_stored(database: str, expected: set[tuple[str, str]]) -> None:
    """Exactly these alerts are in a member's database, each with one effect. VoidRunError."""
    with psycopg.connect(database) as connection:
        found = {(str(a), str(i)) for a, i in connection.execute("SELECT agency, alert_id FROM alerts").fetchall()}
        row = connection.execute("SELECT count(*) FROM effects").fetchone()
    effects = int(str(row[0])) if row else 0
    if found != expected or effects != len(expected):
        raise VoidRunError(
            f"{len(expected - found)} alerts are missing in a database, {len(found - expected)} are too many, "
            f"{effects - len(expected)} effects too many"
        )


def _per_core(window: Window) -> float:
    return window.per_core
