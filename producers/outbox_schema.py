"""The tables of an outbox, one agency's durable memory of what it said and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VERSION: Final = 4

SCHEMA: Final = """
create table messages (
    number       integer primary key,          -- order of acceptance, without gaps
    partition    integer not null,             -- of the inlet: 0 live, 1 bulk
    sequence     integer not null,             -- place in that partition's chain, from 1, without gaps
    alert_id     text not null,
    version      integer not null,
    kind         text not null,
    message      text not null,
    national_ref text not null,
    precedence   text not null,
    expires_at   integer not null,
    digest       text not null unique,
    content      text not null,                -- SHA-256 of what is said, without ids and times
    import_key   text,                         -- of the row it was imported from
    key          blob not null,
    value        blob not null,
    sig          blob not null,
    hub          blob not null,
    trace        text not null,
    checksum     blob not null,                -- over key, value, sig, hub: a damaged row is never sent
    accepted_at  integer not null,
    damaged      integer not null default 0,
    sends        integer not null default 0,   -- times that the broker has confirmed it
    sent_at      integer,                      -- null: waits for the relay
    topic_id     text,
    "offset"     integer,
    outcome      text,                         -- ADMITTED or REFUSED, from a verdict that the hub signed
    again        integer,
    reason       text,
    remedy       text,
    errors       text,                         -- JSON list of [path, rule]
    judged_at    integer,
    routed_at    integer,
    feeds        integer,
    category     text not null default '',
    review_at    integer not null default 0,
    expected     text,                         -- EG,MA: members that policy names, by the directory at admission
    verdict      integer,                      -- signed record that `outcome` is from
    routed       integer,                      -- signed record that `feeds` is from
    settled      integer not null default 0,   -- all members expected have stored it, or purged it after a withdrawal
    erased_at    integer,                      -- content gone: ended, and kept long enough
    admitted_once integer not null default 0,  -- by a hub before this one, whose cluster or inlet was made anew
    unique (partition, sequence)
) strict;
create index messages_unsent on messages (partition, number) where sent_at is null and damaged = 0;
create index messages_of_alert on messages (alert_id, version);
create index messages_of_reference on messages (national_ref) where national_ref <> '';
create index messages_of_content on messages (content);
create index messages_of_import on messages (import_key) where import_key is not null;
create index messages_living on messages (expires_at) where erased_at is null;
create index messages_owed on messages (alert_id, version)
    where outcome = 'ADMITTED' and settled = 0 and erased_at is null;

create table chains (                          -- where each partition's chain of digests ends
    partition integer primary key,
    sequence  integer not null,
    previous  text not null
) strict;

create table receipts (                        -- what members' edges have signed
    digest text not null,
    member text not null,
    stage  text not null,
    at     integer not null,
    reason text not null,
    record integer,                            -- signed record that it is from
    primary key (digest, member, stage)
) strict, without rowid;

create table strangers (                       -- verdicts on messages in our name that this outbox never held
    topic_id text not null, partition integer not null, "offset" integer not null,
    digest text not null, outcome text not null, reason text not null, alert_id text not null, at integer not null,
    primary key (topic_id, partition, "offset")
) strict, without rowid;

create table notices (
    topic_id text not null, partition integer not null, "offset" integer not null,
    type text not null, text text not null, first integer not null, last integer not null, at integer not null,
    primary key (topic_id, partition, "offset")
) strict, without rowid;

create table positions (                       -- how far the status topic is taken in, by the topic's id
    topic text not null, partition integer not null, topic_id text not null, next_offset integer not null,
    primary key (topic, partition)
) strict, without rowid;

create table signed (                          -- verdicts and receipts as they were signed: evidence
    id    integer primary key,
    name  text not null,
    at    integer not null,                    -- log time
    value blob not null,
    sig   blob not null,
    digest text not null unique
) strict;

create table unknown (                         -- status records under a key that no directory has shown us yet
    topic text not null, topic_id text not null, partition integer not null, "offset" integer not null,
    at    integer not null,                    -- log time
    value blob not null,
    sig   blob not null,
    primary key (topic, topic_id, partition, "offset")
) strict, without rowid;

create table disbelieved (                     -- receipts that their signer could not rightly give, counted by why
    why text not null, member text not null, number integer not null,
    primary key (why, member)
) strict, without rowid;

create table key_entries (                     -- every certified key entry that a directory has shown us
    kid blob not null, sequence integer not null, holder text not null, member text not null,
    entry blob not null, certificate blob not null, root text not null,
    primary key (kid, sequence)
) strict, without rowid;

create table links (                           -- matches that the hub told us of: the fold of the two tables below
    link_id text primary key,
    alert_id text not null, version integer not null, kind text not null,  -- of our own alert
    band text not null, evidence text not null,                            -- JSON list of kinds of evidence
    offered_at integer not null,
    state text not null,
    others text not null,                                                  -- JSON list of the sides that are named
    acknowledged_at integer not null, answered_at integer not null,        -- 0 for not yet
    agreed_at integer not null, ended_at integer not null,
    answer text not null, declined_by text not null, reason text not null
) strict, without rowid;
create index links_of_alert on links (alert_id);
create index links_open on links (offered_at) where state in ('OFFERED', 'ACKNOWLEDGED');

create table link_notices (                    -- what the hub said about links
    link_id text not null, topic_id text not null, "offset" integer not null,
    notice text not null,                      -- JSON of the signed notice
    record integer,                            -- signed record that it is from
    primary key (link_id, topic_id, "offset")
) strict, without rowid;

create table link_answers (                    -- what we said about links, signed
    number  integer primary key,
    link_id text not null,
    answer  text not null,
    offered_at integer not null, band text not null, evidence text not null,  -- the offer that it answers
    reason  text not null,
    note    text not null,                     -- stays at home
    at      integer not null,
    value   blob not null,
    sig     blob not null,
    checksum blob not null,                    -- over link_id, value, sig: a damaged row is never sent
    damaged integer not null default 0,
    sends   integer not null default 0,        -- times that the broker has confirmed it
    sent_at integer                            -- null: waits for the relay
) strict;
create index link_answers_of_link on link_answers (link_id, number);
create index link_answers_unsent on link_answers (number) where sent_at is null;

create table not_this_person (                 -- false hits: who is not the subject of an alert of ours
    alert_id text not null, link_id text not null, at integer not null,
    name text not null, birth_date text not null, country text not null, note text not null,  -- "" where not known
    primary key (alert_id, link_id)
) strict, without rowid;

create table facts (name text primary key, value any not null) strict, without rowid;
"""

MIGRATIONS: Final[Mapping[int, str]] = {
    2: """
alter table messages add column category text not null default '';
alter table messages add column review_at integer not null default 0;
alter table messages add column expected text;
alter table messages add column verdict integer;
alter table messages add column routed integer;
alter table messages add column settled integer not null default 0;
alter table messages add column erased_at integer;
create index messages_owed on messages (alert_id, version)
    where outcome = 'ADMITTED' and settled = 0 and erased_at is null;
create index messages_living on messages (expires_at) where erased_at is null;
alter table receipts add column record integer;
create table signed (
    id integer primary key, name text not null, at integer not null, value blob not null, sig blob not null,
    digest text not null unique
) strict;
create table disbelieved (
    why text not null, member text not null, number integer not null, primary key (why, member)
) strict, without rowid;
create table key_entries (
    kid blob not null, sequence integer not null, holder text not null, member text not null,
    entry blob not null, certificate blob not null, root text not null,
    primary key (kid, sequence)
) strict, without rowid;
""",
    3: """
alter table messages add column admitted_once integer not null default 0;
create table unknown (
    topic text not null, topic_id text not null, partition integer not null, "offset" integer not null,
    at integer not null, value blob not null, sig blob not null,
    primary key (topic, topic_id, partition, "offset")
) strict, without rowid;
""",
    4: """
create table links (
    link_id text primary key,
    alert_id text not null, version integer not null, kind text not null,
    band text not null, evidence text not null,
    offered_at integer not null,
    state text not null,
    others text not null,
    acknowledged_at integer not null, answered_at integer not null,
    agreed_at integer not null, ended_at integer not null,
    answer text not null, declined_by text not null, reason text not null
) strict, without rowid;
create index links_of_alert on links (alert_id);
create index links_open on links (offered_at) where state in ('OFFERED', 'ACKNOWLEDGED');
create table link_notices (
    link_id text not null, topic_id text not null, "offset" integer not null,
    notice text not null,
    record integer,
    primary key (link_id, topic_id, "offset")
) strict, without rowid;
create table link_answers (
    number  integer primary key,
    link_id text not null,
    answer  text not null,
    offered_at integer not null, band text not null, evidence text not null,
    reason  text not null,
    note    text not null,
    at      integer not null,
    value   blob not null,
    sig     blob not null,
    checksum blob not null,
    damaged integer not null default 0,
    sends   integer not null default 0,
    sent_at integer
) strict;
create index link_answers_of_link on link_answers (link_id, number);
create index link_answers_unsent on link_answers (number) where sent_at is null;
create table not_this_person (
    alert_id text not null, link_id text not null, at integer not null,
    name text not null, birth_date text not null, country text not null, note text not null,
    primary key (alert_id, link_id)
) strict, without rowid;
""",
}
"""What makes an outbox of the version before into one of this version."""
