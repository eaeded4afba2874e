"""What the members' own databases hold, read as each member would read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

import psycopg

from manara.demo.expectations import CONTENT, Delivery
from manara.demo.report import Committed, Found

ROWS = """
    SELECT agency, alert_id, version, kind, national_ref,
           CASE WHEN value = '' AND sig = '' AND record = '{}' AND national_ref = ''
                     AND NOT EXISTS (SELECT FROM names c WHERE (c.agency, c.alert_id) = (a.agency, a.alert_id))
                     AND NOT EXISTS (SELECT FROM identifiers c WHERE (c.agency, c.alert_id) = (a.agency, a.alert_id))
                     AND NOT EXISTS (SELECT FROM waypoints c WHERE (c.agency, c.alert_id) = (a.agency, a.alert_id))
                     AND NOT EXISTS (SELECT FROM transfers c WHERE (c.agency, c.alert_id) = (a.agency, a.alert_id))
                THEN 'PROOF' ELSE 'CONTENT' END AS holds,
           (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint AS committed,
           (extract(epoch FROM at) * 1000000)::bigint AS admitted
    FROM alerts a
    UNION ALL
    SELECT agency, alert_id, version, kind, '', CASE WHEN type = 'NO_LONGER_ADDRESSED' THEN 'NOTICE' ELSE type END, 0, 0
    FROM notices
"""
"""With the time at which the server committed the row, which is later than any time that the row could hold itself."""
OF_ALERT = "SELECT version FROM alerts WHERE alert_id = %s UNION ALL SELECT version FROM notices WHERE alert_id = %s"
EFFECTS = "SELECT agency, alert_id, version, count(*) FROM effects GROUP BY 1, 2, 3"
COUNT = "SELECT count(*) FROM alerts"
Row = tuple[object, ...]


def read_all(addresses: Mapping[str, str], refs: Mapping[tuple[str, str], str]) -> Found:
    """Everything in the databases of these members (code to connection string).

    `refs` is (agency, alert id) to the author's reference, for what is left of an alert says it no longer.
    """
    found = Found()
    for member, address in addresses.items():
        with psycopg.connect(address) as connection:
            for row in connection.execute(ROWS).fetchall():
                agency, alert_id, version, kind, ref, holds, committed, admitted = row
                named = ref or refs.get((agency, alert_id), "")
                found.deliveries[Delivery(agency, named, kind, member, version, holds)] += 1
                if holds == CONTENT:
                    found.committed.append(Committed(member, agency, alert_id, version, committed, admitted))
            for agency, alert_id, version, count in connection.execute(EFFECTS).fetchall():
                found.effects[member, agency, alert_id, version] = count
    return found


class Counts:
    """How many alerts each member's database holds now; one connection a member is kept open."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """Nothing is opened yet."""
        self._addresses = addresses
        self._open: dict[str, psycopg.Connection[Row]] = {}

    def read(self) -> dict[str, int]:
        """Member to rows; 0 where the edge has not made its tables yet."""
        found = {member: self._ask(member, COUNT, ()) for member in self._addresses}
        return {member: int(str(rows[0][0])) if rows else 0 for member, rows in found.items()}

    def of(self, alert_id: str) -> set[tuple[str, int]]:
        """(member, version) of an alert, wherever it has come to: as an alert, an end or a notice."""
        found = {member: self._ask(member, OF_ALERT, (alert_id, alert_id)) for member in self._addresses}
        return {(member, int(str(version))) for member, rows in found.items() for (version,) in rows}

    def close(self) -> None:
        """Close the connections."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _ask(self, member: str, sql: LiteralString, values: tuple[str, ...]) -> list[Row]:
        try:
            if member not in self._open:
                self._open[member] = psycopg.connect(self._addresses[member], autocommit=True)
            return self._open[member].execute(sql, values).fetchall()
        except psycopg.errors.UndefinedTable:
            return []
        except psycopg.OperationalError:
            self._open.pop(member, None)
            return []
