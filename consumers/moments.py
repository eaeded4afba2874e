"""Times as people say them on the command line. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from manara.errors import InputError

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(text: str, now: int) -> int:
    """The time that a person means by `30m`, `2h`, `1d`, or by ISO 8601 (UTC unless it says otherwise)."""
    number, unit = text[:-1], text[-1:]
    if number.isdecimal() and unit in UNITS:
        return max(0, now - int(number) * UNITS[unit] * 1_000_000)
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"`{text}` is no time.", "Write 30m, 2h, 1d, or 2026-11-24T14:00.") from None
    return max(0, int((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1_000_000))
