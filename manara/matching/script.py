"""Letters of any script to plain Latin letters: the first step of every comparison of names."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from anyascii import anyascii

from manara.matching.tables import rows

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME = 2_000
"""Letters of a name that are read; no name of a person is longer, and a longer text must not cost more."""
_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefe]")
_SILENT = "'’‘ʼʻʿʾ`´ˈʹʺ\"“”„«»\u02bb\u02bd"
_NOT_A_LETTER = re.compile(r"[^a-z]+")


@lru_cache(1)
def letters() -> Mapping[int, str]:
    """The table of letters for `str.translate`: code point to Latin reading, silent marks to nothing."""
    table: dict[int, str] = dict.fromkeys((ord(mark) for mark in _SILENT), "")
    for reading, members in rows("letters.tsv"):
        for member in members:
            table.setdefault(ord(member), "" if reading == "-" else reading)
    return table


def words(name: str) -> list[str]:
    """The words of a name as written, in one Unicode form, small letters, without direction marks and punctuation."""
    text = unicodedata.normalize("NFKC", name[:LONGEST_NAME]).casefold()
    return "".join(_plain(letter) for letter in text).split() if not text.isascii() else _split_ascii(text)


def _split_ascii(text: str) -> list[str]:
    return _NOT_A_LETTER.sub(" ", text.replace("'", "").replace("`", "").replace('"', "")).split()


@lru_cache(4096)
def _plain(letter: str) -> str:
    """A letter itself; nothing for a silent, combining or invisible mark; a space for all else."""
    if letter in _SILENT:
        return ""
    kind = unicodedata.category(letter)
    if kind in {"Ll", "Lo", "Lt", "Lu"}:
        return letter
    return "" if kind in {"Mn", "Me", "Mc", "Cf", "Sk", "Lm"} else " "


def is_abjad(word: str) -> bool:
    """Whether a word is written in Arabic script, which leaves short vowels out."""
    return not word.isascii() and _ARABIC.search(word) is not None


_CYRILLIC = re.compile("[\u0400-\u04ff]")
_LOOKALIKES = str.maketrans("aeopcyxkmtbhi", "аеорсухкмтвні")


def romanise(word: str) -> str:
    """One word in the letters a to z: the table of letters, then marks taken off, then `anyascii` for other scripts.

    Latin letters within a Cyrillic word are the Cyrillic letters they look like.
    """
    if word.isascii():
        return word
    if _CYRILLIC.search(word):
        word = word.translate(_LOOKALIKES)
    latin = word.translate(letters())
    if not latin.isascii():
        latin = unicodedata.normalize("NFKD", latin)
        latin = "".join(letter for letter in latin if not unicodedata.combining(letter))
    if not latin.isascii():
        latin = anyascii(latin).lower()
    return _NOT_A_LETTER.sub("", latin)


def abjad_letters(word: str) -> str:
    """One word in Arabic script with one Latin letter for each of its own, in sounds: S for shin, X for kha.

    So a sin before a ha is not taken for a shin, as it would be in `romanise`.
    """
    latin = word.translate(_abjad())
    return latin if latin.isascii() and latin.isalpha() else romanise(word)


_ONE_LETTER = {
    "sh": "S",
    "ch": "S",
    "kh": "X",
    "gh": "G",
    "j": "J",
    "zh": "J",
    "th": "t",
    "dh": "d",
    "dz": "z",
    "ts": "c",
}


@lru_cache(1)
def _abjad() -> Mapping[int, str]:
    return {code: _ONE_LETTER.get(reading, reading) for code, reading in letters().items()}


def shown(letters_: str) -> str:
    """The letters of `abjad_letters` as a person reads them."""
    return "".join(_SHOWN.get(letter, letter) for letter in letters_)


_SHOWN = {"S": "sh", "X": "kh", "G": "gh", "J": "j", "c": "ts"}
