"""Search keys of numbers: one a number, in whatever raw form it is written; none for what says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.search.numbers import FAMILIES, KINDS, SHORTEST, asked, keys
from tests.support.raw_forms import messy

SAMPLES = {
    "PASSPORT": "C01234567",
    "ID_CARD": "AA1234567",
    "NATIONAL_NUMBER": "10000000146",
    "TAX_NUMBER": "4560000123",
    "DRIVING_LICENCE": "DL-99887766",
    "OTHER": "X77-554433",
    "IBAN": "TR330006100519786457841326",
    "ACCOUNT": "40817810099910004312",
    "IMO": "IMO9074729",
    "MMSI": "271000000",
    "CALLSIGN": "TCXY7",
    "PLATE": "10-AA-123",
    "VIN": "1M8GDM9AXKP042788",
    "CONTAINER": "CSQU3054383",
    "TAIL_NUMBER": "TC-JRE",
    "PHONE": "+994501234567",
}


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@settings(max_examples=25)
@given(data=st.data())
def test_a_number_is_found_by_itself_in_any_raw_form(kind: str, data: st.DataObject) -> None:
    """Spaces, dashes, small letters, digits of four scripts, marks of direction: the key is the same."""
    written = SAMPLES[kind]
    typed = data.draw(messy(written))
    listed = set(keys(kind, written, "AZ" if kind == "PLATE" else ""))
    assert listed
    assert listed & set(asked(typed))
    assert listed & set(asked(typed, FAMILIES[kind]))


@given(st.sampled_from(sorted(SAMPLES)), st.sampled_from(sorted(SAMPLES)))
def test_different_numbers_share_no_key(one: str, other: str) -> None:
    """Exact is exact."""
    if one != other:
        assert not set(keys(one, SAMPLES[one])) & set(asked(SAMPLES[other]))


@given(st.text(max_size=300), st.sampled_from(["", *KINDS]))
def test_any_text_is_bounded_and_none_is_found_by_too_little(text: str, kind: str) -> None:
    """Never an exception, never a key of fewer than three letters or digits."""
    found = asked(text, kind)
    assert len(found) <= 3 * len(KINDS)
    for key in found:
        assert sum(char.isalnum() for char in key.split(":", 2)[2]) >= SHORTEST


@pytest.mark.parametrize("text", ["", " ", "-", "a", "7", "\u202e\u2066", "..//--", "٣", "IM"])
def test_nothing_is_found_by_emptiness(text: str) -> None:
    """Whatever is left of it after folding is too little."""
    assert asked(text) == ()
    assert all(not keys(kind, text) for kind in FAMILIES)


def test_letters_of_other_scripts_are_not_lost() -> None:
    """Two documents that differ in their Arabic letter alone are two documents."""
    assert set(keys("PASSPORT", "ب 123456")) != set(keys("PASSPORT", "ج 123456"))
    assert keys("PASSPORT", "ب 123456") == keys("ID_CARD", "ب١٢٣٤٥٦")


def test_a_machine_readable_field_is_found_with_and_without_its_check_digit() -> None:
    """ICAO 9303: nine characters and the check digit."""
    assert set(keys("PASSPORT", "6H8V1XFKJ")) & set(asked("6h8v1xfkj8", "document"))
    assert set(keys("PASSPORT", "6H8V1XFKJ8")) & set(asked("6H8V1XFKJ", "document"))
    assert not set(keys("PASSPORT", "6H8V1XFKJ")) & set(asked("6H8V1XFKJ5", "document"))


def test_a_phone_is_found_without_its_country_code() -> None:
    """By its last digits, and exactly where the country is given."""
    listed = keys("PHONE", "+994 50 123 45 67")
    assert listed[0] in asked("050 123-45-67", "phone", "AZ")
    assert set(listed) & set(asked("050 123-45-67", "phone"))


def test_a_plate_is_found_with_and_without_its_state() -> None:
    """The state in front is no part of the number."""
    listed = set(keys("PLATE", "10-AA-123", "AZ"))
    assert listed & set(asked("AZ-10AA123", "plate"))
    assert listed & set(asked("10 aa 123"))
