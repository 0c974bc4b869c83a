"""What changed between two folders of recordings, in the words of somebody who reviews it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...offline.event_stream import objects_of
from ...offline.recordings import Provenance, read

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Answered:
    """What a learner would notice in an answer: the status, the texts (or the error's message), the
    token counts.
    """

    status: int
    text: str
    usage: str


def changes(old: Path, new: Path) -> Iterator[str]:
    """One line for each recording that was added, removed, or answers otherwise; then the number of
    equal ones.
    """
    before, after = (
        {path.name: path for path in folder.glob("*.json")}
        for folder in (old, new)
    )
    same = 0
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"added    {name}  ({_who(read(after[name])[1])})"
        elif name not in after:
            yield f"removed  {name}"
        else:
            differences = list(
                _differences(answered(before[name]), answered(after[name]))
            )
            differences += _provenance(
                read(before[name])[1], read(after[name])[1]
            )
            same += not differences
            if differences:
                yield f"changed  {name}"
                yield from (f"           {line}" for line in differences)
    if same:
        yield f"same     {same} (status, text, usage and provenance)"


def _provenance(before: Provenance, after: Provenance) -> list[str]:
    """A line where the provenance differs; another day does not count."""
    was, now = _who(before), _who(after)
    return [] if was == now else [f"provenance: {was} -> {now}"]


def _who(provenance: Provenance) -> str:
    return (
        f"{provenance.kind}: {provenance.by}"
        if provenance.by
        else provenance.kind
    )


def answered(path: Path) -> Answered:
    """What the recording at ``path`` answers. Raises DamagedRecording."""
    answer = read(path)[2]
    parts = list(objects_of(answer))
    texts = [
        _text(choice) for part in parts for choice in part.get("choices") or []
    ]
    errors = [
        str(part["error"].get("message"))
        for part in parts
        if isinstance(part.get("error"), dict)
    ]
    usage = (
        next((part["usage"] for part in parts if part.get("usage")), None) or {}
    )
    counts = f"{usage.get('prompt_tokens')}+{usage.get('completion_tokens')}"
    return Answered(answer.status, "".join(texts + errors), counts)


def _text(choice: dict[str, Any]) -> str:
    said = choice.get("message") or choice.get("delta") or {}
    return said.get("content") or said.get("refusal") or ""


def _differences(before: Answered, after: Answered) -> Iterator[str]:
    for name in ("status", "text", "usage"):
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            yield f"{name}: {_short(was)} -> {_short(now)}"


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
