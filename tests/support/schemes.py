"""Invented schemes of every typology, and the plain transfer records they are made of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Record = dict[str, Any]
START = datetime(2026, 1, 5, tzinfo=UTC)


def transfer(
    name: str, day: float, payer: str, payee: str, amount: float, currency: str = "USD", channel: str = "transfer"
) -> Record:
    """One plain record; `day` counts from START."""
    when = START + timedelta(days=day)
    record = {"id": name, "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "from_account": payer, "to_account": payee}
    return record | {"amount": amount, "currency": currency, "channel": channel}


class Scheme:
    """Makes the transfers of one scheme: names begin with `name`, days from `day` on."""

    def __init__(self, name: str, day: float, seed: int) -> None:
        self.name, self.day, self.dice = name, day, Random(seed)
        self.transfers: list[Record] = []

    def pay(self, after: float, payer: str, payee: str, amount: float, channel: str = "transfer") -> None:
        """Add a payment `after` days from the scheme's first day."""
        name = f"{self.name}-{len(self.transfers)}"
        self.transfers.append(
            transfer(
                name, self.day + after, f"{self.name}{payer}", f"{self.name}{payee}", round(amount, 2), "USD", channel
            )
        )

    def sum(self) -> float:
        """A sum worth hiding."""
        return self.dice.uniform(4_000, 9_000)


def fan_in(s: Scheme) -> None:
    """Eight payers, one payee."""
    for i in range(8):
        s.pay(i * 0.4, f"p{i}", "hub", s.sum())


def fan_out(s: Scheme) -> None:
    """One payer, eight payees."""
    for i in range(8):
        s.pay(i * 0.4, "hub", f"q{i}", s.sum())


def gather_scatter(s: Scheme) -> None:
    """Six payers, then six payees."""
    for i in range(6):
        s.pay(i * 0.4, f"p{i}", "hub", s.sum())
        s.pay(2 + i * 0.4, "hub", f"q{i}", s.sum())


def scatter_gather(s: Scheme) -> None:
    """One source, four accounts between, one sink."""
    for i in range(4):
        sum_ = s.sum()
        s.pay(i * 0.2, "source", f"m{i}", sum_)
        s.pay(1.2 + i * 0.2, f"m{i}", "sink", sum_ * 0.97)


def cycle(s: Scheme) -> None:
    """Five hops and back, the value changing a little both ways."""
    sum_ = s.sum()
    for i in range(5):
        s.pay(i * 0.6, f"n{i}", f"n{(i + 1) % 5}", sum_ * s.dice.uniform(0.93, 1.05))


def round_trip(s: Scheme) -> None:
    """Four hops and back, a fee at each."""
    sum_ = s.sum()
    for i in range(4):
        s.pay(i * 0.6, f"n{i}", f"n{(i + 1) % 4}", sum_ * 0.97**i)


def layering_chain(s: Scheme) -> None:
    """Five hops, a fee at each."""
    sum_ = s.sum()
    for i in range(5):
        s.pay(i * 0.6, f"n{i}", f"n{i + 1}", sum_ * 0.97**i)


def random(s: Scheme) -> None:
    """Seven hops, the value changing a little both ways."""
    sum_ = s.sum()
    for i in range(7):
        s.pay(i * 0.4, f"n{i}", f"n{i + 1}", sum_ * s.dice.uniform(0.93, 1.06))


def bipartite(s: Scheme) -> None:
    """Three payers, three payees, all with all."""
    for i in range(3):
        for j in range(3):
            s.pay((i * 3 + j) * 0.2, f"p{i}", f"q{j}", s.sum())


def stack(s: Scheme) -> None:
    """Two by three, then three by two."""
    for i in range(2):
        for j in range(3):
            s.pay((i * 3 + j) * 0.15, f"p{i}", f"m{j}", s.sum())
            s.pay(1.2 + (i * 3 + j) * 0.15, f"m{j}", f"q{i}", s.sum())


def structuring(s: Scheme) -> None:
    """Six payments of one pair just below 10,000."""
    for i in range(6):
        s.pay(i * 0.5, "payer", "payee", s.dice.uniform(8_200, 9_900), s.dice.choice(("cash", "transfer")))


def smurfing(s: Scheme) -> None:
    """Ten cash payers below 10,000, then one payment on."""
    for i in range(10):
        s.pay(i * 0.3, f"p{i}", "hub", s.dice.uniform(4_500, 9_000), "cash")
    s.pay(3.5, "hub", "boss", 55_000.0, "wire")


MAKERS: dict[str, Callable[[Scheme], None]] = {
    maker.__name__: maker
    for maker in (
        fan_in, fan_out, gather_scatter, scatter_gather, cycle, round_trip, layering_chain, random, bipartite, stack,
        structuring, smurfing,
    )
}  # fmt: skip


def scheme(typology: str, day: float = 20.0, seed: int = 1, name: str = "") -> list[Record]:
    """The transfers of a scheme of that typology, in time order."""
    made = Scheme(name or typology, day, seed)
    MAKERS[typology](made)
    return sorted(made.transfers, key=lambda record: str(record["timestamp"]))
