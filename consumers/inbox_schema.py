"""The tables of an inbox, SQLite, one file a member. Times are microseconds since the epoch, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VERSION: Final = 2

_WITHDRAWALS: Final = """
-- the proof of a purge, one line an order to withdraw: the content of every version is gone, this stays. `scrubbed_at`
-- when the bytes had left the file and its log, `receipted_at` when every sink had purged and the receipt was made
create table withdrawals(
  number integer primary key, agency text not null, alert_id text not null, version integer not null,
  digest text not null, at integer not null, purged_at integer not null, scrubbed_at integer, receipted_at integer
);
create index withdrawals_identity on withdrawals(alert_id, agency);
create index withdrawals_open on withdrawals(number) where receipted_at is null;
-- which sinks have purged
create table purged_by(sink text not null, number integer not null, primary key (sink, number)) without rowid;
create index refused_key on refused(key);
-- over facts, value and sig of an entry, so that a bit that flips in any of them is found; 0 in entries of before
alter table inbox add column checksum integer not null default 0;
"""

_TABLES: Final = """
-- one line each: `id` of this inbox, the heartbeat, signs of life, the receipts' cursor
create table meta(name text primary key, value) without rowid;

-- verified messages, numbered without gaps; `chain` is a hash over all entries up to this one
create table inbox(
  number integer primary key, chain blob not null, type text not null,
  agency text not null, alert_id text not null, version integer not null,
  kind text not null, message text not null, status text not null, precedence text not null,
  expires_at integer not null, at integer not null, hub_time_only integer not null, received_at integer not null,
  digest text not null, kid text not null, trace text not null, value blob not null, sig blob not null
);
create unique index inbox_identity on inbox(alert_id, agency, version, type);
create index inbox_received on inbox(received_at);

-- where to read on; an offset counts within one topic id only
create table positions(
  topic text not null, partition integer not null, topic_id text not null, next_offset integer not null,
  primary key (topic, partition)
) without rowid;

-- what did not pass, with its bytes; `settled_at` where a later directory made it good
create table refused(
  number integer primary key,
  topic text not null, topic_id text not null, partition integer not null, offset integer not null,
  time integer not null, key blob, value blob, headers blob not null,
  reason text not null, detail text not null, digest text not null, received_at integer not null, settled_at integer,
  unique (topic, topic_id, partition, offset)
);
create index refused_unsettled on refused(reason) where settled_at is null;

-- what the drains last saw of the sinks: for people, never for decisions
create table sinks(
  name text primary key, number integer not null, primary_sink integer not null, at integer not null,
  state text not null, detail text not null
) without rowid;
-- set aside: tried again later, one by one
create table parked(
  sink text not null, number integer not null, attempts integer not null, due_at integer not null, reason text not null,
  primary key (sink, number)
) without rowid;
create table dead_letters(
  sink text not null, number integer not null, attempts integer not null, reason text not null, at integer not null,
  primary key (sink, number)
) without rowid;

-- receipts wanted outside the cursor's way: entries that were parked, and messages that came again
create table due_receipts(
  number integer not null, stage text not null, reason text not null, primary key (number, stage)
) without rowid;
-- the outbox of receipts; the bytes go when the broker has acknowledged them
create table receipt_batches(
  id integer primary key, agency text not null, value blob, sig blob, made_at integer not null, sent_at integer
);
create index receipt_batches_unsent on receipt_batches(id) where sent_at is null;
create table receipt_items(
  number integer not null, batch integer not null, stage text not null, reason text not null,
  primary key (number, batch, stage)
) without rowid;

-- the latest directory as published: `show` verifies with it, offline, under this member's own pins
create table directory(seq integer primary key, value blob not null);
create table alarms(
  number integer primary key, at integer not null, event text not null, holder text not null, kid text not null,
  detail text not null
);
"""

SCHEMA: Final = _TABLES + _WITHDRAWALS
MIGRATIONS: Final[Mapping[int, str]] = {2: _WITHDRAWALS}
