"""Entries of an inbox, made of valid sealed alerts, for tests of what comes after verification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from consumers.entry import Entry
from consumers.inbox import Inbox
from consumers.judging import Accepted, Message, Refused, judge
from schemas import message, notices, registry
from schemas.directory import Directory
from tests.support.alerts import END_REASONS, Author
from tests.support.directories import NOW, key_of, network

TOPIC_ID = "ab" * 16


def sent(sealed: message.Sealed, *, at: int = NOW, topic: str = "feeds.v1.az.person", offset: int = 0) -> Message:
    """A sealed alert as the hub puts it into a feed: without the `hub` header, with `at`."""
    headers = [(name, value) for name, value in sealed.headers if name != message.HUB]
    headers.append((message.AT, at.to_bytes(8, "big")))
    return Message(topic, TOPIC_ID, 0, offset, at, sealed.key, sealed.value, tuple(headers))


def notice(agency: str, alert_id: str, version: int, kind: str = "person", **changes: Any) -> Message:
    """The hub's word that an alert is no longer addressed to this member."""
    holder = changes.pop("holder", "hub.route")
    about = {"alert_id": alert_id, "version": version, "kind": kind, **changes}
    record = notices.notice(about.pop("type", "NO_LONGER_ADDRESSED"), about.pop("agency", agency), NOW, "", **about)
    value, headers = message.sign_record(registry.by_name("notice"), record, key_of(holder))
    key = message.identity(agency, alert_id)
    return Message(f"feeds.v1.az.{kind}", TOPIC_ID, 0, 0, NOW, key, value, tuple(headers))


def accepted(message: Message, kind: str = "person", *, directory: Directory | None = None, now: int = NOW) -> Accepted:
    """What the edge makes of a good message."""
    judged = judge(message, kind, directory or network().directory, now)
    assert isinstance(judged, Accepted), judged
    return judged


def refused(message: Message, kind: str = "person", *, directory: Directory | None = None, now: int = NOW) -> Refused:
    """What the edge makes of a bad one."""
    judged = judge(message, kind, directory or network().directory, now)
    assert isinstance(judged, Refused), judged
    return judged


def alerts(count: int, *, agency: str = "az-police", kind: str = "person", **changes: Any) -> list[Accepted]:
    """So many different good alerts of one agency."""
    author = Author.of(agency)
    return [accepted(sent(author.write(kind, **changes), topic=f"feeds.v1.az.{kind}"), kind) for _ in range(count)]


def unruly(kind: str = "person", *, agency: str = "az-police", **changes: Any) -> Accepted:
    """An alert of this content as if no rule had looked at it: what an older release may have let in."""
    author = Author.of(agency)
    good = accepted(sent(author.write(kind), topic=f"feeds.v1.az.{kind}"), kind)
    sealed = author.write(kind, **changes)
    arrival = replace(
        good.arrival,
        alert_id=sealed.alert_id,
        digest=sealed.digest,
        value=sealed.value,
        sig=dict(sealed.headers)[message.SIG],
    )
    return Accepted(sent(sealed), arrival)


def mixture(count: int) -> list[Accepted]:
    """Good alerts of all kinds, in turn, and a notice at the end."""
    pens = [(Author.of("az-police"), "person"), (Author.of("tr-customs"), "route"), (Author.of("kz-fiu"), "transfer")]
    made = []
    for number in range(count):
        author, kind = pens[number % 3]
        made.append(accepted(sent(author.write(kind), topic=f"feeds.v1.az.{kind}"), kind))
    first = made[0].arrival
    return [*made, accepted(notice(first.agency, first.alert_id, first.version + 1, first.kind), first.kind)]


def filled(folder: Path, made: Sequence[Accepted]) -> Inbox:
    """An inbox that holds these."""
    inbox = Inbox.open(folder)
    inbox.take(made, now=NOW)
    return inbox


def entries(made: Sequence[Accepted], folder: Path) -> list[Entry]:
    """The same as entries, numbered by an inbox."""
    with filled(folder, made) as inbox:
        return inbox.after(0, len(made) + 1)


def mark(version: int) -> str:
    """What stands in the content of a version of `story`, and nowhere else."""
    return f"The mark {version * 7919:08d} of a version."


def lives(*messages: str, author: Author | None = None, kind: str = "person") -> list[Accepted]:
    """One alert's life as it reaches a member: messages by name, the hub's NO_LONGER_ADDRESSED among them."""
    pen = author or Author.of("az-police")
    topic = f"feeds.v1.az.{kind}"
    first = before = pen.write(kind, record={"description": mark(1)} if kind == "person" else {})
    made = [accepted(sent(first, topic=topic), kind)]
    for number, name in enumerate(messages[1:], 2):
        if name == "NO_LONGER_ADDRESSED":
            made.append(accepted(notice(made[0].arrival.agency, first.alert_id, number, kind), kind))
            continue
        changes: dict[str, Any] = (
            {} if name in END_REASONS else {"record": {"description": mark(number)} if kind == "person" else {}}
        )
        before = pen.follow(before, name, **changes)
        made.append(accepted(sent(before, topic=topic), kind))
    return made


def story(folder: Path, *messages: str, late: str = "") -> list[Entry]:
    """The same as entries, each as it was when it came in; `late` comes after the end, its version is below."""
    made = lives(*messages[:-1], late, messages[-1]) if late else lives(*messages)
    if late:
        made = [*made[:-2], made[-1], made[-2]]
    with Inbox.open(folder) as inbox:
        found = []
        for number, one in enumerate(made):
            inbox.take([one], now=NOW)
            found += inbox.after(number, 1)
    return found
