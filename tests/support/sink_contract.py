"""The laws of `consumers/sinks/contract.py`, as tests that every sink must pass."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from consumers.entry import START, Entry
from consumers.errors import SinkUnavailableError
from consumers.sinks.contract import VERBS, Sink
from schemas.recipient import STATES, Incoming, replay
from tests.support.directories import NOW
from tests.support.entries import alerts, entries, mark, mixture, story

Key = tuple[str, str, int]


class System(Protocol):
    """A national system under test."""

    def sink(self) -> Sink:
        """A new adapter to it, as after a restart of the edge."""
        ...

    def holds(self) -> list[Key]:
        """What lies in the system, repeats included: (agency, alert id, version)."""
        ...

    @property
    def forgets(self) -> bool:
        """Whether the system is the sink's to purge; False where it only hands on."""
        ...

    def state(self, agency: str, alert_id: str) -> str:
        """What the system holds of an alert: a state of `schemas/recipient.py`, "" for nothing."""
        ...

    def finds(self, text: str) -> bool:
        """Whether this text is anywhere in the system."""
        ...

    def fail(self) -> Callable[[], None]:
        """Make the system refuse everything; the function given back mends it."""
        ...


def keys(batch: Sequence[Entry]) -> list[Key]:
    """The keys of the alerts in a batch."""
    return sorted((entry.agency, entry.alert_id, entry.version) for entry in batch if entry.type == "ALERT")


class SinkContract:
    """A sink's test class inherits this one and gives the fixture `system`."""

    @pytest.fixture
    def inbox(self) -> str:
        """An inbox id."""
        return secrets.token_hex(16)

    @pytest.fixture
    def batch(self, tmp_path: Path) -> list[Entry]:
        """Alerts of all kinds and a notice."""
        return entries(mixture(9), tmp_path / "inbox")

    def test_a_fresh_system_stands_at_the_start(self, system: System, inbox: str) -> None:
        """Law 4: nothing has been delivered into it."""
        sink = system.sink()
        assert sink.open(inbox) == START
        sink.close()

    def test_what_is_delivered_is_there_and_the_cursor_behind_it(
        self, system: System, inbox: str, batch: list[Entry]
    ) -> None:
        """Laws 1 and 2: a new adapter finds the cursor, and the system holds each alert once."""
        sink = system.sink()
        sink.open(inbox)
        done = sink.deliver(batch, batch[-1].cursor)
        sink.close()
        again = system.sink()
        assert done.cursor == batch[-1].cursor
        assert again.open(inbox) == batch[-1].cursor
        again.close()
        assert system.holds() == keys(batch)

    def test_a_batch_delivered_again_has_no_second_effect(self, system: System, inbox: str, batch: list[Entry]) -> None:
        """Law 3: as after a crash between the commit and its being known."""
        sink = system.sink()
        sink.open(inbox)
        first = sink.deliver(batch, batch[-1].cursor)
        second = sink.deliver(batch, batch[-1].cursor)
        sink.close()
        assert first.effects >= len(keys(batch))
        assert second.effects == 0
        assert system.holds() == keys(batch)

    def test_batches_follow_one_another(self, system: System, inbox: str, batch: list[Entry]) -> None:
        """The cursor moves batch by batch, over a reopening."""
        for part in (batch[:1], batch[1:6], batch[6:]):
            sink = system.sink()
            assert sink.open(inbox).number == part[0].number - 1
            sink.deliver(part, part[-1].cursor)
            sink.close()
        assert system.holds() == keys(batch)

    def test_an_entry_tried_again_later_leaves_the_cursor_where_it_is(
        self, system: System, inbox: str, batch: list[Entry]
    ) -> None:
        """An entry that was set aside arrives behind the cursor."""
        sink = system.sink()
        sink.open(inbox)
        sink.deliver([batch[0], *batch[2:]], batch[-1].cursor)
        sink.deliver([batch[1]], batch[-1].cursor)
        assert sink.open(inbox) == batch[-1].cursor
        sink.close()
        assert system.holds() == keys(batch)

    def test_an_empty_batch_moves_the_cursor_alone(self, system: System, inbox: str, batch: list[Entry]) -> None:
        """When everything in it was set aside."""
        sink = system.sink()
        sink.open(inbox)
        sink.deliver([], batch[2].cursor)
        assert sink.open(inbox) == batch[2].cursor
        sink.deliver(batch[3:], batch[-1].cursor)
        sink.close()
        assert system.holds() == keys(batch[3:])

    def test_a_cursor_belongs_to_one_inbox(self, system: System, inbox: str, batch: list[Entry]) -> None:
        """Law 4: an inbox made anew begins at the start."""
        sink = system.sink()
        sink.open(inbox)
        sink.deliver(batch, batch[-1].cursor)
        assert sink.open(secrets.token_hex(16)) == START
        sink.close()

    def test_an_absent_system_is_said_and_nothing_counts(self, system: System, inbox: str, batch: list[Entry]) -> None:
        """Law 5: the error has a sentence and a remedy; after the cure the same batch goes in."""
        sink = system.sink()
        sink.open(inbox)
        cure = system.fail()
        with pytest.raises(SinkUnavailableError) as caught:
            sink.deliver(batch, batch[-1].cursor)
        assert caught.value.message
        assert caught.value.remedy
        cure()
        assert sink.open(inbox) == START
        sink.deliver(batch, batch[-1].cursor)
        sink.close()
        assert system.holds() == keys(batch)

    def test_closing_twice_and_before_opening_does_nothing(self, system: System) -> None:
        """`close` is safe at any time."""
        sink = system.sink()
        sink.close()
        sink.close()

    @pytest.mark.parametrize("verb", VERBS)
    def test_every_verb_has_its_effect(self, system: System, inbox: str, tmp_path: Path, verb: str) -> None:
        """Law 6: what a national system holds after each message of an alert's life is what the contract says."""
        told = story(tmp_path / "inbox", *LIVES[verb])
        sink = system.sink()
        sink.open(inbox)
        for entry in told:
            sink.deliver([entry], entry.cursor)
        sink.close()
        assert system.state(told[0].agency, told[0].alert_id) == STATES[verb]

    @pytest.mark.parametrize("size", [1, 100])
    def test_a_withdrawn_alert_is_purged_and_stays_so(
        self, system: System, inbox: str, tmp_path: Path, size: int
    ) -> None:
        """Law 6: content of all versions goes, of no other alert; a late version and a repeat do not bring it back."""
        other = entries(
            alerts(1, agency="eg-police", record={"description": "The mark of another alert."}), tmp_path / "other"
        )
        told = story(tmp_path / "inbox", "ALERT", "UPDATE", "WITHDRAW", late="EXTEND")
        sink = system.sink()
        sink.open("other inbox")
        sink.deliver(other, other[-1].cursor)
        sink.open(inbox)
        for some in (told[start : start + size] for start in range(0, len(told), size)):
            sink.deliver(some, some[-1].cursor)
            if size == 1 and some[0].number == 1:
                assert system.finds(mark(1)) or not system.forgets
        assert_purged(system)
        sink.open(secrets.token_hex(16))  # an inbox restored from before the order brings the content once more
        for entry in told:
            sink.deliver([entry], entry.cursor)
        sink.close()
        assert_purged(system)
        assert system.state(told[0].agency, told[0].alert_id) == "WITHDRAWN"
        assert system.finds("The mark of another alert.") or not system.forgets

    def test_an_order_that_comes_first_is_kept(self, system: System, inbox: str, tmp_path: Path) -> None:
        """A sink that never saw the alert knows that it is withdrawn, and takes no content of it."""
        told = story(tmp_path / "inbox", "ALERT", "WITHDRAW", late="UPDATE")
        sink = system.sink()
        sink.open(inbox)
        for entry in told[1:]:
            sink.deliver([entry], entry.cursor)
        sink.close()
        assert system.state(told[0].agency, told[0].alert_id) == "WITHDRAWN"
        assert_purged(system)

    def test_the_networks_time_is_taken_at_any_time(self, system: System, inbox: str) -> None:
        """It is told again after each opening, and may stand still."""
        sink = system.sink()
        sink.open(inbox)
        for at in (NOW, NOW, NOW + 1):
            sink.tell_time(at)
        sink.close()


LIVES: Mapping[str, tuple[str, ...]] = {
    "ALERT": ("ALERT",),
    "UPDATE": ("ALERT", "UPDATE"),
    "EXTEND": ("ALERT", "UPDATE", "EXTEND"),
    "SUSPEND": ("ALERT", "SUSPEND"),
    "RESUME": ("ALERT", "SUSPEND", "RESUME"),
    "CANCEL": ("ALERT", "CANCEL"),
    "FULFIL": ("ALERT", "SUSPEND", "FULFIL"),
    "WITHDRAW": ("ALERT", "UPDATE", "WITHDRAW"),
    "NO_LONGER_ADDRESSED": ("ALERT", "NO_LONGER_ADDRESSED"),
}


def assert_purged(system: System) -> None:
    """No version's mark is found in a system that forgets."""
    found = [version for version in range(1, 5) if system.finds(mark(version))]
    assert not (found and system.forgets), found


def told(lines: Iterable[Mapping[str, Any]], agency: str, alert_id: str) -> str:
    """What a reader of documents holds of an alert who follows `schemas/recipient.py`."""
    mine = [row for row in lines if (row["agency"], row["alert_id"]) == (agency, alert_id)]
    held = replay(Incoming(row["version"], row["message"], row["digest"], row["kind"]) for row in mine)
    return held.state if held else ""
