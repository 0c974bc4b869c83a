"""connect() and connect_async(): the real openai client, wired by mode.

    replay   the offline API is its HTTP transport: no key, no network, no cost
    live     nothing is changed
    record   the real API answers, and each exchange is saved for replay
    class    the class server that the learner has joined answers, from recordings, at no cost. It
             replaces replay unless replay is requested by name. You cannot request class mode
             itself: a learner joins and leaves

The client is the SDK's own, with the SDK's own defaults. The waits between the SDK's retries follow
the client's clock if that does not run at its natural speed. Taught in 00, "Three modes".
"""

from __future__ import annotations

import datetime
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import openai
from openai import DefaultAsyncHttpx2Client, DefaultHttpx2Client

from .classroom import share
from .course import OWN, own_recordings, recording_folders
from .foundation.addresses import is_this_machine
from .foundation.arguments import refuse
from .foundation.platform import refuse_in_browser
from .membership import membership
from .offline.answering import answering
from .offline.clock import Clock, ScaledClock
from .offline.engine import OfflineApi
from .offline.faults import Fault
from .offline.limits.account import Account
from .offline.recorder import (
    RECORDED,
    RecordingTransport,
    is_real,
    recorder_for,
)
from .offline.recordings import Recordings
from .offline.transport import OfflineTransport
from .offline.watched.ledger import Ledger
from .server_models import ServerModels, is_list, refuse_dead_model
from .settings import Mode, ModeError, key_of, mode_of, sdk_options, settings
from .wired import (
    Journal,
    Served,
    Wired,
    http_client_of,
    on_its_clock,
    wire,
    without_account_headers,
)

C = TypeVar("C", openai.OpenAI, openai.AsyncOpenAI)
NO_KEY = "replay-needs-no-key"
LIVE_IN_BROWSER = (
    "any script on the page could read a key that you type, and the key would stay in the "
    "browser's storage"
)
REAL_API = "https://api.openai.com/v1"


def connect(
    mode: str | None = None,
    *,
    recordings: str | Path | None = None,
    speed: float | str | None = None,
    faults: Fault | Iterable[Fault] | None = None,
    rate_limit: Account | Mapping[str, Any] | None = None,
    local_model: bool | str | Path | None = None,
    fallback: str | bool | None = None,
    **openai_options: Any,
) -> openai.OpenAI:
    """Create a real ``openai.OpenAI`` client; ``mode`` decides what answers its requests.

    mode        "replay" (recorded answers, costs nothing), "live" (the real API, costs money) or
                "record" (the real API, costs money, answers are saved). None: COURSEKIT_MODE, from
                the environment or .env, or else "replay". While you are in a class, its server
                answers instead of replay, unless you pass "replay", any argument marked "replay
                only", a recordings folder, base_url, or api_key
    recordings  replay and record: a folder of recordings; None: your own folder, then the course's,
                which record mode never changes
    speed       replay only: 1.0 as recorded, 10 for ten times as fast, "instant" for no waiting;
                None: COURSEKIT_SPEED, or else 1.0
    faults      replay only: what goes wrong, a ``coursekit.offline.Fault`` or several in order
    rate_limit  replay only: {"rpm": 60, "tpm": 10_000, "spend": 0.50} (requests and tokens per
                minute, dollars), or a ``coursekit.offline.Account``, which several clients can
                share; None: no limits
    fallback    replay: an OpenAI-compatible server that answers requests without a recording: its
                address, the name of a server at its usual port ("ollama", "lm studio", "llama.cpp",
                "vllm"), or "local" for the small model that `coursekit local install` downloads;
                False: none; None: COURSEKIT_FALLBACK in .env, or else none. Receipts name the
                server that answered and show no price. record: the server answers instead of the
                real API
    local_model  True is the same as fallback="local"; a path selects a GGUF file
    openai_options  base_url, api_key, max_retries, timeout, …: as ``openai.OpenAI`` accepts them

    Raises ModeError, MissingKey, LocalModelMissing, or ValueError before anything is sent; a
    request that the fallback cannot answer raises FallbackUnreachable.
    """
    wiring = _Wiring(
        mode,
        recordings,
        openai_options,
        speed=speed,
        faults=faults,
        rate_limit=rate_limit,
        local_model=local_model,
        fallback=fallback,
    )
    return wiring.client(openai.OpenAI, DefaultHttpx2Client)


def connect_async(
    mode: str | None = None,
    *,
    recordings: str | Path | None = None,
    speed: float | str | None = None,
    faults: Fault | Iterable[Fault] | None = None,
    rate_limit: Account | Mapping[str, Any] | None = None,
    local_model: bool | str | Path | None = None,
    fallback: str | bool | None = None,
    **openai_options: Any,
) -> openai.AsyncOpenAI:
    """Create a client as ``connect()`` does, but for ``await``: a real ``openai.AsyncOpenAI``. A
    client belongs to one event loop.
    """
    wiring = _Wiring(
        mode,
        recordings,
        openai_options,
        speed=speed,
        faults=faults,
        rate_limit=rate_limit,
        local_model=local_model,
        fallback=fallback,
    )
    return wiring.client(openai.AsyncOpenAI, DefaultAsyncHttpx2Client)


class _Wiring:
    """The setup that both kinds of client share: it reads the settings, builds the transport, and
    attaches the journal.
    """

    def __init__(
        self,
        mode: str | None,
        recordings: str | Path | None,
        options: dict[str, Any],
        **offline: Any,
    ) -> None:
        allowed = inspect.signature(openai.OpenAI.__init__).parameters
        ours = inspect.signature(connect).parameters
        refuse(options, allowed, also=ours, to="connect()")
        if "http_client" in options:
            raise ModeError(
                "connect() creates its own http_client, which is how replay and record "
                "mode work. Leave http_client out, or create openai.OpenAI(http_client=…) "
                "yourself."
            )
        self._env = env = settings()
        self.mode = mode_of(mode, env)
        own = (
            mode,
            recordings,
            *offline.values(),
            options.get("base_url"),
            options.get("api_key"),
        )
        joined = None
        if self.mode is Mode.REPLAY and not any(x is not None for x in own):
            joined = membership(env)
        if joined is not None:
            self.mode = Mode.CLASS
        self._served_models, self._numbers = ServerModels(env), count(1)
        self._recordings = Recordings(_folders(self.mode, env, recordings))
        self.journal, self.ledger = Journal(self.mode), Ledger()
        self._api: OfflineApi | None = None
        faults, limit = offline.pop("faults"), offline.pop("rate_limit")
        answers = answering(self.mode, env, self._recordings, **offline)
        if answers is not None:
            self._recorder = answers.recorder
            self._api = OfflineApi(
                answers.layer, answers.clock, faults=faults, rate_limit=limit
            )
            self.clock: Clock = self._api.clock  # the clock of a shared account
            self.options = {
                "api_key": NO_KEY,
                "base_url": REAL_API,
                **options,
            }
            return
        _refuse_offline_options(
            self.mode,
            faults=faults,
            rate_limit=limit,
            local_model=offline["local_model"] or None,
            fallback=offline["fallback"] or None,
        )
        self.clock = ScaledClock()  # real time
        if joined is not None:
            address = {"base_url": f"{joined.url}/v1", "api_key": joined.key}
            self.options = options | address
            share(joined=joined)
            return
        self.options = sdk_options(options, env)
        self.options["api_key"] = key_of(self.mode, options.get("api_key"), env)
        refuse_in_browser(
            "Live and record mode", LIVE_IN_BROWSER, 'use mode="replay"'
        )

    def client(self, kind: type[C], http_kind: Callable[..., Any]) -> C:
        """Return a wired client of the class ``kind``. Its journal records each answer, including
        those that are retried.
        """
        natural = isinstance(self.clock, ScaledClock) and self.clock.speed == 1
        make: Any = kind
        if not natural:
            make = on_its_clock(make)
        client = make(**self.options, http_client=self._http_client(http_kind))
        if self._is_near:
            client.organization = self.options.get("organization")
            client.project = self.options.get("project")
        if self.mode is Mode.CLASS:
            without_account_headers(client, self.options.get("default_headers"))
        elif self._api is None and not _is_real(client.base_url):
            self.journal.server = client.base_url.netloc.decode()
        elif self._api is not None and self._recorder is not None:
            self.journal.server = self._recorder.provenance.by
        # the offline transport writes to the journal itself
        if self._api is None:
            http_client = http_client_of(client)
            http_client.event_hooks = self._hooks(http_client)
        ledger = None if self._api is None else self.ledger
        wire(client, Wired(self.journal, self.clock, ledger))
        made: C = client
        return made

    @property
    def _is_near(self) -> bool:
        """Return True if requests go to the class server or to this machine. They then bypass any
        proxy and do not carry an account's headers.
        """
        url = (
            self.options.get("base_url")
            or self._env.get("OPENAI_BASE_URL")
            or REAL_API
        )
        return self.mode is Mode.CLASS or is_this_machine(str(url))

    def _http_client(self, make: Callable[..., Any]) -> Any:
        """Return the HTTP client to use; None: the SDK creates its own."""
        direct = {"trust_env": False} if self._is_near else {}
        if self._api is not None:
            door = OfflineTransport(
                self._api, self.clock, self.journal, self.ledger, self._recorder
            )
            return make(transport=door)
        if self.mode is Mode.RECORD:
            day = datetime.datetime.now(datetime.UTC).date().isoformat()
            recorder = recorder_for(
                self._recordings, self._env, on=day, key=self.options["api_key"]
            )
            real = make(**direct)
            return make(
                transport=RecordingTransport(real, recorder, self.clock)
            )
        return make(**direct) if direct else None

    def _hooks(self, http_client: Any) -> dict[str, Any]:
        """Return what the HTTP client calls before each request and after each response."""

        def sent(request: httpx2.Request) -> None:
            if self._elsewhere(request):
                self._served_models.check(request, http_client)
            self._sent(request)

        async def sent_async(request: httpx2.Request) -> None:
            if self._elsewhere(request):
                await self._served_models.check_async(request, http_client)
            self._sent(request)

        async def served_async(response: httpx2.Response) -> None:
            self._served(response)

        if isinstance(http_client, httpx2.AsyncClient):
            return {"request": [sent_async], "response": [served_async]}
        return {"request": [sent], "response": [self._served]}

    def _elsewhere(self, request: httpx2.Request) -> bool:
        """Return whether the request goes to a server other than OpenAI's, where models have other
        names.
        """
        return (
            self.mode is Mode.LIVE
            and not _is_real(request.url)
            and not is_list(request)
        )

    def _sent(self, request: httpx2.Request) -> None:
        if _is_real(request.url):
            refuse_dead_model(request, self.mode, self._env)
        request.extensions["coursekit_sent"] = self.clock.now()

    def _served(self, response: httpx2.Response) -> None:
        if is_list(response.request):
            return
        sent: float = response.request.extensions["coursekit_sent"]
        headers, source = response.headers, self.journal.server or "live"
        if self.mode is Mode.CLASS:
            source = headers.get("x-coursekit-source", "not a class server")
        elif "x-request-id" not in headers:
            # so that a receipt can look up the answer's latency
            headers["x-request-id"] = f"coursekit-{next(self._numbers)}"
        self.journal.add(
            Served(
                headers.get("x-request-id"),
                response.status_code,
                source,
                self.clock.now() - sent,
            )
        )


def _folders(
    mode: Mode, env: Mapping[str, str], folder: str | Path | None
) -> list[Path]:
    """Return the folders to search for recordings: the one in an argument or a setting, or else
    your own and then the course's. Record mode saves to your own.
    """
    if folder is None:
        folder = env.get("COURSEKIT_RECORDINGS") or None
    if folder is not None:
        more = env.get(RECORDED, "").split(os.pathsep)
        return [Path(folder), *map(Path, filter(None, more))]
    own, course = own_recordings(env), recording_folders()
    counts = mode is Mode.RECORD or (env.get(OWN) != "off" and own.is_dir())
    return [own, *course] if counts else course


def _is_real(url: httpx2.URL) -> bool:
    # Other servers (a proxy, Azure) shut models down on other dates, and report that themselves.
    return is_real(url.host)


def _refuse_offline_options(mode: str, **options: Any) -> None:
    """Raise ModeError if limits or faults are requested of the real API, which has its own."""
    for name, value in options.items():
        if value is not None:
            raise ModeError(
                f'{name}= is for the offline API, but mode="{mode}" calls the real one. Nothing '
                "was sent.\n"
                f'Use connect(mode="replay", {name}=…), or leave {name} out.'
            )
