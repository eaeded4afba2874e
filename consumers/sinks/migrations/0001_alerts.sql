-- The queryable copy of a member's alerts, beside the signed bytes. The key everywhere is (agency, alert_id, version).
-- Indexes on what authors write are hashes: they take text of any length, where a B-tree refuses the row.

create table alerts (
  agency        text        not null,
  alert_id      text        not null,
  version       integer     not null,
  kind          text        not null,
  category      text        not null,
  message       text        not null,
  status        text        not null,
  precedence    text        not null,
  action        text        not null,
  member        text        not null,
  unit          text        not null,
  national_ref  text        not null,
  sent_at       timestamptz not null,
  effective_at  timestamptz not null,
  expires_at    timestamptz not null,
  review_at     timestamptz,
  crimes        text[]      not null,
  tlp           text        not null,
  handling      text[]      not null,
  handling_note text        not null,
  record        jsonb       not null,
  digest        text        not null,
  value         bytea       not null,
  sig           bytea       not null,
  at            timestamptz not null,
  hub_time_only boolean     not null,
  received_at   timestamptz not null,
  stored_at     timestamptz not null default clock_timestamp(),
  primary key (agency, alert_id, version)
);
create index alerts_expires on alerts (expires_at);
comment on table alerts is 'One row a version of an alert; a version is never changed.';
comment on column alerts.message is 'ALERT, UPDATE, EXTEND, SUSPEND, RESUME are living; CANCEL, WITHDRAW, FULFIL end the alert.';
comment on column alerts.status is 'ACTUAL is acted upon; EXERCISE, TEST and SYSTEM are not.';
comment on column alerts.record is 'The whole record as JSON; times in it are microseconds since 1970, UTC.';
comment on column alerts.value is 'The signed bytes as they came: 0x00, schema id, Avro body.';
comment on column alerts.sig is 'The author''s COSE_Sign1 over the Avro body.';
comment on column alerts.at is 'When the hub admitted it.';
comment on column alerts.hub_time_only is 'True where `at` lies over 35 days from the edge''s clock at first receipt: the key''s validity rests on the hub''s word.';

create table names (
  agency   text    not null,
  alert_id text    not null,
  version  integer not null,
  ordinal  integer not null,
  source   text    not null,
  role     text    not null,
  name     text    not null,
  script   text    not null,
  lang     text    not null,
  kind     text    not null,
  primary key (agency, alert_id, version, ordinal),
  foreign key (agency, alert_id, version) references alerts on delete cascade
);
create index names_name on names using hash (lower(name));
comment on table names is 'Every name in an alert: of the wanted person, and of persons on a route or subjects of a report.';
comment on column names.source is 'Where in the record: names, persons or subjects.';

create table identifiers (
  agency   text    not null,
  alert_id text    not null,
  version  integer not null,
  ordinal  integer not null,
  source   text    not null,
  owner    text    not null,
  type     text    not null,
  value    text    not null,
  country  text    not null,
  primary key (agency, alert_id, version, ordinal),
  foreign key (agency, alert_id, version) references alerts on delete cascade
);
create index identifiers_value on identifiers using hash (value);
comment on table identifiers is 'Every number that names something: documents, vehicles, containers, accounts of persons.';
comment on column identifiers.owner is 'Whose it is: the name of a person or conveyance; empty for the wanted person.';

create table waypoints (
  agency    text    not null,
  alert_id  text    not null,
  version   integer not null,
  ordinal   integer not null,
  name      text    not null,
  country   text    not null,
  code      text    not null,
  code_type text    not null,
  lat       double precision,
  lon       double precision,
  arrives   text    not null,
  departs   text    not null,
  role      text    not null,
  primary key (agency, alert_id, version, ordinal),
  foreign key (agency, alert_id, version) references alerts on delete cascade
);
create index waypoints_code on waypoints using hash (code) where code <> '';
comment on column waypoints.arrives is 'YYYY[-MM[-DD]] as the author knows it, or empty; the same for departs.';

create table transfers (
  agency           text        not null,
  alert_id         text        not null,
  version          integer     not null,
  ordinal          integer     not null,
  ref              text        not null,
  at               timestamptz not null,
  amount_minor     bigint      not null,
  currency         text        not null,
  amount           numeric,
  from_account     text        not null,
  from_institution text        not null,
  from_country     text        not null,
  from_holder      text        not null,
  to_account       text        not null,
  to_institution   text        not null,
  to_country       text        not null,
  to_holder        text        not null,
  channel          text        not null,
  primary key (agency, alert_id, version, ordinal),
  foreign key (agency, alert_id, version) references alerts on delete cascade
);
create index transfers_from on transfers using hash (from_account);
create index transfers_to on transfers using hash (to_account);
comment on column transfers.amount_minor is 'As signed: in minor units of the currency (ISO 4217).';
comment on column transfers.amount is 'The same in major units; null for a currency that this release does not know.';

create table notices (
  agency   text        not null,
  alert_id text        not null,
  version  integer     not null,
  kind     text        not null,
  type     text        not null,
  at       timestamptz not null,
  value    bytea       not null,
  sig      bytea       not null,
  stored_at timestamptz not null default clock_timestamp(),
  primary key (agency, alert_id, version, type)
);
comment on table notices is 'The hub''s notices. NO_LONGER_ADDRESSED: from this version on the alert is not meant for this member.';

create table cursor (
  inbox  text        primary key,
  number bigint      not null,
  chain  bytea       not null,
  at     timestamptz not null default clock_timestamp()
);
comment on table cursor is 'How far the edge has delivered, committed with the rows: a restored backup goes on from where it stands.';

create table effects (
  agency   text        not null,
  alert_id text        not null,
  version  integer     not null,
  at       timestamptz not null default clock_timestamp()
);
comment on table effects is 'One row each time an alert was really inserted. Append only and without a unique constraint, so that a double would show.';

create view living as
  select a.*
  from (select distinct on (agency, alert_id) * from alerts order by agency, alert_id, version desc) a
  where a.message not in ('CANCEL', 'WITHDRAW', 'FULFIL')
    and not exists (select from notices n
                    where n.agency = a.agency and n.alert_id = a.alert_id and n.version >= a.version
                      and n.type = 'NO_LONGER_ADDRESSED');
comment on view living is 'The latest version of each alert that has not ended and is still addressed to us. Compare expires_at with now() as well.';
