"""What an alert says in one line, for people. Pure; every word of a stranger goes through `text.safe`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from consumers.entry import Entry
from consumers.sinks.rows import major
from consumers.text import safe
from consumers.view import iso

NAME_CELLS: Final = 60
FIELD_CELLS: Final = 100

Record = Mapping[str, Any]

_GONE: Final = "content purged: its author withdrew it, or it ended long ago"
_ORDER: Final = "it is purged here; purge whatever was made of it"


def title(entry: Entry) -> str:
    """Who or what the alert is about."""
    if entry.bare:
        return _GONE if entry.message != "WITHDRAW" else f"WITHDRAWN by its author: {_ORDER}"
    if not entry.intact:
        return "DAMAGED in this inbox: its bytes are no longer those that were taken in"
    record = entry.record()
    if entry.type == "NOTICE":
        return f"no longer addressed to us since version {entry.version}"
    if "reason" in record:
        return f"{entry.message}: {record['reason']}"
    return _TITLES[entry.kind](record)


def details(entry: Entry) -> list[str]:
    """What the desk needs to decide, most important first; each is a short text of its own."""
    if entry.bare or not entry.intact:
        return []
    record = entry.record()
    if entry.type == "NOTICE" or "reason" in record:
        return [safe(record.get("note", ""), FIELD_CELLS)] if record.get("note") else []
    header = record["header"]
    handling = header["handling"]
    found = [
        f"do: {header['action']}",
        *_DETAILS[entry.kind](record),
        f"TLP:{handling['tlp']}" + "".join(f" {code}" for code in handling["codes"]),
        f"expires {iso(header['expires_at'])[:16]}Z",
        *(safe(text["text"], FIELD_CELLS) for text in header["narrative"][:1]),
    ]
    return [text for text in found if text]


def money(amount: int, currency: str) -> str:
    """An amount for people: in major units where the currency is known."""
    value = major(amount, currency)
    if isinstance(value, Decimal):
        return f"{value:,f} {safe(currency, 8)}"
    return f"{amount} minor units of {safe(currency, 8)}"


def _person(record: Record) -> str:
    names = " / ".join(safe(name["full"], NAME_CELLS) for name in record["names"][:3])
    births = [_joined("b.", birth["date"], birth["place"], birth["country"]) for birth in record["births"][:1]]
    return ", ".join([names or "nobody named", *(birth for birth in births if birth != "b.")])


def _route(record: Record) -> str:
    stops = record["waypoints"]
    shown = stops if len(stops) <= 4 else [*stops[:2], *stops[-2:]]  # noqa: PLR2004 - what fits into a line
    way = " → ".join(safe(stop["name"], NAME_CELLS) for stop in shown)
    return f"{safe(record['commodity'], NAME_CELLS)}: {way}"


def _transfer(record: Record) -> str:
    totals = " + ".join(money(total["amount"], total["currency"]) for total in record["totals"])
    count = len(record["transfers"])
    return f"{record['report_type']}: {count} transfer{'s' * (count != 1)}, {totals or 'no total'}"


def _person_details(record: Record) -> list[str]:
    numbers = [_joined(n["type"], n["value"], n["country"]) for n in record["identifiers"][:3]]
    warnings = [f"WARNING: {', '.join(record['warnings'])}"] if record["warnings"] else []
    others = ["beware: there are people who are not this one"] if record["not_this_person"] else []
    return [*warnings, *numbers, *others]


def _route_details(record: Record) -> list[str]:
    numbers = [_joined(c["type"], c["name"], c["identifier"]["value"]) for c in record["conveyances"][:3]]
    hidden = [f"hidden: {safe(record['concealment'], FIELD_CELLS)}"] if record["concealment"] else []
    return [*numbers, *hidden, _period(record["period"])]


def _transfer_details(record: Record) -> list[str]:
    shown = [
        f"{safe(one['from']['account'], 40)} → {safe(one['to']['account'], 40)} {money(one['amount'], one['currency'])}"
        for one in record["transfers"][:3]
    ]
    indicators = ", ".join(safe(word, 40) for word in record["indicators"][:5])
    return [*shown, indicators]


def _period(period: Record) -> str:
    return f"{safe(period['start'], 12)} to {safe(period['end'], 12)}" if period["start"] or period["end"] else ""


def _joined(*parts: str) -> str:
    return " ".join(safe(part, NAME_CELLS) for part in parts if part)


_TITLES: Final = {"person": _person, "route": _route, "transfer": _transfer}
_DETAILS: Final = {"person": _person_details, "route": _route_details, "transfer": _transfer_details}
