"""`manara match A B`: two alerts, or two names, compared by the hub's matchers and explained in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manara.console import out, print_json, printable, settings_of
from manara.matching import persons
from producers import checking, comparing
from producers.commands.checks import author_of
from producers.commands.saying import counted, note, say_faults
from producers.comparing import Side
from producers.composing import Author, Draft
from producers.errors import AuthorError
from producers.hours import now_micros
from producers.publisher import new_id

_FILES = (".yaml", ".yml", ".json")
_MEANS = {
    "STRONG": "strong: what agrees is rarely shared by chance; still no identification",
    "PROBABLE": "probable: the hub would offer it to both sides",
    "POSSIBLE": "possible: something agrees, too little to offer it",
    "NONE": "none: they are taken for different",
}


def register(app: typer.Typer) -> None:
    """Add the command. It stands apart: no other command of an agency needs the matchers and their tables."""
    app.command("match")(match)


def match(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(help="An alert file (YAML or JSON), or a name.")],
    b: Annotated[str, typer.Argument(help="Another alert file, or a name.")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")] = False,
) -> None:
    """Say why two alerts, or two names, match or not: which parts agree, how rare they are, what speaks against.

    Persons and numbers of any alert are compared, in any script; how two roads compare the hub says. Nothing is sent,
    and nothing is looked up. Examples:

      manara match ours.yaml theirs.yaml
      manara match "محمد بن سلمان" "Mohammed Ben Salmane"
    """
    author = author_of(settings_of(ctx)) if _is_file(a) or _is_file(b) else Author("", "")
    found = comparing.compare(_side(a, author), _side(b, author))
    if as_json:
        print_json(
            {
                "score": found.score,
                "band": found.band,
                "evidence": found.evidence,
                "identifiers": found.shared,
                "rules": persons.RULES,
            }
        )
        return
    screen = out()
    screen.print(f"{_MEANS[found.band]}  (names and facts: {found.score:.2f} of 1)", style="bold", markup=False)
    for sentence in found.evidence:
        screen.print(printable(f"  {sentence}"), markup=False)


def _is_file(text: str) -> bool:
    return text.lower().endswith(_FILES) or Path(text).is_file()


def _side(text: str, author: Author) -> Side:
    """A side as it is compared. AuthorError for a file that holds no single alert."""
    if not _is_file(text):
        return comparing.of_name(text)
    draft = _draft(Path(text), author)
    if draft.kind == "route":
        note(f"{text} is about a route: its numbers and persons are compared here; the road is the hub's to compare.")
    return comparing.of_alert(draft.kind, draft.record)


def _draft(file: Path, author: Author) -> Draft:
    drafts, faults = checking.draft_files([file], author, now_micros(), new_id)
    if faults:
        say_faults(faults)
        raise AuthorError(f"{file} cannot be read as an alert.", "Correct it: `manara check` says all errors.")
    if len(drafts) != 1:
        raise AuthorError(f"{file} holds {len(drafts)} alerts.", "Put the one to compare into a file of its own.")
    draft = drafts[0]
    if not draft.kind:
        raise AuthorError(f"{file} does not say what it is about.", "Write `kind: person`, route or transfer.")
    if draft.faults:
        note(f"{file} has {counted(len(draft.faults), 'error')} (`manara check`); what could be read is compared.")
    return draft
