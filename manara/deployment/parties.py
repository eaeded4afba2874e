"""The parties of a network on one machine: their roots, keys, settings files, and the directory that names them all.

In life each member makes its own keys and tells its fingerprint in person. Here one program makes them all, through the
same functions, so that everything after this file runs as in life.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from manara import keys
from manara.deployment.home import Home, settings_file
from manara.directory_file import DirectoryDraft, dump_yaml
from manara.embedded.files import write_private
from manara.embedded.kafka import EmbeddedKafka
from schemas.directory import HUB_STAGES, OPERATOR, fingerprint
from schemas.models import CertifiedKey
from schemas.signature import SigningKey

VALID_DAYS: Final = 365
"""How long a key made here holds."""
RENEW_DAYS: Final = 30
"""A start so long before a key's end, or after it, gives the same key another term."""


@dataclass(frozen=True)
class Issuer:
    """Makes and certifies keys at one moment (`now`, microseconds)."""

    home: Home
    now: int

    def roots(self, draft: DirectoryDraft) -> dict[str, SigningKey]:
        """A root for each member and the operator, kept under `roots/`; made on the first start, then the same."""
        return {name: self._kept(self.home.root / "roots" / f"{name}.pem") for name in (*draft.members, OPERATOR)}

    def certified(
        self, draft: DirectoryDraft, roots: Mapping[str, SigningKey], known: Container[str]
    ) -> Iterator[CertifiedKey]:
        """The keys of all agencies, edges and stages of the hub but the known ones, each certified by its root."""
        for holder, folder in holders(self.home, draft):
            key = self._kept(folder / "key.pem")
            if holder not in known:
                yield self.certify(holder, key, roots)

    def renewed(
        self, draft: DirectoryDraft, roots: Mapping[str, SigningKey], known: Sequence[CertifiedKey]
    ) -> list[CertifiedKey]:
        """The known keys; those that their holders still sign with and that end soon are certified for another term."""
        used = {self._kept(folder / "key.pem").public.hex() for _holder, folder in holders(self.home, draft)}
        return [self._renewed(key, roots) if keys.entry_of(key)["public_key"] in used else key for key in known]

    def _renewed(self, key: CertifiedKey, roots: Mapping[str, SigningKey]) -> CertifiedKey:
        entry = keys.entry_of(key)
        if entry["compromised_since"] or entry["valid_until"] > self.now + RENEW_DAYS * keys.DAY:
            return key
        holder, public = entry["holder"], bytes.fromhex(entry["public_key"])
        start, until = entry["valid_from"], self.now + VALID_DAYS * keys.DAY
        root = roots[keys.root_name(holder)]
        return keys.certify(holder, public, root, valid_from=start, valid_until=until, after=entry)

    def certify(
        self,
        holder: str,
        key: SigningKey,
        roots: Mapping[str, SigningKey],
        *,
        since_days: int = 30,
        days: int = VALID_DAYS,
    ) -> CertifiedKey:
        """A certified key that holds from `since_days` ago for `days` from now; negative for one that has expired."""
        return keys.certify(
            holder,
            key.public,
            roots[keys.root_name(holder)],
            valid_from=self.now - since_days * keys.DAY,
            valid_until=self.now + days * keys.DAY,
        )

    @staticmethod
    def _kept(path: Path) -> SigningKey:
        if not path.exists():
            keys.save(path, SigningKey.generate())
        return keys.load(path)


def holders(home: Home, draft: DirectoryDraft) -> Iterator[tuple[str, Path]]:
    """Everybody who signs, and the folder that its key lies in."""
    for agency in draft.agencies:
        yield agency, home.agency(agency)
    for code in draft.members:
        yield f"edge.{code.lower()}", home.member(code)
    for stage in HUB_STAGES:
        yield f"hub.{stage}", home.hub(stage)


def write_directory(
    home: Home, draft: DirectoryDraft, roots: Mapping[str, SigningKey], certified: list[CertifiedKey]
) -> DirectoryDraft:
    """Write the runtime copy of the directory and the pins; give the directory back with roots and keys in it."""
    complete = draft.with_roots({name: root.public for name, root in roots.items()}).with_keys(certified)
    home.directory.write_text(dump_yaml(complete), encoding="utf-8")
    pins = "".join(f'{name} = "{fingerprint(root.public)}"\n' for name, root in roots.items())
    home.roots.write_text(f"# SHA-256 of each root's public key, told in person\n{pins}", encoding="utf-8")
    return complete


def write_admin_settings(home: Home, kafka: EmbeddedKafka) -> Path:
    """Settings of the cluster's administrator, for `topics apply` alone."""
    write_private(home.password(kafka.admin_username), kafka.admin_password.encode())
    return _write(home, home.admin, kafka, kafka.admin_username, {})


def write_settings(home: Home, draft: DirectoryDraft, kafka: EmbeddedKafka, databases: Mapping[str, str]) -> None:
    """A `manara.toml` for the operator, each stage of the hub, each agency and each member's edge."""
    _write(home, home.operator, kafka, "operator", {})
    for stage in HUB_STAGES:
        _write(home, home.hub(stage), kafka, f"hub.{stage}", {"key": "key.pem"})
    for agency in draft.agencies:
        _write(
            home, home.agency(agency), kafka, agency, {"agency": agency, "member": agency[:2].upper(), "key": "key.pem"}
        )
    for code in draft.members:
        special = {"member": code, "key": "key.pem", "postgres": databases[code]}
        _write(home, home.member(code), kafka, f"edge.{code.lower()}", special)


def _write(home: Home, folder: Path, kafka: EmbeddedKafka, principal: str, special: Mapping[str, str]) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    top = {"folder": str(folder), "roots_file": str(home.roots), "log_format": "json", **special}
    inner = {
        "bootstrap": kafka.bootstrap,
        "security": "SASL_SSL",
        "ca": str(kafka.ca),
        "username": principal,
        "password_file": str(home.password(principal)),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in top.items()]
    lines += ["", "[kafka]", *(f"{name} = {json.dumps(value)}" for name, value in inner.items())]
    path = settings_file(folder)
    write_private(path, ("\n".join(lines) + "\n").encode())  # a member's holds its database password
    return path
