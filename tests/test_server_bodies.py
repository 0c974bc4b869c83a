"""Bodies that no client sends by mistake: each gets a clear 400, and none harms the server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.offline_api import folder_with, params, whole
from support.served import Served, served

CHAT = '{"model": "gpt-4o", "messages": [{"role": "user", "content": %s}]}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("recordings")
    with served(folder_with(folder, (params(), whole("Paris.")))) as running:
        yield running


def nested(depth: int) -> str:
    """A body with a list in a list in a list … as a metadata value."""
    return (
        json.dumps(params())[:-1]
        + ', "metadata": {"a": '
        + "[" * depth
        + "]" * depth
        + "}}"
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"\xff\xfe",
        b'{"model": "gpt-4o\xc3\x28"}',
        b"\x00",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b"1e999",
        b"NaN",
        b'{"model": NaN}',
        b"\xef\xbb\xbf{}",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"9" * 100_000,
        b'{"model": "gpt-4o", "messages": ' + b"9" * 10_000 + b"}",
    ],
)
def test_no_json(server: Served, raw: bytes) -> None:
    """A body that is not a JSON object gets the API's 400."""
    answer = server.post(raw)
    assert answer.status_code == 400 and list(answer.json()["error"]) == [
        "message",
        "type",
        "param",
        "code",
    ]


@pytest.mark.parametrize(
    "depth",
    [
        10,
        300,
        500,
        900,
        950,
        960,
        970,
        975,
        980,
        985,
        990,
        995,
        1000,
        5000,
        100_000,
    ],
)
def test_nested_deeply(server: Served, depth: int) -> None:
    """JSON nested to any depth gets a 400, even if the parser just accepts it."""
    assert server.post(nested(depth).encode()).status_code == 400


@pytest.mark.parametrize(
    "content",
    [
        '"\\ud800"',
        '"\\udfff\\u0000"',
        '"\\u0000"',
        '"\\uffff"',
        json.dumps("x" * 500_000),
        json.dumps(" " * 1_000_000),
        json.dumps("../../etc/passwd"),
        json.dumps("\U0001f600" * 1000),
    ],
)
def test_odd_texts(server: Served, content: str) -> None:
    """Text of any kind and length is read, and has no recording or is too long for the model."""
    answer = server.post((CHAT % content).encode())
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["code"] in (
        "recording_not_found",
        "context_length_exceeded",
    )


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../x",
        "/etc/passwd",
        "x" * 100_000,
        "\x00",
        "gpt-4o/../../x",
        "CON",
        "{}",
        "é\ud800",
    ],
)
def test_odd_models(server: Served, name: str) -> None:
    """A model's name never leads to a file, and an unknown one gets the API's 404."""
    answer = server.post(json.dumps({**params(), "model": name}).encode())
    assert (
        answer.status_code == 404
        and answer.json()["error"]["code"] == "model_not_found"
    )
