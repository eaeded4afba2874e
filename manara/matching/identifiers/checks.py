"""Check digits: the arithmetic of the standards, on text that was folded already."""

from __future__ import annotations

from typing import Final

ALPHANUMERIC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MRZ_WEIGHTS: Final = (7, 3, 1)
_VIN_VALUES: Final = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "012345678912345678123457923456789"), strict=True)
)
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CONTAINER_VALUES: Final = dict(
    zip(ALPHANUMERIC, [*range(10), 10, *range(12, 22), *range(23, 33), *range(34, 39)], strict=True)
)


def mod97(iban: str) -> int:
    """The remainder of an IBAN by 97 (ISO 7064, MOD 97-10): 1 where its check digits are right."""
    return int("".join(str(ALPHANUMERIC.index(c)) for c in iban[4:] + iban[:4])) % 97


def imo(number: str) -> str:
    """The check digit of an IMO ship number: weights 7 to 2 over its first six digits, last digit of the sum."""
    return str(sum(int(d) * weight for d, weight in zip(number[:6], range(7, 1, -1), strict=True)) % 10)


def vin(number: str) -> str:
    """The check character of a vehicle number, its ninth (49 CFR 565.15): a digit or X."""
    total = sum(_VIN_VALUES[c] * weight for c, weight in zip(number, _VIN_WEIGHTS, strict=True))
    return "0123456789X"[total % 11]


def container(number: str) -> str:
    """The check digit of a freight container (ISO 6346): powers of two over its first ten characters, modulo 11."""
    return str(sum(_CONTAINER_VALUES[c] << place for place, c in enumerate(number[:10])) % 11 % 10)


def mrz(field: str) -> str:
    """The check digit of a field of a machine-readable zone (ICAO 9303-3): weights 7, 3, 1, the filler counts 0."""
    values = (0 if c == "<" else ALPHANUMERIC.index(c) for c in field)
    return str(sum(value * _MRZ_WEIGHTS[place % 3] for place, value in enumerate(values)) % 10)


def luhn(number: str) -> str:
    """The check digit that follows these digits (ISO/IEC 7812-1, annex B)."""
    doubled = (int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(reversed(number)))
    return str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)  # noqa: PLR2004


def weighted(number: str, weights: tuple[int, ...], modulus: int) -> int:
    """The weighted sum of digits by a modulus, as national numbers use it."""
    return sum(int(d) * weight for d, weight in zip(number, weights, strict=False)) % modulus
