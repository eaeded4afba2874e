"""What can go wrong with the contract, as one family.

ContractError
├── SchemaUnknownError   no released schema has this id or name
├── EncodeError          a record does not fit its schema; names the field
├── UndecodableError     bytes are not an Avro body of the schema
├── NotCanonicalError    bytes are another spelling of a record than the canonical one
├── MalformedError       a value does not begin with the magic byte and a schema id
├── BadSignatureError    a signature is absent, not of our form, or does not verify
└── Refusal              (reasons.py) a message is refused for a reason of the closed list
"""

from __future__ import annotations


class ContractError(Exception):
    """The root of everything this package raises on purpose."""


class SchemaUnknownError(ContractError):
    """No released schema has this id or name."""


class EncodeError(ContractError):
    """A record does not fit its schema.

    `path` names the field as in `names[0].full` ("" for the record itself), `why` says what is wrong with it.
    """

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path or 'the record'}: {why}")
        self.path = path
        self.why = why


class UndecodableError(ContractError):
    """Bytes are not an Avro body of the schema; the message says how they broke, never what they hold."""


class NotCanonicalError(ContractError):
    """Bytes hold a record, but are not its one canonical encoding."""


class MalformedError(ContractError):
    """A value does not begin with the magic byte 0x00 and a 4-byte schema id."""


class BadSignatureError(ContractError):
    """A signature is absent, not in the one form the contract knows, or does not verify."""
