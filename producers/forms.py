"""From what a person wrote to the Avro record, all faults at once: the `.avsc` file says what a field is, this module
how people write it.

Friendly writing that is understood: header fields at top level or under `header:`; times in ISO 8601 with their zone,
or `+90d` from now;
amounts as decimals in the currency itself; enums in any case; country names; one value where a list is expected; a
plain text where a
record has one main field (`names: [Ivan Petrov]`). Pure: the time is an argument.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from producers import scalars, shapes
from producers.faults import Fault
from producers.nodes import Node

Record = dict[str, Any]

# The one field that a plain text stands for.
_MAIN = {
    "PersonName": "full",
    "Birth": "date",
    "Text": "text",
    "Waypoint": "name",
    "OtherPerson": "name",
    "Subject": "name",
    "RoutePerson": "name",
    "AccountParty": "account",
    "Consignment": "description",
    "Sighting": "place",
}
# What an enum says when its field is left out, where that is not UNKNOWN. Onward transfer is the author's to allow,
# never ours.
_SILENT = {"MessageType": "ALERT", "Precedence": "ROUTINE", "NameKind": "BIRTH", "Onward": "NONE"}
# How people say a symbol.
_ALSO_CALLED = {
    "EvaluationScheme": {"4X4": "FOUR_BY_FOUR", "6X6": "SIX_BY_SIX"},
    "Sex": {"F": "FEMALE", "M": "MALE"},
    "Tlp": {"WHITE": "CLEAR"},
}
# Filled when the message is sealed; an author who writes them means something else.
_NOT_THE_AUTHORS = {
    "hub_digest": "it is computed when the message is signed",
    "tokens": "blind tokens are not in use yet",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field of the record was written: its line and its path as the author wrote it."""

    line: int
    shown: str
    value: str


@dataclass(slots=True)
class Form:
    """A conversion under way: the faults found and where everything stands."""

    now: int
    faults: list[Fault] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)  # what could stand where an enum was left out

    def fault(self, place: Place, rule: str, remedy: str, value: str | None = None) -> None:
        """One more fault at a place."""
        self.faults.append(Fault(place.shown, rule, place.value if value is None else value, remedy, place.line))

    def place_of(self, path: str) -> Place:
        """Where a record path was written, or the nearest group around it."""
        whole = path
        while path and path not in self.places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        found = self.places.get(path, Place(0, "", ""))
        rest = whole[len(path) :]
        exact = found.value if not rest else ""
        return Place(found.line, f"{found.shown}{rest}".removeprefix(".").removeprefix("header."), exact)


def convert(kind: str, fields: Mapping[str, Node], form: Form, line: int) -> Record:
    """The record of `kind` written in `fields`; faults and places go into `form`. Wrong fields come out empty."""
    names = shapes.header_fields(kind)
    form.places[""] = Place(line, "", "")
    nested = _nested_header(fields.get("header", Node(None)), form)
    header = _header(nested, {name: node for name, node in fields.items() if name in names}, form)
    body = {name: node for name, node in fields.items() if name not in names and name != "header"}
    converter = _Converter(kind, form)
    shape = shapes.named_types(kind)[shapes.HEADER]
    made = converter.group(shape, header, "header", lambda name: f"header.{name}" if name in nested else name)
    return {"header": made, **converter.group(shapes.body(kind), body, "", str, also=names)}


def _nested_header(node: Node, form: Form) -> dict[str, Node]:
    """What is written under `header:`."""
    if not isinstance(node.value, dict | None):
        form.fault(Place(node.line, "header", node.shown), "FORM_NOT_A_GROUP", "the header is a group of fields")
    return dict(node.value) if isinstance(node.value, dict) else {}


def _header(nested: Mapping[str, Node], flat: Mapping[str, Node], form: Form) -> dict[str, Node]:
    """The header's fields from both places, without those that are not the author's to write."""
    for name in nested.keys() & flat.keys():
        place = Place(flat[name].line, name, flat[name].shown)
        form.fault(place, "FORM_FIELD_TWICE", "it also stands under `header:`; keep one of the two")
    header = {**nested, **flat}
    for name, why in _NOT_THE_AUTHORS.items():
        stray = header.pop(name, Node(None))
        if stray.value not in (None, []):
            form.fault(Place(stray.line, name, stray.shown), "FORM_NOT_THE_AUTHORS", f"leave it out: {why}")
    return header


class _Converter:
    """Walks type and nodes together."""

    def __init__(self, kind: str, form: Form) -> None:
        self._types = shapes.named_types(kind)
        self._form = form

    def group(
        self,
        shape: Mapping[str, Any],
        fields: Mapping[str, Node],
        path: str,
        shown: Any,
        also: Mapping[str, Any] | None = None,
    ) -> Record:
        """A record from its fields; unknown names are faults with the nearest known one."""
        known = shapes.fields_of(shape)
        for name in fields.keys() - known.keys():
            node = fields[name]
            near = difflib.get_close_matches(name, [*known, *(also or ())], n=1)
            remedy = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
            self._form.fault(Place(node.line, shown(name), node.shown), "FORM_UNKNOWN_FIELD", remedy)
        out: Record = {}
        for name, kind in known.items():
            node = fields.get(name, Node(None))
            here = f"{path}.{name}" if path else name
            if name in fields:
                self._form.places[here] = Place(node.line, shown(name), node.shown)
            out[name] = self._value(kind, node, here, (shape["name"], name))
        self._complete(shape["name"], out, path)
        return out

    def _value(self, kind: Any, node: Node, path: str, spot: tuple[str, str]) -> Any:
        kind = self._types.get(kind, kind) if isinstance(kind, str) else kind
        if isinstance(kind, list):
            return None if node.value is None else self._scalar("double", node, path, spot)
        if isinstance(kind, str) or "logicalType" in kind:
            return self._scalar("time" if isinstance(kind, dict) else kind, node, path, spot)
        if kind["type"] == "enum":
            return self._symbol(kind, node, path)
        if kind["type"] == "array":
            return self._list(kind["items"], node, path, spot)
        return self._record(kind, node, path)

    def _record(self, kind: Mapping[str, Any], node: Node, path: str) -> Record:
        place = self._form.place_of(path)
        main = _MAIN.get(kind["name"])
        if isinstance(node.value, str) and main:
            self._form.places[f"{path}.{main}"] = place
            node = Node({main: node}, node.line)
        fields = node.value if isinstance(node.value, dict) else {}
        if not isinstance(node.value, dict | None):
            self._form.fault(place, "FORM_NOT_A_GROUP", f"write a group of fields: {', '.join(shapes.fields_of(kind))}")
        return self.group(kind, fields, path, lambda name: f"{place.shown}.{name}")

    def _list(self, item: Any, node: Node, path: str, spot: tuple[str, str]) -> list[Any]:
        if node.value is None:
            return []
        place = self._form.place_of(path)
        if not isinstance(node.value, list):  # one value where a list is expected
            self._form.places[f"{path}[0]"] = place
            return [self._value(item, node, f"{path}[0]", spot)]
        out = []
        for number, part in enumerate(node.value):
            here = f"{path}[{number}]"
            self._form.places[here] = Place(part.line, f"{place.shown}[{number}]", part.shown)
            if part.value is None:
                self._form.fault(self._form.places[here], "FORM_EMPTY_ITEM", "remove the empty item or fill it in")
                continue
            out.append(self._value(item, part, here, spot))
        return out

    def _symbol(self, kind: Mapping[str, Any], node: Node, path: str) -> str:
        known = ", ".join(symbol for symbol in kind["symbols"] if symbol != "UNKNOWN")
        if node.value is None:
            self._form.choices[path] = known
            return _SILENT.get(kind["name"], "UNKNOWN")
        word = (
            node.value.strip().upper().replace("-", "_").replace(" ", "_").replace("+", "_")
            if isinstance(node.value, str)
            else ""
        )
        word = _ALSO_CALLED.get(kind["name"], {}).get(word, word).removeprefix("TLP:")
        if word in kind["symbols"]:
            return word
        near = difflib.get_close_matches(word, kind["symbols"], n=1)
        start = f"did you mean {near[0]}? " if near else ""
        self._form.fault(self._form.place_of(path), "FORM_NOT_IN_LIST", f"{start}known: {known}")
        return "UNKNOWN"

    def _scalar(self, kind: str, node: Node, path: str, spot: tuple[str, str]) -> Any:
        empty = scalars.EMPTY[kind]
        if node.value is None:
            return empty
        if not isinstance(node.value, str):
            self._form.fault(self._form.place_of(path), "FORM_NOT_ONE_VALUE", "one value belongs here")
            return empty
        if spot in scalars.AMOUNTS:
            return node.value  # needs the currency beside it: see _complete
        try:
            return scalars.read(kind, node.value, spot, self._form.now)
        except scalars.ScalarError as error:
            self._form.fault(self._form.place_of(path), error.rule, error.remedy)
            return empty

    def _complete(self, name: str, out: Record, path: str) -> None:
        """What follows from the other fields of a record."""
        if name == "PersonName" and not out["script"]:
            out["script"] = scalars.script_of(out["full"])
        elif name == "Text" and not out["lang"]:
            out["lang"] = "und"
        elif name == "Waypoint":
            out["code"] = out["code"].replace(" ", "")
            if out["code_type"] == "UNKNOWN":
                out["code_type"] = scalars.code_type_of(out["code"])
        elif name in ("Transfer", "Money") and isinstance(out["amount"], str):
            out["amount"] = self._amount(out["amount"], out["currency"], f"{path}.amount")

    def _amount(self, text: str, currency: str, path: str) -> int:
        try:
            return scalars.minor_units(text, currency)
        except scalars.ScalarError as error:
            self._form.fault(self._form.place_of(path), error.rule, error.remedy)
            return 0
