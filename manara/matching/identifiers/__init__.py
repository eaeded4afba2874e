"""Numbers that identify: normalised, judged by their check digits, and turned into the tokens that join alerts.

    judge("iban", "IBAN TR33 0006 1005 1978 6457 8413 26").valid
    token(judge("PASSPORT", "U 1234567", "TR"))          # "id:document:U1234567"

A shared strong number is evidence, not proof: two men on the UN list carry the same document number.
"""

from __future__ import annotations

from manara.matching.identifiers.judging import JUDGES, RULES, agree, guesses, judge, token
from manara.matching.identifiers.model import Identifier

__all__ = ["JUDGES", "RULES", "Identifier", "agree", "guesses", "judge", "token"]
