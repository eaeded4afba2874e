"""The alerts of a benchmark: real ones, each with its own content, signed by its author, chained, 600 to 700 bytes.

They are made once a benchmark, before anything is measured, and kept in memory. All persons and routes are invented.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas import codec, message, registry
from schemas.identifiers import RANDOM_BYTES, uuid7
from schemas.models import Admitted, HubHeader
from schemas.signature import SigningKey

DAY: Final = 86_400_000_000
SIZE: Final = 650
"""Bytes of a value, about; the narrative makes up the difference."""
KIND: Final = "person"
GIVEN: Final = ("Tural", "Leyla", "Omar", "Aigerim", "Youssef", "Elif", "Samir", "Dana", "Karim", "Zehra")
FAMILY: Final = ("Inventedov", "Noonesson", "Al-Muqayyal", "Testova", "Ben Mithal", "Ornek", "Sample", "Nobody")
_SENTENCES: Final = (
    "the vehicle was seen near station north border officer reports two persons travelling with documents that were "
    "stolen last week contact national bureau before any action armed caution minor red white sedan truck"
)
WORDS: Final = tuple(_SENTENCES.split())


class Made(NamedTuple):
    """One sealed alert, ready for Kafka, and what the reference says of it."""

    agency: str
    alert_id: str
    key: bytes
    value: bytes
    sig: bytes
    hub: bytes
    digest: str
    expires_at: int
    members: tuple[str, ...]  # whom it must be delivered to, sorted


@dataclass(frozen=True)
class Order:
    """What one agency shall write: so many alerts, each addressed to `readers` of the other members."""

    agency: str
    seed: bytes
    count: int
    readers: int
    others: tuple[str, ...]
    now: int


def make(keys: Mapping[str, SigningKey], members: Sequence[str], count: int, readers: int, now: int) -> list[Made]:
    """`count` alerts of these agencies by turns, made by all cores; the same agencies, the same shares."""
    agencies = sorted(keys)
    shares = [count // len(agencies) + (at < count % len(agencies)) for at in range(len(agencies))]
    orders = [
        Order(agency, keys[agency].seed, share, readers, tuple(m for m in members if m != agency[:2].upper()), now)
        for agency, share in zip(agencies, shares, strict=True)
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        written = list(pool.map(write, orders))
    return [alerts[at] for at in range(max(shares)) for alerts in written if at < len(alerts)]


def write(order: Order) -> list[Made]:
    """All alerts of one order, in the order of their chain."""
    dice = random.Random(order.agency)  # noqa: S311 - content, not secrets
    key, previous = SigningKey.from_seed(order.seed), ""
    found = []
    for number in range(order.count):
        listed = sorted(dice.sample(order.others, order.readers))
        made = _seal(order, key, number, listed, previous, dice)
        previous = made.digest
        found.append(made)
    return found


def _seal(order: Order, key: SigningKey, number: int, listed: list[str], previous: str, dice: random.Random) -> Made:
    record = person(order.agency, order.now, dice)
    hub: HubHeader = {
        "mode": "LISTED",
        "members": listed,
        "sequence": number + 1,
        "previous": previous,
        "salt": dice.randbytes(32).hex(),
    }
    sealed = message.seal(registry.by_name(KIND), record, hub, key)
    (_, sig), (_, header) = sealed.headers
    expires, members = record["header"]["expires_at"], tuple(listed)
    return Made(order.agency, sealed.alert_id, sealed.key, sealed.value, sig, header, sealed.digest, expires, members)


def person(agency: str, now: int, dice: random.Random) -> dict[str, Any]:
    """A complete record that breaks no rule, with a new id."""
    given, family = dice.choice(GIVEN), dice.choice(FAMILY)
    place = {"date": f"{dice.randint(1950, 2004)}-{dice.randint(1, 12):02}", "place": "", "country": agency[:2].upper()}
    parts = [{"kind": "GIVEN", "value": given}, {"kind": "FAMILY", "value": family}]
    name = {"full": f"{given} {family}", "parts": parts, "script": "Latn", "lang": "en", "kind": "BIRTH"}
    passport = {"type": "PASSPORT", "value": f"P{dice.randrange(10**8):08}", "country": agency[:2].upper()}
    return {
        "header": _header(agency, now, dice),
        "names": [name],
        "births": [place],
        "sex": "MALE",
        "nationalities": [agency[:2].upper()],
        "identifiers": [passport],
        "occupations": [],
        "description": "",
        "warnings": [],
        "last_seen": [],
        "images": [],
        "not_this_person": [],
    }


def _header(agency: str, now: int, dice: random.Random) -> dict[str, Any]:
    return {
        "alert_id": uuid7(now, dice.randbytes(RANDOM_BYTES)),
        "category": "WNT",
        "version": 1,
        "message": "ALERT",
        "status": "EXERCISE",
        "member": agency[:2].upper(),
        "agency": agency,
        "unit": "",
        "national_ref": f"B-{dice.randrange(10**9):09}",
        "sent_at": now,
        "effective_at": now,
        "expires_at": now + 30 * DAY,
        "review_at": 0,
        "precedence": "PRIORITY",
        "action": "LOCATE",
        "crimes": ["OTHER_TRANSNATIONAL"],
        "legal_basis": {
            "instrument": "Criminal Procedure Code",
            "article": "Art. 155",
            "decision_ref": f"2026/{dice.randrange(10**4)}",
            "authority": "District Court",
            "decided_on": "2026-10-01",
            "valid_until": "",
            "max_penalty_months": 60,
        },
        "handling": {"codes": [], "note": "", "tlp": "AMBER", "onward": "NONE"},
        "evaluation": {"scheme": "FOUR_BY_FOUR", "source": "A", "information": "1"},
        "references": [],
        "other_channels": [],
        "hub_digest": "",
        "annex_digests": [],
        "tokens": [],
        "narrative": [{"lang": "en", "text": _narrative(dice)}],
    }


def _narrative(dice: random.Random) -> str:
    return " ".join(dice.choices(WORDS, k=49))


def admitted(made: Made, offset: int) -> Admitted:
    """What the gate's block says of an alert that stood at this offset of its inlet."""
    return {
        "agency": made.agency,
        "alert_id": made.alert_id,
        "kind": KIND,
        "version": 1,
        "message": "ALERT",
        "digest": made.digest,
        "admitted_at": made.expires_at - 30 * DAY,
        "expires_at": made.expires_at,
        "precedence": "PRIORITY",
        "directory_seq": 1,
        "partition": 0,
        "offset": offset,
        "deliver": list(made.members),
        "leave": [],
        "rules": ["AUDIENCE_LISTED", "NOT_LISTED", "OWN_ALERT"],
        "trace": "",
        "hub": made.hub,
        "signature": made.sig,
        "value": made.value,
    }


def block(lane: int, items: Sequence[Admitted]) -> bytes:
    """A block as it stands in `admitted.v1`."""
    schema = registry.by_name("block")
    return codec.frame(schema, codec.encode(schema, {"lane": lane, "positions": [], "admitted": list(items)}))


def poisoned(made: Made) -> Made:
    """The same with a signature that does not hold."""
    return made._replace(sig=made.sig[:-1] + bytes([made.sig[-1] ^ 1]))


def fingerprint(key: bytes, value: bytes) -> bytes:
    """What two outputs are compared by."""
    return hashlib.blake2b(key + value, digest_size=12).digest()
