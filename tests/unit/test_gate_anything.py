"""The gate and whatever a stranger can write: it never raises, and each record is admitted or refused exactly once."""

from __future__ import annotations

import functools

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import message
from streams.engine.contract import Record
from tests.support.alerts import Author
from tests.support.directories import Network, network
from tests.support.gates import Desk, Inlets

AGENCIES = ("az-police", "eg-police")


@functools.cache
def net() -> Network:
    """Made once: certificates cost time."""
    return network()


@functools.cache
def valid(number: int) -> message.Sealed:
    """Some valid messages of both agencies."""
    author = Author.of(AGENCIES[number % 2])
    author.written = number
    return author.write(("person", "route", "transfer")[number % 3])


names = st.sampled_from(["sig", "hub", "trace", "at", "", "SIG"])
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=12)), max_size=4)
raw = st.tuples(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=60), headers)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """A valid message with some bytes exchanged, in its value or in one of its headers, or with headers added."""
    sealed = valid(draw(st.integers(0, 7)))
    parts = [bytearray(sealed.value), *(bytearray(value) for _, value in sealed.headers)]
    for _ in range(draw(st.integers(0, 2))):
        part = parts[draw(st.integers(0, len(parts) - 1))]
        at, cut = draw(st.integers(0, len(part))), draw(st.integers(0, 2))
        part[at : at + cut] = draw(st.binary(max_size=2))
    value, *rest = (bytes(part) for part in parts)
    kept: list[tuple[str, bytes | None]] = [(name, new) for (name, _), new in zip(sealed.headers, rest, strict=True)]
    return sealed.key, value, kept + draw(headers)


@given(st.lists(st.tuples(st.sampled_from(AGENCIES), st.integers(0, 1), raw | mutated()), min_size=1, max_size=25))
@settings(deadline=None, max_examples=150)
def test_whatever_arrives_is_admitted_or_refused_exactly_once(
    plan: list[tuple[str, int, tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]],
) -> None:
    """One verdict a record, at the agency whose inlet it is; quarantine for each refusal; one item for each alert."""
    desk, inlets, batch = Desk(net()), Inlets(), list[Record]()
    for agency, partition, (key, value, given_headers) in plan:
        batch.append(inlets.record(agency, key, value, given_headers, partition=partition))
    answer = desk.judge(*batch)
    places = [(r.topic, r.partition, r.offset) for r in batch]
    told = [v for found in answer.verdicts.values() for v in found]
    sources = [(v["source"]["topic"], v["source"]["partition"], v["source"]["offset"]) for v in told]
    assert sorted(sources) == sorted(places)
    refused = [v for v in told if v["outcome"] == "REFUSED"]
    assert len(answer.quarantined) == len(refused)
    assert len(answer.admitted) == len([v for v in told if v["outcome"] == "ADMITTED" and not v["again"]])
    assert not [kept for kept in answer.quarantined if kept["reason"] == "UNREADABLE"], "a defect of ours"
    originals = {valid(number).value for number in range(8)}
    assert {item["value"] for item in answer.admitted} <= originals, "nothing that was changed is admitted"
    ends = {(p["topic"], p["partition"]): p["next_offset"] for block in answer.blocks for p in block["positions"]}
    assert ends == inlets_end(batch)


def inlets_end(batch: list[Record]) -> dict[tuple[str, int], int]:
    """Where each source ends."""
    return {(record.topic, record.partition): record.offset + 1 for record in batch}
