"""The answer to a search for people and for machines. Every word of a stranger is made safe before it is printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.text import Text

from consumers import summary
from consumers.rendering import PRECEDENCE_STYLES, lines
from consumers.search.audit import Search
from consumers.search.finding import Answer, Hit
from consumers.search.query import Query
from consumers.text import clean, safe
from consumers.view import iso

BAND_STYLES: Final = {"STRONG": "bold green", "PROBABLE": "bold yellow", "POSSIBLE": ""}
_SENTENCE: Final = 300


def document(query: Query, answer: Answer, *, case: str, alerts: int) -> dict[str, Any]:
    """The answer as one JSON document; the alerts' content is in `manara show`."""
    return {
        "case": case,
        "what": query.what,
        "network_time": iso(answer.now),
        "alerts_searched": alerts,
        "found": [row(hit) for hit in answer.hits],
        "more": list(answer.more),
    }


def row(hit: Hit) -> dict[str, Any]:
    """One alert that was found."""
    entry = hit.entry
    return {
        "agency": entry.agency,
        "alert_id": entry.alert_id,
        "version": entry.version,
        "kind": entry.kind,
        "precedence": entry.precedence,
        "status": entry.status,
        "exercise": entry.status != "ACTUAL",
        "state": hit.state,
        "marks": list(hit.marks),
        "expires_at": iso(entry.expires_at),
        "band": hit.found.band,
        "score": hit.found.score,
        "title": clean(summary.title(entry)),
        "evidence": [clean(text, _SENTENCE) for text in hit.found.evidence],
        "number": entry.number,
    }


def page(answer: Answer, width: int) -> Iterator[Text]:
    """The answer for people; the banner of an exercise stands on each of its lines."""
    for hit in answer.hits:
        yield from lines(hit.entry.status, list(_hit(hit)), width, whole=True)
        yield Text()
    for text in answer.more:
        yield Text(text, "yellow")


def _hit(hit: Hit) -> Iterator[Text]:
    entry, found = hit.entry, hit.found
    yield Text.assemble(
        (f"{entry.precedence:<9}", PRECEDENCE_STYLES.get(entry.precedence, "")), " ",
        (f"{found.band} {found.score:.2f}", BAND_STYLES.get(found.band, "")), f"  {entry.kind}  ",
        (entry.agency, "bold"), " ", (summary.title(entry), "bold" if not hit.marks else "dim"),
    )  # fmt: skip
    marks = "".join(f" · {mark}" for mark in hit.marks)
    yield Text(f"    {entry.message} {clean(entry.alert_id, 40)} v{entry.version}{marks}", "dim")
    for text in found.evidence:
        yield Text(f"    {safe(text, _SENTENCE)}", "bold red" if text.startswith("beware") else "")


def audit_row(search: Search) -> list[str]:
    """One search on record as a line of a table."""
    asked = ", ".join(f"{key}: {value}" for key, value in search.query.items() if key != "ended")
    return [iso(search.at)[:19] + "Z", search.user, search.case, search.what, asked, str(len(search.found))]


def audit_document(search: Search) -> dict[str, Any]:
    """The same for machines."""
    return {
        "number": search.number,
        "at": iso(search.at),
        "user": search.user,
        "case": search.case,
        "what": search.what,
        "query": dict(search.query),
        "found": list(search.found),
        "chain": search.chain,
    }
