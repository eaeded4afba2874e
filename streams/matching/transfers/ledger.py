"""What is remembered of accounts and their recent transfers, under a bound.

Habits are counts that fade (half in 45 days), kept by size: bucket 0 is anything too small to matter, each further
bucket doubles. Transfers that matter are kept whole for `WINDOW` days. Past a bound the least lately used go first,
and are counted.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from math import log10
from operator import attrgetter

from streams.matching.transfers.edges import BUCKETS, Account, Edge, bucket
from streams.matching.transfers.event_time import WINDOW, EventTime
from streams.matching.transfers.generations import Generations
from streams.matching.transfers.transfer import Transfer

NEW_BUSINESS = 6.0
"""Days within which a pair's first payment still counts as new."""
MOST_AN_ACCOUNT = 96
"""Recent transfers of an account on one side that are kept whole."""
LEFT_OUT = WINDOW / 2
"""Days taken off a habit's time, because the transfers of the window are taken off its count."""
PRIOR = 0.3
"""Events an account is believed to have had before it was watched: rates differ much between accounts."""
BEFORE, LARGE, PACE = 50.0, 0.03, 0.2
"""Transfers believed seen before the first, the part of them so large, and how many an account has a day."""
LIKE_OTHERS = 4.0
"""Days for which an account is believed to be as busy as the rest, until it shows its own pace."""
TRACEABLE = {"card": 0.6, "cheque": 0.6}
"""Evidence against a scheme in the way of payment: slow, capped and naming both sides."""
STRANGEST, USUAL = 0.8, -0.3
"""Most and least evidence that a currency gives."""
CURRENCIES = 20
"""Currencies that a network of states commonly sees."""
CHANCE_MEETING = 50.0
"""Transfers assumed before any were seen, when it is asked how seldom one reaches a given account."""
_BY_TIME = attrgetter("time")


class Ledger:
    """Accounts, pairs and recent transfers; `dropped` counts what was put aside or forgotten, by reason."""

    def __init__(self, most_accounts: int, most_edges: int) -> None:
        self._most_accounts, self._most_edges = most_accounts, most_edges
        self.time = EventTime()
        self.dropped: Counter[str] = Counter()
        self._forget_all()

    def _forget_all(self) -> None:
        self.accounts: Generations[Account] = Generations(self._most_accounts)
        self._pairs: Generations[float] = Generations(self._most_edges)
        self._recent: deque[Edge] = deque()
        self._ids: set[str] = set()
        self._moved = [0.0] * BUCKETS
        self._currencies: dict[str, float] = {}

    def __len__(self) -> int:
        """Entries held: accounts, pairs and transfers."""
        return len(self.accounts) + len(self._pairs) + len(self._recent)

    def forgotten(self) -> dict[str, int]:
        """What the bounds cost so far and what was put aside, by reason."""
        return {**self.dropped, "accounts": self.accounts.dropped, "pairs": self._pairs.dropped}

    def live_edges(self) -> int:
        """How many transfers that matter are in the window."""
        return len(self._recent)

    def account(self, name: str) -> Account:
        """The account, new where unknown."""
        found = self.accounts.get(name)
        if found is None:
            found = Account()
            self.accounts.put(name, found)
        return found

    def record(self, transfer: Transfer) -> Edge | None:
        """Remember a transfer; its edge where it is new, in time and large enough to matter, else None."""
        if transfer.id in self._ids:
            self.dropped["repeated"] += 1
            return None
        verdict = self.time.admit(transfer.time)
        if verdict in {"late", "ahead"}:
            self.dropped[verdict] += 1
            return None
        if verdict == "anew":
            self._forget_all()
        payer, payee = self.account(transfer.payer), self.account(transfer.payee)
        size, unit = bucket(transfer.value), self.time.weight()
        strange = self._strange(payer, transfer, unit) if size else 0.0
        self._count(payer, payee, transfer.currency, size, unit)
        return self._keep(transfer, payer, payee, size, strange) if size else None

    def _count(self, payer: Account, payee: Account, currency: str, size: int, unit: float) -> None:
        payer.paid[size] += unit
        payee.got[size] += unit
        self._moved[size] += unit
        payer.currencies[currency] = payer.currencies.get(currency, 0.0) + unit
        self._currencies[currency] = self._currencies.get(currency, 0.0) + unit

    def _strange(self, payer: Account, transfer: Transfer, unit: float) -> float:
        """Evidence that the money is not the payer's own.

        For: a currency that the payer never used, or hardly anybody here. Against: a traceable way of payment.
        """
        currency, own = transfer.currency, payer.currencies
        everywhere = (self._currencies.get(currency, 0.0) + unit) / (sum(self._moved) + CURRENCIES * unit)
        mine = (own.get(currency, 0.0) + unit * everywhere) / (sum(own.values()) + unit)
        scheme = 0.3 * mine + 0.4 * everywhere + 0.3 / CURRENCIES
        return min(STRANGEST, max(USUAL, log10(scheme / mine))) - TRACEABLE.get(transfer.channel, 0.0)

    def pays(self, account: Account, value: float) -> float:
        """How many payments of `value` or more a day the account makes by habit, the recent ones left out."""
        events, days = self.shape(account.paid, value, account.outgoing)
        return events / days

    def seldom_paid(self, account: Account) -> float:
        """How many times seldomer than once a payment reaches just this account by chance."""
        unit = self.time.weight()
        return (sum(self._moved[1:]) / unit + CHANCE_MEETING) / (sum(account.got[1:]) / unit + 1.0)

    def shape(self, counts: list[float], value: float, recent: list[Edge]) -> tuple[float, float]:
        """The habit of having sums of `value` or more as a gamma: events seen (with a prior) and the days they took."""
        size, unit, days = bucket(value), self.time.weight(), self.time.exposure()
        seen = max(0.0, sum(counts[size:]) / unit - sum(edge.size >= size for edge in recent))
        total = sum(self._moved) / unit
        share = (sum(self._moved[size:]) / unit + LARGE * BEFORE) / (total + BEFORE)
        everybody = (total + BEFORE) / (days * (len(self.accounts) + 1) + BEFORE / PACE)
        usual = (sum(counts) / unit + LIKE_OTHERS * everybody) / (days + LIKE_OTHERS) * share + 1e-9
        return seen + PRIOR, max(0.0, days - LEFT_OUT) + PRIOR / usual

    def _keep(self, transfer: Transfer, payer: Account, payee: Account, size: int, strange: float) -> Edge:
        pair = (transfer.payer, transfer.payee)
        first = self._pairs.get(pair)
        if first is None:
            self._pairs.put(pair, transfer.time)
        fresh = first is None or transfer.time - first < NEW_BUSINESS
        edge = Edge(*transfer[:5], size, *transfer[5:], fresh, strange)
        self._recent.append(edge)
        self._ids.add(edge.id)
        self._file(payer.outgoing, edge)
        self._file(payee.incoming, edge)
        while self._recent[0].time < self.time.now - WINDOW or len(self._recent) > self._most_edges:
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
        if edge.time >= self.time.now - WINDOW:
            self.dropped["edges"] += 1
        self._ids.discard(edge.id)
        edge.forget()
        payer, payee = self.accounts.get(edge.payer), self.accounts.get(edge.payee)
        for side in (payer.outgoing if payer else [], payee.incoming if payee else []):
            if side and side[0] is edge:
                del side[0]
            elif edge in side:
                side.remove(edge)
