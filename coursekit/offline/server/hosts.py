"""Which Host headers are answered. A page on the web can point a name of its own at this machine
(DNS rebinding) and would then be the server's "own page", but it cannot send a Host other than
that name."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache

ELSEWHERE = (
    "This server does not answer to the name {name!r}. Use its numeric address. If the server is "
    "meant to have that name, start it with COURSEKIT_HOSTS={name}"
)


class Hosts:
    """Numeric addresses, names that no website can have, this machine's own names, and ``more``."""

    def __init__(self, more: str = "") -> None:
        own = {
            socket.gethostname().lower(),
            *(name.strip().lower() for name in more.split(",") if name.strip()),
        }
        self.answers = lru_cache(maxsize=256)(
            lambda header: _is_own(header, own)
        )


def name_in(header: str) -> str:
    """The host in a Host header, without its port."""
    name = header.strip().lower()
    return (
        name.partition("]")[0].removeprefix("[")
        if name.startswith("[")
        else name.partition(":")[0]
    )


def _is_own(header: str, own: set[str]) -> bool:
    name = name_in(header).rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return (
            "." not in name
            or name.endswith((".local", ".localhost", ".internal"))
            or name in own
        )
    return True
