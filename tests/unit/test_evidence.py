# ruff: noqa: F811 - fixtures of another file
"""Purge proofs and packs of evidence: whatever is changed in them shows, to anybody who has the roots' fingerprints."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from producers import proofs
from producers.errors import AuthorError
from producers.hours import now_micros
from producers.outbox import Accepted
from producers.publisher import Publisher
from schemas import evidence
from schemas.evidence import Contents, EvidenceError, SignedMessage, SignedRecord
from tests.support.agency import AGENCY, wanted
from tests.support.answers import Answers
from tests.support.directories import Network, key_of
from tests.unit.test_agency_commands import Run, run  # noqa: F401 - a fixture
from tests.unit.test_living_alerts import AUDIENCE, net, published, publisher, settings  # noqa: F401 - fixtures

KEY = key_of(AGENCY)


@pytest.fixture
def answers(publisher: Publisher, net: Network) -> Answers:
    """The hub and the members, now."""
    made = Answers(publisher.outbox, net, now_micros())
    made.remember()
    return made


@pytest.fixture
def withdrawn(publisher: Publisher, answers: Answers) -> Accepted:
    """The withdrawal of an alert that was updated before, purged by two of four members."""
    one = published(publisher)
    two = publisher.update(one.alert_id, wanted(national_ref="R-1", sex="MALE"), audience=["EG", "KZ"])
    three = publisher.withdraw(one.alert_id)
    answers.admit(one, two, three)
    answers.route(one, 3)
    answers.receive(one, ["EG", "TR"])
    answers.receive(one, ["KZ"])  # never addressed by that version: not taken
    answers.receive(three, ["EG", "TR"], "PURGED")
    return three


def proof(publisher: Publisher, alert: str) -> bytes:
    """The purge proof of an alert."""
    return evidence.make(proofs.purge_proof(publisher.outbox, alert, KEY, now_micros()), KEY)


def whole(publisher: Publisher, alert: str) -> bytes:
    """The pack of evidence of an alert."""
    return evidence.make(proofs.evidence(publisher.outbox, alert, KEY, now_micros()), KEY)


def test_a_purge_proof_names_who_has_confirmed_and_who_has_not(
    publisher: Publisher, withdrawn: Accepted, net: Network
) -> None:
    """From signatures alone; also a member that a later version had left out owes it."""
    report = evidence.verify(proof(publisher, withdrawn.alert_id), net.pins)
    assert (report.maker, report.withdrawn) == (AGENCY, True)
    assert (report.purged, report.missing) == (("EG", "TR"), ("KZ", "MA"))
    assert {(one.signer, one.what) for one in report.proven} == {
        (AGENCY, "WITHDRAW"), ("hub.gate", "ADMITTED"), ("edge.eg", "PURGED"), ("edge.tr", "PURGED"),
    }  # fmt: skip


def test_a_pack_of_evidence_holds_all_that_was_signed(publisher: Publisher, withdrawn: Accepted, net: Network) -> None:
    """Every version, verdict and receipt, and nothing that was not taken."""
    report = evidence.verify(whole(publisher, withdrawn.alert_id), net.pins)
    said = sorted((one.signer, one.what, one.version) for one in report.proven)
    assert said == [
        (AGENCY, "ALERT", 1), (AGENCY, "UPDATE", 2), (AGENCY, "WITHDRAW", 3),
        ("edge.eg", "PURGED", 3), ("edge.eg", "STORED", 1), ("edge.tr", "PURGED", 3), ("edge.tr", "STORED", 1),
        ("hub.gate", "ADMITTED", 1), ("hub.gate", "ADMITTED", 2), ("hub.gate", "ADMITTED", 3),
        ("hub.route", "ROUTED", 1),
    ]  # fmt: skip
    assert report.expected == {"1": tuple(AUDIENCE), "2": ("EG", "KZ"), "3": ("EG", "KZ", "MA", "TR")}


@pytest.fixture
def pack(publisher: Publisher, withdrawn: Accepted) -> bytes:
    """A whole pack."""
    return whole(publisher, withdrawn.alert_id)


def test_any_changed_byte_fails(pack: bytes, net: Network) -> None:
    """Three hundred places, each with a bit flipped, a byte left out, and one put in."""
    chance = random.Random(7)
    places = {0, 1, len(pack) - 1, *(chance.randrange(len(pack)) for _ in range(300))}
    for place in sorted(places):
        flipped = bytes([pack[place] ^ 1 << chance.randrange(8)])
        for changed in (
            pack[:place] + flipped + pack[place + 1 :],
            pack[:place] + pack[place + 1 :],
            pack[:place] + bytes([chance.randrange(256)]) + pack[place:],
        ):
            if changed != pack:
                with pytest.raises(EvidenceError):
                    evidence.verify(changed, net.pins)
    assert evidence.verify(pack, net.pins).alert_id


def resealed(pack: bytes, change: Callable[[dict[str, Any]], object], key: Any = KEY) -> bytes:
    """The pack with something changed, and sealed anew by somebody whose key is in it."""
    inner = json.loads(pack)["pack"]
    change(inner)
    decoded = {name: _decoded(inner[name]) for name in ("messages", "records", "keys")}
    contents = Contents(
        inner["about"],
        inner["agency"],
        inner["alert_id"],
        inner["made_at"],
        [SignedMessage(**one) for one in decoded["messages"]],
        [SignedRecord(**one) for one in decoded["records"]],
        decoded["keys"],  # type: ignore[arg-type]
        inner["roots"],
        inner["expected"],
        inner["decisions"],
    )
    return evidence.make(contents, key)


def _decoded(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: base64.b64decode(part) if isinstance(part, str) else part for name, part in item.items()}
        for item in items
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: p.update(alert_id="019ab5c1-0000-7000-8000-000000000000"), "about another alert"),
        (lambda p: p.update(agency="tr-fiu"), "another"),
        (lambda p: p["messages"][0].update(hub=p["messages"][1]["hub"]), "HUB_HEADER_MISMATCH"),
        (lambda p: p["messages"][0].update(sig=p["messages"][1]["sig"]), "BAD_SIGNATURE"),
        (lambda p: p["messages"][0].update(at=0), "KEY_NOT_VALID"),
        (lambda p: p["records"].append({k: p["messages"][0][k] for k in ("value", "sig", "at")}), "BAD_SIGNATURE"),
        (lambda p: p["records"][0].update(value=p["records"][1]["value"]), "BAD_SIGNATURE"),
        (lambda p: p["keys"].pop(0), "UNKNOWN_KEY|not believed"),
        (lambda p: p["roots"].update(EG=key_of("root.TR").public.hex()), "not the pinned one"),
        (lambda p: p["roots"].update(FR=key_of("root.TR").public.hex()), "no root is pinned"),
    ],
)
def test_what_a_maker_forges_shows_though_it_seals_it(
    pack: bytes, net: Network, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    """The seal says who made the pack; it makes nothing in it true."""
    with pytest.raises(EvidenceError, match=why):
        evidence.verify(resealed(pack, change), net.pins)


def test_a_seal_by_a_key_that_no_root_has_certified_is_nothing(pack: bytes, net: Network) -> None:
    """Nor is one of another key of the pack over other content."""
    with pytest.raises(EvidenceError, match="not believed"):
        evidence.verify(resealed(pack, lambda _: None, key_of("somebody")), net.pins)
    assert evidence.verify(resealed(pack, lambda _: None), net.pins).maker == AGENCY


def test_without_the_right_fingerprints_nothing_is_proven(pack: bytes, net: Network) -> None:
    """Another root, or none for a member whose signature is in it."""
    for pins in ({}, {**net.pins, "EG": "0" * 64}, {name: pin for name, pin in net.pins.items() if name != "operator"}):
        with pytest.raises(EvidenceError):
            evidence.verify(pack, pins)


JSON = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps({"pack": value, "seal": value}, indent=2).encode()))
@trying(max_examples=200, deadline=None)
def test_no_file_whatever_gets_past_or_crashes(data: bytes) -> None:
    """A stranger's bytes end in one error."""
    with pytest.raises(EvidenceError):
        evidence.verify(data, {})


def test_what_was_not_withdrawn_has_no_purge_proof(publisher: Publisher, answers: Answers) -> None:
    """A sentence."""
    one = published(publisher)
    answers.admit(one)
    with pytest.raises(AuthorError, match="was not withdrawn"):
        proof(publisher, one.alert_id)


def test_the_commands_write_and_check_files_offline(
    run: Run, withdrawn: Accepted, tmp_path: Path, net: Network
) -> None:
    """Exit code 1 while somebody is missing; a proof is checked with fingerprints on the command line alone."""
    made = run("--config", "manara.toml", "purge-proof", withdrawn.alert_id, "--out", "p.json")
    assert (made.code, "not confirmed: KZ, MA" in made.out) == (1, True), made.err
    assert (tmp_path / "p.json").stat().st_mode & 0o077 == 0
    assert "exists already" in run("--config", "manara.toml", "purge-proof", "R-1", "--out", "p.json").err
    whole = run("--config", "manara.toml", "evidence", "R-1", "--out", "e.json")
    assert (whole.code, "Every signature in it holds" in whole.out) == (0, True), whole.err
    (tmp_path / "manara.toml").unlink()
    roots = [word for name, pin in net.pins.items() for word in ("--root", f"{name}={pin}")]
    checked = run("purge-proof", "--verify", "p.json", *roots, "--json")
    assert json.loads(checked.out)["purged"] == ["EG", "TR"]
    assert run("verify", "e.json", *roots).code == 0
    assert run("purge-proof", "--verify", "e.json", *roots).code == 2
    data = (tmp_path / "e.json").read_bytes()
    (tmp_path / "e.json").write_bytes(data.replace(b'"TR"', b'"KZ"', 1))
    said = run("verify", "e.json", *roots)
    assert (said.code, "This proves nothing" in said.err) == (1, True)
    assert run("verify", "e.json", "--root", "AZ=12").code == 2
