"""Checks of chapter 07: hidden tokens found in a reply, a bill and a budget, and a request moved to
another model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from ..offline.exchange import error_answer
from . import reasoning_cases as made
from .answers import reply, usage
from .case import Case, call
from .exercise import exercise
from .reasoning_cases import EFFORTS, NEVER, SAMPLING, asked, counted, mixed
from .untouched import untouched


@exercise(
    stars=1,
    hints=(
        "Two things together: the finish_reason, and a content without a single character.",
        "any(...) over reply.choices: for a reply without choices it is False.",
        "return any(c.finish_reason == 'length' and not c.message.content for c in reply.choices)",
    ),
)
def exhausted(rng: Random) -> Iterator[Case]:
    """Whether the thinking used a whole budget up."""

    def case(came: Any, expected: bool, why: str = "") -> Case:
        return call(came, expects=expected, why=why, shown=made.reply_text(came))

    yield case(reply("", finish_reason="length"), True)
    yield case(reply("On day 8."), False)
    yield case(
        reply("On day", finish_reason="length"),
        False,
        "Cut in the middle of a text: there was room for some.",
    )
    yield case(
        reply(None, finish_reason="length"), True, "An empty content may be None, too."
    )
    yield case(
        reply(""), False, "An empty answer that ended by itself used no budget up."
    )
    yield case(
        reply(None, refusal="I can't."),
        False,
        "It declined; that is no question of room.",
    )
    yield case(reply(None, finish_reason="content_filter"), False)
    yield case(reply(), False, "A reply may have no choices.")
    yield case(
        reply(" ", finish_reason="length"),
        False,
        "A blank is a text: there was room for it.",
    )
    yield case(
        mixed(("8", "stop"), ("", "length")),
        True,
        "One empty choice is enough, whichever it is.",
    )
    yield case(
        mixed(("8", "stop"), ("", "length"), ("9", "stop")),
        True,
        "It may stand in the middle.",
    )
    yield case(
        mixed(("", "stop"), ("8", "length")),
        False,
        "Both must be true of the same choice.",
    )
    for _ in range(5):
        kinds = [
            ("8", "stop"),
            ("On", "length"),
            (None, "stop"),
            ("", "stop"),
            (None, "content_filter"),
        ]
        choices = rng.choices(kinds, k=rng.randint(1, 3))
        empty = rng.random() < 0.6
        if empty:
            choices.insert(
                rng.randint(0, len(choices)), (rng.choice(["", None]), "length")
            )
        yield case(mixed(*choices), empty)


@exercise(
    stars=2,
    hints=(
        (
            "Add up first, divide once at the end: a mean of shares would count a short reply "
            "as much "
            "as a long one."
        ),
        (
            "Hidden: usage.completion_tokens_details.reasoning_tokens. Usage, details and "
            "count may "
            "each be None."
        ),
        (
            "For each reply with a usage: out += usage.completion_tokens; details = "
            "usage.completion_tokens_details; "
            "hidden += (details.reasoning_tokens or 0) if details else 0. Then hidden / out if "
            "out else 0.0."
        ),
    ),
)
def reasoning_share(rng: Random) -> Iterator[Case]:
    """The part of all output that nobody sees."""

    def case(replies: Sequence[Any], expected: float, why: str = "") -> Case:
        shown = ", ".join(map(made.usage_text, replies))
        return Case(
            f"([{shown}])",
            lambda function: function(iter(list(replies))),
            expected,
            why,
        )

    yield case([counted(200, 150)], 0.75)
    yield case([counted(100, 0)], 0.0)
    yield case(
        [counted(1000, 900), counted(10, 0)],
        900 / 1010,
        "Add up, then divide: no mean of the shares.",
    )
    yield case([], 0.0, "No reply, no output: 0.")
    yield case(
        [counted(40, None), counted(60, 30)],
        0.3,
        "A usage without details counts as output without reasoning.",
    )
    empty = counted(40, 0)
    empty.usage.completion_tokens_details.reasoning_tokens = None
    yield case([empty, counted(60, 30)], 0.3, "The count itself may be None.")
    yield case(
        [reply("8"), counted(80, 20)],
        0.25,
        "A reply without usage says nothing: leave it out.",
    )
    yield case([counted(256, 256)], 1.0, "All of it hidden: an empty answer.")
    yield case(
        [counted(10, 5)] * 12 + [counted(80, 0)],
        0.3,
        "All replies, however many they are.",
    )
    yield case([counted(0, 0)], 0.0, "Without output there is nothing to divide by.")
    for _ in range(4):
        counts = [
            (hidden := 64 * rng.randint(0, 20), hidden + rng.randint(1, 300))
            for _ in range(rng.randint(2, 5))
        ]
        share = sum(hidden for hidden, _ in counts) / sum(out for _, out in counts)
        yield case([counted(out, hidden) for hidden, out in counts], share)


@exercise(
    stars=2,
    hints=(
        (
            "The wrong answers were paid for, too. So all dollars are divided by the number of "
            "correct answers."
        ),
        (
            "First leave out the ways without a correct answer, then take the least of what "
            "remains, "
            "if anything remains."
        ),
        (
            "correct = sum(said == truth for said, truth, _ in answers); skip 0; cost = total / "
            "correct. Keep the "
            "name while cost < best: with < and not <= the first of equal ones stays."
        ),
    ),
)
def cheapest_correct(rng: Random) -> Iterator[Case]:
    """The way whose correct answers cost least."""

    def case(ways: dict[str, list[tuple[Any, int, float]]], why: str = "") -> Case:
        costs = {
            name: sum(dollars for _, _, dollars in answers) / correct
            for name, answers in ways.items()
            if (correct := sum(said == truth for said, truth, _ in answers))
        }
        return untouched(
            ways, expects=min(costs, key=costs.__getitem__) if costs else None, why=why
        )

    yield case({"small": [(8, 8, 0.25)], "large": [(8, 8, 0.5)]})
    why = "The wrong answers were paid for, too: 1.00 for one correct answer against 0.75."
    yield case(
        {
            "often wrong": [(10, 8, 0.5), (7, 7, 0.25), (1, 2, 0.25)],
            "always right": [(8, 8, 0.75)],
        },
        why,
    )
    why = "What counts is the cost per correct answer, not that of all answers."
    yield case({"one": [(8, 8, 0.5)], "two": [(8, 8, 0.25), (7, 7, 0.5)]}, why)
    why = "A way without a correct answer never wins, however cheap it is."
    yield case({"cheap": [(10, 8, 0.001)], "dear": [(8, 8, 2.0)]}, why)
    yield case(
        {"a": [(10, 8, 0.1)], "b": [(None, 8, 0.1)]},
        "No correct answer at all: None. said may be None.",
    )
    yield case({}, "No way: None.")
    yield case(
        {"first": [(8, 8, 0.5)], "second": [(8, 8, 0.25), (9, 8, 0.25)]},
        "Of equal ones the first stands.",
    )
    yield case(
        {"hosted": [(8, 8, 0.5)], "own machine": [(10, 8, 0.0), (7, 7, 0.0)]},
        "What costs nothing is cheapest.",
    )
    yield case(
        {"unasked": [], "asked": [(8, 8, 0.5)]}, "A way may have no answers yet."
    )
    yield case(
        {"z": [(8, 8, 0.5)], "a": [(8, 8, 0.5)]},
        "Of equal ones the first in the dict stands, not by name.",
    )
    yield case(
        {"z": [(8, 8, 2e-6)], "a": [(8, 8, 1e-6)]},
        "Small amounts differ, too: nothing is rounded.",
    )
    none: dict[str, list[tuple[Any, int, float]]] = {
        "z": [(0, 0, 0.1), (8, 8, 0.4)],
        "a": [("8", 8, 0.1), (8, 8, 0.2)],
    }
    yield case(
        none,
        "Correct is said == truth and nothing else: 0 can be right, and '8' is not 8.",
    )
    whole: dict[str, list[tuple[Any, int, float]]] = {
        "z": [(8, 8, 0.2)],
        "a": [(8.0, 8, 0.1)],
    }
    yield case(whole, "said == truth: 8.0 is 8, and it need not be the same object.")
    for _ in range(5):
        ways = {}
        for name in rng.sample(
            ["low", "medium", "high", "steps", "number"], rng.randint(2, 5)
        ):
            truths = [rng.randint(1, 99) for _ in range(rng.randint(2, 5))]
            ways[name] = [
                (rng.choice([t, t, t + 1, None]), t, round(rng.uniform(0.001, 0.09), 4))
                for t in truths
            ]
        yield case(ways)


@exercise(
    stars=3,
    hints=(
        (
            "Look at the finish_reason alone: 'length' means ask once more, any other means "
            "that this "
            "is the answer."
        ),
        (
            "Check the budgets before you send anything. Then, for budget in (first, ceiling), ask "
            "and add up the tokens."
        ),
        (
            "billed += reply.usage.completion_tokens; if reply.choices[0].finish_reason != "
            "'length': return "
            "reply.choices[0].message.content, billed. After the loop: raise RuntimeError with "
            "billed in its text."
        ),
    ),
)
def ask_with_headroom(rng: Random) -> Iterator[Case]:
    """Ask once, and at most once more with a greater budget."""
    params = {
        "model": "o4-mini",
        "messages": [{"role": "user", "content": "On which day?"}],
    }

    def said(text: str | None, tokens: int, reason: str = "stop") -> Any:
        return reply(
            text,
            finish_reason=reason,
            usage=usage(40, tokens, reasoning=tokens - len((text or "").split())),
        )

    def case(
        *answers: Any,
        came: Any,
        budgets: Sequence[int],
        why: str = "",
        first: int = 300,
        ceiling: int = 600,
        asks: dict[str, Any] = params,
    ) -> Case:
        return asked(
            answers, asks, first, ceiling, {"came": came, "budgets": list(budgets)}, why
        )

    yield case(
        said("Day 8.", 210),
        came=["Day 8.", 210],
        budgets=[300],
        why="It was enough: no second request.",
    )
    why = "Used up: ask again with the ceiling. Both calls are billed."
    yield case(
        said("", 300, "length"),
        said("Day 8.", 410),
        came=["Day 8.", 710],
        budgets=[300, 600],
        why=why,
    )
    why = "A text that was cut is no whole answer either."
    yield case(
        said("It is", 300, "length"),
        said("Day 8.", 310),
        came=["Day 8.", 610],
        budgets=[300, 600],
        why=why,
    )
    why = "Twice, and no more. The error tells how many tokens both calls were billed."
    twice = [said("", 300, "length"), said(None, 600, "length")]
    yield case(*twice, came="raised RuntimeError with 900", budgets=[300, 600], why=why)
    why = "The finish_reason decides: this one is not for want of room."
    yield case(
        said("It", 90, "content_filter"), came=["It", 90], budgets=[300], why=why
    )
    yield case(
        said(None, 64),
        came=[None, 64],
        budgets=[300],
        why="Empty, but not for want of room: it ended by itself.",
    )
    for low, high in ((300, 300), (600, 300), (0, 300), (-1, 300)):
        why = "Budgets must be 0 < first < ceiling. Say so before anything is sent."
        yield case(
            said("8", 9),
            came="raised ValueError",
            budgets=[],
            first=low,
            ceiling=high,
            why=why,
        )
    bad = error_answer(400, "Unsupported value.", code="unsupported_value")
    why = "An error of the API comes through. It is not a want of room."
    yield case(bad, said("8", 9), came="raised BadRequestError", budgets=[300], why=why)
    for _ in range(4):
        first = rng.randint(64, 400)
        ceiling, effort = (
            first + rng.randint(1, 500),
            rng.choice(["low", "medium", "high"]),
        )
        asks = {
            **params,
            "model": rng.choice(["o3", "gpt-6-luna"]),
            "reasoning_effort": effort,
        }
        last = said(f"Day {rng.randint(1, 99)}.", rng.randint(3, ceiling))
        lost = [said("", first, "length")] if rng.random() < 0.7 else []
        total = last.usage.completion_tokens + (first if lost else 0)
        budgets = [first, ceiling] if lost else [first]
        whole = [last.choices[0].message.content, total]
        why = "Pass everything in params on, in both requests."
        yield case(
            *lost,
            last,
            came=whole,
            budgets=budgets,
            first=first,
            ceiling=ceiling,
            asks=asks,
            why=why,
        )


@exercise(
    stars=4,
    hints=(
        (
            "Decide the effort first: whether the model will reason decides about sampling and "
            "about "
            "the limit."
        ),
        (
            "Copy params without NEVER, max_tokens and reasoning_effort; set the model; put the "
            "limit in under its new "
            "name. Then the effort: the given one, else 'none', each only if EFFORTS[to_model] "
            "has it."
        ),
        (
            "Where the effort is 'none', that is all. Otherwise take out what is in SAMPLING, and "
            "where there is a "
            "max_completion_tokens, add headroom to it. Where no effort was found, send no "
            "reasoning_effort."
        ),
    ),
)
def migrate(rng: Random) -> Iterator[Case]:
    """A request as another model takes it."""
    plain = {"model": "gpt-4o", "messages": [{"role": "user", "content": "When?"}]}

    def case(
        params: dict[str, Any], to_model: str, headroom: int = 1000, why: str = ""
    ) -> Case:
        expected = made.moved(params, to_model, headroom)
        return untouched(
            {**plain, **params},
            to_model,
            headroom,
            expects={**plain, **expected},
            why=why,
        )

    yield case(
        {},
        "o4-mini",
        why="Without a limit none is added. o4-mini knows no 'none': send no reasoning_effort.",
    )
    yield case(
        {"temperature": 0.2, "seed": 7},
        "o4-mini",
        why="It reasons: no sampling. What it takes stays.",
    )
    yield case(
        {"max_tokens": 50},
        "o4-mini",
        why="The new name; and the limit now has to hold the thinking as well.",
    )
    yield case(
        {"max_completion_tokens": 50},
        "o4-mini",
        why="The limit may have its new name already.",
    )
    why = (
        "gpt-6-luna can do without reasoning: 'none' is sent, and sampling and limit stay as "
        "they are."
    )
    yield case({"temperature": 0.2, "max_tokens": 50}, "gpt-6-luna", why=why)
    yield case(
        {"stop": ["\n"], "logit_bias": {"12": 5}},
        "gpt-6-luna",
        why="NEVER goes, even without reasoning.",
    )
    why = "An effort that is asked for stays: then it reasons."
    yield case(
        {"reasoning_effort": "high", "top_p": 0.5, "max_completion_tokens": 50},
        "gpt-6-luna",
        why=why,
    )
    yield case(
        {"reasoning_effort": "none", "top_p": 0.5},
        "o4-mini",
        why="o4-mini does not know 'none': it reasons.",
    )
    why = (
        "o4-mini does not know 'max': send no reasoning_effort. gpt-6-luna knows it, and then "
        "reasons."
    )
    yield case({"reasoning_effort": "max"}, "o4-mini", why=why)
    yield case(
        {"reasoning_effort": "max", "logprobs": True, "top_logprobs": 2},
        "gpt-6-luna",
        why=why,
    )
    yield case(
        {"temperature": 0, "n": 2, "response_format": {"type": "text"}}, "gpt-6.2-sol"
    )
    why = "Everything else stays as it is: 0, False and None as well."
    yield case({"seed": 0, "store": False, "user": None}, "o4-mini", why=why)
    for _ in range(6):
        values: dict[str, Any] = {
            "temperature": 0.3,
            "top_p": 0.9,
            "presence_penalty": 0.5,
            "frequency_penalty": 0.2,
            "logprobs": True,
            "stop": ["END"],
            "logit_bias": {"5": 1},
            "n": 2,
            "seed": rng.randint(1, 99),
            "user": "ada",
            "reasoning_effort": rng.choice(["none", "low", "high", "xhigh"]),
            rng.choice(["max_tokens", "max_completion_tokens"]): rng.randint(10, 900),
        }
        chosen = dict(rng.sample(sorted(values.items()), rng.randint(4, 9)))
        yield case(chosen, rng.choice(sorted(EFFORTS)), rng.randint(100, 4000))
    yield case(
        dict.fromkeys(SAMPLING[:4], 0) | {NEVER[0]: "x"},
        "o4-mini",
        why="Whatever the value: 0 goes as well.",
    )
