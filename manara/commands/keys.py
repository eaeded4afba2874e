"""`manara keys`: makes, certifies, revokes and shows signing keys."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from manara import keys
from manara.console import err, out, print_json, settings_of
from manara.directory_file import append_key, key_lines, load_yaml
from manara.errors import InputError
from schemas.directory import fingerprint
from schemas.models import CertifiedKey, KeyEntry
from schemas.signature import SigningKey, kid_of

KeyFile = Annotated[Path, typer.Argument(help="Where to put the secret key; its public half goes beside it as .pub.")]
RootFile = Annotated[Path, typer.Option("--root", help="The root's secret key file.")]
DirectoryFile = Annotated[Path, typer.Option("--directory", help="The directory file that gets the certified key.")]
OptionalDirectory = Annotated[
    Path | None, typer.Option("--directory", help="The directory file that gets the certified key.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document on standard output.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(no_args_is_help=True, help="Signing keys: make, certify, revoke, show.")
    for name, command in (("new", new), ("root", root), ("certify", certify), ("revoke", revoke), ("show", show)):
        group.command(name)(command)
    app.add_typer(group, name="keys")


def new(file: KeyFile, as_json: Json = False) -> None:
    """Make a signing key for an agency, an edge or a stage of the hub. Hand the .pub file to whoever keeps the root.

    Example:

      manara keys new az-customs.pem
    """
    key = SigningKey.generate()
    keys.save(file, key)
    _tell(file, key, as_json=as_json)
    err().print(
        f"Next, the keeper of the root:  manara keys certify HOLDER {keys.public_path(file)} --root ROOT.pem",
        markup=False,
    )


def root(file: KeyFile, as_json: Json = False) -> None:
    """Make the root key of a member or of the operator. Keep it off every machine that is on a network.

    Its public key goes into the directory (`root` of the member, or `operator_root`); everybody else pins its
    fingerprint, which you hand to them by another way than the network. Example:

      manara keys root az-root.pem
    """
    key = SigningKey.generate()
    keys.save(file, key)
    _tell(file, key, as_json=as_json)
    err().print(f'In the directory, at this member (or as operator_root):  root: "{key.public.hex()}"', markup=False)
    err().print("In the settings of the hub and of every edge, under [roots], by the member's code or `operator`:")
    err().print(f'  AZ = "{fingerprint(key.public)}"', markup=False)


def certify(
    holder: Annotated[str, typer.Argument(help="Whose key it is: az-customs, edge.az or hub.gate.")],
    public: Annotated[str, typer.Argument(help="The .pub file, or the 64 hex digits in it.")],
    root_file: RootFile,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How long it is valid.")] = 365,
    valid_from: Annotated[
        datetime | None, typer.Option(help="From when, UTC; now unless said otherwise.", show_default=False)
    ] = None,
    directory: OptionalDirectory = None,
) -> None:
    """Sign, with a root, that a key belongs to a holder. Without --directory the entry is printed, to be put under
    `keys`.

    A key that the directory has already gets a newer entry, which replaces the old one. Example:

      manara keys certify az-customs az-customs.pem.pub --root az-root.pem --directory directory.yaml
    """
    start = int((valid_from.replace(tzinfo=UTC).timestamp() if valid_from else time.time()) * keys.MICROSECONDS)
    public_key = keys.read_public(public)
    before = _newest(directory, kid_of(public_key).hex())
    if before is not None and before["holder"] != holder:
        raise InputError(f"This key belongs to {before['holder']} already.", f"Make another one for {holder}.")
    signed = keys.certify(
        holder, public_key, keys.load(root_file), valid_from=start, valid_until=start + days * keys.DAY, after=before
    )
    _hand_over(signed, directory)


def revoke(
    kid: Annotated[str, typer.Argument(help="The key's id, 32 hex digits, as `manara directory show` prints it.")],
    root_file: RootFile,
    directory: DirectoryFile,
    since: Annotated[
        datetime | None,
        typer.Option(help="Not to be believed from when on, UTC; now unless said otherwise.", show_default=False),
    ] = None,
) -> None:
    """Say, with a root, that a key is compromised: nothing signed by it since then is believed. Publish the directory
    next.

    Example:

      manara keys revoke 3f0c…e1 --root az-root.pem --directory directory.yaml --since 2026-11-20T08:00:00
    """
    entry = _newest(directory, kid.lower())
    if entry is None:
        raise InputError(f"{directory} has no key {kid}.", "`manara directory show` lists them.")
    at = int((since.replace(tzinfo=UTC).timestamp() if since else time.time()) * keys.MICROSECONDS)
    _hand_over(keys.revoke(entry, keys.load(root_file), since=at), directory)


def show(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A key file; the settings' own when left out.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a key's id, public half and fingerprint. The secret is never shown.

    Example:

      manara keys show az-customs.pem
    """
    chosen = file or settings_of(ctx).key
    if chosen is None:
        raise InputError("No key file is named.", "Name one, or set MANARA_KEY.")
    _tell(chosen, keys.load(chosen), as_json=as_json)


def _tell(file: Path, key: SigningKey, *, as_json: bool) -> None:
    known = {
        "file": str(file),
        "kid": key.kid.hex(),
        "public": key.public.hex(),
        "fingerprint": fingerprint(key.public),
    }
    if as_json:
        print_json(known)
        return
    for name, value in known.items():
        out().print(f"{name:<12} {value}", markup=False)


def _newest(directory: Path | None, kid: str) -> KeyEntry | None:
    if directory is None:
        return None
    entries = [keys.entry_of(key) for key in load_yaml(directory).keys]
    return max((entry for entry in entries if entry["kid"] == kid), key=lambda entry: entry["sequence"], default=None)


def _hand_over(signed: CertifiedKey, directory: Path | None) -> None:
    if directory is not None:
        append_key(directory, signed)
        err().print(f"Added to {directory}. Next: manara directory publish {directory}", markup=False)
        return
    lines = key_lines(signed)
    out().print("  - " + "\n    ".join(f"{name}: {value}" for name, value in lines.items()), markup=False)
