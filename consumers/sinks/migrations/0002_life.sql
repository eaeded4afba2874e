-- The life of an alert: withdrawals that purge, the network's time, and a view that says what may be acted upon.

alter table alerts add column purged_at timestamptz;
comment on column alerts.purged_at is 'When the content of this version was purged; the columns that held it are empty. What stays proves that it was here.';

create table withdrawals (
  agency    text        not null,
  alert_id  text        not null,
  version   integer     not null,
  digest    text        not null,
  message   text        not null,
  at        timestamptz not null,
  purged_at timestamptz not null default clock_timestamp(),
  primary key (agency, alert_id)
);
comment on table withdrawals is 'Alerts that their authors have withdrawn: no content of any version is kept, nor taken in again.';

create table network (
  one boolean     primary key default true check (one),
  at  timestamptz not null
);
comment on table network is 'The network''s time by the hub''s latest heartbeat.';

-- A check for each child row costs a third of a bulk load. The sink writes an alert with its rows and purges it with them,
-- each in one transaction; who deletes from `alerts` by hand deletes there, too.
alter table names drop constraint names_agency_alert_id_version_fkey;
alter table identifiers drop constraint identifiers_agency_alert_id_version_fkey;
alter table waypoints drop constraint waypoints_agency_alert_id_version_fkey;
alter table transfers drop constraint transfers_agency_alert_id_version_fkey;

drop view living;
create view living as
  select a.*,
         a.message = 'SUSPEND' as suspended,
         coalesce(a.review_at <= t.at, false) as review_due
  from (select distinct on (agency, alert_id) * from alerts order by agency, alert_id, version desc) a
  cross join (select coalesce((select at from network), now()) as at) t
  where a.expires_at > t.at
    and a.purged_at is null
    and not exists (select from alerts e
                    where e.agency = a.agency and e.alert_id = a.alert_id
                      and e.message in ('CANCEL', 'WITHDRAW', 'FULFIL'))
    and not exists (select from withdrawals w where w.agency = a.agency and w.alert_id = a.alert_id)
    and not exists (select from notices n
                    where n.agency = a.agency and n.alert_id = a.alert_id and n.version >= a.version
                      and n.type = 'NO_LONGER_ADDRESSED');
comment on view living is 'The latest version of each alert that has not ended or expired by the network''s time and is still addressed to us. Act on a row only where it is not suspended and its status is ACTUAL.';
