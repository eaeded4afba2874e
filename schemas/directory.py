"""Who takes part: members, agencies and keys, as one snapshot that readers check against roots pinned out of band.

The operator publishes the snapshot but cannot invent keys: each key entry is signed by the root of its member (agencies
and edges) or of the operator (hub), and every reader has the fingerprints of the roots in its own configuration.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast
from zlib import crc32

from schemas import codec, signature
from schemas.errors import ContractError
from schemas.models import CertifiedKey, DirectoryRecord, HandlingCode, KeyEntry, Standing, Tlp
from schemas.reasons import Reason
from schemas.registry import by_name
from schemas.signature import SigningKey

OPERATOR: Final = "operator"
HUB_STAGES: Final = ("gate", "route", "receipts", "clock", "index", "correlate", "links")
MAX_LANES: Final = 1024
AGENCY_FORM: Final = re.compile(r"[a-z]{2}-[a-z0-9]{2,16}")
MEMBER_FORM: Final = re.compile(r"[A-Z]{2}")

Pins: TypeAlias = Mapping[str, str]
"""Member code, or "operator", to the SHA-256 of its root's public key, lower-case hex."""


@dataclass(frozen=True, slots=True)
class Member:
    """A state of the network. `root` and `root_fingerprint` are hex; `subscriptions` are kinds."""

    code: str
    name: str
    standing: Standing
    root: str
    root_fingerprint: str
    tlp: Tlp
    handling: frozenset[HandlingCode]
    subscriptions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Agency:
    """A publishing body of one member, and the kinds it may publish."""

    id: str
    member: str
    name: str
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key whose certificate holds. Times in microseconds; `compromised_since` 0 means never."""

    holder: str
    member: str
    kid: bytes
    public: bytes
    valid_from: int
    valid_until: int
    compromised_since: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Directory:
    """One snapshot. `keys` holds only entries that verified under a pinned root."""

    seq: int
    at: int
    operator_root: str
    members: Mapping[str, Member]
    agencies: Mapping[str, Agency]
    keys: Mapping[bytes, Key]


class _RefusedError(ContractError):
    """An entry of the directory is not believed; the message is for people."""


def fingerprint(public: bytes) -> str:
    """What is pinned of a root: SHA-256 of its public key, lower-case hex."""
    return hashlib.sha256(public).hexdigest()


def lane_of(agency: str, lanes: int = 8) -> int:
    """The lane of an agency: CRC-32 of its id modulo the number of lanes."""
    return crc32(agency.encode()) % lanes


def certify(entry: KeyEntry, root: SigningKey) -> CertifiedKey:
    """The key entry with its certificate by a root. EncodeError where the entry does not fit its schema."""
    schema = by_name("key")
    body = codec.encode(schema, entry)
    return {"entry": body, "certificate": signature.sign(schema, body, root)}


def key_entry(holder: str, member: str, public: bytes, valid_from: int, valid_until: int) -> KeyEntry:
    """The first entry of a new key: sequence 1, not compromised."""
    return {
        "holder": holder,
        "member": member,
        "kid": signature.kid_of(public).hex(),
        "public_key": public.hex(),
        "valid_from": valid_from,
        "valid_until": valid_until,
        "compromised_since": 0,
        "sequence": 1,
    }


def judge_key(key: Key | None, at: int) -> Reason | None:
    """Why a signature by this key at this log time is not to be believed, or None. Compromise beats validity."""
    if key is None:
        return Reason.UNKNOWN_KEY
    if key.compromised_since and at >= key.compromised_since:
        return Reason.KEY_NOT_VALID
    if not key.valid_from <= at < key.valid_until:
        return Reason.KEY_NOT_VALID
    return None


def write(
    seq: int,
    at: int,
    operator_root: bytes,
    members: Mapping[str, Member],
    agencies: Mapping[str, Agency],
    keys: list[CertifiedKey],
) -> DirectoryRecord:
    """The snapshot as a record: everything sorted, so that the same directory gives the same bytes."""
    return {
        "directory_seq": seq,
        "at": at,
        "operator_root": operator_root.hex(),
        "members": [
            {
                "code": member.code,
                "name": member.name,
                "standing": member.standing,
                "root": member.root,
                "tlp": member.tlp,
                "handling": sorted(member.handling),
                "subscriptions": sorted(member.subscriptions),
            }
            for _, member in sorted(members.items())
        ],
        "agencies": [
            {"id": agency.id, "member": agency.member, "name": agency.name, "kinds": sorted(agency.kinds)}
            for _, agency in sorted(agencies.items())
        ],
        "keys": sorted(keys, key=lambda certified: certified["entry"]),
    }


def read(record: DirectoryRecord, pins: Pins, previous: Directory | None = None) -> tuple[Directory, tuple[str, ...]]:
    """The snapshot with the key entries that hold, and a sentence about each thing that was refused.

    Refused are: a root that is not the pinned one (with all its keys), an entry that is not signed by its root or not
    well formed, two entries of one kid with one sequence, an entry older than the one in `previous`, which then stays,
    and a key of one holder claimed for another: no root may take over or revoke the key of another state. Members and
    agencies are believed from the operator: they decide who reads, not who speaks.
    """
    refused: list[str] = []
    members = _members(record, refused)
    agencies = _agencies(record, members, refused)
    roots = _pinned_roots(record["operator_root"], members, pins, refused)
    keys = _newest(_of_their_holders(_believed(record["keys"], roots, agencies, refused), previous, refused), refused)
    if previous is not None:
        keys = _not_older(keys, previous, refused)
    directory = Directory(record["directory_seq"], record["at"], record["operator_root"], members, agencies, keys)
    return directory, tuple(refused)


def _members(record: DirectoryRecord, refused: list[str]) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for entry in record["members"]:
        code, root = entry["code"], _public(entry["root"])
        if not MEMBER_FORM.fullmatch(code) or code in members:
            refused.append(f"member {code!r}: the code is not two capital letters, or it stands twice")
            continue
        members[code] = Member(
            code=code,
            name=entry["name"],
            standing=entry["standing"],
            root=entry["root"],
            root_fingerprint=fingerprint(root) if root else "",
            tlp=entry["tlp"],
            handling=frozenset(entry["handling"]),
            subscriptions=frozenset(entry["subscriptions"]),
        )
    return members


def _agencies(record: DirectoryRecord, members: Mapping[str, Member], refused: list[str]) -> dict[str, Agency]:
    agencies: dict[str, Agency] = {}
    for entry in record["agencies"]:
        agency, member = entry["id"], entry["member"]
        well_formed = AGENCY_FORM.fullmatch(agency) and agency.startswith(f"{member.lower()}-")
        if not well_formed or member not in members or agency in agencies:
            refused.append(f"agency {agency!r}: not of the form <member>-<name>, of no known member, or twice")
            continue
        agencies[agency] = Agency(agency, member, entry["name"], frozenset(entry["kinds"]))
    return agencies


def _pinned_roots(
    operator_root: str, members: Mapping[str, Member], pins: Pins, refused: list[str]
) -> dict[str, bytes]:
    """The roots that are the pinned ones, by member code; the operator's under ""."""
    claimed = {"": (OPERATOR, operator_root)} | {code: (code, member.root) for code, member in members.items()}
    roots: dict[str, bytes] = {}
    for code, (name, text) in claimed.items():
        public, pin = _public(text), pins.get(name, "").lower()
        if not pin:
            refused.append(f"{name}: no root is pinned for it, so its keys are not believed")
        elif public is None or fingerprint(public) != pin:
            refused.append(f"{name}: the root in the directory is not the pinned one, so its keys are not believed")
        else:
            roots[code] = public
    return roots


def _believed(
    certified: list[CertifiedKey], roots: Mapping[str, bytes], agencies: Mapping[str, Agency], refused: list[str]
) -> list[Key]:
    keys = []
    for number, item in enumerate(certified):
        try:
            keys.append(_key(item, roots, agencies))
        except ContractError as error:
            refused.append(f"key entry {number + 1}: {error}")
    return keys


def _key(certified: CertifiedKey, roots: Mapping[str, bytes], agencies: Mapping[str, Agency]) -> Key:
    """The key of an entry whose certificate holds. ContractError for any other."""
    schema, body = by_name("key"), certified["entry"]
    entry = cast("KeyEntry", codec.read(schema, body, limit=4096))
    root = roots.get(entry["member"])
    if root is None:
        raise _RefusedError(f"{entry['holder']!r}: no root is believed for {entry['member'] or OPERATOR!r}")
    claim = signature.read(certified["certificate"])
    if claim.schema is not schema or claim.kid != signature.kid_of(root):
        raise _RefusedError(f"{entry['holder']!r}: the certificate is not one of its root over a key entry")
    signature.verify(claim, body, root)
    public = _public(entry["public_key"])
    if public is None or signature.kid_of(public).hex() != entry["kid"]:
        raise _RefusedError(f"{entry['holder']!r}: the kid is not that of the public key")
    if not _may_hold(entry["holder"], entry["member"], agencies):
        raise _RefusedError(f"{entry['holder']!r}: not an agency or edge of {entry['member'] or 'the hub'}")
    return Key(
        holder=entry["holder"],
        member=entry["member"],
        kid=signature.kid_of(public),
        public=public,
        valid_from=entry["valid_from"],
        valid_until=entry["valid_until"],
        compromised_since=entry["compromised_since"],
        sequence=entry["sequence"],
    )


def _may_hold(holder: str, member: str, agencies: Mapping[str, Agency]) -> bool:
    """Whether this member's root may speak for this holder ("" is the operator, which speaks for the hub alone)."""
    if not member:
        return holder in {f"hub.{stage}" for stage in HUB_STAGES}
    agency = agencies.get(holder)
    return holder == f"edge.{member.lower()}" or (agency is not None and agency.member == member)


def _of_their_holders(keys: list[Key], previous: Directory | None, refused: list[str]) -> list[Key]:
    """The entries without those that claim somebody else's key: its holder is who `previous` says, and where that does
    not know it, there must be one alone.
    """
    claims: dict[bytes, set[str]] = {}
    for key in keys:
        claims.setdefault(key.kid, set()).add(key.holder)
    known = previous.keys if previous is not None else {}
    kept = []
    for key in keys:
        mine = known[key.kid].holder == key.holder if key.kid in known else len(claims[key.kid]) == 1
        if mine:
            kept.append(key)
        else:
            refused.append(f"{key.holder!r}: claims the key {key.kid.hex()}, which others claim or have")
    return kept


def _newest(keys: list[Key], refused: list[str]) -> dict[bytes, Key]:
    """One entry a kid, the one with the highest sequence; none where two different ones share it."""
    newest: dict[bytes, Key] = {}
    clashing: set[bytes] = set()
    for key in sorted(keys, key=lambda key: key.sequence):
        known = newest.get(key.kid)
        if known is not None and known.sequence == key.sequence and known != key:
            refused.append(f"{key.holder!r}: two different entries of one key have the sequence {key.sequence}")
            clashing.add(key.kid)
        elif known is not None and known.sequence < key.sequence:
            clashing.discard(key.kid)
        newest[key.kid] = key
    return {kid: key for kid, key in newest.items() if kid not in clashing}


def _not_older(keys: dict[bytes, Key], previous: Directory, refused: list[str]) -> dict[bytes, Key]:
    kept = dict(keys)
    for kid, key in keys.items():
        known = previous.keys.get(kid)
        if known is not None and key != known and key.sequence <= known.sequence:
            refused.append(f"{key.holder!r}: an entry older than the one known already (sequence {key.sequence})")
            kept[kid] = known
    return kept


def _public(text: str) -> bytes | None:
    """The public key in lower-case hex; None for any other text."""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        return None
    return bytes.fromhex(text)
