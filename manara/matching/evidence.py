"""The evidence of a comparison in plain words: what agreed and how, how rare it is, what spoke against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manara.matching.births import GRADES
from manara.matching.similarity import FAMILY, SAME_SOUND

if TYPE_CHECKING:
    from manara.matching.alignment import Agreement, Alignment
    from manara.matching.names import Part

_RARE, _COMMON = 0.8, 0.45


def evidence(found: Alignment | None, birth: str, countries: str) -> tuple[str, ...]:
    """Sentences in plain words; the parts that weigh most come first."""
    if found is None:
        return ("no name to compare on one side",)
    agreed = sorted(found.agreements, key=lambda a: -a.weight)
    return tuple(
        [_agreed(agreement) for agreement in agreed]
        + _left(found)
        + [GRADES[birth]]
        + ([] if not countries else ["a country is shared"] if countries == "shared" else ["no country is shared"])
    )


def _agreed(agreement: Agreement) -> str:
    left, right = _said(agreement.left), _said(agreement.right)
    return f"{left} and {right}: {_how(agreement)}, {_rare(agreement.weight)}"


def _said(parts: tuple[Part, ...]) -> str:
    return " ".join(part.text for part in parts)


def _how(agreement: Agreement) -> str:
    if len(agreement.left) != len(agreement.right):
        return "the same written as one word and as two"
    if agreement.likeness == 1.0:
        return "equal"
    if agreement.likeness == SAME_SOUND:
        return "sound the same"
    if agreement.likeness == FAMILY:
        return f"spellings of one name ({_family(agreement)})"
    if "initial" in {agreement.left[0].kind, agreement.right[0].kind}:
        return "an initial that fits"
    across = " across scripts" if agreement.left[0].arabic != agreement.right[0].arabic else ""
    return f"alike{across} to {agreement.likeness:.0%}"


def _family(agreement: Agreement) -> str:
    """The family both parts belong to, as a person would say it."""
    shared = min(set(agreement.left[0].families) & set(agreement.right[0].families))
    name, _, gender = shared.partition("+")
    name = name.rstrip("0123456789")
    return {"": name, "vich": f"son of {name}", "vna": f"daughter of {name}"}[gender]


def _rare(weight: float) -> str:
    return "a rare part" if weight >= _RARE else "a common part" if weight <= _COMMON else "neither rare nor common"


def _left(found: Alignment) -> list[str]:
    left, right = _said(found.left_over), _said(found.right_over)
    if left and right:
        return [f"against: {left} and {right} do not agree"]
    return [f"only on one side: {left or right}"] if left or right else []
