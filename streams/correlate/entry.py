"""What correlation knows about one alert, and how a mention changes it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from schemas.models import LinkSide, Mention, MentionStanding
from streams.correlate.substance import Prepared, Substance, prepared


def token_number(token: str) -> int:
    """A token as the index keeps it: 63 bits."""
    return int.from_bytes(blake2b(token.encode(), digest_size=8).digest()) >> 1


@dataclass(slots=True)
class Entry:
    """One alert. `held` maps a partition to the version it has told of and the numbers of its tokens that count there.

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
    held: dict[int, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
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
        return sum(1 for version, _tokens in self.held.values() if version == self.version) == lanes

    def told(self, part: int) -> bool:
        """Whether this partition has told of the version that counts."""
        return part in self.held and self.held[part][0] == self.version

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


def linkable(a: Entry, b: Entry) -> bool:
    """Whether two living alerts may be linked at all: of different members, and an exercise never with what is real."""
    return a.lives and b.lives and a.member != b.member and a.status == b.status
