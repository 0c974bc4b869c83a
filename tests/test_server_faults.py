"""Faults through the server: its callers see what those of connect() see; a teacher puts them in
and lifts them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit.offline import Fault
from coursekit.offline.clock import VirtualClock
from support.fault_table import CALLS, ROWS, WORDS, Row, seen
from support.offline_api import folder_with, params, streamed, whole
from support.served import ADMIN, Served, error_of, served

NUMBERS = itertools.count(1)


class ServerDoor:
    """The server, as a door of the fault table: each client is a learner of its own, with faults
    from the admin.
    """

    def __init__(self, server: Served) -> None:
        self.server = server

    def client(
        self, asynchronous: bool, faults: list[Fault], **options: Any
    ) -> Any:
        name = f"n{next(NUMBERS)}"
        self.learner = self.server.room.learners.of(
            f"Bearer token-of-tests-{name}"
        )
        self.server.admin("DELETE", "/admin/faults")
        for fault in faults:
            order = {
                "kind": fault.kind,
                "times": None if fault.times == math.inf else fault.times,
            }
            order |= {
                key: value
                for key in ("seconds", "abrupt")
                if (value := getattr(fault, key))
            }
            assert (
                self.server.admin(
                    "POST", "/admin/faults", {"fault": order, "learner": name}
                ).status_code
                == 201
            )
        silent = any(fault.kind == "timeout" for fault in faults)
        make = self.server.async_client if asynchronous else self.server.client
        client = make(
            f"token-of-tests-{name}",
            **{"timeout": 0.3 if silent else 30.0, **options},
        )
        client._calculate_retry_timeout = lambda *args, **kwargs: 0.0  # type: ignore[method-assign]
        return client

    def attempts(self) -> int:
        return len(self.learner.ledger)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("recordings")
    folder_with(
        folder,
        (params(stream=False), whole("Paris.")),
        (params(stream=True), streamed(WORDS)),
    )
    with served(folder, access_token="token-of-tests") as running:
        running.room.gate.guesses.burst = 1000  # these tests guess a lot
        yield running


@pytest.fixture
def door(server: Served) -> ServerDoor:
    return ServerDoor(server)


every_cell = pytest.mark.parametrize("call", CALLS)
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@every_cell
@every_row
def test_what_the_caller_sees(door: ServerDoor, row: Row, call: str) -> None:
    """Each fault, by each way to call, through the server: the same cell of the same table as in
    process.
    """
    assert seen(door, call, row.faults()) == row.seen(call)


@every_cell
@every_row
def test_what_the_sdk_retries(door: ServerDoor, row: Row, call: str) -> None:
    """With the SDK's own two retries a fault that stays is seen all the same, after the table's
    number of attempts.
    """
    assert seen(door, call, row.faults(), max_retries=2) == row.seen(call)
    assert door.attempts() == row.tries(call)


def test_retry_after_is_told(server: Served) -> None:
    """An injected rate limit says how long to wait, in the headers that the SDK reads."""
    client = server.client("token-of-tests-waits")
    server.client("token-of-tests-waits").models.list()
    order = {
        "fault": {"kind": "rate_limit", "retry_after": 7},
        "learner": "waits",
    }
    server.admin("POST", "/admin/faults", order)
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(**params())
    assert (
        limited.value.response.headers["retry-after"] == "7"
        and limited.value.request_id is not None
    )


def ask(server: Served, name: str) -> int:
    """The status that a learner's request gets."""
    try:
        server.client(f"token-of-tests-{name}").chat.completions.create(
            **params(stream=False)
        )
    except openai.APIStatusError as error:
        return error.status_code
    return 200


def test_for_one_or_for_all(server: Served) -> None:
    """A fault strikes the learner it is meant for, or everybody, newcomers too, until it is
    lifted.
    """
    server.admin("DELETE", "/admin/faults")
    assert [ask(server, name) for name in ("ada", "bob")] == [200, 200]
    one = server.admin(
        "POST", "/admin/faults", {"fault": "server_error", "learner": "ada"}
    ).json()
    assert [ask(server, name) for name in ("ada", "bob")] == [500, 200]
    everybody = server.admin(
        "POST", "/admin/faults", {"fault": "overloaded"}
    ).json()
    assert [ask(server, name) for name in ("ada", "bob", "new")] == [
        500,
        503,
        503,
    ]
    assert [
        fault["number"]
        for fault in server.admin("GET", "/admin/faults").json()["faults"]
    ] == [
        one["number"],
        everybody["number"],
    ]
    assert (
        server.admin("DELETE", f"/admin/faults/{one['number']}").json()[
            "lifted"
        ][0]["learner"]
        == "ada"
    )
    assert [ask(server, name) for name in ("ada", "bob")] == [503, 503]
    server.admin("DELETE", "/admin/faults")
    assert [ask(server, name) for name in ("ada", "bob")] == [200, 200]


def test_each_learner_is_counted_alone(server: Served) -> None:
    """A fault for all with times=2 strikes two requests of each learner."""
    server.admin("DELETE", "/admin/faults")
    server.admin(
        "POST", "/admin/faults", {"fault": {"kind": "server_error", "times": 2}}
    )
    assert [ask(server, name) for name in ("c", "d", "c", "d", "c", "d")] == [
        500,
        500,
        500,
        500,
        200,
        200,
    ]
    server.admin("DELETE", "/admin/faults")


def test_for_a_time(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault ends by itself when its time is over; until then it shows how long it has left."""
    server.admin("DELETE", "/admin/faults")
    clock = VirtualClock()
    monkeypatch.setattr(server.room.injections, "clock", clock)
    monkeypatch.setattr(server.room, "clock", clock)
    put = server.admin(
        "POST", "/admin/faults", {"fault": "server_error", "seconds": 60}
    ).json()
    assert (
        put["fault"] == {"kind": "server_error", "times": None}
        and put["seconds_left"] == 60
    )
    assert ask(server, "ada") == 500
    clock.wait(61.0)
    assert ask(server, "ada") == 200
    assert server.admin("GET", "/admin/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"fault": "storm"}, "There is no fault 'storm'"),
        ({"seconds": 3}, "Send JSON like"),
        ([], "Send JSON like"),
        (
            {"fault": "slow", "learner": "nobody"},
            "There is no learner 'nobody'",
        ),
        ({"fault": "slow", "minutes": 3}, "not 'minutes'"),
        ({"fault": "slow", "seconds": 0}, "above 0"),
        ({"fault": "slow", "seconds": "60"}, "above 0"),
        ({"fault": 3}, "fault is a kind"),
        ({"fault": {"kind": "slow", "colour": 1}}, "colour"),
        ({"fault": {"times": 1}}, "kind"),
        ({"fault": {"kind": "slow", "seconds": -1}}, "seconds must be"),
        ({"fault": "slow", "seconds": 1e99}, "up to"),
        ({"fault": {"kind": []}}, "There is no fault"),
        ({"fault": "slow", "learner": ["x"]}, "There is no learner"),
    ],
)
def test_orders_that_make_no_sense(
    server: Served, order: Any, told: str
) -> None:
    """An order that cannot be carried out is a 400 that says why, and changes nothing."""
    server.admin("DELETE", "/admin/faults")
    answer = server.admin("POST", "/admin/faults", order)
    assert (
        answer.status_code == 400 and told in answer.json()["error"]["message"]
    )
    assert server.admin("GET", "/admin/faults").json() == {"faults": []}


def test_too_many_faults(server: Served) -> None:
    """A hundred faults at a time are enough; one more is refused."""
    server.admin("DELETE", "/admin/faults")
    for _ in range(100):
        server.room.injections.add(Fault("slow"), None, 60)
    assert (
        server.admin("POST", "/admin/faults", {"fault": "slow"}).status_code
        == 400
    )
    assert len(server.admin("DELETE", "/admin/faults").json()["lifted"]) == 100


@pytest.mark.parametrize(
    "path",
    [
        "/admin/faults",
        "/admin/learners",
        "/admin/learners/ada",
        "/admin/x",
        "/admin/",
    ],
)
@pytest.mark.parametrize(
    "token", [None, "wrong", "token-of-tests-ada", ADMIN[:-1], ADMIN + "x"]
)
def test_without_the_admin_token(
    server: Served, path: str, token: str | None
) -> None:
    """Without the admin token everything below /admin is the same 401; a learner's key does not
    open it.
    """
    ask(server, "ada")
    answers = [
        server.admin(method, path, {"fault": "slow"}, token=token)
        for method in ("GET", "POST", "DELETE", "PUT")
    ]
    assert {answer.status_code for answer in answers} == {401} and len(
        {answer.text for answer in answers}
    ) == 1
    assert server.room.injections.now() == ()


def test_a_token_in_odd_bytes(server: Served) -> None:
    """A token that is not text is a wrong token, for the admin and for learners."""
    for path in ("/admin/faults", "/v1/models"):
        raw = (
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ".encode()
            + b"\xe9\xff\r\n\r\n"
        )
        assert error_of(server.bytes(raw))[0] == 401


def test_no_admin_token_no_admin(tmp_path: Path) -> None:
    """A server without an admin token has no admin endpoints."""
    with served(tmp_path, admin_token=None) as running:
        assert (
            running.admin("GET", "/admin/faults", token="None").status_code
            == 404
        )
