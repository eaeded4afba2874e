"""A message on the wire: how one is sealed, and the one order of checks in which gate and edges open it.

Size, key and prefix, headers, key validity, signature; only then decoding, canonical bytes, identity. Nothing of a
stranger's is decoded before its signature holds, because the decoder can be hurt and the signature check cannot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias, cast

from schemas import codec, signature
from schemas.directory import Directory, Key, judge_key
from schemas.errors import BadSignatureError, MalformedError, NotCanonicalError, SchemaUnknownError, UndecodableError
from schemas.models import AlertHeader, HubHeader
from schemas.reasons import Reason, Refusal
from schemas.registry import Schema, by_id, by_name, current
from schemas.signature import Claim, SigningKey

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]

SIG: Final = "sig"
HUB: Final = "hub"
AT: Final = "at"
TRACE: Final = "trace"

ALERT_CONTEXT: Final = "manara/alert/1"
MAX_VALUE: Final = 65536
MAX_RECORD: Final = 1024 * 1024
MAX_KEY: Final = 128
MAX_HUB_HEADER: Final = 4096
MAX_HEADERS: Final = 32


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed message, ready for Kafka: key, value and headers are the bytes to send."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    digest: str
    kind: str
    alert_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Authentic:
    """A message whose signature holds, not decoded yet."""

    schema: Schema
    body: bytes
    claim: Claim
    digest: str
    signer: Key


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that is what it says: signed by the agency that it names, canonical, under its own key.

    `schema` is the signed one. The record is of the latest minor version: what that added has its default.
    """

    schema: Schema
    kind: str
    header: AlertHeader
    record: dict[str, Any]
    digest: str


def identity(agency: str, alert_id: str) -> bytes:
    """The identity of an alert as bytes: Kafka key, register key, everywhere."""
    return f"{agency}/{alert_id}".encode()


def seal(schema: Schema, record: Mapping[str, Any], audience_header: HubHeader, key: SigningKey) -> Sealed:
    """Bind the audience into the record's header, encode, sign; the record itself stays as it was.

    EncodeError where record or audience does not fit its schema.
    """
    hub = codec.encode(by_name("hub"), audience_header)
    header = {**record["header"], "hub_digest": signature.hub_digest(hub)}
    body = codec.encode(schema, {**record, "header": header})
    sig = signature.sign(schema, body, key)
    return Sealed(
        key=identity(header["agency"], header["alert_id"]),
        value=codec.frame(schema, body),
        headers=[(SIG, sig), (HUB, hub)],
        digest=signature.digest(signature.read(sig).protected, body),
        kind=_kind(schema, record),
        alert_id=header["alert_id"],
        version=header["version"],
    )


def authenticate(
    key: bytes | None,
    value: bytes | None,
    headers: Headers | None,
    *,
    directory: Directory,
    at: int,
    limit: int = MAX_VALUE,
) -> Authentic:
    """The message behind these bytes, if an agency of the directory signed it with a key valid at log time `at`.

    Refusal: TOO_LARGE, MALFORMED, BAD_SIGNATURE, UNKNOWN_KEY, KEY_NOT_VALID, SCHEMA_UNKNOWN, SCHEMA_MISMATCH or
    WRONG_AGENCY (the signer is no agency).
    """
    if key is None or len(key) > MAX_KEY:
        raise Refusal(Reason.MALFORMED, "the record has no key, or one too long to be an alert's")
    authentic = _authenticate(value, headers, directory=directory, at=at, limit=limit, context=ALERT_CONTEXT)
    if authentic.signer.holder not in directory.agencies:
        raise Refusal(Reason.WRONG_AGENCY, "the key belongs to no agency", digest=authentic.digest)
    return authentic


def interpret(authentic: Authentic, key: bytes) -> Opened:
    """The record in an authentic message.

    Refusal: UNDECODABLE, NOT_CANONICAL, MALFORMED (the Kafka key is not the signed identity) or WRONG_AGENCY (the
    body names another agency than the signer).
    """
    schema, digest = authentic.schema, authentic.digest
    record = _decode(schema, authentic.body, digest)
    header = cast("AlertHeader", record["header"])
    if identity(header["agency"], header["alert_id"]) != key:
        raise Refusal(Reason.MALFORMED, "the record's key is not the signed agency and alert id", digest=digest)
    if header["agency"] != authentic.signer.holder:
        raise Refusal(Reason.WRONG_AGENCY, "the body names another agency than the signer", digest=digest)
    return Opened(schema, _kind(schema, record), header, record, digest)


def open_audience(headers: Headers | None, header: AlertHeader) -> HubHeader:
    """The audience that the author bound into the signed header. Refusal(HUB_HEADER_MISMATCH) for any other bytes."""
    found = _values(headers, HUB)
    if len(found) != 1 or found[0] is None or len(found[0]) > MAX_HUB_HEADER:
        raise Refusal(Reason.HUB_HEADER_MISMATCH, "there is not exactly one `hub` header")
    hub = found[0]
    if signature.hub_digest(hub) != header["hub_digest"]:
        raise Refusal(Reason.HUB_HEADER_MISMATCH, "the `hub` header is not the one that was signed")
    try:
        return cast("HubHeader", codec.read(by_name("hub"), hub))
    except (UndecodableError, NotCanonicalError) as error:
        raise Refusal(Reason.HUB_HEADER_MISMATCH, f"the `hub` header is {error}") from error


def sign_record(schema: Schema, record: Mapping[str, object], key: SigningKey) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers of a signed verdict, receipt, notice or heartbeat."""
    body = codec.encode(schema, record)
    return codec.frame(schema, body), [(SIG, signature.sign(schema, body, key))]


def open_record(
    value: bytes | None,
    headers: Headers | None,
    *,
    directory: Directory,
    at: int,
    holders: Collection[str] | None = None,
    limit: int = MAX_RECORD,
) -> tuple[Schema, dict[str, Any], Key]:
    """The signed record in these bytes, and whose key signed it. `holders` says who may; None lets everybody.

    Refusal as in `authenticate` and `interpret`; WRONG_AGENCY where the signer is not one of the holders.
    """
    authentic = _authenticate(value, headers, directory=directory, at=at, limit=limit, context=None)
    if holders is not None and authentic.signer.holder not in holders:
        raise Refusal(Reason.WRONG_AGENCY, "the signer may not say this", digest=authentic.digest)
    return authentic.schema, _decode(authentic.schema, authentic.body, authentic.digest), authentic.signer


def _authenticate(
    value: bytes | None, headers: Headers | None, *, directory: Directory, at: int, limit: int, context: str | None
) -> Authentic:
    """Everything before decoding. `context` None: whatever the schema's own is, but not an alert's."""
    if value is None:
        raise Refusal(Reason.MALFORMED, "the record has no value")
    if len(value) > limit:
        raise Refusal(Reason.TOO_LARGE, f"the value has {len(value)} bytes, {limit} are allowed")
    try:
        prefix, body = codec.unframe(value)
    except MalformedError as error:
        raise Refusal(Reason.MALFORMED, str(error)) from error
    claim = _claim(headers)
    digest = signature.digest(claim.protected, body)
    signer = directory.keys.get(claim.kid)
    reason = judge_key(signer, at)
    if reason is not None or signer is None:
        raise Refusal(reason or Reason.UNKNOWN_KEY, f"key {claim.kid.hex()}", digest=digest)
    try:
        signature.verify(claim, body, signer.public)
    except BadSignatureError as error:
        raise Refusal(Reason.BAD_SIGNATURE, str(error), digest=digest) from error
    return Authentic(_signed_schema(claim, prefix, digest, context), body, claim, digest, signer)


def _claim(headers: Headers | None) -> Claim:
    found = _values(headers, SIG)
    if len(found) != 1 or found[0] is None:
        raise Refusal(Reason.BAD_SIGNATURE, f"there are {len(found)} `sig` headers with a value, not one")
    try:
        return signature.read(found[0])
    except BadSignatureError as error:
        raise Refusal(Reason.BAD_SIGNATURE, str(error)) from error


def _signed_schema(claim: Claim, prefix: int, digest: str, context: str | None) -> Schema:
    """The schema that was signed, if the prefix names it too and the signature is good for it."""
    if prefix != claim.schema_id:
        raise Refusal(Reason.SCHEMA_MISMATCH, f"the prefix says schema {prefix}, not the signed one", digest=digest)
    if claim.schema is None:
        _refuse_unknown(claim, digest)
    if context is None and claim.context == ALERT_CONTEXT:
        raise Refusal(Reason.BAD_SIGNATURE, "signed as an alert", digest=digest)
    if context is not None and claim.context != context:
        raise Refusal(Reason.BAD_SIGNATURE, f"signed as {claim.context}, not as {context}", digest=digest)
    return claim.schema


def _refuse_unknown(claim: Claim, digest: str) -> NoReturn:
    try:
        schema = by_id(claim.schema_id)
    except SchemaUnknownError as error:
        raise Refusal(Reason.SCHEMA_UNKNOWN, str(error), digest=digest) from error
    if claim.schema_sha256 != schema.sha256:
        raise Refusal(Reason.SCHEMA_MISMATCH, "the signed hash is not that of the released schema", digest=digest)
    raise Refusal(Reason.BAD_SIGNATURE, f"signed as {claim.context}, not as {schema.context}", digest=digest)


def _decode(schema: Schema, body: bytes, digest: str) -> dict[str, Any]:
    try:
        record = codec.read(schema, body)
        latest = current(schema)
        return record if latest is schema else codec.resolve(body, schema, latest)
    except UndecodableError as error:
        raise Refusal(Reason.UNDECODABLE, str(error), digest=digest) from error
    except NotCanonicalError as error:
        raise Refusal(Reason.NOT_CANONICAL, str(error), digest=digest) from error


def _values(headers: Headers | None, name: str) -> list[bytes | None]:
    if not headers:
        return []
    if len(headers) > MAX_HEADERS:
        raise Refusal(Reason.MALFORMED, f"the record has {len(headers)} headers")
    return [value for header, value in headers if header == name]


def _kind(schema: Schema, record: Mapping[str, Any]) -> str:
    return str(record["kind"]) if schema.name == "end" else schema.name
