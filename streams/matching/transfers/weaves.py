"""Several accounts that pay several others, without one in the middle: bipartite patterns, and stacks of two such layers.

Two payers with one payee in common are daily life; two with two payees in common, new and within days, close a square. Each square is
weighed by how seldom anybody pays those payees.
"""

from __future__ import annotations

from math import log10

from streams.matching.transfers.edges import Edge
from streams.matching.transfers.fan import likeness
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.ledger import Ledger

DAYS = 4.5
MOST = 24
"""Payers or payees of one account that are looked at: more belong to a shop or an employer."""
SQUARE = 2


def _paid_by(name: str, ledger: Ledger, now: float) -> dict[str, Edge]:
    """New payees of an account within the window, with the last payment to each."""
    outgoing = ledger.account(name).outgoing[-MOST:]
    return {edge.payee: edge for edge in outgoing if edge.fresh and abs(now - edge.time) <= DAYS}


def _layer(payers: set[str], ledger: Ledger, now: float) -> dict[str, dict[str, Edge]]:
    """By payee, the payments of these payers, where at least two of them paid it."""
    found: dict[str, dict[str, Edge]] = {}
    for payer in payers:
        for payee, edge in _paid_by(payer, ledger, now).items():
            found.setdefault(payee, {})[payer] = edge
    return {payee: edges for payee, edges in found.items() if len(edges) >= SQUARE}


def find_weave(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """The bipartite pattern that the edge closes, or the stack it is the lower layer of."""
    incoming = ledger.account(edge.payee).incoming
    if not edge.fresh or len(incoming) < SQUARE or len(incoming) > MOST:
        return None
    mine = _paid_by(edge.payer, ledger, edge.time)
    if len(mine) < SQUARE:
        return None
    others = {e.payer for e in incoming if e.fresh and abs(edge.time - e.time) <= DAYS and e.payer != edge.payer}
    allies = {name for name in others if len(mine.keys() & _paid_by(name, ledger, edge.time).keys()) >= SQUARE}
    return _weigh(edge, {edge.payer, *allies}, ledger, trials) if allies else None


def _weigh(edge: Edge, payers: set[str], ledger: Ledger, trials: float) -> Finding:
    layer = _layer(payers, ledger, edge.time)
    steps = [step for edges in layer.values() for step in edges.values()]
    closures = len(steps) - len(payers) - len(layer) + 1
    seldom = min(ledger.seldom_paid(ledger.account(payee)) for payee in layer)
    score = closures * log10(seldom) + likeness(steps) - trials
    reasons = [
        f"{len(payers)} accounts paid the same {len(layer)} accounts, all new to each other, within {DAYS:g} days"
    ]
    above = _layer(
        {step.payer for payer in payers for step in ledger.account(payer).incoming[-MOST:]}, ledger, edge.time
    )
    upper = [step for payee, edges in above.items() if payee in payers for step in edges.values()]
    if len({step.payee for step in upper}) >= SQUARE:
        reasons.append(
            f"and had themselves been paid by {len({step.payer for step in upper})} accounts that share them"
        )
        return Finding("stack", min(layer), [*upper, *steps], score, tuple(reasons))
    return Finding("bipartite", min(layer), steps, score, tuple(reasons))
