"""One transfer as the rules see it, read from a plain record and judged fit or unfit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from streams.matching.transfers.money import Money

DAY = 86_400.0
CEILING = 1e13
"""A transfer worth more (US dollars) is an error of the record, not a payment."""


class Transfer(NamedTuple):
    """A fit transfer: time in days since 1970, value in US dollars, share of the reporting threshold."""

    id: str
    time: float
    payer: str
    payee: str
    value: float
    currency: str
    channel: str
    share: float


def _days(stamp: object) -> float | None:
    if isinstance(stamp, str):
        try:
            stamp = datetime.fromisoformat(stamp)
        except ValueError:
            return None
    if isinstance(stamp, datetime):
        aware = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        try:
            return aware.timestamp() / DAY
        except (OverflowError, ValueError):
            return None
    return None


def _amount(raw: object) -> float:
    """The amount, or 0.0 where it is no number at all."""
    try:
        return float(raw)  # type: ignore[arg-type]  # whatever the record holds is tried
    except (TypeError, ValueError, OverflowError):
        return 0.0


def read_transfer(record: Mapping[str, Any], money: Money) -> Transfer | str:
    """The transfer of a record, or in one word why it takes no part in any pattern.

    The record holds id, timestamp (ISO 8601 text or datetime; without zone it is UTC), from_account, to_account,
    amount, currency and, if known, channel and jurisdiction (ISO 3166 alpha-2 of the place that would report it).
    """
    payer, payee, name = record.get("from_account"), record.get("to_account"), record.get("id")
    if not (name and payer and payee and isinstance(name, str) and isinstance(payer, str) and isinstance(payee, str)):
        return "incomplete"
    if payer == payee:
        return "self"
    currency = record.get("currency")
    units = money.units.get(currency) if isinstance(currency, str) else None
    if units is None or not isinstance(currency, str):
        return "currency"
    amount = _amount(record.get("amount"))
    value = amount / units
    if not 0 < value < CEILING:  # false for NaN too
        return "amount"
    time = _days(record.get("timestamp"))
    if time is None:
        return "time"
    share = amount / money.threshold(str(record.get("jurisdiction") or ""), currency)
    return Transfer(name, time, payer, payee, value, currency, str(record.get("channel") or ""), share)
