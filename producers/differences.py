"""What a new version changes, field by field, old and new: for a person who is about to sign it. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

_SILENT: Final = frozenset({"header.sent_at", "header.hub_digest", "header.version", "header.message"})
_TIMES: Final = ("_at", ".at")  # how the paths of times end
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One field: its path as in `names[0].full`, what stood there and what stands there now ("" for nothing)."""

    path: str
    old: str
    new: str

    def as_json(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], old_to: Mapping[str, Any], new_to: Mapping[str, Any]
) -> list[Change]:
    """Every field that differs between two snapshots, and the audience where it does."""
    found = list(_walk("", old, new))
    before, after = audience_in_words(old_to), audience_in_words(new_to)
    return found if before == after else [Change("audience", before, after), *found]


def content(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything that a record says, as path and value, for a person who is about to show it to somebody."""
    return [(change.path, change.new) for change in _leaves("", record) if change.new]


def _leaves(path: str, value: Any) -> Iterator[Change]:
    if path in _SILENT:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(f"{path}[{place}]", inner)
    else:
        yield Change(path.removeprefix("header."), "", "" if value == "UNKNOWN" else _shown(path, value))


def audience_in_words(audience: Mapping[str, Any]) -> str:
    """ALL, or the members listed or left out."""
    members = ", ".join(audience["members"])
    return {"LISTED": f"only {members}", "ALL_BUT": f"all but {members}"}.get(audience["mode"], str(audience["mode"]))


def _walk(path: str, old: Any, new: Any) -> Iterator[Change]:
    if path in _SILENT or old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _walk(f"{path}.{name}" if path else name, old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            before = old[place] if place < len(old) else None
            after = new[place] if place < len(new) else None
            yield from _walk(f"{path}[{place}]", before, after)
    else:
        yield Change(path.removeprefix("header."), _shown(path, old), _shown(path, new))


def _shown(path: str, value: Any) -> str:
    if value in (None, "", []) or (path.endswith(_TIMES) and value == 0):
        return ""
    if path.endswith(_TIMES) and isinstance(value, int):
        return dt.datetime.fromtimestamp(value / 1e6, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
