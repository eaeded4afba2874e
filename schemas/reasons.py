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

_RULES: Final[dict[str, str]] = {
    # Who speaks, and about what
    "RULE_ALERT_ID": "Give the alert a UUIDv7 of its own, in lower case.",
    "RULE_AGENCY_UNKNOWN": "Ask the operator to enter the agency into the directory before it publishes.",
    "RULE_AGENCY_MEMBER": "Write as `member` the state that the directory gives the agency.",
    "RULE_MEMBER_STANDING": "The state does not take part at present: settle its standing with the operator.",
    "RULE_KIND_UNKNOWN": "Publish one of the kinds of the contract: person, route or transfer.",
    "RULE_KIND_NOT_ALLOWED": "Publish through an agency that the directory lets publish this kind.",
    "RULE_KIND_FIXED": "An alert stays of its kind: open another one and refer to the first.",
    "RULE_UNKNOWN_VALUE": "Choose one of the values that the contract lists; UNKNOWN says nothing.",
    # What the message does
    "RULE_VERSION": "Number the versions of an alert 1, 2, 3, without gaps.",
    "RULE_MESSAGE_NOT_OFFERED": "Send one of the messages of the contract that this version of the network takes.",
    "RULE_MESSAGE_RECORD": "Send CANCEL, WITHDRAW and FULFIL as an AlertEnd, every other message as a full record.",
    "RULE_TRANSITION": "Look up the alert's state: the life cycle does not let this message follow it.",
    "RULE_TOO_MANY_VERSIONS": "End this alert, open another one and refer to the first: it has 1000 versions.",
    "RULE_END_REASON": "Give a reason that fits: a FULFIL is FULFILLED, a WITHDRAW is WITHDRAWN or an error.",
    "RULE_CATEGORY_KIND": "Choose a category of the kind: WNT, SAN for persons, TRF for routes, STR for transfers.",
    "RULE_CATEGORY_ACTION": "Ask for an action that the category allows.",
    "RULE_CRIMES_MISSING": "Name at least one crime.",
    # Times
    "RULE_TIME": "Give a time after the year 2000, in microseconds since 1970, UTC.",
    "RULE_SENT_IN_FUTURE": "Set the clock of the sending machine: it is minutes ahead of the network.",
    "RULE_EXPIRY_ORDER": "Let the alert take effect before it expires.",
    "RULE_VALIDITY_TOO_LONG": "Shorten the validity to the category's maximum; extend it when it is due.",
    "RULE_REVIEW_DATE": "Set the review between effect and expiry, or 0.",
    "RULE_DATE": "Write a calendar date that exists, as YYYY, YYYY-MM or YYYY-MM-DD.",
    "RULE_BIRTH_DATE": "Check the date of birth: it lies in the future or before 1900.",
    "RULE_DATE_IN_FUTURE": "Check the date: what has been seen or decided cannot lie in the future.",
    "RULE_PERIOD": "Let the period begin before it ends.",
    # Legal basis
    "RULE_LEGAL_BASIS_MISSING": "Name instrument, authority, reference and day of the decision behind the alert.",
    "RULE_LEGAL_BASIS_EXPIRED": "Renew the decision that the alert rests on before you publish.",
    "RULE_PENALTY_THRESHOLD": "Ask for an action that is not coercive: the offence's penalty is below the threshold.",
    # Handling and audience
    "RULE_HANDLING_NOTE": "Say in the note what the handling code H3 asks for.",
    "RULE_TLP_RED_LISTED": "List the members that a TLP:RED alert is for.",
    "RULE_EVALUATION": "Evaluate as the scheme says: 4x4 A to D or X and 1 to 4; 6x6 A to F and 1 to 6.",
    "RULE_AUDIENCE_MODE": "Address the alert to ALL, to LISTED members or to ALL_BUT some.",
    "RULE_AUDIENCE_MEMBERS": "Name members for LISTED and ALL_BUT, and none for ALL.",
    "RULE_AUDIENCE_UNKNOWN_MEMBER": "Name only members that are in the directory, by their two-letter codes.",
    "RULE_AUDIENCE_TWICE": "Name each member once.",
    "RULE_AUDIENCE_ORDER": "Sort the members of the audience by code.",
    "RULE_AUDIENCE_EMPTY": "Widen the audience: no member in it may read this alert, so nobody would receive it.",
    "RULE_SEQUENCE": "Count the messages of each partition 1, 2, 3; give the digest of the one before, or nothing.",
    "RULE_SALT": "Salt the audience with 32 random bytes, in lower-case hex.",
    # Texts and codes
    "RULE_CONTROL_CHARACTER": "Remove control characters and invisible signs; only free text may have line breaks.",
    "RULE_BIDI_OVERRIDE": "Remove the characters that override the direction of writing.",
    "RULE_FORMULA": "Begin the field with a letter or digit: a spreadsheet would take it for a formula.",
    "RULE_TOO_LONG": "Shorten the field.",
    "RULE_EMPTY": "Fill the field in, or leave the whole item out.",
    "RULE_NARRATIVE_MISSING": "Say in at least one language what happened.",
    "RULE_LANGUAGE": "Write the language as a BCP 47 tag, such as en, ar or az-Cyrl.",
    "RULE_SCRIPT": "Write the script as an ISO 15924 code, such as Latn, Arab or Cyrl.",
    "RULE_COUNTRY": "Write countries as two capital letters (ISO 3166-1).",
    "RULE_HEX_DIGEST": "Write a SHA-256 as 64 lower-case hex digits.",
    "RULE_REFERENCE": "Refer to an alert by agency, alert id and a version from 1.",
    "RULE_TOKENS": "Leave blind tokens out: this version of the network has no use for them.",
    # Substance
    "RULE_IDENTITY_MISSING": "Say enough to tell the subject from others.",
    "RULE_IDENTITY_COERCIVE": "Add a date of birth or a document number before you ask to detain.",
    "RULE_ATTACHMENT": "Give size and media type of each attachment.",
    "RULE_PLACE_CODE": "Write a LOCODE as 5 letters or digits, an IATA code as 3 letters, and NONE without a code.",
    "RULE_POSITION": "Give latitude and longitude together, within 90 and 180 degrees.",
    "RULE_QUANTITY": "Write the quantity as a decimal number, such as 12.5.",
    "RULE_CURRENCY": "Write the currency as an ISO 4217 code.",
    "RULE_AMOUNT": "Give a positive amount in minor units of the currency.",
}

RULES: Final[frozenset[str]] = frozenset(_RULES)
"""The ids of all publication rules."""

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
