"""Spelling families: one name as different countries and scripts write it (Muhammad, Mamadou, Magomed, Mehmet)."""

from __future__ import annotations

from functools import lru_cache

from manara.matching.script import abjad_letters, is_abjad, romanise, words
from manara.matching.spelling import abjad_sounds, sounds
from manara.matching.tables import rows

Families = tuple[str, ...]
"""Names of families, the one under which the name is counted first; a spelling such as Said belongs to two."""


@lru_cache(1)
def _table() -> tuple[dict[str, Families], dict[str, Families]]:
    """Families by spelling, and by sounds, for spellings the table does not have but that sound like one it has."""
    spelled: dict[str, Families] = {}
    heard: dict[str, Families] = {}
    for name, spellings in rows("families.tsv"):
        for written in (name, *spellings.split()):
            for word in words(written):
                arabic = is_abjad(word)
                latin, mark = abjad_letters(word) if arabic else romanise(word), "~" * arabic
                if mark and latin.startswith("al") and len(latin) >= len("alxx") and latin != "allh":
                    latin = latin[2:]
                _enter(spelled, mark + latin, name)
                _enter(heard, mark + (abjad_sounds(latin) if mark else sounds(latin)), name)
    return spelled, heard


def _enter(table: dict[str, Families], key: str, name: str) -> None:
    known = table.get(key, ())
    if name not in known:
        table[key] = (*known, name)


def families(latin: str, sound: str, *, arabic: bool) -> Families:
    """The families a romanised word belongs to, by its spelling or else by its sounds; empty where none is known."""
    spelled, heard = _table()
    mark = "~" * arabic
    return spelled.get(mark + latin) or heard.get(mark + sound, ())


def spelled(latin: str) -> Families:
    """The families of a word in Latin letters by its spelling alone."""
    return _table()[0].get(latin, ())
