"""A transfer that matters and the account it touches, as the ledger keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import frexp

FLOOR = 300.0
"""US dollars below which a transfer shapes habits only: schemes move sums worth hiding."""
BUCKETS = 12


def bucket(value: float) -> int:
    """0 under the floor, then one more for each doubling, at most BUCKETS - 1."""
    if value < FLOOR:
        return 0
    return min(BUCKETS - 1, frexp(value / FLOOR)[1])


Walk = tuple[float, "Edge | None", int, float]
"""Score of a walk of money, the transfer before this one, how many transfers it has and when it began."""


@dataclass(slots=True, eq=False)
class Edge:
    """A transfer that matters, with what the rules found out about it.

    `fresh`: payer and payee had no business before. `strange`: evidence that the money is not the payer's own.
    `sources`: payers of receipts that this may pass on, with the receipt. `origins`: accounts that a walk through this
    may have begun at. `walk` is the best of these walks. `returned`: it was told as part of a cycle.
    """

    id: str
    time: float
    payer: str
    payee: str
    value: float
    size: int
    currency: str
    channel: str
    share: float
    fresh: bool
    strange: float
    sources: dict[str, Edge] = field(default_factory=dict)
    origins: dict[str, Walk] = field(default_factory=dict)
    walk: Walk = (0.0, None, 1, 0.0)

    returned: bool = False

    def forget(self) -> None:
        """Let go of the transfers behind it, so that a long walk does not keep the past alive."""
        self.sources, self.origins, self.walk = {}, {}, (0.0, None, 1, self.time)


@dataclass(slots=True, eq=False)
class Account:
    """Habits of one account and its recent transfers that matter, in time order."""

    paid: list[float] = field(default_factory=lambda: [0.0] * BUCKETS)
    got: list[float] = field(default_factory=lambda: [0.0] * BUCKETS)
    currencies: dict[str, float] = field(default_factory=dict)
    incoming: list[Edge] = field(default_factory=list)
    outgoing: list[Edge] = field(default_factory=list)
