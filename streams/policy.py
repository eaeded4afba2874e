"""The hub's door to the policy: the pure function of `schemas.audience`, with a memory for the hot path."""

from __future__ import annotations

from schemas.audience import (
    GRANTS,
    HANDLING_CODES,
    TLP_RANK,
    Audience,
    Decision,
    Facts,
    Readers,
    Rule,
    audience,
    decide,
    explain,
    facts,
    readers,
)
from schemas.directory import Directory

__all__ = [
    "GRANTS",
    "HANDLING_CODES",
    "TLP_RANK",
    "Audience",
    "Decision",
    "Facts",
    "Memo",
    "Readers",
    "Rule",
    "audience",
    "decide",
    "explain",
    "facts",
    "readers",
]


class Memo:
    """`readers`, remembered: alerts of one agency mostly look alike to the policy.

    Entries are valid for one directory snapshot; another snapshot (another object) empties it, and so does reaching
    `limit`, so that a stranger who varies the audience cannot make it grow.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._directory: Directory | None = None
        self._known: dict[tuple[Facts, Audience], Readers] = {}

    def readers(self, facts: Facts, audience: Audience, directory: Directory) -> Readers:
        """The same as the function `readers`."""
        if directory is not self._directory or len(self._known) >= self._limit:
            self._known.clear()
            self._directory = directory
        found = self._known.get((facts, audience))
        if found is None:
            found = self._known[facts, audience] = readers(facts, audience, directory)
        return found
