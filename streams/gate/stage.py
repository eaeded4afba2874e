"""The gate as a stage of the engine: a batch of strangers' messages in, blocks, verdicts and quarantine out.

For every record, in order: the signature (verified beforehand, on threads), decoding and canonical bytes, whose inlet
it stood in, the audience, the agency's sequence, life cycle, rules, readers. What is refused goes to quarantine as it
came and to its author as a verdict; nothing about one record can stop the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from schemas.directory import Directory
from schemas.signature import SigningKey
from schemas.topics import Names
from streams.engine.contract import Fold, Known, Output, Record
from streams.gate import blocks, register
from streams.gate.session import Session
from streams.gate.tally import Tally, report
from streams.gate.verify import Verifier
from streams.policy import Memo


class Gate:
    """The `CommitStage` that decides everything about an alert, once.

    `directory` gives the snapshot to judge by, asked once a batch; `signer` is the key of `hub.gate`. It keeps nothing
    between batches but a bounded memory of the policy's answers. `observe` hears what each batch came to.
    """

    def __init__(
        self,
        names: Names,
        directory: Callable[[], Directory],
        signer: SigningKey,
        lanes: int = 8,
        *,
        threads: int = 2,
        observe: Callable[[Tally], None] = report,
    ) -> None:
        self.lanes = lanes
        self._names = names
        self._directory = directory
        self._signer = signer
        self._verifier = Verifier(threads)
        self._memo = Memo()
        self._observe = observe

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Judge a batch of one lane."""
        directory = self._directory()
        session = Session(self._names, directory, self._memo, partition, state)
        begun = time.perf_counter()
        verified = self._verifier.verify(batch, directory)
        session.tally.verify_seconds = time.perf_counter() - begun
        for record, found in zip(batch, verified, strict=True):
            session.take(record, found)
        output = session.finish(self._signer)
        self._observe(session.tally)
        return output

    def fold(self, value: bytes, offset: int, state: Mapping[bytes, bytes], known: Known) -> Fold:
        """Replay one block of `admitted.v1`: the register that `process` made when it wrote it."""
        return register.fold(blocks.read(value), state, known, self._names.inlet)

    def close(self) -> None:
        """End the threads that verify."""
        self._verifier.close()
