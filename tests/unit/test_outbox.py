"""The outbox's laws: accepted is durable, numbers and sequences have no gaps, digests chain, whatever fails."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from manara.errors import StoreError
from producers import standing
from producers.composing import Author, Draft, compose
from producers.errors import ContradictionError, FaultyError, ProducerError
from producers.ledger import Ledger, Said, Spot, UnfitError
from producers.nodes import from_python
from producers.outbox import BULK, FILE, LIVE, Ack, Outbox
from producers.publisher import Publisher
from schemas import message
from schemas.identifiers import uuid7
from schemas.signature import SigningKey
from tests.support import alerts
from tests.support.agency import receipt, settings_for, verdict, wanted
from tests.support.directories import DAY, NOW, key_of, network

AGENCY = "az-police"
KEY: SigningKey = key_of(AGENCY)
ROOT = Path(__file__).parents[2]
TOO_LARGE = "x" * 70_000


def draft(number: int, **changes: Any) -> Draft:
    """The number-th draft."""
    written = {"kind": "person", "audience": "ALL", **wanted(national_ref=f"R-{number}", **changes)}
    return compose(from_python(written), Author.of(AGENCY), NOW, lambda: uuid7(NOW, number.to_bytes(10)))


def open_box(folder: Path) -> Outbox:
    """The outbox in a folder."""
    return Outbox.open(folder, AGENCY)


def check_laws(outbox: Outbox) -> None:
    """Numbers 1..n; in each partition sequences 1..m, each naming the digest before it; signatures hold."""
    numbers = [row[0] for row in outbox.db.execute("select number from messages order by number")]
    assert numbers == list(range(1, len(numbers) + 1))
    directory = network().directory
    for partition in (LIVE, BULK):
        previous = ""
        for place, item in enumerate(
            outbox.db.execute(
                "select key, value, sig, hub, digest, sequence from messages where partition = ? order by number",
                (partition,),
            ).fetchall(),
            1,
        ):
            key, value, sig, hub, digest, sequence = (item[0], item[1], item[2], item[3], str(item[4]), item[5])
            headers = [(message.SIG, sig), (message.HUB, hub)]
            authentic = message.authenticate(key, value, headers, directory=directory, at=NOW)  # type: ignore[arg-type]
            audience = message.open_audience(headers, message.interpret(authentic, bytes(key)).header)  # type: ignore[arg-type]
            assert (sequence, audience["sequence"], audience["previous"]) == (place, place, previous)
            assert authentic.digest == digest
            previous = digest


class Life(RuleBasedStateMachine):
    """An outbox through accepts, failures, restarts, acknowledgements and new clusters."""

    @initialize()
    def begin(self) -> None:
        """A new folder."""
        self.folder = tempfile.TemporaryDirectory()
        self.outbox = open_box(Path(self.folder.name))
        self.made = 0
        self.accepted: dict[int, str] = {}
        self.topic = "a"
        self.outbox.settle("cluster", self.topic, NOW)

    @rule(partition=st.sampled_from([LIVE, BULK]), count=st.integers(1, 4))
    def accept(self, partition: int, count: int) -> None:
        """Some more are accepted, under the next numbers."""
        drafts = [draft(self.made + offset) for offset in range(count)]
        self.made += count
        for one in self.outbox.accept(drafts, KEY, partition=partition, now=NOW):
            assert one.number not in self.accepted
            self.accepted[one.number] = one.digest

    @rule(partition=st.sampled_from([LIVE, BULK]), good=st.integers(0, 3))
    def fail(self, partition: int, good: int) -> None:
        """A batch whose last one is too large: none of it is accepted, and no number is used up."""
        drafts = [draft(10_000 + offset) for offset in range(good)]
        bad = draft(20_000, narrative={"lang": "en", "text": TOO_LARGE})
        with pytest.raises(FaultyError):
            self.outbox.accept([*drafts, bad], KEY, partition=partition, now=NOW)

    @rule()
    def restart(self) -> None:
        """Another process opens the file."""
        self.outbox.close()
        self.outbox = open_box(Path(self.folder.name))

    @rule(partition=st.sampled_from([LIVE, BULK]), most=st.integers(1, 5))
    def send(self, partition: int, most: int) -> None:
        """The relay sends some, in order, and they do not come up again."""
        waiting = [item.number for item in self.outbox.pending(partition, 0, 10_000)]
        taken = [item.number for item in self.outbox.pending(partition, 0, most)]
        assert taken == waiting[:most] == sorted(taken)
        self.outbox.acknowledge([Ack(number, number) for number in taken], self.topic, NOW)
        assert [item.number for item in self.outbox.pending(partition, 0, 10_000)] == waiting[most:]

    @rule()
    def lose_the_cluster(self) -> None:
        """Everything sent waits again."""
        self.topic += "a"
        self.outbox.settle("cluster", self.topic, NOW)
        assert self.outbox.waiting() == (len(self.accepted), 0)

    @invariant()
    def laws(self) -> None:
        """What was accepted is there, once, and the laws hold."""
        found = {
            int(str(n)): str(d) for n, d in self.outbox.db.execute("select number, digest from messages").fetchall()
        }
        assert found == self.accepted
        check_laws(self.outbox)

    def teardown(self) -> None:
        """Away with it."""
        self.outbox.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = __import__("hypothesis").settings(max_examples=30, stateful_step_count=12, deadline=None)


WRITER = """
import sys
from pathlib import Path
from tests.unit.test_outbox import KEY, NOW, draft, open_box
outbox = open_box(Path(sys.argv[1]))
number = 0
while True:
    drafts = [draft(int(sys.argv[2]) * 100000 + number + i) for i in range(3)]
    number += 3
    for one in outbox.accept(drafts, KEY, partition=number % 2, now=NOW):
        print(one.number, one.digest, flush=True)
"""


def test_kill_9_in_mid_accept_loses_nothing_that_was_said_to_be_accepted(tmp_path: Path) -> None:
    """Two writers at once, killed again and again: what they had printed is there, and the laws hold."""
    said: dict[int, str] = {}
    for turn in range(3):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(tmp_path), str(2 * turn + which)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for which in (0, 1)
        ]
        for writer in writers:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(20 + 7 * turn)]
            writer.send_signal(signal.SIGKILL)
            lines += writer.communicate()[0].splitlines(keepends=True)
            whole = [line.split() for line in lines if line.endswith("\n")]
            said |= {int(number): digest for number, digest in whole}
    outbox = open_box(tmp_path)
    found = {int(str(n)): str(d) for n, d in outbox.db.execute("select number, digest from messages").fetchall()}
    assert len(said) >= 100
    assert said.items() <= found.items()
    check_laws(outbox)
    outbox.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Any:
    """An empty outbox."""
    made = open_box(tmp_path)
    yield made
    made.close()


def test_a_failure_between_the_steps_of_an_accept_leaves_no_trace(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed and inserted, but not committed: the number, the sequence and the chain are as before."""
    outbox.accept([draft(1)], KEY, partition=LIVE, now=NOW)
    insert = Outbox._insert

    def fall(self: Outbox, *rest: Any) -> None:
        insert(self, *rest)
        raise RuntimeError("the machine falls over")

    monkeypatch.setattr(Outbox, "_insert", fall)
    with pytest.raises(RuntimeError):
        outbox.accept([draft(2)], KEY, partition=LIVE, now=NOW)
    monkeypatch.undo()
    (third,) = outbox.accept([draft(3)], KEY, partition=LIVE, now=NOW)
    assert third.number == 2
    check_laws(outbox)


def test_a_full_disk_is_said_and_accepts_nothing(outbox: Outbox) -> None:
    """SQLite's own limit stands in for the disk: the sentence, and earlier rows intact."""
    outbox.accept([draft(1)], KEY, partition=LIVE, now=NOW)
    pages = outbox.db.execute("pragma page_count").fetchone()
    assert pages is not None
    outbox.db.execute(f"pragma max_page_count = {int(str(pages[0])) + 2}").fetchall()
    many = [draft(number) for number in range(2, 200)]
    with pytest.raises(StoreError, match="the disk is full"):
        outbox.accept(many, KEY, partition=LIVE, now=NOW)
    assert outbox.waiting() == (1, 0)
    check_laws(outbox)
    assert outbox.fact("agency") == AGENCY


def test_the_same_id_twice_is_one_alert_and_with_other_content_a_contradiction(outbox: Outbox) -> None:
    """Publishing a file again does not double it."""
    alert_id = uuid7(NOW, (99).to_bytes(10))
    (first,) = outbox.accept([draft(1, alert_id=alert_id)], KEY, partition=LIVE, now=NOW)
    later = compose(
        from_python(
            {
                "kind": "person",
                "audience": "ALL",
                **wanted(national_ref="R-1", alert_id=alert_id, expires_at=draft(1).header["expires_at"] and "+90d"),
            }
        ),
        Author.of(AGENCY),
        NOW,
        str,
    )
    (again,) = outbox.accept([later], KEY, partition=LIVE, now=NOW + 5)
    assert (again.again, again.number, first.again) == (True, first.number, False)
    with pytest.raises(ContradictionError, match="other content"):
        outbox.accept([draft(2, alert_id=alert_id)], KEY, partition=LIVE, now=NOW)
    assert outbox.waiting() == (1, 0)


def test_what_was_refused_may_be_said_again_under_the_same_id(outbox: Outbox) -> None:
    """Corrected, it is a new message with the next number."""
    alert_id = uuid7(NOW, (99).to_bytes(10))
    (first,) = outbox.accept([draft(1, alert_id=alert_id)], KEY, partition=LIVE, now=NOW)
    take(outbox, [verdict(first.digest, outcome="REFUSED", reason="EXPIRED")])
    (second,) = outbox.accept([draft(2, alert_id=alert_id)], KEY, partition=LIVE, now=NOW)
    assert (second.number, second.again) == (2, False)


def test_alike_messages_are_found_by_content_and_by_reference(outbox: Outbox) -> None:
    """The author is told before it sends a second time."""
    outbox.accept([draft(1)], KEY, partition=LIVE, now=NOW)
    same = compose(
        from_python({"kind": "person", "audience": "ALL", **wanted(national_ref="other")}),
        Author.of(AGENCY),
        NOW + DAY,
        lambda: uuid7(NOW, (5).to_bytes(10)),
    )
    assert [one.because for one in outbox.alike(same)] == ["same content"]
    assert [one.because for one in outbox.alike(draft(1, sex="MALE"))] == ["same national reference"]
    assert outbox.alike(draft(2, sex="MALE")) == []
    elsewhere = compose(
        from_python({"kind": "person", "audience": ["EG"], **wanted()}),
        Author.of(AGENCY),
        NOW,
        lambda: uuid7(NOW, (6).to_bytes(10)),
    )
    assert outbox.alike(elsewhere) == [], "another audience is another message"


def test_an_outbox_belongs_to_one_agency(outbox: Outbox, tmp_path: Path) -> None:
    """Two agencies in one folder would mix their chains."""
    with pytest.raises(ProducerError, match="is that of az-police"):
        Outbox.open(tmp_path, "tr-fiu")


def test_the_file_can_be_read_by_its_owner_alone(outbox: Outbox, tmp_path: Path) -> None:
    """It holds names of suspects."""
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def take(outbox: Outbox, verdicts: list[dict[str, Any]], offset: int = 0) -> None:
    """Write verdicts of the gate into the outbox."""
    gate = next(key for key in network().directory.keys.values() if key.holder == "hub.gate")
    spot = Spot("status", "id", 0, offset)
    Ledger(outbox, AGENCY).take([Said("verdict", {"agency": AGENCY, "verdicts": verdicts}, gate, spot)], [spot])


def test_a_refusal_after_the_admission_changes_nothing(outbox: Outbox) -> None:
    """A copy that somebody puts elsewhere is refused there; our message stays admitted. The other way round it becomes
    so.
    """
    first, second = outbox.accept([draft(1), draft(2)], KEY, partition=LIVE, now=NOW)
    take(outbox, [verdict(first.digest), verdict(first.digest, outcome="REFUSED", reason="WRONG_PARTITION")])
    take(outbox, [verdict(second.digest, outcome="REFUSED", reason="EXPIRED"), verdict(second.digest)], offset=1)
    assert [one.stage for one in standing.by_number(outbox, [1, 2])] == ["ADMITTED", "ADMITTED"]


def test_a_position_counts_only_with_its_topics_id(outbox: Outbox) -> None:
    """A topic made anew is read from the beginning."""
    ledger = Ledger(outbox, AGENCY)
    assert ledger.position("status", 0, "id") is None
    take(outbox, [], offset=41)
    assert ledger.position("status", 0, "id") == 42
    assert ledger.position("status", 0, "other") is None


def signer(holder: str) -> Any:
    """A key of the directory."""
    return next(key for key in network().directory.keys.values() if key.holder == holder)


@pytest.mark.parametrize(
    ("name", "record", "holder"),
    [
        ("verdict", {"agency": AGENCY, "verdicts": []}, "edge.tr"),
        ("verdict", {"agency": AGENCY, "verdicts": []}, AGENCY),
        ("verdict", {"agency": "tr-fiu", "verdicts": []}, "hub.gate"),
        ("verdict", {"agency": AGENCY, "verdicts": []}, "hub.clock"),
        ("verdict", {"agency": AGENCY, "verdicts": []}, "hub.route"),
        ("notice", {"agency": AGENCY}, "edge.tr"),
        ("notice", {"agency": AGENCY}, "hub.route"),
        ("receipt", {"agency": AGENCY, "issuer": "tr-fiu", "member": "TR", "receipts": []}, "tr-fiu"),
        (
            "receipt",
            {"agency": AGENCY, "issuer": "hub.gate", "member": "", "receipts": [receipt("", "ROUTED")]},
            "hub.gate",
        ),
        ("receipt", {"agency": AGENCY, "issuer": "edge.eg", "member": "EG", "receipts": []}, "edge.tr"),
        ("receipt", {"agency": AGENCY, "issuer": "edge.tr", "member": "EG", "receipts": []}, "edge.tr"),
        (
            "receipt",
            {"agency": AGENCY, "issuer": "edge.tr", "member": "TR", "receipts": [receipt("", "ROUTED")]},
            "edge.tr",
        ),
        (
            "receipt",
            {"agency": AGENCY, "issuer": "hub.route", "member": "", "receipts": [receipt("", "STORED")]},
            "hub.route",
        ),
        ("heartbeat", {"agency": AGENCY}, "hub.clock"),
    ],
)
def test_who_may_say_what_on_a_status_topic(outbox: Outbox, name: str, record: dict[str, Any], holder: str) -> None:
    """The gate gives verdicts and notices, route ROUTED, a member's own edge its receipts; about this agency alone."""
    with pytest.raises(UnfitError):
        Ledger(outbox, AGENCY).judge(Said(name, record, signer(holder), Spot("s", "i", 0, 0)))


def test_expired_and_refused_messages_are_not_sent_to_a_new_cluster(outbox: Outbox) -> None:
    """What has ended stays ended."""
    accepted = outbox.accept([draft(1), draft(2, expires_at="+1d"), draft(3)], KEY, partition=LIVE, now=NOW)
    outbox.settle("c", "one", NOW)
    outbox.acknowledge([Ack(one.number, one.number) for one in accepted], "one", NOW)
    take(outbox, [verdict(accepted[2].digest, outcome="REFUSED", reason="EXPIRED")])
    assert outbox.settle("c", "one", NOW + 2 * DAY) == 0
    assert outbox.settle("c", "two", NOW + 2 * DAY) == 1
    assert [item.number for item in outbox.pending(LIVE, 0, 10)] == [1]


def test_a_damaged_row_is_marked_and_not_handed_out(outbox: Outbox) -> None:
    """A checksum over all that is sent."""
    outbox.accept([draft(1), draft(2)], KEY, partition=LIVE, now=NOW)
    for column in ("sig", "hub", "key"):
        outbox.db.execute(f"update messages set {column} = zeroblob(length({column})) where number = 1")
    assert [item.number for item in outbox.pending(LIVE, 0, 10)] == [2]
    assert outbox.waiting() == (1, 1)
    assert json.dumps(standing.totals(outbox)) == '{"ACCEPTED": 1, "DAMAGED": 1, "STRANGERS": 0}'


def test_the_outbox_is_plain_sqlite_that_an_administrator_can_look_into(outbox: Outbox, tmp_path: Path) -> None:
    """WAL and full synchronisation are set in the file and in our connection."""
    outbox.accept([draft(1)], KEY, partition=LIVE, now=NOW)
    reader = apsw.Connection(str(tmp_path / FILE), flags=apsw.SQLITE_OPEN_READONLY)
    assert reader.execute("select count(*) from messages").fetchone() == (1,)
    assert outbox.db.execute("pragma synchronous").fetchone() == (2,)
    reader.close()


def test_a_complete_record_is_taken_as_it_is_but_not_one_of_another_agency(tmp_path: Path) -> None:
    """Other systems hand in Avro records; times are microseconds and amounts minor units there."""
    net = network(now=NOW)
    with Publisher.open(settings_for(tmp_path, None, "", net)) as publisher:
        made = publisher.draft("person", alerts.person(AGENCY), "ALL")
        assert (made.faults, made.record) == ([], alerts.person(AGENCY))
        other = publisher.draft("person", alerts.person("tr-fiu"), ["EG"])
        assert [fault.rule for fault in other.faults] == ["FORM_NOT_YOURS"]
        assert other.audience["members"] == ["EG"]
