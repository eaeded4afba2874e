"""The measures that the matchers are judged by, against values computed by hand, and a small run of the whole."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.quality import baselines, datasets, measures, pairs
from tests.quality.__main__ import SECTIONS, app
from tests.quality.report import NOTE
from tests.quality.routes import fold_of

SCORES = [0.9, 0.8, 0.7, 0.6, 0.5]
LABELS = [1, 0, 1, 1, 0]


def test_shares_are_counted_at_a_threshold() -> None:
    """From 0.7 on: three claims, two right, of three wanted."""
    assert measures.at_threshold(SCORES, LABELS, 0.7) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert measures.at_threshold(SCORES, LABELS, 0.95) == (1.0, 0.0, 0.0)


def test_the_best_threshold_is_the_one_of_the_best_f1() -> None:
    """At 0.6: P 3/4, R 1, F1 6/7; of all thresholds that give it the one nearest to 0.7 is taken."""
    assert measures.best_threshold(SCORES, LABELS) == 0.6
    assert measures.best_threshold([0.9, 0.1], [1, 0]) == 0.7


def test_average_precision_adds_a_step_for_every_found_match() -> None:
    """Matches at ranks 1, 3 and 4: (1/1 + 2/3 + 3/4) / 3; equal scores are one step."""
    assert measures.average_precision(SCORES, LABELS) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert measures.average_precision([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0]) == pytest.approx(0.25)


def test_recall_at_a_rate_of_false_positives_lets_no_more_through() -> None:
    """Two false pairs; none may pass: only the match above 0.8 counts. One may: all above 0.5."""
    assert measures.recall_at_false_positives(SCORES, LABELS, 0.01) == pytest.approx(1 / 3)
    assert measures.recall_at_false_positives(SCORES, LABELS, 0.5) == 1.0


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_every_figure_lies_between_0_and_1(rows: list[tuple[float, int]]) -> None:
    """Whatever the scores."""
    scores, labels = [s for s, _ in rows], [label for _, label in rows]
    found = measures.at_threshold(scores, labels, measures.best_threshold(scores, labels))
    area = measures.average_precision(scores, labels)
    assert all(
        0 <= value <= 1 + 1e-9 for value in (*found, area, measures.recall_at_false_positives(scores, labels, 0.1))
    )


def test_groupings_are_held_against_the_truth_by_pairs_and_by_mentions() -> None:
    """Truth {a b c} {d}; made {a b} {c d}: one of two claimed pairs is right, of three wanted."""
    truth = {"a": "1", "b": "1", "c": "1", "d": "2"}
    made = {"a": "x", "b": "x", "c": "y", "d": "y"}
    assert measures.pairwise(truth, made) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    found = measures.b_cubed(truth, made)
    assert found.precision == pytest.approx((1 + 1 + 1 / 2 + 1 / 2) / 4)
    assert found.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)


ORDER = {f"t{number}": number for number in range(10)}
FAN = measures.Attempt("fan_in", frozenset({"t1", "t2", "t3", "t4"}))
LOOP = measures.Attempt("cycle", frozenset({"t6", "t7"}))


def test_alerts_are_held_against_attempts() -> None:
    """One alert that grows and finds the fan, one beside the point: half the alerts right, half the attempts found."""
    alerts = [
        {"typology": "smurfing", "transactions": ["t1", "t2"], "at": "t2"},
        {"typology": "smurfing", "transactions": ["t1", "t2", "t3", "t5"], "at": "t5"},
        {"typology": "fan_out", "transactions": ["t8", "t9", "unknown"], "at": "t9"},
    ]
    worth = measures.on_stream(alerts, [FAN, LOOP], ORDER, {"smurfing": frozenset({"fan_in"})})
    assert worth.alerts == 2
    assert worth.transfer == pytest.approx((3 / 6, 3 / 6, 1 / 2))
    assert worth.attempt == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert worth.typed == 1.0
    assert worth.delay == pytest.approx(2 / 4)
    assert worth.by_typology == {"cycle": (0.0, 1), "fan_in": (1.0, 1)}


def test_an_alert_of_another_typology_does_not_grow_the_first() -> None:
    """Only alerts of one kind are merged."""
    alerts = [{"typology": kind, "transactions": ["t1", "t2"]} for kind in ("fan_in", "cycle", "fan_in")]
    assert [group.typology for group in measures.merged(alerts, ORDER)] == ["fan_in", "cycle"]


def test_no_alert_is_no_false_alarm_and_finds_nothing() -> None:
    """The ends of the scale."""
    worth = measures.on_stream([], [FAN], ORDER, {})
    assert worth.attempt == (1.0, 0.0, 0.0)
    assert worth.delay == 0.0


def test_a_fold_is_judged_at_the_threshold_of_the_others() -> None:
    """Fold y would like 0.3 itself, but the others say more."""
    rows = [
        {"label": label, "stratum": "s", "fold": fold}
        for fold, label in (("x", 1), ("x", 0), ("y", 1), ("y", 0), ("z", 1))
    ]
    found = pairs.folds(pairs.Scored(rows, [0.8, 0.6, 0.5, 0.2, 0.9], 1.0), lambda row: str(row["fold"]))
    judged = found["y"]
    assert judged is not None
    assert judged.threshold == 0.7
    assert (judged.precision, judged.recall) == (1.0, 0.0)
    assert found["z"] is None
    assert pairs.spread(found)["lowest"] == 0.0


def test_the_unsolvable_stratum_is_left_out_of_the_headline() -> None:
    """A nom de guerre is no spelling."""
    rows = [{"label": 1, "stratum": "s"}, {"label": 0, "stratum": "s"}, {"label": 1, "stratum": "alias_unrelated"}]
    assert pairs.headline(pairs.Scored(rows, [0.9, 0.1, 0.0], 1.0)).recall == 1.0


def test_pairs_that_share_a_report_are_in_one_fold() -> None:
    """No fold has seen another's roads."""
    rows = datasets.route_pairs()
    fold = fold_of(rows)
    seen: dict[str, str] = {}
    for row in rows:
        for side in ("a", "b"):
            assert seen.setdefault(json.dumps(row[side], sort_keys=True), fold[row["id"]]) == fold[row["id"]]
    assert len(set(fold.values())) == 10


def test_the_cheap_baselines_do_what_they_say() -> None:
    """Order of words and script do not matter to them, spelling does."""
    a = {"name": "Иван Петров", "aliases": []}
    b = {"name": "PETROV, Ivan", "aliases": ["x"]}
    c = {"name": "Petrow Iwan", "aliases": []}
    assert baselines.exact(a, b) == baselines.token_sort(a, b) == 1.0
    assert baselines.exact(a, c) == 0.0 < baselines.token_sort(a, c) < 1.0
    one = {"waypoints": [{"name": "Varna", "code": "VAR"}, {"name": "Odessa"}]}
    other = {"waypoints": [{"name": "VARNA"}, {"name": "Baku"}]}
    assert baselines.shared_places(one, other) == 0.5


def test_the_development_data_is_whole() -> None:
    """As many rows as its README says, in order of time, every attempt among the transfers."""
    rows, truth = datasets.transfers()
    mentions, persons = datasets.mentions()
    counts = [len(datasets.person_pairs()), len(mentions), len(set(persons.values())), len(datasets.name_part_pairs())]
    counts += [len(datasets.route_pairs()), len(rows), len(truth), len(datasets.identifier_cases())]
    readme = (datasets.DATA / "README.md").read_text("utf-8").replace(",", "")
    assert counts == [13_429, 2_142, 1_398, 5_399, 1_500, 16_149, 223, 484]
    assert all(re.search(rf"\b{count}\b", readme) for count in counts)
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "transfers"])
def test_a_section_is_measured_on_a_sample(section: str, tmp_path: Path) -> None:
    """Tables on the screen, the same figures as JSON in a file, and the warning with both."""
    target = tmp_path / "figures.json"
    result = CliRunner().invoke(app, ["--only", section, "--sample", "150", "--report", str(target)])
    assert result.exit_code == 0, result.output
    assert "Development figures" in result.output
    figures = json.loads(target.read_text("utf-8"))
    assert figures["note"] == NOTE
    assert len(figures["sections"]) == 1
    assert all(math.isfinite(value) for value in _numbers(figures["sections"]))


def _numbers(value: object) -> list[float]:
    """Every number in a JSON value."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in _numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def test_the_detector_is_measured_on_a_sample() -> None:
    """As JSON on the screen: the stream as labelled and two tenfold ones."""
    result = CliRunner().invoke(app, ["--only", "transfers", "--sample", "300", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["sections"]["transfers"]
    assert len(figures) == 3
    assert all(0 <= worth["attempt"]["f1"] <= 1 for worth in figures.values())


def test_an_unknown_section_is_refused_in_words() -> None:
    """Exit code 2 and the names there are."""
    result = CliRunner().invoke(app, ["--only", "horoscopes"])
    assert result.exit_code == 2
    assert "horoscopes" in result.output


def test_a_report_into_no_folder_is_refused_before_the_long_work(tmp_path: Path) -> None:
    """Exit code 2, said at once."""
    result = CliRunner().invoke(app, ["--report", str(tmp_path / "missing" / "figures.json")])
    assert result.exit_code == 2
    assert "no folder" in result.output
