"""Every row of the contract's table of bad input, against the gate's stage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from manara.kafka import PRODUCER
from streams.engine.contract import Record
from tests.support.bad_inputs import AGENCY, CASES, Bench, Case, Sent, bad_network, sent
from tests.support.directories import NOW
from tests.support.gates import NAMES, Desk, Inlets

PRODUCER_LIMIT = int(str(PRODUCER["message.max.bytes"]))


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A gate over the network in which some keys are not good."""
    made = Desk(bad_network(NOW), threads=2)
    yield made
    made.close()


def arrive(inlets: Inlets, message: Sent) -> Record:
    """The message in its inlet."""
    return inlets.record(message.agency, message.key, message.value, message.headers, partition=message.partition)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_each_bad_input_is_refused_kept_and_told_and_the_next_alert_goes_on(case: Case, desk: Desk) -> None:
    """Reason as listed; original bytes and coordinates in quarantine; verdict at the author; the next one admitted."""
    bench, inlets = Bench(desk.net, NOW), Inlets()
    *before, bad = case.make(bench)
    for message in before:
        assert desk.judge(arrive(inlets, message)).admitted, "what prepares the case is good"
    record = arrive(inlets, bad)
    following = arrive(inlets, sent(bench.author("az-customs").seal(bench.person("az-customs"))))
    answer = desk.judge(record, following)

    (kept,) = answer.quarantined
    assert (kept["reason"], kept["agency"]) == (case.reason, bad.agency)
    assert (kept["key"], kept["value"]) == (bad.key, bad.value)
    assert [(field["name"], field["value"]) for field in kept["headers"]] == bad.headers
    source = kept["source"]
    assert (source["topic"], source["partition"], source["offset"]) == (record.topic, record.partition, record.offset)

    verdict = answer.verdict(bad.agency)
    assert (verdict["outcome"], verdict["reason"], verdict["again"]) == ("REFUSED", case.reason, False)
    assert verdict["digest"] == bad.digest
    assert verdict["remedy"]
    assert verdict["source"] == source

    (item,) = answer.admitted
    assert (item["agency"], item["offset"]) == ("az-customs", following.offset)
    assert answer.tally.refused == {case.reason: 1}


def test_all_bad_inputs_in_one_batch_hurt_nobody(desk: Desk) -> None:
    """Large batches are verified on threads; each message is still judged by itself."""
    bench, inlets = Bench(desk.net, NOW), Inlets()
    batch, expected = [], []
    for case in CASES:
        *before, bad = case.make(bench)
        batch += [arrive(inlets, message) for message in before]
        expected.append(case.reason)
        batch += [
            arrive(inlets, bad),
            arrive(inlets, sent(bench.author("az-customs").seal(bench.person("az-customs")))),
        ]
    answer = desk.judge(*batch)
    assert [kept["reason"] for kept in answer.quarantined] == expected
    assert len(answer.admitted) == len(batch) - len(expected)


def test_a_copied_alert_id_from_another_agency_is_another_alert(desk: Desk) -> None:
    """Identity is (agency, alert id): both are admitted, and each has its own entry."""
    bench, inlets = Bench(desk.net, NOW), Inlets()
    first = bench.person("az-police")
    copy = bench.person("eg-police", alert_id=first["header"]["alert_id"])
    answer = desk.judge(
        arrive(inlets, sent(bench.author("az-police").seal(first))),
        arrive(inlets, sent(bench.author("eg-police").seal(copy))),
    )
    assert [item["agency"] for item in answer.admitted] == ["az-police", "eg-police"]
    assert {f"{agency}/{first['header']['alert_id']}".encode() for agency in ("az-police", "eg-police")} <= set(
        desk.state
    )


def test_a_copied_message_says_nothing_to_the_agency_it_was_copied_from(desk: Desk) -> None:
    """Who copies hears of it; the author's status stays silent, so its outbox cannot be misled."""
    bench, inlets = Bench(desk.net, NOW), Inlets()
    original = sent(bench.author("eg-police").seal(bench.person("eg-police")))
    desk.judge(arrive(inlets, original))
    answer = desk.judge(inlets.record(AGENCY, original.key, original.value, original.headers))
    assert answer.verdict(AGENCY)["reason"] == "WRONG_AGENCY"
    assert list(answer.verdicts) == [AGENCY]
    assert [emit.topic for emit in answer.output.emits] == [NAMES.quarantine, NAMES.status(AGENCY)]


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"k", bytes(4_000_000), []),
        (bytes(2_000_000), b"v", []),
        (b"k", b"v", [("x", bytes(3_000_000))]),
        (b"k", b"v", [("x", b"")] * 200_000),
        (bytes(400_000), bytes(400_000), [("x", bytes(400_000))]),
    ],
    ids=["value", "key", "header", "headers", "all"],
)
def test_what_inflates_to_megabytes_is_refused_in_a_record_that_a_producer_takes(
    desk: Desk, key: bytes, value: bytes, headers: list[tuple[str, bytes]]
) -> None:
    """A few compressed KB of a stranger: a quarantine record over the client's limit would end the gate for good."""
    record = Inlets().record("az-customs", key, value, headers)
    answer = desk.judge(record)
    (kept,) = answer.quarantined
    assert all(len(emit.value or b"") + len(emit.key or b"") < PRODUCER_LIMIT for emit in answer.output.emits)
    assert "only the beginning is kept" in kept["detail"]
    assert hashlib.sha256(value).hexdigest() in kept["detail"]
    assert (value.startswith(kept["value"] or b"-"), kept["source"]["offset"]) == (True, record.offset)
