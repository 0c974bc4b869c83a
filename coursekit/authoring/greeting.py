"""What ``coursekit serve`` says when it starts: where it answers, with which keys, and what it opens."""

from __future__ import annotations

import socket
from pathlib import Path

BODY = '{"model": "gpt-4o", "messages": [...], "stream": true}'
OPENED = "to every machine that can reach this one and knows the access token, which travels unencrypted"


def greeting(address: str, access: str | None, new_admin_token: str | None, opened: bool) -> str:
    """For a server of the offline API.

    address          like "http://127.0.0.1:8000"
    access           the access token, if there is one; it is not shown
    new_admin_token  shown; None: the user has chosen one
    opened           whether other machines can reach the address
    """
    key = "ACCESS_TOKEN-NAME" if access else "any"
    keys = (
        "the access token you have set, a hyphen, and a name: each name is a learner by itself"
        if access
        else "any; each is a learner by itself, with limits and a meter of its own"
    )
    token = new_admin_token or "and COURSEKIT_ADMIN_TOKEN"
    return "\n".join([
        f"The offline API answers at {address}/v1 (Ctrl+C ends it).",
        f'  Python  OpenAI(base_url="{address}/v1", api_key="{key}")',
        f"  curl    curl -N {address}/v1/chat/completions -H 'Authorization: Bearer {key}' --json '{BODY}'",
        f"  Keys    {keys}",
        f"  Admin   {address}/admin/faults, {address}/admin/learners: Authorization: Bearer {token}",
        *([f"  Open    {OPENED}: use a token that opens nothing else."] if opened else []),
    ])  # fmt: skip


def class_greeting(
    address: str, access: str | None, admin_token: str | None, kept: Path, learners: int, opened: bool
) -> str:
    """For the server of a class.

    admin_token  shown; None: the user has chosen one
    kept         the file of the class; ``learners`` have joined it already
    """
    asks = " -H 'Authorization: Bearer ACCESS_TOKEN'" if access else ""
    token = f"token {admin_token}" if admin_token else "token as in COURSEKIT_ADMIN_TOKEN"
    known = {0: "nobody has joined yet", 1: "1 learner has joined"}.get(learners, f"{learners} learners have joined")
    return "\n".join([
        f"The class is open at {address} (Ctrl+C ends it); {known}.",
        f'  Learners   from coursekit import join; join("NAME", "{address}")      or in 00_start_here',
        f"  or in .env COURSEKIT_BASE_URL={address}/v1      and then join(\"NAME\")",
        f"  or curl    curl {address}/join{asks} --json '{{\"name\": \"NAME\"}}'      tells a key for {address}/v1",
        *(["  Token      learners are asked for the access token that you have set"] if access else []),
        f"  Console    {address}/console      {token}",
        f"  Kept       {kept}: names, keys, meters. Delete it to begin a new class.",
        *([f"  Open       {OPENED}: use a token",
           "             that opens nothing else. Without it nobody joins, without the console's nobody sees the class"]
          if opened else []),
    ])  # fmt: skip


def reachable(host: str) -> str:
    """The host to tell others: for an address that stands for all of this machine's, the one that leads outside."""
    if host in ("0.0.0.0", "::", ""):
        family = socket.AF_INET6 if host == "::" else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("2001:db8::1" if host == "::" else "192.0.2.1", 9))  # sends nothing: UDP
                host = str(probe.getsockname()[0])
            except OSError:  # no network
                host = socket.gethostname()
    return f"[{host}]" if ":" in host else host
