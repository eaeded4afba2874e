"""Birth dates compared by degrees: agencies hold years only, swap day and month, mistype a digit;
only a date far apart speaks loudly.
"""

from __future__ import annotations

from itertools import product

GRADES = {
    "MISSING": "a birth date is missing on one side",
    "EQUAL": "birth dates equal",
    "CONTAINED": "birth dates agree as far as both are known",
    "SWAPPED": "birth dates equal with day and month swapped",
    "DAY": "birth dates a few days apart",
    "DIGIT": "birth dates differ in one digit",
    "YEAR": "birth dates one year apart",
    "YEARS": "birth dates in the same or neighbouring years, days differ",
    "NEAR": "birth dates two or three years apart",
    "FAR": "birth dates far apart",
}
"""Grades of agreement, the best first after MISSING, and what each means in words."""
_ORDER = {grade: place for place, grade in enumerate(GRADES)}
_FULL, _MONTH, _NEAR_DAYS, _NEAR_YEARS = 10, 7, 3, 3
_MOST = 8
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९", "012345678901234567890123456789")


def births(dates: tuple[str, ...]) -> tuple[str, ...]:
    """Usable dates in one form (YYYY, YYYY-MM or YYYY-MM-DD), digits of other scripts read; nonsense is left out."""
    found = {date.strip().translate(_DIGITS) for date in dates}
    return tuple(sorted(date for date in found if _sound(date)))[:_MOST]


def _sound(date: str) -> bool:
    pieces = date.split("-")
    return (
        len(date) in {4, _MONTH, _FULL}
        and len(pieces[0]) == len("YYYY")
        and all(p.isdecimal() and p.isascii() for p in pieces)
    )


def grade(left: tuple[str, ...], right: tuple[str, ...]) -> str:
    """The best grade any two dates of both sides reach."""
    if not left or not right:
        return "MISSING"
    return min((_grade(*sorted(pair)) for pair in product(left, right)), key=_ORDER.__getitem__)


def _grade(one: str, other: str) -> str:
    shorter = min(len(one), len(other))
    if one[:shorter] == other[:shorter]:
        return "EQUAL" if shorter == _FULL else "CONTAINED"
    years = abs(int(one[:4]) - int(other[:4]))
    if shorter == _FULL:
        if years == 0 and one[5:7] == other[8:] and one[8:] == other[5:7]:
            return "SWAPPED"
        if years == 0 and one[5:7] == other[5:7] and abs(int(one[8:]) - int(other[8:])) <= _NEAR_DAYS:
            return "DAY"
        if years == 1 and one[4:] == other[4:]:
            return "YEAR"
        if sum(x != y for x, y in zip(one, other, strict=True)) == 1:
            return "DIGIT"
    elif years == 1:
        return "YEAR"
    return "YEARS" if years <= 1 else "NEAR" if years <= _NEAR_YEARS else "FAR"
