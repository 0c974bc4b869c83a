"""Checks for chapter 08: what a task costs, which model fits, a ticket read from JSON, and which
model to switch to in time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from ..engine import Case, Chapter, call
from ..engine.answers import reply as reply_with
from ..engine.describe import answer_text

TODAY = date(2026, 11, 23)
DEFAULTS: dict[str, Any] = {
    "context": 128_000,
    "most": 16_000,
    "takes": [],
    "shutdown": None,
}

chapter = Chapter(__file__)


@chapter.exercise
def cost_ratio(
    one: list[float],
    other: list[float],
    task: list[int],
    expects: float,
    why: str = "",
) -> Case:
    """How many times as much a task costs with one model as with another."""
    models = [
        dict(zip(("input", "output", "hidden"), model, strict=True))
        for model in (one, other)
    ]
    given = dict(zip(("prompt", "reply"), task, strict=True))
    return call(*models, given, expects=expects, why=why)


@chapter.exercise
def cheapest_that_fits(
    models: list[Any],
    expects: str | None,
    prompt: int = 10,
    reply: int = 10,
    why: str = "",
    **more: Any,
) -> Case:
    """The cheapest model that can do a task."""
    table = [DEFAULTS | model for model in models]
    needs = {"prompt": prompt, "reply": reply, **more}
    return call(table, needs, expects=expects, why=why)


@chapter.exercise
def parse_ticket(
    content: str | None,
    expects: Any = None,
    why: str = "",
    **more: str,
) -> Case:
    """A case: the ticket in a reply, or a ValueError that says what is wrong with it."""
    answer = reply_with({"content": content, **more})
    return call(
        answer,
        expects=expects or json.loads(content or "", strict=False),
        why=why,
        text=lambda: f"({answer_text(answer)})",
    )


@chapter.exercise
def plan_migration(
    in_use: list[str],
    table: Mapping[str, list[Any]],
    days: int,
    expects: list[Any],
    today: date = TODAY,
    why: str = "",
) -> Case:
    """Which models to replace, by when, and with which."""
    made = {}
    for name, facts in table.items():
        end = next((fact for fact in facts if isinstance(fact, date)), None)
        to = next((fact for fact in facts if isinstance(fact, str)), None)
        made[name] = (end, to)
    rows = (f"{name!r}: ({end}, {to!r})" for name, (end, to) in made.items())
    shown = "{" + ", ".join(rows) + "}"
    return call(
        in_use,
        made,
        today,
        days,
        expects=list(map(tuple, expects)),
        why=why,
        text=f"({in_use!r}, {shown}, {today!r}, {days})",
    )
