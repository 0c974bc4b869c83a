"""Server-sent events, as the HTML standard defines them."""

from __future__ import annotations

import pytest

from coursekit.offline.event_stream import (
    Blocks,
    data_of,
    is_done,
    is_error,
    json_of,
)

STREAM = (
    b': hi\n\nevent: x\nid: 3\ndata:{"a":\ndata: 1}\n\n\n\ndata: [DONE]\n\n'
)
BLOCKS = [
    b": hi\n\n",
    b'event: x\nid: 3\ndata:{"a":\ndata: 1}\n\n',
    b"data: [DONE]\n\n",
]


@pytest.mark.parametrize(
    "end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"]
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
def test_blocks_are_the_same_however_the_bytes_arrive(
    end: bytes, mark: bytes
) -> None:
    """Whatever the line endings, and wherever the network splits the bytes, the blocks are the
    same. Blank lines are not blocks.
    """
    wire = mark + STREAM.replace(b"\n", end)
    for size in range(1, len(wire) + 1):
        blocks = Blocks()
        cut = [
            block
            for i in range(0, len(wire), size)
            for block in blocks.add(wire[i : i + size])
        ]
        assert (cut, blocks.rest) == (BLOCKS, b"")


@pytest.mark.parametrize(
    ("block", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data:  a\n\n", b" a"),
        (b"data: a\r\n\r\n", b"a"),
        (b"data: a\r\r", b"a"),
        (b"data: a\ndata:b\n\n", b"a\nb"),
        (b"data\n\n", b""),
        (b"id: 1\ndata: a\n\n", b"a"),
        (b": data: a\n\n", None),
        (b"event: a\n\n", None),
        (b"Data: a\n\n", None),
        (b"data: a\n", None),
    ],
)
def test_the_data_of_an_event(block: bytes, data: bytes | None) -> None:
    """One space after the colon is not part of the data, and data lines are joined. A comment and
    an unfinished block have no data.
    """
    assert data_of(block) == data


def test_what_an_event_is() -> None:
    """The last event, an error, and a JSON object are recognized in every form."""
    assert is_done(b"data:[DONE]\r\n\r\n") and not is_done(
        b'data: {"text": "[DONE]"}\n\n'
    )
    assert is_error(
        b'id: 1\ndata:{"error": {"message": "x"}}\n\n'
    ) and is_error(b"event: error\ndata: {}\n\n")
    assert not is_error(b'data: {"error": null}\n\n') and not is_error(
        b'data: {"text": "error"}\n\n'
    )
    assert (
        json_of(b'data: {"a":\ndata: 1}\n\n') == {"a": 1}
        and json_of(b"data: [1]\n\n") is None
    )
