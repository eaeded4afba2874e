"""The test vectors: the committed ones are what the contract makes, others read the same, the hostile are refused."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any, cast

import cbor2
import fastavro
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastavro._read_py import schemaless_reader

from schemas import codec, directory, message
from schemas.directory import Directory
from schemas.message import Headers
from schemas.models import DirectoryRecord
from schemas.reasons import Reason, Refusal
from schemas.registry import NUMBERS, by_name
from schemas.vectors.make import FILES, text_of
from schemas.vectors.network import FOLDER

NETWORK, MESSAGES, HOSTILE = (json.loads((FOLDER / name).read_text(encoding="utf-8")) for name in FILES)
KEYS = {entry["name"]: entry for entry in NETWORK["keys"]}
ALERTS = {vector["name"]: vector for vector in MESSAGES["alerts"]}
RECORDS = {vector["name"]: vector for vector in MESSAGES["records"]}


def network() -> Directory:
    """The vectors' directory, read from its own bytes."""
    schema_id, body = codec.unframe(bytes.fromhex(NETWORK["directory"]["value"]))
    assert schema_id == by_name("directory").id
    record = cast("DirectoryRecord", codec.decode(by_name("directory"), body))
    known, refused = directory.read(record, NETWORK["pins"])
    assert refused == ()
    return known


@pytest.mark.parametrize("name", FILES)
def test_the_committed_files_are_what_the_contract_makes(name: str) -> None:
    """Byte for byte: a change to the contract's bytes shows here."""
    committed = (FOLDER / name).read_text(encoding="utf-8")
    assert committed == text_of(FILES[name]())


def test_the_schemas_are_all_there() -> None:
    """Each with its id by the rule of the contract."""
    for entry in NETWORK["schemas"]:
        major, minor = map(int, entry["version"].split("."))
        assert entry["id"] == NUMBERS[entry["name"]] * 10_000 + major * 100 + minor
    assert {entry["name"] for entry in NETWORK["schemas"]} == set(NUMBERS)


def signed_by(protected: bytes, signature: bytes, body: bytes, public: str) -> bool:
    """The judgement of OpenSSL over a Sig_structure made by a general CBOR library: no code of the package."""
    to_verify = cbor2.dumps(["Signature1", protected, b"", body])
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, to_verify)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("vector", [*ALERTS.values(), *RECORDS.values()], ids=[*ALERTS, *RECORDS])
def test_another_implementation_reads_the_same(vector: dict[str, Any]) -> None:
    """CBOR by cbor2, Ed25519 by OpenSSL, Avro by the pure Python reader, hashes by the standard library."""
    value, body = bytes.fromhex(vector["value"]), bytes.fromhex(vector["body"])
    protected, _, _, signature = cbor2.loads(bytes.fromhex(vector["sig"]))
    claim = cbor2.loads(protected)
    schema = by_name(vector["name"])
    signer = KEYS[vector["signer"]]
    assert value == b"\x00" + claim[-70002] + body
    assert int.from_bytes(claim[-70002], "big") == schema.id
    assert claim[-70003] == hashlib.sha256(schema.text.encode()).digest()
    assert claim[4].hex() == signer["kid"] == hashlib.sha256(bytes.fromhex(signer["public"])).hexdigest()[:32]
    assert signed_by(protected, signature, body, signer["public"])
    assert not signed_by(protected, signature, body + b"\x00", signer["public"])
    assert vector["digest"] == hashlib.sha256(protected + body).hexdigest()
    assert schemaless_reader(io.BytesIO(body), fastavro.parse_schema(schema.parsed), None) == vector["record"]


@pytest.mark.parametrize("vector", ALERTS.values(), ids=ALERTS)
def test_an_alert_of_the_vectors_is_opened(vector: dict[str, Any]) -> None:
    """By the checks of gate and edge; its audience too."""
    key, value = vector["key"].encode(), bytes.fromhex(vector["value"])
    headers = [("sig", bytes.fromhex(vector["sig"])), ("hub", bytes.fromhex(vector["hub"]))]
    authentic = message.authenticate(key, value, headers, directory=network(), at=NETWORK["now"])
    opened = message.interpret(authentic, key)
    assert (opened.record, opened.digest) == (vector["record"], vector["digest"])
    assert message.open_audience(headers, opened.header) == vector["audience"]
    assert opened.header["hub_digest"] == hashlib.sha256(b"manara/hub/1" + headers[1][1]).hexdigest()
    assert key.decode() == f"{opened.header['agency']}/{opened.header['alert_id']}"


@pytest.mark.parametrize("vector", RECORDS.values(), ids=RECORDS)
def test_a_signed_record_of_the_vectors_is_opened(vector: dict[str, Any]) -> None:
    """By whoever may have signed it, and not as another's."""
    value, headers = bytes.fromhex(vector["value"]), [("sig", bytes.fromhex(vector["sig"]))]
    schema, record, key = message.open_record(
        value, headers, directory=network(), at=NETWORK["now"], holders={vector["signer"]}
    )
    assert (schema.name, record, key.holder) == (vector["name"], vector["record"], vector["signer"])
    with pytest.raises(Refusal) as refused:
        message.open_record(value, headers, directory=network(), at=NETWORK["now"], holders={"kz-border"})
    assert refused.value.reason == "WRONG_AGENCY"


def test_an_alert_is_no_record_of_the_hub() -> None:
    """Signatures are good for one purpose, in both directions."""
    vector = ALERTS["person"]
    with pytest.raises(Refusal) as refused:
        message.open_record(
            bytes.fromhex(vector["value"]),
            [("sig", bytes.fromhex(vector["sig"]))],
            directory=network(),
            at=NETWORK["now"],
        )
    assert refused.value.reason == "BAD_SIGNATURE"


def opened(vector: dict[str, Any]) -> None:
    """What gate and edges do with a record from the log, up to the audience."""
    key, value = (None if vector[part] is None else bytes.fromhex(vector[part]) for part in ("key", "value"))
    headers: Headers = [(name, None if data is None else bytes.fromhex(data)) for name, data in vector["headers"]]
    authentic = message.authenticate(key, value, headers, directory=network(), at=NETWORK["now"])
    assert key is not None
    message.open_audience(headers, message.interpret(authentic, key).header)


@pytest.mark.parametrize("vector", HOSTILE, ids=[vector["name"] for vector in HOSTILE])
def test_a_hostile_record_is_refused_for_its_reason(vector: dict[str, Any]) -> None:
    """Each of them, and nothing but a refusal comes out."""
    with pytest.raises(Refusal) as refused:
        opened(vector)
    assert refused.value.reason == vector["reason"]
    assert refused.value.remedy


def test_the_hostile_records_cover_the_checks() -> None:
    """Every reason that these steps can give is given by one of them."""
    later = {"WRONG_PARTITION", "STALE_VERSION", "EQUIVOCATION", "UNKNOWN_ALERT", "EXPIRED", "UNREADABLE"}
    assert {vector["reason"] for vector in HOSTILE} == {str(reason) for reason in Reason} - later


@pytest.mark.parametrize("vector", NETWORK["keys"], ids=[vector["name"] for vector in NETWORK["keys"]])
def test_the_keys_follow_from_their_seeds(vector: dict[str, str]) -> None:
    """By OpenSSL; the key of small order has no seed, and cannot have one."""
    if "seed" not in vector:
        assert vector["name"] == "az-weak"
        return
    assert vector["seed"] == hashlib.sha256(f"manara test vector: {vector['name']}".encode()).hexdigest()
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["seed"]))
    assert private.public_key().public_bytes_raw().hex() == vector["public"]


def test_a_key_entry_is_certified_as_the_contract_says() -> None:
    """COSE_Sign1 by the root over the entry's body, with the context of keys."""
    for vector in NETWORK["key_entries"]:
        protected, _, _, signature = cbor2.loads(bytes.fromhex(vector["certificate"]))
        member = vector["record"]["member"] or "operator"
        assert cbor2.loads(protected)[-70001] == "manara/key/1"
        assert signed_by(protected, signature, bytes.fromhex(vector["body"]), KEYS[f"root {member}"]["public"])
        assert NETWORK["pins"][member] == hashlib.sha256(bytes.fromhex(KEYS[f"root {member}"]["public"])).hexdigest()
