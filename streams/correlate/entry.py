"""What correlation knows about one alert, and how a mention changes it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple
from zlib import crc32

from schemas.models import LinkSide, Mention, MentionStanding
from streams.correlate.substance import Prepared, Substance, prepared

NEAR_YEARS: Final = 1
"""Birth years so far apart do not speak against one person."""
LONG_NAME: Final = 3
_MEMBER, _YEAR, _YEARS = 52, 40, 0xFFF
_MARKS: Final = (1 << _YEAR) - 1
_LETTERS: Final = 26
_WORDS: Final = re.compile(r"\w+")


def token_number(token: str) -> int:
    """A token as the index keeps it: 63 bits."""
    return int.from_bytes(blake2b(token.encode(), digest_size=8).digest()) >> 1


class Held(NamedTuple):
    """What a partition has told of an alert: the version, and the tokens it is posted under, with which hint."""

    version: int
    hint: int
    tokens: tuple[int, ...]


@dataclass(slots=True)
class Entry:
    """One alert. `held` maps a partition to what it has told.

    `number` names it in the index. A version is whole once every partition has told of it; the first one goes only
    where it has tokens, so nobody waits for it.
    """

    identity: str
    number: int
    version: int = 0
    standing: MentionStanding = "UNKNOWN"
    member: str = ""
    kind: str = ""
    status: str = ""
    precedence: str = ""
    reference: str = ""
    expires_at: int = 0
    admitted_at: int = 0
    expired: bool = False
    learned: int = 0
    substance: Substance = field(default_factory=lambda: Substance([], [], [], []))
    held: dict[int, Held] = field(default_factory=dict)
    ready: Prepared | None = None

    @property
    def lives(self) -> bool:
        """Whether it takes part in matches."""
        return self.standing == "COUNTS" and not self.expired

    def prepared(self) -> Prepared:
        """Its substance made ready for the matchers, once."""
        if self.ready is None:
            self.ready = prepared(self.substance)
        return self.ready

    def renew(self, mention: Mention) -> None:
        """A newer version counts: what the older one said is forgotten. Its tokens go as the partitions tell."""
        self.version = mention["version"]
        self.standing = mention["standing"]
        self.member, self.kind = mention["member"], mention["kind"]
        self.precedence = mention["precedence"]
        self.expires_at, self.admitted_at = mention["expires_at"], mention["admitted_at"]
        self.expired = False
        self.status = mention["status"]
        self.reference = ""
        self.substance, self.ready = Substance([], [], [], []), None

    def learn(self, mention: Mention) -> None:
        """Take over what the version says; every partition that has tokens of it says the same."""
        if mention["tokens"] and self.learned != self.version:
            self.learned = self.version
            self.reference = mention["reference"]
            self.substance = Substance(
                mention["persons"], mention["identifiers"], mention["waypoints"], mention["not_these"]
            )

    def whole(self, lanes: int) -> bool:
        """Whether every partition has told of this version."""
        return sum(1 for held in self.held.values() if held.version == self.version) == lanes

    def told(self, part: int) -> bool:
        """Whether this partition has told of the version that counts."""
        return part in self.held and self.held[part].version == self.version

    def side(self) -> LinkSide:
        """Its part in a match."""
        agency, _, alert_id = self.identity.partition("/")
        return {
            "agency": agency,
            "alert_id": alert_id,
            "member": self.member,
            "kind": self.kind,
            "version": self.version,
            "precedence": self.precedence,
            "reference": self.reference,
            "admitted_at": self.admitted_at,
            "expires_at": self.expires_at,
        }


def hint_of(mention: Mention) -> int:
    """What the index keeps beside each token of an alert: its member, the one birth year (or 0), a mark a word."""
    people = mention["persons"]
    years = {date[:4] for person in people for date in person["born"]} if all(p["born"] for p in people) else set()
    year = min(years) if len(years) == 1 else ""
    names = [name for person in people for name in (person["name"], *person["aliases"])]
    marks = 0
    for word in {word for name in names for word in _WORDS.findall(name.casefold())}:
        marks |= 1 << crc32(word.encode()) % _YEAR
    number = int(year) & _YEARS if year.isascii() and year.isdecimal() else 0
    return _member(mention["member"]) << _MEMBER | number << _YEAR | marks


def worth(token: str, mine: int, theirs: int) -> bool:
    """Whether two alerts that share a token are worth a comparison, by their hints. Pure, and the same both ways.

    Alerts of one member never are. Where birth years speak against it, neither one nor two shared parts of a name
    reach the score of a link, nor do more that are spelt differently: so three words have to be the same.
    """
    if mine >> _MEMBER == theirs >> _MEMBER:
        return False
    if not token.startswith("name:"):
        return True
    year, other = mine >> _YEAR & _YEARS, theirs >> _YEAR & _YEARS
    if not year or not other or abs(year - other) <= NEAR_YEARS:
        return True
    return "+" in token and (mine & theirs & _MARKS).bit_count() >= LONG_NAME


def _member(code: str) -> int:
    """A member's two letters as a number, 1 to 676."""
    return (ord(code[0]) - ord("A")) * _LETTERS + ord(code[1]) - ord("A") + 1


def linkable(a: Entry, b: Entry) -> bool:
    """Whether two living alerts may be linked at all: of different members, and an exercise never with what is real."""
    return a.lives and b.lives and a.member != b.member and a.status == b.status
