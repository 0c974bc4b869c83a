"""What changed between two folders of recordings, in the words of somebody who reviews it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...offline.event_stream import objects_of
from ...offline.recordings import read

SHOWN = 60


class Answered(NamedTuple):
    """What a learner would notice in an answer: the status, the texts (or the error's message), the
    token counts.
    """

    status: int
    text: str
    usage: str


def changes(old: Path, new: Path) -> Iterator[str]:
    """One line for each recording that was added, was removed, or answers differently; then the
    number of unchanged ones.
    """
    before, after = (
        {path.name: path for path in folder.glob("*.json")}
        for folder in (old, new)
    )
    same = 0
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"added    {name}  ({_who(after[name])})"
        elif name not in after:
            yield f"removed  {name}"
        elif differences := list(_differences(before[name], after[name])):
            yield f"changed  {name}"
            yield from (f"           {line}" for line in differences)
        else:
            same += 1
    if same:
        yield f"same     {same} (status, text, usage and provenance)"


def _differences(before: Path, after: Path) -> Iterator[str]:
    pairs = zip(
        Answered._fields, answered(before), answered(after), strict=True
    )
    for name, was, now in pairs:
        if was != now:
            yield f"{name}: {_short(was)} -> {_short(now)}"
    # another day does not count
    if _who(before) != _who(after):
        yield f"provenance: {_who(before)} -> {_who(after)}"


def _who(path: Path) -> str:
    provenance = read(path)[1]
    return ": ".join(filter(None, (provenance.kind, provenance.by)))


def answered(path: Path) -> Answered:
    """What the recording at ``path`` answers. Raises DamagedRecording."""
    answer = read(path)[2]
    texts: list[str] = []
    usage: dict[str, Any] = {}
    for part in objects_of(answer):
        for choice in part.get("choices") or []:
            message = choice.get("message") or choice.get("delta") or {}
            texts.append(message.get("content") or message.get("refusal") or "")
        if isinstance(part.get("error"), dict):
            texts.append(str(part["error"].get("message")))
        usage = usage or part.get("usage") or {}
    counts = f"{usage.get('prompt_tokens')}+{usage.get('completion_tokens')}"
    return Answered(answer.status, "".join(texts), counts)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
