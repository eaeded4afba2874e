"""The transfer pattern detector finds every kind of scheme and stays quiet about what is lawful."""

from __future__ import annotations

from typing import Any

import pytest

from streams.matching.transfers import RULES, Detector, detect
from tests.support.lawful_traffic import drowned, lawful
from tests.support.schemes import MAKERS, START, scheme, transfer

Record = dict[str, Any]
DAYS = 30.0


def _background(seed: int, count: int, people: int) -> list[Record]:
    rows = lawful(seed, count, [f"A{number:05}" for number in range(people)], START, DAYS)
    return sorted(rows, key=lambda row: (row["timestamp"], row["id"]))


def _mixed(*parts: list[Record]) -> list[Record]:
    return sorted((row for part in parts for row in part), key=lambda row: (row["timestamp"], row["id"]))


def _ids(alert: dict[str, Any]) -> set[str]:
    return set(alert["transactions"])


@pytest.fixture(scope="module")
def background() -> list[Record]:
    """A month of 4,000 lawful transfers among 800 accounts."""
    return _background(7, 4_000, 800)


@pytest.mark.parametrize("typology", MAKERS)
def test_a_scheme_of_every_typology_is_found_and_named(typology: str, background: list[Record]) -> None:
    """One alert of that typology holds at least half of it and hardly anything else."""
    made = scheme(typology)
    wanted = {row["id"] for row in made}
    alerts: list[dict[str, Any]] = [a for a in detect(_mixed(background, made)) if a["typology"] == typology]
    best = max((len(_ids(alert) & wanted) for alert in alerts), default=0)
    assert best >= len(wanted) / 2
    assert all(len(_ids(alert) & wanted) >= len(_ids(alert)) / 2 for alert in alerts if _ids(alert) & wanted)


def test_lawful_traffic_raises_next_to_nothing(background: list[Record]) -> None:
    """A month of wages, shops, rent, refunds, gifts and suppliers: at most one pattern in a thousand transfers."""
    patterns = {alert["pattern"] for alert in detect(background)}
    assert len(patterns) <= len(background) / 1_000


def test_ten_times_the_lawful_traffic_does_not_double_the_false_alarms() -> None:
    """And the schemes are found in it as before."""
    made = [row for n, typology in enumerate(MAKERS) for row in scheme(typology, 12.0 + n, n, f"{typology}{n}")]
    labelled = {row["id"] for row in made}
    thin = _mixed(_background(3, 2_000, 700), made)
    counts = []
    for stream in (thin, drowned(thin, labelled, seed=5)):
        last: dict[str, dict[str, Any]] = {str(alert["pattern"]): alert for alert in detect(stream)}
        false = [a for a in last.values() if len(_ids(a) & labelled) < len(_ids(a)) / 2]
        found = set().union(*(_ids(a) for a in last.values())) & labelled
        counts.append((len(false), len(found) / len(labelled)))
    (few, share), (many, drowned_share) = counts
    assert many <= 2 * few + 6
    assert share > 0.9
    assert drowned_share > 0.85


def test_an_employers_wages_are_no_fan_out(background: list[Record]) -> None:
    """Thirty people are paid on one morning by an account that never paid before."""
    wages = [transfer(f"w{i}", 22 + i / 300, "boss", f"staff{i}", 3_000.0 + 100 * i) for i in range(30)]
    alerts = [a for a in detect(_mixed(background, wages)) if any(str(t).startswith("w") for t in _ids(a))]
    assert alerts == []


def test_a_refund_is_no_cycle(background: list[Record]) -> None:
    """The same sum comes straight back."""
    back = [transfer("r0", 20, "buyer", "seller", 8_000.0), transfer("r1", 21, "seller", "buyer", 8_000.0)]
    assert not any("r1" in _ids(alert) for alert in detect(_mixed(background, back)))


def test_equal_instalments_near_the_threshold_are_no_structuring(background: list[Record]) -> None:
    """Four times the same price."""
    parts = [transfer(f"i{i}", 20 + i, "buyer", "seller", 9_500.0) for i in range(4)]
    assert not any(alert["typology"] == "structuring" for alert in detect(_mixed(background, parts)))


def test_the_threshold_is_that_of_the_jurisdiction() -> None:
    """6,900 Kuwaiti dinars are far above Kuwait's threshold and as much as others': 2,900 are just below it."""
    for amount, expected in ((2_700.0, True), (6_900.0, False)):
        stream = [transfer(f"k{i}", i / 2, "a", "b", amount + 10 * i, "KWD") | {"jurisdiction": "KW"} for i in range(5)]
        assert any(alert["typology"] == "structuring" for alert in detect(stream)) is expected


def test_a_detection_explains_itself() -> None:
    """Its transfers, its rule, its accounts and words are in it."""
    detector = Detector()
    found = [detection for row in scheme("structuring") for detection in detector.add(row)]
    last = found[-1]
    assert last.rule == f"{RULES}/structuring"
    assert last.at == last.transactions[-1]
    assert last.accounts == ("structuringpayee", "structuringpayer")
    assert len(last.evidence) == 2
    assert len({detection.pattern for detection in found}) == 1


def test_a_payment_reported_by_both_ends_counts_once() -> None:
    """Three payments, each told twice under two names, are three."""
    made = scheme("structuring")[:3]
    twice = [row | {"id": f"{row['id']}{end}"} for row in made for end in ("a", "b")]
    found = [alert for alert in detect(twice) if alert["typology"] == "structuring"]
    assert all(len(_ids(alert)) == 3 for alert in found)


def test_the_same_stream_gives_the_same_detections(background: list[Record]) -> None:
    """A replay is equal to the letter."""
    stream = _mixed(background, *(scheme(typology, 15.0) for typology in MAKERS))
    assert list(detect(stream)) == list(detect(stream))


@pytest.mark.parametrize("typology", ["cycle", "layering_chain", "scatter_gather", "smurfing", "structuring"])
def test_a_scheme_is_found_in_a_stream_that_has_just_begun(typology: str) -> None:
    """Nothing but the scheme was ever seen."""
    assert any(alert["typology"] == typology for alert in detect(scheme(typology)))
