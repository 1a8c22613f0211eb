"""Which addresses are spoken to: public ones. Others only where the host is allowed by name.

A name is resolved once; what was checked is what is connected to, so that no second answer of a name server can lead
elsewhere.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_REFUSED: Final = tuple(
    (ip_network(net), why)
    for net, why in (
        ("192.88.99.0/24", "a 6to4 relay"),
        ("::ffff:0:0/96", "an IPv4 address in IPv6"),
        ("::ffff:0:0:0/96", "a translated IPv4 address"),
        ("::/96", "an IPv4 address in IPv6"),
        ("64:ff9b::/96", "a NAT64 form"),
        ("64:ff9b:1::/48", "a NAT64 form"),
        ("2001::/32", "a Teredo form"),
        ("2001:10::/28", "an ORCHID"),
        ("2001:20::/28", "an ORCHID"),
        ("2002::/16", "a 6to4 form"),
        ("3fff::/20", "for documentation"),
    )
)
_UNICAST: Final = ip_network("2000::/3")


class AddressRefused(Exception):
    """A host that is not spoken to, with what to do."""


def wrong_with(address: str) -> str | None:
    """Why an address is not one of the public Internet; None if it is."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return "no address"
    for name, is_it in (
        ("unspecified", ip.is_unspecified),
        ("loopback", ip.is_loopback),
        ("link-local", ip.is_link_local),
        ("multicast", ip.is_multicast),
    ):
        if is_it:
            return name
    for network, why in _REFUSED:
        if ip.version == network.version and ip in network:
            return why
    if not ip.is_global or ip.is_reserved:
        return "private or reserved"
    return None if ip.version == 4 or ip in _UNICAST else "not of the public Internet"


async def resolved(host: str, port: int) -> list[str]:
    """All addresses of a host, as the system finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def refuse_any(host: str, addresses: Sequence[str], allowed: frozenset[str]) -> None:
    """Raise `AddressRefused` if one of a host's addresses is not public and its name is not allowed."""
    if host.lower().rstrip(".") in allowed:
        return
    for address in addresses:
        why = wrong_with(address)
        if why is not None:
            raise AddressRefused(
                f"the host resolves to {address}, which is {why}; add the host to allow_hosts if that is intended"
            )
