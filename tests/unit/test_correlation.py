"""Correlation's decisions: what is linked, what ends a link, and that order and kills change nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.message import Sealed
from schemas.models import Admitted, Mention
from streams.correlate import linking
from streams.correlate.entry import token_number
from streams.correlate.store import HOT
from tests.support.alerts import Author, route
from tests.support.correlation import LANES, Bed, admitted, by_numbers, indexed, tells, wanted
from tests.support.directories import DAY, NOW

ARABIC = "محمد حسن الخطيب"
LATIN = "Mohamed Hassan El Khatib"


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    """A correlation on an empty store."""
    made = Bed(tmp_path)
    yield made
    made.close()


def number(value: str, kind: str = "PASSPORT", country: str = "AZ") -> dict[str, Any]:
    """A number in an alert."""
    return {"type": kind, "value": value, "country": country}


def test_a_person_of_two_states_in_two_scripts_is_one_link(bed: Bed) -> None:
    """With its evidence in kinds and words, both sides, and a score."""
    bed.take(tells("eg-police", **wanted(ARABIC, "1979-03-14", "EG")))
    bed.take(tells("ma-police", **wanted(LATIN, "1979-03-14", "EG")))
    (link,) = bed.live().values()
    assert (link["class"], link["state"], link["ended"]) == ("PERSON", "LIVE", "NONE")
    assert [side["agency"] for side in link["sides"]] == ["eg-police", "ma-police"]
    assert link["evidence"] == ["BIRTH_DATE", "COUNTRY", "NAME"]
    assert link["words"]
    assert link["band"] in ("STRONG", "PROBABLE")
    assert link["link_id"] == linking.pair_id("PERSON", *(linking.identity(side) for side in link["sides"]))


def test_a_shared_number_joins_alone_and_a_weak_one_never(bed: Bed) -> None:
    """Numbers that clerks type when they know none say nothing."""
    bed.take(tells("az-police", **wanted("Aynur Mammadova", identifiers=[number("P7654321")])))
    bed.take(tells("tr-fiu", **wanted("Aynur Mammadova", "1984-05-02", identifiers=[number("p 7654321")])))
    assert ("IDENTIFIER", "az-police", "tr-fiu") in bed.pairs()
    bed.take(tells("kz-border", **wanted("Ivan Petrov", "1950", "KZ", identifiers=[number("0000000")])))
    bed.take(tells("ma-police", **wanted("Karim Alaoui", "1999", "MA", identifiers=[number("0000000")])))
    assert not {pair for pair in bed.pairs() if {"kz-border", "ma-police"} & set(pair)}


def test_one_number_and_two_other_names_is_doubted(bed: Bed) -> None:
    """Two men on a list do carry one number: the link says what speaks against it, and is no longer strong."""
    bed.take(tells("az-police", **wanted("Aynur Mammadova", identifiers=[number("P7654321")])))
    bed.take(tells("tr-fiu", **wanted("Bekzat Ospanov", "1951", "KZ", identifiers=[number("P7654321")])))
    (link,) = bed.live().values()
    assert (link["band"], link["evidence"]) == ("PROBABLE", ["DOCUMENT_NUMBER"])
    assert "against" in " ".join(link["words"])


@pytest.mark.parametrize("status", ["EXERCISE", "ACTUAL"])
def test_an_exercise_is_never_linked_with_what_is_real_and_a_member_never_with_itself(bed: Bed, status: str) -> None:
    """Like goes with like."""
    record = wanted("Aynur Mammadova", identifiers=[number("P7654321")])
    bed.take(admitted(Author.of("az-police").write(record=record, status=status)))
    bed.take(admitted(Author.of("az-customs").write(record=record, status=status)))
    other = "ACTUAL" if status == "EXERCISE" else "EXERCISE"
    bed.take(admitted(Author.of("tr-fiu").write(record=record, status=other)))
    assert bed.pairs() == set()
    bed.take(admitted(Author.of("kz-border").write(record=record, status=status)))
    assert ("IDENTIFIER", "az-police", "kz-border") in bed.pairs()
    assert not {pair for pair in bed.pairs() if "tr-fiu" in pair}


def test_numbers_join_alerts_of_different_kinds(bed: Bed) -> None:
    """The account of a suspicious transfer is the wanted person's."""
    sealed = Author.of("kz-fiu").write("transfer")
    bed.take(admitted(sealed))
    account = number("AE07 0331 2345 6789 0123 456", "IBAN", "AE")
    bed.take(tells("tr-fiu", **wanted("Somebody Else", identifiers=[account])))
    assert bed.pairs() == {("IDENTIFIER", "kz-fiu", "tr-fiu")}


def dated(agency: str) -> Sealed:
    """A route of this agency whose stops have days."""
    author = Author.of(agency)
    days = ("2026-11-02", "2026-11-08")
    stops = route(agency)["waypoints"]
    dated_stops = [{**stop, "arrives": day} for stop, day in zip(stops, days, strict=True)]
    return author.write("route", record={"waypoints": dated_stops})


def test_a_route_seen_from_both_ends_is_a_link(bed: Bed) -> None:
    """The same container over the same stops on the same days."""
    bed.take(admitted(dated("tr-customs")), admitted(dated("ma-customs")))
    assert bed.pairs() == {("IDENTIFIER", "ma-customs", "tr-customs"), ("ROUTE", "ma-customs", "tr-customs")}


def test_a_road_alone_is_told_to_nobody(bed: Bed) -> None:
    """Without days that agree it is what many lawful shipments share; a container that both name ties the two."""
    bare: dict[str, Any] = {"conveyances": []}
    bed.take(admitted(Author.of("tr-customs").write("route", record=bare)))
    bed.take(admitted(Author.of("ma-customs").write("route", record=bare)))
    assert bed.pairs() == set()
    bed.take(admitted(Author.of("az-customs").write("route")), admitted(Author.of("eg-customs").write("route")))
    assert ("IDENTIFIER", "az-customs", "eg-customs") in bed.pairs()


@pytest.mark.parametrize("ending", ["CANCEL", "WITHDRAW", "FULFIL", "SUSPEND"])
def test_an_alert_that_ends_takes_its_links_along_and_no_word_of_them_stays(bed: Bed, ending: str) -> None:
    """The record of the end holds no evidence in words."""
    author = Author.of("eg-police")
    first = author.write(record=wanted(LATIN))
    bed.take(admitted(first), tells("ma-police", **wanted(LATIN)))
    assert bed.pairs() == {("PERSON", "eg-police", "ma-police")}
    bed.take(admitted(author.follow(first, ending)))
    assert bed.pairs() == set()
    (link,) = bed.said.values()
    assert (link["state"], link["ended"], link["words"]) == ("ENDED", "SIDE_LEFT", [])


def test_a_resumed_alert_is_linked_again(bed: Bed) -> None:
    """As it was."""
    author = Author.of("eg-police")
    first = author.write(record=wanted(LATIN))
    bed.take(admitted(first), tells("ma-police", **wanted(LATIN)))
    second = author.follow(first, "SUSPEND")
    bed.take(admitted(second))
    bed.take(admitted(author.follow(second, "RESUME", record=wanted(LATIN))))
    (link,) = bed.live().values()
    assert [side["version"] for side in link["sides"]] == [3, 1]


def test_an_update_keeps_the_link_that_still_holds_and_ends_the_others(bed: Bed) -> None:
    """It is never ended in between: authors that agreed are not torn apart by an update."""
    author = Author.of("eg-police")
    record = wanted(LATIN, identifiers=[number("P7654321")])
    first = author.write(record=record)
    bed.take(admitted(first), tells("ma-police", **record))
    assert {pair[0] for pair in bed.pairs()} == {"PERSON", "IDENTIFIER"}
    heard: list[tuple[str, str]] = []
    bed.hear = lambda links: heard.extend((link["class"], link["state"]) for link in links)  # type: ignore[method-assign]
    bed.take(admitted(author.follow(first, "UPDATE", record=wanted(LATIN))))
    assert ("PERSON", "ENDED") not in heard
    assert heard.count(("IDENTIFIER", "ENDED")) == 1


def test_who_is_known_to_be_another_is_not_linked(bed: Bed) -> None:
    """A false hit that its author has noted ends, and only that one."""
    author = Author.of("eg-police")
    first = author.write(record=wanted("Karim Alaoui", "1984"))
    bed.take(admitted(first), tells("ma-police", **wanted("Karim Alaoui", "1984-07-09", "MA")))
    assert bed.pairs() == {("PERSON", "eg-police", "ma-police")}
    other = {"name": "Karim Alaoui", "birth_date": "1984-07-09", "country": "MA", "note": ""}
    bed.take(admitted(author.follow(first, "UPDATE", record=wanted("Karim Alaoui", "1984", not_this_person=[other]))))
    assert bed.pairs() == set()


def test_an_alert_whose_time_is_over_leaves_by_the_log_s_time(bed: Bed) -> None:
    """And what comes later does not find it."""
    bed.take(admitted(Author.of("eg-police").write(record=wanted(LATIN), expires_at=NOW + DAY)))
    bed.take(tells("ma-police", **wanted(LATIN)))
    assert len(bed.live()) == 1
    bed.hear(bed.core.expire(NOW + DAY - 1))
    assert len(bed.live()) == 1
    bed.hear(bed.core.expire(NOW + DAY))
    assert bed.live() == {}
    bed.fold(
        [(part, mention) for part, all_ in indexed([tells("tr-fiu", **wanted(LATIN))])[0].items() for mention in all_]
    )
    assert bed.pairs() == {("PERSON", "ma-police", "tr-fiu")}


def test_a_value_that_too_many_hold_says_so_once_and_then_nothing(tmp_path: Path) -> None:
    """The first twenty are linked; from then on it is only counted, and forgotten when nobody holds it."""
    bed = Bed(tmp_path, scorer=by_numbers)
    authors = [Author.of(agency) for agency in ("az-police", "tr-fiu")]
    sealed = [
        (author, author.write(record=wanted("", identifiers=[number("+994 12 590 00 00", "PHONE")])))
        for _ in range(15)
        for author in authors
    ]
    for _author, one in sealed:
        bed.take(admitted(one))
    assert len(bed.live()) == 10 * 10
    (value,) = bed.live("VALUE").values()
    assert (value["state"], value["token"], value["count"]) == ("OVER_CORRELATING", "id:phone:+994125900000", 21)
    assert bed.store.crowded == {token_number("id:phone:+994125900000"): 30}
    for author, one in sealed:
        bed.take(admitted(author.follow(one, "CANCEL")))
    assert (bed.store.crowded, bed.live(), bed.live("VALUE")) == ({}, {}, {})
    bed.close()


def test_a_value_of_the_exclusion_list_is_passed_over(tmp_path: Path) -> None:
    """As if it were not there."""
    bed = Bed(tmp_path, exclusions=["id:document:P7654321"])
    for agency, name in (("az-police", "Aynur Mammadova"), ("tr-fiu", "Bekzat Ospanov")):
        bed.take(tells(agency, **wanted(name, identifiers=[number("P7654321")])))
    assert bed.live() == {}
    assert bed.core.tally.excluded == 2
    bed.close()


def test_an_alert_that_names_nothing_matches_nothing(bed: Bed) -> None:
    """No match by emptiness: empty names, one letter, marks alone, places without name."""
    for agency in ("az-police", "tr-fiu", "kz-border"):
        for name in ("", " ", "A", "\u202e\u200f", "..."):
            bed.take(tells(agency, **wanted(name, "", "", nationalities=[""])))
        places = [{"name": "", "country": "", "code": "", "code_type": "NONE", "lat": None, "lon": None, "arrives": "",
                   "departs": "", "role": "TRANSIT"}] * 3  # fmt: skip
        bed.take(admitted(Author.of(agency).write("route", record={"waypoints": places, "conveyances": []})))
    assert bed.live() == {}


def test_a_matcher_that_fails_stops_nobody(tmp_path: Path) -> None:
    """It is counted; the alerts stay in the index."""

    def broken(_a: Any, _b: Any) -> Any:
        raise ValueError

    bed = Bed(tmp_path, scorer=broken)
    bed.take(tells("eg-police", **wanted(LATIN)), tells("ma-police", **wanted(LATIN)))
    assert (bed.live(), bed.core.tally.failed) == ({}, 1)
    bed.close()


# ---------------------------------------------------------------------- laws


POOL = ["P7654321", "K1234567X", "AB998877", "+994 12 590 00 00"]
AGENCIES = ["az-police", "tr-fiu", "eg-police"]


@st.composite
def lives(draw: st.DrawFn) -> list[Admitted]:
    """The messages of some alerts of three members that share numbers, each alert's in order."""
    found: list[list[Admitted]] = []
    for number_ in range(draw(st.integers(2, 6))):
        author = Author.of(AGENCIES[number_ % 3])
        author.written = number_ * 10
        shared = [number(v, "PHONE" if v.startswith("+") else "PASSPORT") for v in draw(st.sets(st.sampled_from(POOL)))]
        last = author.write(record=wanted(f"Name{number_}", identifiers=shared))
        messages = [admitted(last, at=NOW + number_)]
        for step in draw(st.lists(st.sampled_from(["UPDATE", "SUSPEND", "RESUME", "CANCEL"]), max_size=3)):
            now_has = [
                number(v, "PHONE" if v.startswith("+") else "PASSPORT") for v in draw(st.sets(st.sampled_from(POOL)))
            ]
            more: dict[str, Any] = {} if step == "CANCEL" else {"record": wanted(f"Name{number_}", identifiers=now_has)}
            last = author.follow(last, step, **more)
            messages.append(admitted(last, at=NOW + number_ + 100 * len(messages)))
            if step == "CANCEL":
                break
        found.append(messages)
    mixed: list[Admitted] = []
    while any(found):
        mixed.append(draw(st.sampled_from([each for each in found if each])).pop(0))
    return mixed


def shuffled(parts: dict[int, list[Mention]], seed: int) -> list[tuple[int, Mention]]:
    """The partitions' records mixed at random, each partition's own order kept."""
    left = {part: list(mentions) for part, mentions in parts.items()}
    dice, mixed = random.Random(seed), []
    while any(left.values()):
        part = dice.choice([part for part, mentions in left.items() if mentions])
        mixed.append((part, left[part].pop(0)))
    return mixed


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives(), st.integers(0, 9), st.integers(0, 9))
def test_however_the_partitions_are_mixed_the_same_links_hold(
    tmp_path_factory: pytest.TempPathFactory, items: list[Admitted], one: int, other: int
) -> None:
    """With a budget so small that it counts; and repeats after a kill change nothing."""
    parts, _flows = indexed(items)
    found = []
    for seed in (one, other):
        bed = Bed(tmp_path_factory.mktemp("bed"), budget=3, scorer=by_numbers)
        order = shuffled(parts, seed)
        bed.fold(order)
        first = bed.live()
        bed.fold(order[len(order) // 2 :])  # read again after a kill
        assert bed.live() == first
        found.append(first)
        bed.close()
    assert found[0] == found[1]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives(), st.data())
def test_a_fold_that_is_killed_anywhere_and_goes_on_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, items: list[Admitted], data: st.DataObject
) -> None:
    """Committed now and then, closed without a commit, opened again at the last one: nothing lost, nothing doubled."""
    order = shuffled(indexed(items)[0], 1)
    whole = Bed(tmp_path_factory.mktemp("whole"), scorer=by_numbers)
    whole.fold(order)
    folder = tmp_path_factory.mktemp("killed")
    place, said = 0, dict[str, Any]()
    while place < len(order):
        bed = Bed(folder, scorer=by_numbers)
        bed.said = said
        commits = data.draw(st.integers(place, len(order)))
        bed.fold(order[place:commits])
        bed.store.commit(())
        bed.fold(order[commits : commits + 2])  # worked, said, and never committed
        bed.store.close()
        place = max(commits, place + (commits == place))
        if commits == place - 1:
            bed = Bed(folder, scorer=by_numbers)
            bed.said = said
            bed.fold(order[commits:place])
            bed.store.commit(())
            bed.store.close()
    last = Bed(folder, scorer=by_numbers)
    last.said = said
    assert last.live() == whole.live()
    last.close()
    whole.close()


@pytest.mark.parametrize("alerts", [50_000, pytest.param(1_000_000, marks=pytest.mark.full)])
def test_alerts_without_end_under_one_junk_value_cost_no_more_than_twenty_of_them(tmp_path: Path, alerts: int) -> None:
    """Pairs compared, links and postings stay as for twenty; what is kept in memory stays within its bounds."""
    bed = Bed(tmp_path, scorer=by_numbers)
    junk = wanted("", identifiers=[number("+994 12 590 00 00", "PHONE")])
    ((part, (mention,)),) = indexed([tells("az-police", **junk)])[0].items()
    for count in range(alerts):
        agency = AGENCIES[count % 3]
        one: Mention = {**mention, "agency": agency, "member": agency[:2].upper(), "alert_id": f"a{count}"}
        bed.fold([(part, one)])
        if count % 1_000 == 999:
            bed.store.commit(())
            bed.store.begin()
    assert bed.core.tally.compared <= 190
    assert len(bed.live()) <= 190
    (value,) = bed.live("VALUE").values()
    assert (value["token"], value["count"]) == ("id:phone:+994125900000", 21)
    assert bed.store.crowded == {token_number(value["token"]): alerts}
    assert next(iter(bed.store.index.execute("select count(*) from postings")))[0] == 0
    assert bed.store.count() == alerts
    assert bed.store.in_memory() <= HOT + 1_000
    bed.close()


def test_the_lanes_of_an_alert_are_those_of_its_tokens() -> None:
    """The first version goes where its tokens are, with them alone; a later one and an end to all."""
    author = Author.of("az-police")
    first = author.write(record=wanted(LATIN, identifiers=[number("P7654321")]))
    parts, _ = indexed([admitted(first)])
    assert all(mention["tokens"] for mentions in parts.values() for mention in mentions)
    second = author.follow(first, "UPDATE", record=wanted(LATIN))
    parts, _ = indexed([admitted(second)])
    assert sorted(parts) == list(range(LANES))
    parts, _ = indexed([admitted(author.follow(second, "WITHDRAW"))])
    assert sorted(parts) == list(range(LANES))
    empty = {"standing": "ENDED", "tokens": [], "persons": [], "identifiers": [], "waypoints": [], "reference": ""}
    assert all({name: mention[name] for name in empty} == empty for (mention,) in parts.values())  # type: ignore[literal-required]
