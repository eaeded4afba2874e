"""What the hub says about links, for tests of the agency's side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from producers.ledger import Ledger, Said, Spot
from producers.outbox import Outbox
from schemas.models import NoticeType
from schemas.notices import notice
from tests.support.agency import AGENCY
from tests.support.directories import NOW, network

LINK = "ab" * 16
OTHER: Mapping[str, Any] = {
    "other_agency": "ma-police",
    "other_member": "MA",
    "other_alert": "01936d8f-0000-7000-8000-000000000001",
    "other_reference": "DGSN/77",
}


def match(about: str, alert_id: str, *, at: int = NOW, agency: str = AGENCY, **more: Any) -> dict[str, Any]:
    """A notice `MATCH_<about>` on our alert: strong, by name and birth date, the other side unnamed."""
    kind: NoticeType = f"MATCH_{about}"  # type: ignore[assignment]
    said = {"link_id": LINK, "version": 1, "kind": "person", "band": "STRONG", "evidence": ["NAME", "BIRTH_DATE"]}
    return dict(notice(kind, agency, at, "One sentence.", alert_id=alert_id, **{**said, **more}))


def hear(outbox: Outbox, *notices: dict[str, Any]) -> None:
    """The hub's links has said this, and the outbox has taken it in."""
    key = next(key for key in network().directory.keys.values() if key.holder == "hub.links")
    row = outbox.db.execute('select coalesce(max("offset"), 0) from link_notices').fetchone()
    for place, notice_ in enumerate(notices, 1 + int(str(row[0] if row else 0))):
        spot = Spot("status", "id", 0, place)
        said = Said("notice", notice_, key, spot)
        ledger = Ledger(outbox, AGENCY)
        ledger.judge(said)
        ledger.take([said], [])
