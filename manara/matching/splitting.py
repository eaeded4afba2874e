"""Words that hold two parts of a name: Abd-al-X, X-ullah, X-al-Din and Abu-l-X in their joined spellings."""

from __future__ import annotations

import re
from functools import lru_cache

from manara.matching.families import families
from manara.matching.script import abjad_letters, is_abjad, romanise, words
from manara.matching.spelling import sounds
from manara.matching.tables import rows


@lru_cache(1)
def kinds() -> dict[str, frozenset[str]]:
    """Particles and titles as romanised words (those in Arabic script marked by ~), and what may follow Abd al-."""
    table = {kind: [w for entry in entries.split() for w in words(entry)] for kind, entries in rows("parts.tsv")}
    epithets = [name for word in table["epithet"] for name in (word, *families(word, sounds(word), arabic=False))]
    marked = {
        kind: frozenset(abjad_letters(w) + "~" if is_abjad(w) else romanise(w) for w in table[kind])
        for kind in ("particle", "title")
    }
    return marked | {"epithet": frozenset(epithets)}


_ARABIC_ABD = re.compile(r"^(bd)a?l(.{2,})$")
_ARABIC_ABU = re.compile(r"^(abw)al(.{2,})$")
_ARABIC_TAIL = re.compile(r"^(.{2,}?)(?:al)(lh|dyn)$")


def split_arabic(text: str) -> tuple[str, ...]:
    """Arabic script: Abd al-X, Abu l-X, X Allah and X al-Din written as one word; the article taken off."""
    if text in {"bdallh", "allh", "bdallhy"}:
        return (text,)
    if found := _ARABIC_ABD.match(text) or _ARABIC_ABU.match(text) or _ARABIC_TAIL.match(text):
        first, last = found.groups()
        return without_article(first), "allh" if last == "lh" else last
    return (without_article(text),)


def without_article(text: str) -> str:
    """A romanised Arabic word without al-."""
    return text[2:] if text.startswith("al") and len(text) >= len("alxx") else text


_ABD_SURE = re.compile(r"^(abd)(?:[aeou]{1,2}l|[aeou]{1,2}(?=(?:rr|ss|nn|zz|dd|tt))[rsnzdt])(.{3,})$")
_ABU = re.compile(r"^(abu|abou|abo)a?l(.{4,})$")
_ALLAH = re.compile(r"^(.{3,}?)(?:[aeiou]{1,2}ll?|ll)(?:ah|a|oh|o)$")
_ULLAH = re.compile(r"(?:[aeou]{1,2}ll?ah|[uo]ulla|ulla)$")
_DIN = re.compile(r"^(.{2,}?)(?:[aeiou]{1,2}dd|(?:u|ou|e)d)(?:i|ee|ie|y|ei)ne?$")
_SURNAME = re.compile(r"(?:[oe][vw]a?|off|eff|aev|ll?in[ao]?|ich|ovna|evna|uly|zoda|zada|zade)$")


def split_latin(text: str) -> tuple[str, ...]:
    """Latin letters: the same joined forms in all their spellings (Abderrahmane, Obaidullah, Noureddine, Abolqasem)."""
    text = text[1:] if text.startswith("cabd") else text
    if len(text) < len("abdxx") or "abdullah" in families(text, sounds(text), arabic=False):
        return (text,)
    if text.startswith("abd") and not _SURNAME.search(text):
        return _abd(text)
    if text.startswith("ab") and (found := _ABU.match(text)):
        return "abu", found[2]
    if text.endswith(("n", "ne")) and (found := _DIN.match(text)):
        return found[1], "din"
    if text.endswith(("a", "ah")) and _ULLAH.search(text) and (found := _ALLAH.match(text)):
        return found[1], "allah"
    return (text,)


def _abd(text: str) -> tuple[str, ...]:
    """Servant of: cut before the first rest that is known to follow it, or where the article is plain to see."""
    epithets = kinds()["epithet"]
    for start in range(len("abd"), min(len(text) - 2, len("abdoush") + 1)):
        rest = text[start:]
        if rest in epithets or not epithets.isdisjoint(families(rest, sounds(rest), arabic=False)):
            return "abd", rest
    found = _ABD_SURE.match(text)
    return ("abd", found[2]) if found else (text,)
