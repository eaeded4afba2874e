"""Where records come from: what the loop asks of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from streams.engine.contract import Record
from streams.engine.effects import Ack
from streams.engine.store import Source as Place


class Share(NamedTuple):
    """What one lane gets of a batch: changes of state, and how far its sources are dealt with once it is done."""

    lane: int
    puts: list[tuple[bytes, bytes]]
    places: list[Place]


class Source(Protocol):
    """Supplies records and keeps progress; a source by group for stateless stages, by lane for the gate."""

    def turn(self) -> None:
        """What has to happen between two batches: group callbacks, restores, a look at the directory."""
        ...

    def pull(self, timeout: float) -> list[Record]:
        """The next batch: what is there, or what comes first within `timeout` seconds."""
        ...

    def lane(self, record: Record) -> int:
        """Whose work a record is."""
        ...

    def state(self, lane: int) -> Mapping[bytes, bytes]:
        """State of a lane; empty for stateless stages."""
        ...

    def promise(self, shares: Sequence[Share]) -> None:
        """The batch is judged: its puts are visible from now on."""
        ...

    def keep(self, shares: Sequence[Share], acks: Sequence[Ack]) -> None:
        """The batch is acknowledged: its puts and places are durable from now on."""
        ...

    def ready(self) -> bool:
        """Whether all that this worker owns can be worked on."""
        ...

    def lag(self) -> int:
        """Records that wait in what this worker reads, as far as its clients know; cheap."""
        ...

    def close(self) -> None:
        """Leave the group; nothing is in flight any more."""
        ...
