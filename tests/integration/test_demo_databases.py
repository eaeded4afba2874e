"""What the demo reads from the members' databases, before a real PostgreSQL with the sink's own tables."""

from __future__ import annotations

import psycopg
import pytest

from consumers.sinks.migrations import migrate
from manara.demo import marks
from manara.demo.databases import Counts, read_all
from manara.demo.expectations import CONTENT, NOTICE, PROOF, Delivery
from tests.support.postgres import Database

pytestmark = pytest.mark.integration

ALERT = """
    INSERT INTO alerts(agency, alert_id, version, kind, category, message, status, precedence, action, member, unit,
                       national_ref, sent_at, effective_at, expires_at, crimes, tlp, handling, handling_note, record,
                       digest, value, sig, at, hub_time_only, received_at)
    VALUES ('az-customs', %(id)s, %(version)s, 'route', '', 'ALERT', '', '', '', 'AZ', '', %(ref)s, now(), now(),
            now(), '{}', '', '{}', '', %(record)s, '', %(value)s, '', now(), false, now())
"""
WAYPOINT = """
    INSERT INTO waypoints(agency, alert_id, version, ordinal, name, country, code, code_type, arrives,
                          departs, role)
    VALUES ('az-customs', %s, 1, 0, %s, '', '', '', '', '', '')
"""
NOTE = """
    INSERT INTO notices(agency, alert_id, version, kind, type, at, value, sig)
    VALUES ('az-customs', %s, 2, 'route', 'NO_LONGER_ADDRESSED', now(), '', '')
"""
REFS = {("az-customs", "gone"): "L-2", ("az-customs", "half"): "L-3", ("az-customs", "left"): "L-1"}


@pytest.fixture
def address(postgres: Database) -> str:
    """A database with the sink's tables and four alerts in four states."""
    made = postgres.fresh()
    with psycopg.connect(made, autocommit=True) as db:
        migrate(db)
        whole = {"version": 1, "ref": "L-1", "record": '{"narrative": "mark 3f9c"}', "value": b"\0mark 3f9c"}
        bare = {"version": 1, "ref": "", "record": "{}", "value": b""}
        db.execute(ALERT, {"id": "left", **whole})
        db.execute(NOTE, ("left",))
        db.execute(ALERT, {"id": "gone", **bare})
        db.execute(ALERT, {"id": "half", **bare})
        db.execute(WAYPOINT, ("half", "Port of 3f9c"))
    return made


def test_only_what_is_empty_everywhere_is_a_proof(address: str) -> None:
    """A row whose children were left behind still holds content."""
    found = read_all({"MA": address}, REFS)
    assert set(found.deliveries) == {
        Delivery("az-customs", "L-1", "route", "MA", 1, CONTENT),
        Delivery("az-customs", "L-1", "route", "MA", 2, NOTICE),
        Delivery("az-customs", "L-2", "route", "MA", 1, PROOF),
        Delivery("az-customs", "L-3", "route", "MA", 1, CONTENT),
    }
    assert {row.alert_id for row in found.committed} == {"left", "half"}


def test_versions_are_counted_wherever_they_have_come_to(address: str) -> None:
    """As an alert or as a notice; an alert that never came has none, and a database without tables neither."""
    counts = Counts({"MA": address})
    try:
        assert counts.of("left") == {("MA", 1), ("MA", 2)}
        assert counts.of("never") == set()
        assert counts.read() == {"MA": 3}
    finally:
        counts.close()


def test_a_mark_is_found_in_text_and_in_bytes_of_any_table(address: str) -> None:
    """Each table that holds it, and after its rows are gone none."""
    assert marks.places("3f9c", {"MA": address}, {}) == {("MA", "alerts"), ("MA", "waypoints")}
    with psycopg.connect(address, autocommit=True) as db:
        db.execute("DELETE FROM waypoints")
        db.execute("UPDATE alerts SET record = '{}'")
        assert marks.places("3f9c", {"MA": address}, {}) == {("MA", "alerts")}, "its bytes are still there"
        db.execute("UPDATE alerts SET value = ''")
    assert marks.places("3f9c", {"MA": address}, {}) == set()
