"""Which addresses a server may be sent to by a client's URL: those of the open internet alone."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final

Resolve = Callable[[str, int], Sequence[str]]
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
)

_CLOSED: Final = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"))
"""Protocols' own, at one of which a cloud answers; some versions of Python call them global."""


def resolve_all(host: str, port: int) -> Sequence[str]:
    """Every address of a name.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def is_public(text: str) -> bool:
    """Whether an address is of the open internet: not this machine, its networks, or what clouds answer at.

    An IPv6 address that carries an IPv4 one is judged by both.
    """
    address = ipaddress.ip_address(text)
    return all(_is_open(one) for one in (address, *_carried(address)))


def _is_open(address: IPAddress) -> bool:
    carrier = address in _NAT64[0] if address.version == 6 else False
    closed = (
        any(address in network for network in _CLOSED if network.version == address.version)
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    return carrier or (address.is_global and not closed)


def _carried(address: IPAddress) -> tuple[IPAddress, ...]:
    """IPv4 addresses inside an IPv6 one: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    found: list[IPAddress] = []
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    if any(address in network for network in _NAT64):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(found)
