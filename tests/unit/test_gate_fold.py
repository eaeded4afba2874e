"""The law of the commit record: replaying blocks gives the register that `process` made, whatever happened between."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import message
from streams.engine.contract import Record
from streams.gate import blocks, register
from tests.support.alerts import Author, person
from tests.support.directories import NOW, Network, network
from tests.support.gates import NAMES, Desk, Inlets

AGENCIES = ("az-customs", "az-police", "eg-police")
ALERTS, POOL = 12, 15


@functools.cache
def net() -> Network:
    """The usual network, made once: certificates cost time."""
    return network()


@functools.cache
def narrow() -> Network:
    """A later directory in which two members no longer take part."""
    return network(2, members={"TR": {"standing": "SUSPENDED"}, "KZ": {"subscriptions": []}})


@functools.cache
def pool(agency: str) -> tuple[message.Sealed, ...]:
    """Messages of one agency, chained: alerts, now and then one that the gate refuses, and the life of the first."""
    author = Author.of(agency)
    made = []
    for number in range(ALERTS):
        changes: dict[str, Any] = {"version": 2} if number % 5 == 4 else {}
        alert = f"0193589a-0000-7000-8000-{number:012x}"
        audience = {"mode": "LISTED", "members": ["KZ", "TR"]} if number % 3 == 0 else {}
        made.append(author.seal(person(agency, alert_id=alert, now=NOW, **changes), **audience))  # type: ignore[arg-type]
    for name, members in (("UPDATE", ["EG", "TR"]), ("SUSPEND", ["EG"]), ("WITHDRAW", ["MA"])):
        before = made[0] if name == "UPDATE" else made[-1]
        made.append(author.follow(before, name, mode="LISTED", members=members))
    return tuple(made)


# one arrival: (agency, which of its messages, partition, spoil it)
numbers = st.integers(0, POOL - 1) | st.sampled_from([0, *range(ALERTS, POOL)])
arrivals = st.tuples(st.sampled_from(AGENCIES), numbers, st.sampled_from((0, 0, 0, 1)), st.booleans())
batches = st.lists(st.lists(arrivals, min_size=1, max_size=12), min_size=1, max_size=6)


def arrive(inlets: Inlets, arrival: tuple[str, int, int, bool]) -> Record:
    """A message of the pool in its inlet, spoilt or not; the same one may come many times."""
    agency, number, partition, spoil = arrival
    sealed = pool(agency)[number]
    value = sealed.value[:-1] if spoil and number % 4 == 0 else sealed.value
    return inlets.record(agency, sealed.key, value, sealed.headers, partition=partition)


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Iterator[None]:
    """Blocks of three, so that most batches are cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MAX_MESSAGES", 3)
        yield


def process(desk: Desk, batch: list[Record]) -> list[bytes]:
    """Judge a batch, keep positions, and give its blocks as they go to the log."""
    answer = desk.judge(*batch)
    for block in answer.blocks:
        for place in block["positions"]:
            desk.move(place)
    return [emit.value or b"" for emit in answer.output.commits]


def replayed(log: list[bytes], snapshot: Network | None = None) -> Desk:
    """A new worker that has folded the log and nothing else."""
    desk = Desk(snapshot or net())
    for offset, block in enumerate(log):
        desk.replay(block, offset)
    desk.close()
    return desk


@given(batches)
@settings(deadline=None, max_examples=60)
def test_blocks_replayed_give_the_register_that_process_made(plan: list[list[tuple[str, int, int, bool]]]) -> None:
    """For any batches, with re-sends, refusals and both partitions: same entries, same chains, same positions."""
    desk, inlets, log = Desk(net()), Inlets(), list[bytes]()
    for part in plan:
        log += process(desk, [arrive(inlets, arrival) for arrival in part])
    desk.close()
    again = replayed(log)
    assert again.state == desk.state
    assert again.known == desk.known
    assert desk.known == {place: (_topic_id(place[0]), offset) for place, offset in inlets.next.items()}


@given(batches, st.data())
@settings(deadline=None, max_examples=60)
def test_a_worker_that_dies_anywhere_leaves_a_register_that_its_successor_continues(
    plan: list[list[tuple[str, int, int, bool]]], data: st.DataObject
) -> None:
    """Death between the blocks of a batch, a restore, a later directory: every record judged once, in order."""
    desk, inlets, log, queue = Desk(net()), Inlets(), list[bytes](), list[Record]()
    for part in plan:
        queue += [arrive(inlets, arrival) for arrival in part]
        made = process(desk, queue)
        written = data.draw(st.integers(0, len(made)))
        log += made[:written]
        desk.close()
        desk = replayed(log, narrow() if data.draw(st.booleans()) else net())
        queue = [r for r in queue if r.offset >= desk.next_of(r.topic, r.topic_id, r.partition)]
    log += process(desk, queue) if queue else []
    desk.close()
    items = [item for block in log for item in blocks.read(block)["admitted"]]
    places = [(item["agency"], item["partition"], item["offset"]) for item in items]
    assert len(places) == len(set(places)), "no record is admitted twice"
    assert len({item["digest"] for item in items}) == len(items), "no message is admitted twice"
    assert replayed(log).state == desk.state
    reached = _reached(items)
    for key, value in desk.state.items():
        entry = None if key.startswith(b"@") else register.read(value)
        assert entry is None or entry["reached"] == reached[key], "what was sent is what is known"


@given(batches, st.data())
@settings(deadline=None, max_examples=60)
def test_a_zombie_s_block_adds_whom_it_reached_and_changes_nothing_else(
    plan: list[list[tuple[str, int, int, bool]]], data: st.DataObject
) -> None:
    """A worker that had lost the lane judged the same records by another directory; its blocks come late."""
    owner, zombie, inlets = Desk(narrow()), Desk(net()), Inlets()
    log, late = list[bytes](), list[bytes]()
    for part in plan:
        batch = [arrive(inlets, arrival) for arrival in part]
        log += process(owner, batch)
        late += process(zombie, batch)
        zombie.state, zombie.known = dict(owner.state), dict(owner.known)
    owner.close()
    zombie.close()
    stale = data.draw(st.lists(st.sampled_from(late), max_size=4))
    merged = replayed([*log, *stale])
    assert merged.known == owner.known
    expected = _reached([item for block in [*log, *stale] for item in blocks.read(block)["admitted"]])
    for key in owner.state:
        ours, theirs = owner.state[key], merged.state[key]
        if key.startswith(b"@"):
            assert ours == theirs
            continue
        before, after = register.read(ours), register.read(theirs)
        assert before is not None
        assert after is not None
        assert after["reached"] == expected[key]
        assert set(after["left"]) <= set(before["left"]), "told anew rather than not at all"
        assert {**after, "reached": [], "left": []} == {**before, "reached": [], "left": []}


def test_a_zombie_s_alert_that_the_owner_refused_can_still_be_ended() -> None:
    """It was delivered: the register must know whom it reached, though the owner of the lane had refused it."""
    inlets, zombie = Inlets(), Desk(net())
    record = arrive(inlets, ("az-police", 0, 0, False))
    late = process(zombie, [record])
    owner = Desk(network(2, keys={"az-police": None}))
    log = process(owner, [record])
    zombie.close()
    owner.close()
    merged = replayed([*log, *late])
    entry = register.read(merged.state[pool("az-police")[0].key])
    assert entry is not None
    assert entry["reached"] == ["KZ", "TR"]


def _reached(items: list[Any]) -> dict[bytes, list[str]]:
    found: dict[bytes, set[str]] = {}
    for item in items:
        found.setdefault(message.identity(item["agency"], item["alert_id"]), set()).update(item["deliver"])
    return {key: sorted(members) for key, members in found.items()}


def _topic_id(topic: str) -> str:
    from tests.support.gates import topic_id

    assert topic.startswith(NAMES.inlet(""))
    return topic_id(topic)
