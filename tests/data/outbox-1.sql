-- An outbox as the first release wrote it, with one invented alert.

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
    unique (partition, sequence)
) strict;
create index messages_unsent on messages (partition, number) where sent_at is null and damaged = 0;
create index messages_of_alert on messages (alert_id, version);
create index messages_of_reference on messages (national_ref) where national_ref <> '';
create index messages_of_content on messages (content);
create index messages_of_import on messages (import_key) where import_key is not null;

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

create table facts (name text primary key, value any not null) strict, without rowid;

insert into messages (number, partition, sequence, alert_id, version, kind, message, national_ref, precedence, expires_at, digest, content, key, value, sig, hub, trace, checksum, accepted_at) values (1, 0, 1, '01a20d6d-5a00-7000-8000-000000000001', 1, 'person', 'ALERT', 'R-1', 'ROUTINE', 1803297600000000, '0e2c573fde698c1f60b190a673e9316fde57191e738ed3266562e8a62bf23499', '4b6c4e42444576bb3b6d92ae0c5ed5df6df1fcf96b09ecbf73825532dbdb992c', X'617A2D706F6C6963652F30316132306436642D356130302D373030302D383030302D303030303030303030303031', X'00000027744830316132306436642D356130302D373030302D383030302D3030303030303030303030310202020404415A12617A2D706F6C6963650006522D3180C0BCB28EC1B00680C0BCB28EC1B00680C0FA8DDE85B406000804020A002E4372696D696E616C2050726F63656475726520436F64650010323032362F3131381C446973747269637420436F75727414323032362D31302D303100780202000006020202410231000080016266306538383130663461383736613035643364323333313136623933336663346530396133633136346131303964623133386634656661363962303265386500000204656E28496E76656E74656420666F72206120746573742E00021C547572616C20496E76656E74656400084C61746E000200020E313938342D3035000000000204415A0000000000000000', X'84585AA501270450B190D65F4EABE38BA7550C7B8D1A4EFF3A000111706E6D616E6172612F616C6572742F313A0001117144000027743A0001117258202FFA2EA3F964E808BDBBEA92A38AA67A5C8A88A1893E3281A8311C81EE94E0D0A0F65840D4050F94B32977325AD251490E169F275DE0C32A5E917D984DA123D849FC0359372FC13A96038E7E6AC8C728A3B7F19115B9635E842AC554C523BEDF84D96005', X'02000200800134373265376631623231336162623939656235633638393232333831613230393964386661383130633737313561393433626332643632373663636636613865', '00-ca29b79a2e0b433cae7b59d29648386e-f16482cc14c2bbc5-01', X'FEC91C969B2A5A5BD5E4EA761F184238A6C97F8F24C192A5B7C55D15375EDCD8', 1795521600000000);
insert into chains values (0, 1, '0e2c573fde698c1f60b190a673e9316fde57191e738ed3266562e8a62bf23499');
insert into facts values ('agency','az-police');
pragma user_version = 1;
