"""Alert ids: UUIDs of version 7 (RFC 9562, section 5.7), which sort by the time they were made at."""

from __future__ import annotations

import uuid
from typing import Final

RANDOM_BYTES: Final = 10
_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62
_RANDOM: Final = (0xFFF << 64) | ((1 << 62) - 1)
"""Where the random bits stand: 12 behind the version, 62 behind the variant."""


def uuid7(now: int, random: bytes) -> str:
    """The UUIDv7 of a time (microseconds since the epoch) and 10 random bytes, lower case.

    48 bits of milliseconds, version, 12 random bits, variant, 62 random bits. `ValueError` for a time before 1970 or
    after the year 10889, and for another number of bytes.
    """
    millis = now // 1000
    if not 0 <= millis < 1 << 48:
        raise ValueError(f"{now} is not a time that a UUIDv7 can hold")
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a UUIDv7 needs {RANDOM_BYTES} random bytes, not {len(random)}")
    return str(uuid.UUID(int=millis << 80 | _VERSION | _VARIANT | (int.from_bytes(random) & _RANDOM)))
