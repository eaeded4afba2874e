"""What each kind of alert must say to be of use: minimum identity, sane dates and places, money with its owners."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from schemas.categories import COERCIVE
from schemas.fields import first_day, last_day

Broken: TypeAlias = tuple[str, str, object]
"""Path, rule id, value."""

_EARLIEST_BIRTH: Final = 1900
_ONE_DAY: Final = dt.timedelta(days=1)
_YEAR_1970_TO_2200: Final = range(7_258_118_400_000_000)
_PLACE_CODES: Final[Mapping[str, re.Pattern[str]]] = {
    "LOCODE": re.compile(r"[A-Z]{2}[A-Z0-9]{3}"),
    "IATA": re.compile(r"[A-Z]{3}"),
    "NONE": re.compile(""),
}


def substance(kind: str, record: Mapping[str, Any], today: dt.date) -> Iterator[Broken]:
    """The rules about the record behind the header; `today` is the judge's day, UTC. The kind is one of ALERT_KINDS."""
    return _BY_KIND[kind](record, today)


def _person(record: Mapping[str, Any], today: dt.date) -> Iterator[Broken]:
    if not any(name["full"].strip() for name in record["names"]):
        yield "names", "RULE_IDENTITY_MISSING", []
    born = any(birth["date"] for birth in record["births"])
    numbered = any(identifier["value"].strip() for identifier in record["identifiers"])
    placed = record["births"] or record["nationalities"] or record["images"] or record["description"].strip()
    if not (born or numbered or placed):
        yield "births", "RULE_IDENTITY_MISSING", []
    if record["header"]["action"] in COERCIVE and not (born or numbered):
        yield "births", "RULE_IDENTITY_COERCIVE", []
    for index, birth in enumerate(record["births"]):
        yield from _birth(f"births[{index}].date", birth["date"], today)
    for index, other in enumerate(record["not_this_person"]):
        yield from _birth(f"not_this_person[{index}].birth_date", other["birth_date"], today)
    for index, sighting in enumerate(record["last_seen"]):
        if _is_future(sighting["date"], today):
            yield f"last_seen[{index}].date", "RULE_DATE_IN_FUTURE", sighting["date"]
    for index, image in enumerate(record["images"]):
        if image["size"] < 1 or not image["media_type"].strip():
            yield f"images[{index}].size", "RULE_ATTACHMENT", image["size"]
    yield from _filled("identifiers", record["identifiers"])


def _route(record: Mapping[str, Any], _: dt.date) -> Iterator[Broken]:
    waypoints = record["waypoints"]
    if len(waypoints) < 2:  # noqa: PLR2004 - from somewhere to somewhere
        yield "waypoints", "RULE_IDENTITY_MISSING", len(waypoints)
    for index, waypoint in enumerate(waypoints):
        yield from _waypoint(f"waypoints[{index}]", waypoint)
    for index, person in enumerate(record["persons"]):
        yield from _filled(f"persons[{index}].identifiers", person["identifiers"])
    yield from _period(record["period"])


def _transfer(record: Mapping[str, Any], today: dt.date) -> Iterator[Broken]:
    if not record["transfers"]:
        yield "transfers", "RULE_IDENTITY_MISSING", 0
    latest = dt.datetime(today.year, today.month, today.day, tzinfo=dt.UTC).timestamp() + 2 * 86_400
    for index, transfer in enumerate(record["transfers"]):
        sides = (transfer["from"], transfer["to"])
        if not any(side["account"].strip() or side["holder"].strip() for side in sides):
            yield f"transfers[{index}].from", "RULE_IDENTITY_MISSING", ""
        if transfer["at"] not in _YEAR_1970_TO_2200:
            yield f"transfers[{index}].at", "RULE_TIME", transfer["at"]
        elif transfer["at"] >= latest * 1_000_000:
            yield f"transfers[{index}].at", "RULE_DATE_IN_FUTURE", transfer["at"]
    for index, subject in enumerate(record["subjects"]):
        yield from _birth(f"subjects[{index}].birth_date", subject["birth_date"], today)
        yield from _filled(f"subjects[{index}].identifiers", subject["identifiers"])
    yield from _period(record["period"])


def _waypoint(path: str, waypoint: Mapping[str, Any]) -> Iterator[Broken]:
    code, lat, lon = waypoint["code"], waypoint["lat"], waypoint["lon"]
    if not (waypoint["name"].strip() or code):
        yield f"{path}.name", "RULE_IDENTITY_MISSING", ""
    form = _PLACE_CODES.get(waypoint["code_type"])
    if form is not None and not form.fullmatch(code):
        yield f"{path}.code", "RULE_PLACE_CODE", code
    if (lat is None) != (lon is None):
        yield f"{path}.lat", "RULE_POSITION", lat
    elif lat is not None and not (-90 <= lat <= 90 and -180 <= lon <= 180):  # noqa: PLR2004 - degrees
        yield f"{path}.lat", "RULE_POSITION", (lat, lon)
    yield from _order(f"{path}.departs", waypoint["arrives"], waypoint["departs"])


def _period(period: Mapping[str, str]) -> Iterator[Broken]:
    return _order("period.end", period["start"], period["end"])


def _order(path: str, start: str, end: str) -> Iterator[Broken]:
    first, last = first_day(start), last_day(end)
    if first is not None and last is not None and last < first:
        yield path, "RULE_PERIOD", end


def _birth(path: str, date: str, today: dt.date) -> Iterator[Broken]:
    day = first_day(date)
    if day is not None and (day.year < _EARLIEST_BIRTH or _is_future(date, today)):
        yield path, "RULE_BIRTH_DATE", date


def _is_future(date: str, today: dt.date) -> bool:
    """Whether all of a partial date lies after tomorrow's date line: it may be tomorrow already in the east."""
    day = first_day(date)
    return day is not None and day > today + _ONE_DAY


def _filled(path: str, identifiers: list[Mapping[str, str]]) -> Iterator[Broken]:
    for index, identifier in enumerate(identifiers):
        if not identifier["value"].strip():
            yield f"{path}[{index}].value", "RULE_EMPTY", ""


_BY_KIND: Final[Mapping[str, Callable[[Mapping[str, Any], dt.date], Iterator[Broken]]]] = {
    "person": _person,
    "route": _route,
    "transfer": _transfer,
}
