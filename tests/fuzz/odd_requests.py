"""Odd requests for hypothesis, as bytes for a raw connection to the server."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from support.offline_api import params

PARAMETERS = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "n",
    "stop",
    "max_tokens",
    "seed",
    "tools",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "response_format",
    "logit_bias",
    "tool_choice",
    "reasoning_effort",
    "user",
    "metadata",
    "store",
    "service_tier",
    "modalities",
    "audio",
    "functions",
    "function_call",
    "prediction",
    "verbosity",
    "web_search_options",
    "parallel_tool_calls",
]
MODELS = [
    "gpt-4o",
    "gpt-4o-mini",
    "o3",
    "o4-mini",
    "gpt-5",
    "gpt-4",
    "gpt-3.5-turbo-instruct",
    "ft:gpt-4o:a::b",
    "..",
    "",
]
PATHS = [
    "/v1/models",
    "/v1/models/gpt-4o",
    "/healthz",
    "/admin/faults",
    "/admin/learners",
    "/",
    "*",
    "/v1/../v1/models",
    "/..%2f..%2fetc%2fpasswd",
    "//",
    "/v1/chat/completions/",
    "/v1/chat/completions?key=1#x",
    "http://x/v1/models",
]
METHODS = [
    "GET",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "CONNECT",
    "SOURCE",
    "get",
    "X",
]
HEADERS = [
    "Expect: 100-continue",
    "Transfer-Encoding: gzip",
    "Content-Encoding: gzip",
    "Upgrade: h2c",
    "TE: trailers",
    "Connection: keep-alive, Upgrade",
    "Content-Type: text/plain",
    "Accept: */*",
    "X-Stainless-Retry-Count: -1",
    "X-Stainless-Retry-Count: ²",
    "Authorization: Basic eDp5",
    "Range: bytes=0-1",
    "Cookie: " + "a=b; " * 200,
]


@dataclass(frozen=True)
class Odd:
    """``raw`` is what is sent; ``proper`` means that the request is complete, so the server owes an
    answer.
    """

    raw: bytes
    proper: bool = True


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(MODELS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
roles = (
    st.sampled_from(
        [
            "system",
            "developer",
            "user",
            "assistant",
            "tool",
            "function",
            "robot",
        ]
    )
    | values
)
parts = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["text", "image_url", "input_audio", "file", "refusal"]
        )
        | values
    },
    optional={
        "text": values,
        "image_url": values,
        "input_audio": values,
        "file": values,
    },
)
messages = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "role": roles,
            "content": st.text(max_size=50)
            | st.lists(parts, max_size=3)
            | values,
            "name": values,
            "tool_calls": values,
            "tool_call_id": values,
            "x": values,
        },
    )
    | values,
    max_size=4,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A body: a recorded one with some invalid parameters, some other JSON, or any bytes."""
    kind = draw(
        st.sampled_from(
            [
                "spoilt",
                "spoilt",
                "spoilt",
                "spoilt",
                "recorded",
                "json",
                "bytes",
            ]
        )
    )
    if kind == "bytes":
        return draw(st.binary(max_size=500))
    if kind == "json":
        return json.dumps(draw(values)).encode("utf-8", "surrogatepass")
    body: dict[str, Any] = params()
    if draw(st.booleans()):
        body["stream"] = True
    if kind == "spoilt":
        for name in draw(
            st.lists(
                st.sampled_from(PARAMETERS) | st.text(max_size=10),
                min_size=1,
                max_size=4,
            )
        ):
            body[name] = draw(
                messages
                if name == "messages"
                else values | st.floats(-3, 3) | st.integers(-2, 200)
            )
        for name in draw(st.lists(st.sampled_from(PARAMETERS), max_size=1)):
            body.pop(name, None)
        if draw(st.booleans()):
            body["model"] = draw(st.sampled_from(MODELS))
    return json.dumps(body).encode("utf-8", "surrogatepass")


@st.composite
def requests(draw: st.DrawFn) -> Odd:
    """A complete request, nearly always to the one endpoint that matters, or one that is damaged in
    transit.
    """
    to_chat = draw(st.integers(0, 9)) < 7
    if to_chat:
        method, path = "POST", "/v1/chat/completions"
    else:
        method = draw(st.sampled_from(["GET", "POST", *METHODS]))
        path = draw(
            st.sampled_from(PATHS)
            | st.text(max_size=30).map(
                lambda text: "/v1/models/" + quote(text, safe="/.%")
            )
        )
    key = draw(st.sampled_from(["k", "k2", "", "k3 x", "é"]))
    lines = (
        draw(st.lists(st.sampled_from(HEADERS) | header(), max_size=5))
        if draw(st.booleans())
        else []
    )
    if draw(st.integers(0, 99)) == 0:
        lines = [f"X-{n}: 1" for n in range(150)]
    body = draw(bodies()) if method == "POST" else b""
    head = "\r\n".join(
        [
            f"{method} {path} HTTP/1.1",
            "Host: x",
            "Connection: close",
            f"Authorization: Bearer {key}",
            *(
                ["Content-Type: application/json"]
                if draw(st.integers(0, 9))
                else []
            ),
            *lines,
        ]
    )
    if draw(st.booleans()):
        raw = (
            f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode(
                "latin-1", "replace"
            )
            + body
        )
    else:
        size = draw(st.integers(1, 200))
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(c), c)
            for c in (body[i : i + size] for i in range(0, len(body), size))
        )
        raw = (
            f"{head}\r\nTransfer-Encoding: chunked\r\n\r\n".encode(
                "latin-1", "replace"
            )
            + chunks
            + b"0\r\n\r\n"
        )
    if draw(st.integers(0, 9)) == 0:  # damaged in transit
        place, what = (
            draw(st.integers(0, len(raw))),
            draw(st.binary(max_size=5)),
        )
        return Odd(
            raw[:place]
            + what
            + (raw[place + 1 :] if draw(st.booleans()) else b""),
            proper=False,
        )
    return Odd(raw, proper=not lines)


@st.composite
def header(draw: st.DrawFn) -> str:
    name = draw(st.text(string.ascii_letters + "-_", min_size=1, max_size=10))
    return f"{name}: {draw(st.text(string.printable, max_size=20))}".replace(
        "\n", " "
    ).replace("\r", " ")
