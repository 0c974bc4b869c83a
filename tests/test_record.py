"""coursekit record: either all recordings are replaced or none is, and the changes are reported."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_client.manager import AsyncKernelManager

from coursekit import course
from coursekit.offline.recordings import Provenance, Recordings
from coursekit.workshop import CommandError
from coursekit.workshop.authoring import execution, record
from coursekit.workshop.authoring.recorded_changes import answered, changes
from support.fake_llama_installed import installed
from support.loopback import Upstream, upstream
from support.offline_api import completion, params, request, streamed, whole

WriteNotebook = Callable[..., Path]
WRITTEN = Provenance("written", "2026-11-22", "the tests")

# A cell that stores what record mode would store, because these are tests of the command, not the
# client.
STORE = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.offline_api import params, request, whole
from coursekit.offline.recordings import Provenance, Recordings
assert os.environ["COURSEKIT_MODE"] == "record"
staging = Recordings([Path(os.environ["COURSEKIT_RECORDINGS"])])
for prompt, text in {answers!r}.items():
    staging.store(request(params(prompt)), whole(text), Provenance("written", "2026-11-22", "the tests"))
"""


HANGING = """
import pathlib, time
pathlib.Path({waiting!r}).touch()
try:
    time.sleep(3600)
finally:
    pathlib.Path({waiting!r}).unlink()
"""


def storing(**answers: str) -> str:
    return STORE.format(tests=str(Path(__file__).parent), answers=answers)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course's data folder with an empty replies file for 01_basics; its repository is
    tmp_path.
    """
    monkeypatch.setattr(course, "DATA", tmp_path / "data")
    monkeypatch.setattr("coursekit.workshop.repository", lambda: tmp_path)
    (tmp_path / "data" / "replies").mkdir(parents=True)
    (tmp_path / "data" / "replies" / "01_basics.toml").write_text(
        "on = 2026-11-22\n"
    )
    (tmp_path / "data" / "course.toml").write_text(
        (Path(course.__file__).parent / "data/course.toml").read_text()
    )
    return tmp_path / "data"


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a cell makes as soon as it waits. Only while there is one does time pass for a
    cell's limit, so a limit may be short however slowly a cell gets there.
    """
    path = tmp_path / "waiting"
    clock = SimpleNamespace(
        monotonic=lambda: time.monotonic() if path.exists() else 0.0
    )
    monkeypatch.setattr(execution, "time", clock)
    return path


def texts(folder: Path) -> list[str]:
    return sorted(answered(path).text for path in folder.glob("*.json"))


def test_recordings_are_replaced_and_the_change_is_told(
    data: Path,
    write_notebook: WriteNotebook,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was added, removed, and changed is printed. What an earlier lesson has recorded stays
    there.
    """
    folder = data / "recordings" / "01_basics"
    write_notebook(storing(A="one", B="two", C="three"))
    assert record.record("01", written=True, yes=False) == 0
    assert texts(folder) == ["one", "three", "two"]
    Recordings([data / "recordings" / "00_start_here"]).store(
        request(params("C")), whole("three"), WRITTEN
    )
    capsys.readouterr()

    write_notebook(storing(A="one", B="deux", C="three", D="four"))
    assert record.record("basics", written=True, yes=False) == 0
    printed = capsys.readouterr().out
    assert texts(folder) == ["deux", "four", "one"]
    assert "01_basics: 3 recordings" in printed
    assert "(left to 00_start_here: gpt-4o-c-" in printed
    assert "  added    gpt-4o-d-" in printed
    assert "  removed  gpt-4o-c-" in printed
    assert "text: two -> deux" in printed
    assert "  same     1 (" in printed
    assert [
        path.name
        for path in (data / "recordings").iterdir()
        if path.name.startswith(".")
    ] == []


def test_a_failing_run_leaves_the_recordings_alone(
    data: Path, write_notebook: WriteNotebook
) -> None:
    """If a cell fails halfway, the error names the cell, the recordings stay, and no other files
    are left behind.
    """
    folder = data / "recordings" / "01_basics"
    Recordings([folder]).store(request(params("A")), whole("kept"), WRITTEN)
    write_notebook(storing(A="lost"), "1 / 0")
    with pytest.raises(
        CommandError,
        match=r"notebooks/01_basics.ipynb, cell \[2\] failed: ZeroDivisionError",
    ):
        record.record("01_basics", written=True, yes=False)
    assert texts(folder) == ["kept"]
    assert [path.name for path in (data / "recordings").iterdir()] == [
        "01_basics"
    ]


def test_an_interrupted_replacement_is_put_back(
    data: Path, write_notebook: WriteNotebook
) -> None:
    """If an earlier run was killed between its two renames, the next run starts from the old
    recordings.
    """
    folder = data / "recordings" / "01_basics"
    Recordings([folder]).store(request(params("A")), whole("kept"), WRITTEN)
    folder.rename(folder.with_name(".01_basics.old"))
    write_notebook("1 / 0")
    with pytest.raises(CommandError):
        record.record("01", written=True, yes=False)
    assert texts(folder) == ["kept"]


def test_nothing_is_sent_without_consent(
    data: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The real API is used only with a key and a yes. The command stops before that without a key,
    without --yes if there is no terminal, and after an "n".
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(record, "execute", lambda *_: pytest.fail("it ran"))
    write_notebook("1")
    with pytest.raises(CommandError, match="no OPENAI_API_KEY"):
        record.record("01", written=False, yes=True)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with pytest.raises(CommandError, match="add --yes"):
        record.record("01", written=False, yes=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    with pytest.raises(CommandError, match="nothing was sent"):
        record.record("01", written=False, yes=False)


def test_consent_runs_the_notebook_in_record_mode(
    data: Path, write_notebook: WriteNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key and --yes, the notebook runs in record mode, and never with an author's
    replies.
    """
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("COURSEKIT_REPLIES", "left over")
    write_notebook(
        "import os\nassert 'COURSEKIT_REPLIES' not in os.environ",
        storing(A="one"),
    )
    assert record.record("01", written=False, yes=True) == 0
    assert texts(data / "recordings" / "01_basics") == ["one"]


def test_local_needs_the_model_and_nothing_else(
    data: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """--local runs the notebook with the local model, whatever the environment says, and needs no
    key. Without a model, it says how to get one.
    """
    notebook = [
        "import os",
        "asked = {name: os.environ.get(f'COURSEKIT_{name}') for name in ('MODE', 'RECORD_LOCAL')}",
        "assert asked == {'MODE': 'record', 'RECORD_LOCAL': '1'}, asked",
    ]
    write_notebook("\n".join(notebook), storing(A="one"))
    monkeypatch.setenv("COURSEKIT_LOCAL_MODEL", str(tmp_path / "absent.gguf"))
    with pytest.raises(CommandError, match="coursekit local install"):
        record.record("01", written=False, local=True, yes=False)
    installed(tmp_path, monkeypatch)
    monkeypatch.setenv("COURSEKIT_LOCAL_MODEL", str(tmp_path / "Tiny-1M.gguf"))
    assert record.record("01", written=False, local=True, yes=False) == 0
    assert texts(data / "recordings" / "01_basics") == ["one"]


def test_local_goes_on_where_a_cell_needs_more_than_the_small_model(
    data: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Cells that fail with the small model are listed. The others are recorded, and requests
    that were not sent keep their old recording.
    """
    folder = data / "recordings" / "01_basics"
    for prompt, text in {"A": "old", "B": "old b"}.items():
        Recordings([folder]).store(
            request(params(prompt)), whole(text), WRITTEN
        )
    write_notebook(
        storing(A="new"), "raise LookupError('No price')", storing(C="three")
    )
    installed(tmp_path, monkeypatch)
    monkeypatch.setenv("COURSEKIT_LOCAL_MODEL", str(tmp_path / "Tiny-1M.gguf"))
    assert record.record("01", written=False, local=True, yes=False) == 0
    assert texts(folder) == ["new", "old b", "three"]
    printed = capsys.readouterr().out
    assert (
        "notebooks/01_basics.ipynb, cell [2]: LookupError: No price" in printed
    )
    assert "not remade, and are unchanged: 1" in printed


def test_local_ends_a_cell_that_gets_no_answer_and_goes_on(
    data: Path,
    write_notebook: WriteNotebook,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    waiting: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A cell that gets no new answer for too long is interrupted. Its recordings are kept, the
    rest of the lesson is recorded, and its line says what to do.
    """
    folder = data / "recordings" / "01_basics"
    Recordings([folder]).store(request(params("B")), whole("old b"), WRITTEN)
    hanging = storing(A="one") + HANGING.format(waiting=str(waiting))
    write_notebook(hanging, "1 / 0", storing(C="three"))
    installed(tmp_path, monkeypatch)
    monkeypatch.setenv("COURSEKIT_LOCAL_MODEL", str(tmp_path / "Tiny-1M.gguf"))
    monkeypatch.setattr(record, "SECONDS", 0.1)
    assert record.record("01", written=False, local=True, yes=False) == 0
    assert "three" in texts(folder) and "old b" in texts(folder)
    printed = capsys.readouterr().out
    assert "2 cells failed" in printed
    assert "cell [1]: had no new answer for 0.1 s. If the model" in printed
    assert "cell [2]: ZeroDivisionError" in printed


def test_a_slow_cell_that_gets_answers_is_not_ended(
    write_notebook: WriteNotebook,
) -> None:
    """The limit applies to a cell that gets no answer, however long the cell runs in total."""
    path = write_notebook("import time\ntime.sleep(2)\nprint('done')")
    notebook = execution.execute(
        path, {**os.environ}, 0.0, progress=itertools.count().__next__
    )
    assert notebook.cells[0].outputs[0]["text"] == "done\n"


def test_a_cell_over_its_limit_says_what_to_do(
    write_notebook: WriteNotebook,
) -> None:
    """If progress cannot be observed, the entire cell has a limit, and the error says how to find
    the cause.
    """
    path = write_notebook("import time\ntime.sleep(3600)")
    with pytest.raises(
        CommandError,
        match=r"cell \[1\] did not end within 0.5 s. Run it in JupyterLab",
    ):
        execution.execute(path, {**os.environ}, 0.5)


def test_a_cell_that_heeds_no_interrupt_is_ended(
    write_notebook: WriteNotebook,
    waiting: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If a cell catches the interrupt, the run ends at the next limit, so no run is endless. The
    kernel, which would not read a request to end, is killed without waiting for it.
    """
    killed: list[bool] = []
    shut_down = AsyncKernelManager.shutdown_kernel

    def spy(manager: AsyncKernelManager, now: bool = False) -> object:
        killed.append(now)
        return shut_down(manager, now=now)

    monkeypatch.setattr(AsyncKernelManager, "shutdown_kernel", spy)
    path = write_notebook(
        "import pathlib, time",
        f"""
while True:
    try:
        pathlib.Path({str(waiting)!r}).touch()
        time.sleep(3600)
    except KeyboardInterrupt:
        pass
""",
    )
    with pytest.raises(CommandError, match=r"cell \[2\] had no new answer"):
        execution.execute(
            path, {**os.environ}, 0.1, progress=lambda: 0, goes_on=True
        )
    assert killed == [True]


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_an_interrupted_run_keeps_what_was_paid(
    data: Path, live: list[str], write_notebook: WriteNotebook
) -> None:
    """Ctrl-C ends the kernel and the command, which says what is saved and how to continue."""
    write_notebook(
        asking("A"),
        f"import os, signal, time\nos.kill({os.getpid()}, signal.SIGINT)\ntime.sleep(3600)",
    )
    with pytest.raises(
        CommandError, match=r"^stopped\.\nThe 1 new answers are saved"
    ):
        record.record("01", written=False, yes=True)
    assert live == ["A"]


def test_written_needs_the_authors_file(
    data: Path, write_notebook: WriteNotebook
) -> None:
    """Without a replies file, --written names the missing file."""
    write_notebook("1", name="notebooks/04_streaming.ipynb")
    with pytest.raises(
        CommandError, match="04_streaming.toml, which does not exist"
    ):
        record.record("04", written=True, yes=False)


def test_a_change_is_what_a_learner_would_notice(tmp_path: Path) -> None:
    """A new ID or time is not a change, but a new text, status, or usage is, both in a stream and
    in a complete answer.
    """
    old, new = Recordings([tmp_path / "old"]), Recordings([tmp_path / "new"])
    for recordings, told in ((old, ["Pa", "ris."]), (new, ["Par", "is."])):
        recordings.store(request(params("stream")), streamed(told), WRITTEN)
    for recordings, text in ((old, "a " * 100), (new, "b")):
        recordings.store(
            request(params("whole")),
            whole(text, request_id=f"req_{text[0]}"),
            WRITTEN,
        )
    lines = list(changes(tmp_path / "old", tmp_path / "new"))
    assert lines[0].startswith("changed  gpt-4o-whole-")
    assert lines[1].strip() == "text: " + "a " * 28 + "a... -> b"
    assert lines[2:] == ["same     1 (status, text, usage and provenance)"]
    assert (
        json.loads(next((tmp_path / "new").glob("*whole*")).read_text())[
            "provenance"
        ]["kind"]
        == "written"
    )


ASK = """
import openai
from coursekit import connect
with connect() as client:
    {lines}
"""


def asking(*prompts: str) -> str:
    """A cell whose client sends these prompts in record mode."""
    call = (
        "client.chat.completions.create(model='gpt-4o', messages=[{{'role': 'user', 'content': "
        "{!r}}}])"
    )
    return ASK.format(
        lines="\n    ".join(call.format(prompt) for prompt in prompts)
    )


@pytest.fixture
def live(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """An API on this machine that the command's kernels use as the real one. Returns the prompts
    that reach it.
    """
    prompts: list[str] = []

    def handle(to: Upstream) -> None:
        prompts.append(json.loads(to.seen[-1][0])["messages"][-1]["content"])
        if prompts[-1] == "busy":
            to.whole(
                b'{"error": {"message": "boom", "type": "server_error"}}', 500
            )
        else:
            to.whole(
                json.dumps(
                    completion(f"to {prompts[-1]}, {len(prompts)}")
                ).encode()
            )

    with upstream(handle) as (url, _):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield prompts


@pytest.mark.slow
def test_only_what_is_missing_or_named_is_asked(
    data: Path,
    live: list[str],
    write_notebook: WriteNotebook,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One changed prompt causes one request, a named answer is requested again, and --all requests
    everything. Unused recordings are removed, and the report says which answers were written before
    and are now a server's.
    """
    folder = data / "recordings" / "01_basics"
    for prompt in "AB":
        Recordings([folder]).store(
            request(params(prompt)), whole(f"written {prompt}"), WRITTEN
        )
    write_notebook(asking("A", "B"), asking("A"))
    assert record.record("01", written=False, yes=True) == 0
    assert live == [] and texts(folder) == ["written A", "written B"]
    write_notebook(asking("A", "C", "C"), asking("A", "C"))
    assert record.record("01", written=False, yes=True) == 0
    assert live == ["C", "C"] and texts(folder) == [
        "to C, 1",
        "to C, 2",
        "written A",
    ]
    printed = capsys.readouterr().out
    assert (
        "removed  gpt-4o-b-" in printed
        and "cell 1 of 2, 0 new answers" in printed
    )
    assert (
        "cell 2 of 2, 2 new answers" in printed
        and "(local: gpt-4o-2024-08-06 at 127.0.0.1:" in printed
    )
    assert record.record("01", written=False, yes=True, only=["gpt-4o-a"]) == 0
    assert live[2:] == ["A"] and texts(folder) == [
        "to A, 3",
        "to C, 1",
        "to C, 2",
    ]
    assert (
        "provenance: written: the tests -> local: gpt-4o-2024-08-06 at"
        in capsys.readouterr().out
    )
    assert record.record("01", written=False, yes=True, everything=True) == 0
    assert live[3:] == ["A", "C", "C"]
    with pytest.raises(
        CommandError,
        match="has 'zebra' in its name or prompt, so nothing was sent",
    ):
        record.record("01", written=False, yes=True, only=["zebra"])
    with pytest.raises(CommandError, match="give the statuses"):
        record.record("01", written=False, yes=True, errors="some")
    assert len(live) == 6


def test_a_late_failure_keeps_what_was_paid(
    data: Path,
    live: list[str],
    write_notebook: WriteNotebook,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After a failure, the lesson's recordings are unchanged. The next run continues with only the
    remaining requests, including the second answer to a request that was sent once.
    """
    folder = data / "recordings" / "01_basics"
    Recordings([folder]).store(request(params("A")), whole("written"), WRITTEN)
    write_notebook(asking("A", "B", "C"), "1 / 0")
    with pytest.raises(
        CommandError,
        match=r"cell \[2\] failed: ZeroDivisionError.*\n.*2 new answers are saved.*continue",
    ):
        record.record("01", written=False, yes=True)
    assert live == ["B", "C"] and texts(folder) == ["written"]
    write_notebook(asking("A", "B", "C", "C"), asking("D"))
    assert record.record("01", written=False, yes=True) == 0
    assert live[2:] == ["C", "D"] and texts(folder) == [
        "to B, 1",
        "to C, 2",
        "to C, 3",
        "to D, 4",
        "written",
    ]
    assert "Continuing an unfinished run: 2 answers" in capsys.readouterr().out
    assert [path.name for path in (data / "recordings").iterdir()] == [
        "01_basics"
    ]


def test_what_an_earlier_lesson_has_recorded_is_not_asked(
    data: Path, live: list[str], write_notebook: WriteNotebook
) -> None:
    """What an earlier lesson recorded is not recorded again, because replay looks there first, so a
    second recording would be paid for but never used. Errors are not saved.
    """
    Recordings([data / "recordings" / "00_start_here"]).store(
        request(params("A")), whole("first"), WRITTEN
    )
    busy = (
        "try:\n    connect(max_retries=0).chat.completions.create(model='gpt-4o', "
        "messages=[{'role': 'user', "
    )
    busy += "'content': 'busy'}])\nexcept openai.InternalServerError:\n    pass"
    write_notebook(asking("A"), asking("B"), busy)
    assert record.record("01", written=False, yes=True) == 0
    assert live == ["B", "busy"] and texts(
        data / "recordings" / "01_basics"
    ) == ["to B, 1"]
