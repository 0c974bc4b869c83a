"""Addresses of servers."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_this_machine(address: str) -> bool:
    """Return whether a URL or a host refers to this machine itself: localhost, or a loopback
    address.
    """
    try:
        # an IPv6 address, not host:port
        bare = address.count(":") > 1 and "://" not in address
        host = (
            address
            if bare
            else urlsplit(f"//{address.rpartition('//')[2]}").hostname or ""
        )
        if host == "localhost" or host.endswith(".localhost"):
            return True
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
