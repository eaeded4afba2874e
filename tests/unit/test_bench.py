"""The arithmetic and the report of the benchmark: windows, medians, targets, tables, plot. No broker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.bench import alerts, commands, foreign, hub, java
from manara.bench.commands import chosen
from manara.bench.context import PROGRAMS, LogCount
from manara.bench.errors import BenchError, CannotRunError, VoidRunError
from manara.bench.figures import FIGURES
from manara.bench.measure import (
    Meters,
    Sample,
    Window,
    children_of,
    cpu_seconds,
    family_seconds,
    parse_stat,
    watch,
    window,
)
from manara.bench.report import Circumstances, Report, method
from manara.bench.results import Row, number, over, percentile, ratio
from manara.bench.svg import Bar, bars
from manara.embedded.errors import NoNetworkError
from manara.embedded.jars import kafka_version, locked_jars
from manara.errors import InputError
from schemas.signature import SigningKey
from schemas.topics import Names
from tests.support.directories import NOW

MEMBERS = ("AE", "EG", "KZ", "MA", "TR")


def samples(*rows: tuple[float, float, float, int]) -> list[Sample]:
    """Looks at a run."""
    return [Sample(*row) for row in rows]


def test_a_window_leaves_the_warm_up_out() -> None:
    """From the first look with a fifth done to the first with all: imports and compilers before it do not count."""
    run = samples((0, 0, 0, 0), (5, 4, 1, 0), (6, 5, 2, 200), (7, 5.5, 3, 600), (8, 6, 4, 1000), (9, 99, 99, 1000))
    assert window(run, 1000) == Window(800, 2, 1, 2)


def test_a_window_of_a_part_ends_where_it_is_told() -> None:
    """Growth is measured by comparing parts of one run."""
    run = samples((0, 0, 0, 0), (1, 1, 0, 200), (2, 3, 0, 400), (3, 6, 0, 800), (4, 10, 0, 1000))
    assert window(run, 1000, start=0.2, end=0.4) == Window(200, 1, 2, 0)
    assert window(run, 1000, start=0.8, end=1.0) == Window(200, 1, 4, 0)


def test_a_run_between_two_looks_counts_whole() -> None:
    """A quick run may be over before the second look: all of it is taken, not none."""
    assert window(samples((0, 0, 0, 0), (1, 0.5, 0.1, 1000)), 1000) == Window(1000, 1, 0.5, 0.1)


def test_rates_follow_from_a_window() -> None:
    """Alerts a second on the wall, a CPU-second, CPU-seconds a million."""
    found = Window(10_000, 2.0, 1.25, 0.5)
    assert (found.rate, found.per_core, found.cpu_million, found.broker_million) == (5_000, 8_000, 125.0, 50.0)


def test_cpu_time_is_read_past_any_name() -> None:
    """A process may be named `a) b (c`: the fields are counted from the last bracket."""
    fields = " ".join(str(n) for n in range(3, 60))
    tick = os.sysconf("SC_CLK_TCK")
    text = f"77 (a) S 1 2 (c) {fields}"
    assert parse_stat(text) == pytest.approx((14 + 15) / tick)
    assert parse_stat(text, children=True) == pytest.approx((14 + 15 + 16 + 17) / tick)


def test_our_own_cpu_time_grows_with_work() -> None:
    """What /proc says of us is what the process says of itself, within two ticks."""
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert cpu_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.05)
    assert cpu_seconds(2**22 + 1) == 0.0


def test_the_work_of_a_worker_s_own_processes_counts() -> None:
    """An edge verifies in processes of its own: their time is its time, while they live and afterwards."""
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    before = family_seconds(os.getpid())
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in children_of(os.getpid())
        assert family_seconds(os.getpid()) - before > 0.25
        child.communicate(b"\n")
    assert family_seconds(os.getpid()) - before > 0.25


def test_a_run_that_stands_still_ends_with_words() -> None:
    """Nobody waits for ever, and the error says how far it came."""
    meters = Meters(lambda: 0.0, lambda: 0.0, lambda: 7)
    with pytest.raises(BenchError, match=r"7 of 100"):
        watch(meters, 100, patience=0.1)


def test_a_run_is_watched_to_its_goal() -> None:
    """The last sample is the first with all results."""
    counts = iter((0, 40, 100, 500))
    seen: list[int] = []
    found = watch(Meters(lambda: 1.0, lambda: 2.0, lambda: next(counts)), 100, turned=seen.append)
    assert [sample.done for sample in found] == seen == [0, 40, 100]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.sampled_from((0.5, 0.9, 0.99, 0.999, 1.0)))
def test_a_percentile_leaves_its_share_below(values: list[float], share: float) -> None:
    """Law: at least that share is not above it, and with the next lower value that would not hold."""
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-3
    assert sum(value < found for value in values) < share * len(values) + 1e-3


def test_a_percentile_of_nothing_is_an_error() -> None:
    """No values is not zero milliseconds."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_the_median_of_runs_stands_in_the_table_with_its_range() -> None:
    """One slow run among three moves the range, not the figure."""
    row = over("S2", "x", [Window(100, 1, c, 0) for c in (1.0, 2.0, 50.0)], lambda w: w.per_core, "a", least=40)
    assert (row.value, row.low, row.high, row.runs, row.met) == (50.0, 2.0, 100.0, 3, True)
    assert [run["cpu"] for run in row.more["each"]] == [1.0, 2.0, 50.0]


def test_a_run_too_short_to_tell_is_held_against_no_target() -> None:
    """The kernel counts CPU in hundredths of a second: a few of them prove nothing."""
    short, long = [Window(100, 1, 0.02, 0)], [Window(100, 1, 2.0, 0)]
    assert over("S2", "x", short, lambda w: w.per_core, "a", least=1).met is None
    assert ratio("S9", "x", long, short, most=1.1).met is None
    assert ratio("S9", "x", long, long, most=1.1).met is True


def test_a_ratio_compares_runs_of_the_same_round() -> None:
    """A round on a busy machine slows both: the range comes from pairs."""
    ours, theirs = [Window(100, 1, c, 0) for c in (1.0, 4.0)], [Window(100, 1, c, 0) for c in (2.0, 8.0)]
    row = ratio("S4", "x", ours, theirs, least=2.5)
    assert row.value == pytest.approx(2.0)
    assert (row.low, row.high, row.met) == (2.0, 2.0, False)


@pytest.mark.parametrize(
    ("least", "most", "value", "met"),
    [(10, None, 10, True), (10, None, 9.99, False), (None, 5, 5, True), (None, 5, 5.01, False), (None, None, 1, None)],
)
def test_a_target_is_met_or_missed(least: float | None, most: float | None, value: float, met: bool | None) -> None:
    """The bound itself counts as met; where there is no target nothing is claimed."""
    assert Row("S1", "x", value, "u", least, most).met is met


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (99.94, "99.9"), (1.0456, "1.05"), (0, "0.00"), (-250.0, "-250")]
)
def test_figures_have_three_digits_that_count(value: float, text: str) -> None:
    """A reader sees what is known and no more."""
    assert number(value) == text


def report(*, quick: bool = False, load: float = 0.0) -> Report:
    """A report with one row met, one missed and one left out."""
    here = Circumstances("2026-11-24 12:00 UTC", "manara bench", "CPU", 2, 24.0, {"Kafka": "4"}, 1000, 3, quick, load)
    rows = [Row("S2", "gate", 12_000, "alerts/s a core", least=10_000), Row("S3", "route", 1, "alerts/s", least=2)]
    return Report(here, rows, {"S4, Kafka Streams": "no network"}, {"S2": "how"}, {"S5": "void"})


def test_the_report_says_what_was_met_missed_and_left_out() -> None:
    """Method first, figures after, and what did not run with its reason."""
    text = report().markdown()
    assert "| S2 | gate | 12,000 | alerts/s a core |  | >= 10,000 | yes |" in text
    assert "| S3 | route | 1.00 | alerts/s |  | >= 2.00 | NO |" in text
    assert text.index("**S2** how") < text.index("| S2 |")
    assert "S4, Kafka Streams was not run: no network" in text
    assert "**S5 failed**: void" in text
    assert "LOAD" not in text


def test_a_quick_report_claims_no_target() -> None:
    """Its figures are worth nothing, so none is called reached."""
    text = report(quick=True).markdown()
    assert "QUICK" in text
    assert "| S2 | gate | 12,000 | alerts/s a core |  |  |  |" in text


def test_a_report_from_a_busy_machine_says_so() -> None:
    """Everywhere: in the table's head and in the document."""
    made = report(load=3.5)
    assert "LOAD: the machine had other work (3.5 processes" in made.markdown()
    document = json.loads(made.as_json())
    assert document["busy"] is True
    assert [row["met"] for row in document["figures"]] == [True, False]


def test_every_figure_has_its_method() -> None:
    """S1 to S10, search and correlation are all there, and each docstring says how it is measured and compared."""
    assert list(FIGURES)[:10] == [f"S{n}" for n in range(1, 11)]
    assert {"SEARCH", "CORRELATE"} <= FIGURES.keys()
    for name, figure in FIGURES.items():
        assert len(method(figure)) > 150, name
        assert "\n" not in method(figure)


def test_figures_are_chosen_in_their_order() -> None:
    """`--only s4,S2` is S2 and S4; an unknown one is refused with the list."""
    assert chosen(" s4, S2") == ["S2", "S4"]
    assert chosen("") == list(FIGURES)
    with pytest.raises(InputError, match="S11"):
        chosen("S2,S11")


def test_the_plot_is_xml_with_bars_in_proportion() -> None:
    """Twice the value is twice the bar; a name with a bracket or quote breaks nothing."""
    text = bars('a <"title">', "unit", [Bar("we <", 200.0, ours=True), Bar("they's", 100.0, ours=False)])
    root = ET.fromstring(text)
    long, short = (float(rect.attrib["width"]) for rect in root.iter("{http://www.w3.org/2000/svg}rect"))
    assert long == pytest.approx(2 * short)
    assert re.findall(r">(\d+)</text>", text) == ["200", "100"]


def test_progress_is_summed_from_the_log_as_it_grows(tmp_path: Path) -> None:
    """Other events do not count, nor does half a line before its other half is there."""
    path = tmp_path / "log"
    count = LogCount(path, "Batch done", "records")
    assert count() == 0
    path.write_text('{"event":"Batch done","records":3}\n{"event":"Other","why":"Batch done"}\nnoise\n{"event":"Bat')
    assert count() == 3
    with path.open("a") as file:
        file.write('ch done","records":4}\n')
    assert count() == 7


def made(count: int = 40) -> list[alerts.Made]:
    """Alerts of one agency."""
    return alerts.write(alerts.Order("az-police", SigningKey.generate().seed, count, 3, MEMBERS, NOW))


def test_benchmark_alerts_have_the_size_that_is_claimed() -> None:
    """600 to 700 bytes in the mean, three readers each, and every digest chained."""
    found = made(200)
    assert 600 <= sum(len(one.value) for one in found) / len(found) <= 700
    assert all(len(one.members) == 3 and list(one.members) == sorted(one.members) for one in found)
    assert len({one.digest for one in found}) == len({one.alert_id for one in found}) == 200


class Message:
    """A Kafka message as the comparison reads it."""

    def __init__(self, topic: str, key: bytes, value: bytes) -> None:
        self._topic, self._key, self._value = topic, key, value

    def topic(self) -> str:
        """Its topic."""
        return self._topic

    def key(self) -> bytes:
        """Its key."""
        return self._key

    def value(self) -> bytes:
        """Its value."""
        return self._value


class Written:
    """Topics that hold what a test says."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages

    def read(self, _topics: Any) -> Iterator[Any]:
        """All of it."""
        return iter(self.messages)


class Stage:
    """As much of a bench and its scene as the comparisons touch."""

    def __init__(self, messages: list[Message]) -> None:
        self.topics = Written(messages)
        self.names = Names("b1.")
        self.stand = self
        self.draft = self
        self.members = MEMBERS


def admitted(found: list[alerts.Made]) -> list[Message]:
    """Blocks as the gate writes them."""
    return [Message(*item[:1], item.key or b"", item.value) for item in hub.block_items("admitted", found, 1)]


def delivered(found: list[alerts.Made]) -> list[Message]:
    """Feeds as route writes them."""
    return [Message(f"b1.feeds.v1.{m.lower()}.person", one.key, one.value) for one in found for m in one.members]


def test_what_is_right_is_not_void() -> None:
    """Blocks and feeds that are as they must be pass."""
    found = made()
    right: Any = Stage(admitted(found))
    hub.check_admitted(right, right, found)
    right = Stage(delivered(found))
    hub.check_feeds(right, right, found)


@pytest.mark.parametrize("doctored", ["lost", "doubled", "reader"])
def test_a_gate_that_admits_wrongly_makes_the_run_void(doctored: str) -> None:
    """One alert lost, one twice, one with another reader: each is found."""
    found = made()
    wrong = {
        "lost": found[:-1],
        "doubled": [*found, found[0]],
        "reader": [found[0]._replace(members=(*found[0].members[:2], "XX")), *found[1:]],
    }[doctored]
    stage: Any = Stage(admitted(wrong))
    with pytest.raises(VoidRunError):
        hub.check_admitted(stage, stage, found)


@pytest.mark.parametrize("doctored", ["lost", "doubled", "stranger", "changed"])
def test_a_route_that_delivers_wrongly_makes_the_run_void(doctored: str) -> None:
    """One copy lost, doubled, in a feed of somebody else, or with one byte changed: each is found."""
    found = made()
    copies = delivered(found)
    first = copies[0]
    flipped = bytes([first.value()[0] ^ 1]) + first.value()[1:]
    stranger = next(m for m in MEMBERS if m not in found[0].members)
    wrong = {
        "lost": copies[1:],
        "doubled": [*copies, first],
        "stranger": [Message(f"b1.feeds.v1.{stranger.lower()}.person", first.key(), first.value()), *copies[1:]],
        "changed": [
            Message(first.topic(), first.key(), flipped),
            *copies[1:],
        ],
    }[doctored]
    stage: Any = Stage(wrong)
    with pytest.raises(VoidRunError):
        hub.check_feeds(stage, stage, found)


def test_without_jars_and_network_kafka_streams_is_left_out_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No Java part can run, and the reason says what to do; it is not a failure of the benchmark."""

    def offline(*_: object) -> None:
        raise NoNetworkError("no network answers.", "Connect it.")

    monkeypatch.setattr(java, "ensure_jars", offline)
    with pytest.raises(CannotRunError, match="no network answers") as caught:
        java.compiled(tmp_path / "X.java", tmp_path / "lock", tmp_path)
    assert caught.value.remedy == "Connect it."


def test_without_a_package_index_quix_is_left_out_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A lock that cannot be fulfilled leaves nothing that the next run would take for an environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(foreign, "_run", refuse)
    lock = tmp_path / "lock"
    lock.write_text("nothing==1\n")
    for _ in range(2):
        with pytest.raises(CannotRunError, match="for quix cannot be made"):
            foreign.environment_of(lock, "quix")


def refuse(command: list[str], name: str) -> None:
    """An installer without an index."""
    raise foreign._cannot(name, "no index")


def test_the_locks_name_digests_and_no_place() -> None:
    """Whatever is fetched for a benchmark is held to its SHA-256; where it comes from is the installer's setting."""
    text = (PROGRAMS / "quix.requirements.lock").read_text()
    pinned = re.findall(r"^[A-Za-z0-9._-]+==[^ ]+( ;.*)? \\$", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) > 20
    assert "://" not in text
    jars = locked_jars(PROGRAMS / "java.lock")
    assert {"kafka-streams", "ecj", "bcprov-jdk18on"} <= {jar.artifact for jar in jars}
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jars)
    streams = next(jar for jar in jars if jar.artifact == "kafka-streams")
    assert streams.version == kafka_version()


class Screenless:
    """A bench that runs nothing."""

    missing: ClassVar[dict[str, str]] = {}


@pytest.mark.parametrize(("error", "where"), [(CannotRunError("a", "b"), "left_out"), (VoidRunError("a"), "failed")])
def test_a_figure_that_cannot_run_is_left_out_and_a_wrong_one_has_failed(
    error: BenchError, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is the machine's fault and the others go on; the second ends the command with exit code 1."""

    def figure(_bench: object) -> list[Row]:
        raise error

    monkeypatch.setattr(commands, "FIGURES", {"S2": figure})
    made, bench = report(), cast("Any", Screenless())
    made.failed.clear()
    made.left_out.clear()
    commands._run("S2", bench, made)
    assert list(getattr(made, where)) == ["S2"]
    assert len(made.left_out) + len(made.failed) == 1
