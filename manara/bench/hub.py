"""The hub's stages, each alone on one core: gate (S2, S9, S10) and route (S3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

from manara.bench import alerts
from manara.bench.alerts import Made
from manara.bench.context import Bench, LogCount
from manara.bench.errors import VoidRunError
from manara.bench.measure import Window, window
from manara.bench.results import Row, over, ratio, tells
from manara.bench.stand import Scene
from manara.bench.topics import Item
from schemas import codec, registry
from schemas.directory import lane_of

BATCH_DONE: Final = ("Batch done", "records")
BLOCK: Final = 100
POISON_EVERY: Final = 1_000
GATE: Final = 10_000.0
ROUTE: Final = 50_000.0


def s2(bench: Bench) -> list[Row]:
    """Gate: `manara hub gate` on one core reads signed alerts that six agencies have put into their inlets (LISTED, 3
    readers each) and writes verdicts, register and blocks. Progress is what its log says is acknowledged, so a result
    is an alert whose block and verdict the broker has. Afterwards every admitted item (digest, readers) is compared
    with the reference, and the broker must hold no quarantined message."""
    windows = [run_gate(bench, bench.alerts()) for _ in range(bench.rounds)]
    return [over("S2", "gate: verify, decode, judge, block out", windows, _per_core, "alerts/s a core", least=GATE)]


def s3(bench: Bench) -> list[Row]:
    """Route: `manara hub route` on one core, by both runners in turn, reads blocks of 100 admitted alerts and writes
    each alert into 3 feeds. A result is an alert all of whose copies are in their feeds (the broker's end offsets).
    Afterwards every message of every feed is compared with the reference: no other, none twice."""
    windows: dict[str, list[Window]] = {"faust": [], "loop": []}
    made = bench.alerts()
    for _ in range(bench.rounds):
        for runner, found in windows.items():
            found.append(run_route(bench, made, runner))
    return [
        over("S3", f"route over blocks, 3 feeds an alert: {runner}", found, _per_core, "alerts/s a core", least=ROUTE)
        for runner, found in windows.items()
    ]


def s9(bench: Bench) -> list[Row]:
    """Growth: the gate with 2 lanes and 2 workers against 2 lanes and 1 worker, in turn, by CPU-seconds a million;
    and within the longest run with 1 worker the cost of an alert in the last fifth against the second fifth, while
    the register grows. Outputs are compared as in S2."""
    made = bench.alerts()
    one, two, late, enough = list[Window](), list[Window](), list[float](), True
    for _ in range(bench.rounds):
        with bench.scene(lanes=2) as scene:
            samples = gate_samples(bench, scene, made, workers=1)
            one.append(window(samples, len(made)))
            first, last = (window(samples, len(made), start=s, end=s + 0.2) for s in (0.2, 0.8))
            late.append(last.cpu_million / first.cpu_million if first.cpu_million else 1.0)
            enough = enough and tells([first, last])
        with bench.scene(lanes=2) as scene:
            two.append(window(gate_samples(bench, scene, made, workers=2), len(made)))
    late.sort()
    size = f"register from {len(made) // 5:,} to {len(made):,} entries"
    return [
        ratio("S9", "gate: CPU of 2 workers against 1", two, one, most=1.1, pick=_cpu_million),
        Row("S9", f"gate: cost late against early, {size}", late[len(late) // 2], "times", most=1.2 if enough else None,
            runs=len(late), low=late[0], high=late[-1]),
    ]  # fmt: skip


def s10(bench: Bench) -> list[Row]:
    """Poison: the gate as in S2, with and without one message in 1,000 whose signature does not hold, in turn.
    Afterwards all good alerts must be admitted once, with exactly their readers, and exactly the bad ones quarantined.
    The speed is that of good alerts a CPU-second."""
    made = bench.alerts()
    clean, bad = list[Window](), list[Window]()
    for _ in range(bench.rounds):
        clean.append(run_gate(bench, made))
        bad.append(run_gate(bench, made, every=POISON_EVERY))
    return [ratio("S10", f"gate: speed with one bad alert in {POISON_EVERY:,}", bad, clean, least=0.95)]


# ---------------------------------------------------------------------- one run of the gate


def run_gate(bench: Bench, made: Sequence[Made], *, every: int = 0) -> Window:
    """One run on a scene of its own; `every` so many alerts a bad one stands in between."""
    with bench.scene() as scene:
        samples = gate_samples(bench, scene, made, every=every)
        return window(samples, len(made))


def gate_samples(bench: Bench, scene: Scene, made: Sequence[Made], *, workers: int = 1, every: int = 0) -> list[Any]:
    """Fill the inlets, run the gate, compare what came out."""
    bad = len(made) // every if every else 0
    bench.topics.fill(inlet_items(scene, made, every))
    names = [f"gate{slot}" for slot in range(1, workers + 1)]
    children = [scene.role(name, scene.config("hub.gate", slot=name), "hub", "gate", "--slot", name) for name in names]
    counts = [LogCount(scene.log(name), *BATCH_DONE) for name in names]
    bench.say(f"S2: {workers} gate, {len(made):,} alerts")
    with scene.running(children, bench.stand.cores.ours) as running:
        samples: list[Any] = bench.samples(running, names, lambda: sum(count() for count in counts), len(made) + bad)
    check_admitted(bench, scene, made)
    refused = bench.topics.ends(bench.topics.partitions([scene.names.quarantine]))
    if refused != bad:
        raise VoidRunError(f"{refused} messages are in quarantine, {bad} were bad")
    return samples


def inlet_items(scene: Scene, made: Iterable[Made], every: int = 0) -> Iterator[Item]:
    """The alerts in their authors' inlets, and bad copies in between."""
    for number, one in enumerate(made, 1):
        topic = scene.names.inlet(one.agency)
        yield Item(topic, 0, one.key, one.value, [("sig", one.sig), ("hub", one.hub)])
        if every and not number % every:
            wrong = alerts.poisoned(one)
            yield Item(topic, 0, one.key, one.value, [("sig", wrong.sig), ("hub", one.hub)])


def check_admitted(bench: Bench, scene: Scene, made: Iterable[Made]) -> None:
    """Every alert admitted once, with exactly its readers. VoidRunError."""
    expected = Counter((one.digest, one.members) for one in made)
    found: Counter[tuple[str, tuple[str, ...]]] = Counter()
    schema = registry.by_name("block")
    for message in bench.topics.read([scene.names.admitted]):
        _, body = codec.unframe(message.value() or b"")
        block: Any = codec.decode(schema, body)
        found.update((item["digest"], tuple(item["deliver"])) for item in block["admitted"])
    if found != expected:
        raise VoidRunError(
            f"{(expected - found).total()} alerts were not admitted as they should, "
            f"{(found - expected).total()} as they should not"
        )


# ---------------------------------------------------------------------- one run of route


def run_route(bench: Bench, made: Sequence[Made], runner: str) -> Window:
    """One run on a scene of its own."""
    with bench.scene() as scene, ExitStack() as stack:
        bench.topics.fill(block_items(scene.names.admitted, made, scene.lanes))
        feeds = feed_topics(bench, scene)
        places = bench.topics.partitions(feeds)
        child = scene.role("route", scene.config("hub.route"), "hub", "route", "--runner", runner)
        bench.say(f"S3: route on {runner}, {len(made):,} alerts")
        running = stack.enter_context(scene.running([child], bench.stand.cores.ours))
        copies = sum(len(one.members) for one in made)
        found = bench.measured(running, ["route"], lambda: bench.topics.ends(places) * len(made) // copies, len(made))
        stack.close()
        check_feeds(bench, scene, made)
        return found


def block_items(topic: str, made: Sequence[Made], lanes: int) -> Iterator[Item]:
    """The alerts in blocks of 100, each lane's in its partition, as the gate writes them."""
    waiting: dict[int, list[Any]] = {}
    offsets: Counter[str] = Counter()
    for one in made:
        lane = lane_of(one.agency, lanes)
        items = waiting.setdefault(lane, [])
        items.append(alerts.admitted(one, offsets[one.agency]))
        offsets[one.agency] += 1
        if len(items) == BLOCK:
            yield _block(topic, lane, waiting.pop(lane))
    for lane, items in waiting.items():
        yield _block(topic, lane, items)


def _block(topic: str, lane: int, items: Sequence[Any]) -> Item:
    return Item(topic, lane, b"%d" % lane, alerts.block(lane, items), [])


def feed_topics(bench: Bench, scene: Scene) -> list[str]:
    """The feeds that the benchmark's alerts go to."""
    return [scene.names.feed(member, alerts.KIND) for member in sorted(bench.stand.draft.members)]


def check_feeds(bench: Bench, scene: Scene, made: Iterable[Made]) -> None:
    """Every alert once in each of its readers' feeds, and nothing else anywhere. VoidRunError."""
    expected: Counter[tuple[str, bytes]] = Counter()
    for one in made:
        mark = alerts.fingerprint(one.key, one.value)
        expected.update((scene.names.feed(member, alerts.KIND), mark) for member in one.members)
    found = Counter(
        (str(m.topic()), alerts.fingerprint(m.key() or b"", m.value() or b""))
        for m in bench.topics.read(feed_topics(bench, scene))
    )
    if found != expected:
        missing, more = (expected - found).total(), (found - expected).total()
        raise VoidRunError(f"{missing} deliveries are missing, {more} are too many or in the wrong feed")


def _per_core(window: Window) -> float:
    return window.per_core


def _cpu_million(window: Window) -> float:
    return window.cpu_million
