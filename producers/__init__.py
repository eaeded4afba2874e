"""The agency side: write, check, sign and publish alerts through a durable outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producers.outbox import Accepted
    from producers.publisher import Publisher
    from producers.standing import Standing

__all__ = ["Accepted", "Publisher", "Standing"]
_HOMES = {"Accepted": "producers.outbox", "Publisher": "producers.publisher", "Standing": "producers.standing"}


def __getattr__(name: str) -> Any:
    """The three public names, loaded when they are first asked for: importing a module of this package opens no client
    library.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see the docstring

    return getattr(import_module(_HOMES[name]), name)
