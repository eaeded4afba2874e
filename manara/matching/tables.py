"""The tables of this package: tab-separated files in `data/`, read when first needed."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows(file: str) -> Iterator[tuple[str, str]]:
    """Each line of a table as (first field, the rest); lines that begin with # are remarks."""
    text = resources.files("manara.matching").joinpath("data", file).read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            first, _, rest = line.partition("\t")
            yield first, rest
