"""Blocking tokens of a person: what two records of one person nearly always share, the rarest first."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manara.matching.names import Name, Part
    from manara.matching.persons import Person

MOST_TOKENS = 48
"""Tokens of a record; the rarest are kept. A record of many names costs no more than that."""
_MOST_PARTS = 5
_RARE = 0.4
_SHORTEST_ALONE = 3
_WIDE = 4
_DATED = 0.5


def tokens(person: Person) -> tuple[str, ...]:
    """Tokens `<class>:<value>` of all names of a person, the rarest first by how many listed persons bear their parts.

    `name:` holds two parts of a name, or one rare part; `dated:` two parts and a year of birth, for names
    that many bear. A part stands for itself once by its spelling family and once by its consonants. Empty and
    one-letter parts give none.
    """
    weighed: dict[str, float] = {}
    years = sorted({date[:4] for date in person.births})
    for one in person.names:
        for token, weight in _of_name(one, years):
            weighed[token] = max(weight, weighed.get(token, 0.0))
    return tuple(sorted(weighed, key=lambda token: (-weighed[token], token))[:MOST_TOKENS])


def wide_tokens(person: Person) -> tuple[str, ...]:
    """Coarser tokens for grouping a bounded set at once: joined words, and two parts by their first consonants."""
    found: set[str] = set()
    for one in person.names:
        for first, second in combinations(_named(one), 2):
            bones, others = _keys(first)[-1], _keys(second)[-1]
            found |= {f"name:{bones}{others[1:]}", f"name:{others}{bones[1:]}"}
            found.add("wide:" + "+".join(sorted((bones[:_WIDE], others[:_WIDE]))))
    return tuple(sorted(found))


def _named(one: Name) -> list[Part]:
    """The parts a name is blocked by, the rarest first."""
    return [part for part in one.parts if part.kind in {"name", "title"} and len(part.text) > 1][:_MOST_PARTS]


def _of_name(one: Name, years: list[str]) -> Iterator[tuple[str, float]]:
    parts = _named(one)
    for part in parts:
        for key in _keys(part):
            if part.weight >= _RARE and len(key) >= _SHORTEST_ALONE:
                yield f"name:{key}", part.weight
    for first, second in combinations(parts, 2):
        for pair in _pairs(first, second):
            yield f"name:{pair}", first.weight + second.weight
            for year in years:
                yield f"dated:{pair}+{year}", first.weight + second.weight + _DATED


def _pairs(first: Part, second: Part) -> set[str]:
    """Two parts by their families, and by their consonants in each reading."""
    mine, theirs = _keys(first), _keys(second)
    longest = max(len(mine), len(theirs))
    return {"+".join(sorted((mine[min(i, len(mine) - 1)], theirs[min(i, len(theirs) - 1)]))) for i in range(longest)}


def _keys(part: Part) -> tuple[str, ...]:
    """What a part is blocked under: its families, and its consonants in each reading;
    v is a vowel to half the world.
    """
    bones = ("~" + (skeleton.replace("v", "") or "a") for skeleton in (part.skeleton, *(r[1] for r in part.readings)))
    return tuple(dict.fromkeys((*part.families[:1], *bones)))
