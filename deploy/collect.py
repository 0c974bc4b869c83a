"""Copy learners' exercises to the folder where nbgrader looks for submissions. Run it as the user
who runs the hub.

    python deploy/collect.py LEARNERS COURSE [CHAPTER ...]

LEARNERS  the folder that contains learners' folders: COURSEKIT_HUB_FOLDER/learners
COURSE    nbgrader's course: LEARNERS/ada/exercises/01_basics.ipynb is copied to
          COURSE/submitted/ada/01_basics/
CHAPTER   01_basics, ...; by default, all exercises that a learner has changed

You can run it again: a newer notebook replaces an older one. A notebook that a learner has not
changed is not collected. Links are not followed, so a learner cannot hand in someone else's work or
one of the machine's files.
"""

from __future__ import annotations

import datetime
import os
import stat
import sys
from pathlib import Path

EXERCISES = Path(__file__).resolve().parents[1] / "exercises"
LARGEST = 20 * 2**20  # bytes
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# Without O_NONBLOCK, opening a pipe would block.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class NotTaken(OSError):
    """Raised for a file that is not the learner's own notebook."""


def read_own(home: Path, name: str) -> tuple[bytes, float]:
    """Return the bytes of a learner's exercises/``name`` and the time of its last change (POSIX
    seconds). Raises OSError.
    """
    opened: list[int] = []
    try:
        opened.append(os.open(home, DIRECTORY))
        owner = os.fstat(opened[0]).st_uid
        opened.append(os.open("exercises", DIRECTORY, dir_fd=opened[0]))
        opened.append(os.open(name, FILE, dir_fd=opened[1]))
        seen = os.fstat(opened[2])
        if (
            not stat.S_ISREG(seen.st_mode)
            or seen.st_uid != owner
            or seen.st_size > LARGEST
        ):
            raise NotTaken(
                f"not a notebook of the learner's own, or larger than {LARGEST // 2**20} MiB"
            )
        with os.fdopen(os.dup(opened[2]), "rb") as file:
            return file.read(), seen.st_mtime
    finally:
        for handle in opened:
            os.close(handle)


def collect(learners: Path, course: Path, chapters: list[str]) -> list[str]:
    """Copy the notebooks that learners have changed. Returns one line for each learner."""
    lines = []
    for home in sorted(learners.iterdir()):
        taken, refused = [], []
        for stem in chapters:
            try:
                notebook, changed = read_own(home, f"{stem}.ipynb")
            except FileNotFoundError:
                continue
            except OSError as error:
                refused.append(f"{stem} not taken: {error}")
                continue
            if notebook != (EXERCISES / f"{stem}.ipynb").read_bytes():
                _hand_in(
                    course / "submitted" / home.name / stem,
                    stem,
                    notebook,
                    changed,
                )
                taken.append(stem)
        lines.append(
            "; ".join(
                [f"{home.name}: {', '.join(taken) or 'nothing'}", *refused]
            )
        )
    return lines


def _hand_in(folder: Path, stem: str, notebook: bytes, changed: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.ipynb").write_bytes(notebook)
    when = datetime.datetime.fromtimestamp(changed, datetime.UTC)
    (folder / "timestamp.txt").write_text(
        f"{when:%Y-%m-%d %H:%M:%S.%f} UTC\n"
    )  # the format that nbgrader writes and reads


def main(arguments: list[str]) -> None:
    if len(arguments) < 2:
        sys.exit(__doc__)
    learners, course, *chapters = arguments
    available = sorted(path.stem for path in EXERCISES.glob("*.ipynb"))
    unknown = sorted(set(chapters) - set(available))
    if unknown:
        sys.exit(
            f"These exercises do not exist: {', '.join(unknown)}. Available: {', '.join(available)}."
        )
    if not Path(learners).is_dir():
        sys.exit(
            f"{learners} is not a folder. It is COURSEKIT_HUB_FOLDER/learners."
        )
    print(
        "\n".join(collect(Path(learners), Path(course), chapters or available))
    )


if __name__ == "__main__":
    main(sys.argv[1:])
