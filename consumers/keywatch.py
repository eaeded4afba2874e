"""Watches the directory for changes to the keys of this member's own agencies and edge (nobody else would notice), and
remembers what was said of every key. Pure."""

from __future__ import annotations

from typing import NamedTuple, cast

from schemas import codec
from schemas.directory import Directory, Key
from schemas.errors import ContractError
from schemas.models import CertifiedKey, DirectoryRecord, KeyEntry
from schemas.registry import by_name


class KeyChange(NamedTuple):
    """What happened to one of our own keys."""

    event: str
    holder: str
    kid: str
    detail: str


def remembered(kept: DirectoryRecord, before: Directory, record: DirectoryRecord) -> DirectoryRecord:
    """The snapshot as it should be kept: with what `kept` held, and was believed, of its keys and of revoked ones.

    Each entry is signed and judged by the roots as before, and of one key the newest entry holds. Without this an older
    snapshot, kept in place of a newer one, would make a revoked key good again at the next start.
    """
    there = {key["entry"] for key in record["keys"]}
    listed = {entry["kid"] for key in record["keys"] if (entry := _entry(key)) is not None}
    old = [
        key
        for key in kept["keys"]
        if key["entry"] not in there
        and (entry := _entry(key)) is not None
        and (known := before.keys.get(bytes.fromhex(entry["kid"]))) is not None
        and (known.holder, known.sequence) == (entry["holder"], entry["sequence"])
        and (entry["kid"] in listed or known.compromised_since)
    ]
    return {**record, "keys": sorted([*record["keys"], *old], key=lambda key: key["entry"])}


def _entry(key: CertifiedKey) -> KeyEntry | None:
    try:
        return cast("KeyEntry", codec.read(by_name("key"), key["entry"], limit=4096))
    except ContractError:
        return None


def own_changes(before: Directory | None, after: Directory, member: str) -> list[KeyChange]:
    """Every key of this member that appeared, disappeared or changed between two snapshots; none where there was
    none before."""
    if before is None:
        return []
    old, new = _own(before, member), _own(after, member)
    found = [KeyChange("REMOVED", old[kid].holder, kid, "") for kid in sorted(old.keys() - new.keys())]
    found += [KeyChange("ADDED", new[kid].holder, kid, "") for kid in sorted(new.keys() - old.keys())]
    for kid in sorted(old.keys() & new.keys()):
        detail = _difference(old[kid], new[kid])
        if detail:
            found.append(KeyChange("CHANGED", new[kid].holder, kid, detail))
    return found


def _own(directory: Directory, member: str) -> dict[str, Key]:
    return {key.kid.hex(): key for key in directory.keys.values() if key.member == member}


def _difference(old: Key, new: Key) -> str:
    fields = ("holder", "valid_from", "valid_until", "compromised_since")
    return ", ".join(name for name in fields if getattr(old, name) != getattr(new, name))
