"""A verified entry as rows of the national tables (`migrations/`). Pure.

The tables are a copy for queries: what PostgreSQL cannot hold is bent there (U+0000 becomes U+FFFD, times beyond the
year 9999 are held at its end), while the signed bytes beside them stay as they came.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from consumers.entry import Entry
from schemas.currencies import EXPONENTS

Row = tuple[Any, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1, 1, 2, tzinfo=UTC)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)

ALERT_COLUMNS: Final = (
    "agency, alert_id, version, kind, category, message, status, precedence, action, member, unit, national_ref, "
    "sent_at, effective_at, expires_at, review_at, crimes, tlp, handling, handling_note, record, digest, "
    "value, sig, at, hub_time_only, received_at, purged_at"
)
CHILD_COLUMNS: Final[Mapping[str, str]] = {
    "names": "source, role, name, script, lang, kind",
    "identifiers": "source, owner, type, value, country",
    "waypoints": "name, country, code, code_type, lat, lon, arrives, departs, role",
    "transfers": (
        "ref, at, amount_minor, currency, amount, from_account, from_institution, from_country, from_holder, "
        "to_account, to_institution, to_country, to_holder, channel"
    ),
}
"""The columns after the key (agency, alert_id, version, ordinal) of each table below `alerts`."""


def moment(microseconds: int) -> datetime:
    """A time of the contract as PostgreSQL and Python can hold it."""
    try:
        return min(max(_EPOCH + timedelta(microseconds=microseconds), _FIRST), _LAST)
    except OverflowError:
        return _FIRST if microseconds < 0 else _LAST


def storable(value: Any) -> Any:
    """The same value, without the one character that PostgreSQL's text cannot hold, at any depth."""
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case Mapping():
            return {storable(key): storable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [storable(inner) for inner in value]
    return value


def readied(entry: Entry) -> tuple[dict[str, Any], str]:
    """An alert's record as PostgreSQL can hold it, and the same as JSON; of one without content, nothing."""
    if entry.bare:
        return {}, "{}"
    record = entry.record()
    text = json.dumps(record, ensure_ascii=False)
    if "\\u0000" not in text:  # nearly always: looking through the text is cheaper than through the record
        return record, text
    bent: dict[str, Any] = storable(record)
    return bent, json.dumps(bent, ensure_ascii=False)


def alert_row(entry: Entry, record: Mapping[str, Any], text: str) -> Row:
    """The row of `alerts`, in the order of `ALERT_COLUMNS`; `text` is the record as JSON."""
    if not record:
        return _bare_row(entry)
    header = record["header"]
    handling = header["handling"]
    return (
        *(entry.agency, storable(entry.alert_id), entry.version, entry.kind),
        *(header[name] for name in ("category", "message", "status", "precedence", "action")),
        *(header[name] for name in ("member", "unit", "national_ref")),
        *(moment(header[name]) for name in ("sent_at", "effective_at", "expires_at")),
        moment(header["review_at"]) if header["review_at"] else None,
        *(header["crimes"], handling["tlp"], handling["codes"], handling["note"]),
        text,
        *(entry.digest, entry.value, entry.sig, moment(entry.at), entry.hub_time_only, moment(entry.received_at), None),
    )


def _bare_row(entry: Entry) -> Row:
    """The row of a version whose content is gone: that it was there, and no more."""
    at = moment(entry.at)
    return (
        *(entry.agency, storable(entry.alert_id), entry.version, entry.kind),
        *("", entry.message, entry.status, entry.precedence, "", entry.agency[:2].upper(), "", ""),
        *(at, at, moment(entry.expires_at), None, [], "", [], "", "{}", entry.digest, b"", b""),
        *(at, entry.hub_time_only, moment(entry.received_at), moment(entry.received_at)),
    )


def withdrawal_row(entry: Entry) -> Row:
    """The row of `withdrawals`."""
    return (*(entry.agency, storable(entry.alert_id), entry.version, entry.digest, entry.message, moment(entry.at)),)


def notice_row(entry: Entry) -> Row:
    """The row of `notices`."""
    return (
        *(entry.agency, storable(entry.alert_id), entry.version, entry.kind, entry.message),
        *(moment(entry.at), entry.value, entry.sig),
    )


def child_rows(table: str, record: Mapping[str, Any]) -> Sequence[Row]:
    """The rows of a table below `alerts`, without the key: names, identifiers, waypoints or transfers of this
    record."""
    return list(_CHILDREN[table](record))


def _names(record: Mapping[str, Any]) -> Iterator[Row]:
    for name in record.get("names", ()):
        yield "names", "", name["full"], name["script"], name["lang"], name["kind"]
    for source in ("persons", "subjects"):
        for person in record.get(source, ()):
            yield source, person["role"], person["name"], "", "", "UNKNOWN"


def _identifiers(record: Mapping[str, Any]) -> Iterator[Row]:
    for number in record.get("identifiers", ()):
        yield "identifiers", "", number["type"], number["value"], number["country"]
    for conveyance in record.get("conveyances", ()):
        number = conveyance["identifier"]
        if number["value"]:
            yield "conveyances", conveyance["name"], number["type"], number["value"], number["country"]
    for source in ("persons", "subjects"):
        for person in record.get(source, ()):
            for number in person["identifiers"]:
                yield source, person["name"], number["type"], number["value"], number["country"]


def _waypoints(record: Mapping[str, Any]) -> Iterator[Row]:
    names = ("name", "country", "code", "code_type", "lat", "lon", "arrives", "departs", "role")
    for waypoint in record.get("waypoints", ()):
        yield tuple(waypoint[name] for name in names)


def _transfers(record: Mapping[str, Any]) -> Iterator[Row]:
    party = ("account", "institution", "country", "holder")
    for transfer in record.get("transfers", ()):
        yield (
            *(transfer["ref"], moment(transfer["at"]), transfer["amount"], transfer["currency"]),
            major(transfer["amount"], transfer["currency"]),
            *(transfer["from"][name] for name in party),
            *(transfer["to"][name] for name in party),
            transfer["channel"],
        )


def major(amount: int, currency: str) -> Decimal | None:
    """An amount in minor units as major units of its currency, exactly; None for a currency we do not know."""
    exponent = EXPONENTS.get(currency)
    return None if exponent is None else Decimal(amount).scaleb(-exponent)


_CHILDREN = {"names": _names, "identifiers": _identifiers, "waypoints": _waypoints, "transfers": _transfers}
