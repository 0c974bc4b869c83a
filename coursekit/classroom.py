"""Joining a class: a learner gives a name, gets a key, and may share progress with the teacher.

Taught in 00, "In a class".
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from . import membership as stored
from .course import UnknownLesson, lesson
from .foundation.platform import refuse_in_browser
from .membership import Membership, membership, server_of
from .settings import ModeError, settings

WAIT = 10.0  # seconds for the class server to answer
SHARING = 3.0  # seconds for it to hear what is shared
QUESTION = 200  # characters of a raised hand
_to_share: queue.SimpleQueue[tuple[Membership, Mapping[str, Any]]] = (
    queue.SimpleQueue()
)
# one at a time, so that the newest arrives last
_sharing = threading.Lock()


class CannotJoin(RuntimeError):
    """The class server did not admit the learner; the message says why, and what to do."""


def join(
    name: str | None = None,
    url: str | None = None,
    *,
    share: bool | None = None,
    token: str | None = None,
) -> Membership:
    """Join a class under a name. From then on, the class server answers ``connect()`` in all
    notebooks.

    name   what the teacher sees, 1 to 40 characters; if the name is taken, a number is added. None:
           the value of JUPYTERHUB_USER
    url    the server's address, which the teacher gives you; None: COURSEKIT_BASE_URL
    share  True: the teacher also sees which chapter you are in, which checks you tried and passed,
           and your quiz answers; False: they do not; None: as the teacher chose for the class (the
           value that join() returns says which)
    token  the class's access token, if it has one; None: COURSEKIT_ACCESS_TOKEN, or you are
           prompted for it

    If you join the same server again, even after leave(), you keep your name, key, and meter.
    Raises CannotJoin, or ModeError if ``url`` is not an address.
    """
    refuse_in_browser(
        "Class servers",
        "a web page cannot connect to another site's server",
        "work without a class",
    )
    env = settings()
    server = server_of(
        url
        or env.get(stored.ADDRESS)
        or _missing("the class server's address", "url")
    )
    earlier = membership({**env, stored.ADDRESS: server}) or stored.left(
        server, name
    )
    about: Mapping[str, Any] = {}
    if earlier is not None:
        status, about = _request("GET", f"{server}/me", earlier.key)
        if status != 200:
            earlier = None
    if earlier is None:
        name = name or env.get("JUPYTERHUB_USER") or _missing("a name", "name")
        if token is None:
            token = env.get("COURSEKIT_ACCESS_TOKEN") or ""
        earlier, about = _entered(server, name, token), {}
    shares = share
    if shares is None:
        shares = about.get("share", earlier.share) is True
    joined = Membership(
        server, earlier.key, str(about.get("name", earlier.name)), shares
    )
    if not stored.keep(joined):
        raise CannotJoin(
            f"Memberships are not saved ({stored.SETTING}=off), so connect() would ignore yours."
        )
    if shares:
        _send(joined, {"chapter": chapter_here()})
    elif about:  # whatever was shared until now
        _send(
            joined, {"chapter": "", "passed": {}, "failed": None, "votes": None}
        )
    return joined


def raise_hand(question: str = "") -> str:
    """Call the teacher: your row moves to the top of their console, with your question. Raises
    CannotJoin.

    question  up to 200 characters that the teacher sees next to your name
    """
    return _hand(
        str(question)[:QUESTION], "Your hand is up. lower_hand() lowers it."
    )


def lower_hand() -> str:
    """Lower your hand. Raises CannotJoin."""
    return _hand(None, "Your hand is down.")


def leave() -> str:
    """Leave the class: the offline API in this process answers ``connect()`` again. The teacher's
    meter keeps your requests.
    """
    earlier = stored.forget()
    if settings().get(stored.KEY):
        return f"{stored.KEY} is set and keeps you in the class. Remove it to leave."
    if earlier is None:
        return "You are not in a class."
    return f"You have left the class at {earlier.url}."


def trouble(joined: Membership) -> str:
    """Return what to do if the class server does not answer the learner; "" if it does."""
    try:
        status, _ = _request(
            "GET", f"{joined.url}/me", joined.key, seconds=SHARING
        )
    except CannotJoin:
        return (
            "it does not answer. Wait for the teacher, or leave the class: from coursekit "
            "import leave; leave()"
        )
    if status == 200:
        return ""
    return "it no longer knows you. Run join() again, or leave()"


def share(
    passed: Mapping[str, int] | None = None,
    joined: Membership | None = None,
    **more: Mapping[str, int],
) -> threading.Thread | None:
    """Send the learner's chapter to the teacher in a separate thread, if the learner shares it. A
    server that does not answer is ignored. Returns the thread, or None if nothing is shared.

    passed  the number of passed exercises by chapter; None: keep what was sent before
    joined  the class; None: the class that the learner is in
    more    ``failed``: how many checks failed in a row, by "chapter/exercise" (0 after a pass);
            ``votes``: the index of the chosen option, by "chapter/number" of a quiz question
    """
    with contextlib.suppress(ModeError):
        joined = joined or membership()
    if joined is None or not joined.share:
        return None
    if passed is not None:
        more["passed"] = passed
    counts = {name: dict(value) for name, value in more.items()}
    shared = {"chapter": chapter_here(), **counts}
    _to_share.put((joined, shared))
    thread = threading.Thread(
        target=_share_next, name="share-progress", daemon=True
    )
    thread.start()
    return thread


def chapter_here() -> str:
    """Return the chapter whose notebook this kernel runs; "" outside a notebook of the course."""
    # the notebook's path, set by the Jupyter server: notebooks/01_basics.ipynb
    notebook = os.environ.get("JPY_SESSION_NAME", "")
    try:
        return lesson(Path(notebook).name).stem if notebook else ""
    except UnknownLesson:
        return ""


def _hand(question: str | None, done: str) -> str:
    joined = membership()
    if joined is None:
        raise CannotJoin(
            "You have not joined a class, so there is no teacher to ask. See the end of "
            "00_start_here."
        )
    status, reply = _request(
        "PUT", f"{joined.url}/me", joined.key, {"hand": question}
    )
    if status != 200:
        raise CannotJoin(
            f"The teacher could not be reached ({status}): {_message(reply)}"
        )
    return done


def _share_next() -> None:
    with _sharing:
        _send(*_to_share.get())


def _send(joined: Membership, shared: Mapping[str, Any]) -> None:
    with contextlib.suppress(CannotJoin):
        _request("PUT", f"{joined.url}/me", joined.key, shared, SHARING)


def _entered(server: str, name: str, token: str) -> Membership:
    join, body = f"{server}/join", {"name": name}
    status, reply = _request("POST", join, token, body)
    if status == 401:
        status, reply = _request("POST", join, _typed_token(server), body)
    if status == 201 and isinstance(reply.get("key"), str):
        return Membership(
            server,
            reply["key"],
            str(reply.get("name", name)),
            reply.get("share") is True,
        )
    if status == 404:
        raise CannotJoin(
            f"{server} is not a class server: it has no /join. Ask the teacher for the address."
        )
    raise CannotJoin(
        f"{server} did not let you in ({status}): {_message(reply)}"
    )


def _request(
    method: str, url: str, key: str, body: Any = None, seconds: float = WAIT
) -> tuple[int, Mapping[str, Any]]:
    """Send a request and return the status and JSON of the answer. Raises CannotJoin if there is no
    answer.
    """
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        # a class server is nearby, so no proxy is used
        with httpx2.Client(timeout=seconds, trust_env=False) as client:
            answer = client.request(method, url, headers=headers, json=body)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        raise CannotJoin(
            f"No class server answers at {url}: {error}.\n"
            "Compare the address with your teacher's; both machines must be on the same network. "
            "Without a class, replay still works offline."
        ) from None  # the fault is in the address or the network, not in httpx2
    try:
        reply = answer.json()
    except ValueError:
        reply = {}
    return answer.status_code, reply if isinstance(reply, dict) else {}


def _message(reply: Mapping[str, Any]) -> str:
    error = reply.get("error")
    if not isinstance(error, dict):
        return "no reason given"
    return str(error.get("message", ""))


def _typed_token(server: str) -> str:
    """Return the access token that the learner types. It does not appear in any cell or output."""
    from getpass import getpass

    try:
        return getpass(f"Access token of the class at {server}: ")
    # no one can answer: EOFError, a kernel without stdin, …
    except Exception as error:
        raise CannotJoin(
            f"The class at {server} needs an access token. You could not type it here, or it was "
            "wrong.\n"
            "Put COURSEKIT_ACCESS_TOKEN=… with the token from your teacher into .env, and join "
            "again."
        ) from error


def _missing(what: str, argument: str) -> str:
    raise CannotJoin(
        f'join() needs {what}, as in join("Ada", "http://192.168.1.5:8000"). You gave no '
        f"{argument}."
    )
