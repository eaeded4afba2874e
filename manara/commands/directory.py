"""`manara directory`: checks, publishes and shows who takes part."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from manara import keys
from manara.console import confirm, err, out, print_json, print_table, settings_of
from manara.directory import DirectoryReader, latest, publish
from manara.directory_file import DirectoryDraft, load_yaml
from manara.errors import DirectoryFileError, ManaraError
from manara.settings import Settings
from schemas import directory as rules
from schemas.directory import Directory
from schemas.models import DirectoryRecord

MICROSECONDS = 1_000_000
PATIENCE = 5.0
"""Seconds that somebody at a terminal waits for a cluster that does not answer."""
File = Annotated[Path, typer.Argument(help="The directory file (YAML).")]
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document on standard output.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(no_args_is_help=True, help="Who takes part: members, agencies, keys.")
    group.command("check")(check)
    group.command("publish")(publish_)
    group.command("show")(show)
    app.add_typer(group, name="directory")


def check(ctx: typer.Context, file: File, as_json: Json = False) -> None:
    """Check a directory file and say everything that is wrong with it, line by line. Exit code 2 when something is.

    Keys are checked under the roots that the file names, and under the pinned ones where the settings have any.
    Example:

      manara directory check directory.yaml
    """
    problems: tuple[str, ...] = ()
    draft: DirectoryDraft | None = None
    try:
        draft = load_yaml(file)
        problems = unpinned(draft, settings_of(ctx).roots)
    except DirectoryFileError as error:
        if not as_json:
            raise
        problems = error.problems
    if as_json:
        print_json({"file": str(file), "ok": not problems, "problems": problems})
        raise typer.Exit(2 if problems else 0)
    if problems or draft is None:
        raise DirectoryFileError(f"{file} does not agree with the pinned roots:", problems, _PINNED_REMEDY)
    out().print(
        f"{file}: good. {len(draft.members)} members, {len(draft.agencies)} agencies, {len(draft.keys)} keys.",
        markup=False,
    )


def publish_(
    ctx: typer.Context,
    file: File,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed without a terminal.")] = False,
) -> None:
    """Publish a directory file as the next snapshot, after showing what it changes. Needs the operator's rights.

    Example:

      manara --config operator.toml directory publish directory.yaml
    """
    settings = settings_of(ctx)
    draft = load_yaml(file)
    problems = unpinned(draft, settings.roots) if settings.roots else ()
    if problems:
        raise DirectoryFileError(f"{file} does not agree with the pinned roots:", problems, _PINNED_REMEDY)
    with latest(settings, timeout=PATIENCE) as reader:
        before = reader.record
    record = next_record(draft, before, int(time.time() * MICROSECONDS))
    changes = differences(before, record)
    if not changes:
        err().print("Nothing to do: this is what is published.")
        return
    for line in changes:
        out().print(line, markup=False)
    if not confirm(f"Publish this as snapshot {record['directory_seq']}?", yes=yes):
        raise ManaraError("Nothing was published.", "Run it again with --yes.")
    publish(settings, record)
    err().print(f"Published as snapshot {record['directory_seq']}.")


def show(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A file instead of the cluster.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Show who takes part, as published on the cluster or as a file has it, and which keys are believed.

    Example:

      manara directory show
    """
    directory, refused = _look(settings_of(ctx), file)
    if as_json:
        print_json(as_plain(directory, refused))
        return
    out().print(f"Snapshot {directory.seq}, {_day(directory.at)}")
    print_table(
        ("member", "name", "standing", "tlp", "handling", "reads"),
        [
            (m.code, m.name, m.standing, m.tlp, " ".join(sorted(m.handling)), " ".join(sorted(m.subscriptions)))
            for m in directory.members.values()
        ],
    )
    print_table(
        ("agency", "name", "publishes"),
        [(a.id, a.name, " ".join(sorted(a.kinds))) for a in directory.agencies.values()],
    )
    print_table(
        ("key of", "kid", "valid from", "valid until", "compromised since"),
        [
            (k.holder, k.kid.hex(), _day(k.valid_from), _day(k.valid_until), _day(k.compromised_since))
            for k in directory.keys.values()
        ],
    )
    for sentence in refused:
        err().print(f"not believed: {sentence}", markup=False)


def unpinned(draft: DirectoryDraft, pins: dict[str, str]) -> tuple[str, ...]:
    """What a reader with these pins would not believe; nothing where there are no pins to hold it against."""
    return rules.read(draft.record(draft.seq, 0), pins)[1] if pins else ()


def next_record(draft: DirectoryDraft, before: DirectoryRecord | None, now: int) -> DirectoryRecord:
    """The snapshot that follows the one published; its number is one more, or the file's where that is higher."""
    following = before["directory_seq"] + 1 if before is not None else 1
    return draft.record(max(following, draft.seq), now)


def differences(before: DirectoryRecord | None, after: DirectoryRecord) -> list[str]:
    """What changes, a line a thing; empty when nothing does but number and time."""
    old: dict[str, Any] = _things(before) if before is not None else {}
    new = _things(after)
    return [
        *(f"+ {name}" for name in new if name not in old),
        *(f"~ {name}" for name, value in new.items() if name in old and old[name] != value),
        *(f"- {name}" for name in old if name not in new),
    ]


def as_plain(directory: Directory, refused: tuple[str, ...]) -> dict[str, object]:
    """A directory for machines."""
    return {
        "directory_seq": directory.seq,
        "at": directory.at,
        "operator_root": directory.operator_root,
        "members": [
            {
                "code": m.code,
                "name": m.name,
                "standing": m.standing,
                "root_fingerprint": m.root_fingerprint,
                "tlp": m.tlp,
                "handling": sorted(m.handling),
                "subscriptions": sorted(m.subscriptions),
            }
            for m in directory.members.values()
        ],
        "agencies": [
            {"id": a.id, "member": a.member, "name": a.name, "kinds": sorted(a.kinds)}
            for a in directory.agencies.values()
        ],
        "keys": [
            {
                "holder": k.holder,
                "kid": k.kid.hex(),
                "valid_from": k.valid_from,
                "valid_until": k.valid_until,
                "compromised_since": k.compromised_since,
                "sequence": k.sequence,
            }
            for k in directory.keys.values()
        ],
        "refused": list(refused),
    }


def _things(record: DirectoryRecord) -> dict[str, Any]:
    things: dict[str, Any] = {f"root of the operator {record['operator_root'][:16]}": True}
    things |= {f"member {member['code']}": member for member in record["members"]}
    things |= {f"agency {agency['id']}": agency for agency in record["agencies"]}
    for key in record["keys"]:
        entry = keys.entry_of(key)
        things[f"key {entry['kid']} of {entry['holder']}, entry {entry['sequence']}"] = key
    return things


def _look(settings: Settings, file: Path | None) -> tuple[Directory, tuple[str, ...]]:
    if file is not None:
        draft = load_yaml(file)
        return rules.read(draft.record(draft.seq, 0), settings.roots or draft.pins())
    with DirectoryReader(settings) as reader:
        return reader.wait(PATIENCE), reader.refused


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / MICROSECONDS, UTC).strftime("%Y-%m-%d %H:%M") if at else "-"


_PINNED_REMEDY = "Compare the roots with their owners by another way than this file; then correct the file or the pins."
