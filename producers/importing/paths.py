"""Paths of fields as a mapping writes them (`names[0].full`, `names[+]`), and the tree that values grow into."""

from __future__ import annotations

import difflib
import re
from typing import Any

from producers import shapes
from producers.nodes import Node

Steps = tuple[str | int, ...]
APPEND = 1 << 20
"""Items added by `[+]` stand after all numbered ones."""
_STEP = re.compile(r"([a-z_0-9]+)((?:\[(?:\d{1,3}|\+)\])?)")


def parse_path(path: str) -> Steps:
    """`names[0].full` as steps; () for what is no path. `[+]` is the step "+"."""
    steps: list[str | int] = []
    for part in path.removeprefix("header.").split("."):
        found = _STEP.fullmatch(part)
        if found is None:
            return ()
        steps.append(found[1])
        if found[2]:
            inside = found[2][1:-1]
            steps.append("+" if inside == "+" else int(inside))
    return tuple(steps)


def what_is_wrong(kind: str, steps: Steps) -> str:
    """What is wrong with a path in an alert of this kind, or ""."""
    types = shapes.named_types(kind)
    shape: Any = shapes.flat(kind)
    if not steps:
        return "write a field's path as in names[0].full"
    for step in steps:
        shape = types.get(shape, shape) if isinstance(shape, str) else shape
        container = shape["type"] if isinstance(shape, dict) else ""
        if isinstance(step, int) or step == "+":
            if container != "array":
                return "this field is no list: leave the [number] out"
            shape = shape["items"]
            continue
        if container == "array":
            return f"this field is a list: write [0] before .{step}"
        known = shapes.fields_of(shape) if container == "record" else {}
        if step not in known:
            near = difflib.get_close_matches(step, list(known), n=1)
            return f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known) or 'nothing further'}"
        shape = known[step]
    return ""


class Branch:
    """A group or list as it grows. `cells` and `living` tell whether anything in it comes from a cell, and from one
    with a value.
    """

    def __init__(self) -> None:
        self.children: dict[str | int, Branch] = {}
        self.leaf: Node | None = None
        self.cells = False
        self.living = False

    def put(self, steps: Steps, node: Node, *, from_cell: bool) -> None:
        """Set a value at a path."""
        branch = self
        branch.mark(node, from_cell=from_cell)
        for step in steps:
            branch = branch.children.setdefault(step, Branch())
            branch.mark(node, from_cell=from_cell)
        branch.leaf = node

    def mark(self, node: Node, *, from_cell: bool) -> None:
        """Note that a value of a cell, or of none, lies in here."""
        self.cells = self.cells or from_cell
        self.living = self.living or (from_cell and node.value is not None)

    def node(self) -> Node:
        """The branch as a node: dead items are left out, what was appended is spread."""
        if self.leaf is not None and not self.children:
            return self.leaf
        if self.children and all(isinstance(step, int) for step in self.children):
            return self._list()
        constant = self.leaf.value if self.leaf is not None and isinstance(self.leaf.value, dict) else {}
        fields = {**constant, **{str(step): child.node() for step, child in self.children.items()}}
        return Node(fields, max((node.line for node in fields.values()), default=0))

    def _list(self) -> Node:
        items: list[Node] = []
        for number, child in sorted(self.children.items(), key=lambda pair: int(pair[0])):
            if child.cells and not child.living:
                continue
            node = child.node()
            spread = int(number) >= APPEND and isinstance(node.value, list)
            items += node.value if spread and isinstance(node.value, list) else [node]
        return Node(items or None, items[0].line if items else 0)
