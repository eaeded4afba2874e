"""What a rule found, before it is decided whether to say so."""

from __future__ import annotations

from typing import NamedTuple

from streams.matching.transfers.edges import Edge


class Finding(NamedTuple):
    """A pattern of edges, its score (log10 against chance in today's traffic), what it turns around and its reasons."""

    typology: str
    hub: str
    edges: list[Edge]
    score: float
    evidence: tuple[str, ...]
