"""From a written alert to a complete one: kind, audience, defaults, the author's own identity. Pure: time and new id
are arguments.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from producers import countries, forms
from producers.faults import Fault
from producers.forms import Form, Place, Record
from producers.nodes import Node
from schemas.lifecycle import ENDS
from schemas.registry import ALERT_KINDS

_MODES = {"ALL": "ALL", "LISTED": "LISTED", "ALL_BUT": "ALL_BUT"}
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_AUDIENCE_REMEDY = "write ALL, {listed: [EG, MA]} or {all_but: [KZ]}"
# The category that a kind has where it has only one; a person's is the author's to say.
_CATEGORY = {"route": "TRF", "transfer": "STR"}


STAND_IN = "zz-nobody"


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: the member's code and the agency's id; both "" for whoever the alert names."""

    member: str
    agency: str

    @classmethod
    def of(cls, agency: str) -> Author:
        """The author with this agency id; its member is the part before the dash."""
        return cls(agency.split("-", 1)[0].upper(), agency)


@dataclass(slots=True)
class Draft:
    """One alert, complete but not sealed. `faults` are those of its form; rules come after (`checking.py`)."""

    kind: str
    record: Record
    audience: dict[str, Any]
    form: Form
    line: int = 0
    file: str = ""
    fixed_id: bool = False  # the author chose the alert id, so a second publishing is the same alert
    import_key: str = ""
    content: str = ""  # SHA-256 of what it says, once it was asked for
    faults: list[Fault] = field(default_factory=list)

    @property
    def header(self) -> dict[str, Any]:
        """The record's AlertHeader."""
        found: dict[str, Any] = self.record["header"]
        return found

    @property
    def schema(self) -> str:
        """The name of the schema that it is written in: its kind's, or `end`."""
        return "end" if self.header["message"] in ENDS else self.kind

    @property
    def alert_id(self) -> str:
        """The alert's id."""
        return str(self.header["alert_id"])


def compose(
    node: Node, author: Author, now: int, new_id: Callable[[], str], *, kind: str = "", audience: Node | None = None
) -> Draft:
    """The draft of a written alert. `kind` and `audience` win over what the alert itself says."""
    form = Form(now)
    fields = dict(node.value) if isinstance(node.value, dict) else {}
    if not isinstance(node.value, dict):
        form.fault(
            Place(node.line, "", node.shown),
            "FORM_NOT_A_GROUP",
            "an alert is a group of fields, one `name: value` a line",
        )
    written = fields.pop("kind", Node(None, node.line))
    chosen = _kind(kind or written.value, Place(written.line, "kind", written.shown), form)
    to = readers(audience or fields.pop("audience", Node(None, node.line)), form)
    fields.pop("audience", None)
    if not chosen:
        return Draft("", {}, to, form, node.line, faults=form.faults)
    record = forms.convert(chosen, fields, form, node.line)
    draft = Draft(chosen, record, to, form, node.line, fixed_id=bool(record["header"]["alert_id"]), faults=form.faults)
    _fill(draft, author, now, new_id)
    return draft


def _kind(written: object, place: Place, form: Form) -> str:
    word = str(written or "").strip().lower()
    if word in ALERT_KINDS:
        return word
    near = difflib.get_close_matches(word, ALERT_KINDS, n=1)
    start = f"did you mean {near[0]}? " if near else ""
    form.fault(place, "FORM_KIND", f"{start}write `kind:` with one of {', '.join(ALERT_KINDS)}")
    return ""


def readers(node: Node, form: Form) -> dict[str, Any]:
    """The HubHeader's choice of readers as written under `audience`; what is wrong with it is noted in `form`.

    Chain and salt stand empty until the outbox fills them.
    """
    mode, members = "", Node(None, node.line)
    match node.value:
        case str(word) if word.strip().upper() == "ALL":
            mode = "ALL"
        case list():
            mode, members = "LISTED", node
        case dict(choice) if len(choice) == 1:
            name, members = next(iter(choice.items()))
            mode = _MODES.get(name.strip().upper().replace("-", "_").replace(" ", "_"), "")
    if not mode or (mode == "ALL") != (members.value is None):
        rule = "FORM_AUDIENCE" if node.value is not None else "FORM_AUDIENCE_MISSING"
        form.fault(Place(node.line, "audience", node.shown), rule, _AUDIENCE_REMEDY)
    return {
        "mode": mode or "UNKNOWN",
        "members": _members(members, form),
        "sequence": 1,
        "previous": "",
        "salt": "0" * 64,
    }


def _members(node: Node, form: Form) -> list[str]:
    items = node.value if isinstance(node.value, list) else [] if node.value is None else [node]
    form.places["audience"] = form.places["members"] = Place(node.line, "audience", node.shown)
    codes = set()
    for item in items:
        code = countries.code_of(item.value) if isinstance(item.value, str) else None
        if code is None:
            form.fault(
                Place(item.line, "audience", item.shown),
                "FORM_NOT_A_COUNTRY",
                "write the member's ISO 3166 code of two letters, as in EG",
            )
        else:
            codes.add(code)
    return sorted(codes)


def _fill(draft: Draft, author: Author, now: int, new_id: Callable[[], str]) -> None:
    """What the author need not write: id, version, identity, times; and category where the kind has only one."""
    header, form = draft.header, draft.form
    if not author.agency:  # nobody in particular, as when a file is checked away from its agency
        author = Author.of(header["agency"] or STAND_IN)
    for name, ours in (("agency", author.agency), ("member", author.member)):
        if header[name] and header[name] != ours:
            form.fault(form.place_of(f"header.{name}"), "FORM_NOT_YOURS", f"leave it out: you publish as {ours}")
        header[name] = ours
    if header["alert_id"] and not _UUID7.fullmatch(header["alert_id"]):
        form.fault(
            form.place_of("header.alert_id"),
            "FORM_ALERT_ID",
            "leave it out (one is made), or write a UUID version 7 in lower case",
        )
    header["alert_id"] = header["alert_id"] or new_id()
    header["version"] = header["version"] or 1
    header["sent_at"] = header["sent_at"] or now
    header["effective_at"] = header["effective_at"] or header["sent_at"]
    if not header["expires_at"]:
        place = form.place_of("header.expires_at")
        if not any(fault.path == place.shown for fault in form.faults):
            form.fault(
                place, "FORM_EXPIRY_MISSING", "write the last day, as in 2027-01-31, or days from now, as in +90d"
            )
    if header["category"] == "UNKNOWN":
        header["category"] = _CATEGORY.get(draft.kind, "UNKNOWN")


def content_digest_input(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without what differs each time the same thing is said: id, times of signing, chain. For "was this sent
    before?".
    """
    header = dict(record["header"])
    header.update(alert_id="", sent_at=0, effective_at=0, expires_at=0, review_at=0, hub_digest="", national_ref="")
    return {**record, "header": header}
