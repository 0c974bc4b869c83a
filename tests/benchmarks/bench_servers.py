"""The servers that bench_server compares, each in its own process: python bench_servers.py WHICH
FOLDER SPEED.

WHICH is ours, floor, or blind. The server prints its port. Ours has all of the features of
``coursekit serve`` switched on.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from coursekit.offline.exchange import ApiAnswer
from coursekit.offline.recordings import Recordings
from coursekit.offline.server.access_log import AccessLog
from coursekit.offline.server.room import Room
from coursekit.offline.server.running import listen, run
from support.offline_api import streamed, whole

EVENTS, GAP = 201, 0.010
TEXT = (
    "A context window is the number of tokens that a model can take into account at once. "
    * 4
)


def answers() -> tuple[ApiAnswer, ApiAnswer]:
    """Record a complete answer of about 0.9 kB, and a stream with EVENTS events that are GAP
    seconds apart.
    """
    return whole(TEXT), streamed(["word "] * (EVENTS - 4), first=0.3, gap=GAP)


def ours(folder: Path, speed: str) -> Room:
    log = AccessLog(Path(os.devnull).open("w"))  # noqa: SIM115
    limits = {"rpm": 10**9, "tpm": 10**12}
    pace = None if speed == "instant" else float(speed)
    return Room(
        Recordings([folder]),
        speed=pace,
        log=log,
        rate_limit=limits,
        admin_token="benchmark",
    )


def floor(which: str) -> uvicorn.Server:
    """The minimal app: it returns canned bytes, and a stream event by event. The blind one does not
    read the request.
    """
    answer, stream = answers()
    events = [event.data for event in stream.events or ()]

    async def each() -> AsyncIterator[bytes]:
        for event in events:
            yield event

    async def canned(request: Request) -> Response:
        if (await request.json()).get("stream"):
            return StreamingResponse(each(), media_type="text/event-stream")
        return Response(answer.body, media_type="application/json")

    async def blind(_: Request) -> Response:
        return Response(answer.body, media_type="application/json")

    app = Starlette(
        routes=[
            Route(
                "/v1/chat/completions",
                blind if which == "blind" else canned,
                methods=["POST"],
            )
        ]
    )
    return uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    )


def main(which: str, folder: str, speed: str) -> None:
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        if which == "ours":
            run(ours(Path(folder), speed), listener)
        else:
            floor(which).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
