"""Notices: what the hub tells one party, with every field that a notice does not use at its empty value."""

from __future__ import annotations

from typing import Any, Final, cast

from schemas.models import Notice, NoticeType

MATCHES: Final[tuple[NoticeType, ...]] = (
    "MATCH_OFFERED",
    "MATCH_AGREED",
    "MATCH_DECLINED",
    "MATCH_ENDED",
    "MATCH_REFUSED",
)
"""The types that speak of a match; signed by `hub.links`."""

_EMPTY: Final[Notice] = {
    "type": "UNKNOWN",
    "agency": "",
    "alert_id": "",
    "version": 0,
    "kind": "",
    "at": 0,
    "partition": -1,
    "first": 0,
    "last": 0,
    "text": "",
    "link_id": "",
    "band": "",
    "evidence": [],
    "other_agency": "",
    "other_member": "",
    "other_alert": "",
    "other_reference": "",
}


def notice(about: NoticeType, agency: str, at: int, text: str, **more: Any) -> Notice:
    """A notice of the type `about` that says this and what is given beside it; every other field is empty."""
    return cast("Notice", {**_EMPTY, "evidence": [], "type": about, "agency": agency, "at": at, "text": text, **more})
