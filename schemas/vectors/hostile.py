"""Records that must be refused: what a stranger, a lying author or a lying hub could write, each with its reason."""

from __future__ import annotations

from typing import Any, Final

from schemas import codec, message, signature
from schemas.message import Sealed
from schemas.registry import by_name
from schemas.vectors.network import AGENCY, SMALL_ORDER, inputs, key

ORDER: Final = 2**252 + 27742317777372353535851937790883648493


def hostile() -> list[dict[str, Any]]:
    """`hostile.json`."""
    return [_hostile_vector(*case) for case in (*_before_decoding(), *_after_the_signature(), *_about_the_audience())]


Case = tuple[str, str, bytes | None, bytes | None, list[tuple[str, bytes | None]]]
"""What it is, the reason, Kafka key, value, headers."""


def _hostile_vector(
    name: str, reason: str, kafka_key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> dict[str, Any]:
    return {
        "name": name,
        "reason": reason,
        "key": None if kafka_key is None else kafka_key.hex(),
        "value": None if value is None else value.hex(),
        "headers": [[header, None if data is None else data.hex()] for header, data in headers],
    }


def _sealed(signer: str = AGENCY, name: str = "person", **header: Any) -> Sealed:
    record = {**inputs()[name], "header": {**inputs()[name]["header"], "agency": AGENCY, **header}}
    return message.seal(by_name(name), record, inputs()["audience"]["all"], key(signer))


def _headers(sealed: Sealed, **changes: bytes | None) -> list[tuple[str, bytes | None]]:
    return list({**dict(sealed.headers), **changes}.items())


def _before_decoding() -> list[Case]:  # long because it is one table: a row a way to break the same message
    """Refused before anything of the stranger's is decoded."""
    good = _sealed()
    kafka_key, value, sig = good.key, good.value, dict(good.headers)[message.SIG]
    body = value[codec.PREFIX_LENGTH :]
    scalar = int.from_bytes(sig[-32:], "little")
    twice: list[tuple[str, bytes | None]] = [*_headers(good), (message.SIG, sig)]
    tricks = {
        "changed byte in the body": (_flipped(value, 300), sig),
        "changed byte in the signature": (value, _flipped(sig, len(sig) - 40)),
        "changed byte in the signed schema hash": (value, _flipped(sig, 80)),
        "body truncated after signing": (value[:-1], sig),
        "byte added after signing": (value + b"\x00", sig),
        "scalar S + L": (value, sig[:-32] + (scalar + ORDER).to_bytes(32, "little")),
        "signature of 63 bytes": (value, sig[:-1]),
        "signature of 65 bytes": (value, sig + b"\x00"),
        "tagged COSE_Sign1": (value, b"\xd2" + sig),
        "indefinite-length array": (value, b"\x9f" + sig[1:] + b"\xff"),
        "length in more bytes than needed": (value, b"\x84\x59\x00" + sig[2:]),
        "duplicate label in the protected map": (value, _extended(sig, b"\x01\x27")),
        "critical header": (value, _extended(sig, b"\x02\x81\x3a\x00\x01\x11\x70")),
        "unprotected header": (value, sig.replace(b"\xa0\xf6\x58\x40", b"\xa1\x04\x40\xf6\x58\x40")),
        "payload attached": (value, sig.replace(b"\xa0\xf6\x58\x40", b"\xa0\x41\x00\x58\x40")),
        "algorithm none": (value, sig.replace(b"\xa5\x01\x27", b"\xa5\x01\x00", 1)),
        "a thousand nested arrays": (value, b"\x81" * 1000),
        "CBOR length of 2^64-1": (value, b"\x84\x5b" + b"\xff" * 8),
        "empty signature": (value, b""),
    }
    cases: list[Case] = [
        ("null value", "MALFORMED", kafka_key, None, _headers(good)),
        ("null key", "MALFORMED", None, value, _headers(good)),
        ("key of 129 bytes", "MALFORMED", b"k" * 129, value, _headers(good)),
        ("empty value", "MALFORMED", kafka_key, b"", _headers(good)),
        ("magic byte 1", "MALFORMED", kafka_key, b"\x01" + value[1:], _headers(good)),
        (
            "value of 64 KiB and a byte",
            "TOO_LARGE",
            kafka_key,
            value.ljust(message.MAX_VALUE + 1, b"\x00"),
            _headers(good),
        ),
        ("no headers", "BAD_SIGNATURE", kafka_key, value, []),
        ("null signature", "BAD_SIGNATURE", kafka_key, value, _headers(good, sig=None)),
        ("two signatures", "BAD_SIGNATURE", kafka_key, value, twice),
        *(
            (name, "BAD_SIGNATURE", kafka_key, data, _headers(good, sig=other))
            for name, (data, other) in tricks.items()
        ),
        ("key of small order", "BAD_SIGNATURE", kafka_key, value, _headers(good, sig=_by_small_order())),
        ("signed as a receipt", "BAD_SIGNATURE", kafka_key, *_signed_as(body, "manara/receipt/1", "person")),
        ("a verdict, signed as one", "BAD_SIGNATURE", kafka_key, *_record_of("verdict", AGENCY)),
        ("unknown kid", "UNKNOWN_KEY", kafka_key, *_resigned("stranger", body)),
        ("expired key", "KEY_NOT_VALID", kafka_key, *_resigned("az-expired", body)),
        ("compromised key", "KEY_NOT_VALID", kafka_key, *_resigned("az-stolen", body)),
        ("an edge's key", "WRONG_AGENCY", kafka_key, *_resigned("edge.tr", body)),
        ("prefix of another schema", "SCHEMA_MISMATCH", kafka_key, codec.frame(by_name("end"), body), _headers(good)),
        (
            "hash of another file",
            "SCHEMA_MISMATCH",
            kafka_key,
            *_signed_as(body, "manara/alert/1", "person", bytes(32)),
        ),
        ("schema nobody has released", "SCHEMA_UNKNOWN", kafka_key, *_signed_as(body, "manara/alert/1", "", bytes(32))),
    ]
    return cases


def _after_the_signature() -> list[Case]:
    """Properly signed, and refused for what was signed."""
    good = _sealed()
    body = good.value[codec.PREFIX_LENGTH :]
    names = codec.encode(by_name("person"), {**inputs()["person"], "occupations": ["driver"]})
    at = names.rindex(b"\x02\x0cdriver\x00")
    bodies = {
        ("empty body", "UNDECODABLE"): b"",
        ("truncated before signing", "UNDECODABLE"): body[:-3],
        ("body of another kind", "UNDECODABLE"): codec.encode(by_name("heartbeat"), inputs()["heartbeat"]),
        ("array count of 2^63-1", "UNDECODABLE"): names[:at] + b"\xfe" + b"\xff" * 8 + b"\x01" + names[at + 1 :],
        ("array count of 2^31", "UNDECODABLE"): names[:at] + b"\x80\x80\x80\x80\x10" + names[at + 1 :],
        ("text length of 2^40", "UNDECODABLE"): names[:at] + b"\x02\x80\x80\x80\x80\x80\x40" + names[at + 2 :],
        ("text that is not UTF-8", "UNDECODABLE"): names[:at] + b"\x02\x04\xff\xfe\x00" + names[at + 9 :],
        ("trailing byte", "NOT_CANONICAL"): body + b"\x00",
        ("the record twice", "NOT_CANONICAL"): body + body,
        ("array with a negative count", "NOT_CANONICAL"): names[:at] + b"\x01\x0e\x0cdriver\x00" + names[at + 9 :],
        ("array in two blocks", "NOT_CANONICAL"): names[:at] + b"\x02\x0cdriver\x02\x0cdriver\x00" + names[at + 9 :],
        ("padded length", "NOT_CANONICAL"): names[:at] + b"\x02\x8c\x00driver\x00" + names[at + 9 :],
    }
    signed: list[Case] = [(name, reason, good.key, *_resigned(AGENCY, data)) for (name, reason), data in bodies.items()]
    other = _sealed(agency="kz-border")
    return [
        *signed,
        ("Kafka key of another alert", "MALFORMED", b"az-customs/another", good.value, _headers(good)),
        ("another agency in the body", "WRONG_AGENCY", other.key, other.value, _headers(other)),
    ]


def _about_the_audience() -> list[Case]:
    """Good but for the `hub` header."""
    good = _sealed()
    hub = dict(good.headers)[message.HUB]
    other = codec.encode(by_name("hub"), inputs()["audience"]["listed"])
    only_sig: list[tuple[str, bytes | None]] = [(message.SIG, dict(good.headers)[message.SIG])]
    cases = {
        "no hub header": only_sig,
        "another hub header": _headers(good, hub=other),
        "hub header with a byte more": _headers(good, hub=hub + b"\x00"),
        "two hub headers": [*_headers(good), (message.HUB, hub)],
    }
    return [(name, "HUB_HEADER_MISMATCH", good.key, good.value, headers) for name, headers in cases.items()]


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _extended(sig: bytes, entry: bytes) -> bytes:
    """The signature with one more entry in its protected map."""
    protected = signature.read(sig).protected
    return signature.assemble(b"\xa6" + protected[1:] + entry, sig[-signature.SIGNATURE_LENGTH :])


def _resigned(signer: str, body: bytes) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """Value and headers of a body signed as a person by this key, whatever the body is."""
    schema = by_name("person")
    hub = codec.encode(by_name("hub"), inputs()["audience"]["all"])
    return codec.frame(schema, body), [(message.SIG, signature.sign(schema, body, key(signer))), (message.HUB, hub)]


def _signed_as(
    body: bytes, context: str, name: str, sha256: bytes | None = None
) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """Value and headers with a protected map that says these things; no name: an id that nobody has."""
    schema_id = by_name(name).id if name else 990_100
    signer = key(AGENCY)
    protected = signature.protected_map(signer.kid, context, schema_id, sha256 or by_name("person").sha256)
    made = signature.sign_structure(signature.structure(protected, body), signer)
    value = b"\x00" + schema_id.to_bytes(4, "big") + body
    return value, [(message.SIG, signature.assemble(protected, made))]


def _by_small_order() -> bytes:
    """A signature that naive verifiers accept under a key of small order, for any body: R the identity, S = 0."""
    schema = by_name("person")
    protected = signature.protected_map(signature.kid_of(SMALL_ORDER), schema.context, schema.id, schema.sha256)
    return signature.assemble(protected, b"\x01".ljust(32, b"\x00") + bytes(32))


def _record_of(name: str, signer: str) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    value, headers = message.sign_record(by_name(name), inputs()[name], key(signer))
    return value, list(headers)
