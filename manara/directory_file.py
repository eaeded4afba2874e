"""The directory as people write it: one YAML file, checked whole, every fault named with its line.

    directory_seq: 1                  # optional; publishing counts by itself
    operator_root: "<64 hex digits>"  # public key of the operator's root; quotes keep YAML from reading a number
    members:
      - {code: AZ, name: Azerbaijan, standing: GOOD, root: "<64 hex digits>",
         tlp: RED, handling: [H0, H1], subscriptions: [person, route]}
    agencies:
      - {id: az-customs, member: AZ, name: State Customs Committee, kinds: [route]}
    keys:                             # made by `manara keys certify`, never by hand
      - {holder: az-customs, entry: "<base64>", certificate: "<base64>"}

Roots and keys may be missing in a file that is still being written. Every value is taken as it stands: NO is Norway,
not "false".
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar, cast, get_args

import yaml

from manara.errors import DirectoryFileError, InputError, in_words
from schemas import codec
from schemas import directory as rules
from schemas.directory import AGENCY_FORM, MEMBER_FORM, Agency, Member
from schemas.models import CertifiedKey, DirectoryRecord, HandlingCode, Standing, Tlp
from schemas.registry import ALERT_KINDS, by_name

MAX_BYTES: Final = 4_000_000
HEX_KEY: Final = re.compile(r"[0-9a-f]{64}")
_Item = TypeVar("_Item", Member, Agency)


@dataclass(frozen=True)
class DirectoryDraft:
    """A directory as written, before it has a number and a time. `keys` are certified entries, not yet believed."""

    members: Mapping[str, Member]
    agencies: Mapping[str, Agency]
    keys: tuple[CertifiedKey, ...] = ()
    operator_root: str = ""
    seq: int = 0

    def record(self, seq: int, at: int) -> DirectoryRecord:
        """The snapshot to publish, with its number and time (microseconds)."""
        root = bytes.fromhex(self.operator_root)
        return rules.write(seq, at, root, self.members, self.agencies, list(self.keys))

    def pins(self) -> dict[str, str]:
        """The fingerprints of the roots that the file names: for checking that it fits together, not for trust."""
        roots = {code: member.root for code, member in self.members.items()} | {rules.OPERATOR: self.operator_root}
        return {name: rules.fingerprint(bytes.fromhex(root)) for name, root in roots.items() if root}

    def directory(self) -> rules.Directory:
        """The directory that it would be, believing its own roots: for the catalogue, which needs no keys."""
        return rules.read(self.record(self.seq, 0), self.pins())[0]

    def with_roots(self, roots: Mapping[str, bytes]) -> DirectoryDraft:
        """The same with the public root keys of members, and of `operator`, put in."""
        members = dict(self.members)
        for code, public in roots.items():
            if code in members:
                print_ = rules.fingerprint(public)
                members[code] = replace(members[code], root=public.hex(), root_fingerprint=print_)
        operator = roots.get(rules.OPERATOR)
        return replace(self, members=members, operator_root=operator.hex() if operator else self.operator_root)

    def with_keys(self, keys: Iterable[CertifiedKey]) -> DirectoryDraft:
        """The same with further certified keys."""
        return replace(self, keys=(*self.keys, *keys))


def load_yaml(path: Path) -> DirectoryDraft:
    """Read and check a directory file.

    Raises `DirectoryFileError` with every problem, each naming its line and field.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        said = in_words(error)
        raise InputError(f"The directory cannot be read: {said.message}", said.remedy) from error
    return parse(data, str(path))


def parse(data: bytes, title: str = "the directory") -> DirectoryDraft:
    """Check the bytes of a directory file; as `load_yaml`."""
    reader = _Reader()
    try:
        if len(data) > MAX_BYTES:
            raise DirectoryFileError(f"{title} is larger than 4 MB.", [], "It cannot be a directory: check the path.")
        node = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DirectoryFileError(f"{title} is not YAML:", [_yaml_fault(error)], "Correct the line.") from error
    draft = reader.draft(node)
    problems = sorted(reader.problems) or _unbelieved(draft)
    if problems:
        sentences = [f"line {line}: {text}" if line else text for line, text in problems]
        raise DirectoryFileError(
            f"{title} is wrong:", sentences, "Correct these lines; `manara directory check` tells."
        )
    return draft


def dump_yaml(draft: DirectoryDraft) -> str:
    """The draft as a file that `load_yaml` reads back to the same draft."""
    members = [
        {
            "code": member.code,
            "name": member.name,
            "standing": member.standing,
            "root": member.root,
            "tlp": member.tlp,
            "handling": sorted(member.handling),
            "subscriptions": sorted(member.subscriptions),
        }
        for _, member in sorted(draft.members.items())
    ]
    agencies = [
        {"id": agency.id, "member": agency.member, "name": agency.name, "kinds": sorted(agency.kinds)}
        for _, agency in sorted(draft.agencies.items())
    ]
    top = {
        "directory_seq": draft.seq,
        "operator_root": draft.operator_root,
        "members": members,
        "agencies": agencies,
        "keys": [key_lines(key) for key in draft.keys],
    }
    return yaml.safe_dump(top, sort_keys=False, allow_unicode=True, width=2**20)


def key_lines(key: CertifiedKey) -> dict[str, str]:
    """A certified key as it stands in the file: holder, entry and certificate, the last two in base64."""
    return {
        "holder": holder_of(key),
        "entry": base64.b64encode(key["entry"]).decode(),
        "certificate": base64.b64encode(key["certificate"]).decode(),
    }


def append_key(path: Path, key: CertifiedKey) -> None:
    """Add a certified key to a directory file, leaving every other line and comment as it is.

    The outcome is checked before it is written. Raises `DirectoryFileError` where the key does not hold there, as when
    its root is another one than the member's.
    """
    load_yaml(path)
    text = path.read_text(encoding="utf-8")
    whole = _with_key(text, key)
    parse(whole.encode(), f"{path}, with this key added,")
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(whole, encoding="utf-8")
        draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except OSError as error:
        raise in_words(error) from error


def _with_key(text: str, key: CertifiedKey) -> str:
    """The text with an item more under `keys`, which is made where there is none."""
    item = "  - " + "\n    ".join(f'{name}: "{value}"' for name, value in key_lines(key).items()) + "\n"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for name, node in pairs:
        if name.value != "keys":
            continue
        if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
            indent = " " * (node.start_mark.column)
            end = node.value[-1].end_mark.index
            head, tail = text[:end].rstrip(), text[end:].lstrip("\n")
            return f"{head}\n{textwrap.indent(textwrap.dedent(item), indent)}{tail}"
        if not node.value:  # `keys:` or `keys: []`
            return text[: name.start_mark.index] + "keys:\n" + item + text[node.end_mark.index :].lstrip("\n")
        raise InputError(
            "`keys` is written in one line with brackets.", "Write each key after a dash on lines of its own."
        )
    return f"{text.rstrip()}\nkeys:\n{item}"


def holder_of(key: CertifiedKey) -> str:
    """Whom a certified key claims to belong to. Raises `UndecodableError` where its entry is none."""
    return str(codec.decode(by_name("key"), key["entry"])["holder"])


@dataclass(frozen=True)
class _Value:
    """A piece of the file with its line: a text, a list of pieces, or pieces by name."""

    line: int
    data: str | list[_Value] | dict[str, _Value]


class _Reader:
    """Reads the pieces of a directory and notes every problem on the way, instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []

    def draft(self, node: yaml.Node | None) -> DirectoryDraft:
        """The draft, as far as the file allows; look at `problems` before using it."""
        top = self._plain(node, set()) if node is not None else _Value(1, {})
        found = self._fields(top, "", {"members", "agencies"}, {"directory_seq", "operator_root", "keys"})
        members = self._unique("members", "code", [self._member(i, v) for i, v in self._items(found, "members")])
        agencies = self._unique(
            "agencies", "id", [self._agency(i, v, members) for i, v in self._items(found, "agencies")]
        )
        return DirectoryDraft(
            members=members,
            agencies=agencies,
            keys=tuple(key for i, v in self._items(found, "keys") if (key := self._key(i, v)) is not None),
            operator_root=self._root(found, "operator_root"),
            seq=self._number(found, "directory_seq"),
        )

    def _member(self, number: int, value: _Value) -> tuple[str, int, Member] | None:
        where = f"members[{number}]"
        required = {"code", "name", "standing", "tlp", "handling", "subscriptions"}
        found = self._fields(value, where, required, {"root"})
        code = self._text(found, "code", where, MEMBER_FORM, "two capital letters, as AZ")
        root = self._root(found, "root", where)
        member = Member(
            code=code,
            name=self._text(found, "name", where, re.compile(r"\S.*"), "the English name"),
            standing=cast("Standing", self._one_of(found, "standing", where, _known(Standing))),
            root=root,
            root_fingerprint=rules.fingerprint(bytes.fromhex(root)) if root else "",
            tlp=cast("Tlp", self._one_of(found, "tlp", where, _known(Tlp))),
            handling=cast("frozenset[HandlingCode]", self._some_of(found, "handling", where, _known(HandlingCode))),
            subscriptions=self._some_of(found, "subscriptions", where, ALERT_KINDS),
        )
        return (code, value.line, member) if code else None

    def _agency(self, number: int, value: _Value, members: Mapping[str, Member]) -> tuple[str, int, Agency] | None:
        where = f"agencies[{number}]"
        found = self._fields(value, where, {"id", "member", "name", "kinds"}, set())
        id_ = self._text(found, "id", where, AGENCY_FORM, "<member>-<name> in lower case, as az-customs")
        member = self._text(found, "member", where, MEMBER_FORM, "two capital letters, as AZ")
        if member and member not in members:
            self._say(found["member"].line, f"{where}.member: {member} is not among the members")
        if id_ and member and not id_.startswith(f"{member.lower()}-"):
            self._say(found["id"].line, f"{where}.id: an agency of {member} is called {member.lower()}-…, not {id_}")
        name = self._text(found, "name", where, re.compile(r"\S.*"), "the English name")
        kinds = self._some_of(found, "kinds", where, ALERT_KINDS)
        return (id_, value.line, Agency(id_, member, name, kinds)) if id_ else None

    def _key(self, number: int, value: _Value) -> CertifiedKey | None:
        where = f"keys[{number}]"
        found = self._fields(value, where, {"entry", "certificate"}, {"holder"})
        entry, certificate = (self._base64(found, name, where) for name in ("entry", "certificate"))
        return {"entry": entry, "certificate": certificate} if entry and certificate else None

    def _fields(self, value: _Value, where: str, required: set[str], optional: set[str]) -> dict[str, _Value]:
        if not isinstance(value.data, dict):
            self._say(value.line, f"{where or 'the file'}: has no fields; it needs {', '.join(sorted(required))}")
            return {}
        for name in sorted(value.data.keys() - required - optional):
            known = ", ".join(sorted(required | optional))
            self._say(value.data[name].line, f"{_at(where, name)}: there is no such field; there are {known}")
        for name in sorted(required - value.data.keys()):
            self._say(value.line, f"{_at(where, name)}: is missing")
        return value.data

    def _items(self, found: Mapping[str, _Value], name: str, where: str = "") -> list[tuple[int, _Value]]:
        value = found.get(name)
        if value is None or value.data == "":
            return []
        if not isinstance(value.data, list):
            self._say(value.line, f"{_at(where, name)}: must be a list, as [a, b] or each item after a dash")
            return []
        return list(enumerate(value.data, start=1))

    def _text(self, found: Mapping[str, _Value], name: str, where: str, form: re.Pattern[str], meant: str) -> str:
        value = found.get(name)
        if value is None:
            return ""
        if not isinstance(value.data, str) or not form.fullmatch(value.data):
            self._say(value.line, f"{_at(where, name)}: must be {meant}")
            return ""
        return value.data

    def _one_of(self, found: Mapping[str, _Value], name: str, where: str, allowed: Sequence[str]) -> str:
        form = re.compile("|".join(map(re.escape, allowed)))
        return self._text(found, name, where, form, f"one of {', '.join(allowed)}") or allowed[0]

    def _some_of(self, found: Mapping[str, _Value], name: str, where: str, allowed: Sequence[str]) -> frozenset[str]:
        chosen = set()
        for number, value in self._items(found, name, where):
            if isinstance(value.data, str) and value.data in allowed:
                chosen.add(value.data)
            else:
                self._say(value.line, f"{_at(where, name)}[{number}]: must be one of {', '.join(allowed)}")
        return frozenset(chosen)

    def _root(self, found: Mapping[str, _Value], name: str, where: str = "") -> str:
        value = found.get(name)
        if value is None or value.data == "":
            return ""
        return self._text(found, name, where, HEX_KEY, "64 hex digits in quotes, as `manara keys root` prints them")

    def _number(self, found: Mapping[str, _Value], name: str) -> int:
        return int(self._text(found, name, "", re.compile(r"[0-9]{1,15}"), "a whole number") or 0)

    def _base64(self, found: Mapping[str, _Value], name: str, where: str) -> bytes:
        value = found.get(name)
        if value is None:
            return b""
        try:
            found_bytes = base64.b64decode(value.data if isinstance(value.data, str) else "!", validate=True)
        except (binascii.Error, ValueError):
            found_bytes = b""
        if not found_bytes:
            self._say(value.line, f"{_at(where, name)}: must be base64, as `manara keys certify` writes it")
        return found_bytes

    def _unique(self, where: str, name: str, found: Iterable[tuple[str, int, _Item] | None]) -> dict[str, _Item]:
        kept: dict[str, _Item] = {}
        for entry in found:
            if entry is None:
                continue
            code, line, item = entry
            if code in kept:
                self._say(line, f"{where}: {code} stands there twice; each {name} may stand once")
            kept[code] = item
        return kept

    def _plain(self, node: yaml.Node, seen: set[int]) -> _Value:
        """The tree without YAML's ideas of types. An alias is refused: ten lines of them make a gigabyte."""
        line = node.start_mark.line + 1
        if id(node) in seen:
            self._say(line, "anchors and aliases (& and *) are not used in a directory")
            return _Value(line, "")
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return _Value(line, [self._plain(item, seen) for item in node.value])
        if isinstance(node, yaml.MappingNode):
            pieces: dict[str, _Value] = {}
            for key, item in node.value:
                name = str(key.value)
                if name in pieces:
                    self._say(key.start_mark.line + 1, f"{name}: stands twice in one place")
                pieces[name] = self._plain(item, seen)
            return _Value(line, pieces)
        return _Value(line, str(node.value))

    def _say(self, line: int, text: str) -> None:
        self.problems.append((line, text))


def _unbelieved(draft: DirectoryDraft) -> list[tuple[int, str]]:
    """What a reader would refuse that pinned the very roots which the file names: two roots alike, keys that do not
    hold.
    """
    problems: list[tuple[int, str]] = []
    owners: dict[str, str] = {}
    for name, pin in draft.pins().items():
        if pin in owners:
            problems.append((0, f"{owners[pin]} and {name} have the same root: each needs its own"))
        owners[pin] = name
    if draft.keys and not draft.operator_root:
        problems.append((0, "operator_root: is needed as soon as there are keys"))
    if draft.keys and not problems:
        refused = rules.read(draft.record(draft.seq, 0), draft.pins())[1]
        problems += [(0, sentence) for sentence in refused if "no root is pinned" not in sentence]
    return problems


def _known(literal: Any) -> tuple[str, ...]:
    return tuple(value for value in get_args(literal) if value != "UNKNOWN")


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _yaml_fault(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or type(error).__name__
    return f"line {mark.line + 1}: {said}" if mark is not None else str(said)
