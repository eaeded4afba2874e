"""The gate for new schema versions: it lets good ones through, and it can fail."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

import schemas
from schemas import registry
from schemas.compatibility import Version, misreadings, release_problems
from schemas.registry import by_name
from tests.support import samples

FOLDER = Path(schemas.__file__).parent
PERSON = json.loads(by_name("person").text)


def version(definition: Any, minor: int = 1, major: int = 1) -> Version:
    """The definition as a later version of person."""
    return Version("person", major, minor, definition)


def problems(definition: Any) -> list[str]:
    """What the gate says about a person 1.1 with this definition."""
    return release_problems(version(definition), [Version.of(by_name("person"))])


def changed(*path: Any) -> tuple[Any, Any]:
    """A copy of the person's definition, and the part of it at the path; a text in the path names a field."""
    definition = copy.deepcopy(PERSON)
    part: Any = definition
    for step in path:
        part = next(field for field in part["fields"] if field["name"] == step) if step in _names(part) else part[step]
    return definition, part


def _names(part: Any) -> set[str]:
    return {field["name"] for field in part["fields"]} if isinstance(part, dict) and "fields" in part else set()


def test_every_released_file_is_the_one_in_the_lock() -> None:
    """A released schema never changes: not by a space."""
    lines = [line.split() for line in (FOLDER / "released.lock").read_text().splitlines() if not line.startswith("#")]
    locked = {f"{name}-{version}.avsc": digest for name, version, digest in lines}
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (FOLDER / "avsc").glob("*.avsc")}
    assert files == locked


def test_every_released_version_is_compatible_with_all_before_it() -> None:
    """The gate over what is released, each against all older ones."""
    known = [Version.of(schema) for schema in registry.released()]
    for index, released in enumerate(known):
        assert release_problems(released, known[:index]) == []


def test_a_field_with_a_default_may_be_added() -> None:
    """The way the contract grows; and fastavro agrees, both ways."""
    definition, _ = changed()
    definition["fields"].append({"name": "height_cm", "type": "int", "default": 0, "doc": "Or 0."})
    assert problems(definition) == []
    body = schemas.encode(by_name("person"), samples.person())
    newer = read(body, writer=PERSON, reader=definition)
    assert newer["height_cm"] == 0
    assert read(write({**samples.person(), "height_cm": 180}, definition), writer=definition, reader=PERSON) == (
        samples.person()
    )


def test_a_new_symbol_is_unknown_to_an_old_reader() -> None:
    """The default of the enum is what makes a new symbol possible."""
    definition, warnings = changed("warnings", "type", "items")
    warnings["symbols"].append("ESCAPE_RISK")
    assert problems(definition) == []
    newer = write(samples.person(warnings=["ESCAPE_RISK"]), definition)
    assert read(newer, writer=definition, reader=PERSON)["warnings"] == ["UNKNOWN"]


def test_a_new_symbol_needs_a_default_at_the_reader() -> None:
    """Else the first record that has it cannot be read."""
    reader, sex = changed("sex", "type")
    del sex["default"]
    writer, _ = changed()
    assert misreadings(reader, writer) == []
    next(field for field in writer["fields"] if field["name"] == "sex")["type"]["symbols"].append("NOT_STATED")
    assert misreadings(reader, writer) == ["sex: NOT_STATED is unknown here, and the enum has no default"]
    assert misreadings(PERSON, writer) == []


def bad_added_without_default() -> Any:
    """A new field that old records do not have."""
    definition, _ = changed()
    definition["fields"].append({"name": "height_cm", "type": "int"})
    return definition


def bad_default_of_another_type() -> Any:
    """A default that is not of the field's type."""
    definition, _ = changed()
    definition["fields"].append({"name": "height_cm", "type": "int", "default": "tall"})
    return definition


def bad_removed() -> Any:
    """A field that old readers need."""
    definition, _ = changed()
    definition["fields"] = [field for field in definition["fields"] if field["name"] != "occupations"]
    return definition


def bad_renamed_field() -> Any:
    """A rename is a removal and an addition."""
    definition, field = changed("description")
    field["name"] = "appearance"
    return definition


def bad_renamed_record() -> Any:
    """Another record."""
    definition, _ = changed()
    definition["name"] = "Fugitive"
    return definition


def bad_renamed_inner_record() -> Any:
    """Another record inside."""
    definition, birth = changed("births", "type", "items")
    birth["name"] = "Nativity"
    return definition


def bad_type() -> Any:
    """Text that becomes a number."""
    definition, field = changed("description")
    field["type"] = "long"
    return definition


def bad_one_way_promotion() -> Any:
    """The new version can read int as long, but the old one cannot read long as int."""
    definition, field = changed("header", "type", "version")
    field["type"] = "long"
    return definition


def bad_text_to_bytes() -> Any:
    """Avro would let it pass both ways."""
    definition, field = changed("description")
    field["type"] = "bytes"
    return definition


def bad_nullable() -> Any:
    """The old version cannot read null."""
    definition, field = changed("description")
    field["type"] = ["null", "string"]
    return definition


def bad_logical_type() -> Any:
    """The number stays, its meaning changes a thousandfold."""
    definition, field = changed("header", "type", "sent_at")
    field["type"]["logicalType"] = "timestamp-millis"
    return definition


def bad_enum_default_gone() -> Any:
    """Without a default the next symbol breaks this reader."""
    definition, sex = changed("sex", "type")
    del sex["default"]
    return definition


def bad_symbol_removed() -> Any:
    """UNKNOWN must stay the first and the default."""
    definition, sex = changed("sex", "type")
    sex["symbols"], sex["default"] = ["FEMALE", "MALE", "OTHER"], "OTHER"
    return definition


def bad_recursive() -> Any:
    """A person within a person within a person."""
    definition, _ = changed()
    definition["fields"].append({"name": "family", "type": {"type": "array", "items": "WantedPerson"}, "default": []})
    return definition


def bad_items_without_bytes() -> Any:
    """Five bytes that claim fifty million items."""
    definition, _ = changed()
    definition["fields"].append({"name": "marks", "type": {"type": "array", "items": "null"}, "default": []})
    return definition


def bad_items_of_an_empty_record() -> Any:
    """The same, dressed up."""
    empty = {"type": "record", "name": "Mark", "fields": []}
    definition, _ = changed()
    definition["fields"].append({"name": "marks", "type": {"type": "array", "items": empty}, "default": []})
    return definition


def bad_map() -> Any:
    """A map has no one order, so no canonical bytes."""
    definition, _ = changed()
    definition["fields"].append({"name": "extra", "type": {"type": "map", "values": "string"}, "default": {}})
    return definition


@pytest.mark.parametrize("bad", [make for name, make in sorted(globals().items()) if name.startswith("bad_")])
def test_a_bad_version_is_stopped(bad: Any) -> None:
    """Each kind of bad, with a reason."""
    assert problems(bad())


def test_the_gate_knows_good_from_bad() -> None:
    """The same definition under the next number is fine, so the refusals above are about the change."""
    assert problems(PERSON) == []


def test_a_version_comes_after_all_released_ones() -> None:
    """A number is never used again."""
    assert release_problems(version(PERSON, 0), [Version.of(by_name("person"))])


def test_a_new_major_is_another_contract() -> None:
    """It is not compared: it has another id."""
    assert release_problems(version(bad_removed(), 0, major=2), [Version.of(by_name("person"))]) == []
    assert registry.wire_id("person", 2, 0) == 10200


def test_a_later_version_is_held_against_all_before_it() -> None:
    """1.2 may not change what 1.1 added, though 1.0 would not mind."""
    second, _ = changed()
    second["fields"].append({"name": "height_cm", "type": "int", "default": 0})
    third, _ = changed()
    third["fields"].append({"name": "height_cm", "type": "string", "default": ""})
    found = release_problems(version(third, 2), [Version.of(by_name("person")), version(second)])
    assert found
    assert all("person 1.1" in problem for problem in found)


def write(record: Any, definition: Any) -> bytes:
    """The body by fastavro alone."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(registry.without_logical_types(definition)), record)
    return buffer.getvalue()


def read(body: bytes, *, writer: Any, reader: Any) -> Any:
    """The record as a reader with another schema resolves it."""
    old, new = (fastavro.parse_schema(registry.without_logical_types(definition)) for definition in (writer, reader))
    return fastavro.schemaless_reader(io.BytesIO(body), old, new)
