"""The directory: keys are believed from pinned roots alone, whatever the operator publishes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, directory, signature
from schemas.directory import Directory, judge_key
from schemas.models import CertifiedKey, DirectoryRecord
from schemas.registry import by_name
from tests.support import samples

NOW, DAY = samples.NOW, samples.DAY
KID = samples.key(samples.AGENCY).kid
AZ_ROOT = samples.key("root AZ")


def read(*keys: CertifiedKey, previous: Directory | None = None, **changes: Any) -> tuple[Directory, tuple[str, ...]]:
    """The sample directory with these key entries instead of its own, and other changes."""
    record = cast("DirectoryRecord", {**samples.record(), "keys": list(keys), **changes})
    return directory.read(record, samples.pins(), previous)


def test_the_sample_is_believed() -> None:
    """Six members, two agencies, their keys, edges' and the hub's."""
    known = samples.directory()
    assert set(known.members) == set(samples.MEMBERS)
    assert {key.holder for key in known.keys.values()} == {
        samples.AGENCY,
        samples.OTHER_AGENCY,
        *(f"edge.{code.lower()}" for code in samples.MEMBERS),
        *(f"hub.{stage}" for stage in directory.HUB_STAGES),
    }
    assert known.keys[KID].public == samples.key(samples.AGENCY).public


def test_it_travels_as_a_record() -> None:
    """Encoded, decoded, read: the same."""
    schema = by_name("directory")
    body = codec.encode(schema, samples.record())
    record = cast("DirectoryRecord", codec.decode(schema, body))
    assert directory.read(record, samples.pins())[0] == samples.directory()


def certified(holder: str, member: str, root: str, **changes: Any) -> CertifiedKey:
    """A key entry signed by a root that may be the wrong one."""
    return directory.certify(samples.entry(holder, member, **changes), samples.key(root))


def with_byte_changed(key: CertifiedKey) -> CertifiedKey:
    """The entry altered after it was signed: valid for longer, say."""
    entry = bytearray(key["entry"])
    entry[-1] ^= 2
    return {"entry": bytes(entry), "certificate": key["certificate"]}


def signed_as(name: str) -> CertifiedKey:
    """An entry whose certificate is a signature of the right root for another purpose."""
    body = codec.encode(by_name("key"), samples.entry(samples.AGENCY, "AZ"))
    return {"entry": body, "certificate": signature.sign(by_name(name), body, AZ_ROOT)}


def under_another_kid() -> CertifiedKey:
    """An entry that the root signed, in a certificate that names another key."""
    schema, body = by_name("key"), codec.encode(by_name("key"), samples.entry(samples.AGENCY, "AZ"))
    protected = signature.protected_map(KID, schema.context, schema.id, schema.sha256)
    made = signature.sign_structure(signature.structure(protected, body), AZ_ROOT)
    return {"entry": body, "certificate": signature.assemble(protected, made)}


def padded() -> CertifiedKey:
    """An entry that is not the canonical encoding, though signed."""
    body = codec.encode(by_name("key"), samples.entry(samples.AGENCY, "AZ")) + b"\x00"
    return {"entry": body, "certificate": signature.sign(by_name("key"), body, AZ_ROOT)}


GOOD = certified(samples.AGENCY, "AZ", "root AZ")
REFUSED: dict[str, CertifiedKey] = {
    "signed by another member's root": certified(samples.AGENCY, "AZ", "root KZ"),
    "signed by the operator's root": certified(samples.AGENCY, "AZ", "root operator"),
    "signed by itself": certified(samples.AGENCY, "AZ", samples.AGENCY),
    "another member's agency": certified(samples.OTHER_AGENCY, "AZ", "root AZ"),
    "another member's edge": certified("edge.kz", "AZ", "root AZ"),
    "the hub, signed by a member": certified("hub.gate", "AZ", "root AZ"),
    "an agency, signed as the hub": certified(samples.AGENCY, "", "root operator"),
    "an unknown stage of the hub": certified("hub.spy", "", "root operator"),
    "an agency nobody knows": certified("az-ghosts", "AZ", "root AZ"),
    "a member nobody knows": certified("xx-police", "XX", "root XX"),
    "changed after signing": with_byte_changed(GOOD),
    "signed as an alert": signed_as("person"),
    "signed as a receipt": signed_as("receipt"),
    "a certificate that names another key": under_another_kid(),
    "not canonical": padded(),
    "garbage": {"entry": b"\xff" * 40, "certificate": GOOD["certificate"]},
    "no certificate": {"entry": GOOD["entry"], "certificate": b""},
    "the kid of another key": certified(samples.AGENCY, "AZ", "root AZ", kid="00" * 16),
    "no public key": certified(samples.AGENCY, "AZ", "root AZ", public_key="xyz"),
}


@pytest.mark.parametrize("key", REFUSED.values(), ids=REFUSED.keys())
def test_an_entry_that_does_not_hold_is_refused(key: CertifiedKey) -> None:
    """And said; the others stay."""
    edge = certified("edge.tr", "TR", "root TR")
    known, refused = read(key, edge)
    assert [found.holder for found in known.keys.values()] == ["edge.tr"]
    assert len(refused) == 1


def test_a_root_that_is_not_the_pinned_one_loses_its_keys() -> None:
    """The operator may publish another root for a member; nobody believes what it signs."""
    forged = samples.member("AZ", root=samples.key("forger").public.hex())
    members = {code: samples.member(code) for code in samples.MEMBERS} | {"AZ": forged}
    keys = [certified(samples.AGENCY, "AZ", "forger"), certified(samples.OTHER_AGENCY, "KZ", "root KZ")]
    known, refused = read(*keys, members=samples.record(members)["members"])
    assert {found.holder for found in known.keys.values()} == {samples.OTHER_AGENCY}
    assert any("AZ" in sentence and "pinned" in sentence for sentence in refused)


def test_without_a_pin_nothing_is_believed() -> None:
    """Members are still there: who reads is the operator's to say, who speaks is not."""
    known, refused = directory.read(samples.record(), {})
    assert known.keys == {}
    assert set(known.members) == set(samples.MEMBERS)
    assert len(refused) == 7 + len(samples.record()["keys"])


def test_the_entry_with_the_highest_sequence_holds() -> None:
    """Whatever the order in the record."""
    newer = certified(samples.AGENCY, "AZ", "root AZ", sequence=2, compromised_since=NOW)
    for keys in ((GOOD, newer), (newer, GOOD)):
        known, refused = read(*keys)
        assert refused == ()
        assert known.keys[KID].compromised_since == NOW


def test_two_entries_of_one_sequence_are_both_refused() -> None:
    """One of them is a lie, and nobody can tell which."""
    other = certified(samples.AGENCY, "AZ", "root AZ", valid_until=NOW + 99 * DAY)
    known, refused = read(GOOD, other)
    assert known.keys == {}
    assert len(refused) == 1


def test_a_newer_entry_settles_a_quarrel_of_older_ones() -> None:
    """The quarrel is still said."""
    other = certified(samples.AGENCY, "AZ", "root AZ", valid_until=NOW + 99 * DAY)
    newer = certified(samples.AGENCY, "AZ", "root AZ", sequence=2)
    known, refused = read(other, newer, GOOD)
    assert known.keys[KID].sequence == 2
    assert len(refused) == 1


def test_an_older_entry_does_not_undo_a_newer_one() -> None:
    """A compromise that was once reported cannot be published away."""
    newer = certified(samples.AGENCY, "AZ", "root AZ", sequence=2, compromised_since=NOW)
    previous, _ = read(newer)
    known, refused = read(GOOD, previous=previous)
    assert known.keys[KID] == previous.keys[KID]
    assert len(refused) == 1
    rewritten = certified(samples.AGENCY, "AZ", "root AZ", sequence=2)
    known, refused = read(rewritten, previous=previous)
    assert (known.keys[KID], len(refused)) == (previous.keys[KID], 1)
    again, refused = read(newer, previous=previous)
    assert (again.keys, refused) == (previous.keys, ())


def test_no_root_takes_over_or_revokes_another_state_s_key() -> None:
    """A public key is public: certified by a second root under a higher sequence it would silence its holder."""
    public = samples.key(samples.AGENCY).public.hex()
    theft = certified(samples.OTHER_AGENCY, "KZ", "root KZ", public_key=public, kid=KID.hex(), sequence=9)
    revoked = certified("edge.eg", "EG", "root EG", public_key=public, kid=KID.hex(), sequence=9, compromised_since=1)
    previous, _ = read(GOOD)
    for claim in (theft, revoked):
        known, refused = read(claim, GOOD, previous=previous)
        assert known.keys == previous.keys
        assert len(refused) == 1
        assert KID.hex() in refused[0]
        assert read(claim, previous=previous)[0].keys == {}
        known, refused = read(claim, GOOD)  # nobody can tell whose it is: it speaks for nobody
        assert (known.keys, len(refused)) == ({}, 2)
    renewed = certified(samples.AGENCY, "AZ", "root AZ", sequence=2, compromised_since=NOW)
    assert read(theft, renewed, previous=previous)[0].keys[KID].compromised_since == NOW


def test_members_and_agencies_must_be_well_formed() -> None:
    """What cannot be a topic's name or a country is not in the directory."""
    record = samples.record()
    members = [*record["members"], {**record["members"][0], "code": "ae"}, record["members"][0]]
    bad = [
        {"id": name, "member": "AZ", "name": "", "kinds": ["person"]}
        for name in ("AZ-customs", "az-c", "az_customs", "kz-police", "az-customs2.evil", "az-ok\n", samples.AGENCY)
    ]
    known, refused = read(members=members, agencies=[*record["agencies"], *bad])
    assert set(known.members) == set(samples.MEMBERS)
    assert set(known.agencies) == {samples.AGENCY, samples.OTHER_AGENCY}
    assert len(refused) == 2 + len(bad)


def test_a_key_is_good_in_its_time_alone() -> None:
    """From, inclusive, until, exclusive; from a compromise on, never."""
    key = samples.directory().keys[KID]
    assert judge_key(None, NOW) == "UNKNOWN_KEY"
    assert judge_key(key, NOW) is None
    assert judge_key(key, key.valid_from) is None
    assert judge_key(key, key.valid_from - 1) == "KEY_NOT_VALID"
    assert judge_key(key, key.valid_until) == "KEY_NOT_VALID"
    stolen = read(certified(samples.AGENCY, "AZ", "root AZ", compromised_since=NOW))[0].keys[KID]
    assert judge_key(stolen, NOW - 1) is None
    assert judge_key(stolen, NOW) == "KEY_NOT_VALID"
    assert judge_key(stolen, NOW + DAY) == "KEY_NOT_VALID"


@given(st.from_regex(directory.AGENCY_FORM, fullmatch=True), st.integers(1, 64))
def test_a_lane_is_always_the_same_and_exists(agency: str, lanes: int) -> None:
    """And is CRC-32, which every language has."""
    assert 0 <= directory.lane_of(agency, lanes) < lanes
    assert directory.lane_of("az-customs") == 0x3B1BE75B % 8
