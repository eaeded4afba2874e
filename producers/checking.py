"""All errors of an alert at once: those of its form and those of the publication rules, the same rules that the hub's
gate runs.

A rule's path is turned back into the field that the author wrote, with its line. Pure but for the directory handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from producers import reading
from producers.composing import Author, Draft, compose
from producers.errors import FaultyError
from producers.faults import Fault, in_file
from producers.nodes import Node
from producers.outbox import too_large
from schemas import codec, message, registry, rules
from schemas.directory import Directory
from schemas.errors import EncodeError
from schemas.models import HubHeader

_SCHEME = "evaluation.scheme"  # what source and information may be hangs on it
_HEADROOM = 128  # bytes that sealing can add: digests are empty until then


def judge(draft: Draft, directory: Directory | None, now: int) -> list[Fault]:
    """Every fault of a draft, in the order of its lines; [] if it may be published. Without a directory, what needs one
    is not said.
    """
    if not draft.kind:
        return draft.faults
    faults = list(draft.faults)
    broken = {fault.path for fault in faults}
    for violation in rules.check(draft.kind, draft.record, cast("HubHeader", draft.audience), directory, now):
        fault = _of_rule(draft, violation)
        # what is wrong in form cannot be judged in substance: one complaint a field
        hidden = any(_inside(fault.path, path) for path in broken)
        if not hidden and fault not in faults and not (fault.rule == "RULE_EVALUATION" and _SCHEME in broken):
            faults.append(fault)
    if not faults:
        faults += _unfit(draft)
    return sorted(faults, key=lambda fault: fault.line)


def _of_rule(draft: Draft, violation: rules.Violation) -> Fault:
    """A violation with the place of the field, and with what could stand there where a choice was left open."""
    place = draft.form.place_of(violation.path)
    choices = draft.form.choices.get(violation.path, "")
    remedy = f"write one of: {choices}" if choices else violation.remedy
    return Fault(place.shown, violation.rule, place.value or _shown(violation.value), remedy, place.line)


def _shown(value: object) -> str:
    return "" if value in (None, "", [], 0, "UNKNOWN") else Node(str(value)).shown


def _inside(path: str, broken: str) -> bool:
    return path == broken or path.startswith((f"{broken}.", f"{broken}["))


def _unfit(draft: Draft) -> list[Fault]:
    """What only encoding shows: a size over the limit."""
    try:
        size = len(codec.encode(registry.by_name(draft.schema), draft.record)) + _HEADROOM
    except EncodeError as error:
        place = draft.form.place_of(error.path)
        return [Fault(place.shown, "FORM_UNFIT", place.value, error.why, place.line)]
    return [too_large(size)] if size > message.MAX_VALUE else []


def draft_files(
    files: Sequence[Path], author: Author, now: int, new_id: Callable[[], str]
) -> tuple[list[Draft], list[Fault]]:
    """The drafts in files, and the faults of files that cannot be read as alerts at all. AuthorError where a file
    cannot be read.
    """
    drafts: list[Draft] = []
    faults: list[Fault] = []
    for file in files:
        try:
            nodes = reading.read_file(file)
        except FaultyError as error:
            faults += error.faults
            continue
        for node in nodes:
            draft = compose(node, author, now, new_id)
            draft.file = str(file)
            drafts.append(draft)
    return drafts, faults


def judge_all(drafts: Sequence[Draft], directory: Directory | None, now: int) -> list[Fault]:
    """Every fault of several drafts, file by file; the same alert id twice is one, too."""
    faults: list[Fault] = []
    seen: set[str] = set()
    for draft in drafts:
        found = judge(draft, directory, now)
        if draft.kind and draft.fixed_id and draft.alert_id in seen:
            place = draft.form.place_of("header.alert_id")
            found.append(
                Fault(
                    "alert_id",
                    "FORM_ID_TWICE",
                    draft.alert_id,
                    "two alerts cannot have one id: leave it out in one of them",
                    place.line,
                )
            )
        seen.add(draft.alert_id if draft.kind else "")
        faults += in_file(found, draft.file)
    return faults
