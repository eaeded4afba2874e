"""Signatures: one form of bytes, believed only where a second implementation of COSE believes it too."""

from __future__ import annotations

import hashlib
from typing import Any

import cbor2
import cwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import signature
from schemas.errors import BadSignatureError
from schemas.registry import NUMBERS, by_name, released
from schemas.signature import SigningKey
from tests.support import samples

L = 2**252 + 27742317777372353535851937790883648493
KEY = samples.key("some agency")
PERSON = by_name("person")
BODY = b"an Avro body, as far as a signature is concerned"
SIG = signature.sign(PERSON, BODY, KEY)

lengths = st.one_of(st.integers(0, 300), st.sampled_from([23, 24, 255, 256, 65535, 65536, 70000]))


def verifies_by_cwt(sig: bytes, body: bytes, public: bytes) -> bool:
    """The judgement of the second implementation, which parses CBOR and knows nothing of templates."""
    key = cwt.COSEKey.new({1: 1, 3: -8, -1: 6, -2: public, 2: signature.kid_of(public)})
    try:
        payload = cwt.COSE.new().decode(cbor2.CBORTag(18, cbor2.loads(sig)), key, detached_payload=body)
    except (cwt.VerifyError, cwt.DecodeError, ValueError):
        return False
    assert payload == body
    return True


@given(st.sampled_from(sorted(NUMBERS)), st.binary(min_size=32, max_size=32), lengths)
def test_what_is_signed_verifies_here_and_there(name: str, seed: bytes, length: int) -> None:
    """Every schema, any key, bodies of every CBOR length."""
    schema, key, body = by_name(name), SigningKey.from_seed(seed), b"\x5a" * length
    sig = signature.sign(schema, body, key)
    claim = signature.read(sig)
    signature.verify(claim, body, key.public)
    assert (claim.kid, claim.context, claim.schema_id) == (key.kid, schema.context, schema.id)
    assert (claim.schema_sha256, claim.schema) == (schema.sha256, schema)
    assert verifies_by_cwt(sig, body, key.public)


def test_what_the_second_implementation_signs_verifies_here() -> None:
    """Its deterministic CBOR is our template."""
    key = cwt.COSEKey.new({1: 1, 3: -8, -1: 6, -2: KEY.public, -4: KEY.seed, 2: KEY.kid})
    protected: dict[int, Any] = {
        1: -8,
        4: KEY.kid,
        -70001: PERSON.context,
        -70002: PERSON.id.to_bytes(4, "big"),
        -70003: PERSON.sha256,
    }
    attached = cbor2.loads(cwt.COSE.new().encode_and_sign(BODY, key, protected=protected)).value
    assert attached[2] == BODY
    assert signature.assemble(attached[0], attached[3]) == SIG


def test_the_bytes_are_cose_as_the_rfc_has_it() -> None:
    """Taken apart by a general CBOR parser."""
    protected, unprotected, payload, bytes_signed = cbor2.loads(SIG)
    assert (unprotected, payload, len(bytes_signed)) == ({}, None, 64)
    assert cbor2.loads(protected) == {
        1: -8,
        4: KEY.kid,
        -70001: "manara/alert/1",
        -70002: (10100).to_bytes(4, "big"),
        -70003: PERSON.sha256,
    }
    assert cbor2.dumps(cbor2.loads(protected), canonical=True) == protected
    assert signature.structure(protected, BODY) == cbor2.dumps(["Signature1", protected, b"", BODY])


def test_any_flipped_bit_of_the_signature_is_refused() -> None:
    """Each one, in its form or by the key: never believed."""
    for place in range(len(SIG)):
        for bit in range(8):
            other = bytearray(SIG)
            other[place] ^= 1 << bit
            with pytest.raises(BadSignatureError):
                signature.verify(signature.read(bytes(other)), BODY, KEY.public)


@given(st.data())
def test_any_flipped_bit_of_the_body_is_refused(data: st.DataObject) -> None:
    """Every one is signed."""
    place, bit = data.draw(st.integers(0, len(BODY) - 1)), data.draw(st.integers(0, 7))
    other = bytearray(BODY)
    other[place] ^= 1 << bit
    assert not verifies_by_cwt(SIG, bytes(other), KEY.public)
    with pytest.raises(BadSignatureError):
        signature.verify(signature.read(SIG), bytes(other), KEY.public)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(garbage: bytes) -> None:
    """Nothing but BadSignatureError leaves the reader."""
    with pytest.raises(BadSignatureError):
        signature.read(garbage)


@given(st.integers(0, len(SIG)), st.integers(0, 3), st.binary(max_size=3))
def test_a_signature_has_one_form(place: int, cut: int, added: bytes) -> None:
    """Whatever is cut out or put in, what is read is written the same again."""
    other = SIG[:place] + added + SIG[place + cut :]
    try:
        claim = signature.read(other)
    except BadSignatureError:
        return
    protected = signature.protected_map(claim.kid, claim.context, claim.schema_id, claim.schema_sha256)
    assert signature.assemble(protected, claim.signature) == other
    assert claim.protected == protected


PROTECTED = cbor2.loads(cbor2.loads(SIG)[0])
TRICKS = {
    "empty": b"",
    "tagged": b"\xd2" + SIG,
    "trailing byte": SIG + b"\x00",
    "payload attached": SIG.replace(b"\xa0\xf6\x58\x40", b"\xa0\x41\x00\x58\x40"),
    "unprotected header": SIG.replace(b"\xa0\xf6\x58\x40", b"\xa1\x04\x40\xf6\x58\x40"),
    "63 bytes": SIG[:-1],
    "indefinite array": b"\x9f" + SIG[1:] + b"\xff",
    "indefinite map": cbor2.dumps([b"\xbf" + cbor2.loads(SIG)[0][1:] + b"\xff", {}, None, SIG[-64:]]),
    "longer length": SIG.replace(b"\x84\x58\x5a", b"\x84\x59\x00\x5a", 1),
    "other order": cbor2.dumps([cbor2.dumps(dict(reversed(PROTECTED.items()))), {}, None, SIG[-64:]]),
    "alg none": cbor2.dumps([cbor2.dumps({**PROTECTED, 1: 0}), {}, None, SIG[-64:]]),
    "alg HS256": cbor2.dumps([cbor2.dumps({**PROTECTED, 1: 5}), {}, None, SIG[-64:]]),
    "duplicate key": cbor2.dumps([b"\xa6" + cbor2.dumps(PROTECTED)[1:] + b"\x01\x27", {}, None, SIG[-64:]]),
    "critical header": cbor2.dumps([cbor2.dumps({**PROTECTED, 2: [-70001]}), {}, None, SIG[-64:]]),
    "kid of 15 bytes": cbor2.dumps([cbor2.dumps({**PROTECTED, 4: b"x" * 15}), {}, None, SIG[-64:]]),
    "context not ASCII": cbor2.dumps([cbor2.dumps({**PROTECTED, -70001: "manara/älert/1"}), {}, None, SIG[-64:]]),
    "context empty": cbor2.dumps([cbor2.dumps({**PROTECTED, -70001: ""}), {}, None, SIG[-64:]]),
    "context of bytes": cbor2.dumps([cbor2.dumps({**PROTECTED, -70001: b"manara/alert/1"}), {}, None, SIG[-64:]]),
    "context too long": cbor2.dumps([cbor2.dumps({**PROTECTED, -70001: "x" * 24}), {}, None, SIG[-64:]]),
    "schema id as a number": cbor2.dumps([cbor2.dumps({**PROTECTED, -70002: 10100}), {}, None, SIG[-64:]]),
    "a thousand arrays": b"\x81" * 1000 + SIG,
    "length of 2^64-1": b"\x84\x5b" + b"\xff" * 8 + SIG[3:],
}


@pytest.mark.parametrize("sig", TRICKS.values(), ids=TRICKS.keys())
def test_a_cbor_trick_is_no_signature(sig: bytes) -> None:
    """There is nothing to parse, so there is nothing to trick."""
    assert sig != SIG
    with pytest.raises(BadSignatureError):
        signature.read(sig)


SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("public", SMALL_ORDER)
def test_a_key_of_small_order_signs_nothing(public: str) -> None:
    """With such a key one signature would fit every message: R = the identity, S = 0 solves the equation."""
    protected = signature.protected_map(signature.kid_of(bytes.fromhex(public)), PERSON.context, 10100, PERSON.sha256)
    for point in SMALL_ORDER:
        claim = signature.read(signature.assemble(protected, bytes.fromhex(point) + bytes(32)))
        for body in (BODY, b"", b"another"):
            with pytest.raises(BadSignatureError):
                signature.verify(claim, body, bytes.fromhex(public))


def test_a_scalar_beyond_the_order_is_refused() -> None:
    """S + L satisfies the equation too, so the signature of a message would not be one."""
    scalar = int.from_bytes(SIG[-32:], "little")
    claim = signature.read(SIG[:-32] + (scalar + L).to_bytes(32, "little"))
    with pytest.raises(BadSignatureError):
        signature.verify(claim, BODY, KEY.public)


@pytest.mark.parametrize("public", [b"", b"x" * 31, b"x" * 33, b"\xff" * 32])
def test_a_key_that_is_none_verifies_nothing(public: bytes) -> None:
    """Wrong length, or no point."""
    with pytest.raises(BadSignatureError):
        signature.verify(signature.read(SIG), BODY, public)


def test_an_unknown_schema_is_read_but_named_unknown() -> None:
    """So that its signature can be checked before it is refused for its schema."""
    protected = signature.protected_map(KEY.kid, "manara/alert/1", 990100, bytes(32))
    claim = signature.read(signature.assemble(protected, bytes(64)))
    assert (claim.schema_id, claim.context, claim.schema) == (990100, "manara/alert/1", None)


def test_contexts_keep_messages_apart() -> None:
    """What is signed as a verdict is not signed as an alert, whatever its bytes."""
    contexts = {schema.name: schema.context for schema in released()}
    alerts = {name for name, context in contexts.items() if context == "manara/alert/1"}
    assert alerts == {"person", "route", "transfer", "end"}
    rest = [context for name, context in contexts.items() if name not in alerts]
    assert len(set(rest)) == len(rest)


def test_a_key_does_not_show_its_secret() -> None:
    """Neither by repr nor by str nor in a format."""
    for shown in (repr(KEY), str(KEY), f"{KEY}", repr({"key": KEY})):
        assert KEY.seed.hex() not in shown
        assert repr(KEY.seed) not in shown
        assert KEY.kid.hex() in shown


def test_keys_are_made_from_randomness() -> None:
    """Two are never the same, and a seed must have its length."""
    assert SigningKey.generate() != SigningKey.generate()
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey.from_seed(b"short")


def test_digest_and_kid_are_what_the_contract_says() -> None:
    """In the words of the standard library."""
    claim = signature.read(SIG)
    assert signature.digest(claim.protected, BODY) == hashlib.sha256(claim.protected + BODY).hexdigest()
    assert claim.kid == hashlib.sha256(KEY.public).digest()[:16]
    assert signature.hub_digest(b"header") == hashlib.sha256(b"manara/hub/1header").hexdigest()
