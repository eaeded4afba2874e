"""Who would receive an alert, and why: the hub's own policy, asked beforehand. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from producers.composing import Draft
from schemas import audience as policy
from schemas.directory import Directory


@dataclass(frozen=True, slots=True)
class Preview:
    """For one draft: the members that would read it, and the decision about each member with its rule."""

    deliver: tuple[str, ...]
    decisions: tuple[tuple[str, policy.Decision], ...]
    directory_seq: int

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        decisions = decisions_as_json(self.decisions)
        return {"receives": list(self.deliver), "directory_seq": self.directory_seq, "decisions": decisions}


def decisions_as_json(decisions: Iterable[tuple[str, policy.Decision]]) -> list[dict[str, object]]:
    """Why each member would read a draft or not, for `--json`."""
    return [
        {"member": member, "receives": decision.allowed, "rule": str(decision.rule), "why": decision.sentence}
        for member, decision in decisions
    ]


def preview(draft: Draft, directory: Directory) -> Preview:
    """What the hub would decide about a draft under this directory."""
    facts, audience = policy.facts(draft.kind, draft.header), policy.audience(draft.audience)
    decisions = tuple(
        (member, policy.explain(facts, audience, directory, member)) for member in sorted(directory.members)
    )
    return Preview(tuple(member for member, found in decisions if found.allowed), decisions, directory.seq)


class Counts:
    """How many of many drafts each member would receive."""

    def __init__(self, directory: Directory | None) -> None:
        self._directory = directory
        self._memo: dict[tuple[policy.Facts, policy.Audience], policy.Readers] = {}
        self.members: dict[str, int] = {}
        self.nobody = 0

    def add(self, drafts: Iterable[Draft]) -> None:
        """Count some more."""
        if self._directory is None:
            return
        for draft in drafts:
            asked = policy.facts(draft.kind, draft.header), policy.audience(draft.audience)
            if asked not in self._memo:
                self._memo[asked] = policy.readers(*asked, self._directory)
            readers = self._memo[asked].deliver
            self.nobody += not readers
            for member in readers:
                self.members[member] = self.members.get(member, 0) + 1
