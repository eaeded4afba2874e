"""Why a message is refused: the closed list, each with the sentence that tells its author what to do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from schemas.errors import ContractError
from schemas.models import FieldError


class Reason(StrEnum):
    """The closed list of refusals, except for the publication rules, whose ids begin with `RULE_`."""

    MALFORMED = "MALFORMED"
    TOO_LARGE = "TOO_LARGE"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    KEY_NOT_VALID = "KEY_NOT_VALID"
    WRONG_AGENCY = "WRONG_AGENCY"
    WRONG_PARTITION = "WRONG_PARTITION"
    SCHEMA_UNKNOWN = "SCHEMA_UNKNOWN"
    SCHEMA_MISMATCH = "SCHEMA_MISMATCH"
    UNDECODABLE = "UNDECODABLE"
    NOT_CANONICAL = "NOT_CANONICAL"
    HUB_HEADER_MISMATCH = "HUB_HEADER_MISMATCH"
    STALE_VERSION = "STALE_VERSION"
    EQUIVOCATION = "EQUIVOCATION"
    UNKNOWN_ALERT = "UNKNOWN_ALERT"
    EXPIRED = "EXPIRED"
    UNREADABLE = "UNREADABLE"


_WIRE: Final[dict[str, str]] = {
    Reason.MALFORMED: "Send 0x00, the 4-byte schema id and the Avro body, under the key <agency>/<alert id>.",
    Reason.TOO_LARGE: "Keep a message within 64 KiB: name attachments by digest and reference, never inline.",
    Reason.BAD_SIGNATURE: "Sign the exact bytes that you send, in the contract's form, and change nothing after.",
    Reason.UNKNOWN_KEY: "Have your state's root certify the key and the directory publish it before you sign with it.",
    Reason.KEY_NOT_VALID: "Sign with a key that is valid now and not reported as compromised.",
    Reason.WRONG_AGENCY: "Publish under your own agency's id, with your own agency's key.",
    Reason.WRONG_PARTITION: "Send every message of an alert to the partition that its first message went to.",
    Reason.SCHEMA_UNKNOWN: "Use a schema version that the network has released; update your copy of the contract.",
    Reason.SCHEMA_MISMATCH: "Put the signed schema id before the body, and sign the hash of the released schema file.",
    Reason.UNDECODABLE: "Encode the body with the schema that you name; test your encoder against the vectors.",
    Reason.NOT_CANONICAL: "Write the canonical Avro encoding: no padding, one block an array, nothing after the body.",
    Reason.HUB_HEADER_MISMATCH: "Send the `hub` header whose digest you signed, exactly once.",
    Reason.STALE_VERSION: "Look up the alert's current version and send the next one after it.",
    Reason.EQUIVOCATION: "A version cannot be said in two ways: send what you have to change as the next version.",
    Reason.UNKNOWN_ALERT: "Open the alert by a message ALERT with version 1 before you change or end it.",
    Reason.EXPIRED: "Send an alert before it expires; if it still matters, publish it with a later expiry.",
    Reason.UNREADABLE: "Send it again: the record could not be read from the log, so nobody knows what it was.",
}

_RULES: Final[dict[str, str]] = {}

REMEDY: Final[Mapping[str, str]] = MappingProxyType({str(reason): text for reason, text in (_WIRE | _RULES).items()})
"""What to do about each refusal, wire reasons and publication rules alike."""


class Refusal(ContractError):
    """A message is refused. Carries what goes into verdict and quarantine; `detail` is one sentence without content.

    `digest` is the message's, "" where the signature could not be read. `errors` names fields, for rule violations.
    """

    def __init__(self, reason: str, detail: str = "", errors: tuple[FieldError, ...] = (), digest: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = str(reason)
        self.detail = detail
        self.errors = errors
        self.digest = digest

    @property
    def remedy(self) -> str:
        """What the author should do."""
        return REMEDY[self.reason]
