"""Each message of the misbehaving agency, before the real gate stage: exactly the reason that it says of itself."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from manara import keys
from manara.demo import inject
from manara.demo.misbehaviour import AGENCY, GOOD_REF, Keys, Message, Misbehaviour
from manara.deployment.home import Home
from manara.deployment.parties import Issuer
from manara.directory_file import load_yaml
from schemas import directory, message
from schemas.errors import ContractError
from schemas.signature import SigningKey
from tests.support.directories import Network
from tests.support.gates import Desk, Inlets

STORY = Path(__file__).parents[2] / "deploy" / "demo"
READERS = ["AE", "AZ", "KZ", "MA", "TR"]


class Stage:
    """The demo's own network, keys and messages, made as `manara demo` makes them."""

    def __init__(self, folder: Path) -> None:
        self.now, self.home = time.time_ns() // 1000, Home(folder)
        draft, issuer = load_yaml(STORY / "directory.yaml"), Issuer(Home(folder), time.time_ns() // 1000)
        roots = issuer.roots(draft)
        certified = [*issuer.certified(draft, roots, ()), *inject.expired_key(issuer, draft, roots)]
        complete = draft.with_roots({name: root.public for name, root in roots.items()}).with_keys(certified)
        record = complete.record(1, self.now)
        pins = {name: directory.fingerprint(root.public) for name, root in roots.items()}
        read, refused = directory.read(record, pins)
        assert not refused
        gate = {"hub.gate": keys.load(self.home.hub("gate") / "key.pem")}
        self.net = Network(read, record, pins, roots, gate)
        mine = self.home.agency(AGENCY)
        self.keys = Keys(keys.load(mine / "key.pem"), keys.load(mine / inject.EXPIRED), SigningKey.generate())
        self.messages = list(Misbehaviour(self.keys, self.now, inject.new_id).messages())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """One for all tests here: nothing in it changes."""
    return Stage(tmp_path_factory.mktemp("home"))


def test_every_message_gets_the_verdict_that_it_announces(stage: Stage) -> None:
    """In the order of the demo, one by one: admitted, refused for exactly this reason, or recognised."""
    desk, inlets = Desk(stage.net), Inlets()
    try:
        for sent in stage.messages:
            record = inlets.record(AGENCY, sent.key, sent.value, sent.headers, time=stage.now + 1_000_000)
            verdict = desk.judge(record).verdict(AGENCY)
            assert (str(verdict["reason"]), verdict["again"]) == (str(sent.reason), sent.again), sent.name
            assert verdict["outcome"] == ("REFUSED" if sent.reason else "ADMITTED"), sent.name
    finally:
        desk.close()


def test_the_good_alert_goes_to_all_who_may_read_routes_and_the_bad_ones_to_nobody(stage: Stage) -> None:
    """One admitted alert in the blocks, every refused message in quarantine as it came."""
    desk, inlets = Desk(stage.net), Inlets()
    try:
        records = [
            inlets.record(AGENCY, sent.key, sent.value, sent.headers, time=stage.now + 1_000_000)
            for sent in stage.messages
        ]
        answer = desk.judge(*records)
    finally:
        desk.close()
    (admitted,) = answer.admitted
    assert admitted["deliver"] == READERS
    bad = [sent for sent in stage.messages if sent.reason]
    assert [kept["value"] for kept in answer.quarantined] == [sent.value for sent in bad]


def test_the_broker_takes_and_the_demo_expects_what_the_issue_asks_for(stage: Stage) -> None:
    """Every reason that must be shown, once; a good alert, and one that comes again."""
    expected = inject.expected_refusals()
    assert {
        "BAD_SIGNATURE", "UNKNOWN_KEY", "KEY_NOT_VALID", "WRONG_AGENCY", "UNDECODABLE", "NOT_CANONICAL", "TOO_LARGE",
        "SCHEMA_MISMATCH", "STALE_VERSION", "HUB_HEADER_MISMATCH",
    } <= expected.keys()  # fmt: skip
    assert any(reason.startswith("RULE_") for reason in expected)
    assert expected == Counter(str(sent.reason) for sent in stage.messages if sent.reason)
    assert [sent.name for sent in stage.messages if not sent.reason] == ["good", "sent again, byte for byte"]
    assert max(len(sent.value or b"") for sent in stage.messages) < 1_000_000, "the broker itself would refuse it"


def test_the_message_sent_again_is_the_good_one_byte_for_byte(stage: Stage) -> None:
    """Same key, value and headers."""
    first, last = stage.messages[0], stage.messages[-1]
    assert (first.key, first.value, first.headers) == (last.key, last.value, last.headers)


def test_the_checks_of_an_edge_refuse_what_is_badly_signed_too(stage: Stage) -> None:
    """The same order of checks without the gate: a hub that lied about these would be found out."""
    for sent in stage.messages:
        assert _checked(sent, stage) == (str(sent.reason) if sent.reason in BY_BYTES else ""), sent.name


BY_BYTES = {
    "MALFORMED", "BAD_SIGNATURE", "UNDECODABLE", "NOT_CANONICAL", "TOO_LARGE", "UNKNOWN_KEY", "KEY_NOT_VALID",
    "WRONG_AGENCY", "SCHEMA_MISMATCH", "HUB_HEADER_MISMATCH",
}  # fmt: skip
"""What the bytes alone tell, without register and rules."""


def _checked(sent: Message, stage: Stage) -> str:
    try:
        authentic = message.authenticate(
            sent.key, sent.value, sent.headers, directory=stage.net.directory, at=stage.now + 1_000_000
        )
        opened = message.interpret(authentic, sent.key or b"")
        message.open_audience(sent.headers, opened.header)
    except ContractError as error:
        return str(getattr(error, "reason", error))
    return ""


def test_the_good_alert_is_the_one_that_the_expectations_name(stage: Stage) -> None:
    """By its author's own reference."""
    assert GOOD_REF.encode() in (stage.messages[0].value or b"")
