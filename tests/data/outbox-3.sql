-- An outbox as a release wrote it that knew the life cycle and no links, with one invented alert.

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

create table facts (name text primary key, value any not null) strict, without rowid;
insert into messages ("number", "partition", "sequence", "alert_id", "version", "kind", "message", "national_ref", "precedence", "expires_at", "digest", "content", "import_key", "key", "value", "sig", "hub", "trace", "checksum", "accepted_at", "damaged", "sends", "sent_at", "topic_id", "offset", "outcome", "again", "reason", "remedy", "errors", "judged_at", "routed_at", "feeds", "category", "review_at", "expected", "verdict", "routed", "settled", "erased_at", "admitted_once") values (1, 0, 1, '01a20d6d-5a00-7000-8000-000000000001', 1, 'person', 'ALERT', 'R-1', 'ROUTINE', 1803297600000000, '7554b87628f0d7231364f87187885a2f538593e113ec81e7a8c827ed3f5dab14', '4b6c4e42444576bb3b6d92ae0c5ed5df6df1fcf96b09ecbf73825532dbdb992c', null, x'617a2d706f6c6963652f30316132306436642d356130302d373030302d383030302d303030303030303030303031', x'00000027744830316132306436642d356130302d373030302d383030302d3030303030303030303030310202020404415a12617a2d706f6c6963650006522d3180c0bcb28ec1b00680c0bcb28ec1b00680c0fa8dde85b406000804020a002e4372696d696e616c2050726f63656475726520436f64650010323032362f3131381c446973747269637420436f75727414323032362d31302d303100780202000006020202410231000080016530313762363938356231353438613631656230393634393931643130396463653832393366303864343330623563323133316561313464616236343830653100000204656e28496e76656e74656420666f72206120746573742e00021c547572616c20496e76656e74656400084c61746e000200020e313938342d3035000000000204415a0000000000000000', x'84585aa501270450b190d65f4eabe38ba7550c7b8d1a4eff3a000111706e6d616e6172612f616c6572742f313a0001117144000027743a0001117258202ffa2ea3f964e808bdbbea92a38aa67a5c8a88a1893e3281a8311c81ee94e0d0a0f65840e0df45bb24f7ab5e4f8b0273ccce86d66ee37367af3240e17d7c967c12034bdc4ee282aa959cafc14ef1f837a1d20e5a3173ad664e870ffab002e33c168b680a', x'02000200800166663039326264613637386235643032633331626435316634386636356533616463363033316262633563353538343661626665666334346530663664316132', '00-a46a9777f8090ed04c269025e8041b81-602fc0bf899b2443-01', x'd6511da2f9c6edc3e38224eb84c7529c36e4014cf6ba6f3ad0996acf9cf3b803', 1795521600000000, 0, 0, null, null, null, null, null, null, null, null, null, null, null, 'WNT', 0, null, null, null, 0, null, 0);
insert into chains ("partition", "sequence", "previous") values (0, 1, '7554b87628f0d7231364f87187885a2f538593e113ec81e7a8c827ed3f5dab14');
insert into facts ("name", "value") values ('agency', 'az-police');
insert into facts ("name", "value") values ('complete', 1);
pragma user_version = 3;
