"""A class on a real JupyterHub, which is started here from deploy/: work, crashes, full disks,
restarts, and privacy.

Needs the extra hub, and configurable-http-proxy from npm in PATH. If it runs as root, it also needs
an environment that other users can access, because each learner is a separate user:

    python -m venv /srv/coursekit && /srv/coursekit/bin/pip install '.[hub,test]'
    npm install --global configurable-http-proxy@5.3
    /srv/coursekit/bin/python -m pytest -m hub -s tests/test_hub.py
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from coursekit.course import DATA
from support.hub_learner import Learner, Refused
from support.hub_running import (
    CONFIG,
    PASSWORD,
    ROOT,
    Hub,
    hub_running,
    missing,
)
from support.ports import free_port

pytestmark = [
    pytest.mark.hub,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
only_root = pytest.mark.skipif(
    os.getuid() != 0, reason="only root can give each learner a Unix user"
)

CHAPTERS = ("01_basics", "05_async_and_throughput")
CLASS = ("ada", "bo", "cy", "dana", "eli", "fay", "gus", "hana", "ivo", "june")
TOKEN = "the token of the console, in tests"
PER_LEARNER = (
    1024  # MiB: what a learner with three notebooks open may take at most
)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with hub_running() as running:
        yield running


@contextlib.asynccontextmanager
async def at_work(hub: Hub, *names: str) -> AsyncIterator[list[Learner]]:
    """These learners, logged in, with their servers started. The servers keep running afterward."""
    learners = [Learner(hub.url, name, PASSWORD) for name in names]
    try:
        for learner in learners:
            await learner.log_in()
            await learner.start()
        yield learners
    finally:
        for learner in learners:
            await learner.close()


# Ten at once


def test_ten_learners_work_at_once(hub: Hub, tmp_path: Path) -> None:
    """Ten learners log in, run chapters 01 and 05, and solve exercises at the same time, without an
    error. The teacher collects all ten notebooks.

    Prints what each learner used; these are the numbers in deploy/README.md.
    """
    rows = asyncio.run(_a_class(hub))
    print("\nlearner  start s  01 s  05 s  MiB  MiB of their own")
    for name, times in rows.items():
        resident, own = hub.memory(name)
        print(
            f"{name:8} {times[0]:7.1f} {times[1]:5.0f} {times[2]:5.0f} {resident:4.0f} {own:4.0f}"
        )
        assert 0 < own < PER_LEARNER
    assert hub.process
    print(
        f"hub: {_resident(hub.process.pid):.0f} MiB, proxy: {_resident(_proxy(hub)):.0f} MiB"
    )

    collected = _collect(hub, tmp_path, "01_basics")
    assert collected.splitlines() == [
        f"{name}: 01_basics" for name in sorted(CLASS)
    ]
    solution = nbformat.read(ROOT / "solutions" / "01_basics.ipynb", 4)
    for name in CLASS:
        handed_in = nbformat.read(
            tmp_path / "submitted" / name / "01_basics" / "01_basics.ipynb", 4
        )
        assert _answers(handed_in) == _answers(solution)
        assert handed_in.cells[0].source == f"# Work of {name}", (
            "somebody else's notebook"
        )


async def _a_class(hub: Hub) -> dict[str, list[float]]:
    learners = [Learner(hub.url, name, PASSWORD) for name in CLASS]
    try:
        return dict(
            zip(
                CLASS,
                await asyncio.gather(
                    *map(_a_lesson, learners, range(len(CLASS)))
                ),
                strict=True,
            )
        )
    finally:
        for learner in learners:
            await learner.close()


async def _a_lesson(learner: Learner, place: int) -> list[float]:
    """What one learner does. Returns the seconds until the server answered, and for each
    chapter.
    """
    await asyncio.sleep(place)  # nobody types as fast as the neighbor
    await learner.log_in()
    times = [await learner.start()]
    for chapter in CHAPTERS:
        began = time.monotonic()
        assert await learner.run(f"notebooks/{chapter}.ipynb") == [], (
            f"{learner.name} in {chapter}"
        )
        times.append(time.monotonic() - began)
    exercise = "exercises/01_basics.ipynb"
    notebook = await learner.read(exercise)
    solved = _answers(nbformat.read(ROOT / "solutions" / "01_basics.ipynb", 4))
    for cell in notebook.cells:
        cell.source = solved.get(_grade_id(cell), cell.source)
    notebook.cells[0].source = f"# Work of {learner.name}"
    (await learner.save(exercise, notebook)).raise_for_status()
    assert await learner.run(exercise) == []
    return times


def _grade_id(cell: Any) -> str:
    kept = cell.metadata.get("nbgrader", {})
    return str(kept["grade_id"]) if kept.get("solution") else ""


def _answers(notebook: Any) -> dict[str, str]:
    return {
        _grade_id(cell): cell.source
        for cell in notebook.cells
        if _grade_id(cell)
    }


def _collect(hub: Hub, course: Path, *chapters: str) -> str:
    command = [
        sys.executable,
        str(ROOT / "deploy" / "collect.py"),
        str(hub.learners),
        str(course),
        *chapters,
    ]
    return subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout


def _proxy(hub: Hub) -> int:
    return int((hub.folder / "hub" / "proxy.pid").read_text())


def _resident(pid: int) -> float:
    import psutil

    return psutil.Process(pid).memory_info().rss / 2**20


# One learner's trouble


def test_a_crash_is_its_learners_own(hub: Hub) -> None:
    """If a kernel uses up its memory or dies, or a server is killed, other kernels keep their
    variables, and saved work stays.
    """

    async def class_() -> None:
        async with at_work(hub, "ada", "bo") as (ada, bo):
            kernel = await bo.open_kernel("notebooks/02_parameters.ipynb")
            await kernel.text("kept = 'by bo'")
            notebook = await ada.read("exercises/02_parameters.ipynb")
            notebook.cells[0].source = "ada was here"
            (
                await ada.save("exercises/02_parameters.ipynb", notebook)
            ).raise_for_status()

            greedy = await ada.open_kernel("notebooks/02_parameters.ipynb")
            assert "MemoryError" in await greedy.text(
                "much = bytearray(5 * 2**30)"
            )
            assert await greedy.text("print(6 * 7)") == "42\n", (
                "the kernel goes on"
            )
            for process in hub.processes("ada"):
                process.kill()
            assert await kernel.text("print(kept)") == "by bo\n"

            await ada.start()
            assert (await ada.read("exercises/02_parameters.ipynb")).cells[
                0
            ].source == "ada was here"
            assert await kernel.text("print(kept)") == "by bo\n"

    asyncio.run(class_())


def test_a_loop_that_writes_ends_in_an_error(hub: Hub) -> None:
    """No file grows beyond the limit, so one learner's loop does not fill everyone's disk."""

    async def class_() -> None:
        async with at_work(hub, "cy") as (cy,):
            kernel = await cy.open_kernel("notebooks/01_basics.ipynb")
            said = await kernel.text(
                "with open('big', 'wb') as f:\n    for _ in range(300):\n        "
                "f.write(bytes(2**20))"
            )
            assert "OSError: [Errno 27] File too large" in said
            assert (
                hub.learners / "cy" / "notebooks" / "big"
            ).stat().st_size <= 256 * 2**20
            await kernel.text("import os; os.remove('big')")

    asyncio.run(class_())


@only_root
def test_a_full_disk_is_its_learners_own(hub: Hub) -> None:
    """If a learner's folder is on a separate disk that is full, saving fails and keeps the old
    notebook, and others can still save.

    Deleting a file makes room again.
    """
    home = hub.learners / "dan"
    home.mkdir()
    mounted = subprocess.run(
        [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            "size=8m,mode=700,uid=25001,gid=25001",
            "tmpfs",
            str(home),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        home.rmdir()
        pytest.skip(
            f"no file system can be mounted here: {mounted.stderr.strip()}"
        )
    try:
        asyncio.run(_with_a_full_disk(hub))
    finally:
        for process in hub.processes("dan"):
            process.kill()
        subprocess.run(["umount", "--lazy", str(home)], check=True)


async def _with_a_full_disk(hub: Hub) -> None:
    async with at_work(hub, "dan", "bo") as (dan, bo):
        notebook = await dan.read("exercises/01_basics.ipynb")
        notebook.cells[0].source = "before"
        (
            await dan.save("exercises/01_basics.ipynb", notebook)
        ).raise_for_status()
        kernel = await dan.open_kernel("notebooks/01_basics.ipynb")
        assert "No space left" in await kernel.text(
            "open('big', 'wb').write(bytes(9 * 2**20))"
        )

        notebook.cells[0].source = "x" * 2**20
        assert (
            await dan.save("exercises/01_basics.ipynb", notebook)
        ).status_code == 500
        assert (
            nbformat.read(hub.learners / "dan/exercises/01_basics.ipynb", 4)
            .cells[0]
            .source
            == "before"
        )
        other = await bo.read("exercises/01_basics.ipynb")
        (await bo.save("exercises/01_basics.ipynb", other)).raise_for_status()

        (await dan.api("DELETE", "contents/notebooks/big")).raise_for_status()
        (
            await dan.save("exercises/01_basics.ipynb", notebook)
        ).raise_for_status()


# The hub's trouble


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_hub_is_restarted_and_no_work_is_lost(
    hub: Hub, how: signal.Signals
) -> None:
    """Whether the hub ends or is killed, kernels keep their variables, learners stay logged in, and
    saving still works.
    """

    async def before() -> tuple[Learner, str]:
        ada = Learner(hub.url, "ada", PASSWORD)
        await ada.log_in()
        await ada.start()
        kernel = await ada.open_kernel("notebooks/03_multi_turn.ipynb")
        await kernel.text("unsaved = 'still here'")
        await kernel.close()
        return ada, kernel.id

    async def work() -> None:
        ada, kernel_id = await before()
        hub.stop(how)
        await asyncio.to_thread(hub.start)
        kernel = await ada.connect(kernel_id)
        assert await kernel.text("print(unsaved)") == "still here\n"
        notebook = await ada.read("notebooks/03_multi_turn.ipynb")
        (
            await ada.save("notebooks/03_multi_turn.ipynb", notebook)
        ).raise_for_status()
        assert (await ada.http.get("/hub/home")).url.path == "/hub/home", (
            "asked to log in again"
        )
        await kernel.close()
        await ada.close()

    asyncio.run(work())


# The class server


def test_each_learner_has_a_key_to_the_class_server() -> None:
    """The hub fetches the key. Each name gets its own, and the same one after a restart.
    Without a class server, replay continues.
    """
    with (
        _class_server() as (url, process),
        hub_running(COURSEKIT_BASE_URL=url, COURSEKIT_ADMIN_TOKEN=TOKEN) as hub,
    ):
        keys = asyncio.run(_keys(hub, "ada", "bo"))
        assert len(set(keys)) == 2
        assert all(key.startswith("ck-class-") for key in keys)
        _stop_servers(hub, "ada", "bo")
        assert asyncio.run(_keys(hub, "ada", "bo")) == keys
        process.terminate()
        process.wait(20)
        _stop_servers(hub, "ada")
        assert asyncio.run(_keys(hub, "ada")) == ["None"]
        assert "ada starts without the class server" in hub.log


async def _keys(hub: Hub, *names: str) -> list[str]:
    """Each learner's key, after their kernel has received an answer."""
    recorded = sorted((DATA / "recordings" / "00_start_here").glob("*.json"))[0]
    body = json.loads(recorded.read_text(encoding="utf-8"))["request"]["body"]
    asks = "import os; from coursekit import connect\n"
    asks += (
        f"print(connect().chat.completions.create(**{body!r}).object, "
        "os.environ.get('COURSEKIT_CLASS_KEY'))"
    )
    async with at_work(hub, *names) as learners:
        kernels = [
            await learner.open_kernel("notebooks/01_basics.ipynb")
            for learner in learners
        ]
        said = [(await kernel.text(asks)).split() for kernel in kernels]
    assert all(words[0] == "chat.completion" for words in said), said
    return [words[-1] for words in said]


def _stop_servers(hub: Hub, *names: str) -> None:
    for name in names:
        for process in hub.processes(name):
            process.kill()


@contextlib.contextmanager
def _class_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        file = str(Path(folder) / "class.json")
        command = [
            sys.executable,
            "-m",
            "coursekit",
            "serve",
            "--class",
            f"--port={port}",
            f"--class-file={file}",
        ]
        process = subprocess.Popen(
            [*command, "--quiet"],
            env=os.environ | {"COURSEKIT_ADMIN_TOKEN": TOKEN},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(150):
                with (
                    contextlib.suppress(OSError),
                    urllib.request.urlopen(
                        f"http://127.0.0.1:{port}/healthz", timeout=5
                    ),
                ):
                    break
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1", process
        finally:
            process.kill()
            process.wait()


# What is private


def test_the_servers_of_others_are_closed(hub: Hub) -> None:
    """A learner's own cookies give access neither to another learner's files and kernels nor to
    what an admin may do.
    """

    async def class_() -> None:
        async with at_work(hub, "ada", "bo") as (ada, bo):
            theirs = (await bo.open_kernel("notebooks/01_basics.ipynb")).id
            assert (
                await ada.api("GET", "contents/exercises", of="bo")
            ).status_code in {403, 404}
            assert (
                await ada.api("POST", f"kernels/{theirs}/interrupt", of="bo")
            ).status_code in {
                403,
                404,
            }
            assert (await ada.http.get("/hub/api/users")).status_code == 403
            assert (await ada.http.get("/hub/admin")).status_code == 403

    asyncio.run(class_())


@only_root
def test_files_keys_and_processes_of_others_are_closed(hub: Hub) -> None:
    """In a kernel or a terminal, the folders, environments, and processes of other learners and of
    the hub are inaccessible.
    """

    async def class_() -> None:
        async with at_work(hub, "ada", "bo") as (ada, bo):
            await bo.open_kernel("notebooks/01_basics.ipynb")
            kernel = await ada.open_kernel("notebooks/01_basics.ipynb")
            server = hub.processes("bo")[0].pid
            assert hub.process
            for attempt in [
                f"open({str(hub.learners / 'bo/notebooks/01_basics.ipynb')!r})",
                f"import os; os.listdir({str(hub.learners / 'bo')!r})",
                f"open('/proc/{server}/environ').read()",
                f"import os; os.kill({server}, 9)",
                f"open({str(hub.folder / 'hub/jupyterhub.sqlite')!r})",
                f"open({str(hub.folder / 'hub/cookie_secret')!r})",
                f"open('/proc/{hub.process.pid}/environ').read()",
                f"open({str(hub.learners / 'planted')!r}, 'w')",
                "import os; os.setuid(0)",
            ]:
                said = await kernel.text(attempt)
                assert said.startswith("PermissionError"), f"{attempt}: {said}"
            assert (
                await kernel.text(
                    "import os; print(os.environ.get('OPENAI_API_KEY'))"
                )
                == "None\n"
            )

    asyncio.run(class_())


def test_who_does_not_know_the_password_stays_out(hub: Hub) -> None:
    """A wrong password, a name that cannot be a folder, and the teacher's name with the learners'
    password are refused.
    """

    async def tries() -> None:
        for name, password in [
            ("ada", "guessed password"),
            ("../ada", PASSWORD),
            ("teacher", PASSWORD),
            ("a b", PASSWORD),
        ]:
            learner = Learner(hub.url, name, password)
            with pytest.raises(Refused, match="at login"):
                await learner.log_in()
            await learner.close()

    asyncio.run(tries())
    assert sorted(
        each.name for each in hub.learners.iterdir() if each.name not in CLASS
    ) in (
        [],
        ["cy"],
        ["dan"],
    )


# Bad settings


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"COURSEKIT_HUB_PASSWORD": "short"}, "Set COURSEKIT_HUB_PASSWORD"),
        (
            {"COURSEKIT_HUB_ADMIN_PASSWORD": ""},
            "Set COURSEKIT_HUB_ADMIN_PASSWORD",
        ),
        ({"PATH": "/nowhere"}, "npm install"),
    ],
)
def test_bad_settings_are_told_before_anything_starts(
    setting: dict[str, str], says: str, tmp_path: Path
) -> None:
    """The message names what to set. No folder is made, and no process is left behind."""
    good = {
        "COURSEKIT_HUB_PASSWORD": PASSWORD,
        "COURSEKIT_HUB_ADMIN_PASSWORD": PASSWORD * 3,
    }
    environment = (
        os.environ
        | good
        | {"COURSEKIT_HUB_FOLDER": str(tmp_path / "class")}
        | setting
    )
    ran = subprocess.run(
        [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1
    assert says in ran.stderr
    assert not (tmp_path / "class").exists()


def test_a_key_above_the_learners_folders_is_told(tmp_path: Path) -> None:
    """A .env file above the folders would give its key to every learner, so nothing is started."""
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-teachers\n")
    environment = os.environ | {
        "COURSEKIT_HUB_PASSWORD": PASSWORD,
        "COURSEKIT_HUB_ADMIN_PASSWORD": PASSWORD * 3,
        "COURSEKIT_HUB_FOLDER": str(tmp_path / "class"),
    }
    command = [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"]
    ran = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "every learner would use the key in it" in ran.stderr
    assert "sk-teachers" not in ran.stderr
