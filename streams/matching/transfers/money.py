"""Currencies and reporting thresholds, read once from the package's tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Money:
    """What an amount is worth and how near it is to a report.

    `units` maps a currency to its units for one US dollar (coarse: amounts are compared within a factor);
    `thresholds` maps (jurisdiction, currency) to the reported amount, jurisdiction "" being the currency's default.
    """

    units: Mapping[str, float]
    thresholds: Mapping[tuple[str, str], float]

    def threshold(self, jurisdiction: str, currency: str) -> float:
        """The reported amount where it is known, else 10,000 US dollars' worth; in units of the currency."""
        known = self.thresholds.get((jurisdiction, currency)) or self.thresholds.get(("", currency))
        return known or 10_000 * self.units[currency]


def _rows(name: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def _thresholds(rows: Iterable[Mapping[str, str]]) -> dict[tuple[str, str], float]:
    table: dict[tuple[str, str], float] = {}
    for row in rows:
        table[row["jurisdiction"], row["currency"]] = float(row["threshold"])
        if row["default"] == "1":
            table["", row["currency"]] = float(row["threshold"])
    return table


@cache
def load_money() -> Money:
    """The tables of `data/currencies.csv` and `data/thresholds.csv`."""
    units = {row["currency"]: float(row["units_per_usd"]) for row in _rows("currencies.csv")}
    return Money(units, _thresholds(_rows("thresholds.csv")))
