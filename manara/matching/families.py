"""Spelling families: one name as different countries and scripts write it (Muhammad, Mamadou, Magomed, Mehmet)."""

from __future__ import annotations

from functools import lru_cache

from manara.matching.script import is_abjad, romanise, words
from manara.matching.spelling import abjad_sounds, sounds
from manara.matching.tables import rows


@lru_cache(1)
def _table() -> tuple[dict[str, str], dict[str, str]]:
    """Family by spelling, and family by sounds where only one family sounds so."""
    spelled: dict[str, str] = {}
    heard: dict[str, set[str]] = {}
    for name, spellings in rows("families.tsv"):
        for written in (name, *spellings.split()):
            for word in words(written):
                latin, arabic = romanise(word), is_abjad(word)
                spelled.setdefault(("~" if arabic else "") + latin, name)
                heard.setdefault("~" + abjad_sounds(latin) if arabic else sounds(latin), set()).add(name)
    return spelled, {sound: min(names) for sound, names in heard.items() if len(names) == 1}


def family(latin: str, sound: str, *, arabic: bool) -> str:
    """The family a romanised word belongs to, by its spelling or by its sounds; empty where none is known."""
    spelled, heard = _table()
    mark = "~" if arabic else ""
    return spelled.get(mark + latin) or heard.get(mark + sound, "")
