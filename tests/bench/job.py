"""The job that every system gets in S4: verify the signature, read the `hub` header, name three feeds.

It needs `schemas`, PyNaCl and fastavro alone, so that all systems in Python run the very same code of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas import codec, registry, signature

PREFIX: Final = 5  # bytes of schema id before the body
PRODUCER: Final[Mapping[str, object]] = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "zstd",
    "linger.ms": 5,
    "batch.size": 262_144,
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 524_288,
}
"""The same for all that use librdkafka; the others are set alike in their own words."""
CONSUMER: Final[Mapping[str, object]] = {"fetch.wait.max.ms": 100, "session.timeout.ms": 10_000}
COMMIT_SECONDS: Final = 1.0


class Given(NamedTuple):
    """What a program is told, in one private JSON file."""

    client: dict[str, Any]  # librdkafka's connection
    job: str  # "route" or "pass"
    source: str
    sink: str  # `<sink>.<member>`, or `<sink>.all`
    group: str
    keys: dict[str, str]  # kid to public key, hex
    folder: str

    @classmethod
    def load(cls, path: str) -> Given:
        """Read the file."""
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))


@dataclass
class Job:
    """The job, ready to work: give it an alert, it answers the topics to send it to."""

    given: Given

    def __post_init__(self) -> None:
        self._keys = {bytes.fromhex(kid): bytes.fromhex(public) for kid, public in self.given.keys.items()}
        self._hub = registry.by_name("hub")
        self._all = (f"{self.given.sink}.all",)

    def topics(self, value: bytes, sig: bytes, hub: bytes) -> tuple[str, ...]:
        """Where this alert goes. Raises where its signature does not hold: no input of S4 is bad."""
        if self.given.job == "pass":
            return self._all
        claim = signature.read(sig)
        signature.verify(claim, value[PREFIX:], self._keys[claim.kid])
        header: Any = codec.read(self._hub, hub)
        return tuple(f"{self.given.sink}.{member}" for member in header["members"])
