"""What can go wrong with an embedded server; every message says what is wrong, every `remedy` what to do about it.

EmbeddedError
├── JavaNotFoundError      no Java that can run Kafka
├── JarError               a jar is missing or is not what the lock file says
│   └── NoNetworkError     the jars are not here yet and cannot be fetched
├── PostgresNotFoundError  the PostgreSQL programs are not installed, or root may not run them
├── CertificateError       a certificate or key file cannot be used
├── FolderInUseError       another process runs a server in this folder
├── PasswordError          the server does not accept the password kept in its folder
└── ServerStartError       the server ended or stayed silent; carries the tail of its log
    └── PortTakenError     another program listens on the port
"""

from __future__ import annotations

from pathlib import Path

from manara.errors import ManaraError


class EmbeddedError(ManaraError):
    """The root of everything this package raises on purpose."""


class JavaNotFoundError(EmbeddedError):
    """No Java of version 17 or newer was found."""


class JarError(EmbeddedError):
    """A jar of Kafka is missing or differs from the lock file."""


class NoNetworkError(JarError):
    """Kafka's jars are not in the cache and no network answers."""


class PostgresNotFoundError(EmbeddedError):
    """The PostgreSQL programs are missing, or cannot be run by this user."""


class CertificateError(EmbeddedError):
    """A certificate or key file in the server's folder cannot be used."""


class FolderInUseError(EmbeddedError):
    """Another process runs a server in the same folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is in use by another server.", "Stop that one first, or choose another folder.")
        self.folder = folder


class PasswordError(EmbeddedError):
    """The server does not accept the password kept in its folder."""

    def __init__(self, title: str, file: Path) -> None:
        super().__init__(
            f"{title} does not accept the password in {file}.",
            f"Put the one there that {file.parent} was made with, or delete that folder and lose its data.",
        )
        self.file = file


class ServerStartError(EmbeddedError):
    """The server ended or did not answer in time.

    `title` is the server's name, `log` its log file, `tail` the log's last lines.
    """

    def __init__(self, title: str, reason: str, remedy: str = "", *, log: Path, tail: str = "") -> None:
        said = f"\nThe last lines of {log}:\n{tail}\n" if tail else ""
        super().__init__(f"{title} did not start: {reason}.{said}", remedy or f"Look into {log}, then start it again.")
        self.title, self.reason, self.log, self.tail = title, reason, log, tail


class PortTakenError(ServerStartError):
    """Another program listens on a port that this server needs."""

    def __init__(self, title: str, port: int, *, log: Path, tail: str = "") -> None:
        super().__init__(
            title,
            f"port {port} on 127.0.0.1 is taken by another program",
            "Stop that program, or choose another port, or name none and a free one is found.",
            log=log,
            tail=tail,
        )
        self.port = port
