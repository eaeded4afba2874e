"""What the members' own databases hold, read as each member would read it."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from manara.demo.expectations import Delivery
from manara.demo.report import Found

ALERTS = """
    SELECT agency, national_ref, kind, alert_id,
           (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint
    FROM alerts
"""
"""With the time at which the server committed the row, which is later than any time that the row could hold itself."""
EFFECTS = "SELECT agency, alert_id, version, count(*) FROM effects GROUP BY 1, 2, 3"
COUNT = "SELECT count(*) FROM alerts"


def read_all(addresses: Mapping[str, str]) -> Found:
    """Everything in the databases of these members (code to connection string)."""
    found = Found()
    for member, address in addresses.items():
        with psycopg.connect(address) as connection:
            for agency, ref, kind, alert_id, committed in connection.execute(ALERTS).fetchall():
                found.deliveries[Delivery(agency, ref, kind, member)] += 1
                found.committed.append((agency, alert_id, committed))
            for agency, alert_id, version, count in connection.execute(EFFECTS).fetchall():
                found.effects[member, agency, alert_id, version] = count
    return found


class Counts:
    """How many alerts each member's database holds now; one connection a member is kept open."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """Nothing is opened yet."""
        self._addresses = addresses
        self._open: dict[str, psycopg.Connection[tuple[object, ...]]] = {}

    def read(self) -> dict[str, int]:
        """Member to rows; 0 where the edge has not made its tables yet."""
        return {member: self._one(member) for member in self._addresses}

    def close(self) -> None:
        """Close the connections."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _one(self, member: str) -> int:
        try:
            if member not in self._open:
                self._open[member] = psycopg.connect(self._addresses[member], autocommit=True)
            row = self._open[member].execute(COUNT).fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
        except psycopg.OperationalError:
            self._open.pop(member, None)
            return 0
        return int(str(row[0])) if row else 0
