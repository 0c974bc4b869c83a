"""The coursekit command: its exit codes and messages."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from coursekit.workshop.commands import command_line, run_tests


def test_what_is_not_understood_ends_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No command, an unknown command, or a superfluous argument ends with exit code 2 and the
    usage.
    """
    for arguments in ([], ["frobnicate"], ["doctor", "--loud"], ["record"]):
        with pytest.raises(SystemExit) as ended:
            command_line.main(arguments)
        assert ended.value.code == 2
        assert "usage: coursekit" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["test", "refresh", "record"])
def test_an_unknown_lesson_is_one_clear_sentence(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lesson that does not exist ends with exit code 1 and the list of lessons, without a
    traceback.
    """
    assert command_line.main([command, "../../etc/passwd"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"coursekit {command}: '../../etc/passwd' is not a lesson in this course. The lessons: 00_"
    )
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", ["test", "refresh", "record 1"])
def test_without_the_repository_it_says_what_to_do(
    command: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If coursekit is installed without the repository, an author's command says what it needs and
    what learners can type instead.
    """
    monkeypatch.setattr("coursekit.workshop.repository", lambda: None)
    assert command_line.main(command.split()) == 1
    assert "without the course's repository" in capsys.readouterr().err


def test_ctrl_c_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is interrupted says so."""

    def interrupted(**_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "coursekit.workshop.commands.doctor.doctor", interrupted
    )
    assert command_line.main(["doctor"]) == 1
    assert capsys.readouterr().err == "coursekit doctor: stopped.\n"


@pytest.mark.parametrize(
    "start",
    [
        [sys.executable, "-m", "coursekit"],
        [str(Path(sys.executable).with_name("coursekit"))],
    ],
)
def test_both_doors_lead_to_the_same_command(start: list[str]) -> None:
    """`coursekit` and `python -m coursekit` are the same."""
    said = subprocess.run(
        [*start, "doctor", "--brief"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Python, packages, kernel" in said.stdout, said.stderr


def test_help_imports_nothing_heavy() -> None:
    """Help is fast: it does not import Jupyter, the SDK, or pytest."""
    code = (
        "import sys, contextlib\nfrom coursekit.workshop.commands.command_line import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "assert not {'openai', 'nbformat', 'jupyter_client', 'pytest', 'jupyterlab'} & "
        "set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL
    )


def test_test_needs_notebooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`coursekit test` without any notebooks is an error, and does not run something else."""
    monkeypatch.setattr("coursekit.workshop.repository", lambda: tmp_path)
    with pytest.raises(command_line.CommandError, match="no notebooks"):
        run_tests.run_tests([])


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_each_command_takes_what_its_table_names(name: str) -> None:
    """A command's arguments are those of its function, which needs no others."""
    chosen, _ = command_line._parser().parse_known_args([name, "install"])
    given = vars(chosen).keys() - {"command", "rename"}
    given |= {"more"} if name == "lab" else set()
    module, _, function = command_line.COMMANDS[name]["run"].partition(":")
    run = getattr(import_module(f"coursekit.workshop.{module}"), function)
    inspect.signature(run).bind(**dict.fromkeys(given))
