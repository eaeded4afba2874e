"""A mapping under a bound that forgets what was not used lately."""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")


class Generations(Generic[V]):
    """Two halves: the older is dropped whole when the younger is full, so that each step costs the same.

    `dropped` counts the forgotten entries.
    """

    def __init__(self, most: int) -> None:
        self._half = max(1, most // 2)
        self._young: dict[object, V] = {}
        self._old: dict[object, V] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: object) -> V | None:
        """The value, moved among the young; None where unknown."""
        value = self._young.get(key)
        if value is None and self._old:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: object, value: V) -> None:
        """Keep a value as just used."""
        if len(self._young) >= self._half and key not in self._young:
            self.dropped += len(self._old)
            self._old, self._young = self._young, {}
        self._young[key] = value
