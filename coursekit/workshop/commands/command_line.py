"""The ``coursekit`` command: what can be asked for. What each command does is a module of its own.

Exit codes: 0 all is well, 1 something is not, 2 the command was not understood.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence

from ...course import UnknownLesson
from .. import CommandError
from ..quick_start import leave_out_slow_grammar


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; ``arguments`` as in ``sys.argv[1:]``. Returns the exit code."""
    leave_out_slow_grammar()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a narrow console must not end a command that spent money
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    asked, rest = parser.parse_known_args(arguments)
    if rest and asked.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if (
        asked.command == "record"
        and asked.lesson is None
        and asked.rename is None
    ):
        parser.error("record needs a LESSON, or --rename")
    try:
        return _run(asked, rest)
    except (CommandError, UnknownLesson) as error:
        print(f"coursekit {asked.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            print(f"coursekit {asked.command}: stopped.", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="coursekit",
        description="The course on the OpenAI Chat Completions API.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )
    lesson = "its number or name: 1, 01_basics, notebooks/01_basics.ipynb"

    lab = commands.add_parser(
        "lab",
        help="open your copy of the course in JupyterLab, which takes further arguments",
    )
    lab.add_argument(
        "--fresh",
        metavar="LESSON",
        help="start this lesson over; your old notebook is renamed",
    )

    doctor = commands.add_parser(
        "doctor", help="check that the course has everything it needs"
    )
    doctor.add_argument(
        "--brief", action="store_true", help="show only what needs fixing"
    )

    test = commands.add_parser(
        "test",
        help="run the notebooks and compare every output with the stored one",
    )
    test.add_argument("lessons", nargs="*", metavar="LESSON", help=lesson)

    refresh = commands.add_parser(
        "refresh", help="run the notebooks and store their outputs"
    )
    refresh.add_argument("lessons", nargs="*", metavar="LESSON", help=lesson)

    record = commands.add_parser(
        "record", help="record a lesson's answers again and show what changed"
    )
    record.add_argument("lesson", nargs="?", metavar="LESSON", help=lesson)
    instead = record.add_mutually_exclusive_group()
    instead.add_argument(
        "--written",
        action="store_true",
        help="answers from the author's replies file: no key, no cost",
    )
    instead.add_argument(
        "--local",
        action="store_true",
        help="answers from the local model: no key, no cost",
    )
    instead.add_argument(
        "--rename",
        nargs="?",
        const="",
        metavar="FOLDER",
        help=(
            "record nothing; rename a folder's recordings so that requests find them"
        ),
    )
    record.add_argument(
        "--all",
        action="store_true",
        help="record everything from the real API again, not only what is missing",
    )
    record.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORDS",
        help="record again what has these words in its name or prompt",
    )
    record.add_argument(
        "--errors",
        default="",
        metavar="STATUSES",
        help="errors to save, such as 400,429 (default: none)",
    )
    record.add_argument(
        "--yes",
        action="store_true",
        help="do not ask before calls that cost money",
    )

    progress = commands.add_parser(
        "progress", help="show which exercises you have passed"
    )
    progress.add_argument(
        "--reset", action="store_true", help="forget them; asks first"
    )

    derive = commands.add_parser(
        "exercises", help="derive exercises/ from solutions/"
    )
    derive.add_argument("lessons", nargs="*", metavar="LESSON", help=lesson)

    commands.add_parser(
        "check", help="show where exercises/ does not match solutions/"
    )

    pages = commands.add_parser("site", help="build the course as web pages")
    pages.add_argument(
        "--to", metavar="FOLDER", help="where to (default: build/site)"
    )

    edition = commands.add_parser(
        "browser", help="build the course as a site that runs it"
    )
    edition.add_argument(
        "--to", metavar="FOLDER", help="where to (default: build/browser)"
    )
    edition.add_argument(
        "--pyodide",
        metavar="FOLDER",
        help="Pyodide's distribution (default: the pinned one)",
    )

    local = commands.add_parser(
        "local",
        help="manage a small model on this machine, for prompts without a recording",
    )
    local.add_argument(
        "action",
        choices=("install", "status", "remove"),
        help="remove asks first",
    )
    local.add_argument(
        "--model",
        metavar="PATH",
        help="another GGUF file (default: COURSEKIT_LOCAL_MODEL, or our own)",
    )

    serve = commands.add_parser(
        "serve",
        help="run the offline API on a socket: for curl, other languages, or a class",
    )
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help=(
            "where to listen: 127.0.0.1 is for this machine only (default), 0.0.0.0 for its network"
        ),
    )
    serve.add_argument(
        "--port",
        type=int,
        default=8000,
        help="0 picks any free port (default: 8000)",
    )
    serve.add_argument(
        "--recordings",
        metavar="FOLDER",
        help="what to answer from (default: the course's own)",
    )
    serve.add_argument(
        "--speed",
        help='1 as recorded (default), 10 for ten times faster, or "instant"',
    )
    serve.add_argument(
        "--rpm",
        type=int,
        metavar="N",
        help="requests per minute, for each learner and model",
    )
    serve.add_argument(
        "--tpm",
        type=int,
        metavar="N",
        help="tokens per minute, for each learner and model",
    )
    serve.add_argument(
        "--spend",
        type=float,
        metavar="DOLLARS",
        help="what each learner may spend, at the prices of real calls",
    )
    serve.add_argument(
        "--fallback",
        metavar="SERVER",
        help=(
            "what answers requests without a recording: an OpenAI-compatible server's address, its "
            'name ("ollama", "llama.cpp", …), or "local" for the small model (default: nothing)'
        ),
    )
    serve.add_argument(
        "--class",
        dest="classroom",
        action="store_true",
        help=(
            "learners join with a name; the teacher has a console. For other machines add "
            "--host 0.0.0.0"
        ),
    )
    serve.add_argument(
        "--share",
        action="store_true",
        help="with --class: the console also shows chapters, checks and quiz answers",
    )
    serve.add_argument(
        "--class-file",
        metavar="FILE",
        help="where a class is saved (default: in your user data folder)",
    )
    serve.add_argument(
        "--today",
        metavar="DAY",
        help="refuse models that are shut down by this day, such as 2027-02-01 (default: none)",
    )
    serve.add_argument("--quiet", action="store_true", help="no access log")
    return parser


def _run(asked: argparse.Namespace, rest: list[str]) -> int:
    if asked.command == "lab":
        from .lab import open_lab

        return open_lab(rest, asked.fresh)
    if asked.command == "doctor":
        from .doctor import doctor

        return doctor(brief=asked.brief)
    if asked.command == "test":
        from .run_tests import run_tests

        return run_tests(asked.lessons)
    if asked.command == "refresh":
        from ..authoring.refresh import refresh

        return refresh(asked.lessons)
    if asked.command == "progress":
        from .progress import progress

        return progress(reset=asked.reset)
    if asked.command == "exercises":
        from ..authoring.exercises import exercises

        return exercises(asked.lessons)
    if asked.command == "check":
        from ..authoring.exercises import check

        return check()
    if asked.command == "site":
        from ..authoring.site import site

        return site(asked.to)
    if asked.command == "browser":
        from ..authoring.browser import browser

        return browser(asked.to, asked.pyodide)
    if asked.command == "local":
        from .local import local

        return local(asked.action, model=asked.model)
    if asked.command == "serve":
        from .serve import serve

        limits = {
            name: value
            for name in ("rpm", "tpm", "spend")
            if (value := getattr(asked, name)) is not None
        }
        return serve(
            host=asked.host,
            port=asked.port,
            recordings=asked.recordings,
            speed=asked.speed,
            limits=limits,
            quiet=asked.quiet,
            classroom=asked.classroom,
            class_file=asked.class_file,
            shares=asked.share,
            today=asked.today,
            fallback=asked.fallback,
        )
    if asked.rename is not None:
        from ..authoring.rename import rename

        return rename(asked.rename)
    from ..authoring.record import record

    return record(
        asked.lesson,
        written=asked.written,
        local=asked.local,
        yes=asked.yes,
        everything=asked.all,
        only=asked.only,
        errors=asked.errors,
    )
