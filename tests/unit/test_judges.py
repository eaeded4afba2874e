"""Judging in bulk says the same as judging alone, and ends its processes."""

from __future__ import annotations

import pytest

from consumers import judges
from consumers.judges import Judges
from consumers.judging import Message, judge
from tests.support.alerts import Author
from tests.support.directories import NOW, network
from tests.support.entries import notice, sent

NET = network().directory


def feed(count: int) -> list[tuple[str, Message]]:
    """Good alerts, ends and notices, and bad ones between them."""
    author, made = Author.of("az-police"), []
    for _ in range(count // 4):
        first = author.write()
        good = [sent(first), sent(author.follow(first, "CANCEL")), notice("az-police", first.alert_id, 3)]
        bad = good[0]._replace(value=(good[0].value or b"")[:-1] + b"X")
        made += [("person", one) for one in (*good, bad)]
    return made


def test_several_processes_say_what_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, facts, refusals, bytes: all the same."""
    monkeypatch.setattr(judges, "BATCH", 8)
    sent_ones = feed(40)
    bulk = Judges(2, bulk=True)
    try:
        found = bulk.judge(sent_ones, NET, NOW)
        assert bulk.far_behind
        assert found == [judge(message, kind, NET, NOW) for kind, message in sent_ones]
        later = network(2, keys={"az-police": None}).directory
        assert bulk.judge(sent_ones, later, NOW) == [judge(message, kind, later, NOW) for kind, message in sent_ones]
    finally:
        bulk.close()


def test_it_begins_after_some_full_batches_and_ends_with_the_first_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little waits: nobody starts processes for it."""
    monkeypatch.setattr(judges, "BATCH", 4)
    sent_ones = feed(4)
    bulk = Judges(2)
    limits = []
    for _ in range(judges.PATIENCE - 1):
        bulk.judge(sent_ones, NET, NOW)
        limits.append(bulk.limit)
    assert limits == [4] * (judges.PATIENCE - 1)
    bulk._full += 1
    assert bulk.limit == judges.BULK_BATCH
    bulk.judge(sent_ones[:3], NET, NOW)
    assert bulk.limit == 4
    bulk.close()


def test_one_core_judges_alone() -> None:
    """Processes would only cost."""
    assert not Judges(1, bulk=True).far_behind


def test_a_workers_answers_are_made_whole_again() -> None:
    """The worker's own code, in this process."""
    judges._state["directory"] = NET
    sent_ones = feed(8)
    answers = judges._judge_part([(kind, tuple(message)) for kind, message in sent_ones], NOW)
    whole = [judges._whole(made, message) for made, (_, message) in zip(answers, sent_ones, strict=True)]
    assert whole == [judge(message, kind, NET, NOW) for kind, message in sent_ones]
