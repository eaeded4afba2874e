"""A certificate authority of a server's own, and the server's certificate, made on the first start.

Elliptic curve P-256; keys as PKCS#8 PEM because Kafka reads no other; every file readable by its owner alone.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from manara.embedded.errors import CertificateError
from manara.embedded.files import write_private

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
RENEW_DAYS = 30
"""A server certificate with less than this left is made anew at the next start."""
AGAIN = "Delete it and start again: it is made anew."
SKEW = dt.timedelta(hours=1)
"""Certificates begin this much in the past, so that a clock somewhat behind accepts them."""


@dataclass(frozen=True)
class Tls:
    """The files of a server's TLS: the authority's certificate, and key with certificate chain in one file."""

    ca: Path
    keystore: Path


def ensure_certificates(folder: Path, name: str, *, now: dt.datetime | None = None) -> Tls:
    """Make, in `folder`, what is missing or about to expire; the server answers as localhost and 127.0.0.1.

    The authority is kept, so that clients which trust it go on doing so when the server's certificate is renewed.
    """
    moment = now or dt.datetime.now(dt.UTC)
    tls = Tls(folder / "ca.pem", folder / "server.pem")
    authority_key = folder / "ca.key"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (tls.ca.exists() and authority_key.exists()):
        _make_authority(tls.ca, authority_key, f"{name} CA", moment)
        tls.keystore.unlink(missing_ok=True)
    if not tls.keystore.exists() or expires(tls.keystore) < moment + dt.timedelta(days=RENEW_DAYS):
        _make_server(tls, authority_key, name, moment)
    return tls


def expires(path: Path) -> dt.datetime:
    """When the first certificate in a PEM file ends. Raises `CertificateError` when there is none to read."""
    return _certificate(path).not_valid_after_utc


def _make_authority(certificate: Path, key_file: Path, name: str, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(_name(name), _name(name), key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(key_file, _key_pem(key))
    write_private(certificate, made.public_bytes(serialization.Encoding.PEM))


def _make_server(tls: Tls, authority_key: Path, name: str, now: dt.datetime) -> None:
    authority, signer = _certificate(tls.ca), _key(authority_key)
    key = ec.generate_private_key(ec.SECP256R1())
    # CLIENT_AUTH too: the broker is also a client, of itself and of the controller
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        _builder(_name(name), authority.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    chain = [certificate.public_bytes(serialization.Encoding.PEM) for certificate in (made, authority)]
    write_private(tls.keystore, _key_pem(key) + b"".join(chain))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    """What every certificate of ours has."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise CertificateError(f"{path} holds no readable certificate: {error}.", AGAIN) from error


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise CertificateError(f"{path} holds no readable key: {error}.", AGAIN) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path} is not an elliptic curve key.", AGAIN)
    return key
