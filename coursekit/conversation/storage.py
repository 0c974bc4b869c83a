"""A conversation on disk, as JSON lines: first the instructions and the summary, then one line for
each turn.

Parameters and client are not stored: a conversation may go on with another model.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..foundation.files import write_atomically
from ..foundation.portable import Portable
from .turns import History, Summary, is_message

FORMAT = 1


class DamagedConversation(Portable, ValueError):
    """A file that cannot be read as a conversation; the message names the line. Nothing was
    loaded.
    """

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(
            f"{path.name}, line {line}: {why}. Nothing was loaded. "
            "Correct or delete that line (each line is one turn), or load an older copy."
        )


def save(history: History, path: Path) -> None:
    """Write a history, completely or not at all. Raises OSError."""
    head = {
        "coursekit_conversation": FORMAT,
        "instructions": history.instructions,
        "summary": history.summary and asdict(history.summary),
    }
    lines = [head, *map(asdict, history.turns)]
    write_atomically(path, "".join(f"{_line(value)}\n" for value in lines))


def load(path: Path) -> History:
    """Read a history. Raises OSError, DamagedConversation."""
    history = History()
    text = path.read_text(encoding="utf-8").removesuffix("\n")
    # not splitlines(): it also splits at U+2028
    for number, line in enumerate(text.split("\n"), 1):
        try:
            value = json.loads(line)
            if number == 1:
                _add_head(history, value)
            else:
                _add_turn(history, value)
        except (ValueError, LookupError, TypeError) as error:
            raise DamagedConversation(path, number, _why(error)) from error
    return history


def _add_head(history: History, head: Any) -> None:
    if head["coursekit_conversation"] != FORMAT:
        raise ValueError(
            f"its format is {head['coursekit_conversation']!r}, but this version reads {FORMAT}"
        )
    history.add(_messages(head["instructions"]))
    history.summary = head["summary"] and Summary(**head["summary"])
    if history.turns:
        raise ValueError(
            "its instructions are not all system or developer messages"
        )


def _add_turn(history: History, turn: Any) -> None:
    turns = len(history.turns)
    history.add(_messages(turn["messages"]), turn["calls"])
    if len(history.turns) != turns + 1:
        raise ValueError(
            "it is not a turn, that is, a user's message and the replies to it"
        )


def _messages(values: Any) -> list[dict[str, Any]]:
    if not isinstance(values, list) or not all(map(is_message, values)):
        raise ValueError("it has no list of messages")
    return values


def _line(value: Any) -> str:
    """JSON that a person can read; escaped where half a surrogate pair cannot be written as
    UTF-8.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "it is not JSON"
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
