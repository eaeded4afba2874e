"""The exclusion list: values that everybody has and that therefore say nothing, each with a reason and an owner."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from manara.errors import SettingsError, in_words

_EXAMPLE = """Write each as
  [[exclusion]]
  value = "id:phone:+994125900000"   # as `manara hub correlate` names it in links.v1
  reason = "the hotline of the customs committee"
  owner = "az-customs"
"""


class Exclusion(NamedTuple):
    """One value that is passed over."""

    value: str
    reason: str
    owner: str


def load(path: Path | None) -> list[Exclusion]:
    """The list in a TOML file; [] without one. Raises `SettingsError` that says what to write."""
    if path is None:
        return []
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("exclusion", [])
    except OSError as error:
        raise SettingsError(f"The exclusion list cannot be read: {in_words(error).message}", _EXAMPLE) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.", _EXAMPLE) from error
    return [_entry(path, number, entry) for number, entry in enumerate(found, 1)]


def _entry(path: Path, number: int, entry: object) -> Exclusion:
    given = entry if isinstance(entry, dict) else {}
    values = [given.get(name) for name in Exclusion._fields]
    if set(given) != set(Exclusion._fields) or not all(isinstance(value, str) and value.strip() for value in values):
        raise SettingsError(f"{path}: exclusion {number} needs value, reason and owner, and nothing else.", _EXAMPLE)
    return Exclusion(*(str(value) for value in values))
