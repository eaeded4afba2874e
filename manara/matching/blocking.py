"""Blocking tokens of a person: what two records of one person nearly always share, the rarest first."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from manara.matching.rarity import rarity

if TYPE_CHECKING:
    from manara.matching.names import Name
    from manara.matching.persons import Person

_MOST_PARTS, _MOST_TOKENS = 6, 40
_RARE = 0.85


def tokens(person: Person) -> tuple[str, ...]:
    """Tokens `<class>:<value>` of all names of a person: pairs of part keys, and a rare part alone with the birth year."""
    weighed: dict[str, float] = {}
    for one in person.names:
        for token, weight in _of_name(one):
            weighed[token] = max(weight, weighed.get(token, 0.0))
    return tuple(sorted(weighed, key=lambda token: (-weighed[token], token))[:_MOST_TOKENS])


def _of_name(one: Name) -> list[tuple[str, float]]:
    keys = sorted({part.key: part.weight for part in one.parts if part.kind == "name" and len(part.text) > 1}.items())
    strongest = sorted(keys, key=lambda item: (-item[1], item[0]))[:_MOST_PARTS]
    found = [(f"name:{a}+{b}", wa + wb) for (a, wa), (b, wb) in combinations(sorted(strongest), 2)]
    return found + [(f"name:{k}", w) for k, w in strongest if rarity(k) >= _RARE and len(k) > len("~bc")]
