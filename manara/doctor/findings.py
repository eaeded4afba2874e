"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from manara.errors import ManaraError, in_words


class State(StrEnum):
    """How serious it is. `SKIP` is what could not be looked at, or has no meaning here."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; `fix` is empty only where there is nothing to mend."""

    name: str
    state: State
    text: str
    fix: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, State.OK, text)


def warn(name: str, text: str, fix: str) -> Finding:
    """It works, and will not for ever, or not for everything."""
    return Finding(name, State.WARN, text, fix)


def fail(name: str, text: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(name, State.FAIL, text, fix)


def skip(name: str, text: str) -> Finding:
    """It was not looked at."""
    return Finding(name, State.SKIP, text)


def of_error(name: str, error: ManaraError, state: State = State.FAIL) -> Finding:
    """An error of ours as a finding: it says what is wrong and what to do."""
    return Finding(name, state, error.message, error.remedy)


def examine(name: str, check: Check) -> Iterator[Finding]:
    """Run a check; whatever it raises becomes a finding, so that one broken thing hides no other."""
    try:
        yield from check()
    except ManaraError as error:
        yield of_error(name, error)
    except OSError as error:
        yield of_error(name, in_words(error))
    except Exception as error:  # noqa: BLE001 - the doctor has to go on
        yield fail(name, f"This could not be looked at ({type(error).__name__}).", "Please report it as a defect.")
