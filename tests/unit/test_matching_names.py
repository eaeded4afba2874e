"""Names taken apart: letters of all scripts, sounds, joined forms, families, rarity, tokens and birth dates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.matching.alignment import align, likeness_of
from manara.matching.births import GRADES, births, grade
from manara.matching.blocking import MOST_TOKENS, tokens
from manara.matching.features import FEATURES
from manara.matching.names import MOST_PARTS, Name, name, part
from manara.matching.persons import prepare, weights
from manara.matching.rarity import LEAST, counts, rarity
from manara.matching.script import romanise, words
from manara.matching.tables import rows


def taken_apart(written: str) -> Name:
    """A name that must have parts."""
    found = name(written)
    assert found is not None
    return found


def keys(written: str) -> set[str]:
    """What the parts of a name are counted under."""
    return {one.key for one in taken_apart(written).parts}


@pytest.mark.parametrize(
    ("native", "latin"),
    [
        ("Жүнісов", "zhunisov"),
        ("Ғайрат", "ghayrat"),
        ("Тоҷик", "tojik"),
        ("Ўткир", "utkir"),
        ("چوہدری", "chwhdry"),
        ("پښتون", "pshtwn"),
        ("Şükrü", "shukru"),
        ("Əliyev", "aliyev"),
        ("Ouédraogo", "ouedraogo"),
        ("გიორგი", "giorgi"),
        ("ГOBOP", "govor"),
    ],
)
def test_letters_of_the_57_states_become_plain_latin(native: str, latin: str) -> None:
    """No letter of these scripts is lost or left; Latin letters in a Cyrillic word are read as what they look like."""
    assert romanise(words(native)[0]) == latin


@given(st.text(max_size=60))
def test_any_text_becomes_letters_a_to_z(text: str) -> None:
    """Whatever the script, words hold plain letters only after romanising."""
    for word in words(text):
        latin = romanise(word)
        assert latin == "" or (latin.isascii() and latin.isalpha() and latin.islower())


@pytest.mark.parametrize(
    "written",
    ["Abd al-Rahman", "Abdul Rahman", "Abdurrahman", "Abderrahmane", "Abdel-Rahman", "عبد الرحمن", "عبدالرحمن"],
)
def test_servant_of_the_merciful_is_two_parts_in_every_spelling(written: str) -> None:
    """Joined or apart, in Arabic or Latin."""
    assert keys(written) == {"abd", "rahman"}


@pytest.mark.parametrize("written", ["Abdullah", "Abd Allah", "Abdallah", "Abdoulaye", "عبد الله", "عبدالله"])
def test_servant_of_god_is_one_name(written: str) -> None:
    """It is borne alone, so it stays one part."""
    assert keys(written) == {"abdullah"}


@pytest.mark.parametrize("written", ["Nur al-Din", "Noureddine", "Nooruddin", "نور الدين", "نورالدین"])
def test_light_of_the_faith_is_two_parts_in_every_spelling(written: str) -> None:
    """-uddin, -eddine and al-Din are the same."""
    assert keys(written) == {"nur", "din"}


def test_particles_fall_out_and_titles_weigh_little_beside_other_parts() -> None:
    """bin and al are no names; Sheikh is one only where little else is."""
    assert keys("Ahmad bin Yusuf al-Harbi") == {"ahmad", "yusuf", "harbi"}
    beside = {one.key: one.weight for one in taken_apart("Sheikh Ahmad Boukhari").parts}
    alone = {one.key: one.weight for one in taken_apart("Zulfiqar Sheikh").parts}
    assert beside["shaikh"] < alone["shaikh"]


def test_patronymics_are_read_through_every_slavic_spelling() -> None:
    """Nikolaevich, Mikalaevich and Mykolayovych are one father's name; son and daughter differ."""
    sons = {part(text, arabic=False).key for text in ("nikolaevich", "mikalaevich", "mykolayovych", "nikolajevitj")}
    assert len(sons) == 1
    assert part("nikolaevna", arabic=False).key not in sons


@pytest.mark.parametrize(
    ("one", "other"),
    [("Houari", "Hawari"), ("Zjukov", "Zhukov"), ("Charchenko", "Kharchenko"), ("Wattara", "Ouattara")],
)
def test_letters_that_countries_read_differently_sound_alike(one: str, other: str) -> None:
    """French, English, Swedish and German spellings agree."""
    left, right = taken_apart(one).parts[0], taken_apart(other).parts[0]
    assert likeness_of(left, right) == likeness_of(right, left) > 0.85


def test_two_well_known_names_are_never_alike() -> None:
    """Hasan is not Husain, however few letters lie between."""
    left, right = taken_apart("Hasan").parts[0], taken_apart("Husein").parts[0]
    assert likeness_of(left, right) < 0.6


def test_a_word_written_apart_agrees_with_the_whole_one() -> None:
    """Jong-un and Jongun, Ben Ali and Benali."""
    found = align(taken_apart("Kim Jongun"), taken_apart("Kim Jong-un"))
    assert len(found.agreements) == 2
    assert not found.left_over + found.right_over


def test_parts_of_a_name_are_bounded_and_the_rarest_are_kept() -> None:
    """Of 200 words the twelve rarest count."""
    found = taken_apart("Muhammad " * 150 + " ".join(f"Quxb{a}{b}r" for a in "aeiou" for b in "klmnprstvz"))
    assert len(found.parts) == MOST_PARTS
    assert all(one.key != "muhammad" for one in found.parts)


def test_rarity_falls_with_bearers_and_stays_within_bounds() -> None:
    """Everybody's name weighs least; a name nobody counted bears weighs 1."""
    assert LEAST <= rarity("muhammad") < rarity("ibrahim") < rarity("~never-counted") == 1.0
    assert min(counts().values()) >= 2


def test_tokens_are_bounded_classed_and_the_rarest_come_first() -> None:
    """A pair of rare parts stands before a pair of common ones; many aliases make no more than the bound."""
    few = tokens(prepare({"name": "Muhammad Ahmad Zworykin", "dob": ["1970-01-01"]}))
    assert few.index("name:~srkn") < few.index("name:ahmad+muhammad")
    assert "dated:ahmad+muhammad+1970" in few
    many = prepare({"name": "A Bc", "aliases": [f"Xar{c}b Yur{c}d Zol{c}k" for c in "aeioubcdfghjklm"]})
    assert len(tokens(many)) <= MOST_TOKENS


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1970-05-04", "1970-05-04", "EQUAL"),
        ("1970", "1970-05-04", "CONTAINED"),
        ("1970-05", "1970-05-04", "CONTAINED"),
        ("1970-05-04", "1970-04-05", "SWAPPED"),
        ("1970-05-04", "1970-05-06", "DAY"),
        ("1970-05-04", "1971-05-04", "YEAR"),
        ("1970-05-04", "1990-05-04", "DIGIT"),
        ("1970-05-04", "1970-11-23", "YEARS"),
        ("1970-05-04", "1973-11-23", "NEAR"),
        ("0001-01-01", "2099-12-31", "FAR"),
        ("", "1970", "MISSING"),
        ("١٩٧٠-٠٥-٠٤", "۱۹۷۰-۰۵-۰۴", "EQUAL"),
        ("१९७०", "1970", "CONTAINED"),
        ("soon", "1970", "MISSING"),
    ],
)
def test_birth_dates_are_graded(one: str, other: str, expected: str) -> None:
    """Each grade has its case, in both directions, in digits of four scripts."""
    assert grade(births((one,)), births((other,))) == grade(births((other,)), births((one,))) == expected
    assert expected in GRADES


def test_the_tables_are_sound() -> None:
    """Every feature has a weight, every line of the tables has two fields, no spelling stands in a family twice."""
    assert set(weights()) == set(FEATURES)
    assert any(weights().values())
    for file in ("letters.tsv", "sounds.tsv", "costs.tsv", "parts.tsv", "families.tsv", "bearers.tsv", "weights.tsv"):
        found = list(rows(file))
        assert found
        assert all(first and rest for first, rest in found)
    names = [first for first, _ in rows("families.tsv")]
    assert len(names) == len(set(names))
