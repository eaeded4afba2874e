"""What is remembered of accounts and their recent transfers, under a bound.

Habits are counts that fade (half in 45 days), kept by size: bucket 0 is anything too small to matter, each further bucket doubles.
Transfers that matter are kept whole for `WINDOW` days. Past a bound the least lately used go first, and are counted.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from math import log, log10
from operator import attrgetter

from streams.matching.transfers.edges import BUCKETS, Account, Edge, bucket
from streams.matching.transfers.generations import Generations
from streams.matching.transfers.transfer import Transfer

HALF_LIFE = 45.0
WINDOW = 10.0
NEW_BUSINESS = 6.0
"""Days within which a pair's first payment still counts as new."""
LEAP = 30.0
"""A transfer so many days ahead of all others is a wrong clock until `BELIEVED` in a row say the same."""
BELIEVED = 20
MOST_AN_ACCOUNT = 96
PRIOR = 0.3
"""Events an account is believed to have had before it was watched: rates differ much between accounts."""
LIKE_OTHERS = 4.0
"""Days for which an account is believed to be as busy as the rest, until it shows its own pace."""
TRACEABLE = {"card": 0.6, "cheque": 0.6}
"""Evidence against a scheme in the way of payment: slow, capped and naming both sides."""
STRANGEST = 0.8
_BY_TIME = attrgetter("time")


class Ledger:
    """Accounts, pairs and recent transfers; `now` is the latest time seen, `dropped` counts what was put aside or forgotten, by reason."""

    def __init__(self, most_accounts: int, most_edges: int) -> None:
        self._bounds = (most_accounts, most_edges)
        self.dropped: Counter[str] = Counter()
        self._leaps = 0
        self._start_at(None)

    def _start_at(self, time: float | None) -> None:
        most_accounts, most_edges = self._bounds
        self.accounts: Generations[Account] = Generations(most_accounts)
        self._pairs: Generations[float] = Generations(most_edges)
        self._recent: deque[Edge] = deque()
        self._ids: set[str] = set()
        self._start = time
        self.now = time or 0.0
        self.moved = [0.0] * BUCKETS
        self.currencies: dict[str, float] = {}

    def __len__(self) -> int:
        """Entries held: accounts, pairs and transfers."""
        return len(self.accounts) + len(self._pairs) + len(self._recent)

    @property
    def forgotten(self) -> dict[str, int]:
        """What the bounds cost so far, and what was put aside, by reason."""
        return dict(self.dropped) | {"accounts": self.accounts.dropped, "pairs": self._pairs.dropped}

    def account(self, name: str) -> Account:
        """The account, new where unknown."""
        found = self.accounts.get(name)
        if found is None:
            found = Account()
            self.accounts.put(name, found)
        return found

    def live_edges(self) -> int:
        """How many transfers that matter are in the window."""
        return len(self._recent)

    def weight(self) -> float:
        """What one transfer of today counts beside one of the first day."""
        return float(2.0 ** ((self.now - (self._start or 0.0)) / HALF_LIFE))

    def exposure(self) -> float:
        """Days of observation behind the faded counts, at least half a day."""
        days = self.now - (self._start or 0.0)
        return max(0.5, HALF_LIFE / log(2) * (1 - 0.5 ** (days / HALF_LIFE)))

    def record(self, transfer: Transfer) -> Edge | None:
        """Remember a transfer; its edge where it is new, in time and large enough to matter, else None."""
        if not self._in_time(transfer.time):
            return None
        payer, payee = self.account(transfer.payer), self.account(transfer.payee)
        size = bucket(transfer.value)
        if size and transfer.id in self._ids:
            self.dropped["repeated"] += 1
            return None
        strange = self._strange(payer, transfer.currency) - TRACEABLE.get(transfer.channel, 0.0)
        self._count(payer, payee, transfer.currency, size)
        return self._keep(transfer, payer, payee, size, strange) if size else None

    def _in_time(self, time: float) -> bool:
        if self._start is None:
            self._start_at(time)
        if time > self.now + LEAP:
            self._leaps += 1
            if self._leaps < BELIEVED:
                self.dropped["ahead"] += 1
                return False
            self._start_at(time)
        self._leaps = 0
        if time < self.now - WINDOW:
            self.dropped["late"] += 1
            return False
        self.now = max(self.now, time)
        return True

    def _count(self, payer: Account, payee: Account, currency: str, size: int) -> None:
        weight = self.weight()
        payer.paid[size] += weight
        payee.got[size] += weight
        self.moved[size] += weight
        payer.currencies[currency] = payer.currencies.get(currency, 0.0) + weight
        self.currencies[currency] = self.currencies.get(currency, 0.0) + weight

    def _strange(self, payer: Account, currency: str) -> float:
        """Evidence (log10) that this is not the payer's own money: a currency it never used, or hardly anybody here uses."""
        unit = self.weight()
        everywhere = (self.currencies.get(currency, 0.0) + unit) / (sum(self.currencies.values()) + 20 * unit)
        own = payer.currencies
        mine = (own.get(currency, 0.0) + unit * everywhere) / (sum(own.values()) + unit)
        return min(STRANGEST, max(-0.3, log10((0.3 * mine + 0.4 * everywhere + 0.3 / 20) / mine)))

    def pays(self, account: Account, value: float, window: list[Edge]) -> float:
        """How many payments of `value` or more a day the account makes by habit, those of `window` left out."""
        return self._habit(account.paid, value, window)

    def receives(self, account: Account, value: float, window: list[Edge]) -> float:
        """How many receipts of `value` or more a day the account has by habit, those of `window` left out."""
        return self._habit(account.got, value, window)

    def seldom_paid(self, account: Account) -> float:
        """How many times seldomer than once a payment reaches just this account by chance."""
        unit = self.weight()
        return (sum(self.moved[1:]) / unit + 50.0) / (sum(account.got[1:]) / unit + 1.0)

    def shape(self, counts: list[float], value: float, window: list[Edge]) -> tuple[float, float]:
        """The habit as a gamma: events seen (with a prior), and the days they took."""
        size, unit, days = bucket(value), self.weight(), self.exposure()
        seen = max(0.0, sum(counts[size:]) / unit - sum(edge.size >= size for edge in window))
        share = (sum(self.moved[size:]) / unit + 0.5) / (sum(self.moved) / unit + 1.0)
        everybody = sum(self.moved) / unit / days / (len(self.accounts) + 1)
        usual = (sum(counts) / unit + LIKE_OTHERS * everybody) / (days + LIKE_OTHERS) * share + 1e-9
        return seen + PRIOR, days + PRIOR / usual

    def _habit(self, counts: list[float], value: float, window: list[Edge]) -> float:
        events, days = self.shape(counts, value, window)
        return events / days

    def _keep(self, transfer: Transfer, payer: Account, payee: Account, size: int, strange: float) -> Edge:
        pair = (transfer.payer, transfer.payee)
        first = self._pairs.get(pair)
        if first is None:
            self._pairs.put(pair, transfer.time)
        fresh = first is None or transfer.time - first < NEW_BUSINESS
        edge = Edge(*transfer[:5], size, *transfer[5:], fresh, strange)
        self._recent.append(edge)
        self._ids.add(edge.id)
        for side in (payer.outgoing, payee.incoming):
            self._file(side, edge)
        while self._recent[0].time < self.now - WINDOW or len(self._recent) > self._bounds[1]:
            self._expire(self._recent.popleft())
        return edge

    def _file(self, side: list[Edge], edge: Edge) -> None:
        if side and side[-1].time > edge.time:
            insort(side, edge, key=_BY_TIME)
        else:
            side.append(edge)
        if len(side) > MOST_AN_ACCOUNT:
            del side[0]
            self.dropped["crowded"] += 1

    def _expire(self, edge: Edge) -> None:
        if edge.time >= self.now - WINDOW:
            self.dropped["edges"] += 1
        self._ids.discard(edge.id)
        edge.forget()
        for name, direction in ((edge.payer, "outgoing"), (edge.payee, "incoming")):
            side: list[Edge] = getattr(self.accounts.get(name), direction, [])
            if side and side[0] is edge:
                del side[0]
            elif edge in side:
                side.remove(edge)
