"""Starting and stopping the server: the address it may listen on, and its process."""

from __future__ import annotations

import gc
import math
import signal
import socket
import sys

import uvicorn

from ...foundation.addresses import is_this_machine
from .app import App
from .connection import ConnectionLimits, connection_type
from .room import Room

# seconds; longer than clients keep an idle connection, so that the client closes it
KEEP_ALIVE = 75
SWITCH = 0.001  # seconds
SHORT = 12  # characters; a shorter access token is too easy to guess


class CannotServe(ValueError):
    """The server cannot start, or must not; the message says why and what to do."""


def listen(
    host: str, port: int, access_token: str | None = None
) -> socket.socket:
    """A socket that listens at this address (port 0: any free one).

    Raises CannotServe if other machines can reach the address and there is no good access token, or
    if the address is not available.
    """
    if not is_this_machine(host) and (
        access_token is None or len(access_token) < SHORT
    ):
        raise CannotServe(
            f"--host {host} lets other machines connect, so it needs an access token of at least "
            f"{SHORT} characters. The server was not started.\n"
            "Set COURSEKIT_ACCESS_TOKEN, and give it to your learners as their API key. Or leave "
            "out --host to serve only this machine."
        )
    try:
        if not 0 <= port <= 65535:
            raise OSError("a port is a number from 0 to 65535")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotServe(
            f"The server cannot listen on {host} port {port}: {error}.\n"
            "Choose another port with --port (0 picks any free port), or stop the program that is "
            "using this one."
        ) from error


def uvicorn_server(
    room: Room, limits: ConnectionLimits | None = None
) -> uvicorn.Server:
    """A uvicorn server for the room: ``run(sockets=[listen(...)])`` it, and close the room
    afterwards.
    """
    limits = limits or ConnectionLimits()
    config = uvicorn.Config(
        App(room),
        http=connection_type(limits, room.log),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(limits.leaving),
    )
    return uvicorn.Server(config)


def run(room: Room, listener: socket.socket) -> None:
    """Serve the room in this process. On Ctrl+C or SIGTERM it shuts down cleanly and raises
    KeyboardInterrupt."""
    server = uvicorn_server(room)
    # uvicorn restores this handler at the end, and raises the signal again
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # While a thread counts the tokens of a long prompt, each turn of the event loop waits this long
    # for the interpreter: at Python's own 5 ms, others wait for one learner's long prompts.
    sys.setswitchinterval(SWITCH)
    # Answering leaves no reference cycles behind (a test holds it to that), so the garbage
    # collector can run rarely: a full collection stops every stream for as long as it takes.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    # uvloop takes one new connection from a socket in each of its turns, which get long when it is
    # busy: with 400 streams under way, newcomers waited for up to a second. With eight handles of
    # the socket it takes eight.
    more = [] if sys.platform == "win32" else [listener.dup() for _ in range(7)]
    try:
        server.run(sockets=[listener, *more])
    finally:
        room.close()
