"""The correlate stage: what it says and when, replay of a log, a lost disk, exclusions, patterns of money."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manara.errors import SettingsError
from schemas import codec, message, registry
from schemas.models import Admitted, Link
from streams.correlate import exclusions
from streams.correlate.core import Correlation
from streams.correlate.patterns import Patterns
from streams.correlate.stage import Correlate
from streams.correlate.store import Store
from streams.correlation import rules
from streams.engine.contract import Emit, Record
from streams.engine.errors import Stop
from streams.engine.store import Source as Place
from streams.index import Index
from tests.support.alerts import Author
from tests.support.correlation import LANES, NAMES, admitted, block, tells, wanted
from tests.support.directories import DAY, NOW

LATIN = "Mohamed Hassan El Khatib"


class Log:
    """mentions.v1, transfers.v1 and links.v1 in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.links: list[tuple[str, bytes]] = []

    def write(self, *items: Admitted) -> None:
        """Index some messages into the log."""
        for item in items:
            for emit in Index(NAMES, LANES).process(0, [block([item])], {}, 0).emits:
                offset, time = len(self.records), item["admitted_at"]
                self.records.append(
                    Record(emit.topic, "t", max(0, emit.partition), offset, time, emit.key, emit.value, [])
                )

    def beat(self, time: int) -> None:
        """The hub's clock."""
        self.records.append(Record(NAMES.heartbeat, "t", 0, len(self.records), time, b"hub", b"", []))

    def said(self, emits: list[Emit] | None) -> list[tuple[str, str]]:
        """Add to links.v1; class and state of each link said."""
        found = [_link(emit.value) for emit in emits or ()]
        for link in found:
            self.links.append((link["link_id"], codec.encode(registry.by_name("link"), link)))
        return [(link["class"], link["state"]) for link in found]

    def holds(self) -> dict[str, Link]:
        """What links.v1 holds after compaction, living ones alone."""
        last = {id_: codec.decode(registry.by_name("link"), value) for id_, value in self.links}
        return {id_: link for id_, link in last.items() if link["state"] == "LIVE"}  # type: ignore[misc]


def _link(value: bytes | None) -> Any:
    return codec.decode(registry.by_name("link"), codec.unframe(value or b"")[1])


class Worker:
    """A correlate worker on a folder. It has caught up when it has taken all that the log held at its start."""

    def __init__(self, folder: Path, log: Log, rules_: str = "r") -> None:
        self.log = log
        self.store = Store(folder / "correlate.db", rules_)
        if self.store.fresh:
            self.store.inherit(log.links)
        self.taken = self.store.position("log", "t", 0) or 0
        self.start = len(log.records)
        core, patterns = Correlation(self.store, LANES), Patterns(self.store)
        self.stage = Correlate(NAMES, self.store, core, patterns, lambda: self.taken >= self.start)

    def work(self, most: int = 1_000_000) -> list[tuple[str, str]]:
        """Take what there is, batch by batch; class and state of what is said."""
        said = []
        for record in self.log.records[self.taken : self.taken + most]:
            output = self.stage.process(0, [record], {}, record.time)
            said += self.log.said(output.emits)
            self.taken += 1
        return said + self.log.said(self.stage.settle())

    def commit(self) -> None:
        """As the source does when all is acknowledged."""
        self.store.commit([Place("log", "t", 0, self.taken)])


def pair(log: Log, agency: str = "eg-police", other: str = "ma-police", name: str = LATIN) -> None:
    """Two alerts that belong together."""
    log.write(tells(agency, **wanted(name)), tells(other, **wanted(name)))


def test_nothing_is_said_before_all_that_is_in_the_log_is_folded(tmp_path: Path) -> None:
    """A link of the past that has ended since is never said to hold."""
    log, author = Log(), Author.of("eg-police")
    first = author.write(record=wanted(LATIN))
    log.write(admitted(first), tells("ma-police", **wanted(LATIN)))
    worker = Worker(tmp_path / "one", log)
    assert worker.work() == [("PERSON", "LIVE")]
    log.write(admitted(author.follow(first, "CANCEL")))
    assert worker.work() == [("PERSON", "ENDED")]
    again = Worker(tmp_path / "two", log)
    assert again.work() == []
    pair(log, "tr-fiu", "kz-border", "Tarlan Quliyev Rashidoglu")
    assert again.work() == [("PERSON", "LIVE")]


def test_a_replay_of_the_same_log_says_the_same_links(tmp_path: Path) -> None:
    """From an empty disk, and with nothing said before: byte for byte."""
    log = Log()
    pair(log)
    log.write(admitted(Author.of("tr-customs").write("route")), admitted(Author.of("ma-customs").write("route")))
    Worker(tmp_path / "one", log).work()
    first = dict(log.links)
    log.links = []
    Worker(tmp_path / "two", log).work()
    assert dict(log.links) == first
    assert len(first) == 3


def test_a_lost_disk_repeats_nothing_and_ends_what_nothing_speaks_for(tmp_path: Path) -> None:
    """What was said before is read from links.v1."""
    log = Log()
    pair(log)
    Worker(tmp_path / "one", log).work()
    known = len(log.links)
    assert Worker(tmp_path / "two", log).work() == []
    log.records = log.records[: len(log.records) // 2][:1]  # the other alert's mentions are gone
    assert Worker(tmp_path / "three", log).work() == [("PERSON", "ENDED")]
    assert len(log.links) == known + 1


def test_a_store_of_other_rules_is_made_anew(tmp_path: Path) -> None:
    """Its links stay, where the new rules find them too."""
    log = Log()
    pair(log)
    worker = Worker(tmp_path, log)
    worker.work()
    worker.commit()
    worker.store.close()
    same = Worker(tmp_path, log)
    assert (same.store.fresh, same.taken) == (False, len(log.records))
    same.store.close()
    other = Worker(tmp_path, log, "other rules")
    assert (other.store.fresh, other.taken) == (True, 0)
    assert other.work() == []
    assert len(other.store.live()) == 1


@pytest.mark.parametrize("committed", range(0, 12, 2))
def test_a_worker_that_is_killed_goes_on_where_its_store_is(tmp_path: Path, committed: int) -> None:
    """Said before the kill and not committed: said again, the same; the log after compaction is the same."""
    log = Log()
    pair(log)
    pair(log, "tr-fiu", "kz-border", "Tarlan Quliyev Rashidoglu")
    whole = Log()
    whole.records = log.records
    Worker(tmp_path / "whole", whole).work()
    worker = Worker(tmp_path / "killed", log)
    worker.work(committed)
    worker.commit()
    worker.work(3)
    worker.store.close()
    Worker(tmp_path / "killed", log).work()
    assert log.holds() == whole.holds()


def test_time_passes_by_the_hub_s_clock(tmp_path: Path) -> None:
    """An alert expires though no other comes."""
    log = Log()
    pair(log)
    worker = Worker(tmp_path, log)
    worker.work()
    log.beat(NOW + 29 * DAY)
    assert worker.work() == []
    log.beat(NOW + 31 * DAY)
    assert worker.work() == [("PERSON", "ENDED")]


@pytest.mark.parametrize("value", [b"", b"junk", b"\x00\x00\x00\x00\x01x", None])
def test_a_record_of_ours_that_is_none_ends_the_process(tmp_path: Path, value: bytes | None) -> None:
    """Only index writes there."""
    log = Log()
    worker = Worker(tmp_path, log)
    log.records.append(Record(NAMES.mentions, "t", 0, 0, NOW, b"k", value, []))
    with pytest.raises(Stop):
        worker.work()


# ---------------------------------------------------------------------- money


def cash(agency: str, ref: str, account: str, hours: int, amount: int = 945_000) -> Admitted:
    """A report of one cash payment just below a threshold."""
    transfer = {
        "ref": ref, "at": NOW - 5 * DAY + hours * 3_600_000_000, "amount": amount, "currency": "EUR",
        "from": {"account": account, "institution": "", "country": agency[:2].upper(), "holder": ""},
        "to": {"account": "AE070331234567890123456", "institution": "", "country": "AE", "holder": ""},
        "channel": "CASH",
    }  # fmt: skip
    author = Author.of(agency)
    author.written = hours
    return admitted(author.write("transfer", record={"transfers": [transfer]}))


def test_money_that_is_cut_up_over_three_states_is_one_link_of_their_reports(tmp_path: Path) -> None:
    """One side an agency; a side's end ends it; a replay gives the same."""
    log = Log()
    agencies = ("kz-fiu", "tr-fiu", "ma-customs")
    reports = [cash(agencies[n % 3], f"T{n}", "ONEPAYER", n, 845_000 + 11_300 * n) for n in range(9)]
    log.write(*reports)
    worker = Worker(tmp_path / "one", log)
    worker.work()
    found = [link for link in log.holds().values() if link["class"] == "PATTERN"]
    assert found
    for link in found:
        assert {side["agency"] for side in link["sides"]} <= set(agencies)
        assert len({side["member"] for side in link["sides"]}) > 1
        assert all(kind.startswith("PATTERN_") for kind in link["evidence"])
        assert len(link["transfers"]) > 1
    before = dict(log.links)
    again = Log()
    again.records = log.records
    Worker(tmp_path / "two", again).work()
    assert again.holds() == log.holds()
    assert Worker(tmp_path / "three", log).work() == []
    assert dict(log.links) == before


def test_transfers_that_no_rule_can_read_stop_nobody(tmp_path: Path) -> None:
    """Zero, negative, huge, unknown currency, time running backwards."""
    log = Log()
    for number, (amount, currency) in enumerate([(0, "EUR"), (-5, "EUR"), (2**62, "EUR"), (5, "XXX"), (5, "")]):
        report = cash("kz-fiu", f"T{number}", "A", -number, amount)
        flow = {"at": -(2**62), "currency": currency}
        log.write(report)
        record: Any = codec.decode(registry.by_name("flow"), codec.unframe(log.records[-1].value or b"")[1])
        record["transfers"] = [{**one, **flow} for one in record["transfers"]]
        value = codec.frame(registry.by_name("flow"), codec.encode(registry.by_name("flow"), record))
        log.records[-1] = log.records[-1]._replace(value=value)
    assert Worker(tmp_path, log).work() == []


# ---------------------------------------------------------------------- exclusions


def test_the_exclusion_list_names_reason_and_owner(tmp_path: Path) -> None:
    """And says what to write where it does not."""
    file = tmp_path / "exclusions.toml"
    file.write_text('[[exclusion]]\nvalue = "id:phone:1"\nreason = "a hotline"\nowner = "az-customs"\n')
    (found,) = exclusions.load(file)
    assert found == ("id:phone:1", "a hotline", "az-customs")
    assert exclusions.load(None) == []
    assert rules(8, []) != rules(8, [found])
    for text in ("[[exclusion]]\nvalue = 'x'\n", "[[exclusion]\n", "exclusion = [1]\n", "\xff"):
        file.write_bytes(text.encode("latin-1"))
        with pytest.raises(SettingsError, match=r"exclusion|TOML"):
            exclusions.load(file)
    with pytest.raises(SettingsError):
        exclusions.load(tmp_path / "none.toml")


def test_index_goes_on_over_an_alert_that_no_matcher_can_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts without anything to be found by: an update of it still ends what an older version said."""

    def broken(_substance: object) -> None:
        raise RecursionError

    monkeypatch.setattr("streams.correlate.substance.prepared", broken)
    author = Author.of("az-police")
    first = author.write()
    stage = Index(NAMES, LANES)
    assert stage.process(0, [block([admitted(first)])], {}, 0).emits == []
    emits = stage.process(0, [block([admitted(author.follow(first, "UPDATE"))])], {}, 0).emits
    assert [emit.partition for emit in emits] == list(range(LANES))
    assert {emit.key for emit in emits} == {message.identity("az-police", first.alert_id)}
