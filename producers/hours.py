"""The agency's own clock."""

from __future__ import annotations

import time


def now_micros() -> int:
    """The wall clock, in microseconds since the epoch, UTC."""
    return time.time_ns() // 1000
