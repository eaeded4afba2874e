"""Ports and airports: where a code or a name lies, as points on the unit sphere.

The table is `streams/matching/data/places.csv` (code, country, lat, lon, names), drawn from sea-ports and airportsdata;
`exonyms.csv` beside it says what cities are called in other languages and scripts.
"""

from __future__ import annotations

import csv
import functools
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Final, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import Indel

from manara.matching.script import is_abjad, romanise, words
from manara.matching.spelling import skeleton, sounds

_DIAMETER: Final = 12_742.0
"""Of the Earth, in kilometres."""
_GENERIC: Final = frozenset(
    {"port", "of", "the", "city", "airport", "harbour", "harbor", "puerto", "porto", "pelabuhan", "mina", "minaa", "al",
     "el", "ad", "ar", "as", "ash", "an", "island", "terminal", "liman", "limani", "aeroport", "morport", "port de"}
)  # fmt: skip
_BETWEEN_PARTS: Final = re.compile(r"[()\[\]/,;|]")
_MOST_PARTS: Final = 4
_CLOSE: Final = 0.8
"""Likeness of a misspelt name to a name of the table from which it is read as that place."""
_MOST_NAMESAKES: Final = 3
_SHORTEST_MISSPELT: Final = 4
_LONGEST: Final = 120
"""Letters of a name that are read."""


class Point(NamedTuple):
    """A place on the unit sphere."""

    x: float
    y: float
    z: float


class PlaceName(NamedTuple):
    """A name made ready for comparing: plain letters without words like `port`, its consonants, its script."""

    letters: str
    consonants: str
    abjad: bool


def point(lat: float, lon: float) -> Point:
    """The point of a latitude and a longitude in degrees."""
    north, east = math.radians(lat), math.radians(lon)
    return Point(math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north))


def kilometres(a: Point, b: Point) -> float:
    """The distance over the ground."""
    return _DIAMETER * math.asin(min(1.0, math.dist(a, b) / 2))


def degrees(place: Point) -> tuple[float, float]:
    """Latitude and longitude of a point."""
    return math.degrees(math.asin(max(-1.0, min(1.0, place.z)))), math.degrees(math.atan2(place.y, place.x))


@functools.lru_cache(65_536)
def place_names(written: str) -> tuple[PlaceName, ...]:
    """Every reading of what stands for a place: the whole, and the parts that brackets, strokes and commas part."""
    parts = [part for part in _BETWEEN_PARTS.split(written[:_LONGEST]) if part.strip()]
    whole = [written, *parts[:_MOST_PARTS]] if len(parts) > 1 else [written]
    read = {name.letters: name for name in map(place_name, whole) if name.letters}
    return tuple(read.values())


@functools.lru_cache(65_536)
def place_name(written: str) -> PlaceName:
    """A name as written, in any script, made ready; known exonyms become the name of the table."""
    read = words(written[:_LONGEST])
    known = exonyms().get("".join(read))
    if known:
        read = known.split()
    latin = [romanise(word) for word in read]
    kept = [word for word in latin if word not in _GENERIC] or latin
    letters = "".join(kept)
    return PlaceName(letters, skeleton(sounds(letters)) if letters else "", not known and any(map(is_abjad, read)))


def _table(file: str) -> Iterator[dict[str, str]]:
    text = (resources.files("streams.matching") / "data" / file).read_text("utf-8")
    yield from csv.DictReader(text.splitlines())


@functools.cache
def exonyms() -> Mapping[str, str]:
    """What a city is called elsewhere (its words run together) to the words of its name in the table."""
    return {
        "".join(words(other)): " ".join(words(row["name"]))
        for row in _table("exonyms.csv")
        for other in row["others"].split("|")
    }


class Gazetteer(NamedTuple):
    """The table, by code and by country and name."""

    codes: Mapping[str, tuple[str, Point]]
    names: Mapping[str, Mapping[str, tuple[Point, ...]]]
    """Country to plain letters of the name to every place so called there."""


@functools.cache
def gazetteer() -> Gazetteer:
    """The table, read once."""
    codes: dict[str, tuple[str, Point]] = {}
    names: dict[str, dict[str, tuple[Point, ...]]] = defaultdict(dict)
    for row in _table("places.csv"):
        where, country = point(float(row["lat"]), float(row["lon"])), row["country"].lower()
        codes[row["code"]] = (country, where)
        readings = {reading.letters for name in row["names"].split("|") for reading in place_names(name)}
        for name in readings:
            names[country][name] = (*names[country].get(name, ()), where)
    return Gazetteer(codes, names)


def coded(code: str) -> tuple[Point, ...]:
    """Where a UN/LOCODE or an IATA code lies."""
    found = gazetteer().codes.get(code)
    return (found[1],) if found else ()


@functools.lru_cache(65_536)
def named(letters: str, country: str) -> tuple[Point, ...]:
    """Where places of this name lie in a country, also where the name is a little misspelt; empty if nobody knows.

    Without a country only a name that few places bear is found, and only as it is spelt.
    """
    if not country:
        everywhere = tuple(p for known in gazetteer().names.values() for p in known.get(letters, ()))
        return everywhere if len(everywhere) <= _MOST_NAMESAKES else ()
    known = gazetteer().names.get(country, {})
    exact = known.get(letters)
    if exact or len(letters) < _SHORTEST_MISSPELT:
        return exact or ()
    found = process.extractOne(letters, known.keys(), scorer=Indel.normalized_similarity, score_cutoff=_CLOSE)
    return known[found[0]] if found else ()
