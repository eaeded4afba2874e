"""Messages sealed and opened: every byte counts, every refusal is a refusal, nothing else comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import (
    Refusal,
    authenticate,
    by_name,
    codec,
    encode,
    interpret,
    message,
    open_audience,
    open_record,
    seal,
    sign_record,
    signature,
)
from schemas.errors import EncodeError
from schemas.message import MAX_VALUE, Headers, Sealed, identity
from schemas.models import HubHeader
from schemas.registry import ALERT_KINDS, load
from tests.support import samples, strategies

DIRECTORY = samples.directory()
NOW = samples.NOW
KEY = samples.key(samples.AGENCY)
SEALED = {kind: seal(by_name(kind), samples.alert(kind), samples.audience(), KEY) for kind in ALERT_KINDS}


def opened(key: bytes | None, value: bytes | None, headers: Headers | None, at: int = NOW) -> dict[str, Any]:
    """Everything that gate and edge check, up to the audience."""
    authentic = authenticate(key, value, headers, directory=DIRECTORY, at=at)
    assert key is not None
    found = interpret(authentic, key)
    open_audience(headers, found.header)
    return found.record


def reason_of(key: bytes | None, value: bytes | None, headers: Headers | None, at: int = NOW) -> str:
    """Why it is refused."""
    with pytest.raises(Refusal) as refused:
        opened(key, value, headers, at)
    return refused.value.reason


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_what_is_sealed_is_opened(kind: str) -> None:
    """Record and audience come out as they went in, but for the digest that binds them."""
    sealed = SEALED[kind]
    record = opened(sealed.key, sealed.value, sealed.headers)
    header = {**record["header"], "hub_digest": ""}
    assert {**record, "header": header} == samples.alert(kind)
    assert sealed.key == identity(samples.AGENCY, samples.ALERT_ID) == b"az-customs/" + samples.ALERT_ID.encode()
    assert (sealed.kind, sealed.alert_id, sealed.version) == (kind, samples.ALERT_ID, 1)


@given(st.sampled_from(ALERT_KINDS).flatmap(lambda kind: st.tuples(st.just(kind), strategies.records(by_name(kind)))))
def test_any_record_of_the_agency_is_opened_as_sealed(drawn: tuple[str, dict[str, Any]]) -> None:
    """Whatever it says; whether it may say so is the rules' business."""
    kind, record = drawn
    record["header"]["agency"] = samples.AGENCY
    sealed = seal(by_name(kind), record, samples.audience(), KEY)
    if len(sealed.key) > 128:
        return
    found = opened(sealed.key, sealed.value, sealed.headers)
    assert {**found, "header": {**found["header"], "hub_digest": record["header"]["hub_digest"]}} == record


@given(st.sampled_from(ALERT_KINDS), st.data())
def test_any_flipped_bit_is_refused(kind: str, data: st.DataObject) -> None:
    """Of key, value, signature or hub header."""
    sealed = SEALED[kind]
    parts = [sealed.key, sealed.value, *(value for _, value in sealed.headers)]
    chosen = data.draw(st.integers(0, 3))
    changed = bytearray(parts[chosen])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    parts[chosen] = bytes(changed)
    headers = [("sig", parts[2]), ("hub", parts[3])]
    expected = [{"MALFORMED"}, {"BAD_SIGNATURE", "MALFORMED", "SCHEMA_MISMATCH"}, {"BAD_SIGNATURE", "UNKNOWN_KEY"}]
    assert reason_of(parts[0], parts[1], headers) in [*expected, {"HUB_HEADER_MISMATCH"}][chosen]


garbage = st.one_of(st.none(), st.binary(max_size=80))


@given(garbage, garbage, st.lists(st.tuples(st.sampled_from(["sig", "hub", "at", "x"]), garbage), max_size=4))
def test_garbage_is_refused_and_nothing_else(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """No other exception leaves the checks."""
    assert reason_of(key, value, headers)


@given(st.binary(max_size=60))
def test_a_lying_author_is_refused_and_nothing_else(body: bytes) -> None:
    """Any bytes, properly signed."""
    schema = by_name("person")
    headers = [("sig", signature.sign(schema, body, KEY))]
    assert reason_of(b"az-customs/x", codec.frame(schema, body), headers) in {
        "UNDECODABLE",
        "NOT_CANONICAL",
        "MALFORMED",
    }


def test_the_limit_is_on_the_value() -> None:
    """64 KiB pass, a byte more does not, however good it is."""
    text = "x" * 64_000
    record = samples.person(header=samples.header(narrative=[{"lang": "en", "text": text}]))
    spare = MAX_VALUE - len(seal(by_name("person"), record, samples.audience(), KEY).value)

    def sized(length: int) -> Sealed:
        narrative = [{"lang": "en", "text": "x" * length}]
        return seal(
            by_name("person"), samples.person(header=samples.header(narrative=narrative)), samples.audience(), KEY
        )

    full, over = sized(64_000 + spare), sized(64_000 + spare + 1)
    assert len(full.value) == MAX_VALUE
    assert opened(full.key, full.value, full.headers)
    assert reason_of(over.key, over.value, over.headers) == "TOO_LARGE"


def test_ten_thousand_headers_are_refused() -> None:
    """Before they are looked through."""
    sealed = SEALED["person"]
    headers = [*sealed.headers, *[("x", b"")] * 10_000]
    assert reason_of(sealed.key, sealed.value, headers) == "MALFORMED"


def test_a_refusal_carries_the_digest_once_it_is_known() -> None:
    """So that the outbox finds its message in the verdict."""
    sealed = SEALED["person"]
    with pytest.raises(Refusal) as refused:
        authenticate(sealed.key, sealed.value, sealed.headers, directory=DIRECTORY, at=NOW + 999 * samples.DAY)
    assert (refused.value.reason, refused.value.digest) == ("KEY_NOT_VALID", sealed.digest)


def test_sealing_leaves_the_record_as_it_was() -> None:
    """A draft may be sealed for two audiences: two digests, two messages."""
    record = samples.person()
    sealed = seal(by_name("person"), record, samples.audience(), KEY)
    assert record == samples.person()
    other = seal(by_name("person"), record, samples.audience(mode="LISTED", members=["TR"]), KEY)
    assert sealed.digest != other.digest


def test_the_hub_header_of_another_message_does_not_fit() -> None:
    """The signed digest decides."""
    sealed = SEALED["person"]
    hub = encode(by_name("hub"), samples.audience(mode="LISTED", members=["TR"]))
    assert reason_of(sealed.key, sealed.value, [sealed.headers[0], ("hub", hub)]) == "HUB_HEADER_MISMATCH"


def test_what_a_member_gets_says_nothing_about_the_others() -> None:
    """The audience is not in key, value or signature; the salt keeps the digest from being guessed."""
    one = seal(by_name("person"), samples.person(), samples.audience(mode="LISTED", members=["TR"]), KEY)
    two = seal(by_name("person"), samples.person(), samples.audience(mode="LISTED", members=["EG", "TR"]), KEY)
    assert (one.key, len(one.value), len(one.headers[0][1])) == (two.key, len(two.value), len(two.headers[0][1]))


def test_an_end_names_the_kind_that_it_ends() -> None:
    """The register needs it."""
    sealed = seal(by_name("end"), samples.end(), samples.audience(), KEY)
    found = interpret(authenticate(sealed.key, sealed.value, sealed.headers, directory=DIRECTORY, at=NOW), sealed.key)
    assert (sealed.kind, found.kind, found.schema.name) == ("person", "person", "end")


def test_a_message_of_an_older_version_is_read_as_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was added has its default, so that rules and sinks know one version alone; what is signed stays."""
    definition = json.loads(by_name("person").text)
    definition["fields"].append({"name": "height_cm", "type": "int", "default": 0, "doc": "Or 0."})
    newer = load("person-1.1.avsc", json.dumps(definition).encode())
    sealed = SEALED["person"]
    monkeypatch.setattr(message, "current", lambda schema: newer if schema.name == "person" else schema)
    found = interpret(authenticate(sealed.key, sealed.value, sealed.headers, directory=DIRECTORY, at=NOW), sealed.key)
    assert (found.record["height_cm"], found.schema.minor, found.digest) == (0, 0, sealed.digest)
    assert found.record["names"] == samples.person()["names"]


def test_a_misfit_is_not_sealed() -> None:
    """Record or audience."""
    with pytest.raises(EncodeError):
        seal(by_name("person"), samples.person(sex="X"), samples.audience(), KEY)
    audience: HubHeader = samples.audience(mode="SOME")
    with pytest.raises(EncodeError):
        seal(by_name("person"), samples.person(), audience, KEY)


def test_a_record_is_opened_for_its_holders_alone() -> None:
    """An edge's receipt is no verdict's place."""
    record = {"at": NOW, "sequence": 1}
    value, headers = sign_record(by_name("heartbeat"), record, samples.key("edge.tr"))
    assert open_record(value, headers, directory=DIRECTORY, at=NOW)[1] == record
    with pytest.raises(Refusal) as refused:
        open_record(value, headers, directory=DIRECTORY, at=NOW, holders=("hub.clock",))
    assert refused.value.reason == "WRONG_AGENCY"
    with pytest.raises(Refusal) as refused:
        open_record(value, headers, directory=DIRECTORY, at=NOW, limit=5)
    assert refused.value.reason == "TOO_LARGE"


def test_an_alert_by_an_edge_or_the_hub_is_refused() -> None:
    """Only agencies speak, though the keys are good."""
    for holder in ("edge.az", "hub.gate"):
        record = samples.person(header=samples.header(agency=holder))
        sealed = seal(by_name("person"), record, samples.audience(), samples.key(holder))
        assert reason_of(sealed.key, sealed.value, sealed.headers) == "WRONG_AGENCY"
