"""Second readings of a name part: letters that countries read differently, an article grown on,
a father's name within.
"""

from __future__ import annotations

import re

from manara.matching.families import Families, families, spelled
from manara.matching.spelling import skeleton, sounds

Reading = tuple[str, str]
"""Sounds and skeleton."""
_PATRONYMIC = re.compile(
    r"^(.{2,}?)(?:[aeoiyju]{0,2}[vw]|(?<=[ly])|(?<=li)|(?<=ly))([iy](?:ch|tj|cz|c|ts|tsch|tch|ts)|n[aiy]|n[iy]?c?h?na)$"
)
_SHORTEST = 6
_STEM_ENDS = ("", "i", "y", "ei", "ai", "a", "o", "iy", "r", "l")
_ARTICLE = re.compile(
    r"^(?:[aeo]l|[ae]s(?=s)|[ae]n(?=n)|[ae]r(?=r)|[ae]z(?=z)|[ae]d(?=d)|[ae](?:s|c)h(?=sh|ch))(?=.{4})"
)
_SLAVIC_W = re.compile("[oea]w(?:a|icz|na|sk[aiy]*)?$")
_BELARUSIAN_U = re.compile("(?<=[aeo])u$")
_SOMALI_C = re.compile("c(?=[aeiou])")
_FOREIGN_J = (("tj", "ch"), ("sj", "sh"), ("zj", "zh"), ("j", "y"))


def patronymic(text: str) -> Families:
    """The families of "son of X" and "daughter of X" where X is known, whatever the Slavic spelling of both."""
    found = _PATRONYMIC.match(text) if text[-1] in "hjacsynz" and len(text) >= _SHORTEST else None
    if not found:
        return ()
    gender = "vna" if "n" in found[2] else "vich"
    stem = found[1]
    known = next(filter(None, (spelled(stem + end) for end in _STEM_ENDS)), ()) or families(
        stem, sounds(stem), arabic=False
    )
    return tuple(f"{name}+{gender}" for name in known)


def second_readings(text: str, sound: str, *, arabic: bool) -> tuple[Reading, ...]:
    """Further sounds a Latin spelling may stand for, without the first."""
    if arabic:
        return ()
    found = dict.fromkeys(sounds(other) for other in _spellings(text))
    return tuple((reading, skeleton(reading)) for reading in found if reading not in {sound, ""})


def _spellings(text: str) -> list[str]:
    """The text as another country would have to write it to be read that way."""
    found = []
    if "j" in text:
        found.append(_replaced(text, _FOREIGN_J))
    if "ch" in text:
        found += [other.replace("ch", "kh") for other in (text, *found[:1])]
    if "x" in text:
        found.append(text.replace("x", "ks"))
    if "c" in text.replace("ch", ""):
        found += [text.replace("c", "j"), _SOMALI_C.sub("", text)]
    if "dz" in text:
        found.append(text.replace("dz", "d"))
    if "w" in text and _SLAVIC_W.search(text):
        found.append(text.replace("w", "v"))
    if text.endswith("u") and _BELARUSIAN_U.search(text):
        found.append(text[:-1] + "v")
    if text[0] in "aeo" and (article := _ARTICLE.match(text)):
        found.append(text[article.end() :])
    return found


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text
