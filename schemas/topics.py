"""The catalogue: every topic of the network, who writes it, who reads it. Topics, rights and users come from here
alone.

Rights are literal, never by prefix (`az-customs` is also the beginning of `az-customs2`), and members have Read and
Write on their own topics and nothing else: no groups (their clients `assign`), no transactions, no creation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from schemas.directory import HUB_STAGES, Directory
from schemas.registry import ALERT_KINDS

OPERATOR: Final = "operator"
LIVE, BULK = 0, 1
"""Partitions of an inlet: bulk import never delays what is live."""

ADMITTED: Final = "admitted.v1"
REGISTER: Final = "register.v1"
QUARANTINE: Final = "quarantine.v1"
DIRECTORY: Final = "sys.directory"
HEARTBEAT: Final = "sys.heartbeat"
MENTIONS: Final = "mentions.v1"
TRANSFERS: Final = "transfers.v1"
LINKS: Final = "links.v1"
RELEASES: Final = "releases.v1"

_DAY_MS = 24 * 3600 * 1000
_KIB = 1024
_REPLICATED = 3

ResourceType: TypeAlias = Literal["TOPIC", "GROUP"]
Operation: TypeAlias = Literal["READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"]


@dataclass(frozen=True, slots=True)
class Names:
    """Names of topics and groups. `prefix` is empty but for tests that share a broker."""

    prefix: str = ""

    def inlet(self, agency: str) -> str:
        """Where an agency writes its alerts; partition LIVE or BULK."""
        return f"{self.prefix}alerts.v1.{agency}"

    def feed(self, member: str, kind: str) -> str:
        """Where a member's edges read alerts of one kind."""
        return f"{self.prefix}feeds.v1.{member.lower()}.{kind}"

    def receipts(self, member: str) -> str:
        """Where a member's edges write receipts."""
        return f"{self.prefix}receipts.v1.{member.lower()}"

    def status(self, agency: str) -> str:
        """Where an agency reads what became of its alerts."""
        return f"{self.prefix}status.v1.{agency}"

    def answers(self, agency: str) -> str:
        """Where an agency answers the matches that it was offered."""
        return f"{self.prefix}answers.v1.{agency}"

    def group(self, stage: str) -> str:
        """The consumer group of a stage of the hub: `hub.<stage>`."""
        return f"{self.prefix}hub.{stage}"

    def agency_of(self, inlet: str) -> str:
        """The agency whose inlet or answers topic this is. ValueError for any other topic."""
        for start in (f"{self.prefix}alerts.v1.", f"{self.prefix}answers.v1."):
            if inlet.startswith(start):
                return inlet.removeprefix(start)
        raise ValueError(f"{inlet!r} is not a topic that an agency writes")

    def member_of(self, topic: str) -> str:
        """The member, upper case, whose feed or receipts topic this is. ValueError for any other topic."""
        for start in (f"{self.prefix}feeds.v1.", f"{self.prefix}receipts.v1."):
            if topic.startswith(start):
                return topic.removeprefix(start).partition(".")[0].upper()
        raise ValueError(f"{topic!r} is not a member's topic")

    @property
    def admitted(self) -> str:
        """Blocks of admitted messages; one partition a lane."""
        return self.prefix + ADMITTED

    @property
    def register(self) -> str:
        """Snapshot of the gate's register; one partition a lane."""
        return self.prefix + REGISTER

    @property
    def quarantine(self) -> str:
        """Refused messages with their original bytes."""
        return self.prefix + QUARANTINE

    @property
    def mentions(self) -> str:
        """What living alerts say to correlation, by token; one partition a lane."""
        return self.prefix + MENTIONS

    @property
    def transfers(self) -> str:
        """Transfers of living alerts, for the search for patterns; one partition."""
        return self.prefix + TRANSFERS

    @property
    def links(self) -> str:
        """Matches, by link id."""
        return self.prefix + LINKS

    @property
    def releases(self) -> str:
        """How far each match has been released, by link id."""
        return self.prefix + RELEASES

    @property
    def directory(self) -> str:
        """Directory snapshots."""
        return self.prefix + DIRECTORY

    @property
    def heartbeat(self) -> str:
        """The hub's time and sign of life."""
        return self.prefix + HEARTBEAT


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it must be: `config` in Kafka's words, principals without `User:`.

    `schemas` are the names of what it holds. `groups` maps a principal to the consumer group it reads with.
    `describers` see how far the topic goes, but nothing that is in it.
    """

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    schemas: tuple[str, ...]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    describers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One right: this principal may do this to the topic or group of exactly this name."""

    principal: str
    resource_type: ResourceType
    name: str
    operation: Operation


def inlet(agency: str) -> str:
    """Where an agency writes its alerts, without prefix."""
    return Names().inlet(agency)


def feed(member: str, kind: str) -> str:
    """Where a member's edges read alerts of one kind, without prefix."""
    return Names().feed(member, kind)


def receipts(member: str) -> str:
    """Where a member's edges write receipts, without prefix."""
    return Names().receipts(member)


def status(agency: str) -> str:
    """Where an agency reads what became of its alerts, without prefix."""
    return Names().status(agency)


def principals(directory: Directory) -> list[str]:
    """Everybody who logs in: agencies and edges of members in good standing, the hub's stages, the operator."""
    agencies = sorted(id_ for id_, agency in directory.agencies.items() if _good(directory, agency.member))
    edges = [f"edge.{code.lower()}" for code in sorted(directory.members) if _good(directory, code)]
    return [*agencies, *edges, *(f"hub.{stage}" for stage in HUB_STAGES), OPERATOR]


def catalogue(directory: Directory, lanes: int = 8, replication: int = 1, *, names: Names | None = None) -> list[Topic]:
    """Every topic that the network of this directory has, sorted by name. `lanes` partitions where lanes are kept.

    A member that is not in good standing keeps its topics and what is in them, but none of its own may read or write.
    """
    make = _Maker(replication, frozenset(principals(directory)))
    found = [*_hub_topics(directory, lanes, make, names or Names())]
    for agency in directory.agencies:
        found += _agency_topics(agency, make, names or Names())
    for member in directory.members:
        found += _member_topics(member, make, names or Names())
    return sorted(found, key=lambda topic: topic.name)


def acls(directory: Directory, lanes: int = 8, *, names: Names | None = None) -> list[Acl]:
    """Every right that the catalogue gives, sorted. What is not here is forbidden."""
    rights: set[Acl] = set()
    for topic in catalogue(directory, lanes, names=names):
        rights |= {Acl(principal, "TOPIC", topic.name, "WRITE") for principal in topic.writers}
        rights |= {Acl(principal, "TOPIC", topic.name, "READ") for principal in topic.readers}
        # whoever writes or reads sees offsets and the topic's id as well: Kafka implies it, we say it
        known = {*topic.writers, *topic.readers, *topic.describers}
        rights |= {Acl(principal, "TOPIC", topic.name, "DESCRIBE") for principal in known}
        # the hub looks whether the log's time is still the broker's, the operator's doctor too
        examiners = {*topic.readers, *topic.describers} & {*(f"hub.{stage}" for stage in HUB_STAGES), OPERATOR}
        rights |= {Acl(principal, "TOPIC", topic.name, "DESCRIBE_CONFIGS") for principal in examiners}
        rights |= {Acl(principal, "GROUP", group, "READ") for principal, group in topic.groups.items()}
        rights |= {Acl(OPERATOR, "GROUP", group, "DESCRIBE") for group in topic.groups.values()}
    return sorted(rights)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes topics that have the network's replication, open only to those who may log in (`admitted`)."""

    replication: int
    admitted: frozenset[str]

    def topic(
        self,
        name: str,
        holds: tuple[str, ...],
        *,
        writers: tuple[str, ...],
        readers: tuple[str, ...],
        describers: tuple[str, ...] = (),
        groups: Mapping[str, str] | None = None,
        partitions: int = 1,
        config: Mapping[str, str],
    ) -> Topic:
        """The topic, with the settings that all have: log time, and two replicas in sync where there are three."""
        common = {
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": "2" if self.replication >= _REPLICATED else "1",
        }
        return Topic(
            name,
            partitions,
            self.replication,
            {**common, **config},
            holds,
            self._in_good_standing(writers),
            self._in_good_standing(readers),
            groups or {},
            describers,
        )

    def _in_good_standing(self, principals: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(principal for principal in principals if principal in self.admitted)


def _agency_topics(agency: str, make: _Maker, names: Names) -> list[Topic]:
    return [
        make.topic(
            names.inlet(agency),
            (*ALERT_KINDS, "end"),
            writers=(agency,),
            readers=("hub.gate",),
            describers=(OPERATOR,),
            partitions=2,
            config=_kept(35, 256),
        ),
        make.topic(
            names.status(agency),
            ("verdict", "receipt", "notice"),
            writers=("hub.gate", "hub.route", "hub.receipts", "hub.links"),
            readers=(agency, OPERATOR),
            config=_kept(90, 1024),
        ),
        make.topic(
            names.answers(agency),
            ("answer",),
            writers=(agency,),
            readers=("hub.links", OPERATOR),
            groups={"hub.links": names.group("links")},
            config=_compacted(64),
        ),
    ]


def _member_topics(member: str, make: _Maker, names: Names) -> list[Topic]:
    edge = f"edge.{member.lower()}"
    feeds = [
        make.topic(
            names.feed(member, kind),
            (kind, "end", "notice"),
            writers=("hub.route",),
            readers=(edge,),
            config=_compacted(256, after_days=35),
        )
        for kind in ALERT_KINDS
    ]
    receipt = make.topic(
        names.receipts(member),
        ("receipt",),
        writers=(edge,),
        readers=("hub.receipts", OPERATOR),
        groups={"hub.receipts": names.group("receipts")},
        config=_kept(35, 256),
    )
    return [*feeds, receipt]


def _hub_topics(directory: Directory, lanes: int, make: _Maker, names: Names) -> list[Topic]:
    everybody = tuple(principals(directory))
    groups = {f"hub.{stage}": names.group(stage) for stage in ("gate", "route", "index")}
    return [
        make.topic(
            names.admitted,
            ("block",),
            writers=("hub.gate", "hub.clock"),
            readers=("hub.gate", "hub.route", "hub.index", OPERATOR),
            groups=groups,
            partitions=lanes,
            config=_kept(35, 1024),
        ),
        make.topic(
            names.register,
            ("register",),
            writers=("hub.gate",),
            readers=("hub.gate",),
            describers=(OPERATOR,),
            partitions=lanes,
            config=_compacted(1024),
        ),
        make.topic(
            names.quarantine,
            ("quarantine",),
            writers=("hub.gate", "hub.receipts"),
            readers=(OPERATOR,),
            config=_kept(90, 1024),
        ),
        *_correlation_topics(lanes, make, names),
        make.topic(names.directory, ("directory",), writers=(OPERATOR,), readers=everybody, config=_compacted(1024)),
        make.topic(names.heartbeat, ("heartbeat",), writers=("hub.clock",), readers=everybody, config=_kept(1, 64)),
    ]


def _correlation_topics(lanes: int, make: _Maker, names: Names) -> list[Topic]:
    """What index, correlate and links hand on. Mentions hold personal data: nobody outside the hub reads them."""
    return [
        make.topic(
            names.mentions,
            ("mention",),
            writers=("hub.index",),
            readers=("hub.correlate",),
            groups={"hub.correlate": names.group("correlate")},
            describers=(OPERATOR,),
            partitions=lanes,
            config=_compacted(1024),
        ),
        make.topic(
            names.transfers,
            ("flow",),
            writers=("hub.index",),
            readers=("hub.correlate",),
            groups={"hub.correlate": names.group("correlate")},
            describers=(OPERATOR,),
            config=_kept(35, 1024),
        ),
        make.topic(
            names.links,
            ("link",),
            writers=("hub.correlate",),
            readers=("hub.correlate", "hub.links", OPERATOR),
            groups={"hub.links": names.group("links")},
            config=_compacted(1024),
        ),
        make.topic(
            names.releases,
            ("release",),
            writers=("hub.links",),
            readers=("hub.links", OPERATOR),
            config=_compacted(1024),
        ),
    ]


def _kept(days: int, largest_kib: int) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(days * _DAY_MS),
        "max.message.bytes": str(largest_kib * _KIB),
    }


def _compacted(largest_kib: int, after_days: int = 0) -> dict[str, str]:
    return {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(after_days * _DAY_MS),
        "max.message.bytes": str(largest_kib * _KIB),
    }


def _good(directory: Directory, member: str) -> bool:
    return member in directory.members and directory.members[member].standing == "GOOD"
