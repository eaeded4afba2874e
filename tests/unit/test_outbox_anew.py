# ruff: noqa: F811 - fixtures of another file
"""A cluster made anew: what is sent again, and what its hub does not take back is said to the author."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producers import anew
from producers.composing import Draft
from producers.outbox import LIVE, Ack, Outbox
from producers.validity import LOG_TIME
from tests.support.agency import verdict
from tests.support.directories import DAY, NOW
from tests.unit.test_agency_commands import Run, net, run, settings  # noqa: F401 - fixtures
from tests.unit.test_outbox import KEY, draft, open_box, take


@pytest.fixture
def outbox(tmp_path: Any) -> Any:
    """An empty outbox."""
    made = open_box(tmp_path)
    yield made
    made.close()


def successor(number: int, version: int, message: str, **changes: Any) -> Draft:
    """The next version of the number-th alert, as a draft."""
    made = draft(number, **changes)
    made.header.update(version=version, message=message)
    made.fixed_id = True
    return made


def extended(outbox: Outbox) -> list[str]:
    """An alert of one day, extended, and another one withdrawn; all of it admitted. The digests, in order."""
    accepted = [
        *outbox.accept([draft(1, expires_at="+1d"), draft(2, expires_at="+1d")], KEY, partition=LIVE, now=NOW),
        *outbox.accept([successor(1, 2, "EXTEND")], KEY, partition=LIVE, now=NOW),
        *outbox.accept([successor(2, 2, "UPDATE")], KEY, partition=LIVE, now=NOW),
        *outbox.accept([ended(2, 3, "WITHDRAW")], KEY, partition=LIVE, now=NOW),
        *outbox.accept([draft(3, expires_at="+1d")], KEY, partition=LIVE, now=NOW),
    ]
    outbox.settle("c", "one", NOW)
    outbox.acknowledge([Ack(one.number, one.number) for one in accepted], "one", NOW)
    take(outbox, [verdict(one.digest) for one in accepted])
    return [one.digest for one in accepted]


def ended(number: int, version: int, message: str) -> Draft:
    """The end of the number-th alert, as a draft."""
    made = successor(number, version, message)
    header = {**made.header, "narrative": [], "other_channels": [], "annex_digests": [], "references": []}
    made.record = {"header": header, "kind": "person", "reason": "WITHDRAWN", "note": ""}
    return made


def test_an_alert_is_sent_to_a_new_cluster_with_all_its_versions(outbox: Outbox) -> None:
    """A successor alone would be unknown: with it goes what has run out by itself, and with an end what it ends."""
    extended(outbox)
    assert outbox.settle("c", "two", NOW + 2 * DAY) == 5
    assert [item.number for item in outbox.pending(LIVE, 0, 10)] == [1, 2, 3, 4, 5]


def test_what_a_hub_made_anew_does_not_take_back_is_said_until_it_is_published_anew(outbox: Outbox) -> None:
    """Refused for its first version's expiry: named with what to do, also after a third cluster, not before."""
    digests = extended(outbox)
    assert anew.lost(outbox, NOW) == []
    outbox.settle("c", "two", NOW + 2 * DAY)
    assert anew.lost(outbox, NOW + 2 * DAY) == []
    late = {"outcome": "REFUSED", "at": NOW + 2 * DAY}
    refused = [verdict(digest, reason="EXPIRED", **late) for digest in digests[:2]]
    take(outbox, refused + [verdict(digest, reason="UNKNOWN_ALERT", **late) for digest in digests[2:5]], offset=1)
    outbox.settle("c", "three", NOW + 2 * DAY)
    first, second = anew.lost(outbox, NOW + 2 * DAY)
    assert (first.message, second.message) == ("EXTEND", "WITHDRAW")
    assert first.sentence.startswith(f"must be published anew: person {first.alert_id} R-1: ")
    assert second.sentence.startswith("its WITHDRAW must reach members in another way: person ")
    assert [one.message for one in anew.lost(outbox, NOW + 200 * DAY)] == ["WITHDRAW"], "what has expired is over"
    outbox.accept([successor(1, 1, "ALERT")], KEY, partition=LIVE, now=NOW + 3 * DAY)
    assert [one.message for one in anew.lost(outbox, NOW + 3 * DAY)] == ["WITHDRAW"]


def test_a_new_hub_that_takes_everything_back_leaves_nothing_to_say(outbox: Outbox) -> None:
    """Admitted again, whatever was refused elsewhere."""
    digests = extended(outbox)
    outbox.settle("c", "two", NOW)
    take(outbox, [verdict(digest) for digest in digests], offset=1)
    assert anew.lost(outbox, NOW) == []


@pytest.mark.usefixtures("settings")
def test_status_says_in_words_what_must_be_published_anew(outbox: Outbox, run: Run) -> None:
    """In the overview, at the alert itself, and for machines."""
    digests = extended(outbox)
    outbox.settle("c", "two", NOW + 2 * DAY)
    take(outbox, [verdict(digest, outcome="REFUSED", reason="EXPIRED") for digest in digests], offset=1)
    outbox.db.execute("insert into facts values (?, ?)", (LOG_TIME, NOW + 2 * DAY))
    for words in (("status",), ("status", "R-1")):
        assert "must be published anew: person" in run("--config", "manara.toml", *words).out
    assert [
        one["message"] for one in json.loads(run("--config", "manara.toml", "status", "--json").out)["publish_anew"]
    ] == ["EXTEND", "WITHDRAW"]


@pytest.mark.usefixtures("settings")
def test_words_of_other_parties_cannot_steer_the_terminal(outbox: Outbox, run: Run) -> None:
    """A remedy, a rule's path, a member's reason and a notice with control and direction characters in them."""
    evil = "x\x1b[2Jx\rx\u202ex"
    first, second = outbox.accept([draft(1), draft(2)], KEY, partition=LIVE, now=NOW)
    bad = {"remedy": evil, "reason": evil, "errors": [{"path": evil, "rule": evil}]}
    take(outbox, [verdict(first.digest, outcome="REFUSED", **bad), verdict(second.digest)])
    outbox.db.execute("insert into receipts values (?, 'TR', 'FAILED', 1, ?, null)", (second.digest, evil))
    outbox.db.execute("insert into notices values ('i', 0, 0, 'SEQUENCE_GAP', ?, 1, 1, 1)", (evil,))
    for words in (("status",), ("status", "R-1"), ("status", "R-2")):
        said = run("--config", "manara.toml", *words).out
        assert "x\\x1b[2Jx\\rx\\u202ex" in said
        assert not set("\x1b\r\u202e") & set(said)
