"""Addresses of virtual assets: Bitcoin and its kin, Ethereum and its kin, TRON.

All carry checksums, but for Ethereum in one case of letters.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from manara.matching.identifiers.folding import plain
from manara.matching.identifiers.keccak import keccak256
from manara.matching.identifiers.model import Identifier, bad, good

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VERSIONS: Final = {
    0x00: "Bitcoin", 0x05: "Bitcoin", 0x30: "Litecoin", 0x32: "Litecoin", 0x1E: "Dogecoin", 0x4C: "Dash", 0x41: "TRON",
}  # fmt: skip
"""The version byte of an address on the main network."""
_PAYLOAD: Final = 25
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANT: Final = 1
_BECH32M_CONSTANT: Final = 0x2BC830A3
_PREFIXES: Final = {"bc": "Bitcoin", "ltc": "Litecoin"}
_SEGWIT: Final = re.compile(rf"(bc|ltc)1([{_BECH32}]{{11,87}})")
_LEGACY: Final = re.compile(rf"[{_BASE58}]{{25,36}}")
_ETHEREUM: Final = re.compile(r"0[xX]([0-9a-fA-F]{40})")
_SCHEME: Final = re.compile(r"^(?:(?:bitcoin|litecoin|dogecoin|dash|ethereum|tron):(?://)?)+", re.IGNORECASE)
_LONGEST: Final = 100


def wallet(raw: str) -> Identifier:
    """An address, its checksum judged: base58check, bech32 and bech32m (BIP 173, BIP 350), EIP-55."""
    text = _SCHEME.sub("", plain("".join(plain(raw).split()))).split("?", 1)[0][:_LONGEST]
    if found := _ETHEREUM.fullmatch(text):
        return _ethereum(found.group(1))
    if found := _SEGWIT.fullmatch(text.lower() if text.isupper() else text):
        return _segwit(found.group(1), found.group(2))
    if _LEGACY.fullmatch(text):
        return _legacy(text)
    return bad("wallet", text, "not an address of Bitcoin, Litecoin, Dogecoin, Dash, Ethereum or TRON")


def _ethereum(digits: str) -> Identifier:
    low = digits.lower()
    if len(set(low)) == 1:
        return good("wallet", f"0x{low}", "an address that nobody owns", strong=False)
    if digits in (low, digits.upper()):
        return good("wallet", f"0x{low}", "written without a checksum")
    nibbles = keccak256(low.encode()).hex()
    capital = "".join(c.upper() if int(n, 16) >= 8 else c for c, n in zip(low, nibbles, strict=False))  # noqa: PLR2004
    if capital != digits:
        return bad("wallet", f"0x{digits}", "checksum wrong (EIP-55)")
    return good("wallet", f"0x{low}", "checksum right (EIP-55)")


def _legacy(text: str) -> Identifier:
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    zeros = len(text) - len(text.lstrip("1"))
    payload = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    body, check = payload[:-4], payload[-4:]
    if len(payload) != _PAYLOAD or hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] != check:
        return bad("wallet", text, "checksum wrong (base58check)")
    coin = _VERSIONS.get(body[0])
    if coin is None:
        return bad("wallet", text, "an address of no network known here")
    return good("wallet", text, f"{coin}, checksum right (base58check)", strong=any(body[1:]))


def _segwit(prefix: str, data: str) -> Identifier:
    text = f"{prefix}1{data}"
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + [_BECH32.index(c) for c in data]
    version = _BECH32.index(data[0])
    expected = _BECH32M_CONSTANT if version else _BECH32_CONSTANT
    if _polymod(values) != expected:
        return bad("wallet", text, "checksum wrong (bech32)")
    return good("wallet", text, f"{_PREFIXES[prefix]}, checksum right (bech32)")


def _polymod(values: list[int]) -> int:
    """The remainder of BIP 173's code."""
    rest = 1
    for value in values:
        top = rest >> 25
        rest = (rest & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATOR):
            rest ^= generator if top >> place & 1 else 0
    return rest
