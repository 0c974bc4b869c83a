"""connect(): the mode decides what answers, and nothing is spent unless the mode says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import openai
import pytest

from coursekit import connect, connect_async
from coursekit.settings import MissingKey, ModeError
from coursekit.wired import on_its_clock, wired_to
from support.loopback import upstream
from support.offline_api import (
    Says,
    completion,
    error_answers,
    folder_with,
    params,
    whole,
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the machine's settings nor a .env file reaches these tests."""
    for name in (
        "COURSEKIT_MODE",
        "COURSEKIT_SPEED",
        "COURSEKIT_RECORDINGS",
        "COURSEKIT_REPLIES",
        "PYTHON_DOTENV_DISABLED",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


def test_the_default_is_replay_and_the_real_client(tmp_path: Path) -> None:
    """Without any settings, connect() returns an openai.OpenAI in replay mode with the SDK's own
    defaults, and needs no key.
    """
    client = connect(recordings=folder_with(tmp_path, (params(), whole())))
    assert (
        type(client) is openai.OpenAI
        and client.max_retries == 2
        and client.timeout == openai.DEFAULT_TIMEOUT
    )
    assert (
        client.chat.completions.create(**params()).choices[0].message.content
        == "Paris."
    )


def test_a_key_alone_spends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key in the environment, or another base URL, does not turn on live mode, and the key is not
    even read.
    """
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-used")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/elsewhere")
    client = connect(recordings=folder_with(tmp_path, (params(), whole())))
    assert client.api_key == "replay-needs-no-key"
    assert (
        client.chat.completions.create(**params()).choices[0].message.content
        == "Paris."
    )


@pytest.mark.parametrize("make", [connect, connect_async])
def test_a_typo_in_the_mode(make, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """An unknown mode is refused with a list of the modes, what each of them costs, and the one
    that was probably meant.
    """
    with pytest.raises(ModeError) as error:
        make("replya")
    assert str(error.value) == (
        "mode='replya' is not a mode, so nothing was sent. Did you mean \"replay\"?\n"
        'The modes: "replay" (recorded answers, costs nothing), "live" (the real API, costs '
        "money),\n"
        '"record" (the real API, costs money, and its answers are saved for replay).'
    )
    monkeypatch.setenv("COURSEKIT_MODE", "prod")
    with pytest.raises(ModeError, match="COURSEKIT_MODE=prod is not a mode"):
        make()


@pytest.mark.parametrize("mode", ["live", "record"])
def test_live_without_a_key(mode: str) -> None:
    """If a mode needs the real API and there is no key, the message says where to put a key and how
    to work without one.
    """
    with pytest.raises(MissingKey) as error:
        connect(mode)
    assert (
        f'mode="{mode}"' in str(error.value)
        and ".env" in str(error.value)
        and 'connect(mode="replay")' in str(error.value)
    )


def test_settings_come_from_the_process_then_from_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A .env file in the course's folder above is read. An environment variable overrides it, and
    the argument overrides both.
    """
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".env").write_text(
        "COURSEKIT_MODE=live\nOPENAI_API_KEY=sk-from-dotenv\n"
    )
    assert connect().api_key == "sk-from-dotenv"
    assert connect("replay").api_key == "replay-needs-no-key"
    monkeypatch.setenv("COURSEKIT_MODE", "replay")
    assert connect().api_key == "replay-needs-no-key"
    assert connect("live", api_key="sk-given").api_key == "sk-given"
    assert "OPENAI_API_KEY" not in os.environ
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "1")  # dotenv's own switch
    with pytest.raises(MissingKey):
        connect("live")


@pytest.mark.parametrize(
    "mark", ["", ".git", "pyproject.toml", "notebooks/00_start_here.ipynb"]
)
def test_a_env_file_above_the_course_counts_for_nothing(
    mark: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A .env file above the course's folder, or above a folder that is not a course, cannot turn on
    live mode.
    """
    course = tmp_path / "course"
    here = course / "notebooks"
    here.mkdir(parents=True)
    if mark:
        (course / mark).touch()
    monkeypatch.chdir(here)
    (tmp_path / ".env").write_text(
        "COURSEKIT_MODE=live\nOPENAI_API_KEY=sk-of-somebody\n"
    )
    assert connect().api_key == "replay-needs-no-key"
    (course / ".env").write_text(
        "COURSEKIT_MODE=live\nOPENAI_API_KEY=sk-of-the-course\n"
    )
    assert connect().api_key == (
        "sk-of-the-course" if mark else "replay-needs-no-key"
    )


def test_live_is_the_plain_client() -> None:
    """In live mode, the SDK's own transport sends the request, and only the journal listens."""
    with upstream(
        lambda to: to.whole(json.dumps(completion("Live.")).encode())
    ) as (
        url,
        seen,
    ):
        with connect("live", api_key="sk-live", base_url=url) as client:
            assert (
                client.chat.completions.create(**params())
                .choices[0]
                .message.content
                == "Live."
            )
        served = wired_to(client).journal.last
        # GET /v1/models before it, once: the server is not OpenAI's
        assert len(seen) == 2
        assert (
            f"http://{served.source}/v1" == url
            and served.seconds > 0
            and served.request_id == "req_upstream"
        )


def test_the_journal_tells_where_an_answer_came_from(tmp_path: Path) -> None:
    """Each response is recorded in the journal with its request ID, status, provenance, and
    recorded seconds.
    """
    client = connect(
        recordings=folder_with(tmp_path, (params(), whole(after=0.767))),
        speed="instant",
    )
    reply = client.with_options(timeout=5).chat.completions.create(**params())
    served = wired_to(client).journal.find(reply._request_id)
    assert (served.source, served.status, served.seconds) == (
        "written",
        200,
        pytest.approx(0.767),
    )


@pytest.mark.parametrize("speed", [0, -1, "fast", "nan", float("inf")])
def test_a_speed_that_is_none(speed: object) -> None:
    """A speed that is neither a positive number nor "instant" is refused with a message that says
    what to use.
    """
    with pytest.raises(
        ValueError, match='Give a number above 0 .* or "instant"'
    ):
        connect(speed=speed)  # type: ignore[arg-type]


def test_the_sdk_waits_on_the_same_clock(tmp_path: Path) -> None:
    """At speed "instant", the SDK's backoff between retries moves the virtual clock and takes no
    time.
    """
    folder = folder_with(
        tmp_path, *error_answers(params(), 2), (params(), whole())
    )
    client = connect(recordings=folder, speed="instant")
    assert type(client) is on_its_clock(openai.OpenAI)
    raw = client.with_options(
        max_retries=4
    ).chat.completions.with_raw_response.create(**params())
    # 0.375-0.5 s and 0.75-1 s
    assert raw.retries_taken == 2 and 1.0 < wired_to(client).clock.now() < 1.6


def test_its_own_http_client_is_refused() -> None:
    """connect(http_client=…) says why it is not allowed, before anything is built."""
    with pytest.raises(ValueError, match="Leave http_client out"):
        connect(http_client=openai.DefaultHttpx2Client())
    assert Says(whole()).requests == []


def test_importing_the_package_imports_nothing_heavy() -> None:
    """``import coursekit`` does not load the SDK, charts, widgets, or a vocabulary."""
    heavy = {
        "openai",
        "httpx2",
        "matplotlib",
        "ipywidgets",
        "tiktoken",
        "genai_prices",
    }
    code = f"import sys, coursekit; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
