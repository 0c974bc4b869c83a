"""``coursekit record``: record what a lesson's notebooks ask for, say what changed, and put it in
place.

Answers that were paid for are kept: a recorded request is not sent again unless you name it, and
the next run reuses the answers of a run that failed. The lesson's recordings are replaced all
together when a run succeeds, and stay unchanged when it fails.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ...course import lesson, lessons, recordings_of, replies_of
from ...local_model.llama import LocalModelMissing, require
from ...local_model.model_file import PLACE, model_in_force
from ...offline.answering import RECORD_LOCAL
from ...offline.recorded.written import Written, last_user_text
from ...offline.recorder import ERRORS, RECORDED, recorder_for
from ...offline.recordings import USED_LOG, Recordings, read
from ...settings import settings
from .. import CommandError, agrees, notebooks_of, repository_or_error
from ..commands.environment import offline_environment
from .execution import execute, failed_cells
from .recorded_changes import changes

SECONDS = 600.0  # for one answer: as long as the SDK waits
LINE = 160  # characters shown of a cell's error


def record(
    name: str,
    *,
    written: bool,
    yes: bool,
    local: bool = False,
    everything: bool = False,
    only: Sequence[str] = (),
    errors: str = "",
) -> int:
    """Record a lesson: from the real API, from its author's replies file (``written``), or from the
    local model.

    everything  record everything from the real API again, not only what is missing. The other two
                sources, which cost nothing, do so unless ``only`` is given
    only        record again what has one of these in its name or prompt, and what is missing
    errors      statuses of errors to save, because the lesson shows them: "400,429"

    Nothing that costs money is sent unless ``yes`` is true or a person at the keyboard agrees.

    The local model cannot do everything that a lesson asks for (it has no price, calls no tools,
    and gives one choice): cells that fail because of that are listed, the others are recorded, and
    the requests of failed cells keep their old recordings.
    """
    if written and only:
        raise CommandError(
            "--written remakes all recordings, at no cost. Leave out --only."
        )
    stem = lesson(name).stem
    paths = notebooks_of(repository_or_error(), [stem])
    try:
        recorder_for(Recordings([]), {ERRORS: errors}, on="")
    except ValueError as error:
        raise CommandError(str(error)) from error
    target = recordings_of(stem)
    _finish_interrupted(target)
    is_free = written or local
    remade = (
        set(target.glob("*.json"))
        if everything or (is_free and not only)
        else _named(target, only)
    )
    if written:
        environment = _written(stem)
    elif local:
        environment = _local()
    else:
        environment = _live(stem, yes)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{stem}-", dir=target.parent
    ) as scratch:
        unchanged, dialogues, new = _folders(
            Path(scratch), "unchanged", "dialogues", stem
        )
        _copy(set(target.glob("*.json")) - remade, unchanged)
        _write_dialogues(stem, dialogues)
        unfinished = target.with_name(f".{stem}.{'local' if local else 'live'}")
        answers = Path(scratch, "answers") if written else unfinished
        answers.mkdir(exist_ok=True)
        resumed = set(answers.iterdir())
        if resumed:
            print(
                f"Continuing an unfinished run: {len(resumed)} answers in {answers}.\n"
                "Delete that folder to start over."
            )
        log = Path(scratch, "used.txt")
        log.touch()
        recorded = [unchanged, *_earlier(stem), dialogues]
        environment |= {
            "COURSEKIT_RECORDINGS": str(answers),
            RECORDED: os.pathsep.join(map(str, recorded)),
            USED_LOG: str(log),
            ERRORS: errors,
        }
        try:
            failed = _run(
                paths, environment, None if written else answers, goes_on=local
            )
        except (CommandError, KeyboardInterrupt) as error:
            raise _unfinished(error, answers, written) from error
        used = set(map(Path, log.read_text(encoding="utf-8").splitlines()))
        _copy(dialogues.iterdir(), new)
        _copy(used.intersection(unchanged.iterdir()), new)
        _copy(set(answers.iterdir()) - (resumed - used), new)
        _leave_to_earlier_lessons(stem, new)
        if failed:
            _keep_old(target, new, failed)
        print(f"{stem}: {len(list(new.glob('*.json')))} recordings")
        for line in changes(target, new):
            print(f"  {line}")
        _replace(target, new)
        shutil.rmtree(answers)
    print(f"Next: coursekit refresh {stem}")
    return 0


def _run(
    paths: Sequence[Path],
    environment: Mapping[str, str],
    answers: Path | None,
    *,
    goes_on: bool,
) -> list[str]:
    """Run the notebooks. Returns a line for each failed cell, if the run goes on after failures.

    answers  the folder that new answers go to, for lines of progress; None: none are printed
    """
    failed: list[str] = []
    for path in paths:
        name = f"{path.parent.name}/{path.name}"
        began = progress = None
        if answers:
            began = partial(_print_progress, name, answers)
            progress = partial(_count, answers)
        notebook = execute(
            path,
            environment,
            SECONDS,
            began,
            progress=progress,
            goes_on=goes_on,
        )
        for number, error in failed_cells(notebook):
            failed.append(f"{name}, cell [{number}]: {error}")
    return failed


def _copy(paths: Iterable[Path], folder: Path) -> None:
    for path in paths:
        shutil.copy2(path, folder)


def _folders(parent: Path, *names: str) -> list[Path]:
    folders = [parent / name for name in names]
    for folder in folders:
        folder.mkdir()
    return folders


def _keep_old(target: Path, new: Path, failed: Sequence[str]) -> None:
    """Copy the recordings that were not remade, and list the cells that failed."""
    old = [
        path for path in target.glob("*.json") if not (new / path.name).exists()
    ]
    _copy(old, new)
    print(
        f"{len(failed)} cells failed. Each needs something that the small model lacks, the "
        "result of an earlier cell that failed, or more time:"
    )
    for line in failed:
        print(f"  {' '.join(line.split())[:LINE]}")
    print(f"Recordings that were not remade, and are unchanged: {len(old)}")


def _named(target: Path, only: Sequence[str]) -> set[Path]:
    """The recordings with one of these words in their names or prompts. Raises CommandError for
    words that match none.
    """
    prompts = {
        path: f"{path.name} {last_user_text(read(path)[0].body)}".lower()
        for path in target.glob("*.json")
    }
    found: set[Path] = set()
    for words in only:
        fitting = [
            path for path, text in prompts.items() if words.lower() in text
        ]
        if not fitting:
            raise CommandError(
                f"no recording of {target.name} has {words!r} in its name or prompt, so nothing "
                "was sent."
            )
        found.update(fitting)
    return found


def _print_progress(name: str, answers: Path, number: int, of: int) -> None:
    """Print a line as each cell begins, with the number of answers so far."""
    print(
        f"  {name}  cell {number} of {of}, {_count(answers)} new answers",
        flush=True,
    )


def _count(answers: Path) -> int:
    return len(list(answers.glob("*.json")))


def _unfinished(
    error: BaseException, answers: Path, written: bool
) -> BaseException:
    """The error, with the number of paid answers and how to continue. Removes an empty folder."""
    count = _count(answers)
    if written or count == 0:
        shutil.rmtree(answers)
        return error
    note = (
        f"The {count} new answers are saved: run the same command again to continue. If the cell "
        "is at fault, fix it first."
    )
    return CommandError(f"{str(error) or 'stopped.'}\n{note}")


def _written(stem: str) -> dict[str, str]:
    replies = replies_of(stem)
    if not replies.is_file():
        raise CommandError(
            f"--written takes the answers from {replies}, which does not exist. Write it first."
        )
    return offline_environment() | {
        "COURSEKIT_MODE": "record",
        "COURSEKIT_REPLIES": str(replies),
    }


def _local() -> dict[str, str]:
    model = model_in_force(settings()).path
    try:
        require(model)
    except LocalModelMissing as error:
        raise CommandError(str(error)) from error
    return offline_environment() | {
        "COURSEKIT_MODE": "record",
        RECORD_LOCAL: "1",
        PLACE: str(model),
    }


def _live(stem: str, yes: bool) -> dict[str, str]:
    if not settings().get("OPENAI_API_KEY"):
        raise CommandError(
            "recording calls the real API, but there is no OPENAI_API_KEY, in the environment or "
            "in .env. "
            "Set one, or record from an author's replies: --written."
        )
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError(
                "recording calls the real API and costs money. To go ahead, add --yes."
            )
        if not agrees(
            f"Recording {stem} calls the real API and costs money. Continue?"
        ):
            raise CommandError("nothing was sent.")
    environment = {**os.environ, "COURSEKIT_MODE": "record"}
    for other_source in ("COURSEKIT_REPLIES", RECORD_LOCAL):
        environment.pop(other_source, None)
    return environment


def _write_dialogues(stem: str, folder: Path) -> None:
    """Store the author's dialogues, which cells can ask for, always as written by the author."""
    if replies_of(stem).is_file():
        api = Written(replies_of(stem), Recordings([folder]))
        for request in api.requests:
            api.answer(request)


def _earlier(stem: str) -> list[Path]:
    """The folders of the lessons before this one: replay looks there first."""
    stems = [each.stem for each in lessons()]
    return [recordings_of(earlier) for earlier in stems[: stems.index(stem)]]


def _leave_to_earlier_lessons(stem: str, new: Path) -> None:
    """Drop what an earlier lesson has recorded: replay looks there first, so a second copy would
    never be used.
    """
    for earlier in _earlier(stem):
        for path in sorted(new.glob("*.json")):
            if (earlier / path.name).exists():
                print(f"  (left to {earlier.name}: {path.name})")
                path.unlink()


def _replace(target: Path, new: Path) -> None:
    """Put the folder ``new`` in the place of ``target``. If this is interrupted, the complete old
    folder is next to it.
    """
    old = _old(target)
    if target.exists():
        os.replace(target, old)
    if any(new.iterdir()):
        os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True)


def _finish_interrupted(target: Path) -> None:
    """Put back what an interrupted ``_replace`` had moved aside."""
    old = _old(target)
    if old.exists() and not target.exists():
        os.replace(old, target)
    shutil.rmtree(old, ignore_errors=True)


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")
