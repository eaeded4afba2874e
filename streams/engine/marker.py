"""The crash marker: where every inlet stood when the process died, so that a batch that kills it is found.

It is on disk before a batch is unpacked and judged, and gone after a graceful end. Who starts and finds one knows that
the process before died, and where. An inlet that did not get past its place over two deaths is a suspect: what stands
there is proven in a process of its own (`sandbox.py`) before it is read again. Being killed from outside is no proof,
so nothing good is ever skipped for it. From the second such death on batches are fetched one by one, and whatever comes
first is suspect, until an end is graceful: so a bad batch that was fetched together with good ones is found, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""

DEATHS: Final = 2
"""So many deaths without getting past a place make it suspect."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The process has died `deaths` times in a row while this topic was read no further than `offset`."""

    topic_id: str
    offset: int
    deaths: int


class Marker:
    """The file, and what its predecessor says. It outlives the process, not a power cut: that is no death of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._suspicions, was_careful = _after_a_death(path)
        self._acquitted: set[Place] = set()
        self._written: dict[str, list[object]] | None = None
        self.careful = was_careful or any(found.deaths >= DEATHS for found in self._suspicions.values())
        """Whether batches should be fetched one by one, so that what stands before a bad one gets through."""

    def suspects(self, place: Place, topic_id: str, offset: int) -> bool:
        """Whether what stands at `offset` has to be proven before it is read."""
        found = self._suspicions.get(place)
        if found is None or place in self._acquitted:
            return False
        return self.careful and found.topic_id == topic_id and offset <= found.offset

    def acquit(self, place: Place) -> None:
        """What stands first there is harmless, or was stepped past: read on."""
        self._acquitted.add(place)

    def note(self, reading: Mapping[Place, tuple[str, int]]) -> None:
        """Everything below these offsets is dealt with: place -> topic id and next offset. Cheap where none moved."""
        now = {
            f"{topic}/{partition}": self._line((topic, partition), *at) for (topic, partition), at in reading.items()
        }
        if now != self._written:
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps({"careful": self.careful, "at": now}))
            new.replace(self._path)
            self._written = now

    def clear(self) -> None:
        """A graceful end: nobody died."""
        self._path.unlink(missing_ok=True)

    def _line(self, place: Place, topic_id: str, offset: int) -> list[object]:
        found = self._suspicions.get(place)
        if found is not None and (found.topic_id != topic_id or offset > found.offset):
            del self._suspicions[place]  # it got past
            found = None
        return [topic_id, found.offset, found.deaths] if found else [topic_id, offset, 0]


def _after_a_death(path: Path) -> tuple[dict[Place, Suspicion], bool]:
    """What the marker of the process before says, one death more; nothing where it ended well or is not readable."""
    try:
        said = json.loads(path.read_text())
        found = {
            (topic, int(partition)): Suspicion(topic_id, offset, deaths + 1)
            for name, (topic_id, offset, deaths) in said["at"].items()
            for topic, _, partition in [name.rpartition("/")]
        }
        return found, said["careful"] is True
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}, False
