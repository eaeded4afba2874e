"""Alert ids against the layout of RFC 9562."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import uuid7

TIMES = st.integers(0, (1 << 48) * 1000 - 1)
RANDOM = st.binary(min_size=10, max_size=10)


def test_the_example_of_the_standard_comes_out() -> None:
    """RFC 9562, appendix A.6: 2022-02-22 14:22:22 -05:00, random 0xCC3 and 0x18C4DC0C0C07398F."""
    random = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10)
    assert uuid7(1_645_557_742_000_000, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(TIMES, RANDOM)
def test_every_field_stands_where_the_standard_says(now: int, random: bytes) -> None:
    """Milliseconds in front, version 7, variant 0b10, and the random bits in all that is left."""
    made = uuid.UUID(uuid7(now, random)).int
    assert made >> 80 == now // 1000
    assert made >> 76 & 0xF == 7
    assert made >> 62 & 0b11 == 0b10
    bits = int.from_bytes(random)
    assert made >> 64 & 0xFFF == bits >> 64 & 0xFFF
    assert made & ((1 << 62) - 1) == bits & ((1 << 62) - 1)


@given(TIMES, TIMES, RANDOM, RANDOM)
def test_ids_sort_by_the_millisecond_they_were_made_in(one: int, other: int, first: bytes, second: bytes) -> None:
    """As text, in lower case."""
    if one // 1000 < other // 1000:
        assert uuid7(one, first) < uuid7(other, second)
    assert uuid7(one, first) == uuid7(one, first).lower()


@pytest.mark.parametrize(("now", "random"), [(-1000, bytes(10)), ((1 << 48) * 1000, bytes(10)), (0, bytes(9))])
def test_what_does_not_fit_is_refused(now: int, random: bytes) -> None:
    """Neither a time out of range nor too few random bytes make an id."""
    with pytest.raises(ValueError, match="UUIDv7"):
        uuid7(now, random)
