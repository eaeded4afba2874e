"""The person matcher: laws that hold for any two records, and names that must or must not be taken for one person."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manara.matching import persons, similarity
from manara.matching.blocking import tokens, wide_tokens
from manara.matching.linking import MOST_CANDIDATES, link

LETTERS = "abdehiklmnorstuzAMŞçəğıöūʻ'’-. محمدعليالرحنوةىپچگںےہіїўқғҷӯҳЖцщьюя王김אב١۲७٣\u200f\u202e\u200c"
words = st.text(alphabet=LETTERS, max_size=12)
names = st.one_of(
    st.lists(words, max_size=5).map(" ".join),
    st.sampled_from(["Abd al-Rahman al-Houthi", "عبد الرحمن الحوثي", "Жүнісов Нұрсұлтан", "Ould Sidi", "X"]),
)
years = st.integers(1, 2099).map("{:04d}".format)
dates = st.one_of(
    years, st.dates().map(str), st.sampled_from(["0001-01-01", "2099-12-31", "1970-13-45", "", "?", "١٩٧٠"])
)
records = st.fixed_dictionaries(
    {
        "name": names,
        "aliases": st.lists(names, max_size=3),
        "dob": st.lists(dates, max_size=3),
        "countries": st.lists(st.sampled_from(["dz", "fr", "KZ", "", "ly"]), max_size=2),
    }
)
Record = dict[str, Any]


def person(name: str, *, aliases: tuple[str, ...] = (), dob: str = "", country: str = "") -> Record:
    """A record as the scorers give it."""
    return {"name": name, "aliases": list(aliases), "dob": [dob] * bool(dob), "countries": [country] * bool(country)}


@given(records, records)
@settings(max_examples=150, deadline=None)
def test_a_score_is_the_same_in_both_directions_and_lies_between_0_and_1(a: Record, b: Record) -> None:
    """Symmetry, bounds, determinism; the explained score is the plain score."""
    value = persons.score(a, b)
    assert 0.0 <= value <= 1.0
    assert value == persons.score(b, a) == persons.score(a, b) == persons.explain(a, b).score


@given(names, names)
@settings(max_examples=100, deadline=None)
def test_unicode_forms_direction_marks_and_the_order_of_words_change_nothing(one: str, other: str) -> None:
    """NFC and NFD, marks of direction and turned words are the same name."""
    expected = persons.score(person(one), person(other))
    for same in (unicodedata.normalize("NFD", one), unicodedata.normalize("NFC", one), f"\u202b{one}\u202c\u200e"):
        assert persons.score(person(same), person(other)) == expected
    turned = " ".join(reversed(one.split()))
    assert persons.score(person(turned), person(other)) == expected


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_the_matcher(one: str, other: str) -> None:
    """Any text at all gives a score, evidence and tokens."""
    found = persons.explain(person(one), person(other))
    assert found.evidence
    assert found.band in {"STRONG", "PROBABLE", "POSSIBLE", "NONE"}
    assert all(":" in token for token in tokens(persons.prepare(person(one))))


@pytest.mark.parametrize("empty", ["", " ", "-", "...", "\u200f", "a", "م", "a b c", "١٩٧٠", "al", "bin al"])
def test_nothing_matches_by_emptiness(empty: str) -> None:
    """Empty and one-letter names match nobody, not even themselves, whatever dates and countries say,
    and give no token.
    """
    record = person(empty, dob="1970-01-01", country="dz")
    for other in (record, person("Ahmed Ben Ali", dob="1970-01-01", country="dz")):
        assert persons.explain(record, other).band == "NONE"
    assert tokens(persons.prepare(record)) == wide_tokens(persons.prepare(record)) == ()


def test_an_alias_that_is_one_common_word_does_not_decide() -> None:
    """Two men known as Mohammed are two men; a common alias adds nothing to names that differ."""
    a = person("Karim Benzema", aliases=("Mohammed",))
    b = person("Oleg Petrov", aliases=("Muhammad",))
    assert persons.explain(a, b).band == "NONE"
    assert persons.explain(person("Mohammed"), person("Muhammad", dob="1970")).band == "NONE"


SAME = [
    ("Abd al-Rahman al-Houthi", "عبدالرحمن الحوثي"),
    ("Abderrahmane Bouzid", "Abdul Rahman Abu Zayd"),
    ("Obaidullah Niazi", "عبید اللہ نیازی"),
    ("Noureddine Cherif", "Nur al-Din Sharif"),
    ("Mamadou Diallo", "Muhammad Jalloh"),
    ("Ousmane Camara", "Usman Kamara"),
    ("Djamel Boumediene", "Gamal Boumedien"),
    ("Иван Николаевич Жуков", "Ivan Nikolajevitj Zjukov"),
    ("Уладзімір Мікалаевіч Герасімаў", "Vladimir Nikolaevich Gerasimov"),
    ("Жүнісов Нұрсұлтан", "Nursultan Zhunisov"),
    ("Rəşid Məmmədov", "Рашид Мамедов"),
    ("Gholamreza Soleimani", "غلامرضا سلیمانی"),
    ("Zulkifli bin Idris", "Dzulkifly Iderus"),
    ("Xasan Cumar Warsame", "Hassan Omar Warsameh"),
    ("Magomed Gadzhiev", "Muhammad Hajiyev"),
    ("Shahbaz Chaudhry", "شہباز چوہدری"),
    ("ГOBOP Роман", "Roman Govor"),
    ("Zigor ORBEsevillano", "Zigor Orbe Sevillano"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_name_are_found_across_countries_and_scripts(one: str, other: str) -> None:
    """Names alone, without date or country, reach a proposal at least to ask a person, and share a token."""
    found = persons.explain(person(one), person(other))
    assert found.band != "NONE", found
    left, right = persons.prepare(person(one)), persons.prepare(person(other))
    shared = {*tokens(left), *wide_tokens(left)} & {*tokens(right), *wide_tokens(right)}
    assert shared


DIFFERENT = [
    ("Hasan Ali", "Husain Ali"),
    ("Abdul Rahim Khan", "Abdul Rahman Khan"),
    ("Ahmed Ould Sidi", "Hamid Ould Sidi"),
    ("Mamadou Diallo", "Amadou Diallo"),
    ("Ivan Petrovich Ivanov", "Ivan Pavlovich Sidorov"),
    ("Ali Hassan", "علي حسين"),
    ("Muhammad Khan", "Muhammad Gul"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_near_names_of_others_are_not_proposed(one: str, other: str) -> None:
    """Well-known names that differ in a letter stay apart."""
    assert persons.explain(person(one), person(other)).band in {"NONE", "POSSIBLE"}
    apart = persons.explain(person(one, dob="1960-03-04"), person(other, dob="1985-11-12"))
    assert apart.band == "NONE"


def test_birth_dates_weigh_by_degrees() -> None:
    """Equal, year only, swapped, a year off, far apart:
    each grade speaks less for the same person than the one before.
    """
    one = person("Rachid Ghannouchi", dob="1971-04-05")
    others = ("1971-04-05", "1971", "1971-05-04", "1970-04-05", "1950-09-22")
    scores = [persons.score(one, person("Rashid Gannushi", dob=date)) for date in others]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.9
    assert scores[-1] < 0.5


def test_evidence_says_what_agreed_how_rare_it_is_and_what_spoke_against() -> None:
    """The sentences name the parts, the family, the rarity, the dates and the countries."""
    a = person("Mohammed Hassan Bensouda", dob="1970-01-02", country="qa")
    b = person("محمد حسين بنسودة", dob="1970-02-01", country="eg")
    said = " | ".join(persons.explain(a, b).evidence)
    for words_ in ("spellings of one name (muhammad), a common part", "across scripts", "a rare part", "against:"):
        assert words_ in said
    assert "day and month swapped" in said
    assert "no country is shared" in said


def test_a_name_of_200_words_costs_a_bounded_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the names and however many the aliases, alignments are counted and bounded."""
    steps = 0
    spelled = similarity.spelled

    def counted(left: str, right: str) -> float:
        nonlocal steps
        steps += 1
        return spelled(left, right)

    monkeypatch.setattr(similarity, "spelled", counted)
    long = [" ".join(f"Bar{chr(97 + i % 26)}{chr(97 + k)}ov" for i in range(200)) for k in range(26)]
    a = person(long[0], aliases=tuple(long[1:]))
    b = person(long[25], aliases=tuple(f"{name} Petrov" for name in long[:25]))
    assert 0.0 <= persons.score(a, b) <= 1.0
    assert 0 < steps <= 16 * 12 * 12 * 2
    assert persons.score(person("x" * 1_000_000), person("y" * 1_000_000)) == 0.0


def test_grouping_joins_sightings_and_never_across_birth_dates_far_apart() -> None:
    """Three spellings are one group; a namesake born thirty years later is another; the order does not matter."""
    mentions = [
        {"mention": "m1", "name": "Mamadou Sidibe", "dob": ["1970-05-04"], "countries": ["ml"]},
        {"mention": "m2", "name": "Muhammad Sidibeh", "dob": ["1970"], "countries": []},
        {"mention": "m3", "name": "SIDIBÉ Mohamed", "dob": ["1970-04-05"], "countries": ["ml"]},
        {"mention": "m4", "name": "Mamadou Sidibe", "dob": ["2001-01-01"], "countries": ["ml"]},
        {"mention": "m5", "name": "Igor Vashchenko", "dob": [], "countries": []},
        {"mention": "m6", "name": "", "dob": ["1970"], "countries": ["ml"]},
    ]
    groups = link(mentions)
    assert groups["m1"] == groups["m2"] == groups["m3"] == "m1"
    assert len({groups[m] for m in ("m1", "m4", "m5", "m6")}) == 4
    assert groups == link(list(reversed(mentions)))


def test_candidates_grow_with_mentions_and_not_with_their_square() -> None:
    """A thousand namesakes make no more candidate pairs than the bound a mention allows."""
    mentions = [{"mention": f"m{i:04d}", "name": f"Muhammad Khan {chr(97 + i % 26)}ar", "dob": []} for i in range(1000)]
    link(mentions)
    assert link.scored <= MOST_CANDIDATES * len(mentions)
