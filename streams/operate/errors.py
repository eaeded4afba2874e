"""What can go wrong when an operator looks at the hub.

ManaraError
├── NotFoundError     what was asked for is not in the log
└── AmbiguousError    it could be several things; the message names them (wrong input)
"""

from __future__ import annotations

from manara.errors import InputError, ManaraError


class NotFoundError(ManaraError):
    """What was asked for is not in the log, or no longer."""


class AmbiguousError(InputError):
    """What was asked for could be several things; the message names them."""
