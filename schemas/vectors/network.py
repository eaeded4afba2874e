"""The vectors' network: who takes part, with keys that anybody can make again from their names."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas import codec, directory, registry, signature
from schemas.directory import Agency, Member
from schemas.models import CertifiedKey, DirectoryRecord
from schemas.registry import by_name
from schemas.signature import SigningKey

FOLDER: Final = Path(__file__).parent
DAY: Final = 24 * 3600 * 1_000_000
NOW: Final = 1_790_000_000_000_000
AGENCY: Final = "az-customs"
MEMBERS: Final = ("AZ", "EG", "KZ", "TR")
SMALL_ORDER: Final = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")

HOLDERS: Final[Mapping[str, str]] = {
    AGENCY: "AZ",
    "az-expired": "AZ",
    "az-stolen": "AZ",
    "az-weak": "AZ",
    "kz-border": "KZ",
    "edge.tr": "TR",
    "hub.gate": "",
    "hub.clock": "",
}


@functools.cache
def inputs() -> Mapping[str, Any]:
    """`input.json`: the records that the vectors are made of, and two audiences."""
    loaded: Mapping[str, Any] = json.loads((FOLDER / "input.json").read_text(encoding="utf-8"))
    return loaded


def key(name: str) -> SigningKey:
    """The test key of this name: its seed is SHA-256 of "manara test vector: <name>"."""
    return SigningKey.from_seed(hashlib.sha256(f"manara test vector: {name}".encode()).digest())


def directory_record() -> DirectoryRecord:
    """The vectors' network: one good agency, and one each whose key has expired, was stolen, or is of small order."""
    members = {code: _member(code) for code in MEMBERS}
    agencies = {name: _agency(name, code) for name, code in HOLDERS.items() if "-" in name}
    keys = [_certified(name, code) for name, code in HOLDERS.items()]
    return directory.write(7, NOW, key("root operator").public, members, agencies, keys)


def pins() -> dict[str, str]:
    """The fingerprints of the roots."""
    roots = {code: key(f"root {code}").public for code in MEMBERS} | {"operator": key("root operator").public}
    return {name: directory.fingerprint(public) for name, public in roots.items()}


def _member(code: str) -> Member:
    root = key(f"root {code}").public
    return Member(
        code=code,
        name=f"Member {code}",
        standing="GOOD",
        root=root.hex(),
        root_fingerprint=directory.fingerprint(root),
        tlp="RED",
        handling=frozenset({"H0", "H1", "H2", "H3"}),
        subscriptions=frozenset(registry.ALERT_KINDS),
    )


def _agency(name: str, code: str) -> Agency:
    return Agency(name, code, f"Agency {name}", frozenset(registry.ALERT_KINDS))


def _certified(name: str, code: str) -> CertifiedKey:
    public = SMALL_ORDER if name == "az-weak" else key(name).public
    entry = directory.key_entry(name, code, public, NOW - 30 * DAY, NOW + 60 * DAY)
    if name == "az-expired":
        entry["valid_until"] = NOW
    if name == "az-stolen":
        entry["compromised_since"] = NOW - DAY
        entry["sequence"] = 2
    return directory.certify(entry, key(f"root {code or 'operator'}"))


def network() -> dict[str, Any]:
    """`network.json`."""
    record = directory_record()
    value = codec.frame(by_name("directory"), codec.encode(by_name("directory"), record))
    return {
        "now": NOW,
        "schemas": [
            {
                "name": s.name,
                "version": f"{s.major}.{s.minor}",
                "id": s.id,
                "context": s.context,
                "sha256": s.sha256.hex(),
            }
            for s in registry.released()
        ],
        "keys": [_key_vector(name) for name in (*HOLDERS, *(f"root {code}" for code in MEMBERS), "root operator")],
        "pins": pins(),
        "directory": {"record": plain(record), "value": value.hex()},
        "key_entries": [
            {
                "record": plain(codec.decode(by_name("key"), certified["entry"])),
                "body": certified["entry"].hex(),
                "certificate": certified["certificate"].hex(),
            }
            for certified in record["keys"]
        ],
    }


def _key_vector(name: str) -> dict[str, str]:
    if name == "az-weak":
        return {"name": name, "public": SMALL_ORDER.hex(), "kid": signature.kid_of(SMALL_ORDER).hex()}
    made = key(name)
    return {"name": name, "seed": made.seed.hex(), "public": made.public.hex(), "kid": made.kid.hex()}


def plain(value: Any) -> Any:
    """A record as JSON has it: bytes as hex."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value
