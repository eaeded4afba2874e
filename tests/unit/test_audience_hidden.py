"""Nobody can learn an audience: two worlds that differ in one other member's being addressed look the same to the rest.

Each world is the real hub without a broker: gate, route, receipts and clock over one story of an alert. What a party
can read is what the catalogue's rights let it read or describe, byte by byte, with keys, headers and offsets.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from consumers.judging import Accepted, Message, judge
from schemas import codec, message, registry, topics
from streams.clock import tick
from streams.engine.contract import Emit, Headers, Record
from streams.gate import blocks
from streams.gate.stage import Gate
from streams.receipts import Forward
from streams.route import Route
from tests.support.alerts import SALT, Author, log_time
from tests.support.directories import KINDS, NOW, network
from tests.support.gates import NAMES, Inlets, topic_id

NET = network()
AUTHOR, ADDRESSED, OTHER, STRANGER = "az-police", "EG", "MA", "KZ"

Kept = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]
"""Key, value and headers; the offset is its place in the list."""


def rights(member: str) -> tuple[set[str], set[str]]:
    """Topics that a member's edge and agencies may read, and those whose offsets they may see."""
    own = {f"edge.{member.lower()}", *(a.id for a in NET.directory.agencies.values() if a.member == member)}
    mine = [acl for acl in topics.acls(NET.directory) if acl.principal in own and acl.resource_type == "TOPIC"]
    read = {acl.name for acl in mine if acl.operation == "READ"}
    return read, read | {acl.name for acl in mine if acl.operation == "DESCRIBE"}


@dataclass
class World:
    """All topics after the story in which `others` were addressed beside EG."""

    others: tuple[str, ...]
    log: dict[str, list[Kept]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        gate = Gate(NAMES, lambda: NET.directory, NET.key("hub.gate"), observe=lambda _: None)
        self._told = Forward(NAMES, lambda: NET.directory)
        route, inlets, state = Route(NAMES, lambda: NET.directory, NET.key("hub.route")), Inlets(), dict[bytes, bytes]()
        self.secrets = [SALT.encode()]
        for number, sealed in enumerate(self._story()):
            self.secrets += [value for name, value in sealed.headers if name == message.HUB]
            answer = gate.process(0, [inlets.put(sealed)], state, log_time(number))
            assert [blocks.read(emit.value or b"")["admitted"] for emit in answer.commits] != [[]]
            state |= {put.key: put.value for put in answer.puts}
            self._write([*answer.emits, *answer.commits])
            for emit in answer.commits:
                record = Record(emit.topic, "id", 0, number, log_time(number), emit.key, emit.value, [])
                self._write(route.process(0, [record], {}, 0).emits)
            self._acknowledge(sealed, number)
            self._write(tick(NAMES, 8, NET.key("hub.clock"), log_time(number), number))
        gate.close()

    def _story(self) -> Iterable[message.Sealed]:
        """Published, updated for EG alone, updated for all of them, withdrawn; and one alert that EG never gets."""
        author, everybody = Author.of(AUTHOR), (ADDRESSED, *self.others)
        first = author.write(mode="LISTED", members=everybody)
        second = author.follow(first, "UPDATE", mode="LISTED", members=[ADDRESSED])
        third = author.follow(second, "UPDATE", mode="LISTED", members=everybody)
        apart = author.write("route", mode="LISTED", members=["TR", *self.others])
        return first, second, third, apart, author.follow(third, "WITHDRAW", mode="LISTED", members=everybody)

    def _write(self, emits: Iterable[Emit]) -> None:
        for emit in emits:
            self.log[emit.topic].append((emit.key, emit.value, tuple(emit.headers or [])))

    def _acknowledge(self, sealed: message.Sealed, number: int) -> None:
        """Every member that got it says so, and the hub hands that on."""
        for member in sorted(NET.directory.members):
            feed = self.log[NAMES.feed(member, sealed.kind)]
            if sealed.value not in [value for _, value, _ in feed]:
                continue
            receipt = {
                "digest": sealed.digest, "kind": sealed.kind, "alert_id": sealed.alert_id, "version": sealed.version,
                "stage": "STORED", "at": log_time(number), "reason": "", "count": 0,
            }  # fmt: skip
            issuer = f"edge.{member.lower()}"
            said = {"issuer": issuer, "member": member, "agency": AUTHOR, "receipts": [receipt]}
            value, headers = message.sign_record(registry.by_name("receipt"), said, NET.key(issuer))
            given: Headers = [*headers]
            topic = NAMES.receipts(member)
            self._write([Emit(topic, b"", value, given)])
            record = Record(topic, "id", 0, number, log_time(number), b"", value, given)
            self._write(self._told.process(0, [record], {}, 0).emits)

    def seen_by(self, member: str) -> dict[str, list[Kept]]:
        """All that it can read."""
        return {topic: self.log.get(topic, []) for topic in rights(member)[0]}

    def offsets_seen_by(self, member: str) -> dict[str, int]:
        """How far the topics go that it may describe."""
        return {topic: len(self.log.get(topic, [])) for topic in rights(member)[1]}

    def counted_by(self, member: str) -> Counter[tuple[str, str]]:
        """What its edge counts in its metrics: by kind, taken or refused and why."""
        counts = Counter[tuple[str, str]]()
        for kind in KINDS:
            topic = NAMES.feed(member, kind)
            for offset, (key, value, headers) in enumerate(self.log.get(topic, [])):
                sent = Message(topic, topic_id(topic), 0, offset, NOW, key, value, headers)
                found = judge(sent, kind, NET.directory, NOW)
                counts[kind, found.arrival.message if isinstance(found, Accepted) else found.reason] += 1
        return counts


@functools.cache
def world(*others: str) -> World:
    """Made once."""
    return World(others)


def blinded(kept: Kept) -> Kept:
    """The same without what is random for a reader: the salted digest of the hub header, and the signature over it."""
    key, value, headers = kept
    number, body = codec.unframe(value or b"")
    record = codec.decode(registry.by_id(number), body)
    if "header" not in record:
        return kept
    digest = record["header"]["hub_digest"].encode()
    bare = (value or b"").replace(digest, b"0" * len(digest))
    return key, bare, tuple((name, (given or b"")[:-64] if name == message.SIG else given) for name, given in headers)


def exactly(kept: Kept) -> Kept:
    """Byte for byte."""
    return kept


@pytest.mark.parametrize(("member", "view"), [(STRANGER, exactly), (ADDRESSED, blinded), ("AE", exactly)])
def test_all_that_a_member_can_read_is_the_same_whether_another_is_addressed_or_not(
    member: str, view: Callable[[Kept], Kept]
) -> None:
    """Feeds, receipts, status of its agencies, directory, heartbeat: contents, keys, headers, numbers and sizes.

    To the addressed member the salted digest and the signature are random; to the others nothing differs at all.
    """
    without, with_other = world(), world(OTHER)
    seen = {topic: [view(kept) for kept in log] for topic, log in without.seen_by(member).items()}
    assert seen == {topic: [view(kept) for kept in log] for topic, log in with_other.seen_by(member).items()}
    assert without.offsets_seen_by(member) == with_other.offsets_seen_by(member)
    assert without.counted_by(member) == with_other.counted_by(member)


def test_the_worlds_differ_for_the_other_member_and_for_the_author() -> None:
    """So the comparison is worth something: the other one is told to leave, called back, told of the end."""
    assert world().counted_by(OTHER) == Counter()
    assert world(OTHER).counted_by(OTHER) == Counter(
        {
            ("person", "ALERT"): 1,
            ("person", "NO_LONGER_ADDRESSED"): 1,
            ("person", "UPDATE"): 1,
            ("person", "WITHDRAW"): 1,
            ("route", "ALERT"): 1,
        }
    )
    assert world().counted_by(ADDRESSED) == Counter(
        {("person", "ALERT"): 1, ("person", "UPDATE"): 2, ("person", "WITHDRAW"): 1}
    )
    assert world().counted_by(STRANGER) == Counter()
    status = NAMES.status(AUTHOR)
    assert len(world(OTHER).log[status]) > len(world().log[status])


@pytest.mark.parametrize("member", [ADDRESSED, OTHER, STRANGER])
def test_neither_salt_nor_hub_header_nor_another_s_name_is_in_anything_that_a_member_can_read(member: str) -> None:
    """With the salt a guess at the audience could be checked; without it the digest says nothing."""
    found = world(OTHER)
    texts = [
        part
        for topic, log in found.seen_by(member).items()
        if topic != topics.DIRECTORY
        for key, value, headers in log
        for part in (key, value, *(given for _, given in headers), *(name.encode() for name, _ in headers))
    ]
    assert texts
    for text in texts:
        for secret in found.secrets:
            assert secret not in (text or b"")


def test_no_member_may_describe_what_tells_of_another() -> None:
    """Offsets of another's feeds, receipts or status would count its alerts; those of the hub's topics everybody's."""
    for member in NET.directory.members:
        known = rights(member)[1]
        agencies = {agency.id for agency in NET.directory.agencies.values() if agency.member == member}
        allowed = {topics.DIRECTORY, topics.HEARTBEAT, NAMES.receipts(member)}
        allowed |= {NAMES.feed(member, kind) for kind in KINDS}
        own = (NAMES.inlet, NAMES.status, NAMES.answers)
        allowed |= {name(agency) for agency in agencies for name in own}
        assert known == allowed


def test_a_count_of_feeds_goes_to_the_author_alone() -> None:
    """ROUTED says how many, so nobody else may have it."""
    routed: list[Any] = []
    for topic, log in world(OTHER).log.items():
        for _, value, _ in log:
            number, body = codec.unframe(value or b"")
            if registry.by_id(number).name == "receipt":
                said = codec.decode(registry.by_id(number), body)["receipts"]
                routed += [(topic, one["count"]) for one in said if one["stage"] == "ROUTED"]
    assert routed == [(NAMES.status(AUTHOR), count) for count in (2, 1, 2, 2, 2)]
