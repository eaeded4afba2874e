"""Whose time is it? Where an inlet has the writers' time, nobody gains by it: the hub stops until it is put right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka.admin
import pytest

from manara import kafka as clients
from manara.administration import Administrator
from schemas import message
from streams.engine.errors import Exit
from tests.support.alerts import Author
from tests.support.bad_inputs import Sent, sent
from tests.support.directories import SECOND
from tests.support.hub import Hub, now, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration
kafka_admin: Any = confluent_kafka.admin
HOUR = 3600 * SECOND


@pytest.fixture
def hub(kafka: Broker, tmp_path: Path) -> Iterator[Hub]:
    """A hub of which nothing runs yet."""
    made = Hub.build(kafka, tmp_path)
    yield made
    made.close()


def let_writers_choose(hub: Hub, topic: str) -> None:
    """Set a topic as no catalogue of ours would, and wait until the broker says so itself."""
    client = clients.admin(hub.settings("admin").kafka)
    entry = kafka_admin.ConfigEntry(
        "message.timestamp.type", "CreateTime", incremental_operation=kafka_admin.AlterConfigOpType.SET
    )
    resource = kafka_admin.ConfigResource(kafka_admin.ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    next(iter(client.incremental_alter_configs([resource]).values())).result(15)
    until("the broker knows it", lambda: clients.without_log_time(client, [topic]))


def put_right(hub: Hub) -> None:
    """What `manara topics apply` does."""
    administrator = Administrator(hub.settings("admin"), hub.folder / "secrets")
    administrator.apply(administrator.plan(hub.net.directory))
    client = clients.admin(hub.settings("admin").kafka)
    inlet = hub.names.inlet("az-police")
    until("the broker knows it", lambda: not clients.without_log_time(client, [inlet]))


def doctor(hub: Hub) -> dict[str, str]:
    """What the operator is told about the log's time."""
    shown = json.loads(hub.manara("operator", "doctor", "--json").stdout)
    return next(finding for finding in shown["findings"] if finding["name"] == "log time")


def backdate(hub: Hub, made: Sent, at: int) -> None:
    """Write a message with a time of its author's choice."""
    client = hub.producer(made.agency)
    topic = hub.names.inlet(made.agency)
    client.produce(topic, made.value, made.key, 0, headers=list(made.headers), timestamp=at // 1000)
    assert client.flush(20) == 0


def outcomes(hub: Hub, agency: str) -> dict[str, tuple[str, str]]:
    """Outcome and reason by digest, as the agency reads and verifies them."""
    found: dict[str, tuple[str, str]] = {}
    for read in hub.read(hub.names.status(agency), agency):
        schema, record, _ = message.open_record(
            read.value, read.headers, directory=hub.net.directory, at=read.time, holders={"hub.gate"}
        )
        if schema.name == "verdict":
            found |= {v["digest"]: (v["outcome"], v["reason"]) for v in record["verdicts"]}
    return found


def test_an_inlet_with_its_writer_s_time_stops_the_gate_until_it_is_put_right_and_nothing_old_gets_through(
    hub: Hub,
) -> None:
    """An expired alert written into the past is refused as expired; the good one behind it is admitted."""
    inlet, author, time = hub.names.inlet("az-police"), Author.of("az-police"), now()
    let_writers_choose(hub, inlet)
    old = sent(author.write(now=time - 2 * HOUR, expires_at=time - HOUR))
    backdate(hub, old, time - 2 * HOUR + SECOND)
    assert hub.start("gate").wait(30) == Exit.CONSUME
    assert f"{inlet}: whoever writes chooses the time; run `manara topics apply`" in (
        hub.folder / "hub.gate.log"
    ).read_text().replace('\\"', '"')
    said = doctor(hub)
    assert (said["state"], inlet in said["text"]) == ("fail", True)
    assert outcomes(hub, "az-police") == {}

    put_right(hub)
    good = sent(author.write(now=now()))
    hub.send([good])
    hub.start("gate")
    until("both are judged", lambda: len(outcomes(hub, "az-police")) == 2)
    assert outcomes(hub, "az-police") == {old.digest: ("REFUSED", "EXPIRED"), good.digest: ("ADMITTED", "")}
    assert doctor(hub)["state"] == "ok"


def test_a_receipts_topic_with_its_writer_s_time_stops_the_receipts_stage(hub: Hub) -> None:
    """A key that is valid no more would be believed for ever."""
    topic = hub.names.receipts("EG")
    let_writers_choose(hub, topic)
    assert hub.start("receipts").wait(30) == Exit.CONSUME
    assert f"{topic}: whoever writes chooses the time" in (hub.folder / "hub.receipts.log").read_text()
