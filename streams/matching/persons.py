"""The person matcher as the hub's stages use it; the rules stand in `manara.matching`."""

from __future__ import annotations

from manara.matching.blocking import tokens
from manara.matching.linking import link
from manara.matching.persons import ASK, LINK, RULES, STRONG, Comparison, Person, compare, explain, prepare, score

__all__ = [
    "ASK",
    "LINK",
    "RULES",
    "STRONG",
    "Comparison",
    "Person",
    "compare",
    "explain",
    "link",
    "prepare",
    "score",
    "tokens",
]
