"""The hostile API alone: which requests it serves, which models are shut down, which replies loop,
and how it works with the SDK's client.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import openai
import pytest

from coursekit.checks.capstone import attempt, messages
from coursekit.checks.capstone.hostile_api import HostileApi, script
from coursekit.checks.capstone.simulated import LONGEST, LOST, Support
from coursekit.checks.capstone.tickets import (
    answer_to,
    instructions,
    tickets_of,
)
from coursekit.offline.exchange import CHAT_COMPLETIONS, ApiRequest
from coursekit.offline.watched.ledger import LoggedAttempt
from coursekit.tokens import count_tokens

pytestmark = pytest.mark.slow

Body = dict[str, Any]


def said(support: Support, **body: Any) -> LoggedAttempt:
    """The simulated models' answer to a body, as an attempt in the ledger."""
    answer = support.answer(
        ApiRequest("POST", CHAT_COMPLETIONS, json.dumps(body).encode())
    )
    return LoggedAttempt(0.0, 0, str(body.get("model")), 0, answer, 0.0)


def choice(attempt: LoggedAttempt) -> tuple[str, str]:
    found = json.loads(attempt.answer.body)["choices"][0]
    return found["message"]["content"], found["finish_reason"]


@pytest.fixture
def support() -> Support:
    return Support(tickets_of(1), 1, lives=80)


def quiet(support: Support) -> list[Any]:
    """The tickets whose first reply does not loop."""
    return [
        ticket for ticket in tickets_of(1) if ticket.id not in support._looping
    ]


def test_a_ticket_gets_its_whole_answer(support: Support) -> None:
    """Each of the three models gives this seed's answer, labeled simulated, and only that counts
    the ticket as answered.
    """
    ticket = quiet(support)[0]
    cut = said(
        support,
        model="gpt-4o",
        messages=messages(ticket),
        max_completion_tokens=10,
    )
    assert choice(cut)[1] == "length"
    assert support.answered == set()
    for model in ("gpt-4o", "gpt-4o-mini"):
        whole = said(
            support,
            model=model,
            messages=messages(ticket),
            max_completion_tokens=300,
        )
        assert choice(whole) == (answer_to(ticket, 1), "stop")
        assert whole.answer.source == "simulated"
    assert support.answered == {ticket.id}


def test_a_model_that_reasons_uses_up_a_small_cap(support: Support) -> None:
    """gpt-6-luna without reasoning_effort thinks first, and says nothing within 300 tokens; with
    "none" it answers.
    """
    asked = {
        "model": "gpt-6-luna",
        "messages": messages(quiet(support)[0]),
        "max_completion_tokens": 300,
    }
    assert choice(said(support, **asked)) == ("", "length")
    assert choice(said(support, **asked, reasoning_effort="none"))[1] == "stop"


def test_the_first_model_with_enough_answers_dies_and_no_other(
    support: Support,
) -> None:
    """After 80 answers, one model returns 404, worded as after a shutdown; the others never
    stop.
    """
    support.lives = 3
    tickets = quiet(support)[:5]
    for ticket in tickets[:3]:
        assert (
            said(support, model="gpt-4o-mini", messages=messages(ticket)).status
            == 200
        )
    gone = said(
        support, model="gpt-4o-mini-2024-07-18", messages=messages(tickets[3])
    )
    assert (gone.status, gone.code) == (404, "model_not_found")
    assert b"has been deprecated" in gone.answer.body
    assert all(
        said(support, model="gpt-4o", messages=messages(ticket)).status == 200
        for ticket in tickets * 2
    )


@pytest.mark.parametrize("model", ["o3", "gpt-4.1", "gpt-99"])
def test_this_account_has_three_models(support: Support, model: str) -> None:
    """Any other model returns 404, as for an account without access."""
    refused = said(support, model=model, messages=messages(quiet(support)[0]))
    assert (refused.status, refused.code) == (404, "model_not_found")


def test_a_wrong_request_is_refused_as_everywhere(support: Support) -> None:
    """The real API's 400s are also returned."""
    assert (
        said(
            support,
            model="gpt-4o",
            messages=messages(quiet(support)[0]),
            temperature=3,
        ).status
        == 400
    )


@pytest.mark.parametrize(
    "told",
    [
        [
            {
                "role": "user",
                "content": "The export button does nothing when I click it.",
            }
        ],
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Is your team hiring?"},
        ],
        [
            {"role": "system", "content": instructions()},
            {"role": "user", "content": "Hello?"},
        ],
        [
            {"role": "system", "content": instructions()},
            {
                "role": "user",
                "content": "Is your team hiring?\nWhy was I charged twice in October?",
            },
        ],
    ],
    ids=["no instructions", "others", "no ticket", "two tickets"],
)
def test_other_prompts_get_no_answer(support: Support, told: list[Any]) -> None:
    """The simulated models know one prompt for each ticket, with the instructions, and cannot
    answer other prompts.
    """
    assert choice(said(support, model="gpt-4o", messages=told)) == (
        LOST,
        "stop",
    )
    assert support.answered == set()


def test_a_loop_runs_to_the_limit_once(support: Support) -> None:
    """For four tickets, the first reply repeats itself up to the cap, or to 16,384 tokens without
    one. A second request gets the answer.
    """
    looping = [
        ticket for ticket in tickets_of(1) if ticket.id in support._looping
    ]
    assert len(looping) == 4
    text, reason = choice(
        said(support, model="gpt-4o", messages=messages(looping[0]))
    )
    assert (count_tokens(text, "gpt-4o"), reason) == (LONGEST, "length")
    assert (
        choice(said(support, model="gpt-4o", messages=messages(looping[0])))[1]
        == "stop"
    )
    text, reason = choice(
        said(
            support,
            model="gpt-4o",
            messages=messages(looping[1]),
            max_completion_tokens=300,
        )
    )
    assert (count_tokens(text, "gpt-4o"), reason) == (300, "length")


@pytest.mark.parametrize("seed", range(1, 8))
def test_each_script_strikes_as_often(seed: int) -> None:
    """Whatever the seed, 24 requests fail, one of them without any answer, but the order
    differs.
    """
    faults = script(random.Random(seed))
    assert sum(int(fault.times or 0) for fault in faults) == 24
    assert [fault.kind for fault in faults].count("timeout") == 1
    assert faults == script(random.Random(seed))
    assert faults != script(random.Random(seed + 1))


def test_waiting_is_virtual_and_nothing_else_is_touched() -> None:
    """asyncio.sleep and the SDK's waits take no real time and are measured, Python's random numbers
    are unaffected, and live mode changes nothing.
    """
    slept = []

    async def sleeping(
        client: openai.AsyncOpenAI, tickets: Any, budget: Any
    ) -> Any:
        assert isinstance(client, openai.AsyncOpenAI)
        assert (client.max_retries, client.timeout.read) == (2, 600)  # type: ignore[union-attr]
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(100)
        slept.append(asyncio.get_running_loop().time() - began)
        return {}, 0

    random.seed(5)
    expected = [random.random(), random.random()]
    random.seed(5)
    drawn = [random.random()]
    score = attempt(sleeping)
    drawn.append(random.random())
    assert drawn == expected
    assert score.facts.seconds == pytest.approx(100)
    assert slept == pytest.approx([100])


def test_live_mode_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With COURSEKIT_MODE=live and a key, the client still has no key, and its transport is the
    simulated API.
    """
    monkeypatch.setenv("COURSEKIT_MODE", "live")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    keys = []

    async def asking(
        client: openai.AsyncOpenAI, tickets: Any, budget: Any
    ) -> Any:
        keys.append(client.api_key)
        reply = await client.chat.completions.create(
            model="gpt-4o-mini",
            messages=messages(tickets[0]),
            max_completion_tokens=300,  # type: ignore[arg-type]
        )
        return {tickets[0].id: reply.choices[0].message.content}, 0.0001

    assert attempt(asking).facts.answered == 1
    assert keys == ["the-capstone-needs-no-key"]


def test_the_limits_are_those_of_the_task() -> None:
    """The limits are 500 requests and 30,000 tokens per minute for each model, and $0.50 in
    total.
    """
    api = HostileApi(1)
    for model in ("gpt-4o", "gpt-4o-mini", "gpt-6-luna"):
        assert (
            api.account.limits(model).rpm,
            api.account.limits(model).tpm,
        ) == (
            500,
            30_000,
        )
    assert str(api.account.spend) == "0.50"
