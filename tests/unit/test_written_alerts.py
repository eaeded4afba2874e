"""From what a person writes to the Avro record: friendly writing is understood, and every error is said at once with
its line.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import checking, reading, shapes
from producers.commands.templates import template
from producers.composing import Author, Draft, compose
from producers.errors import AuthorError, FaultyError
from producers.nodes import Node, from_python
from schemas import codec, registry
from schemas.registry import ALERT_KINDS
from tests.support.agency import wanted
from tests.support.alerts import alert_id
from tests.support.directories import NOW, network

AUTHOR = Author.of("az-police")
NEW_ID = alert_id(7)


def draft_of(text: str) -> Draft:
    """The draft of the first alert in a YAML text."""
    return compose(next(reading.yaml_documents(text)), AUTHOR, NOW, lambda: NEW_ID)


def draft(**changes: Any) -> Draft:
    """The draft of a wanted person with other fields."""
    return compose(from_python({"kind": "person", "audience": "ALL", **wanted(**changes)}), AUTHOR, NOW, lambda: NEW_ID)


def faults(found: Draft) -> dict[str, str]:
    """Path to rule."""
    return {fault.path: fault.rule for fault in checking.judge(found, network().directory, NOW)}


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_a_template_that_was_filled_in_as_its_comments_say_checks_clean(kind: str) -> None:
    """Each empty field gets the value that its comment gives as an example."""
    example = re.compile(r"^(\s*(?:- )?[a-z_]+:)\s*(?:\[\])?\s*#.*for example: (.*)$", re.MULTILINE)
    text, filled = example.subn(r"\1 \2", template(kind))
    assert filled > 10
    found = draft_of(text)
    assert checking.judge(found, network().directory, NOW) == []
    codec.encode(registry.by_name(kind), found.record)


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_an_empty_template_says_everything_that_is_missing_with_its_line(kind: str) -> None:
    """Many errors at once, each on the line of its own field."""
    text = template(kind)
    found = checking.judge(draft_of(text), network().directory, NOW)
    assert len(found) >= 8
    lines = text.splitlines()
    for fault in found:
        last = re.findall(r"[a-z_]+", fault.path)[-1]
        assert f"{last}:" in lines[fault.line - 1], fault


def test_all_errors_of_a_file_come_at_once_with_line_field_value_and_remedy() -> None:
    """Form and rules together, in the order of the lines."""
    text = """kind: person
audience: {all_but: [Norway, Atlantis]}
status: excercise
category: WNT
action: LOCATE
expires_at: 2020-01-01
names: [{full: A, kind: alais}]
nationalities: [NO]
births: [1984-02-31]
identifierz: []
"""
    found = checking.judge(draft_of(text), None, NOW)
    seen = [(fault.line, fault.path, fault.rule, fault.value) for fault in found]
    assert (2, "audience", "FORM_NOT_A_COUNTRY", "Atlantis") in seen
    assert (3, "status", "FORM_NOT_IN_LIST", "excercise") in seen
    assert (6, "expires_at", "RULE_EXPIRY_ORDER", "2020-01-01") in seen
    assert (7, "names[0].kind", "FORM_NOT_IN_LIST", "alais") in seen
    assert (9, "births[0].date", "FORM_NOT_A_DATE", "1984-02-31") in seen
    assert (10, "identifierz", "FORM_UNKNOWN_FIELD", "") in seen
    assert [fault.line for fault in found] == sorted(fault.line for fault in found)
    assert all(fault.remedy for fault in found)
    assert next(fault.remedy for fault in found if fault.path == "identifierz") == "did you mean `identifiers`?"


@pytest.mark.parametrize(
    ("field", "written", "expected"),
    [
        ("nationalities", "Azerbaijan", ["AZ"]),
        ("nationalities", ["NO", "Марокко", "مصر", "Türkiye"], ["NO", "MA", "EG", "TR"]),
        ("sex", "f", "FEMALE"),
        ("names", "Иван Иванов", [{"full": "Иван Иванов", "parts": [], "script": "Cyrl", "lang": "", "kind": "BIRTH"}]),
        ("births", "1984-05", [{"date": "1984-05", "place": "", "country": ""}]),
        ("warnings", "suicide risk", ["SUICIDE_RISK"]),
    ],
)
def test_friendly_writing_becomes_the_record(field: str, written: object, expected: object) -> None:
    """Names of countries, one value for a list, any case, a text for a record with one main field."""
    found = draft(**{field: written})
    assert found.record[field] == expected
    assert not found.faults


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-12-01T12:00:00Z", 1_796_126_400_000_000),
        ("2026-12-01T15:00:00+03:00", 1_796_126_400_000_000),
        ("2026-12-01", 1_796_083_200_000_000 + 86_399_000_000),
        ("+2d", NOW + 2 * 86_400_000_000),
        ("+36h", NOW + 36 * 3_600_000_000),
    ],
)
def test_a_time_is_understood_with_its_zone_and_an_expiry_date_holds_to_the_end_of_its_day(
    written: str, micros: int
) -> None:
    """Microseconds since the epoch, UTC."""
    assert draft(expires_at=written).header["expires_at"] == micros


@pytest.mark.parametrize("written", ["2026-12-01T12:00:00", "1.12.2026", "tomorrow", "+2w"])
def test_a_time_that_could_mean_two_things_is_refused(written: str) -> None:
    """No zone, no guess."""
    assert faults(draft(expires_at=written))["expires_at"] in ("FORM_TIME_WITHOUT_ZONE", "FORM_NOT_A_TIME")


def transfer(amount: str, currency: str) -> Draft:
    """A transfer of this amount."""
    movement = {"ref": "T", "at": "2026-11-01", "amount": amount, "currency": currency, "from": "A1", "to": "B1"}
    written = {"kind": "transfer", "audience": "ALL", "expires_at": "+1d", "transfers": [movement]}
    return compose(from_python(written), AUTHOR, NOW, str)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1250.00", "eur", 125_000),
        ("1 250,5".replace(",", "."), "EUR", 125_050),
        ("7", "JPY", 7),
        ("1.234", "KWD", 1234),
    ],
)
def test_an_amount_in_the_currency_becomes_minor_units(amount: str, currency: str, minor: int) -> None:
    """By the currency's own exponent."""
    found = transfer(amount, currency)
    assert (found.record["transfers"][0]["amount"], found.faults) == (minor, [])


@pytest.mark.parametrize(
    ("amount", "currency"), [("1.001", "EUR"), ("1.5", "JPY"), ("1.0", "XXZ"), ("NaN", "EUR"), ("1e40", "EUR")]
)
def test_an_amount_that_would_be_rounded_is_refused(amount: str, currency: str) -> None:
    """Excess precision, unknown currencies and what is no number."""
    assert [fault.path for fault in transfer(amount, currency).faults] == ["transfers[0].amount"]


@given(st.decimals(min_value=0, max_value=10**12, places=2))
def test_an_amount_survives_exactly(amount: Any) -> None:
    """No binary fraction on the way."""
    assert transfer(str(amount), "EUR").record["transfers"][0]["amount"] == int(amount * 100)


def test_the_author_cannot_speak_as_another_agency_nor_set_what_is_computed() -> None:
    """Both are said, and the agency stays the author's own."""
    found = draft(agency="tr-fiu", hub_digest="ab" * 32)
    assert faults(found) == {"agency": "FORM_NOT_YOURS", "hub_digest": "FORM_NOT_THE_AUTHORS"}
    assert found.header["agency"] == "az-police"


def test_what_the_author_leaves_out_is_filled() -> None:
    """Id, version, message, times, identity."""
    header = draft().header
    assert (header["alert_id"], header["version"], header["message"]) == (NEW_ID, 1, "ALERT")
    assert (header["sent_at"], header["effective_at"], header["member"]) == (NOW, NOW, "AZ")


def test_header_fields_stand_at_the_top_or_under_header_but_not_twice() -> None:
    """The same record either way."""
    flat = wanted()
    names = shapes.header_fields("person").keys()
    nested = {
        "header": {k: v for k, v in flat.items() if k in names},
        **{k: v for k, v in flat.items() if k not in names},
    }
    under = compose(from_python({"kind": "person", "audience": "ALL", **nested}), AUTHOR, NOW, lambda: NEW_ID)
    assert under.record == draft().record
    both = {**nested, "status": "EXERCISE"}
    twice = compose(from_python({"kind": "person", "audience": "ALL", **both}), AUTHOR, NOW, lambda: NEW_ID)
    assert [fault.rule for fault in twice.faults] == ["FORM_FIELD_TWICE"]


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_no_field_of_a_record_has_the_name_of_a_header_field(kind: str) -> None:
    """Else the flat form would be ambiguous; a later schema must not break it."""
    body = shapes.fields_of(shapes.definition(kind)).keys() - {"header"}
    assert not body & shapes.header_fields(kind).keys()
    assert not {"kind", "audience"} & (body | shapes.header_fields(kind).keys())


def test_a_country_code_is_never_a_truth_value_and_a_code_keeps_its_zeros() -> None:
    """YAML 1.1 would read NO as false and 0755 as 493."""
    found = draft_of(
        "kind: person\nnationalities: [NO, no]\nidentifiers: [{type: PASSPORT, value: 0755}]\nnames: [A]\n"
    )
    assert found.record["nationalities"] == ["NO", "NO"]
    assert found.record["identifiers"][0]["value"] == "0755"


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("a: 1\nb: [1, 2\n", 3, "FORM_NOT_YAML"),
        ("a: &x 1\nb: *x\n", 1, "FORM_ALIAS"),
        ("a: 1\na: 2\n", 2, "FORM_FIELD_TWICE"),
        ("a: !!python/object/apply:os.system [id]\n", 1, "FORM_TAG"),
        ("a: " + "[" * 100, 1, "FORM_TOO_DEEP"),
        ("a: \x00", 0, "FORM_NOT_YAML"),
    ],
)
def test_yaml_that_is_broken_or_sly_is_a_fault_with_its_line(text: str, line: int, rule: str) -> None:
    """No alias blows up, no tag runs, no depth recurses."""
    with pytest.raises(FaultyError) as caught:
        list(reading.yaml_documents(text))
    assert (caught.value.faults[0].rule, caught.value.faults[0].line) == (rule, line)


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ('{"a": 1,\n "b": }', 2, "FORM_NOT_JSON"),
        ('{"a": 1,\n "a": 2}', 2, "FORM_FIELD_TWICE"),
        ('{"a": NaN}', 1, "FORM_NOT_JSON"),
        ("[" * 10_000, 1, "FORM_TOO_DEEP"),
        ('{"a": 1} x', 1, "FORM_NOT_JSON"),
        ('{"a" 1}', 1, "FORM_NOT_JSON"),
        ("{1: 1}", 1, "FORM_NOT_JSON"),
    ],
)
def test_json_that_is_broken_is_a_fault_with_its_line(text: str, line: int, rule: str) -> None:
    """Twice the same name, NaN and depth among them."""
    with pytest.raises(FaultyError) as caught:
        list(reading.json_documents(text))
    assert (caught.value.faults[0].rule, caught.value.faults[0].line) == (rule, line)


json_values = st.recursive(
    st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), inner)
    ),
    max_leaves=10,
)


def plain(node: Node) -> object:
    """A node as Python."""
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    if isinstance(node.value, dict):
        return {name: plain(item) for name, item in node.value.items()}
    return node.value


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), json_values),
    st.sampled_from([None, 1]),
)
def test_json_is_read_as_the_standard_library_reads_it(value: object, indent: int | None) -> None:
    """Our reader only adds lines."""
    (found,) = reading.json_documents(json.dumps(value, indent=indent, ensure_ascii=indent is None))
    assert plain(found) == value


@given(st.text())
def test_no_text_makes_the_readers_fall_over(text: str) -> None:
    """Every text is nodes or a fault."""
    for read in (reading.yaml_documents, reading.json_documents):
        try:
            for node in read(text):
                compose(node, AUTHOR, NOW, lambda: NEW_ID)
        except FaultyError:
            pass


@given(st.dictionaries(st.sampled_from([*shapes.header_fields("person"), "names", "births", "sex"]), json_values))
def test_no_mapping_makes_the_form_fall_over_and_what_has_no_fault_encodes(value: dict[str, object]) -> None:
    """The record always has the schema's shape."""
    found = compose(from_python({"kind": "person", "audience": "ALL", **value}), AUTHOR, NOW, lambda: NEW_ID)
    checking.judge(found, None, NOW)
    codec.encode(registry.by_name("person"), found.record)


def test_files_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    """Missing, empty, not UTF-8, a folder."""
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    (tmp_path / "latin.yaml").write_bytes("a: é\n".encode("latin-1"))
    for name, said in (
        ("none.yaml", "cannot be read"),
        ("empty.yaml", "is empty"),
        ("latin.yaml", "not UTF-8"),
        (".", "cannot be read"),
    ):
        with pytest.raises(AuthorError, match=said) as caught:
            reading.read_file(tmp_path / name)
        assert caught.value.exit_code == 2
        assert caught.value.remedy


def test_a_file_in_utf_16_and_one_with_a_mark_are_read(tmp_path: Path) -> None:
    """As Windows' editors save them."""
    for encoding in ("utf-16", "utf-8-sig"):
        (tmp_path / "a.yaml").write_bytes("names: [Ğ]\n".encode(encoding))
        (node,) = reading.read_file(tmp_path / "a.yaml")
        assert plain(node) == {"names": ["Ğ"]}
