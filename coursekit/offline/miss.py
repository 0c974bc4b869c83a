"""The error for a request that nothing answers: the nearest recording, and what to do next.

Taught in 00, "Three mistakes, three messages".
"""

from __future__ import annotations

import difflib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..foundation.portable import Portable
from .canonical import canonical
from .exchange import ApiAnswer, ApiRequest
from .recordings import DamagedRecording, Recordings, read

Difference = tuple[str, str, str]  # where, here, recorded

ABSENT = object()
# Recordings that are no further away than this from the nearest one are named with it.
AS_NEAR = 0.1
WIDTH = 72

WHAT_NOW = """\
What to do now:
  - to see the recorded answer, change the cell back to what was recorded; or
  - to let a model of your own answer, such as one on Ollama: connect(fallback="ollama"); or
  - to let a small local model answer (free, often wrong): `%run -m coursekit local install`
    in a cell, once, then connect(fallback="local"); or
  - to ask the real API, put OPENAI_API_KEY in .env and use connect(mode="live"): it costs money; or
  - to keep its answer for the next time, use connect(mode="record"): it costs money once."""


class RecordingNotFound(Portable, LookupError):
    """There is no recording for this request. The message names the nearest one and what differs.

    request      the request's body
    nearest      the nearest recording's file, or None
    differences  (where, here, recorded) of each field that differs and changes the answer, e.g.
                 ("temperature", "0.7", "absent")
    as_near      other recordings that are as near: each file with its differences
    folders      where recordings were looked for

    It is a LookupError, not an httpx2 error: the SDK lets it pass untouched, without a retry.
    """

    def __init__(
        self,
        request: Any,
        found: Sequence[tuple[Path, list[Difference]]],
        folders: list[Path],
    ) -> None:
        self.request, self.folders = request, folders
        self.nearest: Path | None = None
        self.differences: list[Difference] = []
        if found:
            self.nearest, self.differences = found[0]
        self.as_near = list(found[1:])
        super().__init__(
            "\n".join([*self._where(), *self._as_near(), WHAT_NOW])
        )

    def _where(self) -> Iterator[str]:
        """The nearest recording, and how it differs."""
        yield "There is no recording for this request, and replay mode does not call a model."
        if self.nearest is None:
            places = ", ".join(map(str, self.folders[:3]))
            yield f"There is no recording of this kind of request in {places}."
            return
        yield f"The nearest recording is {_place(self.nearest)}. What differs:"
        for where, here, recorded in self.differences[:5]:
            yield f"  {where}"
            yield f"      here      {here}"
            yield f"      recorded  {recorded}"
        if len(self.differences) > 5:
            yield f"  … and {len(self.differences) - 5} more"

    def _as_near(self) -> Iterator[str]:
        if self.as_near:
            yield "Just as close:"
        for path, differences in self.as_near[:3]:
            recorded = ", ".join(
                f"{where} {there}" for where, _, there in differences[:2]
            )
            more = ", …" if len(differences) > 2 else ""
            yield f"  {_place(path)}: {recorded}{more}"
        if len(self.as_near) > 3:
            yield f"  … and {len(self.as_near) - 3} more"


def _place(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


class Missing:
    """The last layer: raises RecordingNotFound for whatever reaches it."""

    def __init__(self, recordings: Recordings) -> None:
        self.recordings = recordings

    def answer(self, request: ApiRequest) -> ApiAnswer:
        here = canonical(request.body)
        found: list[tuple[float, Path, list[tuple[str, Any, Any]]]] = []
        for path in self.recordings.files():
            try:
                other = read(path)[0]
            except DamagedRecording:
                continue  # of another request: doctor reports it
            if (other.method, other.path) == (request.method, request.path):
                pairs = list(_differences(here, canonical(other.body)))
                # Whole and streamed differ only where a recorded stream breaks off.
                differing = [
                    pair for pair in pairs if not pair[0].startswith("stream")
                ] or pairs
                found.append((_distance(differing), path, differing))
        found.sort(key=lambda one: one[0])
        near = [
            (path, [_shown_pair(*pair, request.body) for pair in differing])
            for distance, path, differing in found
            if distance <= found[0][0] + AS_NEAR
        ]
        raise RecordingNotFound(request.body, near, self.recordings.folders)


def _shown_pair(where: str, here: Any, recorded: Any, body: Any) -> Difference:
    """A difference in short lines, with the learner's own name of the parameter."""
    if where == "max_completion_tokens" and where not in body:
        where = "max_tokens" if "max_tokens" in body else where
    return where, _shown(here, recorded), _shown(recorded, here)


def _differences(
    here: Any, recorded: Any, where: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """(where, here, recorded) of every value that differs; ABSENT if one side has none."""
    if isinstance(here, dict) and isinstance(recorded, dict):
        for key in [*here, *(key for key in recorded if key not in here)]:
            step = f"{where}.{key}" if where else str(key)
            yield from _differences(
                here.get(key, ABSENT), recorded.get(key, ABSENT), step
            )
    elif isinstance(here, list) and isinstance(recorded, list):
        both = itertools.zip_longest(here, recorded, fillvalue=ABSENT)
        for i, (a, b) in enumerate(both):
            yield from _differences(a, b, f"{where}[{i}]")
    elif here != recorded and not (
        here in (None, ABSENT) and recorded in (None, ABSENT)
    ):
        yield where or "the body", here, recorded


def _distance(differences: list[tuple[str, Any, Any]]) -> float:
    """How different two bodies are: 1 for each parameter that differs, up to 5 for each text."""
    total = 0.0
    for where, a, b in differences:
        if not where.startswith("messages"):
            total += 1
        elif isinstance(a, str) and isinstance(b, str):
            matcher = difflib.SequenceMatcher(
                None, a[:300], b[:300], autojunk=False
            )
            total += 5 * (1 - matcher.ratio())
        else:
            total += 5
    return total


def _shown(value: Any, other: Any) -> str:
    """A value in one short line; of a long text, the part around the first difference."""
    if value is ABSENT:
        return "(absent)"
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= WIDTH:
        return text
    start = 0
    if isinstance(value, str) and isinstance(other, str):
        there = json.dumps(other, ensure_ascii=False)
        same = len(os.path.commonprefix([text, there]))  # noqa: RUF071
        start = max(0, same - WIDTH // 3)
    end = start + WIDTH
    before = "…" if start else ""
    after = "…" if end < len(text) else ""
    return before + text[start:end] + after
