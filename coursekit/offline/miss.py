"""What a learner is told when nothing answers a request: the nearest recording and what to do
now.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..foundation.portable import Portable
from .exchange import ApiAnswer, ApiRequest
from .recorded.canonical import canonical
from .recordings import DamagedRecording, Recordings, read

Difference = tuple[str, str, str]  # where, here, recorded

ABSENT = object()
# of a parameter: recordings that are no further than this from the nearest one are named with it
AS_NEAR = 0.1
WIDTH = 72


class RecordingNotFound(Portable, LookupError):
    """No recording answers this request. The message names the nearest one and how it differs.

    request      the request's body
    nearest      the nearest recording's file, or None
    differences  (where, here, recorded) of each field that differs, e.g. ("temperature", "0.7",
                 "absent"), and that changes the answer
    as_near      other recordings that are as near: each file, with its differences

    It is a LookupError and not an httpx2 error: the SDK lets it pass untouched, without a retry.
    """

    def __init__(
        self,
        request: Any,
        nearest: Path | None,
        differences: list[Difference],
        folders: list[Path],
        as_near: Sequence[tuple[Path, list[Difference]]] = (),
    ) -> None:
        self.request, self.nearest, self.differences, self.folders = (
            request,
            nearest,
            differences,
            folders,
        )
        self.as_near = list(as_near)
        super().__init__(self._text())

    def _text(self) -> str:
        lines = ["No recording answers this request, and replay mode asks nobody else."]
        if self.nearest is None:
            lines.append(
                "There is no recording of such a request in "
                + ", ".join(map(str, self.folders[:3]))
                + "."
            )
        else:
            lines.append(
                f"The nearest recording is {self.nearest.parent.name}/{self.nearest.name}. What "
                "differs:"
            )
            for where, here, recorded in self.differences[:5]:
                lines += [
                    f"  {where}",
                    f"      here      {here}",
                    f"      recorded  {recorded}",
                ]
            if len(self.differences) > 5:
                lines.append(f"  … and {len(self.differences) - 5} more")
            lines += ["As near as that one:"] if self.as_near else []
            for path, differences in self.as_near[:3]:
                recorded = ", ".join(
                    f"{where} {recorded}" for where, _, recorded in differences[:2]
                )
                lines.append(
                    f"  {path.parent.name}/{path.name}: "
                    f"{recorded}{', …' if len(differences) > 2 else ''}"
                )
            if len(self.as_near) > 3:
                lines.append(f"  … and {len(self.as_near) - 3} more")
        lines += [
            "What to do now:",
            "  - to see the recorded answer, change the cell back to what was recorded; or",
            (
                "  - to have a model of your own answer, such as one on Ollama: "
                'connect(fallback="ollama"); or'
            ),
            (
                "  - to have a small model on your machine answer, free and often wrong: `%run -m "
                "coursekit local install`"
            ),
            '    in a cell, once, then connect(fallback="local"); or',
            (
                "  - to ask the real API, put OPENAI_API_KEY in .env and use "
                'connect(mode="live"): it '
                "costs money; or"
            ),
            (
                '  - to keep its answer for the next time, use connect(mode="record"): it '
                "costs money "
                "once."
            ),
        ]
        return "\n".join(lines)


class Missing:
    """The last layer: raises RecordingNotFound for whatever reaches it."""

    def __init__(self, recordings: Recordings) -> None:
        self.recordings = recordings

    def answer(self, request: ApiRequest) -> ApiAnswer:
        here = canonical(request.body)
        found: list[tuple[float, Path, list[Difference]]] = []
        for path in self.recordings.files():
            try:
                other = read(path)[0]
            except DamagedRecording:
                continue  # asked for by nobody: doctor reports it
            if (other.method, other.path) == (request.method, request.path):
                differences = _that_matter(_differences(here, canonical(other.body)))
                found.append((_distance(differences), path, differences))
        if not found:
            raise RecordingNotFound(request.body, None, [], self.recordings.folders)
        found.sort(key=lambda one: one[0])
        (_, nearest, shown), *others = [
            (
                distance,
                path,
                [_shown_pair(difference, request.body) for difference in differences],
            )
            for distance, path, differences in found
            if distance <= found[0][0] + AS_NEAR
        ]
        as_near = [(path, differences) for _, path, differences in others]
        raise RecordingNotFound(
            request.body, nearest, shown, self.recordings.folders, as_near
        )


def _that_matter(
    differences: Iterable[tuple[str, Any, Any]],
) -> list[tuple[str, Any, Any]]:
    """The differences without that of whole and streamed, which is one only where a recorded stream
    breaks off.
    """
    every = list(differences)
    return [one for one in every if not one[0].startswith("stream")] or every


def _shown_pair(difference: tuple[str, Any, Any], body: Any) -> Difference:
    """A difference in short lines, by the name that the learner gave the parameter."""
    where, here, recorded = difference
    if where == "max_completion_tokens" and where not in body and "max_tokens" in body:
        where = "max_tokens"
    return where, _shown(here, recorded), _shown(recorded, here)


def _differences(
    here: Any, recorded: Any, where: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """(where, here, recorded) of every leaf that differs; ABSENT where one side has none."""
    if isinstance(here, dict) and isinstance(recorded, dict):
        for key in [*here, *(key for key in recorded if key not in here)]:
            step = f"{where}.{key}" if where else str(key)
            yield from _differences(
                here.get(key, ABSENT), recorded.get(key, ABSENT), step
            )
    elif isinstance(here, list) and isinstance(recorded, list):
        for i in range(max(len(here), len(recorded))):
            a = here[i] if i < len(here) else ABSENT
            b = recorded[i] if i < len(recorded) else ABSENT
            yield from _differences(a, b, f"{where}[{i}]")
    elif here != recorded and not (
        here in (None, ABSENT) and recorded in (None, ABSENT)
    ):
        yield where or "the body", here, recorded


def _distance(differences: list[tuple[str, Any, Any]]) -> float:
    """How far two bodies are apart: one for each parameter that differs, up to five for each
    text.
    """
    total = 0.0
    for where, a, b in differences:
        if not where.startswith("messages"):
            total += 1
        elif isinstance(a, str) and isinstance(b, str):
            total += 5 * (
                1
                - difflib.SequenceMatcher(
                    None, a[:300], b[:300], autojunk=False
                ).ratio()
            )
        else:
            total += 5
    return total


def _shown(value: Any, other: Any) -> str:
    """A value in one short line; of a long text, the part around the first character that
    differs.
    """
    if value is ABSENT:
        return "(absent)"
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= WIDTH:
        return text
    start = 0
    if isinstance(value, str) and isinstance(other, str):
        text, against = (
            json.dumps(value, ensure_ascii=False),
            json.dumps(other, ensure_ascii=False),
        )
        same = next(
            (i for i, (a, b) in enumerate(zip(text, against, strict=False)) if a != b),
            min(len(text), len(against)),
        )
        start = max(0, same - WIDTH // 3)
    part = text[start : start + WIDTH]
    return ("…" if start else "") + part + ("…" if start + WIDTH < len(text) else "")
