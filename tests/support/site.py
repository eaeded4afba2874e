"""A small network on the run's broker: its topics carry a prefix of their own, its users and rights are real."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from manara import keys
from manara.administration import Administrator, password_path
from manara.directory_file import DirectoryDraft
from manara.settings import KafkaSettings, Security, Settings
from schemas.directory import Agency, Member, fingerprint
from schemas.models import CertifiedKey
from schemas.signature import SigningKey
from schemas.topics import Names
from tests.support.directories import DAY, NOW, key_of
from tests.support.kafka import Broker

WAIT = 20.0


def until(look: Callable[[], Any], what: str, seconds: float = WAIT) -> Any:
    """Look until there is something true, and give it back; fail when the time is over."""
    deadline = monotonic() + seconds
    while not (found := look()):
        assert monotonic() < deadline, what
    return found


@dataclass
class Site:
    """Two members, each with one agency; every name is this site's own."""

    broker: Broker
    folder: Path
    prefix: str = field(default_factory=lambda: Broker.unique("site") + ".")
    tail: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def names(self) -> Names:
        """Its topics."""
        return Names(self.prefix)

    @property
    def secrets(self) -> Path:
        """Its passwords."""
        return self.folder / "secrets"

    def agency(self, code: str) -> str:
        """The agency of a member."""
        return f"{code.lower()}-{self.tail}"

    def root(self, name: str) -> SigningKey:
        """The root of a member or the operator."""
        return key_of(f"site root {name}")

    @property
    def pins(self) -> dict[str, str]:
        """What everybody has pinned."""
        return {name: fingerprint(self.root(name).public) for name in ("QA", "QB", "operator")}

    def draft(self, *, standing: str = "GOOD", valid_days: int = 365, start: int = NOW) -> DirectoryDraft:
        """Its directory with a key for each holder; `standing` is that of QB."""
        members = {
            code: Member(
                code=code,
                name=f"Land {code}",
                standing="GOOD" if code == "QA" else standing,  # type: ignore[arg-type]  # tests may say what they like
                root="",
                root_fingerprint="",
                tlp="RED",
                handling=frozenset(),
                subscriptions=frozenset({"person"}),
            )
            for code in ("QA", "QB")
        }
        agencies = {
            self.agency(code): Agency(self.agency(code), code, f"Agency of {code}", frozenset({"person"}))
            for code in members
        }
        roots = {name: self.root(name).public for name in (*members, "operator")}
        holders = [*agencies, "edge.qa", "edge.qb", "hub.gate", "hub.clock"]
        certified = [self.certified(holder, valid_days=valid_days, start=start) for holder in holders]
        return DirectoryDraft(members, agencies).with_roots(roots).with_keys(certified)

    def certified(self, holder: str, *, valid_days: int = 365, start: int = NOW) -> CertifiedKey:
        """The key of a holder, certified by its root."""
        root = self.root(keys.root_name(holder))
        valid_from = start - DAY
        valid_until = start + valid_days * DAY
        return keys.certify(holder, key_of(holder).public, root, valid_from=valid_from, valid_until=valid_until)

    def kafka(self, user: str = "", **changes: Any) -> KafkaSettings:
        """How a principal logs in; the administrator when none is named."""
        given: dict[str, Any] = {
            "bootstrap": self.broker.bootstrap,
            "security": Security.SASL_SSL,
            "ca": self.broker.ca,
            "username": user or self.broker.admin_username,
        }
        if user:
            given["password_file"] = password_path(self.secrets, user)
        else:
            given["password"] = self.broker.admin_password
        return KafkaSettings(**{**given, **changes})

    def settings(self, user: str = "", **more: Any) -> Settings:
        """The settings of a principal."""
        kafka = more.pop("kafka", None) or self.kafka(user)
        defaults = {"folder": self.folder / (user or "admin"), "roots": self.pins, "lanes": 2}
        return Settings(kafka=kafka, topic_prefix=self.prefix, **{**defaults, **more})

    def administrator(self) -> Administrator:
        """Whoever may make topics, rights and users here."""
        return Administrator(self.settings(), self.secrets)

    def apply(self, draft: DirectoryDraft | None = None) -> None:
        """Make the cluster as the catalogue says."""
        administrator = self.administrator()
        administrator.apply(administrator.plan((draft or self.draft()).directory()))
