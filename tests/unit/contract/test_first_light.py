"""The whole way of a message through the contract, sealed and opened, and the refusals on the way."""

from __future__ import annotations

import pytest

from schemas import (
    Refusal,
    authenticate,
    by_name,
    decode,
    encode,
    interpret,
    open_audience,
    open_record,
    seal,
    sign_record,
)
from tests.support import samples

KINDS = ["person", "route", "transfer"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sealed_is_opened(kind: str) -> None:
    """Record, digest and audience come out as they went in."""
    record, key = samples.alert(kind), samples.key(samples.AGENCY)
    sealed = seal(by_name(kind), record, samples.audience(), key)
    authentic = authenticate(sealed.key, sealed.value, sealed.headers, directory=samples.directory(), at=samples.NOW)
    opened = interpret(authentic, sealed.key)
    assert opened.digest == sealed.digest
    assert opened.kind == kind
    assert {**opened.record, "header": {**opened.header, "hub_digest": ""}} == record
    assert open_audience(sealed.headers, opened.header) == samples.audience()


def test_a_changed_byte_is_a_bad_signature() -> None:
    """One bit of the body."""
    sealed = seal(by_name("person"), samples.person(), samples.audience(), samples.key(samples.AGENCY))
    value = sealed.value[:-1] + bytes([sealed.value[-1] ^ 1])
    with pytest.raises(Refusal) as refused:
        authenticate(sealed.key, value, sealed.headers, directory=samples.directory(), at=samples.NOW)
    assert refused.value.reason == "BAD_SIGNATURE"


def test_a_heartbeat_is_signed_and_opened() -> None:
    """Records of the hub go the same way."""
    record = {"at": samples.NOW, "sequence": 3}
    value, headers = sign_record(by_name("heartbeat"), record, samples.key("hub.clock"))
    schema, opened, key = open_record(value, headers, directory=samples.directory(), at=samples.NOW)
    assert (schema.name, opened, key.holder) == ("heartbeat", record, "hub.clock")


@pytest.mark.parametrize("kind", KINDS)
def test_encode_and_decode_are_inverse(kind: str) -> None:
    """The samples survive the codec."""
    schema = by_name(kind)
    assert decode(schema, encode(schema, samples.alert(kind))) == samples.alert(kind)
