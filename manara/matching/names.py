"""Names taken apart once, at ingest: parts in plain letters and in sounds, each with its family, its skeleton and its rarity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from manara.matching.families import Families, families
from manara.matching.rarity import rarity
from manara.matching.script import is_abjad, romanise, words
from manara.matching.spelling import abjad_sounds, skeleton, sounds
from manara.matching.tables import rows

MOST_PARTS = 12
"""Parts of a name that are compared: the rarest ones. It bounds the work for names of 200 words."""
LONGEST_WORD = 40
MINOR = {"abd": 0.12, "allah": 0.12, "din": 0.12, "abu": 0.15}
"""Weights of parts that belong to another part: servant of, God, of the faith, father of."""
_INITIAL = 0.1
_TITLE_AMONG_OTHERS, _TITLE_ALONE = 0.12, 0.4
_ENOUGH_OTHERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a name; compared by identity, for equal words are read once and shared."""

    text: str
    sound: str
    readings: tuple[tuple[str, str], ...]
    """Second readings, each as its sounds and its skeleton."""
    skeleton: str
    families: Families
    weight: float
    arabic: bool
    kind: str
    """name, minor, title or initial."""

    @property
    def key(self) -> str:
        """What the part is counted and blocked under: its first family, or ~ and its skeleton."""
        return self.families[0] if self.families else "~" + self.skeleton


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A name as its parts, in an order that does not depend on how it was written."""

    written: str
    parts: tuple[Part, ...]
    key: str
    keys: frozenset[str]
    """Families and skeletons of its parts, to see quickly whether two names can be alike."""


def name(written: str) -> Name | None:
    """A name taken apart; None where nothing is left that could be compared."""
    found: list[Part] = []
    for word in words(written):
        found.extend(_parts(word[:LONGEST_WORD]))
    found = _abd_allah(found)
    if not any(part.kind in {"name", "title"} or part.weight >= _INITIAL for part in found):
        return None
    found.sort(key=lambda part: (-part.weight, part.text, part.arabic))
    del found[MOST_PARTS:]
    parts = tuple(_titles_weighed(found))
    return Name(
        written=written,
        parts=parts,
        key=" ".join(part.text + "~" * part.arabic for part in parts),
        keys=frozenset(part.key for part in parts if part.kind != "initial"),
    )


def _abd_allah(found: list[Part]) -> list[Part]:
    """The parts with Abd and Allah, written apart, as the one name they are."""
    held = {part.key for part in found}
    if not {"abd", "allah"} <= held:
        return found
    kept = [part for part in found if part.key not in {"abd", "allah"}]
    return [*kept, part("abdullah", arabic=False)]


def _titles_weighed(found: list[Part]) -> list[Part]:
    """Titles weigh little where two other parts carry the name, more where one of them may be the name."""
    if not any(part.kind == "title" for part in found):
        return found
    others = sum(part.kind == "name" for part in found)
    return [_title(part, heavy=others < _ENOUGH_OTHERS) if part.kind == "title" else part for part in found]


@lru_cache(4096)
def _title(title: Part, *, heavy: bool) -> Part:
    weight = _TITLE_ALONE if heavy else _TITLE_AMONG_OTHERS
    return Part(title.text, title.sound, title.readings, title.skeleton, title.families, weight, title.arabic, "title")


@lru_cache(1)
def _kinds() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Particles and titles as romanised words, and the families of what follows Abd al-."""
    table = {kind: [w for entry in entries.split() for w in words(entry)] for kind, entries in rows("parts.tsv")}
    epithets = (name for word in table["epithet"] for name in (word, *families(word, sounds(word), arabic=False)))
    return (
        frozenset(_marked(word) for word in table["particle"]),
        frozenset(_marked(word) for word in table["title"]),
        frozenset(filter(None, epithets)),
    )


def _marked(word: str) -> str:
    return romanise(word) + "~" * is_abjad(word)


@lru_cache(65_536)
def _parts(word: str) -> tuple[Part, ...]:
    """The parts one written word holds: none for a particle, two for Abd-al-X, X-ullah and X-al-Din."""
    arabic = is_abjad(word)
    text = romanise(word)
    if not text or text + "~" * arabic in _kinds()[0]:
        return ()
    split = _split_arabic(text) if arabic else _split_latin(text)
    return tuple(part(piece, arabic=arabic) for piece in split if piece)


_ARABIC_ABD = re.compile(r"^(bd)a?l(.{2,})$")
_ARABIC_TAIL = re.compile(r"^(.{2,}?)(?:al)(lh|dyn)$")


def _split_arabic(text: str) -> tuple[str, ...]:
    """Arabic script: Abd al-X, X Allah and X al-Din written as one word; the article taken off."""
    if text in {"bdallh", "allh", "bdallhy"}:
        return (text,)
    if found := _ARABIC_ABD.match(text) or _ARABIC_TAIL.match(text):
        first, last = found.groups()
        return _without_article(first), "allh" if last == "lh" else last
    return (_without_article(text),)


def _without_article(text: str) -> str:
    return text[2:] if text.startswith("al") and len(text) >= len("alxx") else text


_LATIN_ABD = re.compile(r"^(abd)[aeiou]{0,2}(?:[lrsnzdt]h?|ch|dj|j)??([b-df-hj-np-tv-z].{2,})$")
_LATIN_ABD_SURE = re.compile(r"^(abd)(?:[aeou]{1,2}l|[aeou]{1,2}(?=(rr|ss|nn|zz|dd|tt))[rsnzdt])(.{3,})$")
_LATIN_ALLAH = re.compile(r"^(.{3,}?)(?:[aeiou]{1,2}ll?|ll)(?:ah|a|oh|o)$")
_ULLAH = re.compile(r"(?:[aeou]{1,2}ll?ah|[uo]ulla|ulla)$")
_LATIN_DIN = re.compile(r"^(.{2,}?)(?:[aeiou]{1,2}dd|(?:u|ou|e)d)(?:i|ee|ie|y|ei)ne?$")
_SLAVIC_END = re.compile(r"(?:[oe][vw]a?|off|eff|aev|in[ao]?|ich|ovna|evna|uly|zoda|zada|zade)$")


def _split_latin(text: str) -> tuple[str, ...]:
    """Latin letters: the same joined forms in all their spellings (Abderrahmane, Obaidullah, Noureddine)."""
    if len(text) < len("abdxx") or "abdullah" in families(text, sounds(text), arabic=False):
        return (text,)
    if text.startswith("abd") and not _SLAVIC_END.search(text):
        return _abd(text)
    if found := _LATIN_DIN.match(text):
        return found[1], "din"
    if _ULLAH.search(text) and (found := _LATIN_ALLAH.match(text)):
        return found[1], "allah"
    return (text,)


def _abd(text: str) -> tuple[str, ...]:
    epithets = _kinds()[2]
    for start in range(len("abd"), min(len(text) - 2, len("abdoush") + 1)):
        rest = text[start:]
        if rest in epithets or not epithets.isdisjoint(families(rest, sounds(rest), arabic=False)):
            return "abd", rest
    if found := _LATIN_ABD_SURE.match(text):
        return "abd", found[3]
    return (text,)


_PATRONYMIC = re.compile(
    r"^(.{2,}?)(?:[aeoiyju]{0,2}[vw]|(?<=[ly])|(?<=li)|(?<=ly))([iy](?:ch|tj|cz|c|ts|tsch|tch|ts)|n[aiy]|n[iy]?c?h?na)$"
)


@lru_cache(65_536)
def part(text: str, *, arabic: bool) -> Part:
    """One part from its romanised text."""
    sound = abjad_sounds(text) if arabic else sounds(text)
    known = families(text, sound, arabic=arabic)
    title = text + "~" * arabic in _kinds()[1]
    bones = skeleton(sound)
    kind = "initial" if len(text) == 1 else "minor" if known and known[0] in MINOR else "title" if title else "name"
    if not known and not arabic and kind == "name":
        known = _patronymic(text)
    weight = (
        _INITIAL
        if kind == "initial"
        else MINOR.get(known[0] if known else "") or rarity(known[0] if known else "~" + bones)
    )
    return Part(text, sound, _readings(text, sound, arabic=arabic), bones, known, weight, arabic, kind)


_STEM_ENDS = ("", "i", "y", "ei", "a", "o", "iy", "r", "l")


def _patronymic(text: str) -> Families:
    """The families of "son of X" and "daughter of X" where X is known, whatever the Slavic spelling of both."""
    found = _PATRONYMIC.match(text)
    if not found:
        return ()
    gender = "vna" if "n" in found[2] else "vich"
    for end in _STEM_ENDS:
        stem = found[1] + end
        if known := families(stem, sounds(stem), arabic=False):
            return tuple(f"{name}+{gender}" for name in known)
    return ()


_ARTICLE = re.compile(
    r"^(?:[aeo]l|[ae]s(?=s)|[ae]n(?=n)|[ae]r(?=r)|[ae]z(?=z)|[ae]d(?=d)|[ae](?:s|c)h(?=sh|ch))(?=.{4})"
)


def _readings(text: str, sound: str, *, arabic: bool) -> tuple[tuple[str, str], ...]:
    """Second readings of letters that countries read differently: j, ch, x, c, and an article grown on."""
    if arabic:
        return ()
    second = []
    if "j" in text:
        second.append(sounds(text.replace("tj", "ch").replace("sj", "sh").replace("zj", "zh").replace("j", "y")))
    if "ch" in text:
        second.append(sounds(text.replace("ch", "kh")))
    if "x" in text:
        second.append(sounds(text.replace("x", "ks")))
    if "c" in text.replace("ch", ""):
        second.append(sounds(text.replace("c", "j")))
    if article := _ARTICLE.match(text):
        second.append(sounds(text[article.end() :]))
    return tuple((reading, skeleton(reading)) for reading in second if reading != sound)
