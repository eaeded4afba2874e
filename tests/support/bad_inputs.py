"""Every way in which a message can be bad, one case a way, for the gate's stage and for the whole gate process alike.

Each case makes the messages to send: valid ones that prepare it, and the bad one last. Rows: contract section 5.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from nacl import bindings

from schemas import codec, message, registry, signature
from schemas.registry import Schema
from schemas.signature import SigningKey
from tests.support.alerts import Author, end, hub_header, person
from tests.support.directories import DAY, Network, key_of, network

AGENCY = "az-police"
OTHER = "eg-police"


@dataclass(frozen=True)
class Sent:
    """A message as an agency's client would send it, good or bad. `digest`: what its verdict must carry."""

    agency: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    partition: int = 0
    digest: str = ""


@dataclass(frozen=True)
class Bench:
    """What a case is made from: the network and the time of the test."""

    net: Network
    now: int

    def author(self, agency: str = AGENCY) -> Author:
        """An agency that has sent nothing yet."""
        return Author.of(agency)

    def person(self, agency: str = AGENCY, **changes: Any) -> dict[str, Any]:
        """A valid person alert of this time, with an id of its own."""
        return person(agency, **{"now": self.now, "alert_id": new_id(self.now), **changes})


Make: TypeAlias = Callable[[Bench], list[Sent]]


@dataclass(frozen=True)
class Case:
    """One bad input: its name, the reason that it must be refused for, and how it is made."""

    name: str
    reason: str
    make: Make


def bad_network(now: int, *, seq: int = 1) -> Network:
    """The network that the cases need: some agencies have keys that are not good."""
    keys: dict[str, dict[str, int] | None] = {
        "kz-fiu": {"valid_until": now - DAY},
        "ma-police": {"valid_from": now + DAY},
        "tr-fiu": {"compromised_since": now - DAY},
    }
    return network(seq, now=now, keys=keys)


def new_id(now: int) -> str:
    """A UUIDv7 that nobody has used."""
    text = f"{now // 1000:012x}7{os.urandom(2).hex()[:3]}a{os.urandom(8).hex()[:15]}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def sent(sealed: message.Sealed, **changes: Any) -> Sent:
    """A sealed message, unchanged or with one thing changed."""
    agency = sealed.key.partition(b"/")[0].decode()
    return replace(Sent(agency, sealed.key, sealed.value, list(sealed.headers), 0, sealed.digest), **changes)


def signed(
    body: bytes,
    key: SigningKey,
    *,
    schema: Schema | None = None,
    context: str = "",
    number: int = 0,
    sha256: bytes = b"",
) -> tuple[bytes, str]:
    """`sig` header and digest over any body, with any claim: what a hostile but signing agency can make."""
    named = schema or registry.by_name("person")
    protected = signature.protected_map(key.kid, context or named.context, number or named.id, sha256 or named.sha256)
    raw = bindings.crypto_sign(signature.structure(protected, body), key.seed + key.public)
    return signature.assemble(protected, raw[:64]), signature.digest(protected, body)


def signed_message(
    bench: Bench,
    body: bytes,
    *,
    key: SigningKey | None = None,
    alert: bytes = b"",
    prefix: int = 0,
    hub: bytes = b"",
    **claim: Any,
) -> Sent:
    """A message with a good signature over any body at all, in AGENCY's inlet."""
    sig, digest = signed(body, key or key_of(AGENCY), **claim)
    number = prefix or claim.get("number") or registry.by_name("person").id
    value = b"\x00" + number.to_bytes(4, "big") + body
    name = alert or message.identity(AGENCY, new_id(bench.now))
    return Sent(AGENCY, name, value, [("sig", sig), ("hub", hub or b"\x00")], 0, digest)


def good(bench: Bench, **changes: Any) -> Sent:
    """A valid alert of AGENCY."""
    return sent(bench.author().seal(bench.person(**changes)))


def _with_headers(found: Sent, headers: Sequence[tuple[str, bytes]], digest: str) -> Sent:
    return replace(found, headers=list(headers), digest=digest)


def _body(bench: Bench, agency: str = AGENCY, **changes: Any) -> tuple[bytes, bytes, bytes]:
    """Canonical body, hub header and identity of a valid alert, before anybody has signed it."""
    hub = codec.encode(registry.by_name("hub"), hub_header())
    record = bench.person(agency, hub_digest=signature.hub_digest(hub), **changes)
    body = codec.encode(registry.by_name("person"), record)
    return body, hub, message.identity(agency, record["header"]["alert_id"])


def _null_value(bench: Bench) -> list[Sent]:
    return [replace(good(bench), value=None, digest="")]


def _null_key(bench: Bench) -> list[Sent]:
    return [replace(good(bench), key=None)]


def _bad_magic(bench: Bench) -> list[Sent]:
    found = good(bench)
    return [replace(found, value=b"\x01" + (found.value or b"")[1:])]


def _short_value(bench: Bench) -> list[Sent]:
    return [replace(good(bench), value=b"\x00\x00", digest="")]


def _other_key(bench: Bench) -> list[Sent]:
    return [replace(good(bench), key=message.identity(AGENCY, new_id(bench.now)))]


def _too_large(bench: Bench) -> list[Sent]:
    return [good(bench, narrative=[{"lang": "en", "text": "long " * 20_000}])]


def _largest_that_the_broker_takes(bench: Bench) -> list[Sent]:
    return [good(bench, narrative=[{"lang": "en", "text": os.urandom(125_000).hex()}])]


def _no_signature(bench: Bench) -> list[Sent]:
    found = good(bench)
    return [_with_headers(found, [("hub", found.headers[1][1])], "")]


def _garbage_signature(bench: Bench) -> list[Sent]:
    found = good(bench)
    return [_with_headers(found, [("sig", os.urandom(180)), found.headers[1]], "")]


def _two_signatures(bench: Bench) -> list[Sent]:
    found = good(bench)
    return [_with_headers(found, [found.headers[0], *found.headers], "")]


def _changed_byte(bench: Bench) -> list[Sent]:
    found = good(bench)
    value = bytearray(found.value or b"")
    value[len(value) // 2] ^= 1
    claim = signature.read(found.headers[0][1])
    return [replace(found, value=bytes(value), digest=signature.digest(claim.protected, bytes(value[5:])))]


def _signed_as_a_receipt(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench)
    receipt = registry.by_name("receipt")
    return [signed_message(bench, body, alert=name, hub=hub, schema=receipt, prefix=receipt.id)]


def _unknown_key(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench)
    return [signed_message(bench, body, alert=name, hub=hub, key=SigningKey.generate())]


def _key_of(agency: str) -> Make:
    def make(bench: Bench) -> list[Sent]:
        return [sent(bench.author(agency).seal(bench.person(agency)))]

    return make


def _signed_by(holder: str) -> Make:
    def make(bench: Bench) -> list[Sent]:
        body, hub, name = _body(bench)
        return [signed_message(bench, body, alert=name, hub=hub, key=key_of(holder))]

    return make


def _body_of_another(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench, OTHER)
    return [signed_message(bench, body, alert=name, hub=hub)]


def _copied_message(bench: Bench) -> list[Sent]:
    return [replace(sent(bench.author(OTHER).seal(bench.person(OTHER))), agency=AGENCY)]


def _other_partition(bench: Bench) -> list[Sent]:
    record, author = bench.person(), bench.author()
    second = {**record, "header": {**record["header"], "version": 2, "message": "UPDATE"}}
    return [sent(author.seal(record)), sent(author.seal(second), partition=1)]


def _unknown_schema(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench)
    return [signed_message(bench, body, alert=name, hub=hub, number=990_100, sha256=os.urandom(32))]


def _other_prefix(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench)
    return [signed_message(bench, body, alert=name, hub=hub, prefix=registry.by_name("route").id)]


def _other_hash(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench)
    return [signed_message(bench, body, alert=name, hub=hub, sha256=os.urandom(32))]


def _truncated(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench)
    return [signed_message(bench, body[:-20], alert=name, hub=hub)]


def _not_avro(bench: Bench) -> list[Sent]:
    return [signed_message(bench, b"\xff" * 64)]


def _empty_body(bench: Bench) -> list[Sent]:
    return [signed_message(bench, b"")]


def _trailing_bytes(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench)
    return [signed_message(bench, body + b"\x00", alert=name, hub=hub)]


def _padded_number(bench: Bench) -> list[Sent]:
    body, hub, name = _body(bench)
    return [signed_message(bench, bytes((body[0] | 0x80, 0)) + body[1:], alert=name, hub=hub)]


def _no_hub(bench: Bench) -> list[Sent]:
    found = good(bench)
    return [_with_headers(found, found.headers[:1], found.digest)]


def _other_hub(bench: Bench) -> list[Sent]:
    found = good(bench)
    hub: Any = hub_header("LISTED", ["EG", "TR"])
    return [_with_headers(found, [found.headers[0], ("hub", codec.encode(registry.by_name("hub"), hub))], found.digest)]


def _two_hubs(bench: Bench) -> list[Sent]:
    found = good(bench)
    return [_with_headers(found, [*found.headers, found.headers[1]], found.digest)]


def _version_gap(bench: Bench) -> list[Sent]:
    record, author = bench.person(), bench.author()
    third = {**record, "header": {**record["header"], "version": 3, "message": "UPDATE"}}
    return [sent(author.seal(record)), sent(author.seal(third))]


def _equivocation(bench: Bench) -> list[Sent]:
    record, author = bench.person(), bench.author()
    return [sent(author.seal(record)), sent(author.seal({**record, "description": "Another one."}))]


def _unknown_alert(bench: Bench) -> list[Sent]:
    return [good(bench, version=2, message="UPDATE")]


def _end_of_unknown_alert(bench: Bench) -> list[Sent]:
    header = bench.person(version=2, message="CANCEL")["header"]
    end = {"header": header, "kind": "person", "reason": "NO_LONGER_WANTED", "note": ""}
    return [sent(bench.author().seal(end, "end"))]


def _another_agency_s_alert(bench: Bench) -> list[Sent]:
    """An update, by AGENCY, under the id of an alert that OTHER has: for AGENCY there is no such alert."""
    theirs = bench.person(OTHER)
    ours = bench.person(alert_id=theirs["header"]["alert_id"], version=2, message="UPDATE")
    return [sent(bench.author(OTHER).seal(theirs)), sent(bench.author().seal(ours))]


def _end_of_another_agency_s_alert(bench: Bench) -> list[Sent]:
    """Nobody ends what another has published, though they name it by its own id."""
    theirs = bench.person(OTHER)
    ours = _end(bench, theirs["header"]["alert_id"], 2)
    return [sent(bench.author(OTHER).seal(theirs)), sent(bench.author().seal(ours, "end"))]


def _published_again_after_a_withdrawal(bench: Bench) -> list[Sent]:
    record, author = bench.person(), bench.author()
    gone = _end(bench, record["header"]["alert_id"], 2)
    again = {**record, "header": {**record["header"], "version": 3}}
    return [sent(author.seal(record)), sent(author.seal(gone, "end")), sent(author.seal(again))]


def _end(bench: Bench, alert: str, version: int) -> dict[str, Any]:
    return end(AGENCY, alert, version, "WITHDRAW", now=bench.now)


def _expired(bench: Bench) -> list[Sent]:
    return [good(bench, sent_at=bench.now - 9 * DAY, effective_at=bench.now - 9 * DAY, expires_at=bench.now - DAY)]


def _formula_in_identifier(bench: Bench) -> list[Sent]:
    passport = {"type": "PASSPORT", "value": "=HYPERLINK(1)", "country": "AZ"}
    return [good(bench, record={"identifiers": [passport]})]


def _unknown_member_listed(bench: Bench) -> list[Sent]:
    return [sent(bench.author().seal(bench.person(), mode="LISTED", members=["ZZ"]))]


def _red_for_all(bench: Bench) -> list[Sent]:
    return [good(bench, handling={"codes": [], "note": "", "tlp": "RED", "onward": "NONE"})]


CASES: tuple[Case, ...] = (
    Case("null value", "MALFORMED", _null_value),
    Case("null key", "MALFORMED", _null_key),
    Case("bad magic byte", "MALFORMED", _bad_magic),
    Case("value shorter than its prefix", "MALFORMED", _short_value),
    Case("key that is not the signed one", "MALFORMED", _other_key),
    Case("over the limit", "TOO_LARGE", _too_large),
    Case("as large as the broker takes", "TOO_LARGE", _largest_that_the_broker_takes),
    Case("no signature", "BAD_SIGNATURE", _no_signature),
    Case("garbage for a signature", "BAD_SIGNATURE", _garbage_signature),
    Case("two signatures", "BAD_SIGNATURE", _two_signatures),
    Case("one changed byte", "BAD_SIGNATURE", _changed_byte),
    Case("signed as a receipt", "BAD_SIGNATURE", _signed_as_a_receipt),
    Case("kid not in the directory", "UNKNOWN_KEY", _unknown_key),
    Case("key past its validity", "KEY_NOT_VALID", _key_of("kz-fiu")),
    Case("key before its validity", "KEY_NOT_VALID", _key_of("ma-police")),
    Case("compromised key", "KEY_NOT_VALID", _key_of("tr-fiu")),
    Case("another agency's key", "WRONG_AGENCY", _signed_by(OTHER)),
    Case("an edge's key", "WRONG_AGENCY", _signed_by("edge.az")),
    Case("the hub's key", "WRONG_AGENCY", _signed_by("hub.gate")),
    Case("another agency in the body", "WRONG_AGENCY", _body_of_another),
    Case("another agency's message copied", "WRONG_AGENCY", _copied_message),
    Case("partition not the alert's", "WRONG_PARTITION", _other_partition),
    Case("schema id unknown", "SCHEMA_UNKNOWN", _unknown_schema),
    Case("prefix not the signed one", "SCHEMA_MISMATCH", _other_prefix),
    Case("hash not the released one", "SCHEMA_MISMATCH", _other_hash),
    Case("signed but truncated", "UNDECODABLE", _truncated),
    Case("signed but not Avro", "UNDECODABLE", _not_avro),
    Case("signed but empty", "UNDECODABLE", _empty_body),
    Case("trailing bytes", "NOT_CANONICAL", _trailing_bytes),
    Case("padded number", "NOT_CANONICAL", _padded_number),
    Case("hub header absent", "HUB_HEADER_MISMATCH", _no_hub),
    Case("hub header not the signed one", "HUB_HEADER_MISMATCH", _other_hub),
    Case("two hub headers", "HUB_HEADER_MISMATCH", _two_hubs),
    Case("version gap", "STALE_VERSION", _version_gap),
    Case("same version with other content", "EQUIVOCATION", _equivocation),
    Case("change of an unknown alert", "UNKNOWN_ALERT", _unknown_alert),
    Case("end of an unknown alert", "UNKNOWN_ALERT", _end_of_unknown_alert),
    Case("change of another agency's alert", "UNKNOWN_ALERT", _another_agency_s_alert),
    Case("end of another agency's alert", "UNKNOWN_ALERT", _end_of_another_agency_s_alert),
    Case("published again after a withdrawal", "RULE_TRANSITION", _published_again_after_a_withdrawal),
    Case("expired on arrival", "EXPIRED", _expired),
    Case("formula in an identifier", "RULE_FORMULA", _formula_in_identifier),
    Case("unknown member in the list", "RULE_AUDIENCE_UNKNOWN_MEMBER", _unknown_member_listed),
    Case("RED for everybody", "RULE_TLP_RED_LISTED", _red_for_all),
)
