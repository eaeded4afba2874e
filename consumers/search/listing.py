"""Under which search keys an alert is listed, and by which keys a name is looked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from consumers.search import numbers, words
from consumers.search.content import Content, Record, named
from manara.matching import blocking, identifiers, names, persons

RULES: Final = f"search/1 {persons.RULES} {identifiers.RULES}"
"""Which rules an index was made by: under others it is made anew."""
_WEIGHT: Final = 0.2
"""Name parts that weigh less (Abd, Abu, initials) are not listed alone."""


def keys(found: Content) -> set[str]:
    """All search keys of an alert's content."""
    listed: set[str] = set()
    for number in found.numbers:
        listed.update(numbers.keys(number.type, number.value, number.country))
    for person in found.persons:
        listed.update(f"t:{token}" for token in blocking.tokens(persons.prepare(person.record)))
    for name in named(found):
        listed.update(part_keys(name))
    for thing in found.things:
        listed.update((words.code_key(thing.name),) if thing.what == "code" else words.keys(thing.name))
    listed.discard("")
    return listed


def part_keys(name: str) -> Iterator[str]:
    """The keys of a name's parts one by one: its spelling family where one is known, and its skeleton."""
    taken = names.name(name)
    for part in taken.parts if taken else ():
        if part.kind == "initial" or len(part.text) < 2 or (part.kind != "name" and part.weight < _WEIGHT):  # noqa: PLR2004
            continue
        yield f"p:{part.key}"
        yield f"p:~{part.skeleton}"


def tokens(record: Record) -> list[str]:
    """The keys of a person as the matcher blocks by: pairs of rare name parts and names in native script."""
    return [f"t:{token}" for token in blocking.tokens(persons.prepare(record))]
