"""Watches the directory for changes to the keys of this member's own agencies and edge: nobody else would notice.
Pure."""

from __future__ import annotations

from typing import NamedTuple

from schemas.directory import Directory, Key


class KeyChange(NamedTuple):
    """What happened to one of our own keys."""

    event: str
    holder: str
    kid: str
    detail: str


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
