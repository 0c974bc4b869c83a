"""What ``connect()`` wires to a client. This is the only module that uses the SDK's private names.

    client._client                       the HTTP client, which ``with_options()`` passes along
    client._calculate_retry_timeout      the wait between two attempts
    client._platform                     what an asynchronous client looks up in a thread
    client._make_status_error_from_response   the SDK's own table of exceptions

When a new SDK breaks one of them, tests/test_wired.py reports it, and the fix belongs in this file.
This module does not import the SDK: the caller who passes a client has already loaded it.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from .settings import Mode


class Clock(Protocol):
    """A client's time. ``now`` and ``until`` are seconds on one monotonic scale."""

    def now(self) -> float: ...
    def wait(self, until: float) -> None: ...
    async def wait_async(self, until: float) -> None: ...
    def real(self, seconds: float) -> float:
        """Return how many real seconds other code (such as the SDK between two attempts) must sleep
        so that ``seconds`` pass on this clock.
        """
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """One response as it left the HTTP client.

    request_id  from the ``x-request-id`` header
    source      "live", the address of a server that is not OpenAI's, a recording's provenance
                ("written", "local"), or "offline API"
    seconds     from the request to the last byte
    forwarded   another server answered instead of the API: the response has no price, whatever the
                model is called
    """

    request_id: str | None
    status: int
    source: str
    seconds: float
    forwarded: bool = False


class Journal:
    """A client's newest responses, at most ``KEPT``; safe to use from several threads.

    mode    the client's mode
    server  the address of the server that answers in live mode, if it is not OpenAI's
    """

    KEPT = 1000

    def __init__(self, mode: Mode | str, server: str | None = None) -> None:
        self.mode, self.server = Mode(mode), server
        self._served: deque[Served] = deque(maxlen=self.KEPT)
        self._lock = threading.Lock()

    def add(self, served: Served) -> None:
        with self._lock:
            self._served.append(served)

    def find(self, request_id: str | None) -> Served | None:
        """Return the newest response with this id; None if there is no such response, or no id."""
        if not request_id:
            return None
        with self._lock:
            newest_first = reversed(self._served)
            return next(
                (s for s in newest_first if s.request_id == request_id), None
            )

    @property
    def banner(self) -> str:
        """One line that says what answers this client, and whether it costs money."""
        if self.server:
            return (
                f"{self.mode} mode: {self.server} answers; costs are OpenAI's prices, for "
                "models that have one"
            )
        return f"{self.mode} mode: {self.mode.costs}"

    @property
    def last(self) -> Served | None:
        with self._lock:
            return self._served[-1] if self._served else None


@dataclass(frozen=True, slots=True)
class Wired:
    """What belongs to one client from ``connect()``.

    ledger  the offline API's ledger: each request with its answer; None if another server answers
    """

    journal: Journal
    clock: Clock
    ledger: Iterable[Any] | None = None


_WIRED: WeakKeyDictionary[Any, Wired] = WeakKeyDictionary()  # by HTTP client


def wire(client: Any, wired: Wired) -> None:
    """Remember what belongs to a client and to its copies from ``with_options()``."""
    _WIRED[client._client] = wired


def wired_to(client: Any) -> Wired | None:
    """Return what ``connect()`` wired to this client; None for a client that it did not create."""
    try:
        return _WIRED.get(getattr(client, "_client", None))
    except TypeError:  # a mock whose HTTP client cannot be a key
        return None


def http_client_of(client: Any) -> Any:
    """Return the SDK client's own HTTP client."""
    return client._client


def without_account_headers(client: Any, headers: Any) -> None:
    """Send ``headers`` instead of those in OPENAI_CUSTOM_HEADERS."""
    client._custom_headers = dict(headers or {})


def status_error(client: Any, response: Any) -> Exception:
    """Return the exception that the SDK raises for a response: RateLimitError for 429, and so
    on.
    """
    error: Exception = client._make_status_error_from_response(response)
    return error


class _OnItsClock:
    """A client whose waits between two attempts pass on its own clock."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # An asynchronous client would look up its platform in a thread before the first request,
        # and virtual time could not know how many requests are still on their way.
        self._platform = sys.modules["openai._base_client"].get_platform()

    def _calculate_retry_timeout(self, *args: Any, **kwargs: Any) -> float:
        seconds: float = super()._calculate_retry_timeout(*args, **kwargs)  # type: ignore[misc]
        wired = wired_to(self)
        return seconds if wired is None else wired.clock.real(seconds)


@cache
def on_its_clock(kind: type[Any]) -> type[Any]:
    """Return a client class like ``kind`` (OpenAI or AsyncOpenAI) whose retries follow the client's
    clock.
    """
    return type(kind.__name__, (_OnItsClock, kind), {})
