"""Key files: a party's signing key as PKCS#8 PEM that nobody else can read, and its public half beside it.

`az-customs.pem` is the secret (mode 0600); `az-customs.pem.pub` is one line, `ed25519 <64 hex digits>`, to hand to
whoever certifies it. A root key is a key like any other; only what it signs (key entries) and where it is pinned make
it a root.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from manara.errors import KeyFileError, in_words
from schemas import codec
from schemas import directory as rules
from schemas.directory import HUB_STAGES, OPERATOR
from schemas.models import CertifiedKey, KeyEntry
from schemas.registry import by_name
from schemas.signature import SigningKey

MICROSECONDS: Final = 1_000_000
DAY: Final = 86_400 * MICROSECONDS
_PUBLIC = re.compile(r"(?:ed25519[ \t]+)?([0-9a-f]{64})")
_HOLDER = re.compile(r"[a-z]{2}-[a-z0-9]{2,16}|edge\.[a-z]{2}|hub\.[a-z]+")


def save(path: Path, key: SigningKey) -> None:
    """Write a key to a new file that its owner alone can read, and its public half beside it.

    Raises `KeyFileError` where the file exists: a key that is overwritten is lost for good.
    """
    pem = Ed25519PrivateKey.from_private_bytes(key.seed).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise KeyFileError(f"{path} exists already.", "Give another name, or move the old key away first.")
        _write_new(path, pem, 0o600)
        _write_new(public_path(path), f"ed25519 {key.public.hex()}\n".encode(), 0o644)
    except OSError as error:
        raise in_words(error) from error


def load(path: Path) -> SigningKey:
    """Read a key file. Raises `KeyFileError` where it is missing, not an Ed25519 key, or readable by others."""
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as error:
        said = in_words(error)
        raise KeyFileError(f"The key cannot be read: {said.message}", "`manara keys new` makes one.") from error
    if mode & 0o077:
        raise KeyFileError(f"{path} holds a secret key and others can read it.", f"Run: chmod 600 {path}")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path} is not a PEM key file.", "`manara keys new` makes one.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(
            f"{path} holds a key of another kind than Ed25519.", "`manara keys new` makes the right one."
        )
    return SigningKey.from_seed(key.private_bytes_raw())


def public_path(path: Path) -> Path:
    """Where the public half of a key file lies."""
    return path.with_name(f"{path.name}.pub")


def read_public(given: str) -> bytes:
    """A public key from 64 hex digits, or from a file that holds them. Raises `KeyFileError` where it is neither."""
    hit = _PUBLIC.fullmatch(given.strip())
    if hit is None:
        try:
            hit = _PUBLIC.fullmatch(Path(given).read_text(encoding="ascii").strip())
        except OSError as error:
            raise KeyFileError(f"The public key cannot be read: {in_words(error).message}", _PUBLIC_REMEDY) from error
        except UnicodeDecodeError:
            hit = None
    if hit is None:
        raise KeyFileError(f"{given} is not a public key.", _PUBLIC_REMEDY)
    return bytes.fromhex(hit[1])


def member_of(holder: str) -> str:
    """The member whose root certifies this holder; "" for the hub. Raises `KeyFileError` for what can hold no key."""
    if not _HOLDER.fullmatch(holder) or (holder.startswith("hub.") and holder[4:] not in HUB_STAGES):
        stages = ", ".join(f"hub.{stage}" for stage in HUB_STAGES)
        raise KeyFileError(
            f"{holder} can hold no key.", f"Holders are <agency> (az-customs), edge.<member> or {stages}."
        )
    if holder.startswith("hub."):
        return ""
    return (holder.removeprefix("edge.") if holder.startswith("edge.") else holder[:2]).upper()


def certify(
    holder: str, public: bytes, root: SigningKey, *, valid_from: int, valid_until: int, after: KeyEntry | None = None
) -> CertifiedKey:
    """A key entry signed by a root. Times in microseconds;

    `after` is the entry of the same key that this one replaces.
    """
    entry = rules.key_entry(holder, member_of(holder), public, valid_from, valid_until)
    if after is not None:
        entry["sequence"] = after["sequence"] + 1
        entry["compromised_since"] = after["compromised_since"]
    return rules.certify(entry, root)


def revoke(entry: KeyEntry, root: SigningKey, *, since: int) -> CertifiedKey:
    """The same key, not to be believed from `since` (microseconds) on, signed by its root as the newer entry."""
    return rules.certify({**entry, "compromised_since": since, "sequence": entry["sequence"] + 1}, root)


def entry_of(key: CertifiedKey) -> KeyEntry:
    """What a certified key says, whether or not its certificate holds."""
    entry: KeyEntry = codec.decode(by_name("key"), key["entry"])  # type: ignore[assignment]  # of that very schema
    return entry


def root_name(holder: str) -> str:
    """Whose root must certify a holder: a member's code, or `operator`."""
    return member_of(holder) or OPERATOR


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all: a killed process leaves a draft, never half a key."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


_PUBLIC_REMEDY = "Give the .pub file that `manara keys new` wrote beside the key, or its 64 hex digits."
