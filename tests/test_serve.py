"""``coursekit serve``: where it may listen, what it says, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import openai
import pytest

from coursekit.foundation.addresses import is_this_machine
from coursekit.offline.server.running import CannotServe, listen
from support.offline_api import folder_with, params, whole
from support.waiting import HANG


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.7", "classroom.example", ""]
)
def test_elsewhere_needs_an_access_token(host: str) -> None:
    """An address that other machines can reach is not opened without an access token of 8
    characters.
    """
    for token in (None, "", "short"):
        with pytest.raises(CannotServe, match="COURSEKIT_ACCESS_TOKEN"):
            listen(host, 0, token)


def test_elsewhere_with_an_access_token() -> None:
    """With an access token, any address is opened."""
    with listen("0.0.0.0", 0, "long-enough-one") as listener:
        assert listener.getsockname()[1] > 0
    assert [
        is_this_machine(host)
        for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost", "0.0.0.0")
    ] == [True] * 4 + [False]


def test_a_port_that_is_taken() -> None:
    """If a port is taken or invalid, the error says what to do."""
    with listen("127.0.0.1", 0) as first:
        for port in (first.getsockname()[1], 70_000):
            with pytest.raises(CannotServe, match="another port"):
                listen("127.0.0.1", port)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_command(tmp_path: Path, sign: signal.Signals) -> None:
    """``coursekit serve`` prints its address and a new admin token, answers, logs, and shuts down
    cleanly on request.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    command = [
        sys.executable,
        "-m",
        "coursekit",
        "serve",
        "--port",
        "0",
        "--recordings",
        str(tmp_path),
        "--rpm",
        "2",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        greeting = [process.stdout.readline() for _ in range(5)]
        address = re.search(r"http://127\.0\.0\.1:\d+", greeting[0])[0]  # type: ignore[index]
        token = greeting[4].split()[-1]
        with openai.OpenAI(
            base_url=f"{address}/v1", api_key="k", max_retries=0
        ) as client:
            told = [
                client.chat.completions.with_raw_response.create(
                    **params()
                ).headers
                for _ in range(2)
            ]
            with pytest.raises(openai.RateLimitError):
                client.chat.completions.create(**params())
        learners = httpx2.get(
            f"{address}/admin/learners",
            headers={"authorization": f"Bearer {token}"},
            timeout=HANG,
        ).json()
        process.send_signal(sign)
        out, err = process.communicate(timeout=HANG)
    assert (
        process.returncode == 0
        and err == ""
        and out.endswith("The server has stopped.\n")
    )
    assert [headers["x-ratelimit-remaining-requests"] for headers in told] == [
        "1",
        "0",
    ]
    assert learners["learners"][0]["statuses"] == {"200": 2, "429": 1}
    assert (
        len(re.findall(r"learner-1 POST /v1/chat/completions (200|429)", out))
        == 3
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "access token"),
        (["--recordings", "no/such/folder"], "no folder no/such/folder"),
        (["--speed", "fast"], "is not a speed"),
        (["--rpm", "0"], "rpm=0 is not a limit"),
        (["--port", "99999"], "another port"),
    ],
)
def test_what_the_command_refuses(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invalid or unsafe arguments cause one error message, and nothing is opened."""
    from coursekit.workshop.commands.command_line import main

    assert main(["serve", *arguments]) == 1
    assert told in capsys.readouterr().err


def test_the_day_of_the_command(tmp_path: Path) -> None:
    """With --today, a model that is shut down by then is refused. Other models answer from their
    recordings.
    """
    folder = str(folder_with(tmp_path, (params(), whole("Paris."))))
    command = [
        sys.executable,
        "-m",
        "coursekit",
        "serve",
        "--port",
        "0",
        "--recordings",
        folder,
    ]
    with subprocess.Popen(
        [*command, "--today", "2026-01-17"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = re.search(
            r"http://127\.0\.0\.1:\d+", process.stdout.readline()
        )
        assert address is not None
        client = openai.OpenAI(
            base_url=f"{address[0]}/v1",
            api_key="x",
            max_retries=0,
            timeout=HANG,
        )
        reply = client.chat.completions.create(**params())
        with pytest.raises(openai.NotFoundError, match="has been deprecated"):
            client.chat.completions.create(
                **{**params(), "model": "gpt-3.5-turbo-0613"}
            )
        process.terminate()
    assert reply.choices[0].message.content == "Paris."
