"""An entry as a CEF event in a syslog frame (RFC 5424, octet counting after RFC 6587). Pure."""

from __future__ import annotations

from typing import Final

from consumers import summary
from consumers.entry import Entry
from consumers.text import clean
from consumers.view import iso

VENDOR: Final = "Manara"
PRODUCT: Final = "edge"
VERSION: Final = "1"
FACILITY: Final = 13
"""Log audit, of RFC 5424's list."""
SEVERITIES: Final = {"FLASH": (1, 10), "IMMEDIATE": (2, 8), "PRIORITY": (4, 6), "ROUTINE": (5, 3)}
"""Syslog's severity and CEF's, by precedence."""
MOST_TEXT: Final = 1000


def frame(entry: Entry, host: str, *, content: bool) -> bytes:
    """One event, with its length in octets before it. What an alert is about goes along only with `content`."""
    syslog, _ = SEVERITIES.get(entry.precedence, (5, 3))
    head = f"<{FACILITY * 8 + syslog}>1 {iso(entry.received_at)} {host} manara - {entry.message[:32] or '-'} - "
    text = head.encode() + event(entry, content=content).encode()
    return str(len(text)).encode() + b" " + text


def event(entry: Entry, *, content: bool) -> str:
    """`CEF:0|vendor|product|version|message|name|severity|fields`."""
    _, severity = SEVERITIES.get(entry.precedence, (5, 3))
    name = f"{'' if entry.status == 'ACTUAL' else entry.status + ' '}{entry.kind} {entry.message}"
    head = "|".join(_head(part) for part in (VENDOR, PRODUCT, VERSION, entry.message, name, str(severity)))
    fields = {
        "externalId": f"{entry.agency}/{entry.alert_id}",
        "cn1Label": "version",
        "cn1": str(entry.version),
        "cn2Label": "number",
        "cn2": str(entry.number),
        "cs1Label": "agency",
        "cs1": entry.agency,
        "cs2Label": "status",
        "cs2": entry.status,
        "cs3Label": "digest",
        "cs3": entry.digest,
        "cs4Label": "precedence",
        "cs4": entry.precedence,
        "cat": entry.kind,
        "act": entry.message,
        "rt": str(entry.at // 1000),
        "end": str(entry.expires_at // 1000),
    }
    if content:
        fields["msg"] = clean(". ".join([summary.title(entry), *summary.details(entry)]), MOST_TEXT)
    return f"CEF:0|{head}|" + " ".join(f"{key}={_value(value)}" for key, value in fields.items() if value)


def _head(text: str) -> str:
    return clean(text).replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    return clean(text, MOST_TEXT).replace("\\", "\\\\").replace("=", "\\=")
