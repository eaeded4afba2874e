"""The demo's report can fail: each figure, doctored, is caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.demo.expectations import Delivery
from manara.demo.report import Found, Report, compare, failures, latencies, percentiles

ONE, OTHER = Delivery("az-police", "P-1", "person", "EG"), Delivery("az-police", "P-1", "person", "TR")
LEAK = Delivery("az-police", "P-2", "person", "KZ")
REFUSED = {"BAD_SIGNATURE": 1, "TOO_LARGE": 1}
GOOD = Report(
    published=14,
    accepted=10,
    admitted=11,
    again=1,
    refused=dict(REFUSED),
    refused_by_broker=1,
    expected_deliveries=40,
    stored=40,
)


def found(*deliveries: Delivery, effects: int = 1) -> Found:
    """Databases that hold these deliveries, each written so often."""
    written = Counter({(each.member, each.agency, each.national_ref, 1): effects for each in deliveries})
    return Found(Counter(deliveries), written)


def test_databases_as_expected_give_no_difference() -> None:
    """All there, each once."""
    figures = compare([ONE, OTHER], found(ONE, OTHER))
    assert figures == {"expected_deliveries": 2, "stored": 2, "missing": 0, "leaked": 0, "doubled": 0}


@pytest.mark.parametrize(
    ("held", "figure", "count"),
    [
        (found(ONE), "missing", 1),
        (found(), "missing", 2),
        (found(ONE, OTHER, LEAK), "leaked", 1),
        (found(ONE, OTHER, OTHER), "leaked", 1),
        (found(ONE, OTHER, effects=3), "doubled", 4),
    ],
)
def test_a_database_that_differs_is_counted(held: Found, figure: str, count: int) -> None:
    """Missing, leaked, doubled, each by itself."""
    figures = compare([ONE, OTHER], held)
    assert figures[figure] == count
    assert sum(figures[name] for name in ("missing", "leaked", "doubled")) == count


def test_a_leak_does_not_hide_what_is_missing() -> None:
    """One delivery at the wrong member is both."""
    figures = compare([ONE, OTHER], found(ONE, LEAK))
    assert (figures["missing"], figures["leaked"], figures["stored"]) == (1, 1, 2)


def test_a_report_in_which_all_is_well_has_no_failures() -> None:
    """The base of the doctored ones."""
    assert failures(GOOD, REFUSED, 10) == []


DOCTORED: dict[str, Callable[[Report], Report]] = {
    "missing": lambda good: replace(good, missing=1),
    "doubled": lambda good: replace(good, doubled=1),
    "leaked": lambda good: replace(good, leaked=1),
    "stored": lambda good: replace(good, stored=39),
    "accepted": lambda good: replace(good, accepted=9),
    "admitted": lambda good: replace(good, admitted=10, published=13),
    "again": lambda good: replace(good, again=0, published=13),
    "broker": lambda good: replace(good, refused_by_broker=0),
    "verdicts": lambda good: replace(good, published=15),
    "BAD_SIGNATURE": lambda good: replace(good, refused={"TOO_LARGE": 1}, published=13),
    "TOO_LARGE": lambda good: replace(good, refused={"BAD_SIGNATURE": 1, "TOO_LARGE": 2}, published=15),
    "MALFORMED": lambda good: replace(good, refused={**REFUSED, "MALFORMED": 1}, published=15),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_every_doctored_figure_is_said(name: str) -> None:
    """Exactly one sentence, and it names the figure."""
    (sentence,) = failures(DOCTORED[name](GOOD), REFUSED, 10)
    assert name in sentence


def test_a_reason_in_another_ones_place_is_said_twice() -> None:
    """The total is right, the reasons are not."""
    swapped = replace(GOOD, refused={"BAD_SIGNATURE": 1, "MALFORMED": 1})
    assert len(failures(swapped, REFUSED, 10)) == 2


def test_latency_counts_from_acceptance_to_commit_where_acceptance_is_known() -> None:
    """In seconds, one a delivery; what went past an outbox has none."""
    held = Found(committed=[("az-police", "a", 1_500_000), ("az-police", "a", 3_000_000), ("eg-customs", "b", 9)])
    assert latencies(held, {("az-police", "a"): 1_000_000}) == [0.5, 2.0]


def test_percentiles_of_nothing_are_left_out() -> None:
    """No figure rather than an invented one."""
    assert percentiles([]) == {}


@given(st.lists(st.floats(0, 100), min_size=1))
def test_percentiles_are_values_that_were_measured(seconds: list[float]) -> None:
    """Nearest rank: one of the values, no less than half of them and 99 % of them."""
    figures = percentiles(seconds)
    measured = {round(value * 1000, 1) for value in seconds}
    assert set(figures.values()) <= measured
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        assert sum(round(value * 1000, 1) <= figures[name] for value in seconds) >= share * len(seconds)
