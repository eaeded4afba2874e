"""`search.db`: which alerts are listed under which search key. Derived from the inbox beside it: it may be deleted.

It holds numbers of inbox entries and keyed hashes, no names and no identifiers. One entry an alert is listed, the
version that now counts. What the inbox forgets (a withdrawal, content past its retention) is taken out here too, and
the file is then written anew, so that not even the hashes are left in its unused corners.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import apsw
import structlog

from consumers.entry import Cursor, Entry
from consumers.inbox import Inbox
from consumers.search import listing
from consumers.search.content import content
from consumers.search.keys import KEY_BYTES, hashed, packed, unpacked
from manara.errors import StoreError
from manara.stores import open_store, transaction
from schemas.recipient import Incoming, replay
from schemas.registry import ALERT_KINDS

FILE_NAME: Final = "search.db"
VERSION: Final = 1
ROUND: Final = 2_000
"""Inbox entries that one transaction takes in."""
FAR_BEHIND: Final = 50_000
"""From so many waiting entries on, keys are gathered first and listed in order at the end: it is ten times cheaper."""
SCANNED: Final = 5_000
"""Entries under one key that are looked at, the newest first."""
ENDS: Final = ("CANCEL", "FULFIL", "WITHDRAW")
PATIENCE_MS: Final = 60_000
"""Another process may be writing the whole file."""
STATES: Final = ("ACTIVE", "SUSPENDED", "FULFILLED", "CANCELLED", "LEFT_OUT")
LIVE: Final = frozenset({"ACTIVE", "SUSPENDED"})

_SCHEMA: Final = """
-- `inbox`, `number` and `chain`: how far it has come in which inbox; `rules` it was made by; `secret` of its hashes;
-- `unscrubbed` while the file has not been written anew after a purge
create table meta(name text primary key, value) without rowid;
-- the version of each alert that counts, by its number in the inbox; `keys` are all it is listed under
create table docs(
  number integer primary key, kind integer not null, state integer not null, expires_at integer not null,
  keys blob not null
);
create table postings(key integer not null, number integer not null, primary key (key, number)) without rowid;
-- gathered while far behind, listed when that is over
create table staged(key integer not null, number integer not null);
"""


_NEWEST: Final = """
select d.number, d.kind, d.state, d.expires_at from postings p cross join docs d on d.number = p.number
 where p.key = ?1
   and p.number >= coalesce((select number from postings where key = ?1 order by number desc limit 1 offset ?2), 0)
   and (?3 or (d.state <= 1 and d.expires_at > ?4))
 order by p.number desc limit ?5
"""
"""Read along the list from its end, so that it ends with the last one wanted."""


class Listed(NamedTuple):
    """An alert that is listed: the number of the entry that counts, and what it must be to be shown."""

    number: int
    kind: str
    state: str
    expires_at: int


class _Change(NamedTuple):
    """What becomes of one alert: entries that count no longer, and the one that does, with its keys where it is new."""

    gone: Sequence[int]
    listed: Listed | None
    keys: Sequence[int] | None


Progress = Callable[[int, int], None]


def _silent(_done: int, _goal: int) -> None:
    """No progress is shown."""


class Index:
    """One connection to the index of one inbox."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db
        self.secret = b""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the index in this folder, making it if need be; one that is damaged or strange is made anew."""
        try:
            db = _open(folder)
        except StoreError:
            for file in folder.glob(f"{FILE_NAME}*"):
                file.unlink(missing_ok=True)
            db = _open(folder)
        return cls(db)

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def waiting(self, inbox: Inbox) -> int:
        """How many entries of the inbox it has not taken in yet."""
        self._belong(inbox)
        return max(0, inbox.tip().number - int(self._meta("number") or 0))

    def catch_up(self, inbox: Inbox, *, progress: Progress = _silent, most: int = 0) -> int:
        """Take in what the inbox has got since; all of it, or `most` entries. How many that were.

        `progress` is told how many are done, of how many. Two processes may do it at once: each round is one
        transaction, and a round that another process has done first is let go.
        """
        waiting = self.waiting(inbox)
        goal = min(waiting, most or waiting)
        gather = waiting >= FAR_BEHIND or self._gathering()
        done = 0
        while done < goal:
            entries = inbox.after(int(self._meta("number") or 0), min(ROUND, goal - done))
            if not entries:
                break
            if self._round(inbox, entries, gather=gather):
                done += len(entries)
            progress(done, goal)
        if done == waiting:
            self._list_staged()
        return done

    def newest(self, key: str, most: int, *, kinds: frozenset[str], now: int, ended: bool) -> list[Listed]:
        """The alerts listed under a key that may be shown, the newest first, at most so many."""
        rows = self.db.execute(_NEWEST, (hashed(key, self.secret), SCANNED, ended, now, SCANNED if kinds else most))
        found = (Listed(number, ALERT_KINDS[kind], STATES[state], until) for number, kind, state, until in rows)
        return [one for one in found if not kinds or one.kind in kinds][:most]

    def count(self, table: str = "docs") -> int:
        """How many alerts (or, of `postings`, places in lists) there are."""
        return int(str(next(iter(self.db.execute(f"select count(*) from {table}")))[0]))  # noqa: S608 - names of ours

    def over(self, now: int) -> list[int]:
        """The entries of alerts that had ended or expired by then."""
        rows = self.db.execute("select number from docs where state > 1 or expires_at <= ?", (now,))
        return [int(str(number)) for (number,) in rows]

    def forget(self, numbers: Iterable[int]) -> int:
        """Take these entries out; how many were listed. The file itself is clean after the next `scrub`."""
        with transaction(self.db):
            gone = sum(self._take_out(number, staged=True) for number in numbers)
            if gone:
                self._put(unscrubbed=1)
        return gone

    def scrub(self) -> bool:
        """Write the file anew where something was purged, so that nothing of it is left. False: a reader is in the
        way, try again."""
        if not self._meta("unscrubbed"):
            return True
        try:
            self.db.execute("vacuum").fetchall()
            if self.db.execute("pragma wal_checkpoint(truncate)").fetchall()[0][0]:
                return False
        except apsw.BusyError:
            return False
        with transaction(self.db):
            self._put(unscrubbed=0)
        return True

    def _belong(self, inbox: Inbox) -> None:
        """Stand for this inbox and these rules, or begin anew."""
        if self.secret and self._meta("inbox") == inbox.id and self._meta("secret") == self.secret:
            return
        stood = Cursor(int(self._meta("number") or 0), bytes(self._meta("chain") or b""))
        if self._meta("rules") != listing.rules() or self._meta("inbox") != inbox.id or not inbox.holds(stood):
            with transaction(self.db):
                for table in ("docs", "postings", "staged", "meta"):
                    self.db.execute(f"delete from {table}")  # noqa: S608 - names of ours
                self._put(inbox=inbox.id, rules=listing.rules(), secret=secrets.token_bytes(KEY_BYTES), unscrubbed=1)
        self.secret = bytes(self._meta("secret") or b"")

    def _round(self, inbox: Inbox, entries: Sequence[Entry], *, gather: bool) -> bool:
        """Take entries in. False where it came to nothing: another process was first, or an alert was withdrawn while
        it was read here."""
        before = (int(self._meta("number") or 0), _orders(inbox))
        at_hand = {entry.number: entry for entry in entries}
        identities = dict.fromkeys((entry.agency, entry.alert_id) for entry in entries)
        changes = [self._change(inbox, *identity, at_hand) for identity in identities]
        new = sorted((key, one.listed.number) for one in changes if one.listed for key in one.keys or ())
        with transaction(self.db):
            if (int(self._meta("number") or 0), _orders(inbox)) != before:
                return False
            for change in changes:
                self._apply(change, gather=gather)
            table = "staged" if gather else "postings"
            self.db.executemany(f"insert or ignore into {table} values (?, ?)", new)  # noqa: S608 - names of ours
            self._put(number=entries[-1].number, chain=entries[-1].chain)
        return True

    def _change(self, inbox: Inbox, agency: str, alert_id: str, at_hand: Mapping[int, Entry]) -> _Change:
        rows: list[Any] = inbox.db.execute(
            "select number, type, version, message, digest, kind, expires_at, substr(sig, 1, 1) > x'00' from inbox "
            "where alert_id = ? and agency = ?",
            (alert_id, agency),
        ).fetchall()
        numbers = [row[0] for row in rows]
        held = replay(Incoming(row[2], row[3], row[4], row[5]) for row in rows)
        living = [row for row in rows if row[1] == "ALERT" and row[3] not in ENDS and row[7]]
        if held is None or held.purge or not living or held.kind not in ALERT_KINDS:
            return _Change(numbers, None, None)
        number, _, _, _, _, kind, expires_at, _ = max(living, key=lambda row: (row[2], -row[0]))
        listed = Listed(number, kind, held.state, expires_at)
        gone = [one for one in numbers if one != number]
        if self.db.execute("select 1 from docs where number = ?", (number,)).fetchone():
            return _Change(gone, listed, None)
        entry = at_hand.get(number) or inbox.entry(number)
        return _Change(gone, listed, sorted(self._keys(entry)))

    def _keys(self, entry: Entry | None) -> set[int]:
        """What an entry is listed under; nothing where its bytes are damaged. Whatever it says, it stops nobody."""
        if entry is None or entry.bare or not entry.intact:
            return set()
        try:
            found = listing.keys(content(entry.kind, entry.record()))
        except Exception as error:  # noqa: BLE001 - one alert that cannot be read must not hide all others
            structlog.get_logger().error(
                "An alert cannot be searched for", number=entry.number, agency=entry.agency, alert_id=entry.alert_id,
                code=type(error).__name__,
            )  # fmt: skip
            return set()
        return {hashed(key, self.secret) for key in found}

    def _apply(self, change: _Change, *, gather: bool) -> None:
        for number in change.gone:
            self._take_out(number, staged=False)
        if change.listed is None:
            return
        number, kind, state, expires_at = change.listed
        facts = (ALERT_KINDS.index(kind), STATES.index(state), expires_at)
        if change.keys is None:
            self.db.execute("update docs set state = ?, expires_at = ? where number = ?", (*facts[1:], number))
        else:
            row = (number, *facts, packed(change.keys))
            self.db.execute("insert or replace into docs values (?, ?, ?, ?, ?)", row)

    def _take_out(self, number: int, *, staged: bool) -> bool:
        """Whether it was there. What is staged of it is not listed later, for it is no longer among `docs`."""
        row = self.db.execute("select keys from docs where number = ?", (number,)).fetchone()
        if row is None:
            return False
        listed = unpacked(bytes(row[0]))
        self.db.executemany("delete from postings where key = ? and number = ?", [(key, number) for key in listed])
        if staged:
            self.db.execute("delete from staged where number = ?", (number,))
        self.db.execute("delete from docs where number = ?", (number,))
        return True

    def _list_staged(self) -> None:
        """List what was gathered, in order: so every page is written once."""
        if not self._gathering():
            return
        with transaction(self.db):
            self.db.execute(
                "insert or ignore into postings select key, number from staged "
                "where number in (select number from docs) order by key, number"
            )
            self.db.execute("delete from staged")
            self._put(unscrubbed=1)  # and the room that they took is given back

    def _gathering(self) -> bool:
        return self.db.execute("select 1 from staged limit 1").fetchone() is not None

    def _meta(self, name: str) -> Any:
        """A value kept under a name: an integer, a text or bytes; None where there is none."""
        row = self.db.execute("select value from meta where name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _put(self, **values: int | str | bytes) -> None:
        """Keep values under their names. Inside a transaction."""
        self.db.executemany("insert or replace into meta values (?, ?)", list(values.items()))


def _orders(inbox: Inbox) -> object:
    """Something that changes with every order to withdraw."""
    return inbox.db.execute("select count(*), max(number) from withdrawals").fetchone()


def _open(folder: Path) -> apsw.Connection:
    """The store, set up so that what is deleted is overwritten. `StoreError` where it is damaged or newer."""
    db = open_store(folder / FILE_NAME, _SCHEMA, version=VERSION, synchronous="NORMAL", thorough=False)
    db.execute("pragma secure_delete = on; pragma cache_size = -32768").fetchall()
    db.set_busy_timeout(PATIENCE_MS)
    return db
