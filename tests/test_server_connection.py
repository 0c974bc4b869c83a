"""What is refused before it becomes a request, because it is too large, too slow, too much, or not
HTTP, gets a clear 4xx or 503.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.offline.server.connection import ConnectionLimits
from support.offline_api import folder_with, params, streamed, whole
from support.served import Served, error_of, read_all, request_bytes, served
from support.waiting import HANG, until

HEAD = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\n"
GOOD = request_bytes(params())
MB = 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("recordings")
    folder_with(
        folder,
        (params(), whole("Paris.")),
        (params(stream=True), streamed(["x" * 5000] * 4000)),
    )
    with served(
        folder, limits=ConnectionLimits(body=100_000, connections=25)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def impatient(server: Served) -> Iterator[Served]:
    """The same server, with little time for its clients. Tests of anything else must not be late on
    it.
    """
    with served(
        server.folder,
        limits=ConnectionLimits(sending=0.6, reading=0.4, lingering=1.0),
    ) as running:
        yield running


def refusal_of(server: Served, sent: str) -> tuple[int, dict[str, Any]]:
    """The error in the answer to these bytes, read without waiting for the server to close the
    connection.
    """
    answer = b""
    with server.connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent.encode())
        while not answer.endswith(b"}") and (part := connection.recv(65536)):
            answer += part
    return error_of(answer)


# Too large


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (HEAD + f"X: {'a' * 40_000}\r\n\r\n", 431, "headers_too_large"),
        # a line that never ends
        (
            HEAD + "X: " + "a" * 200_000,
            431,
            "headers_too_large",
        ),
        (
            "".join(f"X-{i}: 1\r\n" for i in range(20_000)).join([HEAD, ""]),
            431,
            "headers_too_large",
        ),
        ("\r\n" * 100_000, 431, "headers_too_large"),
        (f"GET /{'a' * 90_000}", 431, "headers_too_large"),
        (HEAD + "Content-Length: 100001\r\n\r\n", 413, "body_too_large"),
        (
            HEAD + "Content-Length: 99999999999999999\r\n\r\n",
            413,
            "body_too_large",
        ),
        (HEAD + f"Content-Length: {'9' * 30}\r\n\r\n", 400, "invalid_request"),
        (
            HEAD
            + "Transfer-Encoding: chunked\r\n\r\n"
            + f"c350\r\n{'a' * 50_000}\r\n" * 3,
            413,
            "body_too_large",
        ),
    ],
)
def test_too_large(server: Served, sent: str, status: int, code: str) -> None:
    """A head, an address, or a body above the limit is refused immediately, without waiting for the
    rest.
    """
    told, error = refusal_of(server, sent)
    assert (told, error["code"]) == (status, code)
    assert server.logged(f" - refused: {code} {status} 0.000s\n")


def test_at_the_limit(server: Served) -> None:
    """A body of exactly the limit is accepted."""
    filled = json.dumps(params()).encode().ljust(100_000)
    assert (
        server.post(filled).json()["choices"][0]["message"]["content"]
        == "Paris."
    )
    assert server.post(filled + b" ").status_code == 413


def test_refused_before_the_go_ahead(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that asks for permission (100-continue) and then sends nonsense gets a 400, and
    nothing after it.
    """
    sent = (
        HEAD
        + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\nno chunk"
    )
    assert refusal_of(server, sent)[0] == 400
    assert server.logged() and not caplog.records, (
        "an exception in the application"
    )


@pytest.mark.parametrize("chunked", [False, True])
def test_a_hundred_megabytes(server: Served, chunked: bool) -> None:
    """A client that sends 100 MB before it reads still gets its 413, and the server stores none of
    the body.
    """
    more = (
        "Transfer-Encoding: chunked\r\n\r\n"
        if chunked
        else f"Content-Length: {100 * MB}\r\n\r\n"
    )
    piece = b"f4240\r\n" + b" " * MB + b"\r\n" if chunked else b" " * MB
    with server.connect() as connection:
        connection.sendall((HEAD + more).encode())
        # a slow machine may need longer than the server lingers
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(piece)
            assert error_of(read_all(connection))[0] == 413


def test_expect_continue(server: Served) -> None:
    """A client that asks before it sends gets 413 instead of 100 and sends nothing. If its body
    is small enough, it may continue.
    """
    asks = "Expect: 100-continue\r\nConnection: close\r\n"
    assert (
        refusal_of(server, f"{HEAD}{asks}Content-Length: {MB}\r\n\r\n")[0]
        == 413
    )
    with server.connect() as connection:
        head, _, body = request_bytes(params(), more=asks).partition(
            b"\r\n\r\n"
        )
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert b"Paris." in read_all(connection)


# Too slow, too many


@pytest.mark.parametrize("sent", [HEAD[:30], HEAD, GOOD[:-5]])
@pytest.mark.parametrize("drip", [False, True])
def test_too_slow_in_sending(
    impatient: Served, sent: str | bytes, drip: bool
) -> None:
    """A request must be complete in time, even if a byte arrives now and then (slowloris)."""
    raw = sent.encode() if isinstance(sent, str) else sent
    with impatient.connect() as connection:
        connection.sendall(raw[:-10])
        answer: list[bytes] = []
        reader = threading.Thread(
            target=lambda: answer.append(read_all(connection))
        )
        reader.start()
        for place in range(len(raw) - 10, len(raw)) if drip else ():
            time.sleep(0.1)
            with contextlib.suppress(ConnectionError):
                connection.sendall(raw[place : place + 1])
        reader.join(HANG)
    assert error_of(answer[0])[0] == 408


def test_too_slow_the_second_time(impatient: Served) -> None:
    """The second request on a connection does not get more time than the first."""
    with impatient.connect() as connection:
        connection.sendall(GOOD)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(GOOD[:-5])
        assert error_of(read_all(connection))[0] == 408


def test_a_connection_without_a_request(impatient: Served) -> None:
    """A connection on which nothing arrives is closed silently."""
    assert impatient.bytes(b"") == b""


def test_between_requests_a_client_may_rest(impatient: Served) -> None:
    """The time for sending starts with a request's first byte, so a connection may be idle between
    requests.
    """
    with impatient.connect() as connection:
        for _ in range(3):
            connection.sendall(GOOD)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            time.sleep(0.7)


def test_a_client_that_does_not_read(impatient: Served) -> None:
    """A client that does not read a large answer is disconnected, and the work for it ends."""
    learner = impatient.room.learners.of("Bearer idle")
    with impatient.connect() as connection:
        connection.sendall(request_bytes(params(stream=True), key="idle"))
        until(lambda: len(learner.ledger) == 1)  # type: ignore[union-attr]
        until(lambda: not impatient.holds(connection))
        assert learner.under_way == 0  # type: ignore[union-attr]
        # of 20: what the network had already accepted
        assert len(read_all(connection)) < 15 * MB


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        GOOD[:-20],
        GOOD[:30],
        GOOD,
    ],
)
def test_idle_connections_shut_nobody_out(server: Served, sent: bytes) -> None:
    """Connections that wait for a request, or for the rest of one, make way for new ones, the
    oldest first.
    """
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            idle = stack.enter_context(server.connect())
            with contextlib.suppress(ConnectionError):
                idle.sendall(sent)
        for _ in range(3):
            assert b"Paris." in server.bytes(
                request_bytes(params(), more="Connection: close\r\n")
            )
    until(
        lambda: (
            b"Paris."
            in server.bytes(
                request_bytes(params(), more="Connection: close\r\n")
            )
        )
    )


def test_too_many_connections_at_work(tmp_path: Path) -> None:
    """If an answer is in progress on every connection, an additional connection gets a 503. No
    answer is cut off for a new connection.
    """
    folder_with(tmp_path, (params(stream=True), streamed(["Par", "is."])))
    body = request_bytes(params(stream=True), key="many")
    with (
        served(
            tmp_path,
            limits=ConnectionLimits(connections=5, leaving=0.1),
            speed=0.001,
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        many = [stack.enter_context(server.connect()) for _ in range(5)]
        for each in many:
            each.sendall(body)
        learner = server.room.learners.of("Bearer many")
        until(lambda: learner.under_way == 5)  # type: ignore[union-attr]
        with server.connect() as one_more:
            refused = one_more.recv(65536)
        assert (
            refused.startswith(b"HTTP/1.1 503")
            and b"too_many_connections" in refused
        )


# No HTTP


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELO there\r\n\r\n",
        b"GET\r\n\r\n",
        b"\xff\xfe\xfd" * 50,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n",
        HEAD.encode()
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD.encode() + b"Content-Length: -5\r\n\r\n",
        HEAD.encode() + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET \xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_no_http(impatient: Served, sent: bytes) -> None:
    """Anything that is not a proper HTTP request gets a 400 in the API's format, and ends the
    connection.
    """
    assert error_of(impatient.bytes(sent))[0] in (400, 408)


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes(impatient: Served, sent: bytes) -> None:
    """Any bytes get a 4xx or are disconnected, and none harm the server."""
    answer = impatient.bytes(sent + b"\r\n\r\n")
    assert answer == b"" or error_of(answer)[0] in range(400, 500)


def test_upgrades_are_ignored(server: Served) -> None:
    """A client that asks for WebSocket or HTTP/2 gets its answer in HTTP/1.1."""
    for protocol in ("websocket", "h2c"):
        more = (
            f"Connection: Upgrade\r\nUpgrade: {protocol}\r\nSec-WebSocket-Key: "
            "x\r\nSec-WebSocket-Version: 13\r\n"
        )
        raw = f"GET /healthz HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()
        with server.connect() as connection:
            connection.sendall(raw)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


# One after the other on a connection


def test_requests_without_awaiting_the_answers(server: Served) -> None:
    """Pipelined requests are answered one after another, each completely."""
    answers = server.bytes(
        GOOD * 3 + request_bytes(params(), more="Connection: close\r\n")
    )
    assert (
        answers.count(b"HTTP/1.1 200 OK") == 4
        and answers.count(b'"Paris."') == 4
    )


def test_a_bad_request_behind_a_good_one(server: Served) -> None:
    """Garbage after a good request ends the connection, and the answer to the request is not
    replaced.
    """
    answer = server.bytes(GOOD + b"garbage\r\n\r\n")
    assert answer == b"" or answer.startswith(
        (b"HTTP/1.1 200 OK", b"HTTP/1.1 400")
    )
    assert answer.count(b"HTTP/1.1 ") <= 2


def test_a_body_nobody_asked_for(server: Served) -> None:
    """A path that does not exist is refused before its body arrives, and the connection stays
    usable.
    """
    body = b"x" * 90_000
    wrong = (
        f"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    answers = server.bytes(
        wrong + request_bytes(params(), more="Connection: close\r\n")
    )
    assert answers.startswith(b"HTTP/1.1 404") and b"Paris." in answers


def test_http_1_0(server: Served) -> None:
    """An HTTP/1.0 client gets its answer, and then the connection is closed."""
    assert server.bytes(GOOD.replace(b"HTTP/1.1", b"HTTP/1.0")).endswith(
        whole("Paris.").body
    )


def test_nothing_is_left(server: Served) -> None:
    """After all this, the server holds no connections or requests, and answers as before."""
    server.http.close()
    until(
        lambda: all(learner.under_way == 0 for learner in server.room.learners)
    )
    assert b"Paris." in server.bytes(
        request_bytes(params(), more="Connection: close\r\n")
    )


def test_usual_limits(tmp_path: Path) -> None:
    """By default, the server accepts heads of 32 KB and bodies of 8 MB."""
    with served(tmp_path) as running:
        assert running.post(b" " * 7_900_000).status_code == 400
        assert running.post(b" " * 8_100_000).status_code == 413
        assert running.post(b"{}", x="a" * 31_000).status_code == 400
        assert running.post(b"{}", x="a" * 33_000).status_code == 431
