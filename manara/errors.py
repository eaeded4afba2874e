"""What can go wrong in the kernel; every message says what is wrong, every `remedy` what to do about it.

ManaraError                 the root of every package's errors; exit code 1 at the command line
├── InputError              what a person or a file gave us is wrong; exit code 2
│   ├── SettingsError       a setting is missing or wrong
│   ├── KeyFileError        a key file cannot be used
│   └── DirectoryFileError  a directory file is wrong; carries every problem found in it
├── BrokerError             Kafka cannot be reached, or refuses us; `cause` says why
├── StoreError              a durable file cannot be opened or written
│   └── InUseError          another process owns the file
└── DirectoryError          no directory can be had from the cluster
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class ManaraError(Exception):
    """The root of everything that this project raises on purpose.

    `message` says what is wrong, `remedy` what to do; both are sentences for people and hold no secret and no personal
    data.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class InputError(ManaraError):
    """Something that was given to us is wrong: nothing will change until it is corrected."""

    exit_code = 2


class SettingsError(InputError):
    """A setting is missing or wrong; the message names the variable or the line."""


class KeyFileError(InputError):
    """A key file is missing, is not one, or can be read by others."""


class DirectoryFileError(InputError):
    """A directory file is wrong. `problems` holds a sentence for each fault in it, in the order of the file."""

    def __init__(self, message: str, problems: Sequence[str], remedy: str = "") -> None:
        super().__init__("\n".join([message, *(f"  {problem}" for problem in problems)]), remedy)
        self.problems = tuple(problems)


class Cause(StrEnum):
    """Why a broker cannot be used: a closed set, which is also a label of a metric."""

    LOGIN = "login"
    TLS = "tls"
    UNREACHABLE = "unreachable"
    RIGHTS = "rights"
    TOPIC = "topic"
    VERSION = "version"
    REFUSED = "refused"
    CLIENT = "client"


class BrokerError(ManaraError):
    """Kafka cannot be reached, or it refuses what we ask."""

    def __init__(self, message: str, remedy: str = "", *, cause: Cause = Cause.UNREACHABLE) -> None:
        super().__init__(message, remedy)
        self.cause = cause


class StoreError(ManaraError):
    """A durable file cannot be opened or written."""


class InUseError(StoreError):
    """Another process owns the file or folder."""


class DirectoryError(ManaraError):
    """No directory can be had from the cluster, or none that can be trusted."""


def in_words(error: OSError) -> ManaraError:
    """What the operating system refused, as a sentence that says what to do."""
    place = f"{error.filename}: " if error.filename else ""
    reason = f"{place}{(error.strerror or type(error).__name__).lower()}."
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return StoreError(f"{place}the disk is full.", "Free some space there, then start again: nothing is lost.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return ManaraError(reason, "Give this user the right to it, or name another place.")
        case errno.ENOENT | errno.ENOTDIR | errno.EISDIR:
            return InputError(reason, "Check the path.")
        case errno.EADDRINUSE:
            return ManaraError("The port is taken by another program.", "Choose another port, or 0 for none.")
    return ManaraError(reason, "This is the operating system's answer; `manara doctor` may say more.")
