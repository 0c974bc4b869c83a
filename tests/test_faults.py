"""Faults: each reaches the SDK as a real failure would, in the order of the script, and the same
way every time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import IncompleteStream, connect, stream_text
from coursekit.offline import Fault
from coursekit.offline.exchange import ApiAnswer, error_answer
from coursekit.offline.faults import INSTEAD, KINDS, Faults
from coursekit.offline.faults.within import cut
from coursekit.settings import ModeError
from coursekit.wired import wired_to
from support.fault_table import CALLS, ROWS, WORDS, InProcess, Row, seen
from support.offline_api import (
    Says,
    folder_with,
    params,
    request,
    streamed,
    whole,
)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    return InProcess(tmp_path_factory.mktemp("recordings"))


def layer(
    *faults: Fault, seed: int = 0, answer: ApiAnswer | None = None
) -> Faults:
    return Faults(Says(answer or whole("Paris.")), faults, random.Random(seed))


def statuses(api: Faults, requests: int) -> list[int]:
    return [api.answer(request()).status for _ in range(requests)]


every_cell = pytest.mark.parametrize("call", CALLS)
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@every_cell
@every_row
def test_what_the_caller_sees(door: InProcess, row: Row, call: str) -> None:
    """Without retries, each fault gives the table's text, finish_reason, and error, for each way to
    call the API.
    """
    assert seen(door, call, row.faults()) == row.seen(call)


@every_cell
@every_row
def test_what_the_sdk_retries(door: InProcess, row: Row, call: str) -> None:
    """With the SDK's two retries, a fault that does not go away is still visible after the table's
    number of attempts.
    """
    assert seen(door, call, row.faults(), max_retries=2) == row.seen(call)
    assert door.attempts() == row.tries(call)


@every_cell
@every_row
def test_what_a_retry_mends(door: InProcess, row: Row, call: str) -> None:
    """A fault that happens once and is retried by the SDK is not visible at all."""
    good = ROWS[0].seen(call)
    mended = row.tries(call) > 1
    assert seen(door, call, row.faults(times=1), max_retries=2) == (
        good if mended else row.seen(call)
    )
    assert door.attempts() == (2 if mended else 1)


def test_the_table_has_every_kind() -> None:
    """No kind of fault is missing from the table."""
    missing = set(KINDS) - {row.fault["kind"] for row in ROWS}
    assert not missing, f"add to ROWS in support/fault_table.py: {missing}"


def test_nothing_sleeps_at_instant_speed(
    door: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At speed "instant", timeouts, Retry-After, and the SDK's backoff take no time, but the clock
    advances.
    """
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    faults = [
        Fault("timeout"),
        Fault("rate_limit", retry_after=60),
        Fault("overloaded"),
    ]
    client = door.client(False, faults, max_retries=3)
    assert (
        client.chat.completions.create(**params(), stream=False)
        .choices[0]
        .message.content
        == "Paris."
    )
    assert sum(slept) == 0
    assert 30 + 60 + 0.375 < wired_to(client).clock.now() < 30 + 60 + 5


def test_a_script_in_its_order() -> None:
    """Faults happen one after another, each ``times`` times after ``after`` requests have passed.
    Then all is well.
    """
    api = layer(
        Fault("rate_limit", times=2),
        Fault("server_error", after=1),
        Fault("connection"),
    )
    assert statuses(api, 7) == [429, 429, 200, 500, 0, 200, 200]


def test_a_fault_is_a_value(door: InProcess) -> None:
    """A fault cannot be changed and is not used up: a new client with the same list has the same
    faults.
    """
    faults = [Fault("server_error")]
    first, again = (seen(door, "sync", faults) for _ in range(2))
    assert first == again == "InternalServerError 500 server_error"
    with pytest.raises(dataclasses.FrozenInstanceError):
        faults[0].times = 5  # type: ignore[misc]


def test_a_single_fault_needs_no_list(tmp_path: Path) -> None:
    """``faults=`` accepts a single Fault or a list. For anything else, the error says what it
    needs.
    """
    client = connect(
        "replay",
        recordings=tmp_path,
        faults=Fault("connection"),
        max_retries=0,
        speed="instant",
    )
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**params())
    for wrong in ("rate_limit", ["rate_limit"], [Fault]):
        with pytest.raises(ValueError, match="which is not a Fault") as error:
            connect("replay", recordings=tmp_path, faults=wrong)  # type: ignore[arg-type]
        assert 'Fault("rate_limit", times=2)' in str(error.value)


def test_chance_is_seeded() -> None:
    """A fault with a probability affects about that share of the requests, and the same ones for
    the same seed.
    """
    fault = Fault("overloaded", probability=0.3)
    first = statuses(layer(fault, seed=1), 1000)
    assert (
        first
        == statuses(layer(fault, seed=1), 1000)
        != statuses(layer(fault, seed=2), 1000)
    )
    assert 250 < first.count(503) < 350
    assert (
        statuses(
            layer(Fault("overloaded", probability=0.5, times=2)), 100
        ).count(503)
        == 2
    )
    assert statuses(layer(Fault("overloaded", probability=1, after=2)), 4) == [
        200,
        200,
        503,
        503,
    ]
    assert (
        statuses(layer(Fault("overloaded", probability=0)), 100).count(503) == 0
    )


def test_script_and_chance_together() -> None:
    """The script takes precedence. If it lets a request pass, a fault with a probability may affect
    it.
    """
    api = layer(
        Fault("connection", after=1), Fault("overloaded", probability=1)
    )
    assert statuses(api, 4) == [503, 0, 503, 503]


def test_faults_can_come_and_go() -> None:
    """Faults can be added and removed while the API runs, which is how a server causes problems for
    a while.
    """
    api = layer()
    assert statuses(api, 1) == [200]
    api.add(Fault("overloaded", times=math.inf))
    assert statuses(api, 3) == [503] * 3
    api.clear()
    assert statuses(api, 1) == [200]


@pytest.mark.parametrize(
    "kind", [kind for kind in INSTEAD if kind not in ("timeout", "connection")]
)
def test_an_error_has_a_request_id_of_its_own(
    door: InProcess, kind: str
) -> None:
    """Each error has its own x-request-id, and a new client gets the same ones. 500 and 503 repeat
    it in their messages, for an email to the help center.
    """

    def ids() -> list[str]:
        client, found = door.client(False, [Fault(kind, times=2)]), []
        for _ in range(2):
            with pytest.raises(openai.APIStatusError) as error:
                client.chat.completions.create(**params(), stream=False)
            found.append(str(error.value.request_id))
            if kind in ("server_error", "overloaded"):
                assert (
                    f"request ID {error.value.request_id} in your"
                    in error.value.message
                )
        return found

    first, second = ids()
    assert (
        first.startswith("req_")
        and len(first) == 4 + 32
        and first != second
        and ids() == [first, second]
    )


@pytest.mark.parametrize(
    ("wait", "told", "seconds", "milliseconds"),
    [
        (
            None,
            "tokens per min (TPM): Limit 30000, Used 30000, Requested 500. Please try again in 1s.",
            "1",
            "1000",
        ),
        (
            0.644,
            (
                "tokens per min (TPM): Limit 30000, Used 30000, Requested 322. Please try again in "
                "644ms."
            ),
            "1",
            "644",
        ),
        (
            60,
            (
                "tokens per min (TPM): Limit 30000, Used 30000, Requested 30000. Please try "
                "again in "
                "1m0s."
            ),
            "60",
            "60000",
        ),
        (
            432,
            (
                "tokens per day (TPD): Limit 43200000, Used 43200000, Requested 216000. Please try "
                "again in 7m12s."
            ),
            "432",
            "432000",
        ),
    ],
)
def test_a_rate_limit_adds_up(
    wait: float | None, told: str, seconds: str, milliseconds: str
) -> None:
    """The numbers in a rate_limit fault result in the wait that its message and its two headers
    name.
    """
    answer = layer(Fault("rate_limit", retry_after=wait)).answer(request())
    assert told in json.loads(answer.body)["error"]["message"]
    assert (
        answer.headers["retry-after"],
        answer.headers["retry-after-ms"],
    ) == (
        seconds,
        milliseconds,
    )
    assert answer.headers["x-ratelimit-remaining-tokens"] == "0"


def test_retry_after_of_an_overloaded_api(door: InProcess) -> None:
    """server_error and overloaded have a Retry-After only if one was given, and the SDK obeys
    it.
    """
    client = door.client(
        False, [Fault("overloaded", retry_after=7)], max_retries=1
    )
    client.chat.completions.create(**params(), stream=False)
    assert wired_to(client).clock.now() == pytest.approx(7)
    assert (
        "retry-after"
        not in layer(Fault("server_error")).answer(request()).headers
    )


def test_a_timeout_is_the_callers(door: InProcess) -> None:
    """A timeout fault lasts as long as the caller's own timeout, for each attempt."""
    client = door.client(False, [Fault("timeout")], timeout=2.5)
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**params(), stream=False)
    assert wired_to(client).clock.now() == pytest.approx(2.5)


def test_a_drip_outlasts_every_read_timeout(door: InProcess) -> None:
    """A slow answer takes far longer than the timeout, which limits each read, not the call."""
    for stream, seconds in ((False, 10 * 4), (True, 7 * 4)):
        client = door.client(
            False, [Fault("slow", after=0, seconds=4)], timeout=5
        )
        reply = client.chat.completions.create(**params(), stream=stream)
        assert (
            len(list(reply)) == 7
            if stream
            else reply.choices[0].message.content == "Paris."
        )
        assert seconds <= wired_to(client).clock.now() < seconds + 1
    client = door.client(False, [Fault("slow", seconds=6)], timeout=5)
    with pytest.raises(openai.APITimeoutError):
        list(client.chat.completions.create(**params(), stream=True))


@given(
    words=st.lists(st.text(min_size=1), max_size=12),
    after=st.none() | st.integers(0, 15),
)
def test_a_cut_leaves_a_beginning(words: list[str], after: int | None) -> None:
    """After a cut, exactly ``after`` chunks with content have arrived (None: half of them), in
    order and without an end.
    """
    answer = cut(streamed(words), after, abrupt=False)
    chunks = [
        json.loads(event.data.removeprefix(b"data: "))
        for event in answer.events or ()
    ]
    texts = [
        text
        for chunk in chunks
        if (text := chunk["choices"][0]["delta"].get("content"))
    ]
    assert texts == words[: len(words) // 2 if after is None else after]
    assert not any(chunk["choices"][0]["finish_reason"] for chunk in chunks)


@pytest.mark.parametrize(
    ("after", "text"),
    [(0, ""), (1, "Paris"), (3, "Paris is the"), (99, "Paris is the capital.")],
)
def test_after_counts_chunks_with_content(
    door: InProcess, after: int, text: str
) -> None:
    """For a fault within an answer, ``after`` is the number of text chunks that arrive first, not
    counting the empty role chunk. If there are fewer, all of them arrive, but the end does not.
    """
    assert (
        seen(door, "stream", [Fault("cut_stream", after=after)])
        == f"{text}|None"
    )


def test_tool_calls_are_content() -> None:
    """A stream of tool calls is cut between pieces of the arguments."""
    calls = [
        {"index": 0, "function": {"arguments": piece}}
        for piece in ("{", '"a"', ": 1", "}")
    ]
    stream = streamed(["x"] * 4)
    events = list(stream.events or ())
    for i, call in enumerate(calls):
        chunk = json.loads(events[i + 1].data[6:])
        chunk["choices"][0]["delta"] = {"tool_calls": [call]}
        events[i + 1] = dataclasses.replace(
            events[i + 1], data=b"data: " + json.dumps(chunk).encode() + b"\n\n"
        )
    assert (
        len(
            cut(
                dataclasses.replace(stream, events=tuple(events)),
                3,
                abrupt=False,
            ).events
            or ()
        )
        == 1 + 3
    )


@pytest.mark.parametrize(
    ("fault", "ending", "error"),
    [
        (Fault("cut_stream"), "cut", IncompleteStream),
        (
            Fault("cut_stream", abrupt=True),
            "interrupted",
            openai.APIConnectionError,
        ),
        (Fault("malformed"), "error", json.JSONDecodeError),
        (Fault("stream_error"), "error", openai.APIError),
    ],
)
def test_stream_text_names_each_ending(
    tmp_path: Path, fault: Fault, ending: str, error: type[Exception]
) -> None:
    """stream_text keeps what had arrived of a failed stream, and says how it ended."""
    body = params(stream=True, stream_options={"include_usage": True})
    folder = folder_with(tmp_path, (body, streamed(WORDS)))
    stream = stream_text(
        connect("replay", recordings=folder, faults=[fault], speed="instant"),
        **params(),
    )
    with pytest.raises(error):
        list(stream)
    assert (stream.text, stream.ended, stream.finish_reason) == (
        "Paris is",
        ending,
        None,
    )


def test_an_error_event_is_the_genuine_one(door: InProcess) -> None:
    """stream_error sends the event that was seen in genuine streams: type server_error, no code,
    and then [DONE].
    """
    with pytest.raises(openai.APIError) as error:
        list(
            door.client(False, [Fault("stream_error")]).chat.completions.create(
                **params(), stream=True
            )
        )
    told = "The server had an error while processing your request. Sorry about that!"
    assert error.value.body == {
        "message": told,
        "type": "server_error",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize(
    "kind", ["cut_stream", "malformed", "stream_error", "slow"]
)
def test_an_answer_that_is_an_error_stays_as_it_is(kind: str) -> None:
    """A fault within an answer does not change one of the API's errors, but is used up by it."""
    refusal = error_answer(400, "Bad.")
    assert layer(Fault(kind), answer=refusal).answer(request()) is refusal


def test_faults_and_limits_together(tmp_path: Path) -> None:
    """A request that a fault answers does not use up the account. A stream that is cut uses as much
    as a complete one.
    """
    folder = folder_with(
        tmp_path,
        (params(stream=False), whole("Paris.")),
        (params(stream=True), streamed(WORDS)),
    )
    faults = [Fault("overloaded", times=5), Fault("cut_stream")]
    client = connect(
        "replay",
        recordings=folder,
        faults=faults,
        rate_limit={"rpm": 2},
        speed="instant",
        max_retries=5,
    )
    assert (
        list(client.chat.completions.create(**params(), stream=True))[-1]
        .choices[0]
        .finish_reason
        is None
    )
    reply = client.chat.completions.with_raw_response.create(
        **params(), stream=False
    )
    assert reply.headers["x-ratelimit-remaining-requests"] == "0"
    # type: ignore[attr-defined]
    assert [attempt.status for attempt in wired_to(client).ledger] == [
        503
    ] * 5 + [
        200,
        200,
    ]


def test_a_broken_stream_among_many(door: InProcess) -> None:
    """Exactly one of twenty concurrent streams is cut, and the others arrive in full."""

    async def main() -> list[str]:
        client = door.client(True, [Fault("cut_stream")])

        async def one() -> str:
            stream = await client.chat.completions.create(
                **params(), stream=True
            )
            return "".join(
                [
                    chunk.choices[0].delta.content or ""
                    async for chunk in stream
                    if chunk.choices
                ]
            )

        return await asyncio.gather(*[one() for _ in range(20)])

    texts = asyncio.run(main())
    assert (
        texts.count("Paris is the capital.") == 19
        and texts.count("Paris is") == 1
    )


def test_an_unknown_kind_is_named_with_the_known_ones() -> None:
    """For a misspelled kind, the error has the nearest one and the list."""
    with pytest.raises(ValueError, match="There is no fault") as error:
        Fault("ratelimit")
    assert str(error.value) == (
        "There is no fault 'ratelimit'. Did you mean \"rate_limit\"? The kinds: "
        f"{', '.join(KINDS)}."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"times": 0},
            'Fault("slow", times=0): times must be a whole number of at least 1, or math.inf.',
        ),
        ({"times": 1.5}, "times must be"),
        ({"times": True}, "times must be"),
        (
            {"after": -1},
            'Fault("slow", after=-1): after must be a whole number of at least 0.',
        ),
        ({"probability": 1.1}, "probability must be a number from 0 to 1."),
        ({"seconds": -1}, "seconds must be"),
        ({"seconds": math.nan}, "seconds must be"),
        (
            {"retry_after": 3},
            "retry_after must be left out: it is only for rate_limit, server_error, overloaded.",
        ),
        (
            {"abrupt": True},
            "abrupt must be left out: it is only for cut_stream.",
        ),
        (
            {"kind": "quota", "seconds": 0},
            "seconds must be left out: it is only for slow.",
        ),
        (
            {"kind": "rate_limit", "retry_after": 0},
            "retry_after must be a number of seconds from 0.001 to 86400.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: dict[str, Any], message: str
) -> None:
    """An argument that is out of range, or that the kind does not accept, is refused when the fault
    is created.
    """
    with pytest.raises(ValueError, match="must be") as error:
        Fault(**{"kind": "slow", **arguments})
    assert message in str(error.value)


@pytest.mark.parametrize("mode", ["live", "record"])
@pytest.mark.parametrize(
    "option", [{"faults": [Fault("quota")]}, {"rate_limit": {"rpm": 3}}]
)
def test_the_real_api_has_faults_of_its_own(
    mode: str, option: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In live and record mode, faults and limits are refused before anything is sent."""
    monkeypatch.delenv("COURSEKIT_REPLIES", raising=False)
    with pytest.raises(
        ModeError,
        match=f'{next(iter(option))}= is for the offline API, but mode="{mode}" calls the real',
    ):
        connect(mode, api_key="sk-test", **option)


def test_a_fault_can_last_for_a_time() -> None:
    """From its first use on, the fault affects every request. A request before Retry-After has
    passed restarts the time, and Retry-After is the remaining time.
    """
    now = [100.0]
    api = Faults(
        Says(whole("Paris.")),
        [Fault("rate_limit", lasts=20), Fault("server_error")],
        random.Random(0),
        lambda: now[0],
    )

    def asked_at(seconds: float) -> tuple[int, str | None]:
        now[0] = 100 + seconds
        answer = api.answer(request())
        return answer.status, answer.headers.get("retry-after")

    assert asked_at(0) == (429, "20")
    assert asked_at(1) == (429, "20")  # early, so the time restarts
    # patient, so it is over, and the next fault in the script happens
    assert asked_at(21) == (
        500,
        None,
    )
    assert asked_at(22) == (200, None)


@pytest.mark.parametrize("kind", ["server_error", "connection", "cut_stream"])
def test_a_fault_without_retry_after_passes_by_itself(kind: str) -> None:
    """If no client was asked to wait, no request is early, so the time runs from the first
    fault.
    """
    now = [0.0]
    good = streamed(["Par", "is."])
    api = Faults(
        Says(good), [Fault(kind, lasts=3)], random.Random(0), lambda: now[0]
    )
    struck = []
    for second in range(5):
        now[0] = second
        struck.append(api.answer(request()) != good)
    assert struck == [True, True, True, False, False]


@pytest.mark.parametrize(
    "options",
    [{"lasts": 0}, {"lasts": 5, "times": 2}, {"lasts": 5, "probability": 0.5}],
)
def test_a_duration_that_makes_no_sense_is_refused(
    options: dict[str, Any],
) -> None:
    """Zero seconds, an additional number of times, and a probability are refused."""
    with pytest.raises(ValueError, match="lasts must be"):
        Fault("rate_limit", **options)
