"""The transfer pattern detector survives anything: hostile values, any order, floods."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.matching.transfers import Detector
from streams.matching.transfers.event_time import BELIEVED
from tests.support.schemes import MAKERS, scheme, transfer

Record = dict[str, Any]
HOSTILE = [-5.0, 0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e308, 10**400, "much", "", None, [], 1e17]
_VALUE = st.one_of(st.floats(), st.integers(), st.text(max_size=5), st.none(), st.sampled_from(HOSTILE))
_STAMP = st.one_of(
    st.datetimes(),
    st.text(max_size=12),
    st.none(),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-05T10:00:00Z", "2026-13-01"]),
)
_RECORD = st.fixed_dictionaries(
    {"id": st.one_of(st.text(max_size=3), st.none()), "timestamp": _STAMP, "amount": _VALUE},
    optional={
        "from_account": st.sampled_from(["a", "b", "c", "", None, 7]),
        "to_account": st.sampled_from(["a", "b", "c", "", None, 7]),
        "currency": st.sampled_from(["USD", "XOF", "ZZZ", "", None, 3]),
        "channel": st.one_of(st.none(), st.text(max_size=4)),
        "jurisdiction": st.one_of(st.none(), st.text(max_size=2)),
    },
)


@given(st.lists(_RECORD, max_size=40))
@settings(max_examples=150, deadline=None)
def test_no_record_whatever_raises(records: list[Record]) -> None:
    """Every record is taken in or put aside."""
    detector = Detector()
    for record in records:
        detector.add(record)


@pytest.mark.parametrize("amount", HOSTILE)
def test_a_scheme_of_impossible_amounts_is_none(amount: Any) -> None:
    """Six payments of one pair with such amounts are put aside and counted."""
    detector = Detector()
    for row in scheme("structuring"):
        assert detector.add(row | {"amount": amount}) == []
    assert detector.put_aside == {"amount": 6}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"currency": "ZZZ"}, "currency"),
        ({"currency": None}, "currency"),
        ({"from_account": ""}, "incomplete"),
        ({"to_account": None}, "incomplete"),
        ({"to_account": "structuringpayer"}, "self"),
        ({"timestamp": "soon"}, "time"),
    ],
)
def test_an_unfit_record_is_put_aside_with_its_reason(change: Record, reason: str) -> None:
    """Six of them raise nothing."""
    detector = Detector()
    for row in scheme("structuring"):
        assert detector.add(row | change) == []
    assert detector.put_aside == {reason: 6}


@given(st.sampled_from(sorted(MAKERS)), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_order_is_tolerated(typology: str, dice: Any) -> None:
    """A shuffled scheme raises no error, and what is raised names its transfers only, each once, in time order."""
    rows = scheme(typology)
    dice.shuffle(rows)
    when = {row["id"]: row["timestamp"] for row in rows}
    detector = Detector()
    for row in rows:
        for detection in detector.add(row):
            assert len(set(detection.transactions)) == len(detection.transactions)
            stamps = [when[name] for name in detection.transactions]
            assert stamps == sorted(stamps)


def test_a_repeated_transfer_counts_once() -> None:
    """Each transfer delivered five times gives no more than once."""
    once, often = Detector(), Detector()
    expected = [detection for row in scheme("smurfing") for detection in once.add(row)]
    got = [detection for row in scheme("smurfing") for _ in range(5) for detection in often.add(row)]
    assert got == expected
    assert often.forgotten()["repeated"] == 4 * len(scheme("smurfing"))


def test_one_wrong_clock_does_not_blind_the_detector() -> None:
    """A transfer dated years ahead is put aside, and the scheme around it is found."""
    rows = scheme("structuring")
    rows.insert(3, transfer("ahead", 4_000, "x", "y", 9_000.0))
    detector = Detector()
    assert [detection for row in rows for detection in detector.add(row)]
    assert detector.forgotten()["ahead"] == 1


def test_a_wrong_first_clock_does_not_blind_the_detector() -> None:
    """The very first transfer is dated years ahead; the rest is right."""
    rows = [transfer("ahead", 4_000, "x", "y", 9_000.0), *scheme("structuring")]
    detector = Detector()
    assert [detection for row in rows for detection in detector.add(row)]


def test_a_stream_that_goes_on_after_years_is_believed() -> None:
    """After so many in a row the clock leaps, and schemes are found again."""
    detector = Detector()
    for row in scheme("fan_in"):
        detector.add(row)
    for number in range(BELIEVED):
        detector.add(transfer(f"n{number}", 2_000 + number / 100, f"a{number}", f"b{number}", 50.0))
    assert [d for row in scheme("structuring", 2_003.0, name="later") for d in detector.add(row)]


@pytest.mark.parametrize("spread", ["new accounts", "one account"])
def test_a_flood_of_junk_keeps_memory_under_its_bound(spread: str) -> None:
    """30,000 large payments among ever new accounts, or all to one: entries stay bounded, what went is counted."""
    detector = Detector(most_accounts=600, most_edges=500)
    for number in range(30_000):
        payee = f"y{number}" if spread == "new accounts" else "y"
        detector.add(transfer(f"j{number}", number / 10_000, f"x{number}", payee, 5_000.0 + number))
        if number % 1_000 == 0:
            assert len(detector) <= 600 + 3 * 500
    gone = detector.forgotten()
    assert gone["accounts"] >= 29_000
    assert gone["pairs"] >= 29_000
    assert gone["edges"] == 30_000 - 500


def test_old_transfers_do_not_keep_older_ones_alive() -> None:
    """A walk that never ends holds on to nothing outside of the window."""
    detector = Detector()
    for number in range(400):
        detector.add(transfer(f"e{number}", number, f"n{number}", f"n{number + 1}", 9_000.0))
    assert detector.ledger.live_edges() <= 11
