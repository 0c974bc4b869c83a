"""Forwards requests without a recording to the fallback, if the server has one.

The sentences are those that a client in process gets (``offline.fallback``).
"""

from __future__ import annotations

from dataclasses import replace

import httpx2
from starlette.concurrency import run_in_threadpool

from ..exchange import ApiAnswer
from ..forwarding import Connections, own_headers
from .delivery import Delivery
from .refused import server_error

# the SDK's, in seconds
TIMEOUT = {
    "connect": 5.0,
    "read": 600.0,
    "write": 30.0,
    "pool": 600.0,
}


class Forwarder:
    """Forwards requests, each over its own connection, so that none is left to close."""

    def __init__(self) -> None:
        self._connections = Connections(idle=0)

    async def serve(
        self, delivery: Delivery, answer: ApiAnswer, start: float
    ) -> tuple[ApiAnswer, str]:
        """Let the other server answer. Returns what the client gets, and how that ended.

        answer  of the layers; its headers are part of what the client gets
        """
        upstream = answer.forward
        assert upstream is not None
        try:
            # may start a server
            target = await run_in_threadpool(upstream.target)
        # FallbackUnreachable, or a small model that does not start
        except RuntimeError as error:
            target = _unreachable(error)
        if isinstance(target, ApiAnswer):
            served = target.with_headers({**answer.headers, **target.headers})
            return served, await delivery.deliver(served, start)
        served = replace(answer, source=target.label)
        try:
            response = await self._connections.send_async(
                target, {"timeout": TIMEOUT}
            )
            try:
                headers = {**answer.headers, **dict(own_headers(response))}
                served = replace(
                    served, status=response.status_code, headers=headers
                )
                if headers.get("content-type", "").startswith(
                    "text/event-stream"
                ):
                    served = replace(served, events=())
                    return served, await delivery.pass_on(
                        served, response.aiter_bytes()
                    )
                body = await response.aread()
            finally:
                await response.aclose()
            lacks = upstream.lacks(body) if served.status == 200 else []
            missing = f" (no {', '.join(lacks)})" if lacks else ""
            served = replace(served, body=body, source=target.label + missing)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            served = _unreachable(upstream.unreachable(error))
            served = served.with_headers({**answer.headers, **served.headers})
        except httpx2.TransportError:
            # the client's connection breaks, as the other one did
            served = ApiAnswer(0)
        return served, await delivery.deliver(served, start)


def _unreachable(error: Exception) -> ApiAnswer:
    """The 503 for a fallback that does not answer, with the sentence that says what to do."""
    return server_error(str(error), "fallback_unreachable", 503)
