"""Keys as the index keeps them: 47 bits of a keyed hash, the key made anew with each index.

So no name and no number stands in `search.db`. Two keys that fall together do no harm: whatever is found by a key is
compared with the record in the inbox before anybody sees it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

BYTES: Final = 6
"""What SQLite keeps an integer of 47 bits and a sign in."""
KEY_BYTES: Final = 16


def hashed(key: str, secret: bytes) -> int:
    """The number that stands for a search key."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=BYTES, key=secret).digest()
    return int.from_bytes(digest) >> 1


def packed(numbers: Iterable[int]) -> bytes:
    """Hashed keys as bytes, sorted: what an alert is listed under, kept with it, so that it can be taken out again."""
    return b"".join(number.to_bytes(BYTES) for number in sorted(numbers))


def unpacked(value: bytes) -> list[int]:
    """What `packed` packed."""
    return [int.from_bytes(value[at : at + BYTES]) for at in range(0, len(value), BYTES)]
