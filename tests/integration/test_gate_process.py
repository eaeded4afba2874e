"""The gate as a process of its own, on a real broker, under the rights of the catalogue: every bad input, and kills."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from manara.kafka import producer
from schemas import message
from streams.gate import blocks, quarantine
from tests.support.alerts import Author
from tests.support.bad_inputs import CASES, Bench, Case, Sent, sent
from tests.support.hub import Hub, now, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def hub(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A gate at work, for all tests here: what one of them sends disturbs no other."""
    made = Hub.build(kafka, tmp_path_factory.mktemp("hub"))
    made.start("gate")
    yield made
    made.close()


def admitted(hub: Hub) -> list[Any]:
    """Every item of every block."""
    return [item for read in hub.read(hub.names.admitted) for item in blocks.read(read.value or b"")["admitted"]]


def more(hub: Hub, than: int) -> bool:
    """Whether more is admitted than before."""
    return len(admitted(hub)) > than


def verdicts(hub: Hub, agency: str) -> list[Any]:
    """What an agency is told, read by the agency itself and verified."""
    found: list[Any] = []
    for read in hub.read(hub.names.status(agency), agency):
        schema, record, _ = message.open_record(
            read.value, read.headers, directory=hub.net.directory, at=read.time, holders={"hub.gate"}
        )
        found += record["verdicts"] if schema.name == "verdict" else []
    return found


def verdict_on(hub: Hub, agency: str, digest: str) -> Any:
    """The verdict on a message, as soon as it is there."""
    return until(
        "the author has a verdict", lambda: next((v for v in verdicts(hub, agency) if v["digest"] == digest), None)
    )


@pytest.fixture(scope="module")
def outcome(hub: Hub) -> dict[str, tuple[Sent, Sent]]:
    """Every bad input sent, each followed by a good alert: (bad, following) by the name of the case."""
    bench, made, following = Bench(hub.net, now()), {}, Author.of("az-customs")
    for case in CASES:
        *before, bad = case.make(bench)
        good = sent(following.write(now=bench.now))
        for message_ in before:  # partitions are not read in any order between them
            hub.send([message_])
            assert verdict_on(hub, message_.agency, message_.digest)["outcome"] == "ADMITTED"
        hub.send([bad, good])
        made[case.name] = (bad, good)
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_each_bad_input_is_refused_kept_and_told_and_the_next_alert_goes_on(
    case: Case, hub: Hub, outcome: dict[str, tuple[Sent, Sent]]
) -> None:
    """As against the stage, but from the agency's client to the agency's status topic, through the broker."""
    bad, good = outcome[case.name]
    assert verdict_on(hub, "az-customs", good.digest)["outcome"] == "ADMITTED"

    def kept() -> Any:
        found = [quarantine.read(read.value or b"") for read in hub.read(hub.names.quarantine)]
        return next((each for each in found if _is(each, bad)), None)

    record = until("quarantine holds the original bytes", kept)
    assert (record["reason"], record["agency"]) == (case.reason, bad.agency)
    assert [(field["name"], field["value"]) for field in record["headers"]] == bad.headers
    told = [v for v in verdicts(hub, bad.agency) if v["source"] == record["source"]]
    assert [(v["outcome"], v["reason"], v["digest"]) for v in told] == [("REFUSED", case.reason, bad.digest)]
    assert bad.digest not in [item["digest"] for item in admitted(hub) if item["offset"] == record["source"]["offset"]]


def _is(kept: Any, bad: Sent) -> bool:
    return bool((kept["key"], kept["value"], len(kept["headers"])) == (bad.key, bad.value, len(bad.headers)))


def test_a_copied_alert_id_from_another_agency_disturbs_nothing(hub: Hub) -> None:
    """Both are admitted; the first one's author hears nothing of the second."""
    bench = Bench(hub.net, now())
    first = bench.person("az-police")
    copy = bench.person("eg-police", alert_id=first["header"]["alert_id"])
    ours, theirs = sent(bench.author().seal(first)), sent(bench.author("eg-police").seal(copy))
    hub.send([ours, theirs])
    assert verdict_on(hub, "az-police", ours.digest)["outcome"] == "ADMITTED"
    assert verdict_on(hub, "eg-police", theirs.digest)["outcome"] == "ADMITTED"
    assert theirs.digest not in [v["digest"] for v in verdicts(hub, "az-police")]


def test_a_message_that_inflates_to_two_megabytes_is_refused_and_kept_in_part(hub: Hub) -> None:
    """Its record in the quarantine would be larger than a producer takes; the gate goes on to what stands behind it."""
    inlet = hub.names.inlet("kz-border")
    large = producer(hub.settings("kz-border").kafka, message_max_bytes=5_000_000, batch_size=5_000_000)
    errors: list[KafkaError | None] = []
    large.produce(inlet, bytes(2_000_000), b"large", 0, on_delivery=lambda error, _: errors.append(error))
    assert (large.flush(20), errors) == (0, [None])
    good = sent(Author.of("kz-border").write("route", now=now()))
    hub.send([good])
    assert verdict_on(hub, "kz-border", good.digest)["outcome"] == "ADMITTED"
    kept = [quarantine.read(read.value or b"") for read in hub.read(hub.names.quarantine)]
    (record,) = [each for each in kept if each["source"]["topic"] == inlet]
    assert (record["reason"], record["key"]) == ("TOO_LARGE", b"large")
    assert record["value"] == bytes(quarantine.MAX_KEPT // 2)


def test_a_write_to_another_agency_s_inlet_is_refused_by_the_broker(hub: Hub) -> None:
    """Rights are literal: the gate never sees it."""
    errors: list[KafkaError | None] = []
    client = producer(hub.settings("az-police").kafka)
    client.produce(hub.names.inlet("eg-police"), b"x", b"x", on_delivery=lambda error, _: errors.append(error))
    client.flush(20)
    assert [error.code() for error in errors if error] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def test_hostile_headers_and_keys_do_not_stop_the_gate(hub: Hub) -> None:
    """A name that is no Unicode or has a NUL, a hundred headers, a key of 100 KB: the next alert goes on."""
    bench, author = Bench(hub.net, now()), Author.of("ma-customs")
    hub.send(
        [
            Sent("ma-customs", b"k", b"\x00", [("a\x00b", b"x"), ("", b"")]),
            Sent("ma-customs", b"k", b"\x00", [(f"h{number}", b"x") for number in range(100)]),
            Sent("ma-customs", b"\xff" * 100_000, b"", []),
        ]
    )
    good = sent(author.write(now=bench.now))
    hub.send([good])
    assert verdict_on(hub, "ma-customs", good.digest)["outcome"] == "ADMITTED"
    assert len([v for v in verdicts(hub, "ma-customs") if v["outcome"] == "REFUSED"]) == 3


def test_a_kill_loses_nothing_admits_nothing_twice_and_re_sends_are_admitted_again(
    kafka: Broker, tmp_path: Path
) -> None:
    """Kill -9 in the middle of a stream, then everything once more, as an outbox does after a lost cluster."""
    hub = Hub.build(kafka, tmp_path)
    try:
        author, time = Author.of("az-police"), now()
        messages = [sent(author.write(now=time)) for _ in range(600)]
        hub.start("gate")
        for start in range(0, 600, 100):
            hub.send(messages[start : start + 100])
            until("some more are admitted", partial(more, hub, start))
            if start in (100, 300):
                hub.kill("gate")
                hub.start("gate")
        until("all are admitted", lambda: len(admitted(hub)) >= 600)
        hub.send(messages)
        until("all are told again", lambda: sum(v["again"] for v in verdicts(hub, "az-police")) >= 600)
        found = Counter(item["digest"] for item in admitted(hub))
        assert found == Counter(each.digest for each in messages)
        assert hub.read(hub.names.quarantine) == []
    finally:
        hub.close()


def test_the_gate_s_log_names_no_person(hub: Hub, outcome: dict[str, tuple[Sent, Sent]]) -> None:
    """Ids and counts only: no name, no narrative, no document number."""
    lines = (hub.folder / "hub.gate.log").read_text()
    assert json.loads(lines.splitlines()[-1])
    for secret in ("Tural", "Invented for a test", "P00000001", "HYPERLINK"):
        assert secret not in lines
