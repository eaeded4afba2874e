"""What the inbox holds: an entry is one verified message, numbered; a cursor says how far a reader of the inbox has
come."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from schemas import codec, registry, signature
from schemas.errors import BadSignatureError

EntryType = Literal["ALERT", "NOTICE"]

PRECEDENCES: Final = ("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE", "UNKNOWN")
"""Most urgent first."""


class Cursor(NamedTuple):
    """The last entry that a reader of the inbox is done with.

    `chain` is a hash over all entries up to it: a number alone would be believed after an inbox was restored from a
    backup and had filled up differently, and the reader would silently skip what it never saw.
    """

    number: int = 0
    chain: bytes = b""


START: Final = Cursor()
"""Before the first entry."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that this edge has verified: an alert, or the hub's notice that an alert is no longer meant for us.

    `at` is the time by the hub at which it was admitted, `received_at` our own clock at first receipt.
    `hub_time_only` marks an `at` so far from our clock that the validity of the author's key rests on the hub's
    word. Times are microseconds UTC.
    """

    type: EntryType
    agency: str
    alert_id: str
    version: int
    kind: str
    message: str
    status: str
    precedence: str
    expires_at: int
    at: int
    hub_time_only: bool
    received_at: int
    digest: str
    kid: str
    trace: str
    value: bytes
    sig: bytes


@dataclass(frozen=True, slots=True)
class Entry(Arrival):
    """An arrival with its place in the inbox: `number` 1, 2, … without gaps."""

    number: int
    chain: bytes
    checksum: int = 0

    @property
    def cursor(self) -> Cursor:
        """The cursor of a reader that is done with this entry."""
        return Cursor(self.number, self.chain)

    @property
    def bare(self) -> bool:
        """Whether its content is gone on purpose: its author withdrew it, or it has ended long ago. The facts stay."""
        return self.type == "ALERT" and not any(self.sig)

    @property
    def intact(self) -> bool:
        """Whether all of it is still what was taken in: a disk may forget, and it is then of no use."""
        if self.checksum and self.checksum != checksum(self):
            return False
        if self.type == "NOTICE":
            return hashlib.sha256(self.value).hexdigest() == self.digest
        try:
            protected = signature.read(self.sig).protected
        except BadSignatureError:
            return False
        return signature.digest(protected, self.value[codec.PREFIX_LENGTH :]) == self.digest

    def record(self) -> dict[str, Any]:
        """The decoded record of an intact entry; its bytes were verified before they came here."""
        schema_id, body = codec.unframe(self.value)
        return codec.decode(registry.by_id(schema_id), body)


def checksum(arrival: Arrival) -> int:
    """A check over all that an entry carries on: its facts, its bytes and its signature. Never 0."""
    facts = (
        *(arrival.type, arrival.agency, arrival.alert_id, arrival.version, arrival.kind, arrival.message),
        *(arrival.status, arrival.precedence, arrival.expires_at, arrival.at, arrival.digest, arrival.kid),
    )
    return zlib.crc32(arrival.sig, zlib.crc32(arrival.value, zlib.crc32(repr(facts).encode()))) or 1


def link(chain: bytes, digest: str) -> bytes:
    """The chain's next value."""
    return hashlib.sha256(chain + bytes.fromhex(digest)).digest()


def urgency(precedence: str) -> int:
    """0 for FLASH, more for what may wait; words nobody knows come last."""
    return PRECEDENCES.index(precedence) if precedence in PRECEDENCES else len(PRECEDENCES)
