"""A real PostgreSQL in a folder, with a role and a database of its own for each member."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from manara.embedded.binaries import Binaries, find_postgres
from manara.embedded.errors import EmbeddedError, PasswordError
from manara.embedded.files import keep_password, tail
from manara.embedded.ports import HOST
from manara.embedded.process import Server

SUPERUSER = "postgres"
ANSWER_SECONDS = 5
MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
MEMBERS_LOCK = 0x6D616E617261
"""An advisory lock (the bytes of "manara"): two processes may make the same member at once."""

SETTINGS = {
    # over TCP on loopback alone: a socket's path would be limited to 107 bytes, and its permissions are a second door
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    # what is acknowledged has reached the disk: these are national records, even in a demonstration
    "fsync": "on",
    "synchronous_commit": "on",
    # so that the time from accepted to committed can be measured to the end
    "track_commit_timestamp": "on",
    # in the data folder, so that a killed server leaves nothing in /dev/shm
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %u@%d ",
}


class EmbeddedPostgres(Server):
    """One PostgreSQL on 127.0.0.1, SCRAM-SHA-256 for everybody, no trust for anybody.

    Everything it keeps is in its folder; started again there, it has the same data, roles and passwords.
    """

    title: ClassVar[str] = "PostgreSQL"
    log_name: ClassVar[str] = "postgres.log"
    ports_needed: ClassVar[int] = 1
    stop_signal: ClassVar[int] = signal.SIGINT
    """PostgreSQL's fast shutdown: open transactions are rolled back, nobody is waited for."""
    death_signal: ClassVar[int] = signal.SIGINT
    grace: ClassVar[float] = 15.0

    def __init__(self, folder: Path, *, port: int | None = None, patience: float = 60.0) -> None:
        """Nothing is started or written yet."""
        super().__init__(folder, port=port, patience=patience)
        self.host = HOST
        self._data = self.folder / "data"
        self._initialised = self.folder / "initialised"
        self._binaries: Binaries | None = None

    @property
    def version(self) -> str:
        """The version of PostgreSQL, for example "18.4"."""
        return self._found().version

    def superuser_dsn(self, database: str = "postgres") -> str:
        """The connection string of the superuser; it contains the password, so keep it out of logs."""
        return self._dsn(SUPERUSER, keep_password(self.folder / "superuser.password"), database)

    def create_member(self, member: str) -> str:
        """Make the role and the database `manara_<member>` unless they are there; the member's connection string.

        Its password is random and kept in the folder (mode 0600). No member can connect to another's database.
        """
        if not MEMBER.fullmatch(member):
            raise EmbeddedError(f"{member!r} is no member's code.", "Use letters, digits, - and _, 40 at most.")
        name = f"manara_{member.lower().replace('-', '_')}"
        passwords = self.folder / "members"
        passwords.mkdir(mode=0o700, exist_ok=True)
        with psycopg.connect(self.superuser_dsn(), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [MEMBERS_LOCK])
            password = keep_password(passwords / f"{name}.password")
            _ensure_role(connection, name, password)
            _ensure_database(connection, name)
        return self._dsn(name, password, name)

    def _dsn(self, user: str, password: str, database: str) -> str:
        return make_conninfo(
            host=self.host,
            port=self.port,
            dbname=database,
            user=user,
            password=password,
            connect_timeout=ANSWER_SECONDS,
            # an impostor on the port must not be handed the password in clear
            require_auth="scram-sha-256",
        )

    def _found(self) -> Binaries:
        if self._binaries is None:
            self._binaries = find_postgres(self._data)
        return self._binaries

    def _prepare(self) -> None:
        if not self._initialised.exists():
            self._initialise()

    def _initialise(self) -> None:
        """Make the data folder; done once, noted by a file when it was done to the end."""
        binaries = self._found()
        keep_password(self.folder / "superuser.password")
        binaries.empty(self._data)
        command = binaries.command(
            "initdb",
            *("--pgdata", str(self._data), "--username", SUPERUSER),
            *("--auth", "scram-sha-256", "--pwfile", str(self.folder / "superuser.password")),
            # the same order and the same case rules on every machine, whatever locales it has
            *("--encoding", "UTF8", "--locale", "C", *binaries.locale),
        )
        self._run(command, "its data folder could not be made")
        self._initialised.touch()

    def _command(self) -> Sequence[str]:
        settings = [argument for name, value in SETTINGS.items() for argument in ("-c", f"{name}={value}")]
        return self._found().command("postgres", "-D", str(self._data), "-p", str(self.port), *settings)

    def _answers(self) -> bool:
        """Whether the superuser can log in and is answered."""
        try:
            with psycopg.connect(self.superuser_dsn()) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError as error:
            # the server says it to the client as well, but only its log has a form that does not change
            if "password authentication failed" in f"{error} {tail(self.log, self._log_start)}":
                raise PasswordError(self.title, self.folder / "superuser.password") from error
            return False


def _ensure_role(connection: psycopg.Connection[tuple[object, ...]], name: str, password: str) -> None:
    # the server is given the verifier alone, so that no log of statements can hold the password
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}").format(
            verb, sql.Identifier(name), sql.Literal(verifier)
        )
    )


def _ensure_database(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(name)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {}, postgres FROM PUBLIC").format(sql.Identifier(name)))
