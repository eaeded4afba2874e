"""The check of a member's national database."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from manara.doctor.findings import Finding, fail, ok, skip
from manara.settings import Settings

PATIENCE = 5


def postgres(settings: Settings) -> Iterator[Finding]:
    """Whether the database named in the settings can be reached and written."""
    if settings.postgres is None:
        yield skip("postgres", "No national database is set.")
        return
    try:
        # an agency's install has no PostgreSQL client
        psycopg: Any = importlib.import_module("psycopg")
    except ImportError:
        yield fail("postgres", "The PostgreSQL client is not installed.", "Run: pip install 'manara[edge]'")
        return
    try:
        with psycopg.connect(settings.postgres.get_secret_value(), connect_timeout=PATIENCE) as connection:
            version = connection.info.server_version // 10000
            [writable] = connection.execute("select has_schema_privilege(current_schema(), 'create')").fetchone()
    except psycopg.OperationalError as error:
        # its text names host and user, never the password
        said = str(error).strip().splitlines()[-1]
        yield fail(
            "postgres", f"The national database cannot be used: {said}.", "Check MANARA_POSTGRES and the server."
        )
        return
    if writable:
        yield ok("postgres", f"PostgreSQL {version} answers and tables can be made.")
    else:
        fix = "Grant it: GRANT CREATE ON SCHEMA public TO this user."
        yield fail("postgres", f"PostgreSQL {version} answers, but this user may make no tables.", fix)
