"""Who searched for what, when, in which case, and what was found: `search-audit.db`, append-only, beside the inbox.

What was typed stands in it, for an auditor must be able to judge whether the case needed it. So the file is personal
data of its own: mode 0600, never in logs, never deleted by us, not derived and not rebuilt. A row is written and synced
before anything is shown: no record, no answer. Rows cannot be changed through SQLite (triggers), and each carries a
hash over all before it, so that a change made past SQLite shows. Whoever owns the file can still replace it whole: a
member that must rule that out copies the last `chain` elsewhere, as to its own log collector.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import apsw

from manara.errors import InputError
from manara.stores import open_store, transaction

FILE_NAME: Final = "search-audit.db"
LONGEST_CASE: Final = 100

_SCHEMA: Final = """
-- one row a search: our clock (microseconds, UTC), the operating system's user, the case it was for, what kind of
-- question, the question as it was typed (JSON), what was found (JSON, agency/alert id), and the chain over all rows
create table searches(
  number integer primary key, at integer not null, user text not null, reference text not null, what text not null,
  query text not null, found text not null, chain blob not null
);
create trigger searches_stay before delete on searches begin select raise(abort, 'the audit is append-only'); end;
create trigger searches_hold before update on searches begin select raise(abort, 'the audit is append-only'); end;
"""


@dataclass(frozen=True)
class Search:
    """One search on record; `query` is what was typed, `found` the alerts that were shown."""

    number: int
    at: int
    user: str
    case: str
    what: str
    query: Mapping[str, Any]
    found: Sequence[str]
    chain: str


class Audit:
    """The record of all searches in one folder."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open it, making it if need be. `StoreError` in words: then nothing may be searched for."""
        return cls(open_store(folder / FILE_NAME, _SCHEMA, version=1))

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def record(self, case: str, what: str, query: Mapping[str, Any], found: Sequence[str], now: int) -> None:
        """Put one search on record, durably."""
        typed = json.dumps(query, ensure_ascii=True, sort_keys=True)
        row = (now, user(), case, what, typed, json.dumps(list(found)))
        with transaction(self.db):
            last = self.db.execute("select number, chain from searches order by number desc limit 1").fetchone()
            number, chain = (int(str(last[0])) + 1, bytes(last[1])) if last else (1, b"")
            self.db.execute("insert into searches values (?, ?, ?, ?, ?, ?, ?, ?)", (number, *row, link(chain, row)))

    def since(self, at: int) -> Iterator[Search]:
        """The searches since a time (microseconds), the oldest first."""
        rows = self.db.execute("select * from searches where at >= ? order by number", (at,))
        for number, when, who, case, what, query, found, chain in rows:
            yield Search(number, when, who, case, what, json.loads(query), json.loads(found), bytes(chain).hex())

    def broken(self) -> int:
        """The number of the first row that was changed, or after which one is missing; 0 where all hold."""
        chain, expected = b"", 1
        for number, *row, kept in self.db.execute("select * from searches order by number"):
            chain = link(chain, row)
            if number != expected or bytes(kept) != chain:
                return expected
            expected += 1
        return 0


def link(chain: bytes, row: Sequence[object]) -> bytes:
    """The chain's next value."""
    return hashlib.sha256(chain + json.dumps(list(row)).encode()).digest()


def user() -> str:
    """The user of the operating system who runs this process; no variable of the environment is believed."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def checked_case(text: str) -> str:
    """The case a search is for. `InputError` where none is named."""
    case = text.strip()
    if not any(char.isalnum() for char in case):
        raise InputError(
            "No case is named: a search reads personal data, and each is on record.",
            "Give the reference of the file you work on: --case REF.",
        )
    if len(case) > LONGEST_CASE or not case.isprintable():
        raise InputError(f"The case's reference is not {LONGEST_CASE} printable characters or fewer.", "Shorten it.")
    return case
