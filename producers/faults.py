"""A fault in what an author wrote: where, what, which rule, and what to do. All errors are shown in this one form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Fault:
    """One violated rule. `path` is as the author wrote the field (`names[0].full`), `line` from 1 or 0, `file` ""
    without one.
    """

    path: str
    rule: str
    value: str
    remedy: str
    line: int = 0
    file: str = ""

    @property
    def place(self) -> str:
        """`file:line`, as editors and terminals understand it."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def sentence(self) -> str:
        """The fault in one line, without the remedy."""
        where = f"{self.place}: " if self.place else ""
        value = f" = {self.value!r}" if self.value else ""
        return f"{where}{self.path or 'the alert'}{value} breaks {self.rule}"

    def as_json(self) -> dict[str, object]:
        """For `--json`: all fields by name."""
        return asdict(self)


def in_file(faults: Iterable[Fault], file: str) -> list[Fault]:
    """The same faults, said to be in `file`."""
    return [replace(fault, file=file) for fault in faults]
