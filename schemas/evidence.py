"""A pack of evidence about one alert: one file that anybody can check offline with nothing but the roots' fingerprints.

Inside are the bytes that were signed, by whoever signed them: the author's messages, the hub's verdicts, the members'
receipts; the certified key entries that they are checked with; and the seal of whoever made the pack, over all of it.
So no byte of it can be changed, and nothing in it is believed because the pack says so. Pure.

The file is JSON in one spelling only (sorted names, two blanks, no escapes): `{"pack": {...}, "seal": "<base64>"}`. The
seal is a COSE_Sign1 of the contract's one form with the context `manara/evidence/1` over the compact spelling of the
pack; since the format is no Avro schema, the place of the schema's hash holds that of `FORMAT`.

One signed verdict or receipt lists up to 500 messages, so a pack may name other alerts of its author by their ids.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from schemas import codec, directory, message, signature
from schemas.directory import Directory, Pins
from schemas.errors import BadSignatureError, ContractError
from schemas.lifecycle import ENDS
from schemas.models import CertifiedKey, DirectoryRecord, KeyEntry
from schemas.reasons import Refusal
from schemas.registry import by_id, by_name
from schemas.signature import SigningKey

FORMAT: Final = "manara/evidence/1"
EVIDENCE, PURGE = "evidence", "purge-proof"
MAX_FILE: Final = 64 * 1024 * 1024
_FORMAT_SHA256: Final = hashlib.sha256(FORMAT.encode()).digest()
_NO_SCHEMA: Final = 0
_FIELDS: Final = frozenset(
    {"format", "about", "agency", "alert_id", "made_at", "messages", "records", "keys", "roots", "schemas", "expected"}
    | {"decisions"}
)


class EvidenceError(ContractError):
    """A pack is not whole, not of this format, or something in it does not hold; the message says what."""


class SignedMessage(NamedTuple):
    """One message of the author as it was sent: Kafka key, value, `sig` and `hub` headers; `at` is log time."""

    key: bytes
    value: bytes
    sig: bytes
    hub: bytes
    at: int


class SignedRecord(NamedTuple):
    """One verdict or receipt record as it was signed; `at` is log time."""

    value: bytes
    sig: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a pack. `roots`: member code ("" for the operator) to public key, hex. `decisions`: policy
    decisions with rules and directory number, where the operator makes the pack; `expected`: whom its maker says that
    each version went to.
    """

    about: str
    agency: str
    alert_id: str
    made_at: int
    messages: Sequence[SignedMessage]
    records: Sequence[SignedRecord]
    keys: Sequence[CertifiedKey]
    roots: Mapping[str, str]
    expected: Mapping[str, Sequence[str]] = field(default_factory=dict)
    decisions: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Proven:
    """One thing that a signature in the pack proves: `signer` said `what` about the message `digest` at `at`."""

    signer: str
    what: str
    digest: str
    version: int
    at: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A pack whose every signature holds. `maker` sealed it; `expected` and `decisions` are the maker's word alone.

    `purged` are members whose signed PURGED about the withdrawal is inside; `missing` those expected without one.
    """

    about: str
    agency: str
    alert_id: str
    made_at: int
    maker: str
    proven: tuple[Proven, ...]
    expected: Mapping[str, tuple[str, ...]]
    decisions: tuple[Mapping[str, Any], ...]
    withdrawn: bool
    purged: tuple[str, ...]
    missing: tuple[str, ...]


def make(contents: Contents, key: SigningKey) -> bytes:
    """The file of a pack, sealed with this key."""
    pack = {
        "format": FORMAT,
        "about": contents.about,
        "agency": contents.agency,
        "alert_id": contents.alert_id,
        "made_at": contents.made_at,
        "messages": [_named(item) for item in contents.messages],
        "records": [_named(item) for item in contents.records],
        "keys": [{"entry": _text(one["entry"]), "certificate": _text(one["certificate"])} for one in contents.keys],
        "roots": dict(contents.roots),
        "schemas": _schemas([*contents.messages, *contents.records]),
        "expected": {version: list(members) for version, members in contents.expected.items()},
        "decisions": [dict(one) for one in contents.decisions],
    }
    protected = signature.protected_map(key.kid, FORMAT, _NO_SCHEMA, _FORMAT_SHA256)
    sealed = signature.sign_structure(signature.structure(protected, _compact(pack)), key)
    return _spelled({"pack": pack, "seal": _text(signature.assemble(protected, sealed))})


def verify(data: bytes, pins: Pins) -> Report:
    """What a pack proves to somebody who has these root fingerprints. EvidenceError where anything does not hold."""
    pack, seal = _opened(data)
    try:
        known = _directory(pack, pins)
        maker = _maker(pack, seal, known)
        messages = [_message(item, pack, known) for item in pack["messages"]]
        digests = {proven.digest for proven in messages}
        records = [_record(item, pack, known) for item in pack["records"]]
    except Refusal as refusal:
        raise EvidenceError(f"{refusal.reason}: {refusal.detail}") from refusal
    except (KeyError, TypeError, AttributeError, ValueError, ContractError) as error:
        if isinstance(error, EvidenceError):
            raise
        raise EvidenceError(f"a part of the pack is not of the format ({type(error).__name__})") from error
    # the others came along in the same signed record
    said = [one for group in records for one in group if one.digest in digests]
    if pack["schemas"] != _schemas([_parts(item) for item in [*pack["messages"], *pack["records"]]]):
        raise EvidenceError("the list of schemas is not that of the signed bytes")
    return _report(pack, maker, [*messages, *said])


def _report(pack: Mapping[str, Any], maker: str, proven: list[Proven]) -> Report:
    expected = {version: tuple(members) for version, members in pack["expected"].items()}
    orders = [one for one in proven if one.what == "WITHDRAW" and one.signer == pack["agency"]]
    owed = set(expected.get(str(orders[-1].version), ())) if orders else set()
    confirmed = _confirmed(proven, orders)
    return Report(
        about=pack["about"],
        agency=pack["agency"],
        alert_id=pack["alert_id"],
        made_at=pack["made_at"],
        maker=maker,
        proven=tuple(proven),
        expected=expected,
        decisions=tuple(pack["decisions"]),
        withdrawn=bool(orders),
        purged=tuple(sorted(confirmed)),
        missing=tuple(sorted(owed - confirmed)),
    )


def _confirmed(proven: list[Proven], orders: list[Proven]) -> set[str]:
    """Members whose PURGED is about the withdrawal itself: about an earlier version alone it would not be enough."""
    digests = {one.digest for one in orders}
    return {one.detail for one in proven if one.what == "PURGED" and one.digest in digests}


def _opened(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Pack and seal of a file that is spelled exactly as `make` spells it."""
    if len(data) > MAX_FILE:
        raise EvidenceError(f"the file has {len(data)} bytes; {MAX_FILE} are the most")
    try:
        whole = json.loads(data)
        pack, seal = whole["pack"], whole["seal"]
        same = _spelled({"pack": pack, "seal": seal}) == data
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EvidenceError("the file is no pack of evidence") from error
    if not same:
        raise EvidenceError("the file is not spelled as it was made: something in it was changed")
    if not isinstance(pack, dict) or pack.keys() != _FIELDS or pack["format"] != FORMAT or not isinstance(seal, str):
        raise EvidenceError(f"the file is not of the format {FORMAT}")
    return pack, _bytes(seal)


def _directory(pack: Mapping[str, Any], pins: Pins) -> Directory:
    """A directory of what the pack brings along, believed only under the pinned roots."""
    keys: list[CertifiedKey] = [
        {"entry": _bytes(one["entry"]), "certificate": _bytes(one["certificate"])} for one in pack["keys"]
    ]
    entries = [cast("KeyEntry", codec.read(by_name("key"), one["entry"], limit=4096)) for one in keys]
    agencies = sorted({one["holder"] for one in entries if directory.AGENCY_FORM.fullmatch(one["holder"])})
    codes = sorted(code for code in pack["roots"] if code)
    record: Any = {
        "directory_seq": 0,
        "at": 0,
        "operator_root": pack["roots"].get("", ""),
        "members": [_member(code, pack["roots"][code]) for code in codes],
        "agencies": [{"id": one, "member": one[:2].upper(), "name": "", "kinds": []} for one in agencies],
        "keys": keys,
    }
    found, refused = directory.read(cast("DirectoryRecord", record), pins)
    # an operator's root without a key of the hub's in the pack need not be pinned
    told = [one for one in refused if pack["roots"].get("") or not one.startswith(directory.OPERATOR)]
    if told:
        raise EvidenceError(told[0])
    return found


def _member(code: str, root: str) -> dict[str, Any]:
    return {
        "code": code,
        "name": "",
        "standing": "GOOD",
        "root": root,
        "tlp": "CLEAR",
        "handling": [],
        "subscriptions": [],
    }


def _maker(pack: Mapping[str, Any], seal: bytes, known: Directory) -> str:
    """Who sealed the pack. BadSignatureError becomes the sentence that something was changed."""
    try:
        claim = signature.read(seal)
        if (claim.context, claim.schema_id, claim.schema_sha256) != (FORMAT, _NO_SCHEMA, _FORMAT_SHA256):
            raise EvidenceError("the seal is not that of a pack of evidence")
        key = known.keys.get(claim.kid)
        reason = directory.judge_key(key, pack["made_at"])
        if reason is not None or key is None:
            raise EvidenceError(f"the key of the seal is not believed ({reason})")
        signature.verify(claim, _compact(pack), key.public)
    except BadSignatureError as error:
        raise EvidenceError(f"the seal does not hold: {error}") from error
    return key.holder


def _message(item: Mapping[str, Any], pack: Mapping[str, Any], known: Directory) -> Proven:
    key, value, sig, hub = (_bytes(item[name]) for name in ("key", "value", "sig", "hub"))
    part = SignedMessage(key, value, sig, hub, item["at"])
    headers = [(message.SIG, part.sig), (message.HUB, part.hub)]
    authentic = message.authenticate(part.key, part.value, headers, directory=known, at=part.at)
    opened = message.interpret(authentic, part.key)
    message.open_audience(headers, opened.header)
    header = opened.header
    if (header["agency"], header["alert_id"]) != (pack["agency"], pack["alert_id"]):
        raise EvidenceError("a message in the pack is about another alert")
    detail = str(opened.record["reason"]) if header["message"] in ENDS else ""
    return Proven(header["agency"], header["message"], opened.digest, header["version"], header["sent_at"], detail)


def _record(item: Mapping[str, Any], pack: Mapping[str, Any], known: Directory) -> list[Proven]:
    value, headers = _bytes(item["value"]), [(message.SIG, _bytes(item["sig"]))]
    schema, record, signer = message.open_record(value, headers, directory=known, at=item["at"])
    if record["agency"] != pack["agency"]:
        raise EvidenceError("a record in the pack is about another agency")
    if schema.name == "verdict" and signer.holder == "hub.gate":
        return [_proven(signer.holder, one["outcome"], one, one["reason"]) for one in record["verdicts"]]
    if schema.name != "receipt" or record["issuer"] != signer.holder:
        raise EvidenceError(f"{signer.holder} cannot say what a {schema.name} record in the pack says")
    by_hub = signer.holder.startswith("hub.")
    if not by_hub and record["member"] != signer.member:
        raise EvidenceError(f"{signer.holder} speaks for another member in the pack")
    if any((one["stage"] == "ROUTED") != by_hub for one in record["receipts"]):
        raise EvidenceError(f"{signer.holder} claims a stage in the pack that is not its to claim")
    member = record["member"]
    return [_proven(signer.holder, one["stage"], one, member or str(one["count"])) for one in record["receipts"]]


def _proven(signer: str, what: str, one: Mapping[str, Any], detail: str) -> Proven:
    return Proven(signer, what, one["digest"], one["version"], one["at"], detail)


def _schemas(parts: Sequence[SignedMessage | SignedRecord]) -> list[dict[str, Any]]:
    """Each schema that was signed: wire id, name, and the SHA-256 of the released file."""
    found = {codec.unframe(part.value)[0] for part in parts} | {by_name("hub").id, by_name("key").id}
    return [{"id": one, "name": by_id(one).name, "sha256": by_id(one).sha256.hex()} for one in sorted(found)]


def _parts(item: Mapping[str, Any]) -> SignedRecord:
    return SignedRecord(_bytes(item["value"]), _bytes(item["sig"]), item["at"])


def _named(item: SignedMessage | SignedRecord) -> dict[str, Any]:
    return {name: _text(part) if isinstance(part, bytes) else part for name, part in item._asdict().items()}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: Any) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise EvidenceError("a part of the pack is not base64") from error
    if _text(found) != text:  # the last letter has bits to spare
        raise EvidenceError("a part of the pack is not base64 as it is made")
    return found


def _compact(pack: Mapping[str, Any]) -> bytes:
    return json.dumps(pack, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _spelled(whole: Mapping[str, Any]) -> bytes:
    return (json.dumps(whole, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()
