"""Answers to links on a real broker: offered, answered, confirmed; nothing is lost with a topic, and alerts never wait
for an answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.cimpl import NewTopic

from producers import answering, answers, links, relay
from producers.linking import State
from producers.publisher import Publisher
from schemas import message
from tests.support.agency import DEADLINE, Party, until, wanted
from tests.support.kafka import Broker
from tests.support.links import LINK, OTHER, match

pytestmark = pytest.mark.integration


@pytest.fixture
def party(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Party:
    """An agency with topics of its own, whose relay looks and tries again soon; no topic of answers yet."""
    monkeypatch.setattr(relay, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(answering, "PAUSE_SECONDS", 0.2)
    return Party.make(kafka, tmp_path)


@pytest.fixture
def publisher(party: Party) -> Iterator[Publisher]:
    """Its publisher."""
    with party.publisher() as made:
        yield made


def topic_of(party: Party) -> str:
    """Where the agency answers."""
    return party.names.answers(party.settings.agency)


def make_topic(party: Party) -> None:
    """As the operator makes it: compacted, one partition."""
    new = NewTopic(topic_of(party), 1, 1, config={"cleanup.policy": "compact"})
    admin = party.admin()
    admin.create_topics([new])[topic_of(party)].result()


def remake_topic(party: Party) -> None:
    """Deleted and made anew."""
    admin = party.admin()
    admin.delete_topics([topic_of(party)])[topic_of(party)].result()
    until(lambda: topic_of(party) not in admin.list_topics(timeout=10).topics, "the topic is gone")
    make_topic(party)


def arrived(party: Party, count: int) -> list[tuple[str, str]]:
    """The first `count` answers on the topic, opened as the hub does: link and answer."""
    consumer = Consumer({**party.broker.client(), "group.id": "unused", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic_of(party), 0, 0)])
    found: list[Message] = []
    deadline = time.monotonic() + DEADLINE
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} answers came"
        found += [item for item in consumer.consume(10, 0.2) if item.error() is None]
    consumer.close()
    said = []
    for item in found:
        headers = cast("message.Headers", item.headers())
        at, holders = item.timestamp()[1] * 1000, {party.settings.agency}
        schema, record, _ = message.open_record(
            item.value(), headers, directory=party.net.directory, at=at, holders=holders
        )
        assert (schema.name, item.key()) == ("answer", record["link_id"].encode())
        said.append((str(record["link_id"]), str(record["answer"])))
    return said


def alert(publisher: Publisher) -> str:
    """An alert of ours."""
    return publisher.publish("person", wanted(national_ref="R-1"), audience=["EG"]).alert_id


def test_an_offer_comes_by_signature_and_its_answer_goes_to_the_hub(party: Party, publisher: Publisher) -> None:
    """What others say in the name of the hub's links leaves nothing; every answer while the line is up is sent."""
    ours = alert(publisher)
    make_topic(party)
    for forger in ("hub.gate", "edge.ma", "ma-police"):
        party.say("notice", match("AGREED", ours, link_id="ef" * 16, **OTHER), forger)
    party.say("notice", match("OFFERED", ours), "hub.links")
    carrier = party.relay(publisher)
    until(lambda: bool(publisher.links()), "the offer is here", carrier.step)
    assert [one.link.link_id for one in publisher.links()] == [LINK], "a forged notice is believed"
    for says in ("ACKNOWLEDGED", "ACCEPTED"):
        publisher.answer(LINK, says)
        until(lambda: not answers.waiting(publisher.outbox), f"{says} is confirmed", carrier.step)
    carrier.close()
    assert arrived(party, 2) == [(LINK, "ACKNOWLEDGED"), (LINK, "ACCEPTED")]
    assert all(each.sent_at for each in links.spoken(publisher.outbox, LINK))


def test_answers_wait_for_their_topic_and_alerts_do_not(party: Party, publisher: Publisher) -> None:
    """Without the topic everything else goes on; once it is there, the last answer is sent, and again to a new one."""
    party.say("notice", match("OFFERED", alert(publisher)), "hub.links")
    carrier = party.relay(publisher)
    until(lambda: bool(publisher.links()), "the offer is here", carrier.step)
    publisher.answer(LINK, "ACKNOWLEDGED")
    publisher.answer(LINK, "DECLINED", reason="MISTAKEN_IDENTITY")
    second = publisher.publish("person", wanted(sex="MALE"), audience="ALL")
    until(lambda: publisher.outbox.waiting() == (0, 0), "the alerts are sent", carrier.step)
    assert (second.number, answers.waiting(publisher.outbox)) == (2, 1)
    make_topic(party)
    until(lambda: not answers.waiting(publisher.outbox), "the answer is confirmed", carrier.step)
    assert arrived(party, 1) == [(LINK, "DECLINED")]
    remake_topic(party)
    settled = publisher.outbox.fact("answers_topic")
    until(lambda: publisher.outbox.fact("answers_topic") != settled, "the new topic is seen", carrier.step)
    until(lambda: not answers.waiting(publisher.outbox), "it is confirmed again", carrier.step)
    carrier.close()
    assert arrived(party, 1) == [(LINK, "DECLINED")]
    (held,) = publisher.links(tuple(State))
    assert held.link.state is State.DECLINED
