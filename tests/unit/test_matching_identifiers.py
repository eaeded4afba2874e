"""Identifiers: one normal form each, judged by their check digits, strong ones joining and weak ones never."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manara.matching.identifiers import JUDGES, agree, guesses, judge, token
from manara.matching.identifiers.keccak import keccak256

CASES = Path(__file__).parents[1] / "quality" / "data" / "identifiers.ndjson.gz"
KINDS = sorted(JUDGES)

GOOD = {
    "iban": "TR330006100519786457841326",
    "imo": "IMO9074729",
    "vin": "1M8GDM9AXKP042788",
    "container": "CSQU3054383",
    "mrz_document_number": "L898902C36",
    "imei": "490154203237518",
    "wallet": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
}
"""Published specimens of each standard, all with check digits; the last place (VIN: the ninth) checks the others."""


def cases() -> list[dict[str, Any]]:
    """The 484 cases of the development data."""
    return [json.loads(line) for line in gzip.decompress(CASES.read_bytes()).decode().splitlines()]


def test_every_case_of_the_development_data_is_normalised_and_judged_right() -> None:
    """All 484: spaces, dashes, case, digits of four scripts, direction marks, look-alike letters."""
    wrong = [
        (case["raw"], found)
        for case in cases()
        if ((found := judge(case["type"], case["raw"], case.get("country", ""))).value, found.valid)
        != (case["normal"], case["valid"])
    ]
    assert wrong == []
    assert len(cases()) == 484


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_published_specimen_is_valid_and_strong(kind: str) -> None:
    """The specimens of the standards themselves pass."""
    found = judge(kind, GOOD[kind])
    assert found.valid
    assert found.strong
    assert token(found)


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_every_other_check_digit_is_judged_wrong(kind: str) -> None:
    """Nine changed check digits, nine refusals, none of them a token (but VINs of makers who write none)."""
    right = GOOD[kind]
    places = (2, 3) if kind == "iban" else (8,) if kind == "vin" else (len(right) - 1,)
    for place in places:
        for digit in "0123456789":
            changed = right[:place] + digit + right[place + 1 :]
            if changed != right:
                assert not judge(kind, changed).valid, changed
                assert token(judge(kind, changed)) == ""


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(KINDS), st.text(max_size=80), st.sampled_from(["", "TR", "IR", "RU", "SA", "KZ", "IT", "??"]))
def test_normalising_twice_changes_nothing(kind: str, raw: str, country: str) -> None:
    """The normal form of a normal form is itself, whatever the text was."""
    once = judge(kind, raw, country)
    assert judge(kind, once.value, country).value == once.value


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.text(
        st.sampled_from("0123456789٠١٢٣۴۵۶OIABCUZXабвАВЕأبج -+@.<>/()'\u200e\u200f\u202e\u200d\u0301x"), max_size=60
    ),
    st.sampled_from(["", "TR", "IR", "RU", "SA", "KZ", "IT", "US"]),
)
def test_normalising_twice_changes_nothing_in_numbers(kind: str, raw: str, country: str) -> None:
    """The same over text that looks like numbers, with marks of direction and joining inside."""
    once = judge(kind, raw, country)
    twice = judge(kind, once.value, country)
    assert twice.value == once.value
    assert once.strong <= (once.valid or kind == "vin")
    assert (token(once) == "") == (not once.strong)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raw", ["", " ", "\u200e", "-", "A", "0", "0000000000", "9" * 500, "UNKNOWN", "N/A", "١"])
def test_nothing_joins_by_emptiness_or_by_filler(kind: str, raw: str) -> None:
    """Empty, one-letter and placeholder values have no token."""
    assert token(judge(kind, raw, "TR")) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_text_is_judged_in_bounded_time(kind: str) -> None:
    """A megabyte of marks, of letters that grow when composed, of almost-addresses: no crash, no long thought."""
    start = time.process_time()
    for piece in ("\u202e", "\ufdfa", "ß", "a.", "@", "1", "<", "İ", "+0", "\ud800"):
        found = judge(kind, piece * 500_000)
        assert len(found.value) <= 260
        assert judge(kind, "a@" + piece * 500_000, "TR").country in ("", "TR")
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("raw", "country", "normal"),
    [
        ("0532 771 45 67", "TR", "+905327714567"),
        ("+90 (0) 532 771 45 67", "", "+905327714567"),
        ("0090 532 771 45 67", "", "+905327714567"),
        ("905327714567", "TR", "+905327714567"),
        ("8 (701) 771 45 67", "KZ", "+77017714567"),
        ("701 771 45 67", "KZ", "+77017714567"),
        ("٠١٠١٢٣٥٥٦٧٨", "EG", "+201012355678"),
        ("tel:+971 50 771 4567 ext. 12", "", "+971507714567"),
        ("06 6982 5678", "IT", "+390669825678"),
        ("+1 (268) 464-1234", "AG", "+12684641234"),
    ],
)
def test_a_telephone_number_becomes_international(raw: str, country: str, normal: str) -> None:
    """National writing, trunk prefixes, two ways to say the country code, extensions, other digits."""
    found = judge("PHONE", raw, country)
    assert (found.value, found.valid, found.strong) == (normal, True, True)


def test_a_national_telephone_number_without_country_joins_nothing() -> None:
    """Nobody can tell whose it is."""
    assert token(judge("phone", "0532 771 45 67")) == ""


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", True),
        ("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", True),
        ("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d35A", False),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", True),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", True),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", True),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", False),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", True),
        ("bitcoin:3P14159f73E4gFr7JterCCQh9QjiTjiZrG?amount=1", True),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", True),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", False),
        ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", False),
    ],
)
def test_a_wallet_is_judged_by_its_checksum(address: str, valid: bool) -> None:
    """Specimens of EIP-55, BIP 173, BIP 350 and base58check; the last is of the test network."""
    found = judge("wallet", address)
    assert found.valid == valid
    assert (token(found) != "") == valid


def test_keccak_is_the_one_of_ethereum() -> None:
    """The digest of nothing and of a text longer than one block, as published."""
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_papers_join_across_the_names_that_agencies_give_them() -> None:
    """A passport of one agency is another's OTHER or the field of a machine-readable zone; O and 0 count as one."""
    tokens = {
        token(judge("PASSPORT", "fx0py85cp", "TR")),
        token(judge("mrz_document_number", "FX0PY85CP5")),
        token(judge("OTHER", "FXOPY85CP", "TR")),
    }
    assert len(tokens) == 1
    assert tokens != {""}


def test_a_number_of_digits_alone_needs_its_state() -> None:
    """Two states give the same eight digits; without a state they join nothing."""
    here, there = judge("PASSPORT", "48120573", "TR"), judge("PASSPORT", "48120573", "EG")
    assert token(here) != token(there)
    assert not agree(here, there)
    assert token(judge("PASSPORT", "48120573")) == ""


def test_a_mixed_number_that_two_states_gave_is_not_the_same_paper() -> None:
    """The token finds the pair, the states speak against it."""
    here, there = judge("PASSPORT", "U48120573", "TR"), judge("PASSPORT", "U48120573", "EG")
    assert token(here) == token(there)
    assert not agree(here, there)
    assert agree(here, judge("PASSPORT", "U 4812 0573"))


@pytest.mark.parametrize(
    ("country", "right", "wrong"),
    [
        ("TR", "10000000146", "10000000147"),
        ("IR", "0013542419", "0013542418"),
        ("KZ", "850101300015", "850101300018"),
        ("SA", "1012345672", "1012345673"),
        ("AE", "784197412345676", "784197412345673"),
    ],
)
def test_national_numbers_with_check_digits_are_judged(country: str, right: str, wrong: str) -> None:
    """Five states' rules."""
    assert judge("NATIONAL_NUMBER", right, country).valid
    assert not judge("NATIONAL_NUMBER", wrong, country).valid


@pytest.mark.parametrize(
    ("raw", "country", "other"),
    [
        ("А123ВС 777", "RU", "a123bc777"),
        ("۱۲ ب ۳۴۵ ایران ۶۷", "IR", "12ب345-67"),
        ("أ ب ج ٧٨٩١", "SA", "ا ب ج 7891"),
        ("12 الف 345 67", "IR", "۱۲ا۳۴۵۶۷"),
        ("34 ABC 123", "TR", "34abc123"),
    ],
)
def test_a_plate_is_one_in_every_writing(raw: str, country: str, other: str) -> None:
    """Arabic, Persian, Cyrillic and Latin letters; the state belongs to the plate."""
    assert agree(judge("PLATE", raw, country), judge("PLATE", other, country))
    assert token(judge("PLATE", raw)) == ""


def test_mail_boxes_join_and_offices_do_not() -> None:
    """Tags and Gmail's dots lead to one box; info@ is everybody's."""
    assert token(judge("EMAIL", "Ali <Ali.Veli+x@GoogleMail.com>")) == token(judge("EMAIL", "aliveli@gmail.com"))
    assert token(judge("EMAIL", "info@example.com")) == ""
    assert not judge("EMAIL", "ali@veli@example.com").valid


def test_a_number_without_its_kind_is_guessed_by_its_own_check() -> None:
    """What a searching officer types."""
    assert [i.kind for i in guesses("tr33 0006 1005 1978 6457 8413 26")] == ["iban"]
    assert [i.kind for i in guesses("CSQU 305438-3")] == ["container"]
    assert [i.kind for i in guesses("U48120573")] == ["passport"]
    assert guesses("istanbul") == ()


def test_an_unknown_kind_is_judged_not_valid() -> None:
    """No exception: the reason is in the answer."""
    assert not judge("HOROSCOPE", "Leo").valid
