"""What of an alert's record can be searched for, whatever its kind. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

Record = Mapping[str, Any]

MOST: Final = 400
"""Numbers, persons and things of one alert that are looked at, each; a record of 64 KiB holds few more."""


class Number(NamedTuple):
    """An identifier as its author wrote it; `owner` says whose it is in the record."""

    type: str
    value: str
    country: str
    owner: str


class Person(NamedTuple):
    """A person as the matcher reads one ({name, aliases, dob, countries}), and the part it plays in the alert."""

    record: Record
    role: str


class Thing(NamedTuple):
    """The name of what is no person: `what` is vessel, vehicle, institution, holder, place or code."""

    what: str
    name: str


@dataclass(frozen=True)
class Content:
    """All that can be searched for in one alert; `others` are persons whom the author says it is not about."""

    numbers: Sequence[Number] = ()
    persons: Sequence[Person] = ()
    things: Sequence[Thing] = ()
    others: Sequence[Person] = ()


def content(kind: str, record: Record) -> Content:
    """The searchable content of a living alert's record of a kind of ALERT_KINDS; empty for every other record."""
    read = _READERS.get(kind)
    if read is None or "header" not in record or "reason" in record:
        return Content()
    found = read(record)
    return Content(found.numbers[:MOST], found.persons[:MOST], found.things[:MOST], found.others[:MOST])


def _person(record: Record) -> Content:
    names = [name["full"] for name in record["names"] if name["full"].strip()]
    numbers = [Number(n["type"], n["value"], n["country"], "the person") for n in record["identifiers"]]
    others = [
        Person(plain(other["name"], dob=[other["birth_date"]], countries=[other["country"]]), "not this person")
        for other in record["not_this_person"]
    ]
    if not names:
        return Content(numbers=numbers, others=others)
    births = record["births"]
    dob = [birth["date"] for birth in births]
    countries = [*record["nationalities"], *(birth["country"] for birth in births)]
    wanted = plain(names[0], aliases=names[1:], dob=dob, countries=countries)
    return Content(numbers, [Person(wanted, "the person")], (), others)


def _route(record: Record) -> Content:
    numbers, things = [], []
    for one in record["conveyances"]:
        number = one["identifier"]
        numbers.append(Number(number["type"], number["value"], number["country"], one["type"].lower()))
        things.append(Thing("vessel" if one["type"] == "VESSEL" else "vehicle", one["name"]))
    numbers += [Number("CONTAINER", one["container"], "", "consignment") for one in record["consignments"]]
    for stop in record["waypoints"]:
        things += [Thing("place", stop["name"]), Thing("code", stop["code"])]
    people = [Person(plain(one["name"]), one["role"] or "named in the route") for one in record["persons"]]
    numbers += _numbers_of(record["persons"])
    return Content(numbers, people, things)


def _transfer(record: Record) -> Content:
    numbers, things, people = _numbers_of(record["subjects"]), [], []
    for subject in record["subjects"]:
        found = plain(subject["name"], dob=[subject["birth_date"]], countries=[subject["country"]])
        people.append(Person(found, subject["role"] or "subject"))
    seen: set[tuple[str, str]] = set()
    for side in (one[end] for one in record["transfers"] for end in ("from", "to")):
        if (side["account"], side["holder"]) in seen:
            continue
        seen.add((side["account"], side["holder"]))
        numbers.append(Number("ACCOUNT", side["account"], side["country"], f"account of {side['holder'] or 'nobody'}"))
        people.append(Person(plain(side["holder"], countries=[side["country"]]), "account holder"))
        things += [Thing("holder", side["holder"]), Thing("institution", side["institution"])]
    return Content(numbers, people, things)


def _numbers_of(people: Sequence[Record]) -> list[Number]:
    return [Number(n["type"], n["value"], n["country"], one["name"]) for one in people for n in one["identifiers"]]


def plain(name: str, *, aliases: Sequence[str] = (), dob: Sequence[str] = (), countries: Sequence[str] = ()) -> Record:
    """A person as the matcher reads one."""
    known = list(dict.fromkeys(country.lower() for country in countries if country))
    return {"name": name, "aliases": list(aliases), "dob": [date for date in dob if date], "countries": known}


def named(found: Content) -> Iterator[str]:
    """Every name of a person in it, aliases too."""
    for person in found.persons:
        yield from (person.record["name"], *person.record["aliases"])


_READERS: Final = {"person": _person, "route": _route, "transfer": _transfer}
