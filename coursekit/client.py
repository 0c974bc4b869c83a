"""connect() and connect_async(): the real openai client, wired by mode.

    replay   its HTTP transport is the offline API: no key, no network, no cost
    live     nothing is changed
    record   the real API answers, and each exchange is saved for replay
    class    the class server that the learner has joined answers, from recordings, at no cost. It
             replaces replay unless replay is requested by name. You cannot request class mode
             itself: a learner joins and leaves

The client is the SDK's own, with the SDK's own defaults. Only if the clock does not run at its
natural speed do the waits between the SDK's retries follow that clock.

Taught in 00, "Three modes".
"""

from __future__ import annotations

import datetime
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

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

NO_KEY = "replay-needs-no-key"
LIVE_IN_BROWSER = (
    "any script on the page could read a key that you type, "
    "and the key would stay in the browser's storage"
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
    """A real ``openai.OpenAI`` client; ``mode`` decides what answers it.

    mode        "replay" (recorded answers, costs nothing), "live" (the real API, costs money) or
                "record" (the real API, costs money, answers are saved). None: COURSEKIT_MODE, also
                from .env, else "replay". While you are in a class, its server answers instead of
                replay, unless you pass "replay", any argument marked "replay only", a recordings
                folder, base_url, or api_key
    recordings  replay and record: a folder of recordings; None: your own, then the course's, which
                record mode never changes
    speed       replay only: 1.0 as recorded, 10 for ten times faster, "instant" for no waiting;
                None: COURSEKIT_SPEED, else 1.0
    faults      replay only: what goes wrong, a ``coursekit.offline.Fault`` or several in order
    rate_limit  replay only: {"rpm": 60, "tpm": 10_000, "spend": 0.50} (requests and tokens per
                minute, dollars), or a ``coursekit.offline.Account``, which several clients can
                share; None: no limits
    fallback    replay: an OpenAI-compatible server that answers what was not recorded: its address,
                the name of one at its usual port ("ollama", "lm studio", "llama.cpp", "vllm"), or
                "local" for the small model that `coursekit local install` downloads; False: none;
                None: COURSEKIT_FALLBACK in .env, else none. Receipts name the server that answered
                and show no price. record: it answers instead of the real API
    local_model  True is the same as fallback="local"; a path names a GGUF file
    openai_options  base_url, api_key, max_retries, timeout, …: as ``openai.OpenAI`` takes them

    Raises ModeError, MissingKey, LocalModelMissing or ValueError, before anything is sent; a
    request that the fallback cannot take raises FallbackUnreachable.
    """
    wiring = _Wiring(
        mode,
        recordings,
        speed,
        faults,
        rate_limit,
        local_model,
        fallback,
        openai_options,
    )
    kind = openai.OpenAI if wiring.natural else on_its_clock(openai.OpenAI)
    client = kind(**wiring.options, **wiring.http_client(DefaultHttpx2Client))
    wiring.finish(client, wiring.sync_hooks(http_client_of(client)))
    return client


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
    """Like ``connect()``, but for ``await``: a real ``openai.AsyncOpenAI``. A client belongs to one
    event loop.
    """
    wiring = _Wiring(
        mode,
        recordings,
        speed,
        faults,
        rate_limit,
        local_model,
        fallback,
        openai_options,
    )
    kind = (
        openai.AsyncOpenAI
        if wiring.natural
        else on_its_clock(openai.AsyncOpenAI)
    )
    client = kind(
        **wiring.options, **wiring.http_client(DefaultAsyncHttpx2Client)
    )
    wiring.finish(client, wiring.async_hooks(http_client_of(client)))
    return client


class _Wiring:
    """What both kinds of client share: the settings read, the transport built, the journal
    attached.
    """

    def __init__(
        self,
        mode: str | None,
        recordings: str | Path | None,
        speed: float | str | None,
        faults: Any,
        rate_limit: Any,
        local_model: Any,
        fallback: Any,
        options: Mapping[str, Any],
    ) -> None:
        if options:
            allowed = inspect.signature(openai.OpenAI.__init__).parameters
            ours = inspect.signature(connect).parameters
            refuse(options, allowed, also=ours, to="connect()")
        env = settings()
        own = (
            recordings,
            speed,
            faults,
            rate_limit,
            local_model,
            fallback,
            options.get("base_url"),
            options.get("api_key"),
        )
        self.mode = mode_of(mode, env)
        joined = (
            membership(env)
            if self.mode is Mode.REPLAY
            and mode is None
            and own.count(None) == len(own)
            else None
        )
        if joined is not None:
            self.mode = Mode.CLASS
        self.options = dict(options)
        self.journal, self.ledger = Journal(self.mode), Ledger()
        self._served_models = ServerModels(env)
        self._env, self._numbers = env, count(1)
        asked = (
            env.get("COURSEKIT_RECORDINGS") or None
            if recordings is None
            else recordings
        )
        more = [
            Path(folder)
            for folder in env.get(RECORDED, "").split(os.pathsep)
            if folder
        ]
        self._recordings = Recordings(
            [Path(asked), *more]
            if asked is not None
            else _folders(self.mode, env)
        )
        if "http_client" in options:
            raise ModeError(
                "connect() creates its own http_client, which is how replay and record mode work. "
                "Leave it out, or create openai.OpenAI(http_client=…) yourself."
            )
        self._api: OfflineApi | None = None
        answers = answering(
            self.mode,
            env,
            self._recordings,
            speed=speed,
            fallback=fallback,
            local_model=local_model,
        )
        if answers is not None:
            self._recorder = answers.recorder
            self._api = OfflineApi(
                answers.layer,
                answers.clock,
                faults=faults,
                rate_limit=rate_limit,
            )
            self.clock: Clock = self._api.clock  # that of a shared account
            self.options.setdefault("api_key", NO_KEY)
            self.options.setdefault("base_url", REAL_API)
        else:
            _refuse_offline_options(
                self.mode,
                faults=faults,
                rate_limit=rate_limit,
                local_model=local_model or None,
                fallback=fallback or None,
            )
            self.clock = ScaledClock()  # time as it passes
            if joined is not None:
                self.options |= {
                    "base_url": f"{joined.url}/v1",
                    "api_key": joined.key,
                }
                share(joined=joined)
            else:
                self.options = sdk_options(options, env)
                self.options["api_key"] = key_of(
                    self.mode, options.get("api_key"), env
                )
                refuse_in_browser(
                    "Live and record mode",
                    LIVE_IN_BROWSER,
                    'use mode="replay"',
                )

    @property
    def natural(self) -> bool:
        """Whether time passes as outside, so that the SDK's own waits are right."""
        return isinstance(self.clock, ScaledClock) and self.clock.speed == 1.0

    @property
    def _is_near(self) -> bool:
        """Whether requests go to the class or to this machine: past any proxy, and without an
        account's headers.
        """
        url = (
            self.options.get("base_url")
            or self._env.get("OPENAI_BASE_URL")
            or REAL_API
        )
        return self.mode is Mode.CLASS or is_this_machine(str(url))

    def http_client(self, make: Callable[..., Any]) -> dict[str, Any]:
        """The http_client option of the SDK's client; none in live mode, where the SDK makes its
        own.
        """
        direct = {"trust_env": False} if self._is_near else {}
        if self._api is not None:
            door = OfflineTransport(
                self._api, self.clock, self.journal, self.ledger, self._recorder
            )
            return {"http_client": make(transport=door)}
        if self.mode is Mode.RECORD:
            day = datetime.datetime.now(datetime.UTC).date().isoformat()
            recorder = recorder_for(
                self._recordings, self._env, on=day, key=self.options["api_key"]
            )
            return {
                "http_client": make(
                    transport=RecordingTransport(
                        make(**direct), recorder, self.clock
                    )
                )
            }
        if direct:
            return {"http_client": make(**direct)}
        return {}

    def finish(self, client: Any, hooks: Mapping[str, Any]) -> None:
        """Wire to the client its journal, which notes each answer (retried ones as well), its clock
        and its ledger.
        """
        if self._is_near:
            client.organization = self.options.get("organization")
            client.project = self.options.get("project")
        if self.mode is Mode.CLASS:
            without_account_headers(client, self.options.get("default_headers"))
        elif self._api is None and not _is_real(client.base_url):
            self.journal.server = client.base_url.netloc.decode()
        elif self._api is not None and self._recorder is not None:
            self.journal.server = self._recorder.provenance.by
        if self._api is None:  # the offline transport tells the journal itself
            http_client_of(client).event_hooks = hooks
        ledger = None if self._api is None else self.ledger
        wire(client, Wired(self.journal, self.clock, ledger))

    def sync_hooks(self, http_client: httpx2.Client) -> Mapping[str, Any]:
        def sent(request: httpx2.Request) -> None:
            if self._elsewhere(request):
                self._served_models.check(request, http_client)
            self._sent(request)

        return {"request": [sent], "response": [self._served]}

    def async_hooks(self, http_client: httpx2.AsyncClient) -> Mapping[str, Any]:
        async def sent(request: httpx2.Request) -> None:
            if self._elsewhere(request):
                await self._served_models.check_async(request, http_client)
            self._sent(request)

        async def served(response: httpx2.Response) -> None:
            self._served(response)

        return {"request": [sent], "response": [served]}

    def _sent(self, request: httpx2.Request) -> None:
        if _is_real(request.url):
            refuse_dead_model(request, self.mode, self._env)
        request.extensions["coursekit_sent"] = self.clock.now()

    def _elsewhere(self, request: httpx2.Request) -> bool:
        """Whether the request goes to a server other than OpenAI's, where models have other
        names.
        """
        return (
            self.mode is Mode.LIVE
            and not _is_real(request.url)
            and not is_list(request)
        )

    def _served(self, response: httpx2.Response) -> None:
        if is_list(response.request):
            return
        seconds = (
            self.clock.now() - response.request.extensions["coursekit_sent"]
        )
        source = self.journal.server or "live"
        if self.mode is Mode.CLASS:
            source = response.headers.get(
                "x-coursekit-source", "not a class server"
            )
        # so that a receipt finds the answer's latency
        elif "x-request-id" not in response.headers:
            response.headers["x-request-id"] = (
                f"coursekit-{next(self._numbers)}"
            )
        self.journal.add(
            Served(
                response.headers.get("x-request-id"),
                response.status_code,
                source,
                seconds,
            )
        )


def _folders(mode: Mode, env: Mapping[str, str]) -> list[Path]:
    """Where to look for recordings: your own before the course's. What record mode saves is your
    own.
    """
    own, course = own_recordings(env), recording_folders()
    counts = mode is Mode.RECORD or (env.get(OWN) != "off" and own.is_dir())
    return [own, *course] if counts else course


def _is_real(url: httpx2.URL) -> bool:
    # Elsewhere (a proxy, Azure) models have other ends, and the server there says so.
    return is_real(url.host)


def _refuse_offline_options(mode: str, **options: Any) -> None:
    """The real API has its own limits and faults: raises ModeError if any are requested."""
    for name, value in options.items():
        if value is not None:
            raise ModeError(
                f'{name}= is for the offline API, but mode="{mode}" calls the real one. Nothing '
                "was sent.\n"
                f'Use connect(mode="replay", {name}=…), or leave {name} out.'
            )
