"""What ``coursekit serve`` says when it starts: where it answers, with which keys, and what it
opens.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

BODY = '{"model": "gpt-4o", "messages": [...], "stream": true}'
OPENED = (
    "to every machine that can reach this one and knows the access token, which travels "
    "unencrypted"
)


def greeting(
    address: str, access: str | None, new_admin_token: str | None, opened: bool
) -> str:
    """For a server of the offline API.

    address          like "http://127.0.0.1:8000"
    access           the access token, if there is one; it is not shown
    new_admin_token  shown; None: the user has chosen one
    opened           whether other machines can reach the address
    """
    key = "ACCESS_TOKEN-NAME" if access else "any"
    keys = (
        "the access token you have set, a hyphen, and a name: each name is a separate learner"
        if access
        else "any; each is a separate learner, with its own limits and meter"
    )
    token = new_admin_token or "and COURSEKIT_ADMIN_TOKEN"
    return "\n".join(
        [
            f"The offline API answers at {address}/v1 (Ctrl+C ends it).",
            f'  Python  OpenAI(base_url="{address}/v1", api_key="{key}")',
            (
                f"  curl    curl -N {address}/v1/chat/completions -H 'Authorization: Bearer {key}' "
                f"--json '{BODY}'"
            ),
            f"  Keys    {keys}",
            (
                f"  Admin   {address}/admin/faults, {address}/admin/learners: Authorization: "
                "Bearer "
                f"{token}"
            ),
            *(
                [f"  Open    {OPENED}: use a token that opens nothing else."]
                if opened
                else []
            ),
        ]
    )


def class_greeting(
    address: str,
    access: str | None,
    token_file: Path | None,
    class_file: Path,
    learners: int,
    *,
    opened: bool,
    made: str | None = None,
    shares: bool = False,
    others: Sequence[str] = (),
) -> str:
    """For the server of a class. It can be projected, because it does not contain the console's
    token.

    access      the access token needed to join, if any; ``made``: shown, because the server created
                it
    token_file  where the console's token is; None: the user has chosen one
    class_file  the file of the class, which ``learners`` have already joined
    opened      whether other machines can join; ``others``: further addresses of this one
    """
    asks = " -H 'Authorization: Bearer ACCESS_TOKEN'" if access else ""
    token = (
        f"its token is in {token_file}"
        if token_file
        else "its token is COURSEKIT_ADMIN_TOKEN"
    )
    joined = {0: "no one has joined yet", 1: "1 learner has joined"}.get(
        learners, f"{learners} learners have joined"
    )
    room = "for machines in your network" if opened else "for this machine only"
    word = made or "the one you have set in COURSEKIT_ACCESS_TOKEN"
    return "\n".join(
        [
            f"The class is open at {address} {room} (Ctrl+C ends it); {joined}.",
            *(
                []
                if opened
                else [
                    (
                        "  A room?    No other machine can join. To let them: coursekit serve "
                        "--class --host 0.0.0.0"
                    )
                ]
            ),
            (
                f'  Learners   from coursekit import join; join("NAME", "{address}")      or in '
                "00_start_here"
            ),
            *(
                [f"  Token      {word}      learners must enter it"]
                if access
                else []
            ),
            f'  or in .env COURSEKIT_BASE_URL={address}/v1      and then join("NAME")',
            (
                f'  or curl    curl {address}/join{asks} --json \'{{"name": "NAME"}}\'      '
                "returns a "
                f"key for {address}/v1"
            ),
            *(
                [
                    (
                        f"  No answer? Also try: {', '.join(others)}. A firewall must allow "
                        "connections to the port."
                    )
                ]
                if opened and others
                else []
            ),
            "  Shared     "
            + (
                "chapter, checks and quiz answers, unless a learner joins with share=False"
                if shares
                else "names, requests and errors; chapter, checks and quiz answers with --share"
            ),
            f"  Console    {address}/console      {token}",
            *(
                [
                    f"  Open       {OPENED}: use a token",
                    (
                        "             that you use nowhere else. Learners need it to join; the "
                        "console has its own"
                    ),
                ]
                if opened
                else []
            ),
            f"  Saved in   {class_file}: names, keys, meters. Delete it to start a new class.",
        ]
    )


def reachable(host: str) -> str:
    """The host to give to others: for an address that means all of this machine's, the one that
    leads outside.
    """
    if host in ("0.0.0.0", "::", ""):
        family = socket.AF_INET6 if host == "::" else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                # sends nothing: UDP
                probe.connect(
                    ("2001:db8::1" if host == "::" else "192.0.2.1", 9)
                )
                host = str(probe.getsockname()[0])
            except OSError:  # no network
                host = socket.gethostname()
    return f"[{host}]" if ":" in host else host


def other_addresses(host: str, address: str) -> list[str]:
    """Further addresses under which a server on all of this machine's addresses may be reached."""
    if host not in ("0.0.0.0", "::", ""):
        return []
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    try:
        found = {
            str(entry[4][0])
            for entry in socket.getaddrinfo(socket.gethostname(), None, family)
        }
    except OSError:
        return []
    port = address.rpartition(":")[2]
    named = [
        f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}"
        for ip in sorted(found)
    ]
    return [
        each
        for each in named
        if each != address
        and not each.startswith(("http://127.", "http://[::1]"))
    ]
