"""An entry as people's programs read it: one JSON document, the same in pipes, files and answers. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from consumers.entry import Entry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Control characters, marks that turn the direction of text, and separators that end a line for some readers.
_DANGEROUS: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def iso(microseconds: int) -> str:
    """A time of the contract in ISO 8601, UTC, to the microsecond; the bare number where the calendar ends before
    it."""
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return str(microseconds)
    return moment.isoformat().replace("+00:00", "Z")


def document(entry: Entry) -> dict[str, Any]:
    """The entry with its decoded record (null if its bytes are damaged) and its signed bytes (base64). Of an alert
    that was withdrawn, and so `purged`, there is neither.

    Times beside the record are ISO 8601; those inside it are microseconds, as signed.
    """
    return {
        "type": entry.type,
        "number": entry.number,
        "agency": entry.agency,
        "alert_id": entry.alert_id,
        "version": entry.version,
        "kind": entry.kind,
        "message": entry.message,
        "status": entry.status,
        "precedence": entry.precedence,
        "expires_at": iso(entry.expires_at) if entry.expires_at else "",
        "at": iso(entry.at),
        "hub_time_only": entry.hub_time_only,
        "received_at": iso(entry.received_at),
        "digest": entry.digest,
        "kid": entry.kid,
        "purged": entry.bare,
        "record": readable(entry.record()) if not entry.bare and entry.intact else None,
        "value": "" if entry.bare else base64.b64encode(entry.value).decode(),
        "sig": "" if entry.bare else base64.b64encode(entry.sig).decode(),
    }


def tombstone(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of a withdrawn alert: the facts stay, the content is gone."""
    return {**document, "purged": True, "record": None, "value": "", "sig": ""}


def readable(value: Any) -> Any:
    """A record as JSON can hold it: bytes become base64."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return {key: readable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [readable(inner) for inner in value]
    return value


def line(value: Mapping[str, Any]) -> str:
    """One line of NDJSON: text stays readable, but nothing in it can move a cursor or turn the direction of text."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _DANGEROUS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
