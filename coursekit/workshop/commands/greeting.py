"""What ``coursekit serve`` says when it starts: where it answers, with which keys, and what it
opens.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from ...foundation.addresses import is_this_machine

# all of this machine's
ALL_ADDRESSES = ("0.0.0.0", "::", "")
BODY = '{"model": "gpt-4o", "messages": [...], "stream": true}'
OPENED = (
    "to every machine that can reach this one and knows the access token, which travels "
    "unencrypted"
)


GREETING = """\
The offline API answers at {address}/v1 (Ctrl+C ends it).
  Python  OpenAI(base_url="{address}/v1", api_key="{key}")
  curl    curl -N {address}/v1/chat/completions -H 'Authorization: Bearer {key}' --json '{body}'
  Keys    {keys}
  Admin   {address}/admin/faults, {address}/admin/learners: Authorization: Bearer {token}"""
JOIN = """\
  or in .env COURSEKIT_BASE_URL={url}/v1      and then join("NAME")
  or curl    curl {url}/join{header} --json '{{"name": "NAME"}}'      returns a key for {url}/v1
"""
OPEN = f"""\
  Open       {OPENED}: use a token
             that you use nowhere else. Learners need it to join; the console has its own
"""


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
    text = GREETING.format(
        address=address, key=key, body=BODY, keys=keys, token=token
    )
    if opened:
        text += f"\n  Open    {OPENED}: use a token that opens nothing else."
    return text


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
    header = " -H 'Authorization: Bearer ACCESS_TOKEN'" if access else ""
    token = f"in {token_file}" if token_file else "COURSEKIT_ADMIN_TOKEN"
    joined = {0: "no one has joined yet", 1: "1 learner has joined"}.get(
        learners, f"{learners} learners have joined"
    )
    room = "for machines in your network" if opened else "for this machine only"
    shared = (
        "chapter, checks and quiz answers, unless a learner joins with share=False"
        if shares
        else "names, requests and errors; chapter, checks and quiz answers with --share"
    )
    text = (
        f"The class is open at {address} {room} (Ctrl+C ends it); {joined}.\n"
    )
    if not opened:
        text += (
            "  A room?    No other machine can join. To let them: coursekit serve --class "
            "--host 0.0.0.0\n"
        )
    text += (
        f'  Learners   from coursekit import join; join("NAME", "{address}")      '
        "or in 00_start_here\n"
    )
    if access:
        word = made or "the one you have set in COURSEKIT_ACCESS_TOKEN"
        text += f"  Token      {word}      learners must enter it\n"
    text += JOIN.format(url=address, header=header)
    if opened and others:
        text += (
            f"  No answer? Also try: {', '.join(others)}. A firewall must allow connections to "
            "the port.\n"
        )
    text += (
        f"  Shared     {shared}\n"
        f"  Console    {address}/console      its token is {token}\n"
    )
    if opened:
        text += OPEN
    return f"{text}  Saved in   {class_file}: names, keys, meters. Delete it to start a new class."


def reachable(host: str) -> str:
    """The host to give to others: for an address that means all of this machine's, the one that
    leads outside.
    """
    if host not in ALL_ADDRESSES:
        return bracketed(host)
    # sends nothing: UDP
    family, beyond = (
        _family(host),
        "2001:db8::1" if host == "::" else "192.0.2.1",
    )
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((beyond, 9))
            return bracketed(str(probe.getsockname()[0]))
        except OSError:  # no network
            return socket.gethostname()


def other_addresses(host: str, address: str) -> list[str]:
    """Further addresses under which a server on all of this machine's addresses may be reached."""
    if host not in ALL_ADDRESSES:
        return []
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, _family(host))
    except OSError:
        return []
    port = address.rpartition(":")[2]
    hosts = sorted({str(entry[4][0]) for entry in found})
    urls = [f"http://{bracketed(ip)}:{port}" for ip in hosts]
    return [url for url in urls if url != address and not is_this_machine(url)]


def bracketed(host: str) -> str:
    """A host as it is written in a URL."""
    return f"[{host}]" if ":" in host else host


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if host == "::" else socket.AF_INET
