"""What a whole network holds at the end of a scenario, read into its history from every party's own stores."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import apsw
import psycopg

from schemas import message
from schemas.registry import ALERT_KINDS
from schemas.topics import Names
from streams.operate.log import Log
from tests.support.history import PUBLIC, Counter, Delivery, History, Place, Receipt, Sealed, Verdict
from tests.support.shaken import EDGE, Shaken

PLACES = (Place.INBOX, Place.DATABASE, Place.EFFECT)
GATE = "hub.gate"

_VERDICTS = (
    "select digest, outcome, coalesce(reason, ''), judged_at, coalesce(again, 0) from messages where outcome <> ''"
)
_STRANGERS = "select topic_id || '/' || partition || '/' || \"offset\", outcome, reason, at from strangers"
_RECEIPTS = "select digest, member, stage, at from receipts"
_INBOX = (
    "select number, agency, alert_id, version, digest, at, value, sig, received_at from inbox where type = 'ALERT' "
    "order by number"
)
_ALERTS = (
    "SELECT agency, alert_id, version, digest, (extract(epoch FROM stored_at) * 1000000)::bigint, value, record::text "
    "FROM alerts ORDER BY stored_at, version"
)
_EFFECTS = (
    "SELECT agency, alert_id, version, (extract(epoch FROM at) * 1000000)::bigint FROM effects ORDER BY at, version"
)
_NAMES = Names()


def collect(net: Shaken, history: History) -> None:
    """Read everything: outboxes, inboxes, databases, feeds, logs and metrics."""
    history.directory = net.directory
    for agency in net.agencies:
        path = net.home.agency(agency) / "outbox.db"
        history.verdicts += [Verdict(d, o, r, at, bool(again)) for d, o, r, at, again in rows(path, _VERDICTS)]
        history.verdicts += [Verdict(*row) for row in rows(path, _STRANGERS)]
        history.receipts += [Receipt(*row) for row in rows(path, _RECEIPTS)]
    for member in net.members:
        _inbox(net, history, member)
        _database(net, history, member)
        _feeds(net, history, member)
    for text in net.said():
        history.observe(PUBLIC, text)


def _inbox(net: Shaken, history: History, member: str) -> None:
    folder = net.home.member(member)
    for number, agency, alert_id, version, digest, at, value, sig, got in rows(folder / "inbox.db", _INBOX):
        sealed = Sealed(message.identity(agency, alert_id), value, sig, at)
        history.deliveries.append(Delivery(member, Place.INBOX, agency, alert_id, version, number, digest, got, sealed))
    for path in folder.glob("inbox.db*"):
        history.observe(member, path.read_bytes())


def _database(net: Shaken, history: History, member: str) -> None:
    with psycopg.connect(net.databases[member]) as connection:
        for order, (agency, alert_id, version, digest, at, value, record) in enumerate(connection.execute(_ALERTS)):
            place = Delivery(member, Place.DATABASE, agency, alert_id, version, order, digest, at)
            history.deliveries.append(place)
            history.observe(member, [bytes(value), record.encode()])
        for order, (agency, alert_id, version, at) in enumerate(connection.execute(_EFFECTS)):
            history.deliveries.append(Delivery(member, Place.EFFECT, agency, alert_id, version, order, "", at))


def _feeds(net: Shaken, history: History, member: str) -> None:
    """All that the member may read on the broker, read with its edge's own rights."""
    with Log(net.settings(net.home.member(member))) as log:
        for topic in (*(_NAMES.feed(member, kind) for kind in ALERT_KINDS), _NAMES.heartbeat, _NAMES.directory):
            for read in log.scan(topic):
                headers = [value or b"" for _, value in read.headers]
                history.observe(member, [read.key or b"", read.value or b"", *headers])


def rows(path: Path, sql: str) -> list[Any]:
    """Rows of an SQLite store, read beside the process that owns it; none where it does not exist yet."""
    if not path.exists():
        return []
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        db.set_busy_timeout(10_000)
        return list(db.execute(sql))
    finally:
        db.close()


def outstanding(net: Shaken, history: History) -> int:
    """How many verdicts and receipts of these submissions their authors still wait for."""
    outcomes: dict[str, str] = {}
    stored: set[tuple[str, str]] = set()
    for agency in net.agencies:
        path = net.home.agency(agency) / "outbox.db"
        outcomes.update({row[0]: row[1] for row in rows(path, _VERDICTS)})
        stored.update((row[0], row[1]) for row in rows(path, _RECEIPTS) if row[2] == "STORED")
    missing = 0
    for sent in history.submissions:
        outcome = outcomes.get(sent.digest)
        if outcome != "REFUSED":
            missing += (outcome is None) + sum((sent.digest, reader) not in stored for reader in sent.readers)
    return missing


@dataclass
class Watch:
    """Counters of a stretch of time: noted at its begin, compared at its end."""

    net: Shaken
    _before: dict[str, tuple[int, dict[str, float]]] = field(default_factory=dict)

    def begin(self) -> None:
        """Note where counters stand, and whose they are."""
        for name in (GATE, EDGE):
            self._before[name] = (self.net.pid(name), self.net.metrics(name))

    def end(self, history: History) -> None:
        """What was counted since. A process that was started again has counted from zero, so perhaps less."""
        for name in (GATE, EDGE):
            pid, before = self._before[name]
            same = pid == self.net.pid(name)
            counted: dict[tuple[str, str], int] = defaultdict(int)
            for series, value in self.net.metrics(name).items():
                label = _label(name, series)
                if label is not None:
                    counted[label] += int(value - before.get(series, 0.0) if same else value)
            history.counters += [Counter(*label, number, since=same) for label, number in counted.items()]


def _label(process: str, series: str) -> tuple[str, str] | None:
    """What a series of a process counts, in the checker's terms; None for the others, which other processes write."""
    name, _, labels = series.partition("{")
    found = dict(part.split("=", 1) for part in labels.rstrip("}").split(",") if part)
    values = {key: value.strip('"') for key, value in found.items()}
    if process == GATE and name == "manara_refused_total":
        return "refused", values["reason"]
    if process == GATE and name == "manara_admitted_total":
        return "admitted", ""
    if process == EDGE and name == "manara_stored_total" and values["sink"] == "postgres":
        return "database", values["member"]
    return None


def settle(net: Shaken, history: History, seconds: float) -> None:
    """Wait until authors know all about these submissions, or the time is over; the checker then says what is
    missing.
    """
    deadline = time.monotonic() + seconds
    while outstanding(net, history) and time.monotonic() < deadline:
        time.sleep(0.2)


def strangers(net: Shaken, agency: str) -> int:
    """How many messages in an agency's name, which it never accepted, the hub has judged and told it of."""
    return len(rows(net.home.agency(agency) / "outbox.db", _STRANGERS))


def only(history: History, others: Collection[History]) -> History:
    """A history without what earlier scenarios have seen; what belongs to nobody stays, and is a phantom."""
    digests = {each.digest for other in others for each in other.submissions}
    digests |= {each.digest for other in others for each in other.verdicts}
    identities = {(s.agency, s.alert_id, s.version) for other in others for s in other.submissions}
    marks = {each.mark for other in others for each in other.submissions}
    return replace(
        history,
        verdicts=[each for each in history.verdicts if each.digest not in digests],
        receipts=[each for each in history.receipts if each.digest not in digests],
        deliveries=[d for d in history.deliveries if (d.agency, d.alert_id, d.version) not in identities],
        observed={holder: found - marks for holder, found in history.observed.items()},
    )


def slowest(history: History) -> float:
    """Seconds from acceptance to the national database, of the slowest delivery; 0 where there is none."""
    accepted = {(each.agency, each.alert_id, each.version): each.at for each in history.submissions}
    waits = [
        (each.at - accepted[each.agency, each.alert_id, each.version]) / 1e6
        for each in history.deliveries
        if each.place is Place.DATABASE and (each.agency, each.alert_id, each.version) in accepted
    ]
    return max(waits, default=0.0)
