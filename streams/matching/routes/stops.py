"""A reported route made ready for comparing: its stops in order, with place and day, and the vehicles it names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from manara.matching.identifiers import judge, token
from streams.matching.routes.gazetteer import PlaceName, Point, coded, named, place_names, point

MOST_STOPS: Final = 256
"""Waypoints of a report that are read."""
_MOST_VEHICLES: Final = 64
VEHICLES: Final = frozenset({"imo", "mmsi", "vin", "plate", "container", "tail_number"})
"""Kinds of identifiers that tell one means of transport from another."""
_DAY, _MONTH, _YEAR = 10, 7, 4
"""Characters of a date that is known to the day, the month, the year."""


class Day(NamedTuple):
    """A day number (proleptic Gregorian) and how far it may be off, in days (one standard deviation)."""

    number: float
    spread: float


@dataclass(frozen=True, slots=True)
class Stop:
    """One waypoint, normalised."""

    written: str
    country: str
    code: str
    names: tuple[PlaceName, ...]
    """Every reading of the name, the whole first; empty where none was given."""
    points: tuple[Point, ...]
    surveyed: bool
    """Whether the points are the report's own coordinates, not read from a table."""
    day: Day | None


@dataclass(frozen=True, slots=True)
class Route:
    """A report, normalised once at ingest."""

    stops: tuple[Stop, ...]
    vehicles: frozenset[str]
    """Tokens of strong identifiers: vessels, vehicles, containers, aircraft."""
    key: str
    """Orders two reports, so that a comparison does not depend on which comes first."""


def prepare(record: Mapping[str, Any]) -> Route:
    """A report made ready: `{"waypoints": [...], "conveyance": [...]}`, or a `TraffickingRoute` record as it is.

    A waypoint holds `name`, `country`, `code`, `lat`, `lon` and `date` (or `arrives`, `departs`), all optional; a
    conveyance `type`, `value` and `country`, or these in `identifier`. What cannot be read counts as missing.
    """
    waypoints = [w for w in _listed(record.get("waypoints"))[:MOST_STOPS] if isinstance(w, Mapping)]
    stops = tuple(stop for stop in map(_stop, waypoints) if stop)
    vehicles = frozenset(_vehicles(record)) - {""}
    key = ">".join(map(_key, stops))
    return Route(stops, vehicles, f"{key};{sorted(vehicles)}")


def _key(stop: Stop) -> str:
    """All that tells this stop from another: points of a table follow from the code and the name."""
    x, y, z = stop.points[0] if stop.surveyed else ("", "", "")
    day, spread = stop.day or ("", "")
    return f"{stop.written}|{stop.country}|{stop.code}|{day}|{spread}|{x}|{y}|{z}"


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] if isinstance(value, Mapping) else []


def _stop(waypoint: Mapping[str, Any]) -> Stop | None:
    """A waypoint normalised; None where it names no place at all."""
    written = _text(waypoint.get("name"))
    country = _text(waypoint.get("country")).lower()[:2]
    code = "".join(_text(waypoint.get("code")).upper().split())[:8]
    names = place_names(written)
    own = _coordinates(waypoint.get("lat"), waypoint.get("lon"))
    points = own or coded(code) or next(filter(None, (named(name.letters, country) for name in names)), ())
    if not points and not names and not code:
        return None
    return Stop(written, country, code, names, points, bool(own), _day(waypoint))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _coordinates(lat: object, lon: object) -> tuple[Point, ...]:
    """The point, if both are numbers on the globe; 0, 0 is where broken software puts what it does not know."""
    if not isinstance(lat, int | float) or not isinstance(lon, int | float) or (lat == 0 and lon == 0):
        return ()
    on_globe = math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180  # noqa: PLR2004
    return (point(float(lat), float(lon)),) if on_globe else ()


def _day(waypoint: Mapping[str, Any]) -> Day | None:
    """The day of a waypoint; between arrival and departure where both are given."""
    single = _read_day(_text(waypoint.get("date")))
    if single:
        return single
    both = [d for d in (_read_day(_text(waypoint.get(field))) for field in ("arrives", "departs")) if d]
    if not both:
        return None
    middle = sum(d.number for d in both) / len(both)
    return Day(middle, max(both[0].spread, both[-1].spread, abs(both[-1].number - both[0].number) / 2))


def _read_day(text: str) -> Day | None:
    """A date to the day, the month or the year; None for what is no date."""
    text = text.split("T", 1)[0]
    filled, spread = {
        _DAY: (text, 0.0), _MONTH: (f"{text}-15", 9.0), _YEAR: (f"{text}-07-01", 105.0),
    }.get(len(text), ("", 0.0))  # fmt: skip
    try:
        return Day(float(date.fromisoformat(filled).toordinal()), spread)
    except ValueError:
        return None


def _vehicles(record: Mapping[str, Any]) -> Iterable[str]:
    """Tokens of every strong identifier of a means of transport."""
    carried = [*_listed(record.get("conveyance")), *_listed(record.get("conveyances"))]
    for item in carried[:_MOST_VEHICLES]:
        if isinstance(item, Mapping):
            number = item.get("identifier") if isinstance(item.get("identifier"), Mapping) else item
            yield _vehicle(number)
    for goods in _listed(record.get("consignments"))[:_MOST_VEHICLES]:
        if isinstance(goods, Mapping):
            yield token(judge("container", _text(goods.get("container"))))


def _vehicle(number: Any) -> str:
    """The token of a vehicle's number, "" for numbers of persons and accounts, which a report may list among them."""
    kind = (_text(number.get("type")) or _text(number.get("kind"))).lower()
    return token(judge(kind, _text(number.get("value")), _text(number.get("country")))) if kind in VEHICLES else ""
