"""Valid sealed alerts of each kind for tests, and the pen (`Author`) that writes them one after another.

A test takes a valid alert and breaks one thing. All persons, routes and transfers here are invented.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas import message, registry
from schemas.signature import SigningKey
from tests.support.directories import DAY, NOW, SECOND, key_of

SALT = "5a" * 32


def alert_id(number: int, now: int = NOW) -> str:
    """A UUIDv7 of the time `now` that differs for each number and is the same in every run."""
    random = int.from_bytes(hashlib.sha256(b"alert %d" % number).digest()[:10])
    bits = (now // 1000) << 80 | random
    bits = bits & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=bits & ~(0x3 << 62) | 0x2 << 62))


def header(agency: str, category: str, action: str, *, now: int = NOW, **changes: Any) -> dict[str, Any]:
    """An AlertHeader that breaks no rule; `changes` replaces fields."""
    return {
        "alert_id": alert_id(0, now),
        "category": category,
        "version": 1,
        "message": "ALERT",
        "status": "EXERCISE",
        "member": agency[:2].upper(),
        "agency": agency,
        "unit": "",
        "national_ref": "",
        "sent_at": now,
        "effective_at": now,
        "expires_at": now + 30 * DAY,
        "review_at": 0,
        "precedence": "PRIORITY",
        "action": action,
        "crimes": ["OTHER_TRANSNATIONAL"],
        "legal_basis": {
            "instrument": "Criminal Procedure Code",
            "article": "Art. 155",
            "decision_ref": "2026/118",
            "authority": "District Court",
            "decided_on": "2026-10-01",
            "valid_until": "",
            "max_penalty_months": 60,
        },
        "handling": {"codes": [], "note": "", "tlp": "AMBER", "onward": "NONE"},
        "evaluation": {"scheme": "FOUR_BY_FOUR", "source": "A", "information": "1"},
        "references": [],
        "other_channels": [],
        "hub_digest": "",
        "annex_digests": [],
        "tokens": [],
        "narrative": [{"lang": "en", "text": "Invented for a test."}],
        **changes,
    }


def person(agency: str = "az-police", **changes: Any) -> dict[str, Any]:
    """A WantedPerson of an agency; `changes` are fields of its header, but `record` replaces fields of the record."""
    record = changes.pop("record", {})
    return {
        "header": header(agency, "WNT", "LOCATE", **changes),
        "names": [
            {
                "full": "Tural Invented",
                "parts": [{"kind": "GIVEN", "value": "Tural"}, {"kind": "FAMILY", "value": "Invented"}],
                "script": "Latn",
                "lang": "az",
                "kind": "BIRTH",
            }
        ],
        "births": [{"date": "1984-05", "place": "Baku", "country": "AZ"}],
        "sex": "MALE",
        "nationalities": ["AZ"],
        "identifiers": [{"type": "PASSPORT", "value": "P00000001", "country": "AZ"}],
        "occupations": [],
        "description": "",
        "warnings": [],
        "last_seen": [],
        "images": [],
        "not_this_person": [],
        **record,
    }


def route(agency: str = "tr-customs", **changes: Any) -> dict[str, Any]:
    """A TraffickingRoute of an agency; arguments as of `person`."""
    record = changes.pop("record", {})
    return {
        "header": header(agency, "TRF", "CONTROL_CONSIGNMENT", **{"crimes": ["DRUGS"], **changes}),
        "commodity": "captagon tablets",
        "modes": ["SEA", "ROAD"],
        "waypoints": [
            _waypoint("Mersin", "TR", "TRMER", "ORIGIN", 36.8, 34.63),
            _waypoint("Port Said", "EG", "EGPSD", "DESTINATION", 31.26, 32.3),
        ],
        "conveyances": [
            {
                "type": "CONTAINER",
                "name": "",
                "identifier": {"type": "CONTAINER", "value": "CSQU3054383", "country": ""},
            }
        ],
        "consignments": [],
        "persons": [],
        "concealment": "double floor",
        "period": {"start": "2026-11", "end": "2026-12"},
        **record,
    }


def transfer(agency: str = "kz-fiu", **changes: Any) -> dict[str, Any]:
    """A SuspiciousTransfer of an agency; arguments as of `person`."""
    record = changes.pop("record", {})
    return {
        "header": header(agency, "STR", "ANALYSE", **{"crimes": ["MONEY_LAUNDERING"], **changes}),
        "report_type": "STR",
        "transfers": [
            {
                "ref": "T-1",
                "at": NOW - DAY,
                "amount": 1_250_000,
                "currency": "EUR",
                "from": {
                    "account": "KZ86125KZT5004100100",
                    "institution": "Invented Bank",
                    "country": "KZ",
                    "holder": "A",
                },
                "to": {
                    "account": "AE070331234567890123456",
                    "institution": "Other Bank",
                    "country": "AE",
                    "holder": "B",
                },
                "channel": "WIRE",
            }
        ],
        "indicators": ["structuring"],
        "subjects": [],
        "totals": [{"amount": 1_250_000, "currency": "EUR"}],
        "period": {"start": "2026-11-01", "end": "2026-11-20"},
        **record,
    }


BUILDERS = {"person": person, "route": route, "transfer": transfer}


def _waypoint(name: str, country: str, code: str, role: str, lat: float, lon: float) -> dict[str, Any]:
    place: dict[str, Any] = {"name": name, "country": country, "code": code, "code_type": "LOCODE"}
    return {**place, "lat": lat, "lon": lon, "arrives": "", "departs": "", "role": role}


def hub_header(
    mode: str = "ALL", members: Sequence[str] = (), sequence: int = 1, previous: str = "", salt: str = SALT
) -> dict[str, Any]:
    """A HubHeader: whom the alert is for, and where it stands in its agency's chain."""
    return {"mode": mode, "members": sorted(members), "sequence": sequence, "previous": previous, "salt": salt}


END_REASONS = {"FULFIL": "FULFILLED", "CANCEL": "NO_LONGER_WANTED", "WITHDRAW": "WITHDRAWN"}


def end(
    agency: str, alert: str, version: int, message_: str = "CANCEL", kind: str = "person", **changes: Any
) -> dict[str, Any]:
    """An AlertEnd; `changes` are fields of its header, but `reason` and `note` replace fields of the record."""
    reason, note = changes.pop("reason", END_REASONS[message_]), changes.pop("note", "")
    heading = BUILDERS[kind](agency, alert_id=alert, version=version, message=message_, **changes)["header"]
    return {"header": heading, "kind": kind, "reason": reason, "note": note}


@dataclass
class Author:
    """One agency that writes into one partition: it counts its sequence and chains its digests."""

    agency: str
    key: SigningKey
    sequence: int = 0
    previous: str = ""
    written: int = 0

    @classmethod
    def of(cls, agency: str) -> Author:
        """The agency with its usual key (tests.support.directories)."""
        return cls(agency, key_of(agency))

    def seal(
        self, record: dict[str, Any], kind: str = "", *, mode: str = "ALL", members: Sequence[str] = ()
    ) -> message.Sealed:
        """The record sealed as the next message of this author. The kind follows from its category unless given."""
        self.sequence += 1
        hub: Any = hub_header(mode, members, self.sequence, self.previous)
        name = kind or {"TRF": "route", "STR": "transfer"}.get(record["header"]["category"], "person")
        sealed = message.seal(registry.by_name(name), record, hub, self.key)
        self.previous = sealed.digest
        return sealed

    def write(
        self, kind: str = "person", *, mode: str = "ALL", members: Sequence[str] = (), **changes: Any
    ) -> message.Sealed:
        """A new valid alert of a kind, each with its own alert id; `changes` as of `person`."""
        self.written += 1
        number = int.from_bytes(hashlib.sha256(self.agency.encode()).digest()[:4]) + self.written
        fields = {"alert_id": alert_id(number, changes.get("now", NOW)), **changes}
        return self.seal(BUILDERS[kind](self.agency, **fields), kind, mode=mode, members=members)

    def follow(self, before: message.Sealed, message_: str, *, version: int = 0, **changes: Any) -> message.Sealed:
        """The next message about an alert: a full snapshot, or an AlertEnd. `mode` and `members` as of `seal`."""
        audience = {name: changes.pop(name) for name in ("mode", "members") if name in changes}
        number = version or before.version + 1
        if message_ in END_REASONS:
            record = end(self.agency, before.alert_id, number, message_, before.kind, **changes)
            return self.seal(record, "end", **audience)
        fields = {"alert_id": before.alert_id, "version": number, "message": message_, **changes}
        return self.seal(BUILDERS[before.kind](self.agency, **fields), before.kind, **audience)


def log_time(number: int = 0, now: int = NOW) -> int:
    """The broker's log time of the number-th record: one second apart, all after `now`."""
    return now + (number + 1) * SECOND
