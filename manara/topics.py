"""What the cluster has, compared with what the catalogue says, and the steps that lead from the one to the other.

The comparison is a pure function; `manara.administration` looks at the cluster and carries a plan out. Nothing is
removed unless the operator asks for it: what is there and not in the catalogue is listed, and only rights and users can
be pruned. Topics hold data, so no command of ours deletes one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from schemas.directory import Directory
from schemas.topics import Acl, Names, Topic, acls, catalogue, principals


@dataclass(frozen=True)
class TopicFound:
    """A topic as it stands on the cluster."""

    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """What the cluster has. `foreign` are rights that no catalogue of ours gives: prefixed, denied, of another host."""

    topics: Mapping[str, TopicFound]
    acls: frozenset[Acl]
    users: frozenset[str]
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What the catalogue says for one directory."""

    topics: tuple[Topic, ...]
    acls: frozenset[Acl]
    users: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A setting of a topic that has another value than it should."""

    topic: str
    name: str
    was: str
    wanted: str


@dataclass(frozen=True)
class Plan:
    """The steps, in order. `extra_*` is there and not in the catalogue;

    `remarks` are differences that we cannot mend.
    """

    create: tuple[Topic, ...] = ()
    grow: tuple[tuple[str, int, int], ...] = ()
    change: tuple[Change, ...] = ()
    grant: tuple[Acl, ...] = ()
    users: tuple[str, ...] = ()
    extra_topics: tuple[str, ...] = ()
    extra_acls: tuple[Acl, ...] = ()
    extra_users: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    @property
    def empty(self) -> bool:
        """Whether the cluster already is as the catalogue says; extras do not count."""
        return not (self.create or self.grow or self.change or self.grant or self.users)

    def prunable(self) -> bool:
        """Whether there are rights or users to take away, should the operator ask for it."""
        return bool(self.extra_acls or self.extra_users)

    def as_json(self) -> dict[str, object]:
        """The plan for machines."""
        return {
            "create": [topic.name for topic in self.create],
            "grow": [{"topic": name, "was": was, "wanted": wanted} for name, was, wanted in self.grow],
            "change": [vars(change) for change in self.change],
            "grant": [say(acl) for acl in self.grant],
            "users": list(self.users),
            "extra": {
                "topics": list(self.extra_topics),
                "rights": [say(acl) for acl in self.extra_acls],
                "users": list(self.extra_users),
            },
            "remarks": list(self.remarks),
        }


def wanted(directory: Directory, *, lanes: int, replication: int, prefix: str = "") -> Wanted:
    """What the cluster should have for this directory."""
    names = Names(prefix)
    return Wanted(
        topics=tuple(catalogue(directory, lanes, replication, names=names)),
        acls=frozenset(acls(directory, lanes, names=names)),
        users=tuple(principals(directory)),
    )


def compare(found: Found, wanted: Wanted, *, have_password: Collection[str], prefix: str = "", admin: str = "") -> Plan:
    """The steps from what there is to what there should be.

    A user is made when the cluster does not know it, or when nobody has its password (`have_password` are those whose
    file exists). With a `prefix` (tests that share a broker) only names that carry it count as extra. `admin` is never
    extra.
    """
    missing = [topic for topic in wanted.topics if topic.name not in found.topics]
    present = [topic for topic in wanted.topics if topic.name in found.topics]
    named = {topic.name for topic in wanted.topics}
    ours = {name for name in found.topics if name.startswith(prefix) and not name.startswith("__")}
    return Plan(
        create=tuple(missing),
        grow=tuple(
            (topic.name, found.topics[topic.name].partitions, topic.partitions)
            for topic in present
            if found.topics[topic.name].partitions < topic.partitions
        ),
        change=tuple(change for topic in present for change in _changes(topic, found.topics[topic.name])),
        grant=tuple(sorted(wanted.acls - found.acls)),
        users=tuple(user for user in wanted.users if user not in found.users or user not in have_password),
        extra_topics=tuple(sorted(ours - named)),
        extra_acls=tuple(sorted(acl for acl in found.acls - wanted.acls if acl.name.startswith(prefix))),
        extra_users=() if prefix else tuple(sorted(found.users - set(wanted.users) - {admin})),
        remarks=(*_remarks(present, found), *(() if prefix else found.foreign)),
    )


def say(acl: Acl) -> str:
    """A right in words, as `az-customs may WRITE topic alerts.v1.az-customs`."""
    return f"{acl.principal} may {acl.operation} {acl.resource_type.lower()} {acl.name}"


def _changes(topic: Topic, found: TopicFound) -> list[Change]:
    return [
        Change(topic.name, name, found.config.get(name, ""), value)
        for name, value in sorted(topic.config.items())
        if found.config.get(name) != value
    ]


def _remarks(present: Collection[Topic], found: Found) -> list[str]:
    remarks = []
    for topic in present:
        there = found.topics[topic.name]
        if there.partitions > topic.partitions:
            remarks.append(
                f"{topic.name} has {there.partitions} partitions, not {topic.partitions}: "
                "Kafka cannot take any away; set MANARA_LANES to what the cluster has, or make the topic anew"
            )
        if there.replication != topic.replication:
            remarks.append(
                f"{topic.name} has {there.replication} replicas, not {topic.replication}: "
                "move it with kafka-reassign-partitions, or set MANARA_REPLICATION"
            )
    return remarks
