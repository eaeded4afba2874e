"""Schemas, generated code, tables: the parts of the contract that are data."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import schemas
from schemas import generate, reasons, registry
from schemas.compatibility import unsafe
from schemas.currencies import EXPONENTS
from schemas.errors import SchemaUnknownError
from schemas.reasons import REMEDY, RULES, Reason, Refusal
from schemas.registry import NUMBERS, by_id, by_name, load

FOLDER = Path(schemas.__file__).parent


@pytest.mark.parametrize("name", generate.TARGETS)
def test_generated_modules_are_what_the_schemas_say(name: str) -> None:
    """The schema is the source: edited by hand or out of date, they differ."""
    assert (FOLDER / name).read_text(encoding="utf-8") == generate.TARGETS[name]()


def test_the_check_of_generated_modules_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a module that drifted, and with one that is not there."""
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "models.py").write_text("drifted", encoding="utf-8")
    assert generate.main(["--check"]) == 1


def test_ids_are_computed_and_unique() -> None:
    """By name and by id the same schema; no other id exists."""
    ids = {schema.id for schema in registry.released()}
    assert len(ids) == len(registry.released())
    assert all(by_id(by_name(name).id) is by_name(name) for name in NUMBERS)
    assert by_name("transfer").id == 30100
    for unknown in (0, 10000, 990100, -1):
        with pytest.raises(SchemaUnknownError):
            by_id(unknown)
    with pytest.raises(SchemaUnknownError, match="known are"):
        by_name("vessel")


def test_a_hash_is_of_the_files_bytes() -> None:
    """What is signed is what anybody can compute from the file."""
    for schema in registry.released():
        data = (FOLDER / "avsc" / f"{schema.name}-{schema.major}.{schema.minor}.avsc").read_bytes()
        assert schema.sha256 == hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    "name", ["person.avsc", "person-1.avsc", "Person-1.0.avsc", "vessel-1.0.avsc", "person-01.0.avsc"]
)
def test_a_file_with_another_name_is_no_schema(name: str) -> None:
    """Version and id come from the name."""
    with pytest.raises(ValueError, match="is named"):
        load(name, b"{}")


@pytest.mark.parametrize("schema", registry.released(), ids=lambda schema: schema.name)
def test_no_schema_is_dangerous_to_decode(schema: registry.Schema) -> None:
    """No recursion, no items without bytes: what bounds the decoder's memory."""
    assert list(unsafe(json.loads(schema.text))) == []


def test_times_lose_their_logical_type_when_parsed() -> None:
    """And nothing else changes."""
    for schema in registry.released():
        assert "logicalType" not in json.dumps(schema.parsed)
    assert "logicalType" in by_name("person").text


def test_every_reason_has_a_remedy_that_is_a_sentence() -> None:
    """One for each, wire reasons and rules alike."""
    assert set(REMEDY) == {str(reason) for reason in Reason} | RULES
    assert all(text[0].isupper() and text.endswith(".") and len(text) <= 110 for text in REMEDY.values())
    assert all(rule.startswith("RULE_") for rule in RULES)


def test_every_reason_in_the_code_is_in_the_table() -> None:
    """A rule id that is misspelt somewhere has no remedy: found here, not in the field."""
    written = set()
    for file in FOLDER.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        written |= {text for text in texts if isinstance(text, str) and text.startswith("RULE_") and " " not in text}
    assert written == RULES


def test_a_refusal_says_what_to_do() -> None:
    """And carries what verdict and quarantine need."""
    refusal = Refusal(Reason.TOO_LARGE, "the value has 70000 bytes", digest="ab")
    assert (refusal.reason, refusal.digest, refusal.errors) == ("TOO_LARGE", "ab", ())
    assert refusal.remedy == reasons.REMEDY["TOO_LARGE"]
    assert str(refusal) == "TOO_LARGE: the value has 70000 bytes"


def test_currencies_have_the_decimals_of_iso_4217() -> None:
    """The usual two, and those that are not usual."""
    assert {EXPONENTS[code] for code in ("EUR", "USD", "AED", "AZN", "SAR", "TRY", "PKR", "MYR", "KZT", "MAD")} == {2}
    assert {EXPONENTS[code] for code in ("XOF", "XAF", "DJF", "GNF", "KMF", "UGX", "JPY")} == {0}
    assert {EXPONENTS[code] for code in ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")} == {3}
    assert {code for code, exponent in EXPONENTS.items() if exponent == 4} == {"CLF", "UYW"}
    assert all(len(code) == 3 and code.isupper() for code in EXPONENTS)
    assert len(EXPONENTS) > 165


def test_the_package_imports_no_door_to_the_world() -> None:
    """In a fresh interpreter: no socket, no database, no Kafka comes along."""
    code = (
        "import sys, schemas, schemas.rules, schemas.topics, schemas.lifecycle, schemas.compatibility\n"
        "found = {'socket', 'sqlite3', 'confluent_kafka', 'asyncio', 'urllib.request', 'requests'} & set(sys.modules)\n"
        "print(sorted(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
