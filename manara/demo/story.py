"""The demo, told once: let the agencies of a running network import their files and misbehave, watch, update and
withdraw, and compare.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException, TopicPartition

from manara.demo import inject, outboxes
from manara.demo.away import Away
from manara.demo.databases import Counts, read_all
from manara.demo.expectations import read_expected
from manara.demo.imports import Imports, files
from manara.demo.life import Life, outstanding
from manara.demo.matches import Matches
from manara.demo.misbehaviour import AGENCY
from manara.demo.outboxes import Example
from manara.demo.report import Report, Wanted, compare, failures, latencies, life, percentiles
from manara.demo.screen import Progress, Screen
from manara.demo.verdicts import StatusReader
from manara.deployment.home import settings_file
from manara.deployment.network import Network
from manara.errors import ManaraError
from manara.kafka import Problem, consumer, words
from manara.settings import Settings
from schemas.topics import Names

AWAY: Final = "MA"
"""The state whose edge is switched off while the agencies import."""
LOOK_SECONDS: Final = 0.25
ANSWER_SECONDS: Final = 10
QUIET_SECONDS: Final = 1.0
"""Nothing may come for so long after all has come: what is doubled or leaked would come late."""
EXAMPLE_SECONDS: Final = 5.0


@dataclass
class Options:
    """What the command line chose. `rate` is alerts a second over all agencies, `patience` seconds."""

    story: Path
    rate: float = 20.0
    patience: float = 90.0


@dataclass
class Outcome:
    """The report, what did not hold, and one alert worth a trace."""

    report: Report
    failures: list[str]
    example: Example | None


@dataclass
class Done:
    """What was done on the way, and how many receipts were still owed at the end."""

    running: Imports
    injected: inject.Result
    away: Away
    lived: Life
    matches: Matches
    owed: int


class Story:
    """One run over a network that is up."""

    def __init__(self, network: Network, options: Options, screen: Screen) -> None:
        """Nothing is published yet."""
        self._network = network
        self._options = options
        self._screen = screen
        self._expected = read_expected(options.story / "expected.csv")
        self._files = files(options.story)
        self._refusals = inject.expected_refusals()
        self._agencies = [network.home.agency(agency) for agency in network.draft.agencies]

    def tell(self, began: float) -> Outcome:
        """Publish, watch, compare. Raises `ManaraError` where an import fails or a process does not come up."""
        network, names = self._network, Names()
        operator = Settings.load(settings_file(network.home.operator))
        with ExitStack() as stack:
            status = StatusReader(operator, [names.status(agency) for agency in network.draft.agencies])
            stack.callback(status.close)
            ends = Ends(operator, [names.inlet(agency) for agency in network.draft.agencies])
            stack.callback(ends.close)
            counts = Counts(network.databases)
            stack.callback(counts.close)
            injector = inject.Injector(network.home)
            injector.begin()
            self._await_first(counts)
            away = Away(network, AWAY)
            away.switch_off(counts.read)
            running = stack.enter_context(Imports(network.home, self._files, self._options.rate))
            injector.misbehave()
            with self._screen.live() as show:
                self._watch(status, ends, counts, running, away, show)
            lived = Life(network, self._options.story, self._screen, counts, self._options.patience)
            lived.tell()
            matches = Matches(network, self._options.story, self._screen, counts, self._options.patience)
            matches.tell()
            owed = self._settle(status, ends, counts)
            return self._compare(status, ends, Done(running, injector.result, away, lived, matches, owed), began)

    def _await_first(self, counts: Counts) -> None:
        """Wait until the first alert lies in every database that it is for, and every relay has reached the broker.

        From then on what is measured is the network, not its start.
        """
        self._screen.steps.say("First alert, all the way to the databases")
        deadline = time.monotonic() + self._options.patience
        while missing := self._not_there(counts):
            self._network.look()
            if time.monotonic() > deadline:
                raise ManaraError(
                    f"After {self._options.patience:.0f} s the network is not at work: {'; '.join(missing)}.",
                    f"Look at {self._network.home.logs}; --home FOLDER keeps the logs of a demo.",
                )
            time.sleep(LOOK_SECONDS)
        self._screen.steps.say("")

    def _not_there(self, counts: Counts) -> list[str]:
        """What is still waited for, in words."""
        stored = counts.read()
        readers = sorted({row.member for row in self._expected if row.agency == AGENCY and not stored[row.member]})
        folders = {self._network.home.agency(file.agency) for file in self._files}
        senders = sorted(folder.name for folder in folders if not outboxes.connected(folder))
        said = {"the first alert has not reached": readers, "no broker has been reached by": senders}
        return [f"{words} {', '.join(names)}" for words, names in said.items() if names]

    def _watch(
        self,
        status: StatusReader,
        ends: Ends,
        counts: Counts,
        running: Imports,
        away: Away,
        show: Callable[[Progress], None],
    ) -> None:
        """Show the table until all has come, or patience ends. Whoever was away comes back when half is admitted."""
        began, half = time.monotonic(), sum(file.rows for file in self._files) / 2
        while (now := time.monotonic()) - began < self._options.patience:
            self._network.look()
            running.check()
            progress = self._progress(status, ends, counts, now - began)
            show(progress)
            if away.off and (running.done or len(progress.tally.admitted) > half):
                away.switch_on(counts.read())
            elif running.done and self._all_told(progress, running.accepted):
                return
            time.sleep(LOOK_SECONDS)

    def _progress(self, status: StatusReader, ends: Ends, counts: Counts, seconds: float) -> Progress:
        return Progress(
            expected=Counter(row.member for row in self._expected),
            stored=counts.read(),
            tally=status.poll(),
            names={code: member.name for code, member in self._network.draft.members.items()},
            published=ends.read(),
            seconds=seconds,
            restarts=self._network.supervisor.restarts,
        )

    def _settle(self, status: StatusReader, ends: Ends, counts: Counts) -> int:
        """Wait until nothing more comes and no receipt is outstanding, or patience ends; how many still are."""
        self._screen.steps.say("Every agency asked what members still owe it")
        deadline, asked = time.monotonic() + self._options.patience, list(self._agencies)
        while True:
            before, since = self._progress(status, ends, counts, 0).figures, time.monotonic()
            owed = outstanding(asked)
            asked = list(owed)  # to whom nobody owes anything any more, nobody will
            time.sleep(max(0.0, since + QUIET_SECONDS - time.monotonic()))
            quiet = self._progress(status, ends, counts, 0).figures == before
            if (quiet and not owed) or time.monotonic() > deadline:
                self._screen.steps.say("")
                return sum(owed.values())

    def _all_told(self, progress: Progress, accepted: int) -> bool:
        """Whether databases, verdicts and receipts are complete, as far as counts can say it."""
        said = progress.tally
        return (
            progress.complete
            and len(said.admitted) > accepted
            and said.refused.total() >= sum(self._refusals.values())
            and said.again > 0
            and said.stored >= len(self._expected)
        )

    def _compare(self, status: StatusReader, ends: Ends, done: Done, began: float) -> Outcome:
        network, expected = self._network, [*self._expected, *done.lived.expected, *done.matches.expected]
        found = read_all(network.databases, outboxes.references(self._agencies))
        done.matches.judge()
        tally = status.poll()
        withdrawn, purged = life(expected)
        rows = sum(file.rows for file in self._files)
        report = Report(
            published=ends.read(),
            accepted=done.running.accepted + done.lived.result.messages + done.matches.result.messages,
            admitted=len(tally.admitted),
            again=tally.again,
            refused=dict(sorted(tally.refused.items())),
            refused_by_broker=done.injected.refused_by_broker,
            caught_up=done.away.caught_up(found.committed),
            withdrawn=done.lived.result.withdrawn,
            purged=done.lived.result.purged,
            content=done.lived.result.content,
            receipts_outstanding=done.owed,
            links_expected=done.matches.result.expected,
            links_found=done.matches.result.found,
            links_false=done.matches.result.false,
            links_shared=done.matches.result.shared,
            links_declined=done.matches.result.declined,
            latency_ms=percentiles(latencies(found, outboxes.accepted(self._agencies), done.away.members)),
            kafka={"version": network.servers.kafka.version, "brokers": 1},
            postgres={"version": network.servers.postgres.version},
            restarts={name: count for name, count in network.supervisor.restarts.items() if count},
            **compare(expected, found),
        )
        report.seconds = round(time.monotonic() - began, 1)
        wanted = Wanted(
            self._refusals,
            rows + done.lived.messages + done.matches.messages,
            withdrawn,
            purged,
            done.away.members,
            *done.matches.wanted,
        )
        return Outcome(report, failures(report, wanted), self._example())

    def _example(self) -> Example | None:
        """An alert worth a trace, as soon as its author's relay has brought back all that was said about one."""
        deadline = time.monotonic() + EXAMPLE_SECONDS
        while (found := outboxes.example(self._agencies)) is None and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        return found


class Ends:
    """How many messages the broker holds in the agencies' inlets: what it has acknowledged."""

    def __init__(self, settings: Settings, inlets: Sequence[str]) -> None:
        """Connect as the operator, who may see how far topics go, not what they hold."""
        self._inlets = inlets
        self._kafka = settings.kafka
        self._problem = Problem(settings.kafka)
        self._client = consumer(settings.kafka, problem=self._problem)

    def read(self) -> int:
        """The sum of the end offsets of all inlets."""
        return sum(self._end(inlet, partition) for inlet in self._inlets for partition in (0, 1))

    def _end(self, inlet: str, partition: int) -> int:
        place = TopicPartition(inlet, partition)
        try:
            low, high = self._client.get_watermark_offsets(place, timeout=ANSWER_SECONDS, cached=False)
        except KafkaException as error:
            self._problem.raise_if_fatal()
            raise words(error.args[0], self._kafka, what=inlet) from error
        return high - low

    def close(self) -> None:
        """Leave."""
        self._client.close()
