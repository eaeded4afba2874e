"""The heartbeat: believed from the hub alone, forward alone; and since when a desk is cut off."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.heartbeat import SILENCE, Beat, disconnected_since, newest
from consumers.judging import Message
from consumers.keywatch import own_changes, remembered
from schemas import directory as rules
from schemas import message, registry
from tests.support.directories import DAY, NOW, key_of, network

DIRECTORY = network().directory


def beat(sequence: int, at: int, holder: str = "hub.clock", name: str = "heartbeat", **record: Any) -> Message:
    """A signed heartbeat as it comes from Kafka."""
    record = record or {"at": at, "sequence": sequence}
    value, headers = message.sign_record(registry.by_name(name), record, key_of(holder))
    return Message("sys.heartbeat", "aa", 0, sequence, NOW, None, value, tuple(headers))


def test_the_newest_heartbeat_counts() -> None:
    """Whatever came in one look."""
    assert newest([beat(1, NOW), beat(2, NOW + 5)], None, DIRECTORY, NOW + 9) == Beat(2, NOW + 5, NOW + 9)


def test_a_replayed_heartbeat_is_no_sign_of_life() -> None:
    """A hub that stands still cannot be made to look alive."""
    last = Beat(2, NOW + 5, NOW + 9)
    assert newest([beat(1, NOW), beat(2, NOW + 5)], last, DIRECTORY, NOW + DAY) is None


@pytest.mark.parametrize("holder", ["az-police", "edge.az", "hub.gate", "hub.route", "hub.receipts"])
def test_nobody_else_can_beat(holder: str) -> None:
    """Time for expiry comes from the hub."""
    assert newest([beat(1, NOW, holder)], None, DIRECTORY, NOW) is None


def test_garbage_between_heartbeats_is_stepped_over() -> None:
    """A bad record does not hide a good one."""
    bad = beat(1, NOW)._replace(value=b"\x00\x01")
    assert newest([bad, beat(2, NOW + 5), bad._replace(value=None)], None, DIRECTORY, NOW) is not None


@pytest.mark.parametrize(
    ("edge", "hub", "since"),
    [
        (NOW, NOW, None),
        (NOW, NOW - SILENCE, None),
        (NOW, NOW - SILENCE - 1, NOW - SILENCE - 1),
        (NOW - DAY, NOW - 2 * DAY, NOW - 2 * DAY),
        (NOW - DAY, NOW - DAY, NOW - DAY),
        (0, 0, 0),
        (NOW, 0, 0),
    ],
)
def test_since_when_a_desk_is_cut_off(edge: int, hub: int, since: int | None) -> None:
    """The edge does not run, or the hub is silent; 0 where it was never connected."""
    assert disconnected_since(edge, hub, NOW) == since


def test_a_change_of_our_own_keys_is_seen_and_nobody_elses() -> None:
    """Added, removed, changed; a first directory is no change."""
    before, after = (
        network(1),
        network(2, keys={"az-police": None, "az-customs": {"compromised_since": NOW}, "eg-police": None}),
    )
    assert own_changes(None, after.directory, "AZ") == []
    assert own_changes(before.directory, before.directory, "AZ") == []
    forth = own_changes(before.directory, after.directory, "AZ")
    assert [(one.event, one.holder, one.detail) for one in forth] == [
        ("REMOVED", "az-police", ""),
        ("CHANGED", "az-customs", "compromised_since"),
    ]
    back = own_changes(after.directory, before.directory, "AZ")
    assert [(one.event, one.holder) for one in back] == [("ADDED", "az-police"), ("CHANGED", "az-customs")]


def test_a_revocation_outlives_restarts_whatever_the_hub_shows_then() -> None:
    """An older snapshot, and one without the key, are each kept over a restart: the revoked key stays revoked."""
    old = network(1)
    news: dict[str, Any] = {"az-police": {"compromised_since": NOW, "sequence": 2}}
    kid = key_of("az-police").kid
    kept, latest = old.record, rules.read(old.record, old.pins)[0]
    for shown in (network(2, keys=news), old, network(3, keys={"az-police": None}), old, old):
        latest, before = rules.read(shown.record, old.pins, latest)[0], latest
        kept = remembered(kept, before, shown.record)
        latest, refused = rules.read(kept, old.pins)  # a restart: nothing is known but what was kept
        assert (latest.keys[kid].sequence, latest.keys[kid].compromised_since, refused) == (2, NOW, ())
    assert len(kept["keys"]) == len(old.record["keys"]) + 1
