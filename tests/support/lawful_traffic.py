"""Invented lawful transfers, as many as wanted, to drown labelled attempts in: what a detector does at a low base rate.

Seeded, so that the same call makes the same stream. Behaviours: purchases at shops, wages and revenue of employers,
rent, refunds, suppliers paid weekly, donation drives, single payments near a threshold, payments between people; with
`hard` also house sales that pass through a notary, group purchases, sums forwarded in a family and trade among firms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import exp
from random import Random
from typing import Any

Record = dict[str, Any]
Payment = tuple[float, str, str, float, str]
"""Day since the start, payer, payee, US dollars, channel."""

UNITS = {
    "USD": 1.0, "EUR": 0.93, "SAR": 3.75, "TRY": 18.3, "KZT": 475.0, "MYR": 4.5, "PKR": 225.0, "MAD": 10.5,
    "XOF": 650.0,
}  # fmt: skip
LIMITS = {
    "USD": 10_000, "EUR": 10_000, "SAR": 60_000, "TRY": 185_000, "KZT": 5_000_000, "MYR": 25_000, "PKR": 2_000_000,
    "MAD": 100_000, "XOF": 5_000_000,
}  # fmt: skip
CHANNELS = ("transfer", "card", "cheque", "wire", "cash")


@dataclass
class Town:
    """The people of an invented place: their accounts, banks and currencies, and the dice."""

    dice: Random
    accounts: list[str]
    days: float
    spread: float
    currency: dict[str, str] = field(default_factory=dict)

    def money(self, account: str) -> str:
        """The account's own currency, drawn once."""
        if account not in self.currency:
            self.currency[account] = self.dice.choice(list(UNITS))
        return self.currency[account]

    def some(self, count: int) -> list[str]:
        """So many different accounts."""
        return self.dice.sample(self.accounts, min(count, len(self.accounts)))

    def sum(self, middle: float, spread: float) -> float:
        """A sum in US dollars, log-normal around the middle."""
        return middle * exp(self.dice.gauss(0, spread))

    def day(self) -> float:
        """Any moment."""
        return self.dice.uniform(0, self.days)


def between_people(town: Town, count: int) -> Iterator[Payment]:
    """Single payments of any kind."""
    for _ in range(count):
        payer, payee = town.some(2)
        channel = town.dice.choices(CHANNELS, (35, 24, 24, 9, 8))[0]
        yield town.day(), payer, payee, town.sum(120, town.spread), channel


def purchases(town: Town, count: int) -> Iterator[Payment]:
    """Small payments at shops by customers who come again."""
    while count > 0:
        shop, size = town.some(1)[0], min(count, town.dice.randint(80, 160))
        guests = town.some(town.dice.randint(15, 60))
        count -= size
        for _ in range(size):
            yield town.day(), town.dice.choice(guests), shop, town.sum(30, 0.8), town.dice.choice(("card", "transfer"))


def wages(town: Town, count: int) -> Iterator[Payment]:
    """Employers: money in from some customers at any time, wages to all staff on a morning, monthly or fortnightly."""
    while count > 0:
        boss, *staff = town.some(town.dice.randint(9, 45))
        scale, period = town.sum(700, 0.15), town.dice.choice((30, 30, 30, 14))
        first = town.dice.uniform(1, 12) // 1
        pay = {person: town.sum(scale, 0.35) for person in staff}
        for day in range(int(first), int(town.days), period):
            for person in staff:
                count -= 1
                yield day + town.dice.uniform(0, 0.22), boss, person, pay[person], "transfer"
        for customer in town.some(town.dice.randint(5, 20)):
            count -= 1
            yield town.day(), customer, boss, town.sum(9_000, 2.2), "transfer"


def rents(town: Town, count: int) -> Iterator[Payment]:
    """The same sum to the same landlord every month."""
    for _ in range(count // 2):
        (tenant, landlord), sum_, first = town.some(2), town.sum(430, 0.35), town.dice.uniform(0, 3)
        for month in range(2):
            yield first + 30 * month, tenant, landlord, sum_, "transfer"


def refunds(town: Town, count: int) -> Iterator[Payment]:
    """A purchase and the same sum back, now and then less a part."""
    for _ in range(count // 2):
        (buyer, seller), sum_, day = town.some(2), town.sum(130, 1.1), town.day()
        yield day, buyer, seller, sum_, "transfer"
        back = sum_ if town.dice.random() < 0.9 else round(sum_ * town.dice.uniform(0.3, 0.9), 2)
        yield day + town.dice.uniform(0.5, 10), seller, buyer, back, "transfer"


def suppliers(town: Town, count: int) -> Iterator[Payment]:
    """A shop pays the same two or three suppliers every week, another sum each time."""
    while count > 0:
        shop, *others = town.some(town.dice.randint(3, 4))
        weekday = town.dice.uniform(0, 7)
        for week in range(int(town.days // 7)):
            for other in others:
                count -= 1
                yield weekday + 7 * week + town.dice.uniform(0, 1), shop, other, town.sum(1_200, 0.5), "transfer"


def donations(town: Town, count: int) -> Iterator[Payment]:
    """Many round gifts to one account within two days."""
    while count > 0:
        drive, *givers = town.some(town.dice.randint(10, 40))
        day = town.day()
        for giver in givers:
            count -= 1
            yield (
                day + town.dice.uniform(0, 2),
                giver,
                drive,
                float(town.dice.choice((10, 20, 25, 50, 100, 200))),
                "transfer",
            )


def near_threshold(town: Town, count: int) -> Iterator[Payment]:
    """One payment a little under the reported amount, without a second."""
    for _ in range(count):
        payer, payee = town.some(2)
        money = town.money(payer)
        share = town.dice.uniform(0.7, 1.0) * LIMITS[money] / UNITS[money]
        yield town.day(), payer, payee, share, town.dice.choice(("wire", "cash", "transfer"))


def house_sales(town: Town, count: int) -> Iterator[Payment]:
    """A large sum to a notary, from there to the seller within a week and a fee to the agent."""
    for _ in range(count // 3):
        (buyer, notary, seller, agent), sum_, day = town.some(4), town.sum(60_000, 0.6), town.day()
        yield day, buyer, notary, sum_, "wire"
        yield day + town.dice.uniform(0.5, 7), notary, seller, sum_ * 0.985, "wire"
        yield day + town.dice.uniform(0.5, 7), notary, agent, sum_ * 0.015, "transfer"


def group_purchases(town: Town, count: int) -> Iterator[Payment]:
    """Friends pay one who then pays a seller."""
    while count > 0:
        buyer, seller, *friends = town.some(town.dice.randint(5, 10))
        each, day = town.sum(250, 0.7), town.day()
        count -= len(friends) + 1
        for friend in friends:
            yield day + town.dice.uniform(0, 2), friend, buyer, each, "transfer"
        yield day + town.dice.uniform(2, 4), buyer, seller, each * (len(friends) + 1), "transfer"


def family(town: Town, count: int) -> Iterator[Payment]:
    """A migrant's monthly sum that a relative hands on in parts."""
    for _ in range(count // 3):
        (abroad, relative, *others), sum_, day = town.some(4), town.sum(400, 0.6), town.day()
        yield day, abroad, relative, sum_, "wire"
        for other in others:
            yield day + town.dice.uniform(0.2, 3), relative, other, sum_ * town.dice.uniform(0.2, 0.5), "transfer"


def trade(town: Town, count: int) -> Iterator[Payment]:
    """Firms that buy from each other again and again."""
    while count > 0:
        firms = town.some(town.dice.randint(5, 12))
        deals = [town.dice.sample(firms, 2) for _ in range(2 * len(firms))]
        for payer, payee in deals:
            for _ in range(town.dice.randint(1, 6)):
                count -= 1
                yield town.day(), payer, payee, town.sum(4_000, 0.9), town.dice.choice(("transfer", "wire", "cheque"))


Behaviour = Callable[[Town, int], Iterator[Payment]]
USUAL: tuple[tuple[Behaviour, float], ...] = (
    (between_people, 0.65), (purchases, 0.24), (wages, 0.04), (rents, 0.05), (refunds, 0.014), (suppliers, 0.02),
    (donations, 0.005), (near_threshold, 0.0025),
)  # fmt: skip
HARD: tuple[tuple[Behaviour, float], ...] = (
    (house_sales, 0.002), (group_purchases, 0.004), (family, 0.004), (trade, 0.01),
)  # fmt: skip


def lawful(
    seed: int, count: int, accounts: list[str], start: datetime, days: float, *, hard: bool = False
) -> Iterator[Record]:
    """About `count` lawful transfers among the accounts, not in order; ids begin with "W"."""
    dice = Random(seed)
    town = Town(dice, accounts, days, spread=dice.uniform(1.2, 1.4))
    number = 0
    for behave, share in USUAL + (HARD if hard else ()):
        for payment in behave(town, int(count * share)):
            if payment[0] < days:
                number += 1
                yield _record(town, f"W{number:07}", start, payment)


def _record(town: Town, name: str, start: datetime, payment: Payment) -> Record:
    day, payer, payee, dollars, channel = payment
    own = town.dice.random() < 0.99
    currency = town.money(payer) if own else town.dice.choice(list(UNITS))
    received = currency if town.dice.random() < 0.91 else town.money(payee)
    return {
        "id": name,
        "timestamp": (start + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "from_account": payer,
        "from_bank": f"BK{hash_of(payer):04}",
        "to_account": payee,
        "to_bank": f"BK{hash_of(payee):04}",
        "amount": round(dollars * UNITS[currency], 2),
        "currency": currency,
        "amount_received": round(dollars * UNITS[received], 2),
        "currency_received": received,
        "channel": channel,
    }


def hash_of(account: str) -> int:
    """The bank of an account, the same in every run."""
    return sum(ord(letter) * (7 * place + 1) for place, letter in enumerate(account)) % 700


def drowned(
    rows: Iterable[Record],
    labelled: set[str],
    *,
    factor: int = 10,
    seed: int = 1,
    scale: bool = True,
    hard: bool = False,
) -> list[Record]:
    """The labelled transfers of `rows` and `factor` times their lawful traffic, invented, in time order.

    `scale`: the population grows with the traffic; else the accounts of `rows` are ten times busier.
    """
    kept = [row for row in rows if row["id"] in labelled]
    others = [row for row in rows if row["id"] not in labelled]
    accounts = sorted({row[side] for row in rows for side in ("from_account", "to_account")})
    if scale:
        accounts += [f"Y{number:06}" for number in range(len(accounts) * (factor - 1))]
    first = datetime.fromisoformat(min(row["timestamp"] for row in others)).replace(tzinfo=UTC)
    last = datetime.fromisoformat(max(row["timestamp"] for row in others)).replace(tzinfo=UTC)
    new = lawful(seed, factor * len(others), accounts, first, (last - first) / timedelta(days=1), hard=hard)
    return sorted([*kept, *new], key=lambda row: (row["timestamp"], row["id"]))
