"""The relay on a real broker: everything is sent, in order, whatever dies; what the hub says comes back and is believed
by signature.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from manara.errors import BrokerError, InUseError
from producers import standing
from producers.outbox import BULK, LIVE, Outbox
from producers.publisher import Publisher
from producers.relay import Relay
from schemas import message, registry
from tests.support.agency import Party, digest_of, receipt, until, wanted
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration


@pytest.fixture
def party(kafka: Broker, tmp_path: Path) -> Party:
    """An agency with topics of its own."""
    return Party.make(kafka, tmp_path)


@pytest.fixture
def publisher(party: Party) -> Iterator[Publisher]:
    """Its publisher."""
    with party.publisher() as made:
        yield made


def publish(publisher: Publisher, count: int, *, bulk: bool = False) -> list[str]:
    """Accept `count` alerts and give back their digests in order."""
    alerts = [("person", wanted(national_ref=f"R-{number}"), "ALL") for number in range(count)]
    accepted = publisher.publish_many(alerts, bulk=bulk)
    return [one.digest for one in accepted]


def test_everything_accepted_is_sent_in_order_of_number_in_each_partition(party: Party, publisher: Publisher) -> None:
    """600 live and 1,200 bulk alerts: each partition holds its own, in order, with sequence and chain unbroken."""
    live, bulk = publish(publisher, 600), publish(publisher, 1200, bulk=True)
    relay = party.relay(publisher)
    until(lambda: publisher.outbox.waiting()[0] == 0, "all is sent", relay.step)
    relay.close()
    assert [digest_of(item) for item in party.arrived(600, LIVE)] == live
    records = party.arrived(1200, BULK)
    assert [digest_of(item) for item in records] == bulk
    previous = ""
    for sequence, item in enumerate(records, 1):
        headers = cast("message.Headers", item.headers())
        opened = message.authenticate(
            item.key(), item.value(), headers, directory=party.net.directory, at=item.timestamp()[1] * 1000
        )
        hub = message.open_audience(headers, message.interpret(opened, item.key() or b"").header)
        assert (hub["sequence"], hub["previous"]) == (sequence, previous)
        previous = opened.digest


def test_verdicts_and_receipts_come_back_by_signature_and_are_said_per_member(
    party: Party, publisher: Publisher
) -> None:
    """The hub admits one and refuses one; an edge says STORED; forged records of both change nothing."""
    good, bad = publish(publisher, 2)
    agency = party.settings.agency
    refusal: dict[str, Any] = {"outcome": "REFUSED", "reason": "EXPIRED", "remedy": "Publish it again.", "errors": []}
    party.verdicts([good, bad], holder="edge.tr", outcome="REFUSED", reason="TOO_LARGE")  # not the edge's to say
    party.verdicts([good])
    party.verdicts([bad], **refusal)
    routed = {"issuer": "hub.route", "member": "", "agency": agency, "receipts": [receipt(good, "ROUTED", count=5)]}
    party.say("receipt", routed, "hub.route")
    stored = {"issuer": "edge.tr", "member": "TR", "agency": agency, "receipts": [receipt(good, "STORED")]}
    party.say("receipt", {**stored, "member": "EG"}, "edge.tr")  # TR's edge speaks for EG: not believed
    party.say("receipt", stored, "edge.tr")
    relay = party.relay(publisher)
    alert = standing.by_number(publisher.outbox, [1])[0].alert_id
    until(lambda: bool(standing.find(publisher.outbox, alert)[0].members), "TR's receipt is in the outbox", relay.step)
    relay.close()
    first, second = standing.by_number(publisher.outbox, [1, 2])
    assert (first.stage, first.feeds, [m.member for m in first.members]) == ("STORED", 5, ["TR"])
    assert (second.stage, second.reason, second.remedy) == ("REFUSED", "EXPIRED", "Publish it again.")


def test_wait_carries_the_outbox_and_gives_back_what_the_hub_said(party: Party, publisher: Publisher) -> None:
    """`publish` then `wait` needs no relay process."""
    (digest,) = publish(publisher, 1)
    party.verdicts([digest])
    (found,) = publisher.wait(timeout=30)
    assert (found.outcome, found.digest) == ("ADMITTED", digest)


def test_a_verdict_on_a_message_that_nobody_here_signed_is_kept_as_a_stranger(
    party: Party, publisher: Publisher
) -> None:
    """An agency learns that somebody uses its name."""
    party.verdicts(["ab" * 32], outcome="REFUSED", reason="BAD_SIGNATURE")
    relay = party.relay(publisher)
    until(lambda: standing.totals(publisher.outbox)["STRANGERS"] == 1, "the stranger is noted", relay.step)
    relay.close()


def test_a_topic_made_anew_is_told_everything_that_has_not_ended(party: Party, publisher: Publisher) -> None:
    """Losing the cluster costs delay, not alerts: all but the refused one are sent again, in order."""
    digests = publish(publisher, 20)
    relay = party.relay(publisher)
    until(lambda: publisher.outbox.waiting()[0] == 0, "all is sent", relay.step)
    party.verdicts([digests[3]], outcome="REFUSED", reason="EXPIRED")
    until(lambda: standing.totals(publisher.outbox).get("REFUSED") == 1, "the refusal is known", relay.step)
    relay.close()
    party.remake_inlet()
    relay = party.relay(publisher)
    until(
        lambda: publisher.outbox.fact("inlet") is not None and _sent_again(publisher.outbox) == 19,
        "sent again",
        relay.step,
    )
    relay.close()
    assert [digest_of(item) for item in party.arrived(19)] == [*digests[:3], *digests[4:]]


def _sent_again(outbox: Outbox) -> int:
    row = outbox.db.execute("select count(*) from messages where sends = 2").fetchone()
    assert row is not None
    return int(str(row[0]))


def test_one_relay_an_outbox(party: Party, publisher: Publisher) -> None:
    """The second is told who holds the lock."""
    relay = party.relay(publisher)
    with pytest.raises(InUseError, match=str(os.getpid())):
        party.relay(publisher)
    relay.close()


def test_a_wrong_password_is_said_in_words(party: Party, publisher: Publisher) -> None:
    """The delivery report would only ever say that it took too long."""
    publish(publisher, 1)
    wrong = party.settings.kafka.model_copy(update={"password": SecretStr("not-the-password")})
    relay = Relay.open(party.settings.model_copy(update={"kafka": wrong}), publisher.outbox)
    with pytest.raises(BrokerError, match="does not accept the user"):
        until(lambda: False, "never", relay.step)
    relay.close()
    assert publisher.outbox.waiting() == (1, 0)


WORKER = """
import sys
from pathlib import Path
from manara.settings import Settings
from manara import process
from producers import relay
sys.exit(process.run(relay.run, name="relay", settings=Settings.load(Path(sys.argv[1]))))
"""


def start_relay(party: Party) -> subprocess.Popen[bytes]:
    """A relay in a process of its own."""
    config = party.write_config()
    return subprocess.Popen([sys.executable, "-c", WORKER, str(config)], cwd=Path(__file__).parents[2])


def _sent_down_to(outbox: Outbox, mark: int) -> bool:
    return outbox.waiting()[0] <= mark


def test_kill_9_of_the_relay_in_mid_send_loses_nothing(party: Party, publisher: Publisher) -> None:
    """Killed again and again while it sends: every alert reaches the inlet, first copies in order."""
    digests = publish(publisher, 4000, bulk=True)
    killed = 0
    for mark in (3900, 3000, 1500):
        worker = start_relay(party)
        until(functools.partial(_sent_down_to, publisher.outbox, mark), "it sends")
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
        killed += publisher.outbox.waiting()[0] > 0
    worker = start_relay(party)
    until(lambda: publisher.outbox.waiting()[0] == 0, "all is sent")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert killed, "no kill fell into the sending: the test proves nothing"
    firsts = list(dict.fromkeys(digest_of(item) for item in party.arrived(4000, BULK)))
    if len(firsts) < len(digests):  # copies came before the last firsts: read on
        from confluent_kafka import Consumer, TopicPartition

        reader = Consumer({**party.broker.client(), "group.id": "unused"})
        _, end = reader.get_watermark_offsets(TopicPartition(party.inlet, BULK), timeout=10)
        reader.close()
        firsts = list(dict.fromkeys(digest_of(item) for item in party.arrived(end, BULK)))
    assert firsts == digests


def test_a_damaged_row_is_never_sent_and_shows(party: Party, publisher: Publisher) -> None:
    """One flipped bit in a spooled message: it stays here, the others go."""
    publish(publisher, 3)
    value = publisher.outbox.db.execute("select value from messages where number = 2").fetchone()
    assert value is not None
    flipped = bytearray(value[0])
    flipped[20] ^= 1
    publisher.outbox.db.execute("update messages set value = ? where number = 2", (bytes(flipped),))
    relay = party.relay(publisher)
    until(lambda: publisher.outbox.waiting() == (0, 1), "the good ones are sent", relay.step)
    relay.close()
    assert standing.by_number(publisher.outbox, [2])[0].stage == "DAMAGED"
    assert registry.by_name("person").id == 10100
    assert len(party.arrived(2)) == 2
