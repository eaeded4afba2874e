"""Networks for tests: six states and ten agencies, with roots, certified keys and the directory that they make.

Keys come from seeds of their holders' names, so that every run and every process makes the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import directory
from schemas.models import CertifiedKey, DirectoryRecord
from schemas.signature import SigningKey

NOW = 1_795_521_600_000_000
"""2026-11-24T12:00:00Z in microseconds: the "now" of tests that need a fixed one."""
DAY = 86_400_000_000
SECOND = 1_000_000

MEMBERS: Mapping[str, str] = {
    "AE": "United Arab Emirates",
    "AZ": "Azerbaijan",
    "EG": "Egypt",
    "KZ": "Kazakhstan",
    "MA": "Morocco",
    "TR": "Türkiye",
}
AGENCIES: tuple[str, ...] = (
    "ae-fiu", "az-customs", "az-police", "eg-police", "kz-border",
    "kz-fiu", "ma-customs", "ma-police", "tr-customs", "tr-fiu",
)  # fmt: skip
HUB: tuple[str, ...] = tuple(f"hub.{stage}" for stage in directory.HUB_STAGES)
KINDS: tuple[str, ...] = ("person", "route", "transfer")


def key_of(holder: str) -> SigningKey:
    """The signing key of a holder: an agency, `edge.<member>`, `hub.<stage>`, or `root.<member or operator>`."""
    return SigningKey.from_seed(hashlib.sha256(f"test key of {holder}".encode()).digest())


@dataclass(frozen=True)
class Network:
    """A directory with everything that stands behind it: the record, the pins, roots and signing keys."""

    directory: directory.Directory
    record: DirectoryRecord
    pins: dict[str, str]
    roots: dict[str, SigningKey] = field(repr=False)
    keys: dict[str, SigningKey] = field(repr=False)

    def key(self, holder: str) -> SigningKey:
        """The signing key of an agency, an edge or a stage of the hub."""
        return self.keys[holder]


def network(
    seq: int = 1,
    *,
    now: int = NOW,
    members: Mapping[str, Mapping[str, Any]] | None = None,
    agencies: Sequence[str] = AGENCIES,
    keys: Mapping[str, Mapping[str, Any] | None] | None = None,
) -> Network:
    """The six states. `members` changes fields of member records ({"TR": {"tlp": "GREEN"}}; a new code adds one),
    `keys` changes fields of key entries ({"az-customs": {"valid_until": 0}}); an entry of None leaves the key out."""
    codes = sorted({*MEMBERS, *(members or {})})
    roots = {name: key_of(f"root.{name}") for name in (*codes, "operator")}
    holders = [*agencies, *(f"edge.{code.lower()}" for code in codes), *HUB]
    signing = {holder: key_of(holder) for holder in holders}
    record: DirectoryRecord = {
        "directory_seq": seq,
        "at": now,
        "operator_root": roots["operator"].public.hex(),
        "members": [_member(code, roots[code], (members or {}).get(code, {})) for code in codes],
        "agencies": [
            {"id": agency, "member": agency[:2].upper(), "name": agency, "kinds": list(KINDS)}
            for agency in sorted(agencies)
        ],
        "keys": _certified(signing, roots, keys or {}, now),
    }
    pins = {name: directory.fingerprint(root.public) for name, root in roots.items()}
    read, refused = directory.read(record, pins)
    assert not refused, refused
    return Network(read, record, pins, roots, signing)


def _member(code: str, root: SigningKey, changes: Mapping[str, Any]) -> Any:
    return {
        "code": code,
        "name": MEMBERS.get(code, code),
        "standing": "GOOD",
        "root": root.public.hex(),
        "tlp": "RED",
        "handling": ["H0", "H1", "H2", "H3"],
        "subscriptions": list(KINDS),
        **changes,
    }


def _certified(
    signing: Mapping[str, SigningKey],
    roots: Mapping[str, SigningKey],
    changes: Mapping[str, Mapping[str, Any] | None],
    now: int,
) -> list[CertifiedKey]:
    found = []
    for holder, key in sorted(signing.items()):
        changed = changes.get(holder, {})
        if changed is None:
            continue
        member = "" if holder.startswith("hub.") else holder.removeprefix("edge.")[:2].upper()
        entry: Any = {
            "holder": holder,
            "member": member,
            "kid": key.kid.hex(),
            "public_key": key.public.hex(),
            "valid_from": now - 30 * DAY,
            "valid_until": now + 60 * DAY,
            "compromised_since": 0,
            "sequence": 1,
            **changed,
        }
        found.append(directory.certify(entry, roots[member or "operator"]))
    return found
