"""An agency whose software misbehaves: one message for each way to be refused, and what the hub must say to each.

It bypasses the outbox and writes to its own inlet with its own rights, as a broken or hostile client would.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas import codec, signature
from schemas.message import Sealed, identity, seal
from schemas.models import HubHeader
from schemas.reasons import Reason
from schemas.registry import by_name
from schemas.signature import SigningKey

AGENCY: Final = "eg-customs"
VICTIM: Final = "az-customs"
"""Another agency, in whose name it tries to speak."""
GOOD_REF: Final = "EG-CUSTOMS-R-0001"
DAY: Final = 86_400_000_000
OVERSIZE: Final = 70_000
"""Bytes of text that make a message too large for the contract, yet not for the broker."""


@dataclass(frozen=True)
class Message:
    """A record for the agency's inlet, and the verdict that must come back: a refusal's reason, or "" for admitted."""

    name: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    reason: str
    again: bool = False


@dataclass(frozen=True)
class Keys:
    """What the agency signs with: its good key, one that has expired, one that nobody certified."""

    good: SigningKey
    expired: SigningKey
    unknown: SigningKey


class Misbehaviour:
    """Makes the messages. `now` in microseconds; alert ids come from `new_id(now)`."""

    def __init__(self, keys: Keys, now: int, new_id: Callable[[int], str]) -> None:
        """Nothing is made yet."""
        self._keys = keys
        self._now = now
        self._new_id = new_id
        self._sequence = 0
        self._previous = ""

    def messages(self) -> Iterator[Message]:
        """All of them, in the order to send: a good one first, its copies last."""
        good = self._seal(self.record(GOOD_REF))
        yield _as_sent("good", good, "")
        yield from self._broken_bytes()
        yield from self._wrong_signers()
        yield from self._wrong_schemas()
        yield from self._wrong_content(good)
        yield replace(_as_sent("sent again, byte for byte", good, ""), again=True)

    def record(self, ref: str, **header: Any) -> dict[str, Any]:
        """A route that breaks no rule but those that `header` breaks."""
        return {
            "header": {**_header(ref, self._now, self._new_id(self._now)), **header},
            "commodity": "Captagon tablets",
            "modes": ["SEA"],
            "waypoints": [_stop("Alexandria", "EG", "EGALY", "ORIGIN"), _stop("Mersin", "TR", "TRMER", "DESTINATION")],
            "conveyances": [],
            "consignments": [],
            "persons": [],
            "concealment": "",
            "period": {"start": "", "end": ""},
        }

    def _broken_bytes(self) -> Iterator[Message]:
        sealed = self._seal(self.record("EG-BAD-VALUE"))
        yield Message("no value", sealed.key, None, sealed.headers, Reason.MALFORMED)
        sealed = self._seal(self.record("EG-BAD-BYTE"))
        changed = sealed.value[:-1] + bytes([sealed.value[-1] ^ 1])
        yield Message("a byte changed under way", sealed.key, changed, sealed.headers, Reason.BAD_SIGNATURE)
        cut = self._sign(self.record("EG-BAD-END"), lambda body: body[:-9])
        yield replace(cut, name="signed but cut short", reason=Reason.UNDECODABLE)
        longer = self._sign(self.record("EG-BAD-TAIL"), lambda body: body + b"\0\0\0")
        yield replace(longer, name="signed, with bytes behind the record", reason=Reason.NOT_CANONICAL)
        text = [{"lang": "en", "text": "x" * OVERSIZE}]
        yield _as_sent("70 kB of text", self._seal(self.record("EG-BAD-SIZE", narrative=text)), Reason.TOO_LARGE)

    def _wrong_signers(self) -> Iterator[Message]:
        unknown = self._seal(self.record("EG-BAD-KEY"), self._keys.unknown)
        yield _as_sent("signed by a key nobody certified", unknown, Reason.UNKNOWN_KEY)
        expired = self._seal(self.record("EG-BAD-DATE"), self._keys.expired)
        yield _as_sent("signed by a key that has expired", expired, Reason.KEY_NOT_VALID)
        other = self._seal(self.record("EG-BAD-NAME", agency=VICTIM, member=VICTIM[:2].upper()))
        yield _as_sent("in another agency's name", other, Reason.WRONG_AGENCY)

    def _wrong_schemas(self) -> Iterator[Message]:
        sealed = self._seal(self.record("EG-BAD-PREFIX"))
        person = codec.frame(by_name("person"), sealed.value[5:])
        yield Message("a route that calls itself a person", sealed.key, person, sealed.headers, Reason.SCHEMA_MISMATCH)

    def _wrong_content(self, good: Sealed) -> Iterator[Message]:
        sealed = self._seal(self.record("EG-BAD-AUDIENCE"))
        other = self._audience("LISTED", ["TR"])
        headers = [
            (name, codec.encode(by_name("hub"), other) if name == "hub" else value) for name, value in sealed.headers
        ]
        yield Message("the audience swapped", sealed.key, sealed.value, headers, Reason.HUB_HEADER_MISMATCH)
        yield _as_sent(
            "version 3 of nothing", self._seal(self.record("EG-BAD-VERSION", version=3)), Reason.STALE_VERSION
        )
        update = self.record("EG-BAD-UPDATE", version=2, message="UPDATE")
        yield _as_sent("an update of an alert it does not have", self._seal(update), Reason.UNKNOWN_ALERT)
        twin = self._seal(self.record(GOOD_REF, alert_id=good.alert_id, national_ref="EG-BAD-TWIN"))
        yield _as_sent("the same alert and version with other content", twin, Reason.EQUIVOCATION)
        past = self.record("EG-BAD-EXPIRY", effective_at=self._now - 9 * DAY, expires_at=self._now - DAY)
        yield _as_sent("expired on arrival", self._seal(past), Reason.EXPIRED)
        basis = {**_header("", self._now, "")["legal_basis"], "decision_ref": "", "instrument": ""}
        yield _as_sent(
            "no legal basis", self._seal(self.record("EG-BAD-BASIS", legal_basis=basis)), "RULE_LEGAL_BASIS_MISSING"
        )

    def _seal(self, record: dict[str, Any], key: SigningKey | None = None) -> Sealed:
        sealed = seal(by_name("route"), record, self._audience("ALL", []), key or self._keys.good)
        self._previous = sealed.digest
        return sealed

    def _sign(self, record: dict[str, Any], change: Callable[[bytes], bytes]) -> Message:
        """A message signed over a body that no encoder would make."""
        schema = by_name("route")
        hub = codec.encode(by_name("hub"), self._audience("ALL", []))
        record["header"]["hub_digest"] = signature.hub_digest(hub)
        body = change(codec.encode(schema, record))
        sig = signature.sign(schema, body, self._keys.good)
        self._previous = signature.digest(signature.read(sig).protected, body)
        key = identity(record["header"]["agency"], record["header"]["alert_id"])
        return Message("", key, codec.frame(schema, body), [("sig", sig), ("hub", hub)], "")

    def _audience(self, mode: Any, members: list[str]) -> HubHeader:
        self._sequence += 1
        return {
            "mode": mode,
            "members": members,
            "sequence": self._sequence,
            "previous": self._previous,
            "salt": secrets.token_bytes(32).hex(),
        }


def _as_sent(name: str, sealed: Sealed, reason: str) -> Message:
    return Message(name, sealed.key, sealed.value, sealed.headers, reason)


def _stop(name: str, country: str, code: str, role: str) -> dict[str, Any]:
    return {
        "name": name,
        "country": country,
        "code": code,
        "code_type": "LOCODE",
        "lat": None,
        "lon": None,
        "arrives": "",
        "departs": "",
        "role": role,
    }


def _header(ref: str, now: int, alert_id: str) -> dict[str, Any]:
    return {
        "alert_id": alert_id,
        "category": "TRF",
        "version": 1,
        "message": "ALERT",
        "status": "EXERCISE",
        "member": "EG",
        "agency": AGENCY,
        "unit": "",
        "national_ref": ref,
        "sent_at": now,
        "effective_at": now,
        "expires_at": now + 60 * DAY,
        "review_at": 0,
        "precedence": "ROUTINE",
        "action": "CONTROL_CONSIGNMENT",
        "crimes": ["DRUGS"],
        "legal_basis": {
            "instrument": "Customs Act (synthetic)",
            "article": "12",
            "decision_ref": "EX-2026-1",
            "authority": "Customs Authority",
            "decided_on": "2026-01-05",
            "valid_until": "",
            "max_penalty_months": 60,
        },
        "handling": {"codes": ["H0"], "note": "", "tlp": "GREEN", "onward": "NONE"},
        "evaluation": {"scheme": "FOUR_BY_FOUR", "source": "B", "information": "2"},
        "references": [],
        "other_channels": [],
        "hub_digest": "",
        "annex_digests": [],
        "tokens": [],
        "narrative": [{"lang": "en", "text": "Invented route of the exercise. Every field is synthetic."}],
    }
