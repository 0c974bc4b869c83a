"""What the cases of chapter 08 share: what a task costs with a model, and where to go when one
ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

TODAY = date(2026, 11, 23)
DEFAULTS: dict[str, Any] = {
    "context": 128_000,
    "most": 16_000,
    "takes": [],
    "shutdown": None,
}

# a model's shutdown and its successor
Table = dict[str, tuple[date | None, str | None]]


def cost(prices: Mapping[str, Any], task: Mapping[str, Any]) -> float:
    """What a task costs, in millionths of a dollar."""
    output = task["reply"] + prices.get("hidden", 0)
    return float(task["prompt"] * prices["input"] + output * prices["output"])


def cheapest(
    table: Sequence[Mapping[str, Any]], needs: Mapping[str, Any]
) -> str | None:
    """What ``cheapest_that_fits`` must return."""
    fitting = [each for each in table if _fits(each, needs)]
    return (
        min(fitting, key=lambda each: cost(each, needs))["name"]
        if fitting
        else None
    )


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
    """The first of its successors, and theirs, that stays for longer than ``end``."""
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
    rows = [
        f"{name!r}: ({shutdown}, {to!r})"
        for name, (shutdown, to) in table.items()
    ]
    return "{" + ", ".join(rows) + "}"
