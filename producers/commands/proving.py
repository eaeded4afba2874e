"""`manara purge-proof`, `manara evidence`, `manara verify`: proofs to hand on, and to check without us."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from manara import keys
from manara.console import out, print_json, printable, settings_of
from manara.errors import in_words
from manara.settings import Settings
from manara.trace import clock
from producers import proofs
from producers.commands.living import Alert
from producers.commands.saying import agency_settings, note
from producers.errors import AuthorError, KeyNotUsableError, ProducerError
from producers.hours import now_micros
from producers.outbox import Outbox
from schemas import evidence as packs
from schemas.evidence import Contents, EvidenceError, Report
from schemas.signature import SigningKey

Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")]
Roots = Annotated[
    list[str] | None,
    typer.Option("--root", help="A root's fingerprint, as in AZ=3f2a…; again for each. The settings' without it."),
]
_DIGITS = 64


def purge_proof(
    ctx: typer.Context,
    alert: Annotated[str, typer.Argument(help="The alert; not with --verify.")] = "",
    output: Annotated[Path | None, typer.Option("--out", "-o", help="A new file to write the proof to.")] = None,
    verify: Annotated[Path | None, typer.Option(help="Check this file instead, offline.")] = None,
    root: Roots = None,
    as_json: Json = False,
) -> None:
    """Who has signed that a withdrawn alert is deleted, and who has not; exit code 1 while somebody is missing.

    The file holds the signatures themselves. Anybody can check it with the roots' fingerprints. Examples:

      manara purge-proof 2026/118-A --out proof.json
      manara purge-proof --verify proof.json --root operator=3f2a… --root AZ=91c0… --root EG=77ab…
    """
    if verify is not None:
        _verify(verify, _pins(ctx, root), packs.PURGE, as_json=as_json)
        return
    if not alert:
        raise AuthorError("No alert is named.", "Write its id or reference, or --verify FILE.")
    report = _make(agency_settings(ctx), alert, packs.PURGE, output)
    _say(report, as_json=as_json)
    if report.missing:
        raise typer.Exit(1)


def evidence(
    ctx: typer.Context,
    alert: Alert,
    output: Annotated[Path, typer.Option("--out", "-o", help="A new file to write the pack to.")],
    as_json: Json = False,
) -> None:
    """Everything that was signed about one of our alerts, in one file: versions, verdicts, receipts, keys.

    It holds the alert's content and its audience. `manara verify` checks it, offline. Example:

    manara evidence 2026/118-A --out evidence.json
    """
    _say(_make(agency_settings(ctx), alert, packs.EVIDENCE, output), as_json=as_json)


def verify(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A pack of evidence or a purge proof.")],
    root: Roots = None,
    as_json: Json = False,
) -> None:
    """Check a pack of evidence or a purge proof, offline, with the roots' fingerprints alone. Examples:

    manara verify evidence.json
    manara verify evidence.json --root operator=3f2a… --root AZ=91c0… --root EG=77ab…
    """
    _verify(file, _pins(ctx, root), "", as_json=as_json)


def _make(settings: Settings, alert: str, about: str, output: Path | None) -> Report:
    if settings.key is None:
        raise KeyNotUsableError("No signing key is set.", "Name its file as `key` in the settings: it seals the proof.")
    key = keys.load(settings.key)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        gather = proofs.purge_proof if about == packs.PURGE else proofs.evidence
        data = _sealed(gather(outbox, alert, key, now_micros()), key)
    finally:
        outbox.close()
    report = _checked(data, settings.roots)
    if output is not None:
        _write(output, data)
        note(f"{output} written.")
    return report


def _sealed(contents: Contents, key: SigningKey) -> bytes:
    return packs.make(contents, key)


def _write(path: Path, data: bytes) -> None:
    """A new file that its owner alone can read."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise AuthorError(f"{path} exists already.", "Name another file: a proof is not overwritten.") from error
    except OSError as error:
        raise in_words(error) from error
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _pins(ctx: typer.Context, given: list[str] | None) -> dict[str, str]:
    if not given:
        return dict(settings_of(ctx).roots)
    pins = {}
    for one in given:
        name, _, pin = one.partition("=")
        if not name or len(pin) != _DIGITS:
            raise AuthorError(
                f"{one!r} is no root's fingerprint.",
                "Write the member, =, and the 64 hexadecimal digits: --root AZ=3f2a…",
            )
        pins[name if name == "operator" else name.upper()] = pin.lower()
    return pins


def _verify(path: Path, pins: dict[str, str], about: str, *, as_json: bool) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise in_words(error) from error
    report = _checked(data, pins)
    if about and report.about != about:
        raise AuthorError(f"{path} is no {about}, it is {report.about}.", "`manara verify` checks both.")
    _say(report, as_json=as_json)


def _checked(data: bytes, pins: dict[str, str]) -> Report:
    try:
        return packs.verify(data, pins)
    except EvidenceError as error:
        raise ProducerError(
            f"This proves nothing: {error}.",
            "Ask whoever made it for the file as it was made, and compare the roots' fingerprints out of band.",
        ) from error


def _say(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(report), "holds": True})
        return
    screen = out()
    title = f"{report.about} of {report.agency}'s alert {report.alert_id}, sealed by {report.maker}"
    screen.print(printable(f"{title} at {clock(report.made_at)}"), style="bold", markup=False)
    for one in sorted(report.proven, key=lambda proven: (proven.at, proven.version)):
        detail = f" {one.detail}" if one.detail else ""
        text = f"  {clock(one.at)}  {one.signer}: {one.what} version {one.version}{detail}"
        screen.print(printable(text), markup=False)
    for version, members in report.expected.items():
        who = ", ".join(members) or "nobody known"
        text = printable(f"  version {version} is expected at {who} (the maker's word)")
        screen.print(text, style="dim", markup=False)
    for decision in report.decisions:
        screen.print(printable(f"  decision: {decision}"), style="dim", markup=False)
    if report.withdrawn:
        screen.print(f"  deleted, signed: {', '.join(report.purged) or 'nobody yet'}", style="green", markup=False)
        if report.missing:
            screen.print(f"  not confirmed: {', '.join(report.missing)}", style="red", markup=False)
    screen.print("Every signature in it holds.", style="green")
