"""Ships, vehicles, freight containers, radios and aircraft."""

from __future__ import annotations

import re
from typing import Final

from manara.matching.identifiers import checks
from manara.matching.identifiers.folding import as_digits, as_letters, digits, latin
from manara.matching.identifiers.model import Identifier, bad, good, is_filler

_IMO: Final = re.compile(r"(?:IMO)?(?:NUMBER|NUM|NO|NR|N)?([0-9OIL]*)")
_IMO_DIGITS: Final = 7
_LONGEST_NUMBER: Final = 20
_VIN: Final = re.compile(r"[0-9A-HJ-NPR-Z]{17}")
_VIN_LABELLED: Final = 20
_VIN_CHECK: Final = 8
_NORTH_AMERICA: Final = "12345"
_CONTAINER: Final = re.compile(r"[A-Z]{3}[UJZ][0-9]{7}")
_OWNER: Final = 4
_MMSI: Final = re.compile(r"[2-7][0-9]{8}")
_IMEI_BODY: Final = 14
_IMEI: Final = 15
_IMEI_WITH_SOFTWARE: Final = 16
_CALLSIGN: Final = re.compile(r"(?:[A-Z]{1,2}|[0-9][A-Z]|[A-Z][0-9])[A-Z0-9]{2,5}")
_TAIL: Final = re.compile(r"[A-Z0-9]{4,7}")
TAIL_PREFIXES: Final = (
    "TC", "4K", "A6", "A7", "A9C", "9K", "HZ", "OD", "YK", "YI", "JY", "70", "7O", "4W", "A4O", "SU", "5A", "TS",
    "7T", "CN", "5T", "6V", "C5", "J5", "TZ", "TU", "XT", "5U", "TT", "5N", "TJ", "TR", "9L", "9G", "5V", "TY", "ST",
    "6O", "J2", "D6", "E5", "C9", "5X", "EP", "YA", "AP", "S2", "8Q", "PK", "9M", "V8", "UP", "EY", "EZ", "EX", "UK",
    "ZA", "PZ", "8R", "RA", "RF", "EW", "UR", "ER", "4L", "EK", "LZ", "SX", "5B", "YR", "HA", "OM", "OK", "SP", "D",
    "OE", "HB", "I", "F", "EC", "CS", "CR", "G", "EI", "PH", "OO", "LX", "OY", "SE", "LN", "OH", "TF", "N", "C", "VT",
    "4R", "9V", "HS", "B", "JA", "HL", "VH", "ZK", "ZS", "ET", "5Y", "5H", "5R", "9J", "Z", "V5", "D2", "9Q", "TN",
    "TL", "3C", "S9", "D4", "EL", "3X", "LV", "PT", "CC", "YV", "HC", "HK", "HP", "XA", "M", "P4", "VP", "VQ", "T7",
    "9H", "4X", "E7", "YU", "Z3", "9A", "S5", "LY", "YL", "ES",
)  # fmt: skip
"""Nationality marks of aircraft (ICAO Annex 7, supplement)."""


def imo(raw: str) -> Identifier:
    """An IMO ship number, which stays with the hull for life: `IMO` and seven digits, the last a check digit."""
    text = latin(raw)
    found = _IMO.fullmatch(text)
    number = as_digits(found.group(1))[:_LONGEST_NUMBER] if found else ""
    if not number:
        return bad("imo", text, "not a number of seven digits")
    if len(number) != _IMO_DIGITS or number[0] == "0":
        return bad("imo", f"IMO{number}", "a ship has seven digits, the first not 0")
    if checks.imo(number) != number[-1]:
        return bad("imo", f"IMO{number}", "check digit wrong")
    return good("imo", f"IMO{number}", "check digit right")


def vin(raw: str) -> Identifier:
    """A vehicle identification number (ISO 3779): O, I and Q never occur and are read as 0 and 1.

    Only North America demands the check digit. Elsewhere a number without it is still judged wrong here, as a registry
    of North America would, but 17 characters of the right alphabet identify the vehicle: it stays strong.
    """
    text = latin(raw)
    text = (text[3:] if len(text) == _VIN_LABELLED and text.startswith("VIN") else text).translate(_VIN_READ)
    if not _VIN.fullmatch(text):
        return bad("vin", text, "17 letters and digits make a vehicle number")
    if checks.vin(text) == text[_VIN_CHECK]:
        return good("vin", text, "check digit right", strong=not is_filler(text))
    if text[0] in _NORTH_AMERICA:
        return bad("vin", text, "check digit wrong, which North America demands")
    reason = "check digit wrong; makers outside North America write none"
    return Identifier("vin", text, valid=False, reason=reason, strong=len(set(text)) > _DULL)


_VIN_READ: Final = str.maketrans("OQI", "001")
_DULL: Final = 4
"""So few different characters are a placeholder, not a vehicle."""


def container(raw: str) -> Identifier:
    """A freight container (ISO 6346): owner, category U, J or Z, six digits and the check digit."""
    written = latin(raw)
    text = as_letters(written[:_OWNER]) + as_digits(written[_OWNER:])
    if not _CONTAINER.fullmatch(text):
        return bad("container", written, "four letters (the last U, J or Z) and seven digits make a container number")
    if checks.container(text) != text[-1]:
        return bad("container", text, "check digit wrong")
    return good("container", text, "check digit right")


def mmsi(raw: str) -> Identifier:
    """The number of a ship's radio (ITU-R M.585): nine digits, the first a region, 2 to 7; it changes with the flag."""
    text = digits(raw)
    if not _MMSI.fullmatch(text) or is_filler(text):
        return bad("mmsi", text or latin(raw), "nine digits, the first 2 to 7, make a ship station")
    return good("mmsi", text, "no check digit; it changes with the flag")


def imei(raw: str) -> Identifier:
    """A mobile device (3GPP TS 23.003): fifteen digits, the last by Luhn; with a software version it has sixteen."""
    text = digits(raw)
    if len(text) == _IMEI_WITH_SOFTWARE or len(text) == _IMEI_BODY:
        text = text[:_IMEI_BODY] + checks.luhn(text[:_IMEI_BODY])
        return good("imei", text, "check digit made anew", strong=not is_filler(text[:_IMEI_BODY]))
    if len(text) != _IMEI or is_filler(text):
        return bad("imei", text or latin(raw), "fifteen digits make a device")
    if checks.luhn(text[:_IMEI_BODY]) != text[-1]:
        return bad("imei", text, "check digit wrong")
    return good("imei", text, "check digit right")


def callsign(raw: str) -> Identifier:
    """A radio call sign: short, and given anew when a ship is sold, so it never joins alone."""
    text = latin(raw)
    if not _CALLSIGN.fullmatch(text):
        return bad("callsign", text, "four to seven letters and digits make a call sign")
    return good("callsign", text, "too short to stand alone", strong=False)


def tail_number(raw: str) -> Identifier:
    """The registration of an aircraft, without its dash."""
    text = latin(raw)
    if not _TAIL.fullmatch(text) or not text.startswith(TAIL_PREFIXES):
        return bad("tail_number", text, "a nationality mark and letters or digits make a registration")
    return good("tail_number", text, "nationality mark known", strong=not is_filler(text))
