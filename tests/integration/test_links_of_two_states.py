"""A match from offer to release on the real hub, each principal with the rights of the catalogue alone.

Two agencies are offered it unnamed, both accept, one shares, and the other state receives the widened alert and nothing
before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from manara.settings import Settings
from producers import answers
from producers.linking import Link, State
from producers.publisher import Publisher
from producers.relay import Relay
from tests.integration.test_agency_and_hub import agency
from tests.support.agency import wanted
from tests.support.directories import network
from tests.support.hub import Hub, now, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration
AZ, MA = "az-police", "ma-police"
PASSPORT = [{"type": "PASSPORT", "value": "C01234567", "country": "AZ"}]
Result = TypeVar("Result")
STAGES = (("gate",), ("route", "--runner", "loop"), ("index", "--runner", "loop"), ("correlate",), ("links",))


@pytest.fixture
def hub(kafka: Broker, tmp_path: Path) -> Iterator[Hub]:
    """The stages that a match passes."""
    made = Hub.build(kafka, tmp_path, network(now=now()))
    for stage, *options in STAGES:
        made.start(stage, *options)
    yield made
    made.close()


class Desk:
    """One agency: its publisher, and the relay that carries for it."""

    def __init__(self, hub: Hub, name: str) -> None:
        settings = Settings.load(hub.config(name, agency=name))
        self.publisher = Publisher.open(settings)
        self.relay = Relay.open(settings, self.publisher.outbox)

    def until(self, what: str, done: Callable[[], Result | None]) -> Result:
        """Carry until something is true; what it gave."""

        def turn() -> Result | None:
            self.relay.step()
            return done()

        return until(what, turn, 60)

    def sent(self) -> bool:
        """Whether nothing waits for the relay."""
        return self.publisher.outbox.waiting() == (0, 0) and not answers.waiting(self.publisher.outbox)

    def link(self, evidence: str, state: State) -> Link:
        """The link that rests on this kind of evidence, once it stands so."""
        return self.until(f"the match by {evidence} is {state}", lambda: self._found(evidence, state))

    def _found(self, evidence: str, state: State) -> Link | None:
        found = [one.link for one in self.publisher.links([state]) if evidence in one.link.evidence]
        return found[0] if found else None

    def say(self, link: Link, says: str, reason: str = "") -> None:
        """Answer, and carry the answer."""
        self.publisher.answer(link.link_id, says, reason=reason)
        self.until(f"{says} is confirmed", self.sent)

    def close(self) -> None:
        """Let go."""
        self.relay.close()
        self.publisher.close()


@pytest.fixture
def desks(hub: Hub) -> Iterator[tuple[Desk, Desk]]:
    """Azerbaijan's and Morocco's police."""
    both = Desk(hub, AZ), Desk(hub, MA)
    yield both
    for desk in both:
        desk.close()


def test_a_match_is_offered_accepted_by_both_and_shared_by_one(hub: Hub, desks: tuple[Desk, Desk]) -> None:
    """The number's match is agreed and shared, the names' match declined: each goes its own way."""
    az, ma = desks
    ours = wanted(national_ref="AZ-1", names=["Юсуф Абдулкаримов"], identifiers=PASSPORT)
    theirs = wanted(national_ref="MA-9", names=["Yusuf Abdulkarimov"], identifiers=PASSPORT)
    mine = az.publisher.publish("person", ours, audience=["EG"])
    ma.publisher.publish("person", theirs, audience=["EG"])
    for desk in desks:
        desk.until("the alert is sent", desk.sent)
    (number, names), theirs_too = (
        [desk.link(evidence, State.OFFERED) for evidence in ("DOCUMENT_NUMBER", "NAME")] for desk in desks
    )
    assert [number.link_id, names.link_id] == [one.link_id for one in theirs_too]
    assert (number.others, number.alert_id) == ((), mine.alert_id)
    assert MA not in said_to(az)

    az.say(number, "ACKNOWLEDGED")
    az.say(number, "ACCEPTED")
    ma.say(names, "DECLINED", reason="EVIDENCE_TOO_WEAK")
    ma.say(number, "ACCEPTED")
    for desk in desks:
        desk.link("NAME", State.DECLINED)
        desk.link("DOCUMENT_NUMBER", State.AGREED)
    known = az.link("DOCUMENT_NUMBER", State.AGREED)
    assert [(one.agency, one.member, one.reference) for one in known.others] == [(MA, "MA", "MA-9")]
    assert feed(hub, "MA", mine.alert_id) == [], "content moved without its author"

    az.relay.close()
    done = agency(hub, "links", "share", known.link_id, "--send", "--wait", "--version", "1", "--json")
    (said,) = json.loads(done.stdout)["alerts"]
    assert (said["outcome"], said["version"]) == ("ADMITTED", 2), done.stderr
    until("MA has the widened alert", lambda: feed(hub, "MA", mine.alert_id))
    assert feed(hub, "AZ", theirs_too[0].alert_id) == []


def said_to(desk: Desk) -> str:
    """Everything that the hub said about links to one agency."""
    return str(desk.publisher.outbox.db.execute("select notice from link_notices").fetchall())


def feed(hub: Hub, member: str, alert_id: str) -> list[Any]:
    """What a member reads about an alert."""
    read = hub.read(hub.names.feed(member, "person"), f"edge.{member.lower()}")
    return [item for item in read if (item.key or b"").endswith(alert_id.encode())]
