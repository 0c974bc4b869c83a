"""Requests without a recording, where the server has a fallback: they are forwarded to it.

The sentences are those that a client in process gets (``offline.fallback``).
"""

from __future__ import annotations

from dataclasses import replace

import httpx2
from starlette.concurrency import run_in_threadpool

from ..exchange import ApiAnswer, Upstream, error_answer
from ..forwarding import Connections, own_headers
from .delivery import Delivery

# the SDK's, in seconds
TIMEOUT = {
    "connect": 5.0,
    "read": 600.0,
    "write": 30.0,
    "pool": 600.0,
}
# the SDK's sign that asking again will not help
FINAL = {"x-should-retry": "false"}


class Forwarder:
    """Forwards requests, each over a connection of its own, so that none is left to close."""

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
        response = await self._ask(upstream)
        if isinstance(response, ApiAnswer):
            said = replace(
                response, headers={**answer.headers, **response.headers}
            )
            return said, await delivery.deliver(said, start)
        label = response.extensions["label"]
        headers = {**answer.headers, **dict(own_headers(response))}
        said = ApiAnswer(
            response.status_code, headers, source=label, forward=upstream
        )
        try:
            if headers.get("content-type", "").startswith("text/event-stream"):
                said = replace(said, events=())
                return said, await delivery.pass_on(
                    said, response.aiter_bytes()
                )
            body = await response.aread()
        except httpx2.TransportError:
            return ApiAnswer(0), await delivery.deliver(ApiAnswer(0), start)
        finally:
            await response.aclose()
        lacks = upstream.lacks(body) if said.status == 200 else []
        source = label + (f" (no {', '.join(lacks)})" if lacks else "")
        said = replace(said, body=body, source=source)
        return said, await delivery.deliver(said, start)

    async def _ask(self, upstream: Upstream) -> httpx2.Response | ApiAnswer:
        """The other server's answer as far as its headers; or what is said where there is none."""
        try:
            # may start a server
            target = await run_in_threadpool(upstream.target)
            if isinstance(target, ApiAnswer):
                return target
            response = await self._connections.send_async(
                target, {"timeout": TIMEOUT}
            )
            response.extensions["label"] = target.label
            return response
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            return _unreachable(upstream.unreachable(error))
        except httpx2.TransportError:
            # the client's connection breaks, as the other one did
            return ApiAnswer(0)
        # FallbackUnreachable, or a small model that does not start
        except RuntimeError as error:
            return _unreachable(error)


def _unreachable(error: Exception) -> ApiAnswer:
    """The 503 for a fallback that does not answer, with the sentence that says what to do."""
    text = str(error)
    return error_answer(
        503,
        text,
        type="server_error",
        code="fallback_unreachable",
        headers=FINAL,
    )
