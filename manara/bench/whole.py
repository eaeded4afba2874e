"""The whole way, from an agency's program to the members' databases: throughput (S6) and latency (S7)."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from manara.bench.context import Bench, LogCount
from manara.bench.ends import DELIVERED, agency
from manara.bench.errors import BenchError, VoidRunError
from manara.bench.measure import WARM_UP, Window, family_seconds, window
from manara.bench.results import Row, over, percentile
from manara.bench.stand import Scene
from manara.supervisor import Child, Supervisor
from schemas.directory import HUB_STAGES

AUTHORS: Final = ("az-police", "kz-police")
AHEAD: Final = 2_000
"""So many alerts an author may be ahead of what is stored: lag cannot grow, and everybody has work."""
RATE: Final = 2_500.0
CPU: Final = 400.0
LATENCY: Final[Mapping[int, tuple[float | None, float]]] = {10: (30.0, 100.0), 100: (30.0, 100.0), 1000: (None, 200.0)}
"""Alerts a second -> most ms at p50 and p99."""
SECONDS: Final = 20
QUICK_SECONDS: Final = 2
START_SECONDS: Final = 60.0
COMMITTED: Final = "SELECT alert_id, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM alerts"


def s6(bench: Bench) -> list[Row]:
    """The whole way on all cores: two agencies' programs publish in batches of 100, `manara relay` each, the hub's four
    stages (route on Faust), one edge process for six members, PostgreSQL. The agencies may never be more than 2,000
    alerts each ahead of what is stored, so the rate is one that lasts and lag is bounded. A result is a delivery that
    PostgreSQL has committed; rates and CPU are per alert. CPU is that of all our processes; broker and PostgreSQL are
    apart. With one reader an alert, and with three. Afterwards every database is counted and no effect is double."""
    rows: list[Row] = []
    for readers in (3,) if bench.quick else (1, 3):
        runs = [_throughput(bench, readers) for _ in range(bench.rounds)]
        windows, parts = [run for run, _ in runs], {"cpu_seconds_a_million_by_process": [part for _, part in runs]}
        text = f"whole way, {readers} deliver{'y' if readers == 1 else 'ies'} an alert"
        rate, cpu = (RATE, CPU) if readers == 1 else (None, None)
        rows += [
            over("S6", f"{text}: rate", windows, lambda w: w.rate, "alerts/s", least=rate),
            over("S6", f"{text}: CPU", windows, lambda w: w.cpu_million, "CPU-s a million", most=cpu, more=parts),
        ]
    return rows


def s7(bench: Bench) -> list[Row]:
    """Latency, open loop: one agency publishes at a fixed rate, each alert durable when it is accepted; the time runs
    from the moment at which the alert was due to PostgreSQL's own commit timestamp, so waiting before acceptance
    counts. All processes as in S6, one reader an alert; one run a rate, of which the first
    fifth is discarded. Every alert must have arrived."""
    rows: list[Row] = []
    for rate, (half, most) in ((100, LATENCY[100]),) if bench.quick else LATENCY.items():
        seconds = QUICK_SECONDS if bench.quick else SECONDS
        every = latencies(bench, rate, rate * seconds)
        found = every[int(len(every) * WARM_UP) :]
        detail = {"alerts": len(found), "p90": percentile(found, 0.9), "p999": percentile(found, 0.999)}
        rows.append(
            Row("S7", f"accepted to database at {rate}/s: p50", percentile(found, 0.5), "ms", most=half, more=detail)
        )
        rows.append(Row("S7", f"accepted to database at {rate}/s: p99", percentile(found, 0.99), "ms", most=most))
    return rows


@dataclass
class Whole:
    """All processes of a scene at work."""

    scene: Scene
    running: Supervisor
    names: list[str]
    stored: LogCount
    allowed: Path

    def allow(self, alerts: int) -> None:
        """So many alerts may each agency have published by now."""
        draft = self.allowed.with_suffix(".new")
        draft.write_text(str(alerts), encoding="ascii")
        draft.replace(self.allowed)


@contextmanager
def whole(bench: Bench, authors: Sequence[str], *, deaths: bool = False, **given: Any) -> Iterator[Whole]:
    """Hub, edges, relays and these agencies' programs, started and on all cores. `deaths` are then no failure."""
    with bench.scene() as scene:
        allowed = scene.folder / "allowed"
        members = sorted(bench.stand.draft.members)
        hub = [scene.role(f"hub.{stage}", scene.config(f"hub.{stage}"), "hub", stage) for stage in HUB_STAGES[:4]]
        relays = [scene.role(f"relay.{name}", scene.config(name), "relay") for name in authors]
        programs = [
            agency(scene, name, allowed=str(allowed), due=str(scene.folder / f"{name}.due"), **given)
            for name in authors
        ]
        children: list[Child] = [*hub, scene.edges(members), *relays, *programs]
        with scene.running(children, bench.stand.cores.all, deaths=deaths) as running:
            names = [child.name for child in children]
            yield Whole(scene, running, names, LogCount(scene.log("edge"), *DELIVERED), allowed)


def _throughput(bench: Bench, readers: int) -> tuple[Window, dict[str, float]]:
    """One run: its window in alerts, and the CPU-seconds a million alerts of every process in it."""
    each = bench.count // len(AUTHORS)
    goal = each * len(AUTHORS) * readers
    with whole(bench, AUTHORS, mode="closed", count=each, readers=readers) as all_:
        bench.say(f"S6: the whole way, {readers} readers")
        looks: list[tuple[int, dict[str, float]]] = []

        def done() -> int:
            stored = all_.stored()
            all_.allow(stored // readers // len(AUTHORS) + AHEAD)
            if (stored >= goal * WARM_UP and not looks) or stored >= goal:
                looks.append((stored, {n: family_seconds(all_.running.pid(n) or 0) for n in all_.names}))
            return stored

        found = window(bench.samples(all_.running, all_.names, done, goal, servers=True), goal)
        _count(all_.scene, goal)
    return found._replace(alerts=found.alerts // readers), _parts(looks, readers)


def _parts(looks: Sequence[tuple[int, Mapping[str, float]]], readers: int) -> dict[str, float]:
    (first, before), (last, after) = looks[0], looks[-1]
    alerts = max(1, (last - first) // readers)
    return {name: round((after[name] - before[name]) / alerts * 1e6, 1) for name in after}


def _count(scene: Scene, goal: int) -> None:
    rows = effects = 0
    for address in scene.databases.values():
        with psycopg.connect(address) as connection:
            row = connection.execute("SELECT (SELECT count(*) FROM alerts), (SELECT count(*) FROM effects)").fetchone()
            rows, effects = rows + int(str(row[0])), effects + int(str(row[1]))  # type: ignore[index]
    if (rows, effects) != (goal, goal):
        raise VoidRunError(f"{goal} deliveries were due, the databases hold {rows} alerts and {effects} effects")


def latencies(bench: Bench, rate: int, count: int, *, during: Sequence[str] = ()) -> list[float]:
    """Milliseconds of every alert, in the order in which they were due. `during` names processes to kill meanwhile."""
    author = AUTHORS[0]
    with whole(bench, AUTHORS[:1], deaths=bool(during), mode="open", rate=rate, count=count) as all_:
        bench.say(f"S7: {rate} alerts a second")
        until("the first alert is stored", lambda: all_.stored() >= 1)
        all_.allow(1)
        due_file = all_.scene.folder / f"{author}.due"
        _kill(all_, during, count / rate)
        until("all are published", due_file.exists, count / rate + START_SECONDS)
        due: dict[str, int] = json.loads(due_file.read_text(encoding="utf-8"))
        found: dict[str, int] = {}

        def arrived() -> bool:
            found.update(_committed(all_.scene))
            bench.turn(len(found), count + 1)
            return len(due.keys() & found.keys()) == count

        until("all are stored", arrived)
    return [(found[name] - at) / 1000 for name, at in sorted(due.items(), key=lambda item: item[1])]


def _kill(all_: Whole, names: Sequence[str], seconds: float) -> None:
    """Kill -9 these processes one after another, spread over the run."""
    for name in names:
        time.sleep(seconds / (len(names) + 1))
        pid = all_.running.pid(name)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


def _committed(scene: Scene) -> Iterator[tuple[str, int]]:
    for address in scene.databases.values():
        with psycopg.connect(address) as connection:
            try:
                rows = connection.execute(COMMITTED).fetchall()
            except psycopg.errors.UndefinedTable:
                continue
        yield from ((str(name), int(str(at))) for name, at in rows)


def until(what: str, ask: Callable[[], object], seconds: float = START_SECONDS) -> None:
    """Wait for an outcome. BenchError that names it where it does not come."""
    deadline = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > deadline:
            raise BenchError(f"Within {seconds:.0f} s it did not happen that {what}.", "--keep FOLDER keeps the logs.")
        time.sleep(0.05)
