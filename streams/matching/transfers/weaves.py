"""Several accounts that pay several others, with none in the middle: bipartite patterns, and stacks of two such layers.

Two payers with one payee in common are daily life; two with two payees in common, new and within days, close a square.
Each square is weighed by how seldom anybody pays those payees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import log10

from streams.matching.transfers.edges import Edge
from streams.matching.transfers.fan import without_runs
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.ledger import Ledger
from streams.matching.transfers.sums import likeness

DAYS = 4.5
MOST = 24
"""Payers or payees of one account that are looked at: more belong to a shop or an employer."""
SQUARE = 2


def _paid_by(name: str, ledger: Ledger, now: float) -> dict[str, Edge]:
    """New payees of an account within the window, with the last payment to each; an employer's runs apart."""
    recent = [e for e in ledger.account(name).outgoing[-MOST:] if e.fresh and abs(now - e.time) <= DAYS]
    return {edge.payee: edge for edge in without_runs(recent)}


def _layer(payers: Iterable[str], payees: set[str] | None, ledger: Ledger, now: float) -> list[Edge]:
    """The payments of payers who paid at least two of the payees, to payees paid by at least two of them."""
    paid = [(_paid_by(name, ledger, now)) for name in sorted(set(payers))]
    kept = [{k: e for k, e in edges.items() if payees is None or k in payees} for edges in paid]
    kept = [edges for edges in kept if len(edges) >= SQUARE]
    shared = Counter(payee for edges in kept for payee in edges)
    return [edge for edges in kept for payee, edge in edges.items() if shared[payee] >= SQUARE]


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


def _weigh(edge: Edge, payers: set[str], ledger: Ledger, trials: float) -> Finding | None:
    lower = _layer(payers, None, ledger, edge.time)
    payees = {step.payee for step in lower}
    if len(payees) < SQUARE:
        return None
    closures = len(lower) - len(payers) - len(payees) + 1
    seldom = min(ledger.seldom_paid(ledger.account(payee)) for payee in payees)
    score = closures * log10(seldom) + likeness(lower) - trials
    reason = f"{len(payers)} accounts paid the same {len(payees)} accounts within {DAYS:g} days, all new to each other"
    before = {step.payer for payer in payers for step in ledger.account(payer).incoming[-MOST:]}
    upper = _layer(before, payers, ledger, edge.time)
    if not upper:
        return Finding("bipartite", min(payees), lower, score, (reason,))
    second = f"and had been paid by {len({step.payer for step in upper})} accounts that share them"
    return Finding("stack", min(payees), [*upper, *lower], score, (reason, second))
