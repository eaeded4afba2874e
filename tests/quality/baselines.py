"""What our matchers are held against: cheap ones run live beside them, and library figures quoted from a measurement.

The quoted figures were measured in November 2026 on one thread of a machine with two cores, on held-out rows made like
the development data (23,448 pairs of persons, 2,873 mentions, 4,001 pairs of routes, 42,474 transfers), each at the
threshold tuned on the development rows; where "development rows" is said, on these themselves. They are not run again
here: the libraries weigh 700 MB and more.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from anyascii import anyascii
from rapidfuzz import fuzz

Record = Mapping[str, Any]


class Quoted(NamedTuple):
    """A matcher of others and what was measured of it; None where that was not."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    recall_1: float | None = None
    recall_01: float | None = None
    per_second: int | None = None


PERSONS_FULL = (
    Quoted("exact normalised, held out", 1.000, 0.083, 0.153, 0.083, 0.083, 62_500),
    Quoted("rapidfuzz token sort (ICU) + birth date, held out", 0.676, 0.814, 0.739, 0.535, 0.409, 62_500),
    Quoted("nomenklatura logic-v1, held out", 0.779, 0.683, 0.728, 0.506, 0.446, 5_600),
    Quoted("nomenklatura logic-v2, held out", 0.756, 0.880, 0.814, 0.642, 0.613, 2_240),
    Quoted("nomenklatura logic-v2, development rows", None, None, 0.86),
)
PERSONS_NAMES = (
    Quoted("exact normalised, held out", 1.000, 0.083, 0.153, 0.083, 0.083, 52_600),
    Quoted("rapidfuzz token sort (ICU), held out", 0.794, 0.658, 0.720, 0.524, 0.381, 62_500),
    Quoted("nomenklatura logic-v2, held out", 0.761, 0.808, 0.783, 0.678, 0.547, 2_080),
    Quoted("nomenklatura name-based, held out", 0.794, 0.776, 0.785, 0.470, 0.000, 8_900),
)
NAME_PARTS = (
    Quoted("nomenklatura logic-v2, held out", 0.932, 0.472, 0.627, 0.451, 0.367, 5_600),
    Quoted("nomenklatura name-based, held out", 0.845, 0.671, 0.748, 0.299, 0.201, 13_900),
)
MENTIONS = (
    Quoted("exact normalised key, held out", 1.000, 0.020, 0.040, per_second=40_331),
    Quoted("blocking + rapidfuzz (ICU) + birth date, held out", 0.790, 0.545, 0.645, per_second=8_062),
    Quoted("blocking + nomenklatura logic-v2, held out", 0.977, 0.716, 0.827, per_second=149),
    Quoted("Splink 5, held out", 0.739, 0.507, 0.602, per_second=1_078),
)
MENTIONS_BLOCKING = (0.943, 19.2)
"""Share of true pairs that the quoted blocking kept, and its candidate pairs a mention."""
ROUTES = (
    Quoted("shared codes or names, held out", 0.353, 0.720, 0.473, 0.000, None, 250_000),
    Quoted("order-keeping alignment by distance, held out", 0.654, 0.802, 0.721, 0.075, None, 41_700),
    Quoted("the same with dates, held out", 0.902, 0.921, 0.911, 0.845, None, 30_300),
)
TRANSFERS = (
    ("plain rules, held out", (0.762, 0.740, 0.751), (0.759, 0.668, 0.710), 62_000),
    ("plain rules, held out, tenfold lawful traffic", (0.239, 0.734, 0.360), (0.243, 0.662, 0.356), 41_000),
    ("plain rules, development rows", (0.842, 0.703, 0.766), (0.799, 0.632, 0.706), 60_000),
)
"""Name, transfer level and attempt level precision, recall and F1, transfers a second."""


@functools.lru_cache(200_000)
def _plain(name: str) -> str:
    """Latin letters, small, words in alphabetical order."""
    kept = "".join(c if c.isalnum() else " " for c in anyascii(name).casefold().replace("'", "").replace("`", ""))
    return " ".join(sorted(kept.split()))


def _names(record: Record) -> list[str]:
    return [_plain(name) for name in (record["name"], *record["aliases"])]


def exact(a: Record, b: Record) -> float:
    """1 where any name of one equals any of the other, letters folded and words sorted."""
    return float(bool(set(_names(a)) & set(_names(b))))


def token_sort(a: Record, b: Record) -> float:
    """The best likeness of spelling of any two names, words sorted (rapidfuzz)."""
    return max(fuzz.ratio(one, other) for one in _names(a) for other in _names(b)) / 100


def shared_places(a: Record, b: Record) -> float:
    """The share of the shorter route's codes and names that the other has too."""
    ours, theirs = (_places(record) for record in (a, b))
    return len(ours & theirs) / max(1, min(len(ours), len(theirs)))


def _places(record: Record) -> set[str]:
    return {key for w in record["waypoints"] for key in (w.get("code", ""), w["name"].casefold()) if key}


def exact_groups(mentions: list[dict[str, Any]]) -> dict[str, str]:
    """Mentions grouped by the name with its letters folded and its words sorted."""
    return {mention["mention"]: _plain(mention["name"]) for mention in mentions}
