"""The national tables' versions: SQL files `migrations/NNNN_<what>.sql`, each applied once, in order, under a lock."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Final

import psycopg

from consumers.errors import SinkUnavailableError

LOCK: Final = 0x4D616E61726101
"""A number of ours among the database's advisory locks: two edges must not migrate at once."""
_TABLE = """
create table if not exists schema_version (
  version integer primary key, applied_at timestamptz not null default clock_timestamp()
)
"""


@functools.cache
def steps() -> Mapping[int, str]:
    """Each version's SQL."""
    folder = resources.files("consumers.sinks") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {int(file.name.split("_", 1)[0]): file.read_text(encoding="utf-8") for file in files}


def migrate(db: psycopg.Connection[tuple[object, ...]]) -> int:
    """Bring the database up to this release and return its version. Raises `SinkUnavailableError` if it is newer
    than we are."""
    with db.transaction():
        db.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        db.execute(_TABLE)
        row = db.execute("select coalesce(max(version), 0) from schema_version").fetchone()
        found = int(str(row[0])) if row else 0
        newest = max(steps())
        if found > newest:
            raise SinkUnavailableError(
                f"The national database has tables of version {found}; this release knows {newest}.",
                "Install the newer release of Manara again.",
            )
        for version in range(found + 1, newest + 1):
            db.execute(steps()[version].encode())
            db.execute("insert into schema_version(version) values (%s)", (version,))
    return newest
