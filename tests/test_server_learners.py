"""Learners on the server: each key has its own limits, order of answers, meter, and verdict."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import openai
import pytest

from coursekit.offline.clock import ScaledClock
from coursekit.offline.engine import OfflineApi, replaying
from coursekit.offline.recordings import Recordings
from coursekit.offline.server import learners, tally
from coursekit.offline.server.learners import Learners
from coursekit.pricing import price_of
from support.offline_api import (
    completion,
    error_answers,
    folder_with,
    params,
    request,
    streamed,
    whole,
)
from support.served import Served, served

TOKEN = "opens-the-room"


def text(
    server: Served, key: str, prompt: str = "What is the capital of France?"
) -> str | None:
    return (
        server.client(key)
        .chat.completions.create(**params(prompt))
        .choices[0]
        .message.content
    )


def test_limits_are_each_learners_own(tmp_path: Path) -> None:
    """One learner's requests do not use up another's limit."""
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, rate_limit={"rpm": 2}) as running:
        assert [text(running, key) for key in ("a", "b", "a", "b")] == [
            "Paris."
        ] * 4
        with pytest.raises(
            openai.RateLimitError, match="Limit 2, Used 2, Requested 1"
        ) as limited:
            text(running, "a")
        assert limited.value.response.headers["retry-after"] == "30"
        assert text(running, "c") == "Paris."


def test_answers_are_counted_for_each_learner(tmp_path: Path) -> None:
    """Every learner gets several answers to one request in order, starting with the first."""
    folder_with(tmp_path, *[(params(), whole(word)) for word in ("one", "two")])
    with served(tmp_path) as running:
        assert [text(running, key) for key in "aabab"] == [
            "one",
            "two",
            "one",
            "one",
            "two",
        ]


@pytest.mark.parametrize(
    "key",
    [
        "wrong",
        "opens-the-roo",
        "opens-the-room2",
        "opens-the-room-",
        "opens-the-room-a b",
    ],
)
def test_a_wrong_key(tmp_path: Path, key: str) -> None:
    """With an access token, a missing or wrong key gets the API's 401, and does not create a
    learner.
    """
    with served(tmp_path, access_token=TOKEN) as running:
        answers = [
            running.post(b"{}", authorization=f"Bearer {key}"),
            running.admin("GET", "/v1/models", token=key),
        ]
        for answer in answers:
            assert (
                answer.status_code == 401
                and answer.json()["error"]["type"] == "invalid_request_error"
            )
            assert re.fullmatch(
                "req_[0-9a-f]{32}", answer.headers["x-request-id"]
            )
        assert list(running.room.learners) == []


def test_the_right_key(tmp_path: Path) -> None:
    """The access token works alone or with a name, which becomes the learner's name. The token is
    never shown.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, access_token=TOKEN) as running:
        assert [
            text(running, key)
            for key in (TOKEN, f"{TOKEN}-ada", f"{TOKEN}-Bob.2")
        ] == ["Paris."] * 3
        told = running.admin("GET", "/admin/learners")
        assert [learner["name"] for learner in told.json()["learners"]] == [
            "everyone",
            "ada",
            "Bob.2",
        ]
        assert TOKEN not in told.text + running.logged("/admin/learners")


def test_a_key_is_needed_in_an_open_room(tmp_path: Path) -> None:
    """Even if any key is accepted, no key at all gets the API's 401. A name reveals nothing about
    the key.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path) as running:
        answer = running.post(b"{}", authorization="")
        assert (
            answer.status_code == 401
            and "You didn't provide an API key"
            in answer.json()["error"]["message"]
        )
        text(running, "sk-proj-secret")
        assert [learner.name for learner in running.room.learners] == [
            "learner-1"
        ]


def test_the_longest_away_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of learners is limited: a new one replaces the learner who has been away longest
    and has nothing in flight.
    """
    monkeypatch.setattr(learners, "MOST", 3)
    api = OfflineApi(replaying(Recordings([tmp_path])), ScaledClock())
    room = Learners(lambda name: api)
    first, second, third = (room.of(f"Bearer {key}") for key in "abc")
    assert (
        room.of("bearer  a") is first
        and len({id(first), id(second), id(third)}) == 3
    )
    second.under_way = 1  # type: ignore[union-attr]
    room.of("Bearer d")  # c is replaced: a was here again, and b is busy
    assert {learner.name for learner in room} == {
        "learner-1",
        "learner-2",
        "learner-4",
    }
    for number in range(1000):
        room.of(f"Bearer {number}")
    assert len(list(room)) == 3 and second in list(room)


def test_the_meter(tmp_path: Path) -> None:
    """A learner's meter shows requests, statuses, tokens, and what they would have cost, including
    streams without usage.
    """
    told, silent = streamed(["Par", "is."]), streamed(["Par", "is."], first=0.1)
    folder_with(
        tmp_path,
        (params(), whole("Paris.")),
        (params(stream=True), told),
        *error_answers(params("fail"), 1),
        (
            params("quiet", stream=True),
            type(silent)(
                **{**_fields(silent), "events": _without_usage(silent.events)}
            ),
        ),
    )
    with served(tmp_path) as running:
        client = running.client("k")
        for _ in range(3):
            text(running, "k")
        for prompt in ("What is the capital of France?", "quiet"):
            list(client.chat.completions.create(**params(prompt), stream=True))
        with pytest.raises(openai.InternalServerError):
            text(running, "k", "fail")
        learner = running.admin("GET", "/admin/learners").json()["learners"][0]
        again = running.admin("GET", "/admin/learners").json()["learners"][0]
    usage = completion()["usage"]
    each = price_of(usage, "gpt-4o", None).total
    assert learner == again
    assert (learner["requests"], learner["statuses"]) == (
        6,
        {"200": 5, "500": 1},
    )
    # "quiet" is one token, with seven around it
    assert learner["prompt_tokens"] == 4 * usage["prompt_tokens"] + 8
    assert learner["completion_tokens"] == 4 * usage["completion_tokens"] + 2
    assert (
        Decimal(learner["dollars"])
        == 4 * each
        + price_of({"prompt_tokens": 8, "completion_tokens": 2}, "gpt-4o").total
    )


def _fields(answer: object) -> dict[str, object]:
    return {name: getattr(answer, name) for name in answer.__dataclass_fields__}  # type: ignore[attr-defined]


def _without_usage(events: object) -> object:
    # type: ignore[attr-defined]
    return tuple(
        event for event in events if b'"prompt_tokens"' not in event.data
    )


def test_the_meter_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless number of different answers is counted, but not all of them are stored."""
    monkeypatch.setattr(tally, "DISTINCT", 10)
    meter = tally.Tally()
    for number in range(100):
        meter.add(request(), whole(str(number)))
    assert (
        meter.as_dict()["statuses"] == {"200": 100}
        and meter.as_dict()["prompt_tokens"] == 10 * 14
    )


def test_the_verdict(tmp_path: Path) -> None:
    """GET /admin/learners/{name} shows how well a learner's program behaved, or that there is no
    such learner.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path) as running:
        text(running, "k")
        for _ in range(2):
            with pytest.raises(openai.BadRequestError):
                running.client("k").chat.completions.create(
                    model="gpt-4o", messages=[]
                )
        verdict = running.admin("GET", "/admin/learners/learner-1").json()[
            "verdict"
        ]
        assert (
            verdict["attempts"],
            verdict["retried_400"],
            verdict["good"],
        ) == (
            3,
            1,
            False,
        )
        unknown = running.admin("GET", "/admin/learners/nobody")
        assert (
            unknown.status_code == 404
            and unknown.json()["error"]["code"] == "unknown_learner"
        )
