"""Server-sent events: the one parser for every place that reads a stream.

A line ends with CR LF, CR or LF, and a blank line ends an event. In a field ``name: value``, one
space after the colon is not part of the value. A line that begins with a colon is a comment.
Several ``data`` lines are the lines of one text. An event without its blank line is never
dispatched.
Source: the HTML standard,
https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .exchange import ApiAnswer, JsonDict

BOM = b"\xef\xbb\xbf"
BLANK = b"\n\n"


class Blocks:
    """Cuts a stream into blocks, each up to its blank line, in whatever pieces it arrives."""

    def __init__(self) -> None:
        self._open = b""
        self._began = self._after_cr = False

    def add(self, data: bytes) -> list[bytes]:
        """The blocks that end with these bytes, in order, with LF at the end of each line."""
        if self._after_cr:
            # a CR LF that arrived in two pieces
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r") or (self._after_cr and not data)
        *blocks, self._open = (self._open + _with_lf(data)).split(BLANK)
        return [block + BLANK for block in map(self._bare, blocks) if block]

    @property
    def rest(self) -> bytes:
        """What has no blank line yet; at the end of a stream, an event that is never dispatched."""
        return self._open.lstrip(b"\n")

    def _bare(self, block: bytes) -> bytes:
        """The block without blank lines before it; the first one without a byte-order mark."""
        bare = block.lstrip(b"\n")
        if not self._began:
            self._began, bare = True, bare.removeprefix(BOM)
        return bare


def data_of(block: bytes) -> bytes | None:
    """The data of the event in a block; None if it has none, such as a comment, or is not ended."""
    is_one_line = block.find(b"\n") == len(block) - 2 and b"\r" not in block
    if is_one_line and block.startswith(b"data: ") and block.endswith(BLANK):
        return block[6:-2]  # nearly all blocks have this form
    return _joined(block, b"data")


def is_done(block: bytes) -> bool:
    """Whether a block is [DONE], the API's last one, after which the SDK stops reading."""
    return (data_of(block) or b"").startswith(b"[DONE]")


def is_error(block: bytes) -> bool:
    """Whether a block reports an error: ``data: {"error": …}``, or an event of that name."""
    if b"error" not in block:
        return False
    named = _joined(block, b"event") == b"error"
    return named or bool((json_of(block) or {}).get("error"))


def json_of(block: bytes) -> JsonDict | None:
    """The JSON object in a block's data; None for other data, such as [DONE], or no data."""
    data = data_of(block)
    return None if data is None else _object(data)


def _object(data: bytes) -> JsonDict | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def objects_of(answer: ApiAnswer) -> list[JsonDict]:
    """The JSON objects of an answer: its body, or the data of each event. Other data is skipped."""
    if answer.events is None:
        parts = [_object(answer.body)]
    else:
        parts = [json_of(event.data) for event in answer.events]
    return [part for part in parts if part is not None]


def _joined(block: bytes, field: bytes) -> bytes | None:
    """The values of a field, one per line; None if the block has none or is not ended."""
    text = _with_lf(block)
    if not text.endswith(BLANK):
        return None
    parts = [line.partition(b":") for line in text.split(b"\n")]
    values = [
        value.removeprefix(b" ") for name, _, value in parts if name == field
    ]
    return b"\n".join(values) if values else None


def _with_lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
