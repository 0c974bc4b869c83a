"""Choosing a model: what a task costs with each one, how long it takes, and what rules a model
out.
"""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import models
from coursekit.choosing import (
    CANDIDATES,
    NEEDS,
    PRICES_ON,
    Task,
    judge,
    latencies,
    seconds_of,
)
from coursekit.offline.rules.validation import refusal_of
from coursekit.pricing import price_of


def against(name: str, **task: object) -> tuple[str, ...]:
    return judge(Task(**task), [name])[0].against  # type: ignore[arg-type]


def test_a_request_costs_what_the_price_list_says() -> None:
    """The cost is what price_of gives for the prompt and the reply, including a reasoning model's
    hidden tokens.
    """
    task = Task(prompt=2000, reply=100, hidden=700)
    for judged in judge(task):
        written = 100 + (700 if judged.model.reasoning(judged.effort) else 0)
        usage = {"prompt_tokens": 2000, "completion_tokens": written}
        assert judged.cost == price_of(usage, judged.name, PRICES_ON).total


def test_reasoning_is_off_where_a_task_does_without_it() -> None:
    """A model that can do without reasoning is judged with effort none, unless the task needs
    reasoning.
    """
    efforts = {judged.name: judged.effort for judged in judge(Task())}
    assert (
        efforts["gpt-6-luna"],
        efforts["gpt-5.4"],
        efforts["o3"],
        efforts["gpt-6.1-sol"],
    ) == (
        "none",
        "none",
        None,
        None,
    )
    needed = {
        judged.name: judged.effort
        for judged in judge(Task(needs=frozenset({"reasoning"})))
    }
    assert (needed["gpt-6-luna"], needed["gpt-5.4"]) == (None, "medium")


def test_gpt_4o_mini_is_a_seventeenth_of_gpt_4o() -> None:
    """The ratio of their costs is 16.67, not 10, whatever the sizes."""
    for prompt, reply in ((10, 1000), (100_000, 1), (1000, 300)):
        cost = {
            judged.name: judged.cost
            for judged in judge(Task(prompt=prompt, reply=reply))
        }
        assert round(cost["gpt-4o"] / cost["gpt-4o-mini"], 2) == Decimal(
            "16.67"
        )


def test_who_remains_stands_first_and_the_cheapest_on_top() -> None:
    """Models that remain are listed before those that are ruled out, each group sorted by cost."""
    judged = judge(
        Task(needs=frozenset({"logprobs"}), max_cost=Decimal("0.005"))
    )
    order = [(not each.remains, each.cost) for each in judged]
    assert order == sorted(order)
    assert len({each.name for each in judged}) == len(CANDIDATES)
    assert judged[0].name == "gpt-6-luna"


def test_a_dead_model_is_out_from_its_day_on() -> None:
    """The task's date decides which models still answer."""
    assert against("o3", on=datetime.date(2026, 12, 10)) == ()
    assert against("o3", on=datetime.date(2026, 12, 11)) == (
        "shut down since 2026-12-11",
    )


def test_what_does_not_fit_is_out() -> None:
    """The prompt, the reply, and their sum are compared with the model's limits, each with a reason
    in words.
    """
    assert against("gpt-4o", prompt=128_001) == (
        "accepts at most 128,000 prompt tokens",
    )
    assert against("gpt-4o", prompt=127_900, reply=101) == (
        "holds 128,000 tokens in total",
    )
    assert against("gpt-4o", reply=16_385) == ("writes at most 16,384 tokens",)
    assert against("gpt-5", prompt=272_001) == (
        "accepts at most 272,000 prompt tokens",
    )
    assert against("o3", reply=300, hidden=99_701) == (
        "writes at most 100,000 tokens",
    )
    assert against("gpt-4o", prompt=127_700, reply=300) == ()


def test_a_limit_on_time_puts_out_only_whom_the_clock_has_seen() -> None:
    """A model that was measured and is too slow is ruled out. A model without measurements
    stays, without a time.
    """
    assert against("o4-mini", max_seconds=5, on=datetime.date(2026, 10, 1)) == (
        "takes 8.2 s",
    )
    [luna] = judge(Task(max_seconds=0.1), ["gpt-6-luna"])
    assert luna.remains and luna.seconds is None
    assert against("gpt-4o-mini", max_cost=Decimal("0.0003")) == (
        "$0.00033 per request",
    )


def test_every_need_is_judged_as_the_api_would() -> None:
    """A model lacks the features that it would refuse, and has those that it would accept, at
    the effort by which it is judged.
    """
    function = {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {}},
        },
    }
    asked = {
        "schema": {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "s", "schema": {}},
            }
        },
        "functions": {"tools": [function]},
        "temperature": {"temperature": 0.2},
        "logprobs": {"logprobs": True},
        "stop": {"stop": "x"},
    }
    assert asked.keys() == NEEDS.keys() - {"reasoning"}
    for need, params in asked.items():
        for needs in ({need}, {need, "reasoning"}):
            for judged in judge(
                Task(needs=frozenset(needs), on=datetime.date(2026, 10, 1))
            ):
                effort = (
                    {"reasoning_effort": judged.effort} if judged.effort else {}
                )
                body = {
                    "model": judged.name,
                    "messages": [{"role": "user", "content": "Hi"}],
                    **effort,
                    **params,
                }
                lacks = any(NEEDS[need] in why for why in judged.against)
                assert lacks == (refusal_of(body) is not None), (
                    judged.name,
                    body,
                )


@given(
    prompt=st.integers(1, 300_000),
    reply=st.integers(1, 9_000),
    needs=st.sets(st.sampled_from(sorted(NEEDS))),
    more=st.sampled_from(sorted(NEEDS)),
)
def test_asking_for_more_never_brings_a_model_back(
    prompt: int, reply: int, needs: set[str], more: str
) -> None:
    """With another requirement, a cost limit, or a later date, a model that was ruled out never
    comes back.
    """

    def left(**task: object) -> set[str]:
        judged = judge(Task(prompt=prompt, reply=reply, hidden=0, **task))  # type: ignore[arg-type]
        return {each.name for each in judged if each.remains}

    before = left(needs=frozenset(needs))
    assert left(needs=frozenset({*needs, more})) <= before
    assert left(needs=frozenset(needs), max_cost=Decimal("0.01")) <= before
    assert left(needs=frozenset(needs), on=datetime.date(2027, 2, 1)) <= before


def test_a_need_that_nobody_knows_is_named() -> None:
    """A misspelled requirement is refused with a list of the valid ones."""
    with pytest.raises(
        ValueError,
        match="A task cannot need speed. Choose from: schema, functions,",
    ):
        Task(needs=frozenset({"speed"}))


def test_measured_times_are_documented() -> None:
    """Each fit is based on a dozen or more exchanges, on several days and with several lengths, and
    states its error.
    """
    assert len(latencies()) == 10
    for latency in latencies().values():
        assert latency.exchanges >= 12 and 0 < latency.off < 1
        assert (
            latency.between[0] < latency.between[1]
            and 1 <= latency.tokens[0] < latency.tokens[1]
        )


def test_a_reply_takes_a_first_wait_and_a_time_for_each_token() -> None:
    """seconds_of() follows the line of the model's fit. For a model that was not measured, it is
    None, even if related models were.
    """
    assert seconds_of("gpt-4o", 100) == pytest.approx(0.25 + 1.79)
    assert seconds_of("gpt-6-luna", 100) is None
    assert seconds_of("gpt-4o-2024-05-13", 100) is None
    with pytest.raises(models.UnknownModel):
        seconds_of("gpt-40", 100)


def test_a_cost_or_a_time_of_just_the_limit_remains() -> None:
    """Limits are inclusive: only what is above a limit is ruled out."""
    [mini] = judge(Task(), ["gpt-4o-mini"])
    assert mini.seconds is not None
    least = Decimal("0.000000000001")
    assert against("gpt-4o-mini", max_cost=mini.cost) == ()
    assert against("gpt-4o-mini", max_cost=mini.cost - least) == (
        "$0.00033 per request",
    )
    assert against("gpt-4o-mini", max_seconds=mini.seconds) == ()
    assert against("gpt-4o-mini", max_seconds=mini.seconds - 1e-9) == (
        "takes 4.0 s",
    )


def test_the_candidates_are_the_tables() -> None:
    """The chooser compares the models that the table marks for it, which all have a price and a
    context window.
    """
    assert {"gpt-4o", "o3", "gpt-6.1-sol", "gpt-6.1-terra"} <= set(CANDIDATES)
    for name in CANDIDATES:
        assert models.get(name).context and "chooser" in models.get(name).labs
        assert (
            price_of(
                {"prompt_tokens": 1, "completion_tokens": 1}, name, PRICES_ON
            ).total
            > 0
        )


def test_what_a_model_lacks_only_while_it_reasons_is_said_so() -> None:
    """The reason says "while it reasons" only if the effort none would make the feature
    available.
    """
    sampling = frozenset({"temperature", "reasoning"})
    assert against("gpt-6-luna", needs=sampling) == (
        "no temperature while it reasons",
    )
    assert against("o3", needs=sampling) == ("no temperature",)
    assert against(
        "gpt-6.1-terra", needs=frozenset({"functions", "reasoning"})
    ) == ("no function calls",)
    assert against(
        "gpt-6-luna", needs=frozenset({"functions", "reasoning"})
    ) == ("no function calls while it reasons",)


def test_schemas_and_reasoning_are_needs_that_a_model_can_lack() -> None:
    """gpt-4 does not support schemas, and gpt-4o does not reason."""
    day = datetime.date(2026, 10, 1)
    assert against(
        "gpt-4", needs=frozenset({"schema"}), prompt=100, on=day
    ) == ("no JSON schema",)
    assert against("gpt-4o", needs=frozenset({"reasoning"})) == (
        "no reasoning",
    )
