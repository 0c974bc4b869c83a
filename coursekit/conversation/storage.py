"""A conversation on disk, as JSON lines: first the instructions and the summary, then one line for
each turn.

Parameters and client are not stored: a conversation may go on with another model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..foundation.files import write_atomically
from ..foundation.portable import Portable
from .turns import History, Summary

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
    """Write a history, whole or not at all. Raises OSError."""
    summary = history.summary
    head = {
        "coursekit_conversation": FORMAT,
        "instructions": history.instructions,
        "summary": {"text": summary.text, "turns": summary.turns}
        if summary
        else None,
    }
    turns = [
        {"messages": turn.messages, "calls": turn.calls}
        for turn in history.turns
    ]
    write_atomically(
        path, "".join(f"{_line(value)}\n" for value in [head, *turns])
    )


def load(path: Path) -> History:
    """Read a history. Raises OSError, DamagedConversation."""
    history = History()
    text = path.read_text(encoding="utf-8").removesuffix("\n")
    # not splitlines(): it also splits at U+2028
    for number, line in enumerate(text.split("\n"), 1):
        try:
            value = json.loads(line)
            if number == 1:
                if value["coursekit_conversation"] != FORMAT:
                    raise ValueError(
                        f"its format is {value['coursekit_conversation']!r}, this version reads "
                        f"{FORMAT}"
                    )
                history.add(_messages(value["instructions"]))
                history.summary = (
                    Summary(**value["summary"]) if value["summary"] else None
                )
                if len(history.instructions) != len(value["instructions"]):
                    raise ValueError(
                        "its instructions are not all system or developer messages"
                    )
            else:
                turns = len(history.turns)
                history.add(_messages(value["messages"]), value["calls"])
                if len(history.turns) != turns + 1:
                    raise ValueError(
                        "it is not one turn: a user's message and what followed it"
                    )
        except (ValueError, LookupError, TypeError) as error:
            raise DamagedConversation(path, number, _why(error)) from error
    return history


def _messages(values: Any) -> list[dict[str, Any]]:
    if not isinstance(values, list) or not all(
        isinstance(value, dict) and "role" in value for value in values
    ):
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
        text = json.dumps(value)
    return text


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "it is not JSON"
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
