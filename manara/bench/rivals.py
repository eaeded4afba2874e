"""S4: the same job in every system, side by side on the same broker, records, settings and core."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from manara.bench import alerts, foreign, java
from manara.bench.alerts import Made
from manara.bench.context import PROGRAMS, READERS, Bench
from manara.bench.errors import CannotRunError, VoidRunError
from manara.bench.hub import block_items
from manara.bench.measure import WARM_UP, Window, window
from manara.bench.results import Row, over, ratio
from manara.bench.stand import ADMIN
from manara.bench.topics import Item
from manara.deployment.processes import environment
from manara.embedded.files import write_private
from manara.supervisor import Child
from schemas import registry

PARTITIONS: Final = 4
SINGLES, BLOCKS = "s4.singles", "s4.blocks"
STREAMS_FLAGS: Final = ("-Xmx512m",)
"""The least that a variant may be below ours, by CPU (targets of S4)."""
LEAST: Final[Mapping[str, float]] = {
    "Kafka Streams, JDK's Ed25519": 6.0,
    "Kafka Streams, BouncyCastle": 2.0,
    "stock Faust, record by record": 7.0,
    "Quix Streams": 1.4,
}
ROUTED: Final = "verify and route to 3"
JIT: Final = 0.5
"""Of a JVM's run the first half is discarded: its compilers are at work then."""
SLOW: Final = 4
"""Systems that verify slowly get a quarter of the alerts, else one run of theirs takes minutes."""


@dataclass(frozen=True)
class System:
    """One variant: its name, how it is started with a private settings file, what it reads, its share of the alerts."""

    name: str
    argv: Callable[[Path], tuple[str, ...]]
    source: str = SINGLES
    divide: int = 1
    ed25519: str = ""  # of Kafka Streams, which has properties instead of JSON

    @property
    def ours(self) -> bool:
        """Whether it is our engine."""
        return self.name.endswith("(ours)")


def s4(bench: Bench) -> list[Row]:
    """Verify the author's signature, read the header with the audience, route to 3 feeds: by our loop over single
    messages, our Faust runner over blocks of 100 (as every stage behind the gate gets them), stock Faust, Quix Streams
    and Kafka Streams (JDK's Ed25519; BouncyCastle's), in turn on one core. Same broker over TLS, same alerts, acks=all,
    idempotent (stock Faust cannot), zstd, linger 5 ms, batches of 256 KiB, commits once a second; Python systems run
    the same verifying and decoding code. Those that verify slowly get a quarter of the alerts; of a JVM's run the
    first half is discarded, of the others' the first fifth. Then the same systems pass
    every alert through to one topic. Progress is the broker's end offsets; every output is compared. The comparison
    with Kafka Streams is one of cryptography more than of engines."""
    made = bench.alerts()
    bench.topics.make({SINGLES: PARTITIONS, BLOCKS: PARTITIONS})
    bench.topics.fill(_singles(made))
    bench.topics.fill(block_items(BLOCKS, made, PARTITIONS))
    systems = list(_systems(bench))
    found: dict[tuple[str, str], list[Window]] = {}
    for _ in range(bench.rounds):
        for job in ("route",) if bench.quick else ("route", "pass"):
            for system in systems:
                if job == "pass" and system.ed25519 == "bouncycastle":
                    continue  # the same program as with the JDK's: nothing is verified
                measured = _run(bench, system, job, made)
                found.setdefault((job, system.name), []).append(measured)
    return list(_rows(found))


def _rows(found: Mapping[tuple[str, str], Sequence[Window]]) -> Iterator[Row]:
    for (job, name), windows in found.items():
        what = ROUTED if job == "route" else "pass through"
        yield over("S4", f"{what}: {name}", windows, lambda w: w.per_core, "alerts/s a core")
    ours = {name: w for (job, name), w in found.items() if job == "route" and name.endswith("(ours)")}
    if not ours:
        return
    best = max(ours, key=lambda name: sorted(w.per_core for w in ours[name])[len(ours[name]) // 2])
    for name, least in LEAST.items():
        if ("route", name) in found:
            yield ratio("S4", f"{best} against {name}", ours[best], found["route", name], least=least)


def _singles(made: Sequence[Made]) -> Iterator[Item]:
    for number, one in enumerate(made):
        yield Item(SINGLES, number % PARTITIONS, one.key, one.value, [("sig", one.sig), ("hub", one.hub)])


def _systems(bench: Bench) -> Iterator[System]:
    """Those that this machine can run; what is missing is noted with its reason."""
    if not PROGRAMS.is_dir():
        raise CannotRunError("The programs of the other systems are not here.", "Run it in a clone of the repository.")
    yield System("loop over single alerts (ours)", lambda given: _python("tests.bench.ours", str(given), "loop"))
    yield System("Faust over blocks (ours)", lambda given: _python("tests.bench.ours", str(given), "faust"), BLOCKS)
    yield System(
        "stock Faust, record by record", lambda given: _python("tests.bench.stock_faust", str(given)), divide=SLOW
    )
    try:
        bench.say("S4: an environment for Quix Streams")
        quix = str(foreign.environment_of(PROGRAMS / "quix.requirements.lock", "quix"))
        yield System("Quix Streams", lambda given: (quix, "-m", "tests.bench.quix", str(given)))
    except CannotRunError as error:
        bench.missing["Quix Streams"] = f"{error.message} {error.remedy}"
    try:
        bench.say("S4: compiling the topology for Kafka Streams")
        folder = bench.stand.home.root / "java"
        start = java.compiled(PROGRAMS / "KafkaStreamsJob.java", PROGRAMS / "java.lock", folder)
    except CannotRunError as error:
        bench.missing["Kafka Streams"] = f"{error.message} {error.remedy}"
        return
    argv = partial(_streams, start)
    yield System("Kafka Streams, JDK's Ed25519", argv, divide=SLOW, ed25519="jdk")
    yield System("Kafka Streams, BouncyCastle", argv, divide=SLOW, ed25519="bouncycastle")


def _python(module: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *words)


def _streams(start: Sequence[str], given: Path) -> tuple[str, ...]:
    return (start[0], *STREAMS_FLAGS, *start[1:], "KafkaStreamsJob", str(given))


def _run(bench: Bench, system: System, job: str, made: Sequence[Made]) -> Window:
    """One run: topics of its own, the system on one core, outputs compared."""
    name, goal = f"s4.o{time.monotonic_ns()}", len(made) // system.divide
    members = ["all"] if job == "pass" else sorted(bench.stand.draft.members)
    sinks = [f"{name}.{member}" for member in members]
    bench.topics.make(dict.fromkeys(sinks, PARTITIONS))
    folder = bench.stand.home.root / "rivals" / name
    folder.mkdir(mode=0o700, parents=True)
    given = _settings(bench, system, job, folder, name)
    root = str(PROGRAMS.parents[1])
    child = Child("rival", system.argv(given), {**environment(), "PYTHONPATH": root}, folder / "rival.log")
    places, copies = bench.topics.partitions(sinks), 1 if job == "pass" else READERS
    bench.say(f"S4: {job}, {system.name}")
    scene = bench.stand.bare(folder)
    with scene.running([child], bench.stand.cores.ours) as running:
        samples = bench.samples(running, ["rival"], lambda: bench.topics.ends(places) // copies, goal)
    _compare(bench, system, job, sinks, made, goal)
    bench.topics.delete(f"{name}.")
    return window(samples, goal, start=JIT if system.ed25519 else WARM_UP)


def _settings(bench: Bench, system: System, job: str, folder: Path, name: str) -> Path:
    client = {key: str(value) for key, value in bench.stand.kafka_settings(ADMIN).librdkafka().items()}
    keys = {bench.stand.keys[a].kid.hex(): bench.stand.keys[a].public.hex() for a in bench.stand.draft.agencies}
    said = {"job": job, "source": system.source, "sink": name, "group": name, "folder": str(folder / "state")}
    path = folder / "given"
    (folder / "state").mkdir()
    if not system.ed25519:
        write_private(path, json.dumps({**said, "client": client, "keys": keys}).encode())
        return path
    schema = folder / "hub.avsc"
    schema.write_text(json.dumps(registry.by_name("hub").parsed), encoding="utf-8")
    lines = said | {"ed25519": system.ed25519, "hub.schema": str(schema)} | _java_client(client)
    lines |= {f"key.{kid}": public for kid, public in keys.items()}
    write_private(path, "".join(f"{key}={value}\n" for key, value in lines.items()).encode())
    return path


def _java_client(client: Mapping[str, str]) -> dict[str, str]:
    login = f'username="{client["sasl.username"]}" password="{client["sasl.password"]}"'
    found = {
        "bootstrap.servers": client["bootstrap.servers"],
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": client["sasl.mechanism"],
        "sasl.jaas.config": f"org.apache.kafka.common.security.scram.ScramLoginModule required {login};",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": client["ssl.ca.location"],
        "producer.acks": "all",
        "producer.enable.idempotence": "true",
        "producer.compression.type": "zstd",
        "producer.linger.ms": "5",
        "producer.batch.size": "262144",
        "consumer.auto.offset.reset": "earliest",
        "consumer.session.timeout.ms": "10000",
    }
    return {f"client.{name}": value for name, value in found.items()}


def _compare(bench: Bench, system: System, job: str, sinks: Sequence[str], made: Sequence[Made], goal: int) -> None:
    """Every alert where it must be, once. A system that is given more than it must do may have done any part of it, but
    `goal` alerts at least, and nothing else. VoidRunError."""
    prefix = sinks[0].rpartition(".")[0]
    expected = set[tuple[str, bytes]]()
    for one in made:
        mark = alerts.fingerprint(one.key, one.value)
        expected |= {(f"{prefix}.{member}", mark) for member in (("all",) if job == "pass" else one.members)}
    found = Counter(
        (str(message.topic()), alerts.fingerprint(message.key() or b"", message.value() or b""))
        for message in bench.topics.read(sinks)
    )
    due = len(expected) if goal == len(made) else goal * (1 if job == "pass" else READERS)
    missing, wrong = max(0, due - len(found.keys() & expected)), len(found.keys() - expected)
    twice = sum(count > 1 for count in found.values())
    if missing or wrong or twice:
        raise VoidRunError(
            f"{system.name} ({job}): {missing} copies are missing, {wrong} are in a wrong feed, {twice} came twice"
        )
