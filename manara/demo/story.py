"""The demo, told once: start a network, let the agencies import their files, misbehave, and compare."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from confluent_kafka import TopicPartition

from manara.demo import inject
from manara.demo.databases import Counts, read_all
from manara.demo.expectations import Delivery, read_expected
from manara.demo.report import Report, compare, failures, percentiles
from manara.demo.screen import Progress, Screen
from manara.demo.verdicts import StatusReader
from manara.deployment import processes
from manara.deployment.home import settings_file
from manara.deployment.network import Network
from manara.errors import InputError, ManaraError
from manara.kafka import Problem, consumer
from manara.settings import Settings
from schemas.topics import Names

LOOK_SECONDS: Final = 0.25


@dataclass(frozen=True)
class Import:
    """One file of one agency and the map that turns its rows into alerts."""

    agency: str
    file: Path
    map: Path
    kind: str
    rows: int


@dataclass
class Options:
    """What the command line chose. `rate` is alerts a second over all agencies."""

    story: Path
    rate: float = 20.0
    patience: float = 90.0


@dataclass
class Outcome:
    """The report, what did not hold, and one alert worth a trace."""

    report: Report
    failures: list[str]
    example: str
    left: list[Delivery] = field(default_factory=list)


def imports(story: Path) -> list[Import]:
    """The files of the story, each beside its map. `InputError` where there is none."""
    expected = Counter((row.agency, row.kind, row.national_ref) for row in read_expected(story / "expected.csv"))
    rows = Counter((agency, kind) for agency, kind, _ in expected)
    found = []
    for path in sorted(story.glob("*/*.map.yaml")):
        stem = path.name.removesuffix(".map.yaml")
        file = next(iter(f for f in sorted(path.parent.glob(f"{stem}.*")) if f != path), None)
        kind = _kind(stem)
        if file is not None:
            found.append(Import(path.parent.name, file, path, kind, rows[path.parent.name, kind]))
    if not found:
        raise InputError(
            f"{story} holds no agency files.", "Run the demo from a clone, or give its folder with --story."
        )
    return found


def _kind(stem: str) -> str:
    return {"routes": "route", "itineraires": "route", "transfers": "transfer"}.get(stem, "person")


class Story:
    """One run over a network that is up."""

    def __init__(self, network: Network, options: Options, screen: Screen) -> None:
        """Nothing is published yet."""
        self._network = network
        self._options = options
        self._screen = screen
        self._operator = Settings.load(settings_file(network.home.operator))
        self._names = Names()
        self._expected = read_expected(options.story / "expected.csv")
        self._files = imports(options.story)

    def tell(self, began: float) -> Outcome:
        """Publish, watch, compare. Raises `ManaraError` where an import fails or time runs out without a cause."""
        network = self._network
        with ExitStack() as stack:
            status = StatusReader(self._operator, [self._names.status(agency) for agency in network.draft.agencies])
            stack.callback(status.close)
            ends = Ends(self._operator, [self._names.inlet(agency) for agency in network.draft.agencies])
            stack.callback(ends.close)
            counts = Counts(network.databases)
            stack.callback(counts.close)
            running = stack.enter_context(Imports(network, self._files, self._options.rate))
            injected = inject.run(network)
            show = stack.enter_context(self._screen.live())
            self._watch(status, ends, counts, running, show)
            return self._compare(status, ends, running, injected, began)

    def _watch(
        self, status: StatusReader, ends: Ends, counts: Counts, running: Imports, show: Callable[[Progress], None]
    ) -> None:
        """Show the table until every database is complete and every verdict is there, or patience ends."""
        expected = Counter(row.member for row in self._expected)
        refusals = inject.expected_refusals()
        began = time.monotonic()
        while time.monotonic() - began < self._options.patience:
            running.check()
            progress = Progress(
                expected=expected,
                stored=counts.read(),
                tally=status.poll(),
                published=ends.read(),
                seconds=time.monotonic() - began,
                restarts=self._network.supervisor.restarts,
            )
            show(progress)
            said = progress.tally
            told = len(said.admitted) > running.accepted and said.refused.total() >= refusals.total() and said.again
            if running.done and progress.complete and told and said.stored >= expected.total():
                return
            time.sleep(LOOK_SECONDS)

    def _compare(
        self, status: StatusReader, ends: Ends, running: Imports, injected: inject.Result, began: float
    ) -> Outcome:
        found, tally = read_all(self._network.databases), status.poll()
        servers = self._network.servers
        report = Report(
            published=ends.read(),
            accepted=running.accepted,
            admitted=len(tally.admitted),
            again=tally.again,
            refused=dict(sorted(tally.refused.items())),
            refused_by_broker=injected.refused_by_broker,
            latency_ms=percentiles(found.seconds),
            kafka={"version": servers.kafka.version, "brokers": 1},
            postgres={"version": servers.postgres.version},
            restarts={name: count for name, count in self._network.supervisor.restarts.items() if count},
            **compare(self._expected, found),
        )
        report.seconds = round(time.monotonic() - began, 1)
        accepted = sum(job.rows for job in self._files)
        example = min((alert_id for digest, alert_id, version in tally.admitted), default="")
        left = list((Counter(self._expected) - found.deliveries).elements())
        return Outcome(report, failures(report, inject.expected_refusals(), accepted), example, left)


class Imports:
    """The agencies' imports, all at once, each at its share of the rate; ends them when left early."""

    def __init__(self, network: Network, files: Sequence[Import], rate: float) -> None:
        """Nothing is started yet."""
        self._network = network
        self._files = files
        self._total = sum(file.rows for file in files)
        self._rate = rate
        self._running: list[tuple[Import, subprocess.Popen[str]]] = []
        self.accepted = 0

    @property
    def done(self) -> bool:
        """Whether every import has ended."""
        return not self._running

    def check(self) -> None:
        """Take in those that have ended. Raises `ManaraError` with the words of one that failed."""
        for job, process in [pair for pair in self._running if pair[1].poll() is not None]:
            out, err = process.communicate()
            self._running.remove((job, process))
            if process.returncode:
                raise ManaraError(
                    f"The import of {job.file.name} by {job.agency} failed: {err.strip()[-800:]}", "See above."
                )
            self.accepted += json.loads(out)["accepted"]

    def __enter__(self) -> Imports:
        for job in self._files:
            config = settings_file(self._network.home.agency(job.agency))
            share = self._rate * job.rows / self._total
            words = ["import", str(job.file), "--kind", job.kind, "--map", str(job.map)]
            argv = processes.command(config, *words, "--send", "--yes", "--json", "--rate", f"{share:.3f}")
            self._running.append((job, _spawn(argv)))
        return self

    def __exit__(self, *_: object) -> None:
        for _job, process in self._running:
            process.terminate()
        for _job, process in self._running:
            process.wait(10)


class Ends:
    """How many messages the broker holds in the agencies' inlets: what it has acknowledged."""

    def __init__(self, settings: Settings, inlets: Sequence[str]) -> None:
        """Connect as the operator, who may see how far topics go, not what they hold."""
        self._inlets = inlets
        self._client = consumer(settings.kafka, problem=Problem(settings.kafka))

    def read(self) -> int:
        """The sum of the end offsets of all inlets."""
        return sum(self._end(inlet, partition) for inlet in self._inlets for partition in (0, 1))

    def _end(self, inlet: str, partition: int) -> int:
        low, high = self._client.get_watermark_offsets(TopicPartition(inlet, partition), timeout=5, cached=False)
        return high - low

    def close(self) -> None:
        """Leave."""
        self._client.close()


def _spawn(argv: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=processes.environment()
    )


def things_to_try(network: Network) -> Iterator[str]:
    """Commands that are worth a look while the network runs."""
    home = network.home
    yield f"manara --config {settings_file(home.operator)} top"
    yield f"manara --config {settings_file(home.operator)} quarantine list"
    yield f"manara --config {settings_file(home.member('AZ'))} feed --since 1h"
    yield f"manara --config {settings_file(home.agency('tr-customs'))} status"
    yield f"manara --config {settings_file(home.agency('tr-customs'))} new route"
