"""Clock: time passes on every lane, and everybody sees that the hub lives.

Every few seconds an empty block to each lane, so that time passes where no alert does, and a signed heartbeat,
against which everybody outside the hub judges expiry.
"""

from __future__ import annotations

from typing import cast

from schemas import message, registry
from schemas.models import Heartbeat
from schemas.signature import SigningKey
from schemas.topics import Names
from streams.engine.contract import Emit, Headers
from streams.gate import blocks


def tick(names: Names, lanes: int, signer: SigningKey, at: int, sequence: int) -> list[Emit]:
    """What the clock writes at one stroke: `at` in microseconds, `sequence` one more than the stroke before."""
    emits = [Emit(names.admitted, str(lane).encode(), blocks.empty(lane), None, lane) for lane in range(lanes)]
    beat: Heartbeat = {"at": at, "sequence": sequence}
    value, headers = message.sign_record(registry.by_name("heartbeat"), beat, signer)
    return [*emits, Emit(names.heartbeat, b"hub", value, cast("Headers", headers))]
