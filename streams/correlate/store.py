"""The local copy of correlation's state: a fold of mentions.v1, in SQLite, the alerts that are in use in memory.

It may be deleted at any time: it is folded again from the compacted topic, and what was said before is read from
links.v1. So it is written without waiting for the disk. Everything since the last `commit` is one transaction.
"""

from __future__ import annotations

import gc
import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, cast

import apsw

from manara.stores import open_store
from schemas import codec, registry
from schemas.models import Link
from streams.correlate.entry import Entry, Held
from streams.correlate.substance import Substance
from streams.engine.store import Source as Place

VERSION: Final = 1
BUDGET: Final = 20
"""Living alerts that may hold a value before it says nothing any more."""
HOT: Final = 20_000
"""Alerts kept in memory."""
TOKENS: Final = 200_000
"""Tokens whose holders are kept in memory."""
SCHEMA: Final = """
create table meta(name text primary key, value text not null) without rowid;
create table places(topic text, part integer, id text not null, next integer not null, primary key(topic, part))
    without rowid;
create table alerts(number integer primary key, identity text not null unique, due integer, body blob not null);
create index due on alerts(due) where due is not null;
create table crowded(token integer primary key, text text not null, count integer not null);
create table links(id text primary key, value blob, told blob) without rowid;
create table sides(identity text, link text, primary key(identity, link)) without rowid;
"""


POSTINGS: Final = """
pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -262144;
create table postings(token integer, alert integer, hint integer not null, primary key(token, alert)) without rowid;
begin;
"""
"""The index by token follows from what the alerts hold, so it is kept in a scratch file of its own that is made anew at
each start: its places are scattered, and to log each of them twice would cost more than all the rest.
"""


def collect_seldom() -> None:
    """Let the process look for cycles seldom: it keeps a million small objects and makes hardly any cycles, and each
    look over all of them stands still for a second.
    """
    gc.set_threshold(200_000, 20, 100)


class Store:
    """State and progress of correlation. `rules` names what decides: a store made under other rules is emptied.

    `fresh` says that it was empty at the start: then nothing is said until everything that is in the log is folded.
    """

    def __init__(self, path: Path, rules: str, hot: int = HOT) -> None:
        self.db: apsw.Connection = open_store(path, SCHEMA, version=VERSION, synchronous="NORMAL", thorough=False)
        self.db.execute("pragma cache_size = -65536; pragma wal_autocheckpoint = 4000").fetchall()
        self._bound = hot
        self._hot: OrderedDict[str, Entry] = OrderedDict()
        self._numbers: dict[int, Entry] = {}
        self._dirty: dict[str, Entry] = {}
        self._posted: dict[int, dict[int, int]] = {}  # holders of tokens that were asked for, as they are now
        self._new: list[tuple[int, int, int]] = []  # postings that are not written yet
        known = self._meta("rules")
        if known != rules:
            self._empty(rules)
        self.fresh = self._meta("state") != "said"
        self._places = {
            (topic, part): Place(topic, id_, part, next_)
            for topic, part, id_, next_ in self.db.execute("select topic, part, id, next from places")
        }
        self._next = int(self._one("select coalesce(max(number), 0) from alerts")) + 1
        self.crowded: dict[int, int] = dict(self.db.execute("select token, count from crowded"))
        self.index = apsw.Connection("")
        self.index.execute(POSTINGS).fetchall()
        self._post_again()

    # ------------------------------------------------------------------ alerts

    def entry(self, identity: str) -> Entry | None:
        """What is known of an alert."""
        found = self._hot.get(identity)
        if found is not None:
            self._hot.move_to_end(identity)
            return found
        row = next(iter(self.db.execute("select number, body from alerts where identity = ?", (identity,))), None)
        return None if row is None else self._remember(_entry(identity, *row))

    def numbered(self, number: int) -> Entry:
        """The alert with this number in the index."""
        found = self._numbers.get(number)
        if found is not None:
            return found
        identity, body = next(iter(self.db.execute("select identity, body from alerts where number = ?", (number,))))
        return self._remember(_entry(identity, number, body))

    def add(self, identity: str) -> Entry:
        """A new alert."""
        made = Entry(identity, self._next)
        self._next += 1
        self._remember(made)
        self.touch(made)
        return made

    def touch(self, entry: Entry) -> None:
        """The entry was changed: it is written at the next commit."""
        self._dirty[entry.identity] = entry

    def due(self, now: int, most: int = 1_000) -> list[Entry]:
        """Living alerts whose time is over."""
        self._flush()
        rows = self.db.execute("select number from alerts where due <= ? order by due, number limit ?", (now, most))
        return [self.numbered(cast("int", number)) for (number,) in rows.fetchall()]

    def count(self) -> int:
        """How many alerts live in the index."""
        return int(self._one("select count(*) from alerts where due is not null"))

    def in_memory(self) -> int:
        """How many alerts and tokens are kept in memory just now."""
        return len(self._hot) + len(self._posted) + len(self._dirty)

    # ------------------------------------------------------------------ tokens

    def holders(self, tokens: Collection[int]) -> dict[int, dict[int, int]]:
        """Of each of some tokens that are not crowded: numbers of the alerts that hold it, each with its hint."""
        found = {token: self._posted[token] for token in tokens if token in self._posted}
        rest = [token for token in tokens if token not in found]
        if rest:
            for token in rest:
                found[token] = self._posted[token] = {}
            marks = ",".join("?" * len(rest))
            query = f"select token, alert, hint from postings where token in ({marks})"  # noqa: S608 - question marks alone
            for token, alert, hint in self.index.execute(query, rest):
                found[cast("int", token)][cast("int", alert)] = cast("int", hint)
        return found

    def post(self, token: int, number: int, hint: int) -> None:
        """The alert holds the token; `holders` has been asked for it before."""
        self._posted[token][number] = hint
        self._new.append((token, number, hint))

    def unpost(self, token: int, number: int) -> str:
        """It no longer does. Gives the token's text where it was crowded and nobody holds it any more, else ""."""
        if token in self.crowded:
            return self._crowd(token, self.crowded[token] - 1)
        self._write_postings()
        self.index.execute("delete from postings where token = ? and alert = ?", (token, number))
        self._posted.pop(token, None)
        return ""

    def crowd(self, token: int, text: str, count: int) -> None:
        """Too many hold the token: from now on they are only counted."""
        self._write_postings()
        self._posted.pop(token, None)
        self.index.execute("delete from postings where token = ?", (token,))
        self.db.execute("insert or replace into crowded values(?, ?, ?)", (token, text, count))
        self.crowded[token] = count

    def join_crowd(self, token: int) -> None:
        """One more holds it."""
        self._crowd(token, self.crowded[token] + 1)

    def _crowd(self, token: int, count: int) -> str:
        if count > 0:
            self.db.execute("update crowded set count = ? where token = ?", (count, token))
            self.crowded[token] = count
            return ""
        text = next(iter(self.db.execute("delete from crowded where token = ? returning text", (token,))))[0]
        del self.crowded[token]
        return str(text)

    # ------------------------------------------------------------------ links

    def link(self, id_: str) -> Link | None:
        """A link as it is now."""
        row = next(iter(self.db.execute("select value from links where id = ? and value is not null", (id_,))), None)
        return None if row is None else _link(row[0])

    def links_of(self, identity: str) -> list[Link]:
        """The links that an alert is a side of, by id."""
        rows = self.db.execute(
            "select value from sides join links on id = link where identity = ? and value is not null order by id",
            (identity,),
        )
        return [_link(row[0]) for row in rows.fetchall()]

    def put(self, link: Link) -> bool:
        """Take over a link; whether that changed anything."""
        id_, value = link["link_id"], codec.encode(registry.by_name("link"), link)
        row = next(iter(self.db.execute("select value from links where id = ?", (id_,))), None)
        if row is not None and row[0] == value:
            return False
        self.db.execute(
            "insert into links values(?, ?, null) on conflict do update set value = excluded.value", (id_, value)
        )
        self.db.executemany(
            "insert or ignore into sides values(?, ?)",
            [(f"{side['agency']}/{side['alert_id']}", id_) for side in link["sides"]],
        )
        return True

    def told(self, link: Link) -> None:
        """The link has been said as it is."""
        self.db.execute("update links set told = value where id = ?", (link["link_id"],))

    def inherit(self, links: Iterable[tuple[str, bytes]]) -> None:
        """What links.v1 holds already, for a store that was empty."""
        self.db.executemany(
            "insert into links values(?, null, ?) on conflict do update set told = excluded.told", links
        )

    def unsaid(self) -> Iterator[Link]:
        """Links that are not as they were said last."""
        rows = self.db.execute("select value from links where value is not null and value is not told order by id")
        return (_link(row[0]) for row in rows.fetchall())

    def orphans(self) -> Iterator[Link]:
        """Links that were said and that nothing speaks for any more."""
        rows = self.db.execute("select told from links where value is null order by id")
        return (_link(row[0]) for row in rows.fetchall())

    def live(self) -> list[Link]:
        """All links that hold, by id; for tests and the operator."""
        rows = self.db.execute("select value from links where value is not null order by id")
        return [link for link in (_link(row[0]) for row in rows.fetchall()) if link["state"] != "ENDED"]

    # ------------------------------------------------------------------ progress

    def position(self, topic: str, topic_id: str, partition: int) -> int | None:
        """Where to read on in a topic; None under another id of it."""
        place = self._places.get((topic, partition))
        return place.next_offset if place is not None and place.topic_id == topic_id else None

    def commit(self, places: Collection[Place]) -> None:
        """Make everything durable."""
        self._begin()
        self._flush()
        self.db.executemany(
            "insert or replace into places values(?, ?, ?, ?)",
            [(place.topic, place.partition, place.topic_id, place.next_offset) for place in places],
        )
        self.db.execute("commit")
        self._places.update({(place.topic, place.partition): place for place in places})
        self._forget()

    def said(self) -> None:
        """All that is in the log has been folded and said: from now on each link is said when it changes."""
        self.fresh = False
        self._begin()
        self.db.execute("insert or replace into meta values('state', 'said')")

    def close(self) -> None:
        """Close the file; what is not committed is dropped."""
        if self.db.in_transaction:
            self.db.execute("rollback")
        self.db.close()
        self.index.close()

    def begin(self) -> None:
        """Open the transaction that the next commit ends."""
        self._begin()

    def _begin(self) -> None:
        if not self.db.in_transaction:
            self.db.execute("begin immediate")

    def _post_again(self) -> None:
        """The index by token, from what the stored alerts hold."""
        for number, body in self.db.execute("select number, body from alerts order by number"):
            for _part, (_version, hint, tokens) in json.loads(cast("bytes", body))[-1]:
                self._new += [(token, cast("int", number), hint) for token in tokens if token not in self.crowded]
            if len(self._new) >= TOKENS:
                self._write_postings()
        self._write_postings()

    def _write_postings(self) -> None:
        if self._new:
            self._new.sort()
            self.index.executemany("insert or replace into postings values(?, ?, ?)", self._new)
            self._new.clear()

    def _flush(self) -> None:
        self._write_postings()
        rows = [
            (entry.number, entry.identity, entry.expires_at if entry.lives else None, _body(entry))
            for entry in self._dirty.values()
        ]
        self.db.executemany(
            "insert into alerts values(?, ?, ?, ?) on conflict(number) do update set due = excluded.due,"
            " body = excluded.body",
            rows,
        )
        self._dirty.clear()

    def _forget(self) -> None:
        while len(self._hot) > self._bound:
            _identity, entry = self._hot.popitem(last=False)
            del self._numbers[entry.number]
        if len(self._posted) > TOKENS:
            self._posted.clear()

    def _remember(self, entry: Entry) -> Entry:
        self._hot[entry.identity] = entry
        self._numbers[entry.number] = entry
        return entry

    def _meta(self, name: str) -> str | None:
        row = next(iter(self.db.execute("select value from meta where name = ?", (name,))), None)
        return None if row is None else str(row[0])

    def _one(self, query: str) -> int:
        return int(next(iter(self.db.execute(query)))[0])

    def _empty(self, rules: str) -> None:
        self._begin()
        for table in ("meta", "places", "alerts", "crowded", "links", "sides"):
            self.db.execute(f"delete from {table}")  # noqa: S608 - names of our own tables
        self.db.execute("insert into meta values('rules', ?)", (rules,))
        self.db.execute("commit")


_FACTS: Final = (
    *("version", "standing", "member", "kind", "status", "precedence", "reference"),
    *("expires_at", "admitted_at", "expired", "learned"),
)


def _body(entry: Entry) -> bytes:
    """An entry's facts as JSON."""
    facts = [*(getattr(entry, name) for name in _FACTS), entry.substance, list(entry.held.items())]
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()


def _entry(identity: str, number: int, body: bytes) -> Entry:
    *facts, substance, held = json.loads(body)
    made = Entry(identity, number)
    for name, value in zip(_FACTS, facts, strict=True):
        setattr(made, name, value)
    made.substance = Substance(*substance)
    made.held = {part: Held(version, hint, tuple(tokens)) for part, (version, hint, tokens) in held}
    return made


def _link(value: object) -> Link:
    return cast("Link", codec.decode(registry.by_name("link"), cast("bytes", value)))
