"""Searching an inbox: what is found, by what evidence, in which order; what is never found; how the index follows."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers import retention
from consumers.inbox import Inbox
from consumers.judging import Accepted
from consumers.search import finding, listing
from consumers.search import index as indexing
from consumers.search.content import content
from consumers.search.finding import Answer, find
from consumers.search.index import FILE_NAME, Index
from consumers.search.keeper import SINK, Keeper
from consumers.search.keys import hashed
from consumers.search.query import query
from manara.errors import InputError
from tests.support.alerts import Author
from tests.support.directories import DAY, NOW
from tests.support.entries import accepted, alerts, filled, lives, mixture, notice, sent
from tests.support.raw_forms import messy


def wanted(*names: str, author: Author | None = None, number: str = "", born: str = "1984-05", **more: Any) -> Accepted:
    """A wanted person of these names (the first is the one of birth), with a passport."""
    record = {
        "names": [
            {"full": name, "parts": [], "script": "", "lang": "", "kind": "ALIAS" if at else "BIRTH"}
            for at, name in enumerate(names)
        ],
        "births": [{"date": born, "place": "", "country": "AZ"}],
        "identifiers": [{"type": "PASSPORT", "value": number, "country": "AZ"}] if number else [],
        **more.pop("record", {}),
    }
    pen = author or Author.of("az-police")
    return accepted(sent(pen.write("person", record=record, **more)))


def searched(folder: Path, made: Sequence[Accepted], text: str = "", *, now: int = NOW, **given: Any) -> Answer:
    """The answer over an inbox that holds these."""
    numbers = given.pop("numbers", {})
    with filled(folder, made) as inbox, Index.open(folder) as index:
        index.catch_up(inbox)
        return find(index, inbox, query(text, numbers, **given), now)


def ids(answer: Answer) -> list[str]:
    """The alerts that were found, in their order."""
    return [hit.entry.alert_id for hit in answer.hits]


NAMES = [
    ("محمد رضا نقدي", "Mohamed Reza Naghdi"),
    ("Жүнісов Нұрсұлтан", "Zhunisov Nursultan"),
    ("Mamadou Diallo", "Mamadu Jallow"),
    ("عبد الرحمن القحطاني", "Abdulrahman Al-Qahtani"),
    ("Djamel Meziane", "Gamal Mezian"),
]


@pytest.mark.parametrize(("listed", "asked"), NAMES)
def test_a_person_is_found_across_scripts_and_spellings(tmp_path: Path, listed: str, asked: str) -> None:
    """Both ways, by the name alone; the evidence says which parts agreed."""
    crowd = alerts(20, agency="eg-police")
    for at, (one, other) in enumerate([(listed, asked), (asked, listed)]):
        target = wanted(one)
        folder = tmp_path / str(at)
        folder.mkdir()
        answer = searched(folder, [*crowd, target], name=other)
        assert ids(answer) == [target.arrival.alert_id]
        assert answer.hits[0].found.evidence


def test_one_part_of_a_name_is_enough_for_a_proposal(tmp_path: Path) -> None:
    """POSSIBLE, never more; a birth date far apart takes it away."""
    target = wanted("Tural Qaradaghizade", born="1984-05")
    answer = searched(tmp_path, [target], name="Qaradagizade")
    assert [hit.found.band for hit in answer.hits] == ["POSSIBLE"]
    assert any("asked for" in text for text in answer.hits[0].found.evidence)
    assert not searched(tmp_path, [target], name="Qaradagizade", born="1950").hits


def test_a_number_is_strong_and_says_whose_it_is(tmp_path: Path) -> None:
    """A state that gave another number of the same digits makes it a mere possibility."""
    target = wanted("Tural Invented", number="C01234567")
    answer = searched(tmp_path, [target, *alerts(5, agency="eg-police")], "c 0123-4567")
    assert [(hit.entry.alert_id, hit.found.band) for hit in answer.hits] == [(target.arrival.alert_id, "STRONG")]
    assert "PASSPORT C01234567 (AZ) of the person" in answer.hits[0].found.evidence[0]
    other = searched(tmp_path, [], numbers={"document": "C01234567"}, country="TR")
    assert [hit.found.band for hit in other.hits] == ["POSSIBLE"]


def test_routes_and_transfers_are_found_by_what_they_carry(tmp_path: Path) -> None:
    """Containers, accounts, holders, banks, places and their codes."""
    person, route, transfer = (
        accepted(sent(Author.of(agency).write(kind), topic=f"feeds.v1.az.{kind}"), kind)
        for agency, kind in (("az-police", "person"), ("tr-customs", "route"), ("kz-fiu", "transfer"))
    )
    made = [person, route, transfer]
    by: dict[Accepted, list[dict[str, Any]]] = {
        route: [
            {"numbers": {"container": "csqu 305438-3"}},
            {"name": "Port Said"},
            {"name": "بور سعيد"},
            {"text": "EGPSD"},
        ],
        transfer: [{"numbers": {"account": "KZ86 125K ZT50 0410 0100"}}, {"name": "Invented Bank"}],
    }
    for target, questions in by.items():
        for question in questions:
            answer = searched(tmp_path, made, question.pop("text", ""), **question)
            assert target.arrival.alert_id in ids(answer), question


def test_flash_comes_first_and_the_best_are_kept(tmp_path: Path) -> None:
    """The limit cuts the weakest, not the least urgent; what is left is ordered by urgency."""
    pen = Author.of("az-police")
    exact = wanted("Tural Inventedoglu", number="C01234567", author=pen, precedence="ROUTINE")
    flash = wanted("Tural Inventedoglu", author=pen, precedence="FLASH")
    weak = [wanted("Tural Inventedoglu Karim Hassan", author=pen, precedence="IMMEDIATE") for _ in range(3)]
    answer = searched(tmp_path, [exact, *weak, flash], name="Tural Inventedoglu", limit=2)
    assert ids(answer) == [flash.arrival.alert_id, exact.arrival.alert_id]
    assert "not shown" in answer.more[0]


def test_whom_the_author_says_it_is_not_is_said(tmp_path: Path) -> None:
    """A man of the same name who is somebody else."""
    other = {"name": "Tural Inventedoglu", "birth_date": "1990-01-01", "country": "AZ", "note": ""}
    target = wanted("Tural Inventedoglu", born="1984-05-06", record={"not_this_person": [other]})
    answer = searched(tmp_path, [target], name="Tural Inventedoglu", born="1990-01-01")
    assert any(text.startswith("beware") and "1990-01-01" in text for hit in answer.hits for text in hit.found.evidence)


@pytest.mark.parametrize(("messages", "live"), [
    (("ALERT", "SUSPEND"), True),
    (("ALERT", "CANCEL"), False),
    (("ALERT", "FULFIL"), False),
    (("ALERT", "NO_LONGER_ADDRESSED"), False),
    (("ALERT", "SUSPEND", "RESUME"), True),
])  # fmt: skip
def test_live_alerts_alone_unless_ended_ones_are_asked_for(
    tmp_path: Path, messages: tuple[str, ...], live: bool
) -> None:
    """What speaks against acting on one stands beside it."""
    made = lives(*messages)
    assert bool(searched(tmp_path, made, "P00000001").hits) == live
    all_ = searched(tmp_path, [], "P00000001", ended=True)
    assert len(all_.hits) == 1
    assert bool(all_.hits[0].marks) == (messages[-1] != "RESUME")


def test_an_expired_alert_is_no_longer_live(tmp_path: Path) -> None:
    """By the network's time."""
    made = alerts(1)
    assert searched(tmp_path, made, "P00000001", now=NOW).hits
    late = made[0].arrival.expires_at
    assert not searched(tmp_path, [], "P00000001", now=late).hits
    assert searched(tmp_path, [], "P00000001", now=late, ended=True).hits[0].marks == ["EXPIRED"]


def test_the_version_that_counts_is_the_one_that_is_found(tmp_path: Path) -> None:
    """A number that an update has taken out finds nothing any more."""
    pen = Author.of("az-police")
    first = pen.write("person")
    fresh = {"identifiers": [{"type": "PASSPORT", "value": "Z99887766", "country": "AZ"}]}
    update = pen.follow(first, "UPDATE", record=fresh)
    made = [accepted(sent(first)), accepted(sent(update))]
    assert searched(tmp_path, made[:1], "P00000001").hits
    assert not searched(tmp_path, made[1:], "P00000001", ended=True).hits
    assert [hit.entry.version for hit in searched(tmp_path, [], "Z99887766").hits] == [2]


@settings(max_examples=30)
@given(st.data())
def test_what_is_indexed_is_found_by_its_own_number_in_any_raw_form(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever the number."""
    number = data.draw(st.from_regex(r"[A-Z]{1,2}[0-9]{6,9}", fullmatch=True))
    target = wanted("Tural Invented", number=number)
    answer = searched(
        tmp_path_factory.mktemp("inbox"), [*alerts(3, agency="eg-police"), target], data.draw(messy(number))
    )
    assert target.arrival.alert_id in ids(answer)


MESSAGES = ("UPDATE", "SUSPEND", "RESUME", "NO_LONGER_ADDRESSED", "FULFIL", "CANCEL", "WITHDRAW")


@settings(max_examples=30)
@given(st.lists(st.sampled_from(MESSAGES), max_size=4), st.randoms(use_true_random=False), st.integers(1, 4))
def test_an_index_kept_up_by_steps_is_the_one_made_anew(
    tmp_path_factory: pytest.TempPathFactory, messages: list[str], dice: random.Random, step: int
) -> None:
    """Whatever the order in which messages came, and however many at a time were taken in."""
    life = lives("ALERT", *messages)
    dice.shuffle(life)
    made = [*alerts(2, agency="eg-police"), *life, *mixture(2)]
    one, other = tmp_path_factory.mktemp("steps"), tmp_path_factory.mktemp("anew")
    with Inbox.open(one) as inbox, Index.open(one) as steps, Index.open(other) as anew:
        for message in made:
            inbox.take([message], now=NOW)
            steps.catch_up(inbox, most=step)
        steps.catch_up(inbox)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(indexing, "FAR_BEHIND", 1)
            patch.setattr(indexing, "ROUND", 3)
            anew.catch_up(inbox)
        assert told(steps) == told(anew)


def told(index: Index) -> tuple[list[Any], list[Any]]:
    """What is in an index, whatever its secret: keys as how many alerts they have, by the alerts."""
    docs = index.db.execute("select number, kind, state, expires_at, length(keys) from docs order by number").fetchall()
    lists: dict[int, list[int]] = {}
    for key, number in index.db.execute("select key, number from postings order by key, number"):
        lists.setdefault(int(str(key)), []).append(int(str(number)))
    assert index.count("staged") == 0
    return docs, sorted(lists.values())


def traces(folder: Path, hashes: Sequence[int]) -> list[int]:
    """Which of these hashes stand in the bytes of the index's files."""
    files = b"".join(file.read_bytes() for file in folder.glob(f"{FILE_NAME}*"))
    return [one for one in hashes if one.to_bytes(6) in files]


@pytest.mark.parametrize("gathered", [False, True])
def test_a_purge_leaves_no_trace_in_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gathered: bool) -> None:
    """Not even the hashes, among hundreds of others; names and numbers never stood there. Then the index says so."""
    if gathered:
        monkeypatch.setattr(indexing, "FAR_BEHIND", 1)
    pen = Author.of("az-police")
    record = {"names": [{"full": "Tural Qaradaghizade", "parts": [], "script": "", "lang": "", "kind": "BIRTH"}],
              "identifiers": [{"type": "PASSPORT", "value": "C01234567", "country": "AZ"}]}  # fmt: skip
    first = pen.write("person", record=record)
    other = Author.of("eg-police")
    crowd = [wanted(f"Someone Other{chr(97 + at % 26)}", number=f"K{at:08}", author=other) for at in range(150)]
    with filled(tmp_path, [*crowd[:75], accepted(sent(first)), *crowd[75:]]) as inbox, Index.open(tmp_path) as index:
        index.catch_up(inbox)
        everything = [(entry.agency, content("person", entry.record())) for entry in inbox.after(0, 999)]
        theirs = {key for agency, found in everything if agency == other.agency for key in listing.keys(found)}
        mine = {key for agency, found in everything if agency == pen.agency for key in listing.keys(found)}
        hashes = [hashed(key, index.secret) for key in mine - theirs]
        assert len(hashes) > 3
        assert sorted(traces(tmp_path, hashes)) == sorted(hashes)
        inbox.take([accepted(sent(pen.follow(first, "WITHDRAW")))], now=NOW)
        keeper = Keeper(tmp_path, "AZ", threading.Event())
        keeper.turn(inbox, index)
        assert traces(tmp_path, hashes) == []
        assert inbox.db.execute("select sink from purged_by").fetchall() == [(SINK,)]
        assert not find(index, inbox, query("C01234567", {}, ended=True), NOW).hits
        assert index.count() == 150
    files = b"".join(file.read_bytes() for file in tmp_path.glob(f"{FILE_NAME}*"))
    assert b"Someone" not in files
    assert b"K00000001" not in files


def test_what_is_withdrawn_while_it_is_read_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order comes between the reading of an alert and its listing: the round is done again."""
    made = lives("ALERT", "WITHDRAW")
    with filled(tmp_path, made[:1]) as inbox, Index.open(tmp_path) as index:
        keys = Index._keys

        def slow(self: Index, entry: Any) -> set[int]:
            found = keys(self, entry)
            if inbox.tip().number == 1:
                inbox.take(made[1:], now=NOW)
            return found

        monkeypatch.setattr(Index, "_keys", slow)
        index.catch_up(inbox)
        assert index.count() == 0
        assert index.count("postings") == 0


def test_an_edge_that_stops_does_not_wait_for_the_file_to_be_written_anew(tmp_path: Path) -> None:
    """What was begun is given up, and done at the next start."""
    with filled(tmp_path, alerts(300)) as inbox, Index.open(tmp_path) as index:
        index.catch_up(inbox)
        index.forget([1])
        stop = threading.Event()
        stop.set()
        index.db.set_progress_handler(stop.is_set, 10)
        with pytest.raises(apsw.InterruptError):
            index.scrub()
        index.db.set_progress_handler(None)
        assert index.db.execute("select value from meta where name = 'unscrubbed'").fetchall() == [(1,)]
        assert index.scrub()
        assert index.count() == 299


def test_content_past_its_retention_leaves_the_index(tmp_path: Path) -> None:
    """When the inbox empties it, the keeper takes it out."""
    made = lives("ALERT", "CANCEL")
    made += alerts(1, agency="eg-police", expires_at=NOW + 80 * DAY)
    with filled(tmp_path, made) as inbox, Index.open(tmp_path) as index:
        index.catch_up(inbox)
        assert index.count() == 2
        inbox.db.execute("insert into sinks values ('x', 99, 1, 0, 'OK', '')")
        later = NOW + 40 * DAY
        assert retention.empty_old(inbox.db, 30, later) == 1
        inbox.put_meta({"heartbeat_at": later})
        Keeper(tmp_path, "AZ", threading.Event()).turn(inbox, index)
        assert index.count() == 1


def test_an_index_of_another_inbox_is_made_anew(tmp_path: Path) -> None:
    """After a restore, what it listed stands for what is not there; a damaged file is no obstacle either."""
    with filled(tmp_path, alerts(3)) as inbox, Index.open(tmp_path) as index:
        index.catch_up(inbox)
        inbox.renew_id()
        assert index.waiting(inbox) == 3
        index.catch_up(inbox)
        assert index.count() == 3
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 1000)
    with Inbox.open(tmp_path) as inbox, Index.open(tmp_path) as index:
        assert index.catch_up(inbox) == 3


def test_an_index_made_by_other_rules_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade of the matcher its keys are others."""
    with filled(tmp_path, alerts(3)) as inbox, Index.open(tmp_path) as index:
        index.catch_up(inbox)
    monkeypatch.setattr(listing, "rules", lambda: "others")
    with Inbox.open(tmp_path) as inbox, Index.open(tmp_path) as index:
        assert index.waiting(inbox) == 3
        index.catch_up(inbox)
        assert index.waiting(inbox) == 0
        assert index.count() == 3


def test_an_alert_that_cannot_be_read_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a stranger wrote."""
    real = listing.keys

    def choking(found: Any) -> set[str]:
        if any(person.record["name"] == "Poison Invented" for person in found.persons):
            raise RecursionError("deep")
        return real(found)

    monkeypatch.setattr(listing, "keys", choking)
    made = [wanted("Poison Invented", number="C01234567"), *alerts(1, agency="eg-police")]
    assert len(searched(tmp_path, made, "P00000001").hits) == 1


HOSTILE = [
    "' or 1=1 --", '"; drop table docs; --', "NEAR(a b) AND c*", "[bold red]x[/]", "<script>alert(1)</script>", "%_%",
    "\u202eevil\u202c", "a" * 4000, " ".join(["محمد"] * 200), "Мohammed Аli", "\x00\x01\x02abc", "{{7*7}}",
    " ".join(f"name{at}" for at in range(200)), "ᚠᛇᚻ᛫ᛒᛦᚦ", "🚢🚢🚢", "𝟏𝟐𝟑𝟒𝟓𝟔", "\ud800abc",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_questions_are_only_text(tmp_path: Path, text: str) -> None:
    """They find nothing, or are refused in words; nothing crashes and nothing takes long."""
    made = [wanted("Tural Inventedoglu", number="C01234567")]
    with contextlib.suppress(InputError):
        assert not searched(tmp_path, made, text).hits
    with Index.open(tmp_path) as index:
        assert index.count() in (0, 1)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_a_question_or_refused_in_words(text: str, name: str) -> None:
    """Never another exception."""
    for given_ in ({"text": text}, {"text": "", "name": name}):
        try:
            asked = query(given_["text"], {}, name=given_.get("name", ""))
        except InputError:
            continue
        assert asked.asked() or asked.name


@pytest.mark.parametrize("wrong", [
    {"text": ""}, {"text": "  "}, {"text": "x"}, {"text": "7"}, {"text": "\u202e\u2069"}, {"text": "a" * 4001},
    {"text": "Omar", "born": "1984-13"}, {"text": "Omar", "born": "84"}, {"text": "Omar", "country": "AZE"},
    {"text": "Omar", "kinds": frozenset({"boat"})}, {"text": "Omar", "name": "Ali"},
])  # fmt: skip
def test_what_is_wrongly_asked_is_refused_in_words(wrong: dict[str, Any]) -> None:
    """With what to do about it."""
    given_ = dict(wrong)
    with pytest.raises(InputError) as caught:
        query(given_.pop("text"), {}, **given_)
    assert caught.value.remedy


def test_a_common_name_is_bounded_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest alone are compared, and the desk is told so."""
    monkeypatch.setattr(finding, "RARE", 5)
    monkeypatch.setattr(finding, "CANDIDATES", 5)
    pen = Author.of("eg-police")
    made = [wanted("Mohammed Ali", author=pen) for _ in range(12)]
    answer = searched(tmp_path, made, name="Muhammad Aly")
    assert len(answer.hits) == 5
    assert any("common" in text for text in answer.more)


def test_a_notice_alone_is_nothing_to_find(tmp_path: Path) -> None:
    """An alert that was left out before anything of it came."""
    gone = accepted(notice("az-police", alerts(1)[0].arrival.alert_id, 2))
    assert not searched(tmp_path, [gone], "P00000001", ended=True).hits
