"""Key files: nobody else reads them, none is overwritten, and what is wrong with one is said."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from manara import keys
from manara.errors import KeyFileError
from schemas import directory as rules
from schemas.signature import SigningKey
from tests.support.directories import DAY, NOW, key_of, network


def test_a_key_is_read_back_and_its_file_is_private(tmp_path: Path) -> None:
    """The secret is for its owner alone, the public half for all."""
    key, file = SigningKey.generate(), tmp_path / "keys" / "az.pem"
    keys.save(file, key)
    assert keys.load(file) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert keys.read_public(str(keys.public_path(file))) == key.public
    assert key.seed.hex() not in keys.public_path(file).read_text()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """It would be lost for good."""
    file = tmp_path / "az.pem"
    keys.save(file, SigningKey.generate())
    before = file.read_bytes()
    with pytest.raises(KeyFileError, match="exists already"):
        keys.save(file, SigningKey.generate())
    assert file.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Group or others: the remedy is the command that mends it."""
    file = tmp_path / "az.pem"
    keys.save(file, SigningKey.generate())
    file.chmod(mode)
    with pytest.raises(KeyFileError) as caught:
        keys.load(file)
    assert caught.value.remedy == f"Run: chmod 600 {file}"


def test_a_file_that_is_no_key_is_said(tmp_path: Path) -> None:
    """Missing, garbage, or a key of another kind."""
    with pytest.raises(KeyFileError, match="cannot be read"):
        keys.load(tmp_path / "none.pem")
    file = tmp_path / "x.pem"
    file.write_text("hello")
    file.chmod(0o600)
    with pytest.raises(KeyFileError, match="not a PEM key"):
        keys.load(file)
    curve = generate_private_key(SECP256R1())
    file.write_bytes(curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(KeyFileError, match="another kind"):
        keys.load(file)


@pytest.mark.parametrize("given_", ["abc", "zz" * 32, "/nonexistent.pub", "AB" * 32])
def test_what_is_no_public_key_is_said(given_: str) -> None:
    """With what to give instead."""
    with pytest.raises(KeyFileError) as caught:
        keys.read_public(given_)
    assert ".pub" in caught.value.remedy


@pytest.mark.parametrize(
    ("holder", "member"), [("az-customs", "AZ"), ("edge.az", "AZ"), ("hub.gate", ""), ("hub.clock", "")]
)
def test_a_holder_tells_whose_root_must_certify_it(holder: str, member: str) -> None:
    """An agency and an edge: their member; the hub: the operator."""
    assert keys.member_of(holder) == member
    assert keys.root_name(holder) == (member or "operator")


@given(st.text())
def test_what_can_hold_no_key_is_refused(holder: str) -> None:
    """Or is of one of the three forms."""
    try:
        member = keys.member_of(holder)
    except KeyFileError:
        return
    assert member == "" or (len(member) == 2 and member.isupper() and member.isascii())


def test_a_certified_key_is_believed_by_a_reader_and_a_newer_entry_replaces_it() -> None:
    """As the directory's own rules judge it."""
    net = network()
    root = key_of("root.AZ")
    first = keys.certify("az-customs", key_of("new").public, root, valid_from=NOW, valid_until=NOW + DAY)
    second = keys.certify(
        "az-customs",
        key_of("new").public,
        root,
        valid_from=NOW,
        valid_until=NOW + 9 * DAY,
        after=keys.entry_of(first),
    )
    third = keys.revoke(keys.entry_of(second), root, since=NOW + 5)
    kid = key_of("new").kid
    found = []
    for added in ([first], [first, second], [first, second, third]):
        directory, refused = rules.read({**net.record, "keys": [*net.record["keys"], *added]}, net.pins)
        assert refused == ()
        found.append(directory.keys[kid])
    assert [key.sequence for key in found] == [1, 2, 3]
    assert [key.valid_until for key in found] == [NOW + DAY, NOW + 9 * DAY, NOW + 9 * DAY]
    assert [key.compromised_since for key in found] == [0, 0, NOW + 5]


def test_no_form_of_a_key_shows_its_secret() -> None:
    """Nor does an entry or certificate."""
    key = SigningKey.generate()
    signed = keys.certify("hub.gate", key.public, key, valid_from=NOW, valid_until=NOW + DAY)
    for form in (repr(key), str(key), f"{key}"):
        assert key.seed.hex() not in form
        assert str(key.seed) not in form
    assert key.seed not in signed["entry"] + signed["certificate"]
