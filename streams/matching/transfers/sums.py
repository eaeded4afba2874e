"""What the sums of a pattern look like: worth hiding, alike, paid in a way that leaves few traces."""

from __future__ import annotations

from math import log, log10
from statistics import median

from streams.matching.transfers.edges import Edge
from streams.matching.transfers.ledger import TRACEABLE

WORTH_HIDING = 2_000.0
"""US dollars: the middle sum from which a pattern looks like more than daily life."""
REPORTED = 30_000.0
"""US dollars: above, each payment is reported by itself and cutting up hides nothing; so firms are paid."""


def worth(edges: list[Edge]) -> float:
    """Evidence against a scheme in sums too small to hide; 0 where they are large enough."""
    return _within(-1.0, log10(median(edge.value for edge in edges) / WORTH_HIDING), 0.0)


def likeness(edges: list[Edge]) -> float:
    """Evidence of a scheme in the sums: worth hiding, alike but no price, not paid by card or cheque."""
    middle = median(edge.value for edge in edges)
    apart = median(abs(log(edge.value / middle)) for edge in edges)
    traceable = sum(edge.channel in TRACEABLE for edge in edges) / len(edges)
    size = _within(-2.5, 2.5 * log10(middle / WORTH_HIDING), 0.3) + _within(-0.8, 1.5 * log10(REPORTED / middle), 0.0)
    price = 1.0 if len({round(edge.value, 2) for edge in edges}) <= len(edges) / 2 else 0.0
    return size - price + _within(-0.7, 0.8 - apart, 0.3) - 1.5 * traceable


def _within(low: float, value: float, high: float) -> float:
    return max(low, min(high, value))
