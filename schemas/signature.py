"""Signatures: COSE_Sign1 (RFC 9052), detached, untagged, Ed25519, in exactly one shape of bytes.

The protected map has five entries of fixed length, so a signature is written and read by comparing with a template;
no CBOR parser ever sees a stranger's bytes. The signed bytes are ["Signature1", protected, h'', Avro body].

| label  | entry                                                         |
|--------|---------------------------------------------------------------|
| 1      | -8: EdDSA                                                     |
| 4      | kid, 16 bytes: the start of SHA-256 of the public key         |
| -70001 | context, text: what the signature is good for                 |
| -70002 | schema id, 4 bytes big-endian                                 |
| -70003 | SHA-256 of the released `.avsc` file                          |
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from nacl import bindings
from nacl.exceptions import CryptoError

from schemas.errors import BadSignatureError
from schemas.registry import Schema, released

HUB_CONTEXT: Final = b"manara/hub/1"
KID_LENGTH: Final = 16
PUBLIC_LENGTH: Final = 32
SIGNATURE_LENGTH: Final = 64
MAX_CONTEXT: Final = 23
"""Longest context, in bytes: up to here its CBOR length is one byte."""

_SIGN1_HEAD = b"\x84\x58"  # array of 4; byte string, its length in the next byte
_MAP_HEAD = b"\xa5\x01\x27\x04\x50"  # map of 5; 1: -8; 4: byte string of 16
_CONTEXT = b"\x3a\x00\x01\x11\x70"  # -70001
_SCHEMA_ID = b"\x3a\x00\x01\x11\x71\x44"  # -70002: byte string of 4
_SCHEMA_SHA = b"\x3a\x00\x01\x11\x72\x58\x20"  # -70003: byte string of 32
_SIGN1_TAIL = b"\xa0\xf6\x58\x40"  # no unprotected header; payload detached; byte string of 64
_STRUCTURE_HEAD = b"\x84\x6aSignature1\x58"  # array of 4; "Signature1"; byte string, its length in the next byte
_NO_AAD = b"\x40"

_KID_START = 3 + len(_MAP_HEAD)  # in the whole COSE_Sign1
_KID_END = _KID_START + KID_LENGTH
_AFTER_PROTECTED = len(_SIGN1_TAIL) + SIGNATURE_LENGTH
_FIXED_PART = len(_MAP_HEAD) + KID_LENGTH + len(_CONTEXT) + 1 + len(_SCHEMA_ID) + 4 + len(_SCHEMA_SHA) + 32
_TSTR = 0x60  # CBOR major type 3, the length in the low bits
_BSTR_1, _BSTR_2, _BSTR_4 = b"\x58", b"\x59", b"\x5a"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key pair. `seed` is the secret; printing the object shows the kid alone."""

    seed: bytes = field(repr=False)
    public: bytes = field(repr=False)
    kid: bytes

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key from the operating system's randomness."""
        return cls.from_seed(bindings.randombytes(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key that grows from this 32-byte seed. ValueError for any other length."""
        if len(seed) != PUBLIC_LENGTH:
            raise ValueError(f"a seed has 32 bytes, this one has {len(seed)}")
        public, _ = bindings.crypto_sign_seed_keypair(bytes(seed))
        return cls(bytes(seed), public, kid_of(public))

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid.hex()})"


class Claim(NamedTuple):
    """What a signature says about itself. Nothing in it is true before `verify`.

    `schema` is the released schema that it names by context, id and hash together, or None where no such one exists.
    """

    kid: bytes
    context: str
    schema_id: int
    schema_sha256: bytes
    protected: bytes
    signature: bytes
    schema: Schema | None


def kid_of(public: bytes) -> bytes:
    """The 16-byte key id of a public key."""
    return hashlib.sha256(public).digest()[:KID_LENGTH]


def sign(schema: Schema, body: bytes, key: SigningKey) -> bytes:
    """The COSE_Sign1 over an Avro body: the value of the `sig` header."""
    protected = protected_map(key.kid, schema.context, schema.id, schema.sha256)
    return assemble(protected, sign_structure(structure(protected, body), key))


def read(sig: bytes) -> Claim:
    """What a `sig` header claims. BadSignatureError for bytes that are not exactly of our one form."""
    named = _schemas_by_claim().get(sig[_KID_END:-_AFTER_PROTECTED])
    if named is not None:
        head, schema = named
        if sig.startswith(head) and sig[-_AFTER_PROTECTED:-SIGNATURE_LENGTH] == _SIGN1_TAIL:
            protected, kid, signature = sig[3:-_AFTER_PROTECTED], sig[_KID_START:_KID_END], sig[-SIGNATURE_LENGTH:]
            return Claim(kid, schema.context, schema.id, schema.sha256, protected, signature, schema)
    return _read_unknown(sig)


def verify(claim: Claim, body: bytes, public_key: bytes) -> None:
    """Return if the claim's signature over this body is the public key's; else BadSignatureError.

    libsodium refuses public keys of small order or non-canonical form, and S >= L (the test vectors hold it to that).
    The GIL is released meanwhile, so threads verify side by side.
    """
    try:
        bindings.crypto_sign_open(claim.signature + structure(claim.protected, body), public_key)
    except (CryptoError, ValueError, TypeError):
        raise BadSignatureError("the signature is not this key's over these bytes") from None


def digest(protected: bytes, body: bytes) -> str:
    """The digest of a signed message: SHA-256 of protected map and body, lower-case hex."""
    return hashlib.sha256(protected + body).hexdigest()


def hub_digest(header_bytes: bytes) -> str:
    """What the signed body carries as `hub_digest`: it binds the `hub` header without showing it to recipients."""
    return hashlib.sha256(HUB_CONTEXT + header_bytes).hexdigest()


def protected_map(kid: bytes, context: str, schema_id: int, schema_sha256: bytes) -> bytes:
    """The protected map in deterministic CBOR. ValueError where a part has not its fixed length."""
    if len(kid) != KID_LENGTH or len(schema_sha256) != PUBLIC_LENGTH:
        raise ValueError("a kid has 16 bytes and a schema's hash 32")
    return _MAP_HEAD + kid + _after_kid(context, schema_id, schema_sha256)


def structure(protected: bytes, body: bytes) -> bytes:
    """The Sig_structure of RFC 9052: the bytes that Ed25519 signs."""
    return b"".join(
        (_STRUCTURE_HEAD, len(protected).to_bytes(1, "big"), protected, _NO_AAD, _bstr_head(len(body)), body)
    )


def sign_structure(to_sign: bytes, key: SigningKey) -> bytes:
    """The 64 bytes of Ed25519 over a Sig_structure."""
    return bytes(bindings.crypto_sign(to_sign, key.seed + key.public)[:SIGNATURE_LENGTH])


def assemble(protected: bytes, signature: bytes) -> bytes:
    """The COSE_Sign1 of a protected map and a 64-byte signature."""
    return b"".join((_SIGN1_HEAD, len(protected).to_bytes(1, "big"), protected, _SIGN1_TAIL, signature))


def _after_kid(context: str, schema_id: int, schema_sha256: bytes) -> bytes:
    text = context.encode("ascii")
    if not 0 < len(text) <= MAX_CONTEXT:
        raise ValueError(f"a context has 1 to {MAX_CONTEXT} ASCII letters")
    number = schema_id.to_bytes(4, "big")
    return b"".join(
        (_CONTEXT, (_TSTR + len(text)).to_bytes(1, "big"), text, _SCHEMA_ID, number, _SCHEMA_SHA, schema_sha256)
    )


@functools.cache
def _schemas_by_claim() -> dict[bytes, tuple[bytes, Schema]]:
    """What stands behind the kid, for each released schema: with the bytes before the kid that must go with it."""
    found: dict[bytes, tuple[bytes, Schema]] = {}
    for schema in released():
        after_kid = _after_kid(schema.context, schema.id, schema.sha256)
        length = len(_MAP_HEAD) + KID_LENGTH + len(after_kid)
        found[after_kid] = (_SIGN1_HEAD + length.to_bytes(1, "big") + _MAP_HEAD, schema)
    return found


def _read_unknown(sig: bytes) -> Claim:
    """The slow way, for a schema that we do not have: take it apart by position, put it together, compare."""
    protected, signature = sig[3:-_AFTER_PROTECTED], sig[-SIGNATURE_LENGTH:]
    size = len(protected) - _FIXED_PART
    if not 0 < size <= MAX_CONTEXT:
        raise BadSignatureError(f"a signature of {len(sig)} bytes is not of the contract's form")
    kid = sig[_KID_START:_KID_END]
    start = _KID_END + len(_CONTEXT) + 1
    text = sig[start : start + size]
    number = start + size + len(_SCHEMA_ID)
    sha256 = protected[-PUBLIC_LENGTH:]
    schema_id = int.from_bytes(sig[number : number + 4], "big")
    if not text.isascii() or sig != assemble(protected_map(kid, text.decode("ascii"), schema_id, sha256), signature):
        raise BadSignatureError("the signature is not a COSE_Sign1 of the contract's form")
    return Claim(kid, text.decode("ascii"), schema_id, sha256, protected, signature, None)


def _bstr_head(length: int) -> bytes:
    if length < 24:  # noqa: PLR2004 - CBOR: the length fits into the first byte
        return (0x40 + length).to_bytes(1, "big")
    if length < 1 << 8:
        return _BSTR_1 + length.to_bytes(1, "big")
    if length < 1 << 16:
        return _BSTR_2 + length.to_bytes(2, "big")
    return _BSTR_4 + length.to_bytes(4, "big")
