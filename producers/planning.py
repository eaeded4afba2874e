"""The next message about an alert, with all that its author should see before signing it: what changes, who gets it,
who is told that it no longer does. Nothing is decided here that the hub does not decide again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from producers import differences, versions
from producers.composing import Draft
from producers.differences import Change
from producers.errors import LifeError
from producers.preview import decisions_as_json, preview
from producers.versions import Current
from schemas.audience import Decision
from schemas.directory import Directory
from schemas.lifecycle import ENDS, NEXT


@dataclass(frozen=True, slots=True)
class Plan:
    """One step of an alert's life. `receives`, `leaves`, `joins` are sorted members, None without a directory.

    `joins` have had no version of the alert yet; `leaves` hold it now and would be told NO_LONGER_ADDRESSED;
    `decisions` say of each member why it would read it or not (none for an end, which goes to all that were reached).
    """

    draft: Draft
    based_on: int
    changes: tuple[Change, ...]
    receives: tuple[str, ...] | None
    leaves: tuple[str, ...] | None
    joins: tuple[str, ...] | None
    decisions: tuple[tuple[str, Decision], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        header = self.draft.header
        return {
            "alert_id": header["alert_id"],
            "kind": self.draft.kind,
            "message": header["message"],
            "based_on": self.based_on,
            "version": header["version"],
            "changes": [change.as_json() for change in self.changes],
            "receives": self.receives,
            "joins": self.joins,
            "no_longer_addressed": self.leaves,
            "decisions": decisions_as_json(self.decisions),
        }


def plan(now_at: Current, draft: Draft, directory: Directory | None) -> Plan:
    """What a draft would do. LifeError where it changes nothing."""
    message = draft.header["message"]
    if message in ENDS:
        found: tuple[Change, ...] = (
            Change("state", now_at.state, NEXT[now_at.state, message]),
            Change("reason", "", draft.record["reason"]),
        )
    else:
        last = now_at.last
        found = tuple(differences.changes(last.record, draft.record, last.audience, draft.audience))
        if message in ("SUSPEND", "RESUME"):
            found = (Change("state", now_at.state, NEXT[now_at.state, message]), *found)
    if not found:
        raise LifeError(
            f"Nothing would change: version {now_at.version} of the alert {now_at.alert_id} says all of this already.",
            f"Look at it (`manara status {now_at.alert_id}`); it may have been sent before.",
        )
    if directory is None:
        return Plan(draft, now_at.version, found, None, None, None)
    before = versions.reach(now_at, directory)
    if message in ENDS:
        return Plan(draft, now_at.version, found, tuple(sorted(before.all)), (), ())
    seen = preview(draft, directory)
    receives = frozenset(seen.deliver)
    leaves, joins = before.holding - receives, receives - before.all
    left, joined = tuple(sorted(leaves)), tuple(sorted(joins))
    return Plan(draft, now_at.version, found, tuple(sorted(receives)), left, joined, seen.decisions)
