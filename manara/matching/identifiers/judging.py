"""The one door: a kind, a raw value, a state; an `Identifier` comes back, and from it the token that joins alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from manara.matching.identifiers import banking, contacts, papers, plates, transport, wallets
from manara.matching.identifiers.folding import as_digits, latin
from manara.matching.identifiers.model import Identifier, bad

RULES: Final = "identifiers/1"

Judge = Callable[[str, str], Identifier]


def _worldwide(judge: Callable[[str], Identifier]) -> Judge:
    """A judge that needs no state: the number holds everywhere."""
    return lambda raw, _country: judge(raw)


JUDGES: Final[Mapping[str, Judge]] = {
    "iban": _worldwide(banking.iban),
    "account": banking.account,
    "wallet": _worldwide(wallets.wallet),
    "imo": _worldwide(transport.imo),
    "mmsi": _worldwide(transport.mmsi),
    "callsign": _worldwide(transport.callsign),
    "vin": _worldwide(transport.vin),
    "container": _worldwide(transport.container),
    "tail_number": _worldwide(transport.tail_number),
    "imei": _worldwide(transport.imei),
    "plate": plates.plate,
    "mrz_document_number": papers.mrz_document_number,
    "passport": papers.document("passport"),
    "id_card": papers.document("id_card"),
    "driving_licence": papers.document("driving_licence"),
    "national_number": papers.national_number,
    "tax_number": papers.tax_number,
    "phone": contacts.phone,
    "email": _worldwide(contacts.email),
    "other": papers.document("other"),
}
"""Every kind; the identifier types of the alert schemas are these in capitals, UNKNOWN reads as `other`."""

_FAMILIES: Final = {
    "mrz_document_number": "document", "passport": "document", "id_card": "document", "driving_licence": "document",
    "national_number": "document", "other": "document",
}  # fmt: skip
"""Agencies name papers differently: what one calls OTHER is the other's PASSPORT. Their numbers are compared as one."""
_LOCAL: Final = frozenset({"document", "account", "tax_number"})
"""Numbered by each state for itself."""
_SELF_CHECKING: Final = ("iban", "wallet", "container", "vin", "email")


def judge(kind: str, raw: str, country: str = "") -> Identifier:
    """Normalise and judge one identifier.

    `kind` is a key of `JUDGES` or an identifier type of the schemas, in any case; `country` the state that numbers it,
    alpha-2 in any case, or "". Never raises: what cannot be read comes back not valid and not strong, with the reason.
    """
    name = kind.lower()
    name = "other" if name == "unknown" else name
    state = _state(country)
    found = JUDGES.get(name)
    return found(raw, state) if found else bad(name, latin(raw), "no such kind of identifier")


def _state(country: str) -> str:
    """Alpha-2 in capitals, or "" for anything else."""
    code = country.strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else ""  # noqa: PLR2004


def token(identifier: Identifier) -> str:
    """The blocking token, `id:<family>:<value>`; "" where the identifier may not join two alerts alone.

    O and 0, I and 1 count as one in numbers of papers, whose printing tells them apart badly. Numbers of digits alone
    carry the state that gave them.
    """
    if not identifier.strong:
        return ""
    family = _FAMILIES.get(identifier.kind, identifier.kind)
    value = identifier.value
    if family == "document":
        value = as_digits(value)
    if family == "email":
        value = _mailbox(value)
    if family in _LOCAL and not _stands_alone(identifier):
        value = f"{identifier.country}-{value}"
    return f"id:{family}:{value}"


def _stands_alone(identifier: Identifier) -> bool:
    """Whether letters and digits are mixed and long enough to need no state: a side that omits it is found too."""
    return not identifier.value.isdigit() and len(identifier.value) >= papers.STANDS_WITHOUT_STATE


def _mailbox(address: str) -> str:
    """The box an address leads to: no tag behind +; Gmail ignores dots and has two names."""
    local, _, domain = address.partition("@")
    local = local.split("+", 1)[0] or local
    if domain in ("gmail.com", "googlemail.com"):
        local, domain = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{domain}"


def agree(a: Identifier, b: Identifier) -> bool:
    """Whether two identifiers are the same number, and neither is too weak to say so, nor given by two states."""
    mine = token(a)
    return mine != "" and mine == token(b) and (not a.country or not b.country or a.country == b.country)


def guesses(raw: str, country: str = "") -> tuple[Identifier, ...]:
    """What a number may be that comes without its kind: every kind whose own check says yes, for searching."""
    kinds = [*_SELF_CHECKING, *(("imo",) if latin(raw).startswith("IMO") else ())]
    kinds += ["phone"] if raw.strip().startswith(("+", "00")) else []
    found = (judge(kind, raw, country) for kind in kinds)
    checked = tuple(identifier for identifier in found if identifier.valid and identifier.strong)
    return checked or tuple(i for i in (judge("passport", raw, country),) if i.strong)
