"""Connections to where the settings say and nowhere else: the address that is checked is the one that is connected to.

A name is resolved once, every address it has is checked, and the connection goes to a checked address, not to the name
again, so that a name server that changes its answer in between (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket

from consumers.errors import SinkUnavailableError


def connect(host: str, port: int, timeout: float, *, allow_private: bool) -> socket.socket:
    """A TCP connection to a checked address of this host. Raises `SinkUnavailableError`; `OSError` where none
    answers."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise SinkUnavailableError(f"The name {host} cannot be resolved.", "Correct the setting, or wait.") from error
    addresses = list(dict.fromkeys(str(where[4][0]) for where in found))
    refused = [address for address in addresses if not (allow_private or public(address))]
    if refused:
        raise SinkUnavailableError(
            f"{host} is at {refused[0]}, which is no public address.",
            "If this receiver is really in your own network, set allow_private for it.",
        )
    for last, address in enumerate(addresses, 1):
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            if last == len(addresses):
                raise
    raise SinkUnavailableError(f"The name {host} has no address.", "Correct the setting.")


def public(address: str) -> bool:
    """Whether this is an address of the public internet, also where an IPv6 one carries an IPv4 one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return public(str(inner))
        if found in _NAT64:
            return public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
