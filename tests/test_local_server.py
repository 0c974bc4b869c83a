"""The small model's server: one process for all of a user's kernels, which ends after they have
ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coursekit import Meter, RecordingNotFound, connect
from coursekit.local_model import DamagedModel, LocalModelMissing, server
from coursekit.settings import ModeError
from support.fake_llama_installed import installed
from support.offline_api import params

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the cache folder is set by XDG_CACHE_HOME"
)
HANG = 90.0  # seconds that only a hang reaches
KERNEL = """
import sys, time
from coursekit import connect
client = connect("replay", local_model=sys.argv[1], recordings="/nowhere", speed="instant")
print(client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}]).model, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield installed(tmp_path, monkeypatch)
    server._forget()
    for _, pid in running(tmp_path):  # it would end by itself, in three seconds
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda pid=pid: not alive(pid))


def running(folder: Path) -> list[tuple[Path, int]]:
    """The servers' state files in a cache folder, and their process IDs."""
    return [
        (path, json.loads(path.read_text())["pid"])
        for path in folder.glob("cache/coursekit/server-*.json")
    ]


def alive(pid: int) -> bool:
    """Whether a process is running. A process that has ended but has not been waited for is not
    running.
    """
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            != "Z"
        )
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return not Path("/proc").is_dir()


def wait_until(true: Any) -> None:
    end = time.monotonic() + HANG
    while not true():
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.02)


def ask(**options: Any) -> Any:
    client = connect(
        "replay", recordings="/nowhere", speed="instant", **options
    )
    try:
        reply = client.chat.completions.create(**params("Anything"))
        return reply, Meter(client).add(reply)
    finally:
        client.close()


def kernel(model: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", KERNEL, str(model)],
        stdin=pipe,
        stdout=pipe,
        text=True,
    )


def test_the_reply_and_its_receipt_name_the_model(model: Path) -> None:
    """The file's name is the model, the receipt says "local", and there is no price."""
    reply, receipt = ask(local_model=model)
    assert (reply.model, reply.choices[0].message.content) == (
        "Tiny-1M",
        "a snail",
    )
    assert (receipt.origin, receipt.cost) == (
        "replay · local · Tiny-1M",
        "no price",
    )


@pytest.mark.slow
def test_two_kernels_that_start_at_once_share_one_server(
    model: Path, tmp_path: Path
) -> None:
    """There is one process, which ends shortly after the second kernel has ended."""
    kernels = [kernel(model), kernel(model)]
    assert [each.stdout.readline() for each in kernels if each.stdout] == [
        "Tiny-1M\n"
    ] * 2
    ((state, pid),) = running(tmp_path)
    kernels[0].communicate()
    assert alive(pid)
    kernels[1].communicate()
    wait_until(lambda: not alive(pid))
    assert not state.exists()


@pytest.mark.slow
def test_no_server_outlives_a_killed_kernel(
    model: Path, tmp_path: Path
) -> None:
    """After the only kernel is killed with kill -9, the operating system closes its lease, and the
    server ends.
    """
    killed = kernel(model)
    assert killed.stdout is not None
    killed.stdout.readline()
    ((_, pid),) = running(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    wait_until(lambda: not alive(pid))


def test_a_server_that_was_killed_is_started_again(
    model: Path, tmp_path: Path
) -> None:
    """The next request finds that its lease has ended, and starts another server."""
    ask(local_model=model)
    ((_, first),) = running(tmp_path)
    os.kill(first, signal.SIGKILL)
    wait_until(
        lambda: (
            not any(
                server._alive(lease) for lease, _ in server._leases.values()
            )
        )
    )
    assert ask(local_model=model)[0].model == "Tiny-1M"
    ((_, second),) = running(tmp_path)
    assert second != first


def test_a_forked_process_takes_a_lease_of_its_own(
    model: Path, tmp_path: Path
) -> None:
    """A child of this process neither uses nor ends its parent's lease."""
    ask(local_model=model)
    child = os.fork()
    if not child:
        os._exit(0 if not server._leases else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (
        ask(local_model=model)[0].model == "Tiny-1M"
        and len(running(tmp_path)) == 1
    )


def test_a_damaged_model_is_told_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process says why it could not start. The error names the file and is not retried."""
    path = installed(tmp_path, monkeypatch, "damaged")
    with pytest.raises(DamagedModel, match=r"Tiny-1M\.gguf"):
        ask(local_model=path)
    assert running(tmp_path) == []


def test_no_key_reaches_the_servers_process(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenAI's variables are not in the process's environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-it")
    ask(local_model=model)
    ((state, pid),) = running(tmp_path)
    assert state.stat().st_mode & 0o077 == 0
    if Path("/proc").is_dir():
        assert b"not-for-it" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_what_is_missing_is_told_by_connect(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the file or the package, nothing is started, and the message has the command that
    installs it.
    """
    with pytest.raises(
        LocalModelMissing,
        match=r"no model at .*absent\.gguf\. Nothing was sent",
    ):
        connect(local_model=tmp_path / "absent.gguf")
    monkeypatch.setattr(
        "coursekit.local_model.llama.util.find_spec", lambda name: None
    )
    for options in ({"local_model": model}, {"fallback": "local"}):
        with pytest.raises(LocalModelMissing, match=r"coursekit local install"):
            connect(**options)  # type: ignore[arg-type]
    monkeypatch.setenv("COURSEKIT_LOCAL", "1")
    with pytest.raises(LocalModelMissing):
        connect()
    connect(local_model=False)


def test_the_settings_choose_the_model(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COURSEKIT_FALLBACK=local or COURSEKIT_LOCAL=1 turns on the local model; COURSEKIT_LOCAL_MODEL
    names a file.
    """
    monkeypatch.setenv("COURSEKIT_LOCAL_MODEL", str(model))
    assert (
        ask(local_model=True)[0].model
        == ask(fallback="local")[0].model
        == "Tiny-1M"
    )
    for name, value in (
        ("COURSEKIT_FALLBACK", "local"),
        ("COURSEKIT_LOCAL", "1"),
    ):
        monkeypatch.setenv(name, value)
        assert ask()[0].model == "Tiny-1M"
        with pytest.raises(RecordingNotFound, match="coursekit local install"):
            ask(local_model=False)
        monkeypatch.delenv(name)
    with pytest.raises(ModeError, match="local_model= is for the offline API"):
        connect("live", local_model=True, api_key="none")
    with pytest.raises(ValueError, match="is not a model"):
        connect(local_model=3)  # type: ignore[arg-type]
