"""The demo's report can fail: each figure, doctored, is caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.demo.expectations import NOTICE, PROOF, Delivery
from manara.demo.report import Committed, Found, Report, Wanted, compare, failures, latencies, life, percentiles

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
    caught_up={"MA": 7},
    withdrawn=1,
    purged=5,
    content={"before": 10, "after": 0},
    links_expected=4,
    links_found=4,
    links_shared=1,
    links_declined=1,
)
WANTED = Wanted(REFUSED, 10, 1, 5, {"MA"}, shared=1, declined=1)


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


@pytest.mark.parametrize(
    ("held", "missing", "leaked"),
    [
        (Delivery(*ONE[:4], 1, PROOF), 1, 1),  # purged, though nobody withdrew it
        (Delivery(*ONE[:4], 2), 1, 1),  # another version
        (Delivery(*ONE[:4], 1, NOTICE), 1, 1),
    ],
)
def test_another_version_or_what_is_left_of_one_is_another_delivery(held: Delivery, missing: int, leaked: int) -> None:
    """A proof does not stand for content, nor content for a proof."""
    for expected, there in ((ONE, held), (held, ONE)):
        figures = compare([expected], found(there))
        assert (figures["missing"], figures["leaked"]) == (missing, leaked)


def test_what_must_be_purged_is_counted_once_a_state_whatever_the_versions() -> None:
    """Two versions of one alert at two states, and one alert that stays."""
    rows = [Delivery("az-customs", "L", "route", member, version, PROOF) for member in "AB" for version in (1, 2)]
    assert life([*rows, ONE, OTHER]) == (1, 2)


def test_a_leak_does_not_hide_what_is_missing() -> None:
    """One delivery at the wrong member is both."""
    figures = compare([ONE, OTHER], found(ONE, LEAK))
    assert (figures["missing"], figures["leaked"], figures["stored"]) == (1, 1, 2)


def test_a_report_in_which_all_is_well_has_no_failures() -> None:
    """The base of the doctored ones."""
    assert failures(GOOD, WANTED) == []


DOCTORED: dict[str, Callable[[Report], Report]] = {
    "missing": lambda good: replace(good, missing=1),
    "doubled": lambda good: replace(good, doubled=1),
    "leaked": lambda good: replace(good, leaked=1),
    "stored": lambda good: replace(good, stored=39),
    "accepted": lambda good: replace(good, accepted=9),
    "admitted": lambda good: replace(good, admitted=10, published=13),
    "again": lambda good: replace(good, again=0, published=13),
    "caught_up": lambda good: replace(good, caught_up={"MA": 0}),
    "withdrawn, expected": lambda good: replace(good, withdrawn=0),
    "purged": lambda good: replace(good, purged=4),
    "content to withdraw": lambda good: replace(good, content={"before": 9, "after": 0}),
    "still in 1 places": lambda good: replace(good, content={"before": 10, "after": 1}),
    "receipts_outstanding": lambda good: replace(good, receipts_outstanding=1),
    "matches found": lambda good: replace(good, links_found=3),
    "that are none": lambda good: replace(good, links_false=1),
    "matches shared": lambda good: replace(good, links_shared=0),
    "matches declined": lambda good: replace(good, links_declined=2),
    "broker": lambda good: replace(good, refused_by_broker=0),
    "verdicts": lambda good: replace(good, published=15),
    "BAD_SIGNATURE": lambda good: replace(good, refused={"TOO_LARGE": 1}, published=13),
    "TOO_LARGE": lambda good: replace(good, refused={"BAD_SIGNATURE": 1, "TOO_LARGE": 2}, published=15),
    "MALFORMED": lambda good: replace(good, refused={**REFUSED, "MALFORMED": 1}, published=15),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_every_doctored_figure_is_said(name: str) -> None:
    """Exactly one sentence, and it names the figure."""
    (sentence,) = failures(DOCTORED[name](GOOD), WANTED)
    assert name in sentence


def test_a_reason_in_another_ones_place_is_said_twice() -> None:
    """The total is right, the reasons are not."""
    swapped = replace(GOOD, refused={"BAD_SIGNATURE": 1, "MALFORMED": 1})
    assert len(failures(swapped, WANTED)) == 2


def test_latency_counts_from_acceptance_to_commit_where_acceptance_is_known() -> None:
    """In seconds, one a delivery; what went past an outbox has none."""
    rows = [Committed(member, "az-police", "a", 1, at) for member, at in (("EG", 1_500_000), ("TR", 3_000_000))]
    other = Committed("TR", "az-police", "a", 2, 5_000_000)
    held = Found(committed=[*rows, other, Committed("EG", "eg-customs", "b", 1, 9)])
    times = {("az-police", "a", 1): 1_000_000, ("az-police", "a", 2): 4_750_000}
    assert latencies(held, times) == [0.5, 2.0, 0.25]
    assert latencies(held, times, away={"TR"}) == [0.5]


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
