"""Under which search keys an alert is listed, and by which keys a name is looked for. Pure, but for `rules`."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from consumers.search import numbers, words
from consumers.search.content import Content, Record, named
from manara.matching import blocking, names, persons

VERSION: Final = "search/1"
_VOWELS: Final = str.maketrans("aeiou", ".....")
_WEIGHT: Final = 0.2
"""Name parts that weigh less (Abd, Abu, initials) are not listed alone."""


@functools.cache
def rules() -> str:
    """Which rules an index is made by: ours, and the matching package's code and tables as they are installed. An
    index that was made by others would silently miss what it lists under other keys, so it is made anew."""
    digest = hashlib.sha256(VERSION.encode())
    for file in sorted(_files(resources.files("manara.matching")), key=str):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _files(folder: Traversable) -> Iterator[Traversable]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _files(one)
        elif one.name.endswith((".py", ".tsv", ".csv")):
            yield one


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
    """The keys of a name's parts one by one: its spelling family where one is known, its skeleton, and its sounds with
    all vowels alike: the skeleton is wide, so among many alike the finer key tells who is nearest."""
    taken = names.name(name)
    for part in taken.parts if taken else ():
        if part.kind == "initial" or len(part.text) < 2 or (part.kind != "name" and part.weight < _WEIGHT):  # noqa: PLR2004
            continue
        yield f"p:{part.key}"
        yield f"p:~{part.skeleton}"
        if not part.arabic:
            yield f"f:{part.sound.translate(_VOWELS)}"


def tokens(record: Record) -> list[str]:
    """The keys of a person as the matcher blocks by: pairs of rare name parts and names in native script."""
    return [f"t:{token}" for token in blocking.tokens(persons.prepare(record))]
