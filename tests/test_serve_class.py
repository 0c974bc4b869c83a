"""``coursekit serve --class``: what it prints, what it refuses, and that a class survives a
restart.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from coursekit.workshop.commands.command_line import main
from coursekit.workshop.commands.greeting import class_greeting, reachable
from support.offline_api import folder_with, params, whole
from support.waiting import HANG, until

ROOT = Path(__file__).parents[1]


@contextmanager
def class_server(
    folder: Path, port: int = 0, **env: str
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, its address, and what it prints until it serves. It is killed at the end."""
    command = [
        sys.executable,
        "-m",
        "coursekit",
        "serve",
        "--class",
        "--port",
        str(port),
        "--recordings",
        str(folder),
    ]
    more = ["--class-file", str(folder / "class.json")]
    with subprocess.Popen(
        [*command, *more],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    ) as process:
        assert process.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("  Saved"):
            lines.append(process.stdout.readline())
            assert lines[-1], "the server has ended"
        try:
            # type: ignore[index]
            yield (
                process,
                re.search(r"http://127\.0\.0\.1:\d+", lines[0])[0],
                "".join(lines),
            )
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_killed_and_started_again(tmp_path: Path) -> None:
    """After kill -9, the same command continues with the same learner's key, meter, and console
    token.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    with class_server(tmp_path, COURSEKIT_ACCESS_TOKEN="opens-the-class") as (
        process,
        url,
        said,
    ):
        assert "no one has joined yet" in said and "opens-the-class" not in said
        assert (
            f'join("NAME", "{url}")' in said
            and f"COURSEKIT_BASE_URL={url}/v1" in said
        )
        assert (
            "for this machine only" in said
            and "coursekit serve --class --host 0.0.0.0" in said
        )
        token = (tmp_path / "class.console-token").read_text().strip()
        assert (
            token not in said
            and f"{url}/console      its token is in {tmp_path / 'class.console-token'}"
            in said
        )
        headers = {"authorization": "Bearer opens-the-class"}
        key = httpx2.post(
            f"{url}/join", json={"name": "Ada"}, headers=headers, timeout=HANG
        ).json()["key"]
        ask(url, key)
        admin = {"authorization": f"Bearer {token}"}
        before = httpx2.get(
            f"{url}/admin/learners", headers=admin, timeout=HANG
        ).json()["learners"]
        kept_soon(tmp_path / "class.json", '"200": 1')
        process.send_signal(signal.SIGKILL)
        process.wait(HANG)
    with class_server(tmp_path, int(url.rpartition(":")[2])) as (
        process,
        again,
        said,
    ):
        assert again == url and "1 learner has joined" in said
        assert (tmp_path / "class.console-token").read_text().strip() == token
        assert (
            httpx2.get(
                f"{url}/admin/learners", headers=admin, timeout=HANG
            ).json()["learners"]
            == before
        )
        ask(url, key)
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=HANG)[0]
    assert (
        rest.endswith("The server has stopped.\n")
        and key not in rest
        and token not in rest
    )


def ask(url: str, key: str) -> None:
    with openai.OpenAI(
        base_url=f"{url}/v1", api_key=key, max_retries=0
    ) as client:
        assert (
            client.chat.completions.create(**params())
            .choices[0]
            .message.content
            == "Paris."
        )


def kept_soon(path: Path, text: str) -> None:
    until(lambda: text in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (
            ["--class", "--host", "0.0.0.0"],
            {"COURSEKIT_ACCESS_TOKEN": "short-token"},
            "at least 12 characters",
        ),
        (["--share"], {}, "--share only works with --class"),
        (["--class-file", "x.json"], {}, "only works with --class"),
        (
            ["--class"],
            {
                "COURSEKIT_ADMIN_TOKEN": "same-token",
                "COURSEKIT_ACCESS_TOKEN": "same-token",
            },
            "learners know",
        ),
        (
            ["--class", "--host", "0.0.0.0"],
            {
                "COURSEKIT_ADMIN_TOKEN": "nineteen-characters",
                "COURSEKIT_ACCESS_TOKEN": "long-enough-one",
            },
            "too easy to guess",
        ),
        (["--class", "--rpm", "0"], {}, "rpm=0 is not a limit"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    env: dict[str, str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Unsafe or invalid arguments are an error, and neither a port nor a class file is opened."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "class.json"
    kept = [] if "--class-file" in arguments else ["--class-file", str(file)]
    assert main(["serve", "--port", "0", *arguments, *kept]) == 1
    assert told in capsys.readouterr().err and not file.exists()


def test_a_damaged_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not a class file is an error, and stays unchanged."""
    (tmp_path / "class.json").write_text("{}")
    assert (
        main(
            [
                "serve",
                "--class",
                "--port",
                "0",
                "--class-file",
                str(tmp_path / "class.json"),
            ]
        )
        == 1
    )
    assert (
        "Move the file away" in capsys.readouterr().err
        and (tmp_path / "class.json").read_text() == "{}"
    )


def said_by(
    *,
    opened: bool,
    made: str | None = None,
    access: str | None = "access-token",
    **more: Any,
) -> str:
    address, file = "http://10.0.0.5:8000", Path("class.json")
    return class_greeting(
        address,
        access,
        Path("class.console-token"),
        file,
        2,
        opened=opened,
        made=made,
        **more,
    )


def test_what_is_opened() -> None:
    """If other machines can reach the server, it says what that opens and to whom. Tokens that the
    teacher chose are not shown.
    """
    said = said_by(opened=True, others=["http://10.8.0.2:8000"])
    assert (
        "every machine that can reach this one" in said
        and "unencrypted" in said
        and "2 learners" in said
    )
    assert (
        "access-token" not in said
        and "COURSEKIT_ACCESS_TOKEN" in said
        and "http://10.8.0.2:8000" in said
    )
    assert "unencrypted" not in said_by(opened=False, access=None)


def test_a_room_that_can_join() -> None:
    """The server says who can join at the address, how a room full of learners can join, and which
    token to write on the board if the server made it.
    """
    alone, room = (
        said_by(opened=False, access=None),
        said_by(opened=True, made="bada-feri-zolu", access="bada-feri-zolu"),
    )
    assert (
        "for this machine only" in alone
        and "To let them: coursekit serve --class --host 0.0.0.0" in alone
    )
    assert (
        "for machines in your network" in room
        and "Token      bada-feri-zolu" in room
    )
    assert "A room?" not in room and "Token" not in alone


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_the_first_line_of_the_readme(tmp_path: Path) -> None:
    """The command in the README opens a class that another machine can join with the address and
    token it prints.
    """
    [command] = re.findall(
        r"\*\*To teach:\*\* `coursekit (serve [^`]+)`",
        (ROOT / "README.md").read_text("utf-8"),
    )
    assert "--host 0.0.0.0" in command
    folder_with(tmp_path, (params(), whole("Paris.")))
    more = [
        "--port",
        "0",
        "--recordings",
        str(tmp_path),
        "--class-file",
        str(tmp_path / "class.json"),
    ]
    env = {
        name: value for name, value in os.environ.items() if "TOKEN" not in name
    }
    whole_command = [sys.executable, "-m", "coursekit", *command.split(), *more]
    with subprocess.Popen(
        whole_command, stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        said = ""
        while "  Saved" not in said:
            said += (line := process.stdout.readline())
            assert line, "the server has ended"
        try:
            url = re.search(r"http://[^ /]+:\d+", said)[0]  # type: ignore[index]
            token = re.search(r"Token +(\S+)", said)[1]  # type: ignore[index]
            local = f"http://127.0.0.1:{url.rpartition(':')[2]}"
            headers = {
                "authorization": f"Bearer {token}",
                "host": url.removeprefix("http://"),
            }
            joined = httpx2.post(
                f"{local}/join", json={"name": "Ada"}, headers=headers
            )
            assert (
                joined.status_code == 201
                and joined.json()["base_url"] == f"{url}/v1"
            )
            assert (
                httpx2.post(f"{local}/join", json={"name": "Ada"}).status_code
                == 401
            )
            ask(local, joined.json()["key"])
        finally:
            process.kill()


class Probe:
    """A socket that reaches the outside from ``host``, or None if there is no network."""

    host: str | None = "192.168.1.7"

    def __init__(self, *_: object) -> None: ...
    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None: ...
    def connect(self, address: object) -> None:
        if self.host is None:
            raise OSError("no network")

    def getsockname(self) -> tuple[str, int]:
        return str(self.host), 9


def test_an_address_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a server listens on all addresses, learners get one that leads to it, or the machine's
    name.
    """
    monkeypatch.setattr(
        "coursekit.workshop.commands.greeting.socket.socket", Probe
    )
    assert [reachable(host) for host in ("10.0.0.5", "::1", "0.0.0.0", "")] == [
        "10.0.0.5",
        "[::1]",
        "192.168.1.7",
        "192.168.1.7",
    ]
    monkeypatch.setattr(Probe, "host", "fd00::7")
    assert reachable("::") == "[fd00::7]"
    monkeypatch.setattr(Probe, "host", None)
    assert reachable("0.0.0.0") == socket.gethostname()
