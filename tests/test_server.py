"""The server: it gives the same answers as in process, on a socket, to any client, and starts and
stops cleanly.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import models
from support.offline_api import completion, folder_with, params, streamed, whole
from support.served import Served, error_of, request_bytes, served
from support.waiting import HANG, until

WORDS = ["Par", "is", "."]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("recordings")
    folder_with(
        folder,
        (params(), whole("Paris.")),
        (params(stream=True), streamed(WORDS)),
        (params("Whole only?"), whole("Berlin.")),
    )
    damaged = params("damaged")
    path = folder_with(folder, (damaged, whole("x"))) and next(
        folder.glob("*damaged*")
    )
    path.write_text("{")
    with served(folder) as running:
        yield running


# The API


def test_a_whole_answer(server: Served) -> None:
    """The real SDK gets a ChatCompletion with the recording's request ID."""
    reply = server.client().chat.completions.create(**params())
    assert (
        reply.choices[0].message.content == "Paris."
        and reply._request_id == "req_test"
    )


def test_a_stream(server: Served) -> None:
    """The real SDK gets a stream's chunks, up to the usage."""
    chunks = list(
        server.client().chat.completions.create(**params(), stream=True)
    )
    assert [c.choices[0].delta.content for c in chunks if c.choices] == [
        "",
        *WORDS,
        None,
    ]
    assert chunks[-1].usage is not None


def test_equal_requests_and_other_forms(server: Served) -> None:
    """What frameworks add ("stream": false, a user) changes nothing. A complete answer can be
    streamed, and a header says so.
    """
    client = server.client()
    reply = client.chat.completions.create(
        **params(stream=False, n=1, user="langchain")
    )
    assert reply.choices[0].message.content == "Paris."
    raw = client.chat.completions.with_raw_response.create(
        **params("Whole only?"), stream=True
    )
    assert (
        "".join(c.choices[0].delta.content or "" for c in raw.parse())
        == "Berlin."
    )
    assert (
        raw.headers["x-coursekit-source"]
        == "written, streamed from a whole answer"
    )


async def test_async(server: Served) -> None:
    """The async SDK gets complete answers and streams, many concurrently over its connections."""
    async with server.async_client() as client:

        async def both() -> tuple[str | None, str]:
            reply = await client.chat.completions.create(**params())
            stream = await client.chat.completions.create(
                **params(), stream=True
            )
            texts = [
                c.choices[0].delta.content or ""
                async for c in stream
                if c.choices
            ]
            return reply.choices[0].message.content, "".join(texts)

        assert (
            await asyncio.gather(*[both() for _ in range(30)])
            == [("Paris.", "Paris.")] * 30
        )


def test_the_bytes_are_the_recordings(server: Served) -> None:
    """A complete answer is sent byte for byte as recorded, with its length and only the API's
    headers.
    """
    answer = server.post(json.dumps(params()).encode())
    assert answer.content == whole("Paris.").body and answer.headers[
        "content-length"
    ] == str(len(answer.content))
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["server"], len(answer.headers.get_list("date"))) == (
        "cloudflare",
        1,
    )


def test_a_wrong_request(server: Served) -> None:
    """An invalid request is refused as by the API, with the status, type, code, param, and a
    request ID.
    """
    with pytest.raises(openai.BadRequestError) as refused:
        server.client().chat.completions.create(model="gpt-4o", messages=[])
    assert (refused.value.code, refused.value.param) == (
        "empty_array",
        "messages",
    )
    assert re.fullmatch("req_[0-9a-f]{32}", refused.value.request_id or "")


def test_a_miss(server: Served) -> None:
    """A request without a recording gets a 404 that names the nearest recording and what to do, and
    that no SDK retries.
    """
    with pytest.raises(openai.NotFoundError, match="What to do now") as miss:
        server.client(max_retries=3).chat.completions.create(
            **params("What is the capital of Spain?")
        )
    assert (
        miss.value.code == "recording_not_found"
        and miss.value.response.headers["x-should-retry"] == "false"
    )
    assert '"What is the capital of France?"' in miss.value.message


def test_a_damaged_recording(server: Served) -> None:
    """An unreadable recording causes a 500 that names the file and the fix, and that no SDK
    retries.
    """
    with pytest.raises(
        openai.InternalServerError, match="cannot be read"
    ) as damage:
        server.client(max_retries=3).chat.completions.create(
            **params("damaged")
        )
    assert (
        damage.value.code == "damaged_recording"
        and damage.value.response.headers["x-should-retry"] == "false"
    )


def test_a_mistake_of_ours(
    server: Served,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """If the offline API itself fails, the answer says so in the API's format, and the log has the
    traceback.
    """
    learner = server.room.learners.of("Bearer mistaken")
    monkeypatch.setattr(learner, "api", None)
    with pytest.raises(openai.InternalServerError) as failed:
        server.client("mistaken").chat.completions.create(**params())
    assert failed.value.code == "offline_api_failed"
    assert "Traceback" in caplog.text and "mistaken" not in caplog.text


def test_models(server: Served) -> None:
    """GET /v1/models lists the models in the course's table, with their shutdown dates."""
    listed = {model.id: model for model in server.client().models.list()}
    assert {models.CHAT, models.SMALL, models.REASONING, models.HARDEST} <= set(
        listed
    )
    # type: ignore[union-attr]
    assert (
        listed["gpt-4o"].shutdown_date
        == models.get("gpt-4o").shutdown.isoformat()
    )
    assert listed["gpt-4o-2024-08-06"].created == 1_722_902_400  # 2024-08-06
    assert all(models.get(name).endpoint == "chat" for name in listed)


def test_one_model(server: Served) -> None:
    """GET /v1/models/{model} shows one model. An unknown model gets the API's 404."""
    assert server.client().models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    with pytest.raises(
        openai.NotFoundError, match="The model 'gpt-9' does not exist"
    ) as unknown:
        server.client().models.retrieve("gpt-9")
    assert unknown.value.code == "model_not_found"


def test_health(server: Served) -> None:
    """GET /healthz says that the server is running, and does not need a key."""
    answer = server.http.get(f"{server.url}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_supported"),
        ("DELETE", "/v1/models", 405, "method_not_supported"),
        ("GET", "/", 404, None),
        ("POST", "/v1/embeddings", 404, None),
        ("GET", "/v1/chat/completions/", 404, None),
        ("POST", "/v1/chat/completions/../../x", 404, None),
        ("GET", "/v1/models/../../../etc/passwd", 404, "model_not_found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404, None),
        ("GET", "/v1/models/%00%ff", 404, "model_not_found"),
        ("GET", "//v1/models", 404, None),
        ("BREW", "/healthz", 400, "invalid_request"),
    ],
)
def test_other_paths_and_methods(
    server: Served, method: str, path: str, status: int, code: str | None
) -> None:
    """A path that does not exist gets a 404 or 405 in the API's format, wherever it tries to
    lead.
    """
    raw = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\nConnection: close\r\n\r\n".encode()
    told, error = error_of(server.bytes(raw))
    assert (told, error["code"]) == (status, code) and "root:" not in error[
        "message"
    ]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/x-www-form-urlencoded", 400),
        ("text/plain", 400),
        ("text/event-stream", 400),
        ("", 400),
    ],
)
def test_only_json_is_read(server: Served, kind: str, status: int) -> None:
    """As with the real API, a body with another content type contains no parameters: curl -d sends
    a form.
    """
    answer = server.post(json.dumps(params()).encode(), content_type=kind)
    assert answer.status_code == status
    assert ("you must provide a model parameter" in answer.text) is (
        status == 400
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_json_is_utf_8(server: Served, encoding: str) -> None:
    """A body in another encoding gets a 400 that says so, and is never treated as a missing
    recording.
    """
    answer = server.post(
        json.dumps(params("é"), ensure_ascii=False).encode(encoding)
    )
    assert (
        answer.status_code == 400 and "could not parse the JSON" in answer.text
    )


def test_a_byte_order_mark_changes_nothing(server: Served) -> None:
    """A byte-order mark is accepted, because some editors and shells write one before JSON."""
    body = json.dumps(params()).encode()
    plain, marked = (server.post(raw) for raw in (body, b"\xef\xbb\xbf" + body))
    assert plain.status_code == marked.status_code == 200
    assert plain.json() == marked.json()


def test_pages_of_any_site_may_ask(server: Served) -> None:
    """As with the real API, a browser's preflight is answered under /v1, and nowhere else."""
    origin = {"origin": "http://localhost:5173"}
    asks = {"access-control-request-method": "POST"}
    asks["access-control-request-headers"] = "authorization,content-type"
    for path in ("/v1/chat/completions", "/v1/files", "/v1/models"):
        answer = server.http.options(
            server.url + path, headers={**origin, **asks}
        )
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "*"
    answer = server.post(json.dumps(params()).encode(), **origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in server.post(b"{}").headers
    for path in ("/console", "/admin/learners", "/healthz"):
        for answer in (
            server.http.get(server.url + path, headers=origin),
            server.http.options(server.url + path, headers={**origin, **asks}),
        ):
            assert "access-control-allow-origin" not in answer.headers


# The log, the collector, the end


def test_the_access_log(server: Served) -> None:
    """The log has a line for each request with the time, learner, method, path, status, and
    seconds, but without body, key, query, or control codes.
    """
    server.client("sk-secret").chat.completions.create(**params())
    server.http.get(f"{server.url}/v1/mod%0aels?api_key=sk-secret")
    lines = server.logged(r"/v1/mod\nels").splitlines()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d learner-\d+ POST /v1/chat/completions 200 \d+\.\d{3}s",
        lines[-2],
    )
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d - GET /v1/mod\\nels 404 \d+\.\d{3}s", lines[-1]
    )
    assert (
        "sk-secret" not in server.log.getvalue()
        and "capital" not in server.log.getvalue()
    )


@pytest.mark.slow
def test_answering_makes_no_garbage(server: Served) -> None:
    """Requests leave no reference cycles behind, which is why the server's garbage collector may be
    turned off.
    """

    def requests(count: int) -> None:
        for body in (params(), params(stream=True)):
            for _ in range(count):
                server.post(json.dumps(body).encode())

    requests(3)
    gc.collect()
    gc.disable()
    try:
        requests(40)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [
            thing
            for thing in gc.garbage
            if type(thing).__module__.startswith(
                ("coursekit", "uvicorn", "starlette")
            )
        ]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []


@pytest.mark.slow
def test_stopping_with_streams_under_way(tmp_path: Path) -> None:
    """A server that is stopping lets answers continue for a moment and then breaks them off, so
    that their callers see an error instead of silence.
    """
    folder_with(
        tmp_path, (params(stream=True), streamed(["a"] * 600, gap=0.05))
    )
    seen: list[Any] = []

    def read(client: openai.OpenAI) -> None:
        try:
            seen.extend(client.chat.completions.create(**params(), stream=True))
        except openai.APIConnectionError as error:
            seen.append(error)

    with served(tmp_path, speed=1.0) as running:
        client = openai.OpenAI(
            base_url=f"{running.url}/v1", api_key="key", max_retries=0
        )
        reader = threading.Thread(target=read, args=[client])
        reader.start()
        until(lambda: seen)
        idle = socket.create_connection(("127.0.0.1", running.port))
        half = socket.create_connection(("127.0.0.1", running.port))
        half.sendall(request_bytes(params())[:-5])
    reader.join(HANG)
    idle.close(), half.close(), client.close()
    assert isinstance(seen[-1], openai.APIConnectionError) and len(seen) > 5


def test_a_completion_is_what_we_think(server: Served) -> None:
    """The SDK's object for an answer contains exactly what was recorded."""
    assert server.client().chat.completions.create(
        **params()
    ).to_dict() == completion("Paris.")
