"""The transfer pattern detector finds what it should and stays quiet about what is lawful."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from streams.matching.transfers import Detector, detect

START = datetime(2026, 1, 5, tzinfo=UTC)


def _transfer(
    name: str, day: float, payer: str, payee: str, amount: float, currency: str = "USD", channel: str = "transfer"
) -> dict[str, Any]:
    when = (START + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": name,
        "timestamp": when,
        "from_account": payer,
        "to_account": payee,
        "amount": amount,
        "currency": currency,
        "channel": channel,
    }


def _quiet(days: int) -> list[dict[str, Any]]:
    """Small everyday payments among 200 accounts."""
    return [
        _transfer(f"q{d}-{i}", d + i / 40, f"p{(d * 7 + i) % 200}", f"p{(d * 13 + i * 5 + 1) % 200}", 40.0 + i)
        for d in range(days)
        for i in range(40)
    ]


def test_payments_just_below_the_threshold_are_structuring() -> None:
    """Five payments of one pair under 10,000 dollars within days."""
    stream = _quiet(10) + [_transfer(f"s{i}", 10 + i / 3, "p1", "x1", 9_300.0 + 40 * i) for i in range(5)]
    alerts = list(detect(stream))
    assert [alert["typology"] for alert in alerts][-1] == "structuring"
    assert set(alerts[-1]["transactions"]) == {f"s{i}" for i in range(5)}  # type: ignore[call-overload]


def test_everyday_payments_raise_nothing() -> None:
    """Two weeks of small payments."""
    assert list(detect(_quiet(14))) == []


def test_an_unfit_record_is_put_aside_and_counted() -> None:
    """Each reason is counted, none raises."""
    detector = Detector()
    for amount, currency in ((-5.0, "USD"), (0.0, "USD"), (float("nan"), "USD"), (1e308, "USD"), (9.0, "ZZZ")):
        assert detector.add(_transfer("t", 0, "a", "b", amount, currency)) == []
    assert detector.put_aside == {"amount": 4, "currency": 1}
