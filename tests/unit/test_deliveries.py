"""What the inbox remembers about one sink."""

from __future__ import annotations

from pathlib import Path

from consumers.deliveries import Deliveries, Parked
from consumers.inbox import Inbox
from tests.support.alerts import Author
from tests.support.directories import NOW
from tests.support.entries import accepted, notice, sent


def test_a_notice_that_was_set_aside_leaves_no_receipt_behind(tmp_path: Path) -> None:
    """It has no author who waits for one; a receipt that is due and never made would cost a write every second."""
    with Inbox.open(tmp_path) as inbox:
        both = [accepted(sent(Author.of("az-police").write())), accepted(notice("az-police", "an-id", 2))]
        inbox.take(both, now=NOW)
        work = Deliveries(inbox.db, "postgres", primary=True)
        for number in (1, 2):
            work.park(Parked(number, 1, NOW), "no")
        work.settle(1)
        work.settle(2)
        work.bury(2, 5, "never", NOW)
        assert inbox.db.execute("select number, stage from due_receipts").fetchall() == [(1, "STORED")]
