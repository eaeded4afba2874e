"""Why a member did or did not receive an alert: the policy, run once more over what the gate wrote down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from schemas import codec, message, registry
from schemas.directory import Directory
from schemas.lifecycle import ENDS
from schemas.models import Admitted, AlertHeader, HubHeader
from streams import policy
from streams.gate.judge import REACHED

_AN_END = {
    True: "{member} gets the {message}: a version of the alert had reached it, so its end must, past the policy.",
    False: "{member} does not get the {message}: no version of the alert had reached it.",
}


@dataclass(frozen=True)
class Explanation:
    """The policy's answer now, beside the decision that is recorded.

    `same_directory`: whether the snapshot that the gate judged by was at hand; only then must the two agree.
    `message`: the alert that was judged, as its block names it.
    """

    alert: str
    version: int
    member: str
    allowed: bool
    rule: str
    sentence: str
    recorded: bool
    judged_by: int
    explained_by: int

    @property
    def same_directory(self) -> bool:
        """Whether the policy was run over the snapshot that the gate had."""
        return self.judged_by == self.explained_by

    @property
    def agrees(self) -> bool:
        """Whether the recorded decision is what the policy says."""
        return self.allowed == self.recorded

    @property
    def verdict(self) -> str:
        """What to make of the two, in a sentence."""
        did = "was delivered to" if self.recorded else "was not delivered to"
        if self.agrees:
            return f"The block agrees: the alert {did} {self.member}."
        if self.same_directory:
            return f"THE BLOCK DISAGREES: the alert {did} {self.member}. The hub did not follow its policy."
        return (
            f"The block differs: the alert {did} {self.member}, by directory {self.judged_by}, which is no longer at "
            f"hand; this explanation is by directory {self.explained_by}."
        )

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "alert": self.alert,
            "version": self.version,
            "member": self.member,
            "allowed": self.allowed,
            "rule": self.rule,
            "sentence": self.sentence,
            "recorded": self.recorded,
            "agrees": self.agrees,
            "judged_by_directory": self.judged_by,
            "explained_by_directory": self.explained_by,
        }


def explain(item: Admitted, member: str, directory: Directory) -> Explanation:
    """Run the policy over a block's item. Pure.

    The item holds all that the gate looked at: the signed bytes with kind, TLP and codes, and the hub header with the
    audience.
    """
    hub = cast("HubHeader", codec.decode(registry.by_name("hub"), item["hub"]))
    facts = policy.facts(item["kind"], header_of(item))
    decision = policy.explain(facts, policy.audience(hub), directory, member)
    allowed, rule, sentence = decision.allowed, decision.rule.value, decision.sentence
    if item["message"] in ENDS:  # the policy is not asked: an end goes to whom the alert had reached
        allowed, rule = member in item["deliver"], REACHED
        sentence = _AN_END[allowed].format(member=member, message=item["message"])
    return Explanation(
        alert=message.identity(item["agency"], item["alert_id"]).decode(),
        version=item["version"],
        member=member,
        allowed=allowed,
        rule=rule,
        sentence=sentence,
        recorded=member in item["deliver"],
        judged_by=item["directory_seq"],
        explained_by=directory.seq,
    )


def header_of(item: Admitted) -> AlertHeader:
    """The header of an admitted message. The gate verified it, and only the gate writes blocks."""
    number, body = codec.unframe(item["value"])
    return cast("AlertHeader", codec.decode(registry.by_id(number), body)["header"])
