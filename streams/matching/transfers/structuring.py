"""Payments cut to stay below the amount that would be reported."""

from __future__ import annotations

from collections.abc import Iterable

from streams.matching.transfers.edges import Edge
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.ledger import Ledger

BAND = (0.65, 1.0)
DAYS = 7.0
SELDOM_NEAR = 0.9
"""Evidence (log10) in each payment so near the threshold: about one in eight of the large ones is."""
LEAST_PAIR, LEAST_PAYER = 3, 4


def just_below(edge: Edge) -> bool:
    """Whether the sum is a little under the reporting threshold of its currency."""
    return BAND[0] <= edge.share < BAND[1]


def find_structuring(edge: Edge, ledger: Ledger) -> Finding | None:
    """Several payments of one payer, to one payee or to several, each a little under the threshold."""
    if not just_below(edge):
        return None
    near = _once(e for e in ledger.account(edge.payer).outgoing if just_below(e) and edge.time - e.time <= DAYS)
    pair = [e for e in near if e.payee == edge.payee]
    edges, hub, least = (pair, f"{edge.payer} {edge.payee}", LEAST_PAIR)
    if len(pair) < LEAST_PAIR:
        edges, hub, least = near, edge.payer, LEAST_PAYER
    if len(edges) < least or not any(e.fresh for e in edges) or _instalments(edges):
        return None
    low, high = BAND
    reasons = (
        f"{len(edges)} payments within {DAYS:g} days, each {low:.0%} to {high:.0%} of the amount that is reported",
        f"together {sum(e.share for e in edges):.1f} times that amount",
    )
    return Finding("structuring", hub, edges, len(edges) * SELDOM_NEAR, reasons)


def _once(edges: Iterable[Edge]) -> list[Edge]:
    """The edges, one of each payment: both ends' states may report the same one."""
    return list({(e.payee, round(e.value, 2), round(e.time * 24)): e for e in edges}.values())


def _instalments(edges: list[Edge]) -> bool:
    """Equal sums are instalments or prices, not sums picked to stay below."""
    return len({round(e.value, 2) for e in edges}) <= len(edges) // 2
