"""How the engine stops: every end of a worker that is not a wish has a code of its own.

    Stop            the worker must end now; what it has read and not committed is read again after the restart

A `Stop` passes through every loop body unhandled and ends the process through `die`, without flushing: what is still
queued in the producer was not acknowledged, so it counts as not sent.
"""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from typing import NoReturn

import structlog


class Exit(IntEnum):
    """Exit codes of a hub worker beside the general ones; a supervisor restarts it after each of them."""

    ZOMBIE = 80
    STAGE = 81
    DELIVERY = 82
    CONSUME = 83
    RESTORE = 84
    LOST = 85
    SKIPPED = 86
    BROKEN_BLOCK = 87
    BROKER = 88

    @property
    def meaning(self) -> str:
        """What it means, for `--help` and the log."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.ZOMBIE: "the worker stood still for longer than its session: somebody else may own its work now",
    Exit.STAGE: "the stage raised an error that it does not know: a defect, nothing was committed",
    Exit.DELIVERY: "the broker did not take a message in time, or refused it",
    Exit.CONSUME: "reading failed in a way that does not heal by waiting",
    Exit.RESTORE: "the state of a lane could not be restored",
    Exit.LOST: "the group took the partitions away without asking",
    Exit.SKIPPED: "an offset was skipped between two reads",
    Exit.BROKEN_BLOCK: "a block cannot be decoded, or names a member or kind without a feed: the hub itself is broken",
    Exit.BROKER: "the broker refused this client (login, rights or fencing)",
}


class Stop(Exception):
    """The worker must end now, with `code`; `why` is one sentence for the log."""

    def __init__(self, code: Exit, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def die(code: Exit, why: str) -> NoReturn:
    """End the process at once, without flushing a client and without running a `finally`.

    Rules 3 and 4 of the engine ask for it: a worker that may have lost its lanes must not send what it still holds.
    """
    structlog.get_logger().error("The worker ends", code=int(code), title=code.meaning, problem=why)
    for stream in (sys.stdout, sys.stderr, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(int(code))


def where(error: BaseException) -> str:
    """File and line that raised: enough to find a defect, and nothing of the message that caused it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
