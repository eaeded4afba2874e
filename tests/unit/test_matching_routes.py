"""Routes: one movement, another run over the same road, or nothing; the same whichever report comes first."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.matching.routes import compare, explain, prepare, score, tokens
from streams.matching.routes.alignment import align, gaps
from streams.matching.routes.gazetteer import coded, degrees, kilometres, place_name, point

Waypoint = dict[str, Any]


def stop(name: str, country: str = "", date: str = "", **more: Any) -> Waypoint:
    """A waypoint."""
    return {"name": name, "country": country, **({"date": date} if date else {}), **more}


def route(*waypoints: Waypoint, **more: Any) -> dict[str, Any]:
    """A report."""
    return {"waypoints": list(waypoints), **more}


BALKAN = route(
    stop("Mersin", "tr", "2026-03-01"),
    stop("Istanbul", "tr", "2026-03-04", code="TRIST"),
    stop("Varna", "bg", "2026-03-07"),
    stop("Odessa", "ua", "2026-03-09"),
)
GULF = route(stop("Karachi", "pk", "2026-03-02"), stop("Dubai", "ae", "2026-03-05"), stop("Basra", "iq", "2026-03-08"))


def shifted(record: dict[str, Any], days: int) -> dict[str, Any]:
    """The same report, its days all moved."""
    from datetime import date, timedelta

    moved = [
        {**w, "date": (date.fromisoformat(w["date"]) + timedelta(days=days)).isoformat()} if "date" in w else w
        for w in record["waypoints"]
    ]
    return {**record, "waypoints": moved}


def test_a_report_equals_itself() -> None:
    """The strongest case."""
    found = explain(BALKAN, BALKAN)
    assert (found.outcome, found.band) == ("SAME", "STRONG")
    assert any("0 days apart" in said for said in found.evidence)


def test_stops_left_out_and_days_a_little_off_are_the_same_movement() -> None:
    """What two agencies see of one journey."""
    other = route(stop("Mersin", "tr", "2026-03-02"), stop("Odessa", "ua", "2026-03-11"))
    assert explain(BALKAN, other).outcome == "SAME"


@pytest.mark.parametrize("days", [-60, -30, -14, 14, 30, 60, 365])
def test_the_same_road_weeks_later_is_another_run(days: int) -> None:
    """Its own outcome, below the threshold."""
    found = explain(BALKAN, shifted(BALKAN, days))
    assert found.outcome == "SAME_ROAD"
    assert found.score < 0.3
    assert "the same road, but another run" in found.evidence


def test_another_run_is_told_even_where_no_shared_stop_is_dated_twice() -> None:
    """Each report dates other stops; days a leg takes are reckoned with."""
    here = route(stop("Mersin", "tr", "2026-03-01"), stop("Istanbul", "tr"), stop("Varna", "bg"))
    later = route(stop("Mersin", "tr"), stop("Istanbul", "tr", "2026-03-28"), stop("Varna", "bg"))
    soon = route(stop("Mersin", "tr"), stop("Istanbul", "tr", "2026-03-04"), stop("Varna", "bg"))
    assert explain(here, later).outcome == "SAME_ROAD"
    assert explain(here, soon).outcome == "SAME"


def test_without_days_the_same_road_is_proposed_but_not_strongly() -> None:
    """Nothing speaks against, nothing for one run."""
    plain = route(*({k: v for k, v in w.items() if k != "date"} for w in BALKAN["waypoints"]))
    found = explain(BALKAN, plain)
    assert (found.outcome, found.band) == ("SAME", "PROBABLE")
    assert "the dates cannot be compared" in found.evidence


def test_the_reverse_direction_is_no_match() -> None:
    """The way back is another movement, and the evidence says so."""
    found = explain(BALKAN, route(*reversed(BALKAN["waypoints"])))
    assert found.outcome == "NONE"
    assert "the stops come in the opposite order: another movement" in found.evidence


def test_the_same_ends_alone_are_no_match() -> None:
    """Two ways from Mersin to Odessa."""
    other = route(
        stop("Mersin", "tr", "2026-03-01"), stop("Trabzon", "tr", "2026-03-04"), stop("Sochi", "ru", "2026-03-05"),
        stop("Kerch", "ua", "2026-03-06"), stop("Odessa", "ua", "2026-03-09"),
    )  # fmt: skip
    assert explain(BALKAN, other).outcome == "NONE"


def test_one_common_port_is_no_match() -> None:
    """Everybody calls at Dubai."""
    other = route(stop("Mombasa", "ke", "2026-03-01"), stop("Dubai", "ae", "2026-03-05"))
    assert score(GULF, other) < 0.2


@pytest.mark.parametrize(
    ("name", "country"),
    [("دبي", "ae"), ("Дубай", "ae"), ("Dubayy", "ae"), ("DUBAI", ""), ("Port of Dubai", "ae"), ("Duhbai", "ae")],
)
def test_a_place_is_known_in_every_writing(name: str, country: str) -> None:
    """Scripts, exonyms, capitals, misspellings."""
    other = route(stop("كراتشي", "pk", "2026-03-02"), stop(name, country, "2026-03-05"), stop("البصرة", "iq"))
    assert explain(GULF, other).outcome == "SAME"


def test_a_place_is_known_by_code_or_coordinates_alone() -> None:
    """A UN/LOCODE, an IATA code, a point nearby."""
    lat, lon = degrees(coded("TRIST")[0])
    for istanbul in (stop("", "", code="TRIST"), stop("X", "tr", code="IST"), stop("", "", lat=lat + 0.2, lon=lon)):
        other = route(stop("Mersin", "tr", "2026-03-01"), istanbul)
        assert explain(BALKAN, other).outcome == "SAME", istanbul


def test_a_shared_vehicle_speaks_for_and_another_against_where_days_are_silent() -> None:
    """Vessel, truck and container numbers decide between runs over a liner's road."""
    vessel = {"type": "IMO", "value": "IMO 9074729"}
    plain = [{k: v for k, v in w.items() if k != "date"} for w in BALKAN["waypoints"]]
    with_it = route(*plain, conveyance=[vessel])
    same = route(
        *BALKAN["waypoints"], conveyances=[{"type": "VESSEL", "name": "", "identifier": {**vessel, "country": ""}}]
    )
    other = route(*BALKAN["waypoints"], conveyance=[{"type": "IMO", "value": "9681259"}])
    assert explain(with_it, same).band == "STRONG"
    assert explain(with_it, other).outcome == "SAME_ROAD"
    assert score(shifted(same, 30), same) < 0.5


def test_the_containers_of_a_route_alert_count() -> None:
    """Where the record of the alert keeps them."""
    goods = {"description": "", "container": "CSQU 305438-3"}
    assert "id:container:CSQU3054383" in tokens(prepare(route(*GULF["waypoints"], consignments=[goods])))


def test_reports_of_one_road_share_a_token_and_ones_of_the_way_back_do_not() -> None:
    """Blocking finds the pair where each leaves out stops of the other."""
    other = route(stop("Mersin", "tr", "2026-03-02"), stop("Odessa", "ua", "2026-03-11"))
    assert set(tokens(prepare(BALKAN))) & set(tokens(prepare(other)))
    assert not set(tokens(prepare(BALKAN))) & set(tokens(prepare(route(*reversed(BALKAN["waypoints"])))))


def test_tokens_with_a_time_come_first() -> None:
    """The rarest first: a pair of cells in one month before the pair of cells."""
    found = tokens(prepare(BALKAN))
    assert "@" in found[0]
    assert len(found) == len(set(found)) <= 48


@pytest.mark.parametrize(
    "record", [{}, route(), route(stop("")), route(stop("", "tr", "2026-01-01")), {"waypoints": None}]
)
def test_nothing_matches_by_emptiness(record: dict[str, Any]) -> None:
    """No place, no road, no token."""
    assert score(record, record) == 0.0
    assert tokens(prepare(record)) == ()
    assert explain(record, BALKAN).outcome == "NONE"


def test_countries_alone_match_nothing() -> None:
    """A name and a place are needed."""
    record = route(stop("", "tr", "2026-01-01"), stop("", "bg", "2026-01-03"))
    assert score(record, record) == 0.0


def test_a_route_of_200_stops_is_compared_in_bounded_time() -> None:
    """Mixed scripts, repeated, undated."""
    names = [
        "Dubai",
        "دبي",
        "Москва",
        "Karachi",
        "کراچی",
        "\u202eVarna\u202c",
        "Şam",
        "O'zbekiston",
        "東京",
        "x" * 10_000,
    ]
    long = route(*(stop(f"{names[i % 10]}{'abcdefghij'[i // 20]}", "tr", "2026-01-01") for i in range(200)))
    longer = route(*(stop(f"{names[i % 7]}", "tr", f"2026-02-{i % 28 + 1:02}") for i in range(5_000)))
    start = time.process_time()
    assert 0 <= score(long, longer) == score(longer, long) <= 1
    assert len(tokens(prepare(longer))) <= 48
    assert time.process_time() - start < 3


HOSTILE = st.dictionaries(
    st.sampled_from(["name", "country", "code", "lat", "lon", "date", "arrives", "departs"]),
    st.one_of(
        st.none(), st.text(max_size=12), st.floats(), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2),
        st.sampled_from(["Dubai", "دبي", "TRIST", "tr", "2026-03-01", "0001-01-01", "9999-12-31", "2026-13-45"]),
    ),
    max_size=6,
)  # fmt: skip
RECORD = st.one_of(st.just({}), st.fixed_dictionaries({"waypoints": st.lists(HOSTILE, max_size=6)}))


@settings(max_examples=200, deadline=None)
@given(RECORD, RECORD)
def test_any_record_gives_a_symmetric_score_between_0_and_1(a: dict[str, Any], b: dict[str, Any]) -> None:
    """Whatever stands in the fields: no crash, one answer, the same evidence from both sides."""
    found, turned = compare(prepare(a), prepare(b)), compare(prepare(b), prepare(a))
    assert found == turned
    assert 0.0 <= found.score <= 1.0
    assert score(a, b) == found.score
    assert (found.outcome == "SAME") == (found.score >= 0.5)


def test_the_alignment_keeps_the_order_and_says_what_lies_between() -> None:
    """Mersin and Odessa are shared; the other report has one stop between, ours two."""
    a, b = prepare(BALKAN), prepare(route(stop("Mersin", "tr"), stop("Constanta", "ro"), stop("Odessa", "ua")))
    shared = align(a.stops, b.stops)
    ends = [(shared[0].here, shared[0].there), (shared[-1].here, shared[-1].there)]
    assert ends == [(0, 0), (3, 2)]
    assert sum(max(gap) for gap in gaps(shared, 4, 3)) + len(shared) >= 4


def test_distances_are_those_of_the_globe() -> None:
    """London to Paris is 344 km; the degrees come back from the point."""
    assert kilometres(point(51.5074, -0.1278), point(48.8566, 2.3522)) == pytest.approx(343.6, abs=1)
    assert degrees(point(10.0, 179.5)) == pytest.approx((10.0, 179.5))


def test_names_in_arabic_script_are_compared_by_their_consonants() -> None:
    """A place that no table knows."""
    assert place_name("كفرنبل").abjad
    ours = route(stop("Kafranbel", "sy", "2026-03-01"), stop("Dubai", "ae", "2026-03-05"))
    theirs = route(stop("كفرنبل", "sy", "2026-03-01"), stop("Dubai", "ae", "2026-03-05"))
    assert explain(ours, theirs).outcome == "SAME"


def test_papers_of_persons_among_the_numbers_say_nothing_about_the_vehicle() -> None:
    """Two drivers of one truck are no two trucks, and one passport is no vehicle."""
    truck = {"type": "PLATE", "value": "34 ABC 123", "country": "TR"}
    plain = [{k: v for k, v in w.items() if k != "date"} for w in BALKAN["waypoints"]]
    one = route(*plain, conveyance=[truck, {"type": "PASSPORT", "value": "U48120573", "country": "TR"}])
    other = route(*plain, conveyance=[truck, {"type": "PASSPORT", "value": "A99120571", "country": "TR"}])
    assert explain(one, other).outcome == "SAME"
    assert prepare(one).vehicles == {"id:plate:TR-34ABC123"}
