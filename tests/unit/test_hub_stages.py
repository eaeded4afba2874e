"""Route, receipts, clock and what is said of unreadable batches, as pure functions."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from schemas import codec, message, registry
from schemas.topics import Names
from streams import unreadable
from streams.clock import tick
from streams.engine.contract import Headers, Output, Record
from streams.engine.errors import Exit, Stop
from streams.engine.unreadable import Unreadable
from streams.gate import blocks, quarantine
from streams.receipts import MAX_RECEIPTS, Forward
from streams.route import Route
from tests.support.directories import NOW, network

NAMES = Names()
NET = network()
ROUTE = Route(NAMES, lambda: NET.directory, NET.key("hub.route"))
FORWARD = Forward(NAMES, lambda: NET.directory)


def item(**changes: Any) -> dict[str, Any]:
    """An admitted item of a block."""
    return {
        "agency": "az-police", "alert_id": "one", "kind": "person", "version": 1, "message": "ALERT", "digest": "d1",
        "admitted_at": NOW, "expires_at": 0, "precedence": "ROUTINE", "directory_seq": 1, "partition": 0, "offset": 0,
        "deliver": ["EG", "MA"], "leave": [], "rules": [], "trace": "", "hub": b"secret", "signature": b"sig",
        "value": b"signed bytes", **changes,
    }  # fmt: skip


def block(*items: dict[str, Any]) -> bytes:
    """A block of these items."""
    schema = registry.by_name("block")
    return codec.frame(schema, codec.encode(schema, {"lane": 0, "positions": [], "admitted": list(items)}))


def record(value: bytes | None, topic: str = "admitted.v1", headers: Headers | None = None) -> Record:
    """It as a record of the log."""
    return Record(topic, "t1", 0, 7, NOW + 5, b"0", value, headers or [])


def route(*items: dict[str, Any]) -> Output:
    """What route answers to a block."""
    return ROUTE.process(0, [record(block(*items))], {}, 0)


def test_route_hands_on_the_signed_bytes_and_leaves_the_audience_behind() -> None:
    """Signature, log time and trace travel; the hub header does not."""
    out = route(item(trace="00-aa-bb-01"))
    feeds = [emit for emit in out.emits if emit.topic.startswith("feeds.")]
    assert [emit.topic for emit in feeds] == ["feeds.v1.eg.person", "feeds.v1.ma.person"]
    assert {emit.key for emit in feeds} == {b"az-police/one"}
    assert {emit.value for emit in feeds} == {b"signed bytes"}
    headers: Headers = [("sig", b"sig"), ("at", NOW.to_bytes(8, "big")), ("trace", b"00-aa-bb-01")]
    assert [emit.headers for emit in feeds] == [headers, headers]


def test_route_tells_members_that_are_left_out_under_the_alert_s_own_key() -> None:
    """A notice signed by the hub, so that a compacted feed keeps it in the alert's place."""
    out = route(item(deliver=["EG"], leave=["MA", "TR"], version=2))
    told = [emit for emit in out.emits if emit.topic in ("feeds.v1.ma.person", "feeds.v1.tr.person")]
    assert [(emit.topic, emit.key) for emit in told] == [
        ("feeds.v1.ma.person", b"az-police/one"),
        ("feeds.v1.tr.person", b"az-police/one"),
    ]
    schema, said, _ = message.open_record(
        told[0].value, told[0].headers, directory=NET.directory, at=NOW, holders={"hub.route"}
    )
    assert (schema.name, said["type"], said["version"]) == ("notice", "NO_LONGER_ADDRESSED", 2)
    assert (said["first"], said["last"], "EG" in said["text"]) == (0, 0, False)


def test_route_counts_feeds_for_each_author_in_one_signed_record_a_block() -> None:
    """Counts, not names; a repeat of the block says the very same."""
    items = [item(), item(alert_id="two", deliver=[]), item(agency="tr-fiu", alert_id="three", deliver=["AZ"])]
    first, again = route(*items), route(*items)
    assert first.emits == again.emits
    told = {emit.topic: emit for emit in first.emits if emit.topic.startswith("status.")}
    assert sorted(told) == ["status.v1.az-police", "status.v1.tr-fiu"]
    emit = told["status.v1.az-police"]
    schema, said, _ = message.open_record(
        emit.value, emit.headers, directory=NET.directory, at=NOW, holders={"hub.route"}
    )
    assert (schema.name, said["issuer"], said["member"]) == ("receipt", "hub.route", "")
    assert [(r["alert_id"], r["stage"], r["count"]) for r in said["receipts"]] == [
        ("one", "ROUTED", 2),
        ("two", "ROUTED", 0),
    ]
    assert {r["at"] for r in said["receipts"]} == {NOW + 5}


def test_the_clock_s_blocks_pass_without_a_trace() -> None:
    """Time passes, nothing is sent."""
    assert ROUTE.process(0, [record(blocks.empty(3))], {}, 0) == Output()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"deliver": ["EG", "XX"]}, "names members without feeds: XX"),
        ({"leave": ["ZZ"]}, "names members without feeds: ZZ"),
        ({"kind": "vessel"}, "names the kind 'vessel'"),
        ({"agency": "xx-none"}, "names the agency xx-none"),
    ],
)
def test_a_block_that_names_what_does_not_exist_stops_the_hub(changes: dict[str, Any], why: str) -> None:
    """Fail closed: passing over it would lose an alert in silence."""
    with pytest.raises(Stop, match=r"admitted\.v1/0/7") as stopped:
        route(item(**changes))
    assert stopped.value.code is Exit.BROKEN_BLOCK
    assert why in stopped.value.why


@pytest.mark.parametrize("value", [None, b"", b"\x00", b"\x00\x00\x0a\xae\x60\xff\xff\xff", b"\x01garbage"])
def test_what_is_no_block_stops_the_hub(value: bytes | None) -> None:
    """Only the gate writes there: it is not skipped, and not decoded into something else."""
    with pytest.raises(Stop) as stopped:
        ROUTE.process(0, [record(value)], {}, 0)
    assert stopped.value.code is Exit.BROKEN_BLOCK


def test_an_end_goes_to_the_feeds_of_the_alert_s_own_kind_and_is_counted() -> None:
    """Its own schema is `end`; the block says which kind it ends, and ROUTED counts all whom the alert had reached."""
    out = route(item(kind="transfer", message="WITHDRAW", version=3, deliver=["EG", "KZ", "MA"], rules=["REACHED"]))
    feeds = [emit for emit in out.emits if emit.topic.startswith("feeds.")]
    assert [e.topic for e in feeds] == ["feeds.v1.eg.transfer", "feeds.v1.kz.transfer", "feeds.v1.ma.transfer"]
    assert {emit.key for emit in feeds} == {b"az-police/one"}
    told = out.emits[-1]
    _, said, _ = message.open_record(told.value, told.headers, directory=NET.directory, at=NOW, holders={"hub.route"})
    assert [(r["kind"], r["version"], r["stage"], r["count"]) for r in said["receipts"]] == [
        ("transfer", 3, "ROUTED", 3)
    ]


def test_a_member_that_left_between_gate_and_route_is_passed_over_and_the_others_are_served() -> None:
    """Decided by directory 1, routed by 2 that no longer has SA: the hub goes on, and the count is what was sent."""
    later = Route(NAMES, lambda: network(2).directory, NET.key("hub.route"))
    out = later.process(0, [record(block(item(deliver=["EG", "SA"], leave=["MA", "SB"])))], {}, 0)
    feeds = [emit.topic for emit in out.emits if emit.topic.startswith("feeds.")]
    assert feeds == ["feeds.v1.eg.person", "feeds.v1.ma.person"]
    told = out.emits[-1]
    _, said, _ = message.open_record(told.value, told.headers, directory=NET.directory, at=NOW, holders={"hub.route"})
    assert said["receipts"][0]["count"] == 1


def test_an_agency_that_left_between_gate_and_route_stops_nobody() -> None:
    """Its alert goes to its readers; it is told nothing, for it has no topic any more; the others in the block are."""
    directory = network(2).directory
    agencies = {name: agency for name, agency in directory.agencies.items() if name != "az-police"}
    later = Route(NAMES, lambda: dataclasses.replace(directory, agencies=agencies), NET.key("hub.route"))
    out = later.process(0, [record(block(item(), item(agency="eg-police", deliver=["MA"])))], {}, 0)
    assert [emit.topic for emit in out.emits] == [
        "feeds.v1.eg.person", "feeds.v1.ma.person", "feeds.v1.ma.person", "status.v1.eg-police",
    ]  # fmt: skip


def test_a_member_of_a_newer_directory_is_left_to_the_broker() -> None:
    """The gate may know it before we do; a topic that does not exist fails the delivery, which ends the worker."""
    out = route(item(deliver=["SA"], directory_seq=2))
    assert "feeds.v1.sa.person" in [emit.topic for emit in out.emits]


# ---------------------------------------------------------------------- receipts


def receipts(signer: str = "edge.eg", number: int = 1, **changes: Any) -> tuple[bytes, Headers]:
    """A signed record of an edge."""
    receipt = {
        "digest": "d", "kind": "person", "alert_id": "one", "version": 1, "stage": changes.pop("stage", "STORED"),
        "at": NOW, "reason": changes.pop("reason", ""), "count": 0,
    }  # fmt: skip
    said = {"issuer": "edge.eg", "member": "EG", "agency": "az-police", "receipts": [receipt] * number, **changes}
    value, headers = message.sign_record(registry.by_name("receipt"), said, NET.key(signer))
    return value, [*headers, ("other", b"x")]


def test_a_true_receipt_goes_to_its_author_byte_for_byte() -> None:
    """With the member's signature and nothing else of its headers."""
    value, headers = receipts()
    out = FORWARD.process(0, [record(value, "receipts.v1.eg", headers)], {}, 0)
    assert [(e.topic, e.key, e.value, e.headers) for e in out.emits] == [
        ("status.v1.az-police", b"az-police", value, headers[:1])
    ]


@pytest.mark.parametrize(
    ("topic", "made", "reason"),
    [
        ("receipts.v1.ma", receipts(), "WRONG_AGENCY"),
        ("receipts.v1.eg", receipts(member="MA", issuer="edge.ma"), "WRONG_AGENCY"),
        ("receipts.v1.eg", receipts(issuer="hub.route"), "WRONG_AGENCY"),
        ("receipts.v1.eg", receipts(agency="zz-none"), "WRONG_AGENCY"),
        ("receipts.v1.eg", receipts(stage="ROUTED"), "WRONG_AGENCY"),
        ("receipts.v1.eg", receipts(number=MAX_RECEIPTS + 1), "TOO_LARGE"),
        ("receipts.v1.eg", receipts(number=MAX_RECEIPTS, reason="x" * 1_100), "TOO_LARGE"),
        ("receipts.v1.eg", (receipts()[0], receipts(agency="tr-fiu")[1]), "BAD_SIGNATURE"),
        ("receipts.v1.eg", (b"", []), "MALFORMED"),
        ("receipts.v1.eg", (receipts()[0], []), "BAD_SIGNATURE"),
    ],
)
def test_what_is_not_a_member_s_own_word_is_kept_and_told_to_nobody(
    topic: str, made: tuple[bytes, Headers], reason: str
) -> None:
    """Original bytes and headers in quarantine; the next receipt goes on."""
    value, headers = made
    good = receipts()
    out = FORWARD.process(0, [record(value, topic, headers), record(good[0], "receipts.v1.eg", good[1])], {}, 0)
    assert [emit.topic for emit in out.emits] == ["quarantine.v1", "status.v1.az-police"]
    kept = quarantine.read(out.emits[0].value or b"")
    assert (kept["reason"], len(kept["headers"])) == (reason, len(headers))
    assert value.startswith(kept["value"] or b"")
    assert kept["value"] == value or len(value) > quarantine.MAX_KEPT


@pytest.mark.parametrize("traces", [[b"x" * 900_000], [b"x" * 50] * 20_000])
def test_a_receipt_leaves_behind_what_would_not_fit(traces: list[bytes]) -> None:
    """A header that inflates, or thousands of them: its author hears, and the worker lives."""
    value, headers = receipts()
    (sent,) = FORWARD.process(
        0, [record(value, "receipts.v1.eg", [*headers[:1], *(("trace", each) for each in traces)])], {}, 0
    ).emits
    # thousands of headers are no receipt of ours at all
    assert sent.topic == ("status.v1.az-police" if len(traces) == 1 else "quarantine.v1")
    assert sum(len(part or b"") for _, part in sent.headers or []) < 300
    assert len(sent.value or b"") < 900_000


# ---------------------------------------------------------------------- clock and unreadable batches


def test_a_stroke_of_the_clock_reaches_every_lane_and_is_signed() -> None:
    """An empty block for each partition, and a heartbeat that anybody may check."""
    *lanes, beat = tick(NAMES, 8, NET.key("hub.clock"), NOW, 3)
    assert [(emit.topic, emit.partition) for emit in lanes] == [("admitted.v1", lane) for lane in range(8)]
    assert all(blocks.read(emit.value or b"")["admitted"] == [] for emit in lanes)
    schema, said, _ = message.open_record(
        beat.value, beat.headers, directory=NET.directory, at=NOW, holders={"hub.clock"}
    )
    assert (beat.topic, schema.name, said) == ("sys.heartbeat", "heartbeat", {"at": NOW, "sequence": 3})


def test_an_unreadable_batch_is_told_to_operator_and_agency() -> None:
    """Coordinates without bytes for the one, a signed notice for the other; of an empty stretch nothing is said."""
    stretch = Unreadable("alerts.v1.az-police", "ab", 1, 5, 9, poison=True)
    key = NET.key("hub.gate")
    (kept,) = unreadable.quarantined(NAMES, stretch, "az-police", NOW)
    found = quarantine.read(kept.value or b"")
    assert (kept.key, found["reason"], found["value"]) == (b"alerts.v1.az-police/1/5", "UNREADABLE", None)
    (told,) = unreadable.notice(NAMES, stretch, "az-police", NOW, key)
    _, said, _ = message.open_record(told.value, told.headers, directory=NET.directory, at=NOW, holders={"hub.gate"})
    assert (told.topic, said["type"], said["first"], said["last"]) == ("status.v1.az-police", "BATCH_UNREADABLE", 5, 9)
    nothing = stretch._replace(last=4)
    assert unreadable.quarantined(NAMES, nothing, "az-police", NOW) == []
    assert unreadable.notice(NAMES, nothing, "az-police", NOW, key) == []
