"""`manara match A B`: two alerts, or two names, compared as the hub would, and explained in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from manara.console import out, print_json, printable, settings_of
from manara.matching import identifiers, persons
from producers import checking
from producers.commands.checks import author_of
from producers.commands.saying import counted, note, say_faults
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


def match(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(help="An alert file (YAML or JSON), or a name.")],
    b: Annotated[str, typer.Argument(help="Another alert file, or a name.")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")] = False,
) -> None:
    """Say why two alerts about persons, or two names, match or not: which parts agree, how rare they are, what speaks
    against. Any script. Nothing is sent, and nothing is looked up. Examples:

      manara match ours.yaml theirs.yaml
      manara match "محمد بن سلمان" "Mohammed Ben Salmane"
    """
    author = author_of(settings_of(ctx)) if _is_file(a) or _is_file(b) else Author("", "")
    left, right = _side(a, author), _side(b, author)
    found = persons.explain(left["plain"], right["plain"])
    shared = sorted(set(left["tokens"]) & set(right["tokens"]))
    evidence = [*(f"the same {_said(token)}: a number that only one has" for token in shared), *found.evidence]
    band = "STRONG" if shared else found.band
    if as_json:
        print_json(
            {"score": found.score, "band": band, "evidence": evidence, "identifiers": shared, "rules": persons.RULES}
        )
        return
    screen = out()
    screen.print(f"{_MEANS[band]}  (names and facts: {found.score:.2f} of 1)", style="bold", markup=False)
    for sentence in evidence:
        screen.print(printable(f"  {sentence}"), markup=False)


def _said(token: str) -> str:
    return " ".join(token.split(":")[1:]) or token


def _is_file(text: str) -> bool:
    return Path(text).is_file() or text.lower().endswith(_FILES)


def _side(text: str, author: Author) -> dict[str, Any]:
    """A side as the matchers take it. AuthorError for a file that holds no single alert about a person."""
    if not _is_file(text):
        return {"plain": {"name": text, "aliases": [], "dob": [], "countries": []}, "tokens": []}
    draft = _draft(Path(text), author)
    return {"plain": plain(draft.record), "tokens": numbers(draft.record)}


def _draft(file: Path, author: Author) -> Draft:
    drafts, faults = checking.draft_files([file], author, now_micros(), new_id)
    if faults:
        say_faults(faults)
        raise AuthorError(f"{file} cannot be read as an alert.", "Correct it: `manara check` says all errors.")
    if len(drafts) != 1:
        raise AuthorError(f"{file} holds {len(drafts)} alerts.", "Put the one to compare into a file of its own.")
    draft = drafts[0]
    if draft.kind != "person":
        what = f"is about a {draft.kind}" if draft.kind else "does not say its kind"
        raise AuthorError(f"{file} {what}: two alerts about persons can be compared here.", "Name two such files.")
    if draft.faults:
        note(f"{file} has {counted(len(draft.faults), 'error')} (`manara check`); what could be read is compared.")
    return draft


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """A person's record as the matcher of persons takes it: {name, aliases, dob, countries}."""
    names = [name["full"] for name in record["names"]]
    births = [birth for birth in record["births"] if birth["date"]]
    countries = {*record["nationalities"], *(birth["country"] for birth in record["births"] if birth["country"])}
    return {
        "name": names[0] if names else "",
        "aliases": names[1:],
        "dob": [birth["date"] for birth in births],
        "countries": sorted(country.lower() for country in countries),
    }


def numbers(record: Mapping[str, Any]) -> list[str]:
    """The tokens of a record's strong identifiers; weak and invalid ones have none."""
    judged = (identifiers.judge(one["type"], one["value"], one["country"]) for one in record["identifiers"])
    return [token for token in map(identifiers.token, judged) if token]
