"""What the cases of chapter 08 share: made-up models, what a task costs with them, and where to go
when one ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

FEATURES = ["tools", "schema", "stop", "temperature"]
START = date(2026, 12, 1)

Table = dict[
    str, tuple[date | None, str | None]
]  # a model's shutdown and its successor


def priced(dollars_in: float, out: float, hidden: int = 0) -> dict[str, Any]:
    """A model for ``cost_ratio``."""
    return {"input": dollars_in, "output": out, "hidden": hidden}


def cost(prices: Mapping[str, Any], task: Mapping[str, Any]) -> float:
    """What a task costs, in millionths of a dollar."""
    output = task["reply"] + prices.get("hidden", 0)
    return float(task["prompt"] * prices["input"] + output * prices["output"])


def model(
    name: str,
    dollars_in: float,
    out: float,
    *,
    context: int = 128_000,
    most: int = 16_000,
    takes: Sequence[str] = (),
    shutdown: date | None = None,
) -> dict[str, Any]:
    """A model for ``cheapest_that_fits``."""
    return {
        "name": name,
        "input": dollars_in,
        "output": out,
        "context": context,
        "most": most,
        "takes": list(takes),
        "shutdown": shutdown,
    }


def any_model(name: str, rng: Random) -> dict[str, Any]:
    """One drawn at random."""
    return model(
        name,
        rng.randint(1, 40) / 4,
        rng.randint(1, 160) / 4,
        context=rng.choice([4000, 9000, 128_000]),
        most=rng.choice([400, 4000]),
        takes=rng.sample(FEATURES, rng.randint(1, 4)),
        shutdown=rng.choice([None, START + timedelta(rng.randint(0, 60))]),
    )


def cheapest(
    table: Sequence[Mapping[str, Any]], needs: Mapping[str, Any]
) -> str | None:
    """What ``cheapest_that_fits`` must return."""
    fitting = [each for each in table if _fits(each, needs)]
    return min(fitting, key=lambda each: cost(each, needs))["name"] if fitting else None


def _fits(each: Mapping[str, Any], needs: Mapping[str, Any]) -> bool:
    if (
        needs["prompt"] + needs["reply"] > each["context"]
        or needs["reply"] > each["most"]
    ):
        return False
    if not set(needs.get("takes", ())) <= set(each["takes"]):
        return False
    return (
        each["shutdown"] is None
        or "until" not in needs
        or bool(each["shutdown"] > needs["until"])
    )


def product(rng: Random) -> str:
    """The name of some goods, with what JSON has to escape."""
    return rng.choice(
        [
            "desk lamp",
            'shelf, 30" wide',
            "Stehlampe für München",
            "pen\nblue",
            "A4 paper",
        ]
    )


def plan(
    in_use: Sequence[str], table: Table, today: date, days: int
) -> list[tuple[str, str | None, date]]:
    """What ``plan_migration`` must return."""
    end = today + timedelta(days)
    leaving = [
        (shutdown, name)
        for name in set(in_use)
        if (shutdown := table[name][0]) and shutdown <= end
    ]
    return [
        (name, _safe(name, table, end), shutdown - timedelta(1))
        for shutdown, name in sorted(leaving)
    ]


def _safe(name: str, table: Table, end: date) -> str | None:
    """The first of its successors, and theirs, that is there for longer than ``end``."""
    seen, to = {name}, table[name][1]
    while to in table and to not in seen:
        shutdown, successor = table[to]
        if shutdown is None or shutdown > end:
            return to
        seen.add(to)
        to = successor
    return None


def table_text(table: Table) -> str:
    """The table, with its dates in short."""
    rows = [f"{name!r}: ({shutdown}, {to!r})" for name, (shutdown, to) in table.items()]
    return "{" + ", ".join(rows) + "}"
