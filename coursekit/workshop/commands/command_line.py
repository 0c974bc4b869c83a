"""The ``coursekit`` command. Its arguments are in command_line.toml. Each command has its own
module, which is imported when the command runs.

Exit codes: 0 all is well, 1 something is not, 2 the command was not understood.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tomllib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ...course import UnknownLesson
from .. import CommandError
from ..quick_start import leave_out_slow_grammar

COMMANDS: dict[str, Any] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; ``arguments`` as in ``sys.argv[1:]``. Returns the exit code."""
    leave_out_slow_grammar()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a console with few characters must not crash a command that has spent money
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    parsed, more = parser.parse_known_args(arguments)
    options = vars(parsed)
    command = options.pop("command")
    if command == "lab":
        options["more"] = more
    elif more:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if command == "record" and options["name"] is options["rename"] is None:
        parser.error("record needs a LESSON, or --rename")
    try:
        return _run(command, options)
    except (CommandError, UnknownLesson) as error:
        print(f"coursekit {command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            print(f"coursekit {command}: stopped.", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="coursekit",
        description="The course on the OpenAI Chat Completions API.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )
    for name, command in COMMANDS.items():
        described = commands.add_parser(name, help=command["help"])
        described.register("type", "int", int)
        described.register("type", "float", float)
        _add(command.get("arguments", {}), described)
    return parser


def _add(arguments: dict[str, Any], to: argparse._ActionsContainer) -> None:
    for name, words in arguments.items():
        if name == "either":
            _add(words, to.add_mutually_exclusive_group())
        else:
            to.add_argument(name, **words)


def _run(command: str, options: dict[str, Any]) -> int:
    if command == "record" and (folder := options.pop("rename")) is not None:
        from ..authoring.rename import rename

        return rename(folder)
    module, _, name = COMMANDS[command]["run"].partition(":")
    run: Callable[..., int] = getattr(
        import_module(f"coursekit.workshop.{module}"), name
    )
    return run(**options)
