"""The real `manara demo`, as a user runs it: its report, two at once, processes killed under it, its own end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.whole import Run, gone, pids, processes_with

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(700)]

ACCEPTED = 308 + 4 + 10
"""Rows of the agencies' files; two alerts with a life, an update, a withdrawal; nine alerts that match, one shared."""
DELIVERIES = 1221 + 16 + 11
MATCHES = 4
PURGED = 5
REASONS = {
    "BAD_SIGNATURE", "UNKNOWN_KEY", "KEY_NOT_VALID", "WRONG_AGENCY", "UNDECODABLE", "NOT_CANONICAL", "TOO_LARGE",
    "SCHEMA_MISMATCH", "STALE_VERSION", "HUB_HEADER_MISMATCH", "RULE_LEGAL_BASIS_MISSING",
}  # fmt: skip
KILLED = ("hub.gate", "hub.route", "edge", "relay.tr-customs")
VARY = {"published", "again", "latency_ms", "seconds", "restarts", "caught_up"}
START, END = 240.0, 400.0
"""Seconds; longer than on an idle machine, since other tests run beside."""

MOST = 300.0
"""Seconds that a whole demo may take beside another one."""
PATIENT = ("--patience", "200")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[Run, Path]]]:
    """Two demos side by side: one whose home is temporary, one with a home, whose processes are killed under it."""
    folder = tmp_path_factory.mktemp("demos")
    plain, shaken, home = folder / "plain.json", folder / "shaken.json", str(folder / "home")
    with (
        Run(folder / "plain", "demo", "--rate", "40", *PATIENT, "--report", str(plain)) as one,
        Run(folder / "shaken", "demo", "--rate", "20", *PATIENT, "--report", str(shaken), "--home", home) as two,
    ):
        _kill_one_after_another(two, folder / "home")
        yield [(one, plain), (two, shaken)]


def _kill_one_after_another(run: Run, home: Path) -> None:
    """While it publishes: each killed, and the next only when the one before is back."""
    run.until(lambda: "published" in run.said, START)
    for name in KILLED:
        before = pids(home)[name]
        assert before is not None
        os.kill(before, signal.SIGKILL)
        run.until(lambda name=name, before=before: pids(home).get(name) not in (None, before), 20)  # type: ignore[misc]


def report_of(run: Run, path: Path) -> dict[str, Any]:
    """The report of a demo that has ended as it should."""
    assert run.wait(END) == 0, run.said
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_a_plain_run_ends_well_with_every_figure(both: list[tuple[Run, Path]]) -> None:
    """The acceptance of the demo, figure by figure, beside another demo."""
    run, path = both[0]
    report = report_of(run, path)
    assert report["accepted"] == ACCEPTED
    assert report["admitted"] == ACCEPTED + 1
    assert report["published"] == ACCEPTED + 1 + report["again"] + sum(report["refused"].values())
    assert report["published"] >= 300
    assert report["refused"].keys() >= REASONS
    assert sum(report["refused"].values()) >= 10
    assert report["again"] >= 1
    assert report["refused_by_broker"] == 1
    assert report["expected_deliveries"] == report["stored"] == DELIVERIES
    assert [report[name] for name in ("missing", "doubled", "leaked")] == [0, 0, 0]
    assert (report["withdrawn"], report["purged"], report["receipts_outstanding"]) == (1, PURGED, 0)
    assert report["content"] == {"before": 2 * PURGED, "after": 0}
    assert [report[f"links_{name}"] for name in ("expected", "found", "false")] == [MATCHES, MATCHES, 0]
    assert (report["links_shared"], report["links_declined"]) == (1, 1)
    assert report["caught_up"]["MA"] > 0
    assert report["kafka"] == {"version": "4.3.1", "brokers": 1}
    assert int(report["postgres"]["version"].split(".")[0]) >= 14
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]
    assert 0 < report["seconds"] < MOST


def test_its_end_shows_the_whole_way_of_one_alert(both: list[tuple[Run, Path]]) -> None:
    """From accepted to stored by every reader, and the verdict on the whole run."""
    run, _ = both[0]
    run.wait(END)
    for stage in ("ACCEPTED", "SENT", "ADMITTED", "ROUTED", "STORED"):
        assert stage in run.said
    assert "would be told NO_LONGER_ADDRESSED: MA" in run.said
    assert "deleted, signed: AE, EG, KZ, MA, TR" in run.said
    assert "every entitled state holds exactly its alerts" in run.said


def test_kill_9_of_gate_route_edge_and_relay_changes_nothing_but_times(both: list[tuple[Run, Path]]) -> None:
    """One after another while it publishes: the same report, and each was started again."""
    plain, shaken = (report_of(run, path) for run, path in both)
    assert {name: plain[name] for name in plain.keys() - VARY} == {name: shaken[name] for name in shaken.keys() - VARY}
    assert plain["published"] - plain["again"] == shaken["published"] - shaken["again"]
    assert set(KILLED) <= shaken["restarts"].keys()


def test_nothing_is_left_of_demos_that_have_ended(both: list[tuple[Run, Path]]) -> None:
    """No process that names their folders, and of the one without --home no folder."""
    for run, _ in both:
        run.wait(END)
        assert processes_with(str(run.temporary.parent.parent)) == []
    assert list(both[0][0].temporary.iterdir()) == []


@pytest.mark.parametrize("how", ["interrupt", "kill"])
def test_a_demo_that_is_ended_in_the_middle_leaves_nothing(tmp_path: Path, how: str) -> None:
    """Ctrl-C ends it quietly with 130; after kill -9 of the demo itself its guards clear up."""
    with Run(tmp_path, "demo", "--rate", "40") as run:
        run.until(lambda: "published" in run.said, START)
        if how == "interrupt":
            run.interrupt()
            assert run.wait(30) == 130
            assert "rror" not in run.said
        else:
            run.kill()
        assert gone(lambda: processes_with(str(run.temporary)), 40) == []
        assert gone(lambda: list(run.temporary.iterdir()), 40) == []
