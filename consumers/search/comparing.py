"""A name that is searched for against a person of an alert: as the matcher compares, and by a part of the name. Pure.

A desk often knows one part of a name alone. Two records that share one part are no match; an answer to a search may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from consumers.search.content import Person as Named
from consumers.search.content import Record
from consumers.search.query import Query
from manara.matching import births, names, persons
from manara.matching.alignment import align

PART: Final = 0.35
"""The least score of a name of which every asked part is there; the most stays under PROBABLE."""
_SPAN: Final = 0.2
MOST_OF_ONE: Final = 0.59
"""The most that one part of a longer name is worth."""
_AGREES: Final = 0.80
_OTHERS: Final = frozenset({"NEAR", "FAR"})
"""Birth dates so far apart that a part of the name is nothing."""
_WARNING: Final = frozenset({"STRONG", "PROBABLE"})


class Person:
    """The person of one search, taken apart once."""

    def __init__(self, query: Query) -> None:
        self._prepared = persons.prepare(query.person)
        self._name = names.name(query.name)
        self._alone = self._name is not None and len(self._name.parts) == 1

    def compare(self, record: Record) -> tuple[float, str, tuple[str, ...]]:
        """Score, band and evidence."""
        other = persons.prepare(record)
        found = persons.compare(self._prepared, other)
        if found.band == "NONE":
            return self._in_part(other, found)
        if self._alone and found.score > MOST_OF_ONE and all(len(name.parts) > 1 for name in other.names):
            return MOST_OF_ONE, "POSSIBLE", ("one part of the name was asked for", *found.evidence)
        return round(found.score, 4), found.band, found.evidence

    def _in_part(self, other: persons.Person, found: persons.Comparison) -> tuple[float, str, tuple[str, ...]]:
        """What no match is, but has every part that was asked for."""
        far = births.grade(self._prepared.births, other.births) in _OTHERS
        score = 0.0 if far else max((self._contained(name) for name in other.names), default=0.0)
        if not score:
            return round(found.score, 4), found.band, found.evidence
        return score, "POSSIBLE", ("every part asked for is in the name", *found.evidence)

    def warnings(self, others: Sequence[Named]) -> list[str]:
        """Words of the author that somebody who fits the question is not the person of the alert."""
        said = []
        for other in others:
            if persons.compare(self._prepared, persons.prepare(other.record)).band in _WARNING:
                born = ", ".join(other.record["dob"])
                said.append(
                    f"beware: the author says that {other.record['name']}{f', born {born},' * bool(born)} is another"
                )
        return said

    def _contained(self, name: names.Name) -> float:
        """How well every asked part agrees with some part of a name; 0 where one is missing."""
        if self._name is None or not any(part.kind in ("name", "title") for part in self._name.parts):
            return 0.0
        agreed = {part: one.likeness for one in align(self._name, name).agreements for part in (*one.left, *one.right)}
        likeness = [agreed.get(part, 0.0) for part in self._name.parts]
        if min(likeness) < _AGREES:
            return 0.0
        return round(PART + _SPAN * sum(likeness) / len(likeness), 4)
