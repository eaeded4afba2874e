"""S8: start, idle, restart, death."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from typing import Final

from manara.bench.alerts import Made
from manara.bench.context import Bench, LogCount
from manara.bench.hub import BATCH_DONE, inlet_items
from manara.bench.measure import family_seconds, memory_bytes
from manara.bench.results import Row
from manara.bench.stand import Scene
from manara.bench.whole import AUTHORS, latencies, until, whole

SERVERS_SECONDS: Final = 15.0
IDLE_MB: Final = 120.0
IDLE_CPU: Final = 1.0
SERVES_SECONDS: Final = 10.0
DELAY_MS: Final = 5_000.0
KILLED: Final = ("hub.gate", "hub.route", "edge")
RATE: Final = 100
SETTLE_SECONDS: Final = 5.0


def s8(bench: Bench) -> list[Row]:
    """Start: seconds until Kafka and PostgreSQL answer, jars cached. Idle: all processes of S6 after one alert, each
    one's resident memory and CPU over 20 s; the worst is shown, all are in the report. Restart: a gate that has judged
    the run's alerts is started again, on its store and on an empty machine, until it has judged one alert more. Death:
    at 100 alerts a second gate, route and edge are killed (kill -9) one after another under the supervisor; the longest
    latency of any alert, as in S7; every alert must arrive."""
    ready = bench.stand.ready_seconds
    rows = [Row("S8", "Kafka and PostgreSQL answer after", ready, "s", most=SERVERS_SECONDS)]
    rows += _idle(bench, 2.0 if bench.quick else 20.0)
    rows += _restarts(bench)
    seconds = 8 if bench.quick else 40
    found = latencies(bench, RATE, RATE * seconds, during=KILLED)
    return [*rows, Row("S8", f"longest delay, {', '.join(KILLED)} killed", max(found), "ms", most=DELAY_MS)]


def _idle(bench: Bench, seconds: float) -> list[Row]:
    """Memory and CPU of every process that has nothing to do."""
    with whole(bench, AUTHORS[:1], mode="open", rate=1, count=1) as all_:
        bench.say("S8: processes without work")
        until("the first alert is stored", lambda: all_.stored() >= 1)
        time.sleep(min(SETTLE_SECONDS, seconds))
        pids = {name: all_.running.pid(name) or 0 for name in all_.names if not name.startswith("agency.")}
        before = {name: family_seconds(pid) for name, pid in pids.items()}
        time.sleep(seconds)
        busy = {name: (family_seconds(pid) - before[name]) / seconds * 100 for name, pid in pids.items()}
        memory = {name: memory_bytes(pid) / 1e6 for name, pid in pids.items()}
    most, fattest = max(busy, key=lambda name: busy[name]), max(memory, key=lambda name: memory[name])
    return [
        Row("S8", f"idle worker, memory: {fattest} has most", memory[fattest], "MB", most=IDLE_MB, more=memory),
        Row("S8", f"idle worker, CPU: {most} has most", busy[most], "% of a core", most=IDLE_CPU, more=busy),
    ]


def _restarts(bench: Bench) -> list[Row]:
    """A gate with its register, started again."""
    made = bench.alerts()
    with bench.scene() as scene:
        bench.topics.fill(inlet_items(scene, made))
        _gate_until(bench, scene, "gate1", len(made))
        # the same alert again is judged "again": it needs its register entry
        again = _serves(bench, scene, "gate1", made[:1])
        shutil.rmtree(scene.folder / "hub.gategate1")
        fresh = _serves(bench, scene, "gate1", made[:1])
    size = f"{len(made):,} register entries"
    return [
        Row("S8", f"gate serves again on its store, {size}", again, "s", most=SERVES_SECONDS),
        Row("S8", f"gate serves on an empty machine, {size}", fresh, "s", most=SERVES_SECONDS),
    ]


def _serves(bench: Bench, scene: Scene, slot: str, one: Sequence[Made]) -> float:
    """Seconds from the start of a gate to its next judgement."""
    bench.topics.fill(inlet_items(scene, one))
    return _gate_until(bench, scene, slot, 1)


def _gate_until(bench: Bench, scene: Scene, slot: str, records: int) -> float:
    count = LogCount(scene.log(slot), *BATCH_DONE)
    before = count()
    began = time.monotonic()
    bench.say(f"S8: gate, {records:,} alerts")
    child = scene.role(slot, scene.config("hub.gate", slot=slot), "hub", "gate", "--slot", slot)
    with scene.running([child], bench.stand.cores.ours) as running:
        bench.samples(running, [slot], lambda: count() - before, records)
        return time.monotonic() - began
