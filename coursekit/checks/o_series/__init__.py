"""Checks of chapter 07: hidden tokens found in a reply, a bill and a budget, and a request moved to
another model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from ...offline.exchange import error_answer
from ..engine import Case, Chapter, Once, call
from ..engine.answers import reply, usage
from .cases import mixed, moved, with_budgets

chapter = Chapter(__file__)


@chapter.exercise
def exhausted(rng: Random) -> Iterator[Case]:
    """Whether thinking used up a whole budget."""

    def case(choices: Sequence[Sequence[str]], why: str = "") -> Case:
        expected = any(
            reason == "length" and not any(content)
            for reason, *content in choices
        )
        return call(mixed(choices), expects=expected, why=why)

    yield from chapter.each("exhausted", case)
    yield call(
        reply(None, refusal="I can't."),
        expects=False,
        why="The model refused, which has nothing to do with room.",
    )


@chapter.exercise
def reasoning_share(rng: Random) -> Iterator[Case]:
    """The part of all output that is hidden."""

    def case(usages: Sequence[Sequence[int]], why: str = "") -> Case:
        output, hidden = (
            sum(each[place] for each in usages if len(each) > place)
            for place in (0, 1)
        )
        replies = []
        for each in usages:
            bill = (
                usage(
                    40, each[0], reasoning=sum(each[1:]), details=len(each) == 2
                )
                if each
                else None
            )
            replies.append(reply("8", usage=bill))
        return call(
            Once(replies), expects=hidden / output if output else 0.0, why=why
        )

    yield from chapter.each("reasoning_share", case)
    empty: Any = reply("8", usage=usage(40, 100))
    empty.usage.completion_tokens_details.reasoning_tokens = None
    yield call(Once([empty]), expects=0.0, why="The count itself may be None.")


@chapter.exercise
def cheapest_correct(rng: Random) -> Iterator[Case]:
    """The way whose correct answers cost least."""

    def case(ways: dict[str, Any], why: str = "") -> Case:
        costs = {}
        for name, answers in ways.items():
            correct = sum(said == truth for said, truth, _ in answers)
            if correct:
                costs[name] = (
                    sum(dollars for _, _, dollars in answers) / correct
                )
        expected = min(costs, key=lambda name: costs[name]) if costs else None
        given = {
            name: [tuple(answer) for answer in answers]
            for name, answers in ways.items()
        }
        return call(given, expects=expected, why=why)

    yield from chapter.each("cheapest_correct", case)
    nothing = {"a": [(10, 8, 0.1)], "b": [(None, 8, 0.1)]}
    yield case(
        nothing,
        "There is no correct answer at all: return None. said may be None.",
    )


@chapter.exercise
def ask_with_headroom(rng: Random) -> Iterator[Case]:
    """Ask once, and at most once more with a greater budget."""
    yield from chapter.each("ask_with_headroom", with_budgets)
    refused = error_answer(400, "Unsupported value.", code="unsupported_value")
    why = "Let an API error propagate. It does not mean that the model ran out of room."
    yield with_budgets([refused, ["stop", 9, "8"]], why=why)
    for number in range(4):
        first = rng.randint(64, 400)
        ceiling = first + rng.randint(1, 500)
        last = ["stop", rng.randint(3, ceiling), f"Day {rng.randint(1, 99)}."]
        effort = {
            "model": "o3",
            "reasoning_effort": rng.choice(["low", "high"]),
            "seed": number,
        }
        yield with_budgets(
            [["length", first, ""], last][number % 2 :],
            first,
            ceiling,
            params=effort,
        )


@chapter.exercise
def migrate(rng: Random) -> Iterator[Case]:
    """A request as another model accepts it."""

    def case(
        params: dict[str, Any],
        to_model: str,
        headroom: int = 1000,
        why: str = "",
    ) -> Case:
        request = {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "When?"}],
            **params,
        }
        return call(
            request,
            to_model,
            headroom,
            expects=moved(request, to_model, headroom),
            why=why,
            new=True,
        )

    yield from chapter.each("migrate", case)
    same = {"model": "o4-mini", "seed": 7}
    yield case(
        same,
        "o4-mini",
        why="There is nothing to change, but return a new dict.",
    )
    nothing = {"seed": 0, "store": False, "user": None}
    yield case(
        nothing,
        "o4-mini",
        why="Leave everything else unchanged, including 0, False, and None.",
    )
