"""Where a mark can be found: a random word that stands in one alert and nowhere else. What holds it holds content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
HOLDS = sql.SQL("SELECT EXISTS (SELECT FROM {} t WHERE strpos(t::text, %s) > 0 OR strpos(t::text, %s) > 0)")
"""In text of any column, or as the hexadecimal digits in which bytes are written as text."""


def places(mark: str, databases: Mapping[str, str], folders: Mapping[str, Path]) -> set[tuple[str, str]]:
    """(member, table or file) for every table of a member's database and every file of its edge that holds the mark.

    `databases` is member to connection string, `folders` member to its edge's folder.
    """
    tables = {(member, table) for member, address in databases.items() for table in _tables(mark, address)}
    return tables | {(member, file) for member, folder in folders.items() for file in _files(mark, folder)}


def holders(found: set[tuple[str, str]]) -> int:
    """Of how many members the database, and of how many the edge's files: the sum."""
    return len({(member, "/" in place) for member, place in found})


def _tables(mark: str, address: str) -> list[str]:
    with psycopg.connect(address, autocommit=True) as connection:
        names = [str(name) for (name,) in connection.execute(TABLES).fetchall()]
        values = (mark, mark.encode().hex())
        found = {name: connection.execute(HOLDS.format(sql.Identifier(name)), values).fetchone() for name in names}
    return [name for name, row in found.items() if row and row[0]]


def _files(mark: str, folder: Path) -> list[str]:
    wanted = mark.encode()
    return [str(file) for file in sorted(folder.rglob("*")) if wanted in _content(file)]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.is_file() else b""
    except FileNotFoundError:  # one that only lives for a moment
        return b""
