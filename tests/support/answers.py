"""What hub and members answer to one agency's outbox, signed with the keys of the test network, without a broker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from manara.stores import transaction
from producers.ledger import Ledger, Said, Spot
from producers.outbox import Accepted, Outbox
from producers.trust import remember_keys
from schemas import codec, message
from schemas.directory import Directory
from schemas.registry import by_name
from tests.support.agency import AGENCY, receipt, verdict
from tests.support.directories import Network


@dataclass
class Answers:
    """The hub and the edges as an outbox hears them; `at` is log time."""

    outbox: Outbox
    net: Network
    at: int
    offset: int = 0

    @property
    def directory(self) -> Directory:
        """The directory that everybody knows."""
        return self.net.directory

    def remember(self) -> None:
        """The outbox has seen the directory."""
        schema = by_name("directory")
        value = codec.frame(schema, codec.encode(schema, self.net.record))
        with transaction(self.outbox.db) as db:
            facts = [("directory", value), ("directory_seq", self.directory.seq)]
            db.executemany("insert or replace into facts values (?, ?)", facts)
            remember_keys(db, self.net.record)

    def say(self, name: str, record: dict[str, Any], holder: str) -> None:
        """One signed record arrives on the status topic. UnfitError where its signer may not say it."""
        value, headers = message.sign_record(by_name(name), record, self.net.key(holder))
        found = message.open_record(value, headers, directory=self.directory, at=self.at)
        spot = Spot("status", "id", 0, self.offset)
        self.offset += 1
        said = Said(name, found[1], found[2], spot, self.at, value, headers[0][1])
        ledger = Ledger(self.outbox, AGENCY, lambda: self.directory)
        ledger.judge(said)
        ledger.take([said], [spot])

    def admit(self, *accepted: Accepted, **changes: Any) -> None:
        """The gate admits messages (or refuses them, by `changes`)."""
        given = [
            verdict(one.digest, at=self.at, alert_id=one.alert_id, version=one.version, **changes) for one in accepted
        ]
        self.say("verdict", {"agency": AGENCY, "verdicts": given}, "hub.gate")

    def route(self, accepted: Accepted, feeds: int) -> None:
        """The hub says how many feeds a message went into."""
        one = receipt(accepted.digest, "ROUTED", at=self.at, count=feeds)
        record = {"agency": AGENCY, "issuer": "hub.route", "member": "", "receipts": [one]}
        self.say("receipt", record, "hub.route")

    def receive(self, accepted: Accepted, members: Iterable[str], stage: str = "STORED", **changes: Any) -> None:
        """Members' edges sign a stage."""
        for member in members:
            given = receipt(accepted.digest, stage, at=self.at, alert_id=accepted.alert_id, version=accepted.version)
            self.receipts(member, [{**given, **changes}])

    def receipts(self, member: str, receipts: Sequence[dict[str, Any]]) -> None:
        """One signed record of receipts."""
        edge = f"edge.{member.lower()}"
        self.say("receipt", {"agency": AGENCY, "issuer": edge, "member": member, "receipts": list(receipts)}, edge)
