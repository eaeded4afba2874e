"""The hub's door to the identifiers, which edges and agencies use too: `manara.matching.identifiers`."""

from __future__ import annotations

from manara.matching.identifiers import JUDGES, RULES, Identifier, agree, guesses, judge, token

__all__ = ["JUDGES", "RULES", "Identifier", "agree", "guesses", "judge", "token"]
