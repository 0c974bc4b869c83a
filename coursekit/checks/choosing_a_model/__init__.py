"""Checks of chapter 08: what a task costs, which model fits, a ticket out of JSON, and where to
move in time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from ..engine import Case, Chapter, Raises, call
from ..engine.answers import reply as reply_with
from .cases import DEFAULTS, FEATURES, TODAY, Table, cheapest, cost, plan, table_text

PRODUCTS = [
    "desk lamp",
    'shelf, 30" wide',
    "Stehlampe für München",
    "pen\nblue",
    "A4 paper",
]

chapter = Chapter(__file__)


@chapter.exercise
def cost_ratio(rng: Random) -> Iterator[Case]:
    """How many times as much a task costs with one model as with another."""

    def case(
        one: Sequence[float], other: Sequence[float], task: Sequence[int], why: str = ""
    ) -> Case:
        models = [
            dict(zip(("input", "output", "hidden"), model, strict=True))
            for model in (one, other)
        ]
        given = dict(zip(("prompt", "reply"), task, strict=True))
        dollars, others = (cost(model, given) for model in models)
        expected = dollars / others if others else float("inf") if dollars else 1.0
        return call(*models, given, expects=expected, why=why)

    yield from chapter.each("cost_ratio", case)
    for _ in range(4):
        one, other = (
            [rng.randint(1, 40) / 4, rng.randint(1, 99) / 2, rng.choice([0, 128, 960])]
            for _ in range(2)
        )
        yield case(one, other, [rng.randint(1, 9000), rng.randint(1, 900)])


@chapter.exercise
def cheapest_that_fits(rng: Random) -> Iterator[Case]:
    """The cheapest model that can do a task."""

    def case(
        models: list[Any], prompt: int = 10, reply: int = 10, why: str = "", **more: Any
    ) -> Case:
        table, needs = (
            [DEFAULTS | model for model in models],
            {"prompt": prompt, "reply": reply, **more},
        )
        return call(table, needs, expects=cheapest(table, needs), why=why)

    yield from chapter.each("cheapest_that_fits", case)
    for number in range(6):
        models = []
        for name in rng.sample(["a", "b", "c", "d", "e"], 5):
            prices: dict[str, Any] = {
                "name": name,
                "input": rng.randint(1, 40) / 4,
                "output": rng.randint(1, 160) / 4,
            }
            limits = {
                "context": rng.choice([4000, 9000, 128_000]),
                "most": rng.choice([400, 4000]),
            }
            end = rng.choice([None, date(2026, 12, 1) + timedelta(rng.randint(0, 60))])
            takes = rng.sample(FEATURES, rng.randint(1, 4))
            models.append({**prices, **limits, "takes": takes, "shutdown": end})
        until = TODAY + timedelta(rng.randint(0, 90))
        needs: list[dict[str, Any]] = [
            {},
            {"until": until},
            {"takes": rng.sample(FEATURES, 2)},
        ]
        yield case(
            models, rng.randint(10, 9000), rng.randint(1, 900), **needs[number % 3]
        )


@chapter.exercise
def parse_ticket(rng: Random) -> Iterator[Case]:
    """A ticket out of a reply, or a ValueError that says what is wrong with it."""

    def case(
        content: str, reason: str = "stop", error: str | None = None, why: str = ""
    ) -> Case:
        expected: Any = (
            json.loads(content, strict=False)
            if error is None
            else Raises(ValueError, (error,))
        )
        shown = "" if reason == "stop" else f", finish_reason {reason!r}"
        answer = reply_with(content, finish_reason=reason)
        return call(
            answer, expects=expected, why=why, text=f"(content {content!r}{shown})"
        )

    yield from chapter.each("parse_ticket", case)
    refused = reply_with(None, refusal="I can't help.")
    why = "Put the refusal into the error's message."
    yield call(refused, expects=Raises(ValueError, ("I can't help",)), why=why)
    filtered = reply_with(None, refusal="I can't help.", finish_reason="content_filter")
    yield call(filtered, expects=Raises(ValueError, ("I can't help",)), why=why)
    yield call(
        reply_with(None),
        expects=Raises(ValueError),
        why="A content of None is not JSON: a ValueError as well.",
    )
    for _ in range(4):
        ticket = {
            "product": rng.choice(PRODUCTS),
            "urgent": rng.random() < 0.5,
            "order": rng.choice([None, 0, 99]),
        }
        mixed = dict(rng.sample(sorted(ticket.items()), 3))
        yield case(json.dumps(mixed, indent=rng.choice([None, 2])))
        key, wrong = rng.choice([("product", 7), ("urgent", "no"), ("order", 7.5)])
        yield case(json.dumps({**mixed, key: wrong}), error=key)


@chapter.exercise
def plan_migration(rng: Random) -> Iterator[Case]:
    """Which models to leave, until when, and for which."""

    def case(
        in_use: list[str],
        table: Mapping[str, Sequence[Any]],
        days: int,
        today: date = TODAY,
        why: str = "",
    ) -> Case:
        made: Table = {}
        for name, facts in table.items():
            end = next((fact for fact in facts if isinstance(fact, date)), None)
            successor = next((fact for fact in facts if isinstance(fact, str)), None)
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

    yield from chapter.each("plan_migration", case)
    for _ in range(6):
        names = rng.sample(["ada", "bix", "cor", "dot", "eve", "fox", "gus"], 7)
        days, today = rng.randint(20, 200), TODAY + timedelta(rng.randint(0, 500))
        table: dict[str, Any] = {names[0]: []}
        for name in names[1:]:
            table[name] = [
                today + timedelta(rng.randint(-50, 250)),
                rng.choice([*names, None]),
            ]
        yield case(rng.sample(names, rng.randint(3, 7)), table, days, today)
