"""The contract on the wire: Avro schemas, codec, signature, catalogue and rules, as pure functions without I/O.

What a third party needs to write or read an alert is here under one name; the rest is found module by module.
"""

from __future__ import annotations

from schemas.codec import canonical, decode, encode, frame, unframe
from schemas.directory import Directory, judge_key
from schemas.errors import ContractError
from schemas.message import authenticate, identity, interpret, open_audience, open_record, seal, sign_record
from schemas.reasons import REMEDY, Reason, Refusal
from schemas.registry import ALERT_KINDS, Schema, by_id, by_name
from schemas.signature import SigningKey

__all__ = [
    "ALERT_KINDS",
    "REMEDY",
    "ContractError",
    "Directory",
    "Reason",
    "Refusal",
    "Schema",
    "SigningKey",
    "authenticate",
    "by_id",
    "by_name",
    "canonical",
    "decode",
    "encode",
    "frame",
    "identity",
    "interpret",
    "judge_key",
    "open_audience",
    "open_record",
    "seal",
    "sign_record",
    "unframe",
]
