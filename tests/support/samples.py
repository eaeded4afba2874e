"""Valid records, keys and a directory to start from: tests change one thing and look what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas import directory as directories
from schemas.directory import Agency, Directory, Member, Pins
from schemas.models import DirectoryRecord, HubHeader, KeyEntry
from schemas.signature import SigningKey

DAY = 24 * 3600 * 1_000_000
NOW = 1_790_000_000_000_000
"""2026-09-21T13:33:20Z, when the samples were sent."""

ALERT_ID = "01a03b6e-1800-7abc-8def-0123456789ab"
AGENCY = "az-customs"
OTHER_AGENCY = "kz-border"
MEMBERS = ("AE", "AZ", "EG", "KZ", "MA", "TR")


def key(name: str) -> SigningKey:
    """The same key for the same name, every time. For tests alone: the seed is the name."""
    return SigningKey.from_seed(name.encode().ljust(32, b".")[:32])


def header(**changes: Any) -> dict[str, Any]:
    """The header of a valid alert, a wanted person's, with changes."""
    valid: dict[str, Any] = {
        "alert_id": ALERT_ID,
        "category": "WNT",
        "version": 1,
        "message": "ALERT",
        "status": "EXERCISE",
        "member": "AZ",
        "agency": AGENCY,
        "unit": "",
        "national_ref": "AZ-2026/118",
        "sent_at": NOW,
        "effective_at": NOW,
        "expires_at": NOW + 90 * DAY,
        "review_at": NOW + 60 * DAY,
        "precedence": "PRIORITY",
        "action": "LOCATE_AND_DETAIN",
        "crimes": ["TERRORISM", "WEAPONS"],
        "legal_basis": {
            "instrument": "Criminal Code",
            "article": "214",
            "decision_ref": "BK-118/2026",
            "authority": "District Court of Baku",
            "decided_on": "2026-05-14",
            "valid_until": "",
            "max_penalty_months": 144,
        },
        "handling": {"codes": ["H1"], "note": "", "tlp": "AMBER", "onward": "NONE"},
        "evaluation": {"scheme": "FOUR_BY_FOUR", "source": "A", "information": "1"},
        "references": [],
        "other_channels": [],
        "hub_digest": "",
        "annex_digests": [],
        "tokens": [],
        "narrative": [{"lang": "en", "text": "Invented for a test."}],
    }
    return {**valid, **changes}


def person(**changes: Any) -> dict[str, Any]:
    """A valid WantedPerson with changes to its own fields or, as `header`, to the header."""
    valid: dict[str, Any] = {
        "header": header(),
        "names": [
            {"full": "Рашид Мамедов", "parts": [], "script": "Cyrl", "lang": "ru", "kind": "BIRTH"},
            {
                "full": "Rashid Mammadov",
                "parts": [{"kind": "GIVEN", "value": "Rashid"}, {"kind": "FAMILY", "value": "Mammadov"}],
                "script": "Latn",
                "lang": "",
                "kind": "ALIAS",
            },
        ],
        "births": [{"date": "1987-03", "place": "Ganja", "country": "AZ"}],
        "sex": "MALE",
        "nationalities": ["AZ"],
        "identifiers": [{"type": "PASSPORT", "value": "C01234567", "country": "AZ"}],
        "occupations": ["driver"],
        "description": "",
        "warnings": ["ARMED"],
        "last_seen": [{"date": "2026-08", "place": "Aktau", "country": "KZ", "note": ""}],
        "images": [],
        "not_this_person": [],
    }
    return {**valid, **changes}


def route(**changes: Any) -> dict[str, Any]:
    """A valid TraffickingRoute with changes."""
    valid: dict[str, Any] = {
        "header": header(
            category="TRF", action="CONTROL_CONSIGNMENT", crimes=["DRUGS"], expires_at=NOW + 60 * DAY, review_at=0
        ),
        "commodity": "precursor chemicals",
        "modes": ["SEA", "ROAD"],
        "waypoints": [
            waypoint("Aktau", "KZ", "KZSCO", lat=43.6, lon=51.22, role="ORIGIN"),
            waypoint("Baku", "AZ", "AZBAK", lat=40.37, lon=49.86, role="DESTINATION"),
        ],
        "conveyances": [
            {
                "type": "VESSEL",
                "name": "Invented Star",
                "identifier": {"type": "IMO", "value": "9074729", "country": ""},
            }
        ],
        "consignments": [
            {"description": "paint", "hs_code": "3208", "quantity": "12.5", "unit": "TNE", "container": "MSCU6639870"}
        ],
        "persons": [{"name": "Invented Driver", "role": "driver", "identifiers": []}],
        "concealment": "between drums",
        "period": {"start": "2026-08", "end": ""},
    }
    return {**valid, **changes}


def waypoint(name: str, country: str, code: str, **changes: Any) -> dict[str, Any]:
    """A place with a LOCODE, no position and no dates unless given."""
    valid: dict[str, Any] = {
        "name": name,
        "country": country,
        "code": code,
        "code_type": "LOCODE",
        "lat": None,
        "lon": None,
        "arrives": "",
        "departs": "",
        "role": "TRANSIT",
    }
    return {**valid, **changes}


def transfer(**changes: Any) -> dict[str, Any]:
    """A valid SuspiciousTransfer with changes."""
    valid: dict[str, Any] = {
        "header": header(category="STR", action="ANALYSE", crimes=["MONEY_LAUNDERING"]),
        "report_type": "STR",
        "transfers": [payment()],
        "indicators": ["structuring"],
        "subjects": [
            {
                "name": "Invented Holder",
                "birth_date": "1970",
                "country": "AZ",
                "role": "account holder",
                "identifiers": [],
            }
        ],
        "totals": [{"amount": 950_000, "currency": "AZN"}],
        "period": {"start": "2026-08-01", "end": "2026-08-31"},
    }
    return {**valid, **changes}


def payment(**changes: Any) -> dict[str, Any]:
    """One movement of 9,500.00 manat with changes."""
    valid: dict[str, Any] = {
        "ref": "T-1",
        "at": NOW - 30 * DAY,
        "amount": 950_000,
        "currency": "AZN",
        "from": {"account": "AZ21NABZ00000000137010001944", "institution": "NABZ", "country": "AZ", "holder": ""},
        "to": {"account": "123-456", "institution": "", "country": "KZ", "holder": "Invented Ltd"},
        "channel": "TRANSFER",
    }
    return {**valid, **changes}


def end(**changes: Any) -> dict[str, Any]:
    """A valid AlertEnd of the sample person, version 2, with changes."""
    valid: dict[str, Any] = {
        "header": header(version=2, message="CANCEL"),
        "kind": "person",
        "reason": "NO_LONGER_WANTED",
        "note": "",
    }
    return {**valid, **changes}


def alert(kind: str, **changes: Any) -> dict[str, Any]:
    """The sample of this kind."""
    return {"person": person, "route": route, "transfer": transfer}[kind](**changes)


def audience(**changes: Any) -> HubHeader:
    """To all members, first message of its partition, with changes."""
    valid: HubHeader = {"mode": "ALL", "members": [], "sequence": 1, "previous": "", "salt": "5a" * 32}
    valid.update(changes)  # type: ignore[typeddict-item]
    return valid


def member(code: str, **changes: Any) -> Member:
    """A member in good standing, cleared for everything, reading everything, with changes."""
    root = key(f"root {code}").public
    valid: dict[str, Any] = {
        "code": code,
        "name": f"Member {code}",
        "standing": "GOOD",
        "root": root.hex(),
        "root_fingerprint": directories.fingerprint(root),
        "tlp": "RED",
        "handling": frozenset({"H0", "H1", "H2", "H3"}),
        "subscriptions": frozenset({"person", "route", "transfer"}),
    }
    return Member(**(valid | changes))


def agencies() -> dict[str, Agency]:
    """Two agencies that publish every kind."""
    kinds = frozenset({"person", "route", "transfer"})
    return {
        AGENCY: Agency(AGENCY, "AZ", "State Customs Committee", kinds),
        OTHER_AGENCY: Agency(OTHER_AGENCY, "KZ", "Border Service", kinds),
    }


def entry(holder: str, code: str, **changes: Any) -> KeyEntry:
    """The key entry of a holder's sample key, valid for a hundred days around NOW, with changes."""
    valid = directories.key_entry(holder, code, key(holder).public, NOW - 50 * DAY, NOW + 50 * DAY)
    valid.update(changes)  # type: ignore[typeddict-item]
    return valid


def record(members: Mapping[str, Member] | None = None) -> DirectoryRecord:
    """A directory of six members, two agencies, their edges and the hub, all certified."""
    holders = {AGENCY: "AZ", OTHER_AGENCY: "KZ"} | {f"edge.{code.lower()}": code for code in MEMBERS}
    certified = [directories.certify(entry(holder, code), key(f"root {code}")) for holder, code in holders.items()]
    hub = [f"hub.{stage}" for stage in directories.HUB_STAGES]
    certified += [directories.certify(entry(holder, ""), key("root operator")) for holder in hub]
    known = members or {code: member(code) for code in MEMBERS}
    return directories.write(7, NOW, key("root operator").public, known, agencies(), certified)


def pins() -> Pins:
    """The fingerprints of all sample roots."""
    roots = {code: key(f"root {code}").public for code in MEMBERS} | {"operator": key("root operator").public}
    return {name: directories.fingerprint(public) for name, public in roots.items()}


def directory(members: Mapping[str, Member] | None = None) -> Directory:
    """The sample directory as a reader holds it. AssertionError if any of it is refused."""
    read, refused = directories.read(record(members), pins())
    assert refused == ()
    return read
