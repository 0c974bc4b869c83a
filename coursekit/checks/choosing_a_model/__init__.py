"""Checks of chapter 08: what a task costs, which model fits, a ticket out of JSON, and where to
move in time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from random import Random
from typing import Any

from ..engine import Case, Chapter, Raises, call
from ..engine.answers import reply as reply_with
from .cases import DEFAULTS, TODAY, Table, cheapest, cost, plan, table_text

PRODUCTS = [
    "desk lamp",
    'shelf, 30" wide',
    "Stehlampe für München",
    "pen\nblue",
    "A4 paper",
]

chapter = Chapter(__file__)


@chapter.plain
def cost_ratio(
    one: Sequence[float],
    other: Sequence[float],
    task: Sequence[int],
    why: str = "",
) -> Case:
    """How many times as much a task costs with one model as with another."""
    models = [
        dict(zip(("input", "output", "hidden"), model, strict=True))
        for model in (one, other)
    ]
    given = dict(zip(("prompt", "reply"), task, strict=True))
    dollars, others = (cost(model, given) for model in models)
    expected = dollars / others if others else float("inf") if dollars else 1.0
    return call(*models, given, expects=expected, why=why)


@chapter.plain
def cheapest_that_fits(
    models: list[Any],
    prompt: int = 10,
    reply: int = 10,
    why: str = "",
    **more: Any,
) -> Case:
    """The cheapest model that can do a task."""
    table, needs = (
        [DEFAULTS | model for model in models],
        {"prompt": prompt, "reply": reply, **more},
    )
    return call(table, needs, expects=cheapest(table, needs), why=why)


@chapter.exercise
def parse_ticket(rng: Random) -> Iterator[Case]:
    """A ticket out of a reply, or a ValueError that says what is wrong with it."""

    def case(
        content: str,
        reason: str = "stop",
        error: str | None = None,
        why: str = "",
    ) -> Case:
        expected: Any = (
            json.loads(content, strict=False)
            if error is None
            else Raises(ValueError, (error,))
        )
        shown = "" if reason == "stop" else f", finish_reason {reason!r}"
        answer = reply_with(content, finish_reason=reason)
        return call(
            answer,
            expects=expected,
            why=why,
            text=f"(content {content!r}{shown})",
        )

    yield from chapter.each("parse_ticket", case)
    refused = reply_with(None, refusal="I can't help.")
    why = "Put the refusal into the error's message."
    yield call(refused, expects=Raises(ValueError, ("I can't help",)), why=why)
    filtered = reply_with(
        None, refusal="I can't help.", finish_reason="content_filter"
    )
    yield call(filtered, expects=Raises(ValueError, ("I can't help",)), why=why)
    yield call(
        reply_with(None),
        expects=Raises(ValueError),
        why="Content of None is not JSON either: raise a ValueError.",
    )
    for _ in range(4):
        ticket = {
            "product": rng.choice(PRODUCTS),
            "urgent": rng.random() < 0.5,
            "order": rng.choice([None, 0, 99]),
        }
        mixed = dict(rng.sample(sorted(ticket.items()), 3))
        yield case(json.dumps(mixed, indent=rng.choice([None, 2])))
        key, wrong = rng.choice(
            [("product", 7), ("urgent", "no"), ("order", 7.5)]
        )
        yield case(json.dumps({**mixed, key: wrong}), error=key)


@chapter.plain
def plan_migration(
    in_use: list[str],
    table: Mapping[str, Sequence[Any]],
    days: int,
    today: date = TODAY,
    why: str = "",
) -> Case:
    """Which models to leave, until when, and for which."""
    made: Table = {}
    for name, facts in table.items():
        end = next((fact for fact in facts if isinstance(fact, date)), None)
        successor = next(
            (fact for fact in facts if isinstance(fact, str)), None
        )
        made[name] = (end, successor)
    text = f"({in_use!r}, {table_text(made)}, {today!r}, {days})"
    return call(
        in_use,
        made,
        today,
        days,
        expects=plan(in_use, made, today, days),
        why=why,
        text=text,
    )
