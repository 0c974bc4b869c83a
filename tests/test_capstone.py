"""The complete capstone: what the chapter's solutions score, and that there is no shortcut."""

from __future__ import annotations

import asyncio
import contextlib
import time
from decimal import Decimal
from typing import Any

import openai
import pytest

from coursekit.checks.capstone import AXES, RunEnded, attempt, messages
from coursekit.checks.capstone.tickets import answer_to, category_of, tickets_of
from support.capstone_solutions import chapter, scored

pytestmark = pytest.mark.slow

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.slow
def test_naive_good_and_reference_are_worth_what_the_chapter_says(
    seed: int,
) -> None:
    """The naive solution scores below 20 points, the good one about 70, and the reference about 90
    but never 100.
    """
    assert scored("naive", seed).total < 20
    assert 65 < scored("good", seed).total < 75
    assert 85 < scored("reference", seed).total < 95


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reference_answers_every_ticket_within_the_budget(
    seed: int,
) -> None:
    """It delivers 200 complete answers for a few cents, and its report is right."""
    facts = scored("reference", seed).facts
    assert (facts.answered, facts.truncated) == (200, 0)
    assert facts.spent < Decimal("0.03")
    assert facts.report_holds


@pytest.mark.slow
def test_the_same_seed_gives_the_same_score_quickly() -> None:
    """A second run, including the SDK's retries, has the same score to the last digit and takes
    less than 10 seconds of this process's CPU time.
    """
    for name in ("naive", "reference"):
        began = time.thread_time() + time.process_time()
        again = attempt(chapter()[name], seed=1)
        assert time.thread_time() + time.process_time() - began < 10
        assert again == scored(name, 1)
    assert scored("good", 2) != scored("good", 1)


def test_the_account_runs_dry_or_the_model_dies() -> None:
    """With one of its seeds, the naive solution wastes most requests on an empty account, and with
    the others, some on a model that was shut down.
    """
    waste = [scored("naive", seed).facts.wasted for seed in SEEDS]
    assert [max(each, key=lambda reason: each[reason]) for each in waste][
        1
    ] == "to an account known to be empty"
    assert all(
        "to a model known to be gone" in waste[place] for place in (0, 2)
    )


def test_skipping_tickets_pays_nowhere() -> None:
    """An empty report is worth nothing, and one answer of 200 is worth half a point, because the
    share of answered tickets limits all axes.
    """

    async def idle(client: Any, tickets: Any, budget: Any) -> Any:
        return {}, 0

    async def only_one(client: Any, tickets: Any, budget: Any) -> Any:
        reply = await client.chat.completions.create(
            model="gpt-4o-mini",
            messages=messages(tickets[0]),
            max_completion_tokens=300,
        )
        return {tickets[0].id: reply.choices[0].message.content}, 0.0001

    assert attempt(idle).total == 0
    assert 0.4 < attempt(only_one).total <= 0.5


def test_answers_from_elsewhere_count_as_made_up() -> None:
    """Texts that this run's API never sent are not answers, even if every word is right. Each
    of them counts as an incomplete text delivered as an answer.
    """

    async def hard_coded(client: Any, tickets: Any, budget: Any) -> Any:
        return {ticket.id: answer_to(ticket, seed=1) for ticket in tickets}, 0

    score = attempt(hard_coded, seed=1)
    assert (score.total, score.facts.answered, score.facts.truncated) == (
        0,
        0,
        200,
    )


def test_answers_of_another_seed_are_of_no_use() -> None:
    """The case number differs by seed, so knowledge from one run does not help in another."""
    first, second = (
        tickets_of(1),
        {ticket.text: ticket for ticket in tickets_of(2)},
    )
    assert all(
        answer_to(ticket, 1) != answer_to(second[ticket.text], 2)
        for ticket in first
    )


def test_truncated_answers_passed_off_as_whole_cost_twice() -> None:
    """With a cap of 30 tokens, every reply is cut off. Delivering such replies costs points on two
    axes, and delivering None costs them on only one.
    """

    def capped(hand_over: bool) -> Any:
        async def solve(client: Any, tickets: Any, budget: Any) -> Any:
            request, answers = (
                {"model": "gpt-4o-mini", "max_completion_tokens": 300},
                {},
            )
            for number, ticket in enumerate(tickets[:60]):
                asked = request | (
                    {"max_completion_tokens": 30} if number < 5 else {}
                )
                try:
                    reply = await client.chat.completions.create(
                        **asked, messages=messages(ticket), timeout=30
                    )
                except (openai.OpenAIError, ValueError):
                    continue
                whole = reply.choices[0].finish_reason == "stop"
                answers[ticket.id] = (
                    reply.choices[0].message.content
                    if whole or hand_over
                    else None
                )
            return answers, 0.005

        return solve

    honest, silent = attempt(capped(False)), attempt(capped(True))
    assert honest.facts.answered == silent.facts.answered > 40
    assert honest.facts.truncated == 0
    assert silent.facts.truncated >= 4
    lost = {axis for axis in AXES if silent.points[axis] < honest.points[axis]}
    assert lost == {"silent truncation"}


def test_ignoring_the_budget_ends_at_the_wall() -> None:
    """With uncapped replies from the most expensive model, the account is empty before all tickets
    are answered, and the spend axis counts only what is left of the budget.
    """
    facts = scored("naive", 2).facts
    assert facts.spent >= facts.budget
    assert facts.answered < 100
    assert scored("naive", 2).points["spend"] == 0


@pytest.mark.slow
def test_a_report_that_does_not_hold_halves_the_spend() -> None:
    """A report with a cost that differs from the bill gets half of the points for spending,
    whatever was answered.
    """

    async def dreaming(client: Any, tickets: Any, budget: Any) -> Any:
        answers, _ = await chapter()["reference"](client, tickets, budget)
        return answers, 0

    assert attempt(dreaming).points["spend"] == pytest.approx(
        scored("reference", 1).points["spend"] / 2, rel=0.01
    )


@pytest.mark.slow
def test_cut_streams_are_seen() -> None:
    """For a solution that streams and uses whatever arrived as the answer, the score says how many
    texts are incomplete.
    """

    async def streaming(client: Any, tickets: Any, budget: Any) -> Any:
        answers: dict[str, str] = {}

        async def one(ticket: Any) -> None:
            stream = await client.with_options(
                timeout=30
            ).chat.completions.create(
                model="gpt-4o-mini",
                messages=messages(ticket),
                max_completion_tokens=300,
                stream=True,
            )
            answers[ticket.id] = "".join(
                [c.choices[0].delta.content or "" async for c in stream]
            )

        for ticket in tickets[:70]:
            await asyncio.gather(one(ticket), return_exceptions=True)
        return answers, 0.01

    assert attempt(streaming, seed=1).facts.truncated > 0


def test_what_solve_raises_comes_out_with_what_was_lost() -> None:
    """A run that crashes delivers nothing, and its own exception propagates, with a note about the
    money.
    """

    async def crashing(client: Any, tickets: Any, budget: Any) -> Any:
        await client.chat.completions.create(
            model="gpt-4o",
            messages=messages(tickets[0]),
            max_completion_tokens=300,
        )
        return {}["nothing"]

    with pytest.raises(KeyError, match="nothing") as raised:
        attempt(crashing)
    assert (
        "1 request sent, 1 complete answer received"
        in raised.value.__notes__[0]
    )


@pytest.mark.parametrize(
    ("handed_over", "kind", "says"),
    [
        ({"T-001": "x"}, TypeError, "return answers, cost"),
        (None, TypeError, "return answers, cost"),
        ((["x"], 0), TypeError, "return answers, cost"),
        (({}, "0.1"), TypeError, "amount in dollars"),
        (({}, -1), TypeError, "amount in dollars"),
        (({}, float("nan")), TypeError, "amount in dollars"),
        (({"T-1": "x"}, 0), ValueError, "not a ticket's id"),
        (({"T-001": 3}, 0), TypeError, "a str, or None"),
    ],
)
def test_what_cannot_be_scored_is_told(
    handed_over: Any, kind: type[Exception], says: str
) -> None:
    """Answers or a cost with another type are rejected with a message that says what is
    expected.
    """

    async def solve(client: Any, tickets: Any, budget: Any) -> Any:
        return handed_over

    with pytest.raises(kind, match=says):
        attempt(solve)


def test_a_plain_function_is_told_to_become_async() -> None:
    """A solve that is defined with def instead of async def is an error that says so."""
    with pytest.raises(TypeError, match="async def solve"):
        attempt(lambda client, tickets, budget: ({}, 0))


@pytest.mark.slow
def test_a_run_without_end_is_ended() -> None:
    """A loop that catches everything and sends requests forever is stopped after 2,000 requests,
    and one that waits is stopped after two hours of virtual time.
    """

    def for_ever(seconds: float) -> Any:
        async def solve(client: Any, tickets: Any, budget: Any) -> Any:
            while True:
                with contextlib.suppress(Exception):  # as learners write it
                    await client.chat.completions.create(
                        model="o3", messages=messages(tickets[0])
                    )
                await asyncio.sleep(seconds)

        return solve

    with pytest.raises(RunEnded, match="2,000 requests"):
        attempt(for_ever(0))
    with pytest.raises(RunEnded, match="2 hours of virtual time"):
        attempt(for_ever(4_000))


def test_a_deadlock_is_reported_at_once() -> None:
    """A run in which all tasks wait for each other ends immediately with advice, not after the
    minute that a loop is given.
    """

    async def solve(client: Any, tickets: Any, budget: Any) -> Any:
        await asyncio.Queue().get()

    started = time.monotonic()
    with pytest.raises(RunEnded, match="every task in it is waiting. So solve"):
        attempt(solve)
    assert time.monotonic() - started < 30


def test_the_time_is_measured_with_a_clock_of_its_own() -> None:
    """A different clock on the event loop changes the run, but not how long it takes."""

    async def solve(client: Any, tickets: Any, budget: Any) -> Any:
        await asyncio.sleep(100)
        asyncio.get_running_loop().time = lambda: 0.0
        return {}, 0

    assert attempt(solve).facts.seconds == pytest.approx(100)


def test_only_chat_completions_are_served() -> None:
    """The Batch API, which would be cheaper and take a night, is refused with 403."""

    async def batching(client: Any, tickets: Any, budget: Any) -> Any:
        await client.files.create(
            file=("requests.jsonl", b"{}"), purpose="batch"
        )

    with pytest.raises(
        openai.PermissionDeniedError, match="chat completions only"
    ):
        attempt(batching)


def test_every_ticket_has_one_category_and_a_place() -> None:
    """There are 200 different tickets, 40 in each category. A seed only changes their order, and
    their IDs reveal nothing.
    """
    first, second = tickets_of(1), tickets_of(2)
    assert len({ticket.text for ticket in first}) == 200
    assert {ticket.text for ticket in first} == {
        ticket.text for ticket in second
    }
    assert [ticket.text for ticket in first] != [
        ticket.text for ticket in second
    ]
    assert [ticket.id for ticket in first] == [
        f"T-{number:03}" for number in range(1, 201)
    ]
    categories = [category_of(ticket.text) for ticket in first]
    assert {
        name: categories.count(name) for name in set(categories)
    } == dict.fromkeys(("bug", "billing", "feature", "account", "other"), 40)
    assert all(
        answer_to(t, 1).startswith(f"Category: {category_of(t.text)}\n")
        for t in first
    )
