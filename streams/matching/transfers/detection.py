"""What the detector hands out: a pattern of transfers, why it was taken for one, and who is in it."""

from __future__ import annotations

from dataclasses import dataclass

RULES = "transfers/1"
"""The version of the rules; kept with every link made from a detection."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One suspicious pattern, a proposal for a person to judge.

    `transactions` are ids in time order, `at` is the transfer that raised it, `rule` names the rule and its version,
    `accounts` are sorted, `evidence` are sentences in plain words. A growing pattern is raised again with the same
    `pattern` name. `score` is the decimal logarithm of how many times rarer than chance it is in today's traffic.
    """

    typology: str
    transactions: tuple[str, ...]
    at: str
    rule: str
    accounts: tuple[str, ...]
    evidence: tuple[str, ...]
    pattern: str
    score: float

    def as_alert(self) -> dict[str, object]:
        """The detection as a plain dict: typology, transactions and at, then the explanation."""
        return {
            "typology": self.typology,
            "transactions": list(self.transactions),
            "at": self.at,
            "rule": self.rule,
            "accounts": list(self.accounts),
            "evidence": list(self.evidence),
            "pattern": self.pattern,
            "score": round(self.score, 2),
        }
