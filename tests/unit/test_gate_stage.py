"""What the gate says to good messages, to those that come again, and to what it did not expect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manara import metrics
from schemas import message, signature
from schemas.directory import Directory
from streams.gate import blocks, register, verdicts
from streams.gate import judge as judging
from streams.gate.register import Chain
from streams.gate.stage import Gate
from streams.gate.tally import Tally, report
from tests.support.alerts import Author, route
from tests.support.directories import DAY, NOW, Network, network
from tests.support.gates import NAMES, Desk, Inlets

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A gate over the usual network."""
    made = Desk(threads=2)
    yield made
    made.close()


def test_a_good_alert_is_admitted_with_its_facts_and_untouched_bytes(desk: Desk) -> None:
    """The block holds what was decided beside the very bytes that the agency signed."""
    author, inlets = Author.of("az-police"), Inlets()
    sealed = author.write(mode="LISTED", members=["EG", "TR"], precedence="FLASH")
    sealed.headers.append(("trace", TRACE))
    record = inlets.put(sealed)
    answer = desk.judge(record, lane=5)
    (block,) = answer.blocks
    (item,) = block["admitted"]
    assert block["lane"] == 5
    assert (item["value"], item["signature"], item["hub"]) == (sealed.value, sealed.headers[0][1], sealed.headers[1][1])
    assert (item["agency"], item["alert_id"], item["kind"]) == ("az-police", sealed.alert_id, "person")
    assert (item["version"], item["message"], item["precedence"]) == (1, "ALERT", "FLASH")
    assert (item["deliver"], item["leave"]) == (["EG", "TR"], [])
    assert item["rules"] == ["AUDIENCE_LISTED", "NOT_LISTED"]
    assert (item["digest"], item["admitted_at"], item["directory_seq"]) == (sealed.digest, record.time, 1)
    assert (item["partition"], item["offset"], item["trace"]) == (0, 0, TRACE.decode())
    commit = answer.output.commits[0]
    assert (commit.topic, commit.key, commit.partition) == (NAMES.admitted, b"5", 5)


def test_the_author_hears_admitted_by_digest_and_place(desk: Desk) -> None:
    """The verdict names the message by its digest, so that the outbox can match it."""
    sealed, inlets = Author.of("az-police").write(), Inlets()
    verdict = desk.judge(inlets.put(sealed)).verdict("az-police")
    assert (verdict["outcome"], verdict["again"], verdict["reason"]) == ("ADMITTED", False, "")
    assert (verdict["digest"], verdict["alert_id"], verdict["version"]) == (sealed.digest, sealed.alert_id, 1)
    assert (verdict["source"]["topic"], verdict["source"]["offset"]) == (NAMES.inlet("az-police"), 0)


def test_a_re_send_is_admitted_again_without_a_block_item_or_quarantine(desk: Desk) -> None:
    """The same bytes in another batch, and twice in one: one item, and `again` for the others."""
    sealed, inlets = Author.of("az-police").write(), Inlets()
    first = desk.judge(inlets.put(sealed), inlets.put(sealed))
    second = desk.judge(inlets.put(sealed))
    assert [v["again"] for v in (*first.verdicts["az-police"], *second.verdicts["az-police"])] == [False, True, True]
    assert (len(first.admitted), len(second.admitted)) == (1, 0)
    assert not first.quarantined
    assert not second.quarantined
    assert second.blocks[0]["positions"][0]["next_offset"] == 3
    assert second.tally.again == {"person": 1}


def test_a_re_send_is_admitted_again_after_it_has_expired(desk: Desk) -> None:
    """Whatever has followed, it is admitted: the outbox may send all of it once more."""
    sealed, inlets = Author.of("az-police").write(), Inlets()
    desk.judge(inlets.put(sealed))
    answer = desk.judge(inlets.put(sealed, time=NOW + 31 * DAY))
    assert answer.verdict("az-police")["again"]


@pytest.mark.parametrize("key", [{"valid_until": NOW + DAY}, {"compromised_since": NOW + DAY}, None])
def test_a_re_send_is_admitted_again_though_its_key_is_good_no_longer(key: dict[str, int] | None) -> None:
    """A cluster was lost after the keys were changed: what had been admitted stays so, and nothing new passes."""
    desk, inlets, author = Desk(), Inlets(), Author.of("az-police")
    sealed, late = author.write(), author.write()
    desk.judge(inlets.put(sealed))
    desk.net = network(2, keys={"az-police": key})
    answer = desk.judge(*(inlets.put(each, time=NOW + 2 * DAY) for each in (sealed, late)))
    again, refused = answer.verdicts["az-police"]
    assert (again["outcome"], again["again"], again["version"]) == ("ADMITTED", True, 1)
    assert refused["reason"] in ("KEY_NOT_VALID", "UNKNOWN_KEY")
    assert not answer.admitted


def test_a_gap_in_the_sequence_is_told_and_refuses_nothing(desk: Desk) -> None:
    """Numbers 2 and 3 are missing: a signed notice says so, the alert passes."""
    author, inlets = Author.of("az-police"), Inlets()
    desk.judge(inlets.put(author.write()))
    author.write()
    author.write()
    answer = desk.judge(inlets.put(author.write()), inlets.put(author.write()))
    assert len(answer.admitted) == 2
    (notice,) = answer.notices["az-police"]
    assert (notice["type"], notice["partition"], notice["first"], notice["last"]) == ("SEQUENCE_GAP", 0, 2, 3)
    assert answer.tally.gaps == {"az-police": 1}


def test_a_chain_that_hangs_on_another_message_is_told(desk: Desk) -> None:
    """The number is right but the message before is not the one that the author says: something was exchanged."""
    author, inlets = Author.of("az-police"), Inlets()
    desk.judge(inlets.put(author.write()))
    author.previous = "ab" * 32
    answer = desk.judge(inlets.put(author.write()))
    assert len(answer.admitted) == 1
    assert [(n["first"], n["last"]) for n in answer.notices["az-police"]] == [(1, 1)]


def test_a_refused_message_has_used_its_number(desk: Desk) -> None:
    """What broke a rule was there: the message after it makes no gap."""
    author, inlets = Author.of("az-police"), Inlets()
    bad, good = author.write(narrative=[]), author.write()
    answer = desk.judge(inlets.put(bad), inlets.put(good))
    assert answer.verdicts["az-police"][0]["reason"] == "RULE_NARRATIVE_MISSING"
    assert answer.notices == {}
    assert register.read_chain(desk.state[b"@az-police/0"]) == Chain(2, good.digest)


def test_each_partition_has_a_chain_of_its_own(desk: Desk) -> None:
    """Live and bulk are counted apart."""
    live, bulk, inlets = Author.of("az-police"), Author.of("az-police"), Inlets()
    bulk.written = 100
    answer = desk.judge(inlets.put(live.write()), inlets.put(bulk.write(), partition=1))
    assert len(answer.admitted) == 2
    assert answer.notices == {}


def test_positions_say_how_far_each_source_is_dealt_with(desk: Desk) -> None:
    """A batch with nothing admitted writes a block with positions alone."""
    inlets = Inlets()
    records = [inlets.record("az-police", b"x", None, []), inlets.record("az-police", b"x", None, [], partition=1)]
    (block,) = desk.judge(*records).blocks
    assert block["admitted"] == []
    assert [(p["topic"], p["partition"], p["next_offset"]) for p in block["positions"]] == [
        (NAMES.inlet("az-police"), 0, 1),
        (NAMES.inlet("az-police"), 1, 1),
    ]
    assert {p["topic_id"] for p in block["positions"]} == {records[0].topic_id}


def test_blocks_close_at_a_hundred_messages_and_cover_a_prefix_of_the_batch(desk: Desk) -> None:
    """250 alerts and a bad one between: three blocks; each block's positions end with its last message."""
    author, inlets = Author.of("az-police"), Inlets()
    batch = [inlets.put(author.write()) for _ in range(120)]
    batch.append(inlets.record("az-police", b"x", None, []))
    batch += [inlets.put(author.write()) for _ in range(130)]
    answer = desk.judge(*batch)
    assert [len(block["admitted"]) for block in answer.blocks] == [100, 100, 50]
    assert [block["positions"][0]["next_offset"] for block in answer.blocks] == [100, 201, 251]
    assert [block["positions"][0]["sequence"] for block in answer.blocks] == [100, 200, 250]


def test_blocks_close_at_half_a_megabyte(desk: Desk) -> None:
    """Large alerts make smaller blocks, never a record that the broker refuses."""
    author, inlets = Author.of("az-police"), Inlets()
    text = [{"lang": "en", "text": "a long story " * 700} for _ in range(6)]
    batch = [inlets.put(author.write(narrative=text)) for _ in range(30)]
    answer = desk.judge(*batch)
    sizes = [len(commit.value or b"") for commit in answer.output.commits]
    assert len(answer.admitted) == 30
    assert len(sizes) > 2
    assert max(sizes) <= blocks.MAX_BYTES


def test_one_record_of_verdicts_holds_at_most_five_hundred_and_never_mixes_authors(desk: Desk) -> None:
    """1,100 messages of one agency and one of another: three records for the first, one for the second."""
    author, other, inlets = Author.of("az-police"), Author.of("eg-police"), Inlets()
    sealed = author.write()
    answer = desk.judge(*(inlets.put(sealed) for _ in range(1100)), inlets.put(other.write()))
    topics = [emit.topic for emit in answer.output.emits]
    assert topics.count(NAMES.status("az-police")) == 3
    assert topics.count(NAMES.status("eg-police")) == 1
    assert len(answer.verdicts["az-police"]) == 1100


def test_a_record_of_verdicts_stays_below_what_clients_take(desk: Desk) -> None:
    """Even when each of 500 refusals names many rules with long paths."""
    author, inlets = Author.of("az-police"), Inlets()
    bad = author.write(
        narrative=[], references=[{"agency": "?", "alert_id": "?", "version": 0, "relation": "RELATED"}] * 60
    )
    answer = desk.judge(*(inlets.put(bad) for _ in range(500)))
    assert len(answer.verdicts["az-police"]) == 500
    assert max(len(emit.value or b"") for emit in answer.output.emits) < 256 * 1024
    assert len(answer.verdicts["az-police"][0]["errors"]) == verdicts.MAX_ERRORS


def test_tens_of_thousands_of_violations_fit_into_quarantine(desk: Desk) -> None:
    """64 KiB of empty texts: the record that keeps it stays below what the broker takes, or the gate would stand."""
    sealed = Author.of("az-police").write(narrative=[{"lang": "", "text": ""}] * 30_000)
    answer = desk.judge(Inlets().put(sealed))
    (kept,) = answer.quarantined
    assert kept["reason"].startswith("RULE_")
    assert len(kept["errors"]) == judging.MAX_ERRORS
    assert max(len(emit.value or b"") for emit in answer.output.emits) < 256 * 1024


@pytest.mark.parametrize(("message_", "rule"), [("RESUME", "RULE_TRANSITION"), ("UNKNOWN", "RULE_MESSAGE_NOT_OFFERED")])
def test_a_message_that_does_not_fit_says_which_field(desk: Desk, message_: str, rule: str) -> None:
    """Of an alert that is known and active: the rule, and where."""
    author, inlets = Author.of("az-police"), Inlets()
    first = author.write()
    second = author.write(alert_id=first.alert_id, version=2, message=message_)
    verdict = desk.judge(inlets.put(first), inlets.put(second)).verdicts["az-police"][1]
    assert verdict["reason"] == rule
    assert verdict["errors"] == [{"path": "header.message", "rule": rule}]


def test_a_defect_that_one_record_meets_loses_nothing_and_stops_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception: that record in quarantine with a reason and a verdict, the next one admitted."""
    author, inlets = Author.of("az-police"), Inlets()
    unlucky, good = author.write(), author.write()
    real = judging.judge

    def judge(record: object, opened: message.Opened, *rest: object) -> object:
        if opened.digest == unlucky.digest:
            raise ZeroDivisionError("secret content")
        return real(record, opened, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("streams.gate.session.judge", judge)
    answer = desk.judge(inlets.put(unlucky), inlets.put(good))
    (kept,) = answer.quarantined
    assert (kept["reason"], kept["value"]) == ("UNREADABLE", unlucky.value)
    assert "ZeroDivisionError" in kept["detail"]
    assert "secret" not in kept["detail"]
    refused, admitted = answer.verdicts["az-police"]
    assert (refused["reason"], refused["digest"]) == ("UNREADABLE", unlucky.digest)
    assert admitted["outcome"] == "ADMITTED"


def test_a_defect_in_verifying_is_met_by_one_record_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for what comes up on a thread that verifies."""
    author, inlets = Author.of("az-police"), Inlets()
    batch = [inlets.put(author.write()) for _ in range(40)]
    real = signature.verify

    def verify(claim: signature.Claim, body: bytes, public: bytes) -> None:
        if body == (batch[7].value or b"")[5:]:
            raise MemoryError
        real(claim, body, public)

    monkeypatch.setattr(signature, "verify", verify)
    answer = desk.judge(*batch)
    assert [kept["source"]["offset"] for kept in answer.quarantined] == [7]
    assert answer.quarantined[0]["reason"] == "UNREADABLE"
    assert answer.verdicts["az-police"][7]["digest"] == signature.digest(
        signature.read(batch[7].headers[0][1] or b"").protected, (batch[7].value or b"")[5:]
    )
    assert len(answer.admitted) == 39


def test_headers_that_are_no_text_or_no_value_are_kept(desk: Desk) -> None:
    """Quarantine keeps what Kafka gave: a lone surrogate in a name, a null value."""
    record = Inlets().record("az-police", b"\xff", b"\x00", [("\ud800", None), ("a", b"\x00\xff")])
    (kept,) = desk.judge(record).quarantined
    assert [(field["name"], field["value"]) for field in kept["headers"]] == [("\\ud800", None), ("a", b"\x00\xff")]


@pytest.mark.parametrize("trace", [b"00-zz", b"", b"\xff" * 300, TRACE + b"\n"])
def test_a_malformed_trace_is_left_out(desk: Desk, trace: bytes) -> None:
    """The trace is a claim: only a well-formed one travels on."""
    sealed = Author.of("az-police").write()
    sealed.headers.append(("trace", trace))
    (item,) = desk.judge(Inlets().put(sealed)).admitted
    assert item["trace"] == ""


def test_the_register_holds_every_digest_and_whom_each_version_reached(desk: Desk) -> None:
    """Entries are what the life cycle says, with the members that were reached."""
    sealed, inlets = Author.of("az-police").write(mode="LISTED", members=["TR", "EG"]), Inlets()
    desk.judge(inlets.put(sealed, partition=1))
    entry = register.read(desk.state[sealed.key])
    assert entry == {
        "agency": "az-police",
        "alert_id": sealed.alert_id,
        "kind": "person",
        "state": "ACTIVE",
        "version": 1,
        "partition": 1,
        "expires_at": NOW + 30 * DAY,
        "digests": [sealed.digest],
        "reached": ["EG", "TR"],
        "admitted_offset": -1,
        "left": [],
    }


def test_an_author_that_is_suspended_reaches_nobody() -> None:
    """Its member is not in good standing: a rule says so, and nothing is delivered."""
    desk = Desk(network(members={"AZ": {"standing": "SUSPENDED"}}))
    answer = desk.judge(Inlets().put(Author.of("az-police").write()))
    assert answer.verdict("az-police")["reason"] == "RULE_MEMBER_STANDING"


def test_an_alert_that_nobody_may_read_is_refused() -> None:
    """Everybody listed lacks the handling code: refused, not silently sent to no one."""
    desk = Desk(network(members={"TR": {"handling": []}}))
    handling = {"codes": ["H1"], "note": "", "tlp": "AMBER", "onward": "NONE"}
    sealed = Author.of("az-police").write(mode="LISTED", members=["TR"], handling=handling)
    assert desk.judge(Inlets().put(sealed)).verdict("az-police")["reason"] == "RULE_AUDIENCE_EMPTY"


def test_a_batch_is_judged_by_one_snapshot() -> None:
    """The directory is asked once a batch, so that all of a block rests on one number."""
    asked: list[Network] = []
    net = network(7)

    def directory() -> Directory:
        asked.append(net)
        return net.directory

    gate = Gate(NAMES, directory, net.key("hub.gate"), observe=lambda _: None)
    author, inlets = Author.of("az-police"), Inlets()
    batch = [inlets.put(author.write()) for _ in range(3)]
    output = gate.process(0, batch, {}, NOW)
    assert len(asked) == 1
    assert {item["directory_seq"] for item in blocks.read(output.commits[0].value or b"")["admitted"]} == {7}
    gate.close()


def test_the_same_batch_gives_the_same_answer(desk: Desk) -> None:
    """`process` is a function of records, state and directory: two gates agree to the byte."""
    author, inlets = Author.of("az-police"), Inlets()
    batch = [inlets.put(author.write()) for _ in range(30)]
    batch.append(inlets.record("az-police", b"x", b"\x00junk", []))
    other = Desk()
    assert desk.judge(*batch).output == other.judge(*batch).output


def test_an_empty_block_of_the_clock_folds_to_nothing(desk: Desk) -> None:
    """Time passes on idle lanes; the register does not care."""
    fold = desk.gate.fold(blocks.empty(3), 0, {}, lambda *_: 0)
    assert (fold.puts, fold.positions) == ([], [])


def test_counts_become_metrics_once_a_batch() -> None:
    """Admitted by kind and precedence, refused by reason, each agency's share."""
    before = metrics.REGISTRY.get_sample_value("manara_refused_total", {"reason": "MALFORMED"}) or 0
    tally = Tally()
    tally.refused["MALFORMED"] += 2
    tally.admitted["person", "FLASH"] += 1
    tally.judged["az-police", "refused"] += 2
    report(tally)
    assert metrics.REGISTRY.get_sample_value("manara_refused_total", {"reason": "MALFORMED"}) == before + 2


def test_an_alert_keeps_the_kind_of_its_first_message(desk: Desk) -> None:
    """A second version of another kind is refused."""
    author, inlets = Author.of("az-police"), Inlets()
    first = author.write()
    second = author.seal(route("az-police", alert_id=first.alert_id, version=2, message="UPDATE"))
    desk.judge(inlets.put(first))
    assert desk.judge(inlets.put(second)).verdict("az-police")["reason"] == "RULE_KIND_FIXED"
