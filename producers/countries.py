"""Country names as people write them, in English, Arabic, French and Russian, to ISO 3166-1 alpha-2.

The table is `countries.csv` beside this file (datasets/country-codes, Public Domain Dedication and License).
"""

from __future__ import annotations

import csv
import difflib
import functools
import unicodedata
from collections.abc import Mapping
from importlib import resources

_ALSO = {
    "uae": "AE",
    "emirates": "AE",
    "turkey": "TR",
    "turkiye": "TR",
    "ivory coast": "CI",
    "russia": "RU",
    "iran": "IR",
    "syria": "SY",
    "palestine": "PS",
}


def _plain(name: str) -> str:
    """Folded for comparison: no accents, no case, single spaces."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())


@functools.cache
def _codes() -> Mapping[str, str]:
    rows = list(csv.DictReader((resources.files("producers") / "countries.csv").read_text("utf-8").splitlines()))
    names = {
        _plain(row[column]): row["alpha2"]
        for row in rows
        for column in ("ru", "fr", "ar", "en", "alpha3", "alpha2")
        if row[column]
    }
    return {**_ALSO, **names}


def code_of(name: str) -> str | None:
    """The alpha-2 code of a country written as alpha-2, alpha-3 or by name; None if nobody is called so."""
    return _codes().get(_plain(name))


def nearest(name: str) -> str:
    """A known name that looks like this one, or ""."""
    found = difflib.get_close_matches(_plain(name), list(_codes()), n=1, cutoff=0.8)
    return f"{found[0]} ({_codes()[found[0]]})" if found else ""
