"""The tables of currencies and reporting thresholds are whole."""

from __future__ import annotations

import csv
from importlib.resources import files

from streams.matching.transfers.money import load_money

MEMBERS = (
    *("AE", "AF", "AL", "AZ", "BD", "BF", "BH", "BJ", "BN", "CI", "CM", "DJ", "DZ", "EG", "GA", "GM", "GN", "GW", "GY"),
    *("ID", "IQ", "IR", "JO", "KG", "KM", "KW", "KZ", "LB", "LY", "MA", "ML", "MR", "MV", "MY", "MZ", "NE", "NG", "OM"),
    *("PK", "PS", "QA", "SA", "SD", "SL", "SN", "SO", "SR", "SY", "TD", "TG", "TJ", "TM", "TN", "TR", "UG", "UZ", "YE"),
)


def _rows() -> list[dict[str, str]]:
    text = files("streams.matching.transfers").joinpath("data", "thresholds.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_every_member_state_has_a_threshold() -> None:
    """All 57, and the main partners."""
    assert len(MEMBERS) == 57
    assert {row["jurisdiction"] for row in _rows()} >= {*MEMBERS, "US", "EU", "GB", "RU", "CN", "IN"}


def test_every_threshold_says_whether_it_is_known_or_assumed() -> None:
    """No third way, and no amount without a value."""
    money = load_money()
    for row in _rows():
        assert row["basis"] in {"known", "assumed"}
        value = float(row["threshold"]) / money.units[row["currency"]]
        assert 300 <= value <= 60_000, row


def test_no_currency_has_two_defaults() -> None:
    """One row at most stands for a currency without a jurisdiction."""
    defaults = [row["currency"] for row in _rows() if row["default"] == "1"]
    assert len(defaults) == len(set(defaults))


def test_a_currency_without_a_threshold_takes_ten_thousand_dollars_worth() -> None:
    """And a jurisdiction that is not listed takes the currency's default."""
    money = load_money()
    assert money.threshold("", "BTC") == 10_000 * money.units["BTC"]
    assert money.threshold("XX", "SAR") == money.threshold("SA", "SAR") == 60_000
