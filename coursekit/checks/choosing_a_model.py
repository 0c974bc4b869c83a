"""Checks of chapter 08: what a task costs, which model fits, a ticket out of JSON, and where to
move in time.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from . import choosing_cases as made
from .answers import reply
from .case import Case, Raises, call
from .choosing_cases import model
from .exercise import exercise
from .untouched import untouched

TODAY = datetime.date(2026, 11, 23)


@exercise(
    stars=1,
    hints=(
        "The hidden tokens are billed as output, and each model has its own number of them.",
        "cost = prompt * input + (reply + hidden) * output. The millions cancel out in a ratio.",
        (
            "Compute both costs. If the other's is 0: return 1.0 if this one is 0 as well, else "
            "math.inf. Else a / b."
        ),
    ),
)
def cost_ratio(rng: Random) -> Iterator[Case]:
    """How many times as much a task costs with one model as with another."""

    def case(
        one: dict[str, Any], other: dict[str, Any], task: dict[str, int], why: str = ""
    ) -> Case:
        dollars, others = made.cost(one, task), made.cost(other, task)
        ratio = dollars / others if others else float("inf") if dollars else 1.0
        return untouched(one, other, task, expects=ratio, why=why)

    gpt_4o, mini = made.priced(2.5, 10.0), made.priced(0.15, 0.6)
    yield case(gpt_4o, mini, {"prompt": 1000, "reply": 200})
    yield case(
        mini,
        gpt_4o,
        {"prompt": 1000, "reply": 200},
        "Of one, as a multiple of other: here less than 1.",
    )
    why = "What it thinks is billed as output: cheaper by the token, and dearer by the answer."
    yield case(made.priced(1.1, 4.4, 1900), gpt_4o, {"prompt": 100, "reply": 100}, why)
    why = "Each model has hidden tokens of its own."
    yield case(
        made.priced(1.1, 4.4, 64),
        made.priced(2.0, 8.0, 640),
        {"prompt": 0, "reply": 20},
        why,
    )
    yield case(
        gpt_4o,
        mini,
        {"prompt": 5000, "reply": 0},
        "A task may have no reply, such as one that only classifies.",
    )
    why = "It may think and say nothing: hidden tokens are billed without a reply, too."
    yield case(made.priced(1.1, 4.4, 640), gpt_4o, {"prompt": 50, "reply": 0}, why)
    yield case(
        made.priced(0.1, 0.4),
        made.priced(0.05, 0.4),
        {"prompt": 1, "reply": 0},
        "Small is not nothing.",
    )
    free = made.priced(0, 0)
    yield case(
        gpt_4o,
        free,
        {"prompt": 10, "reply": 10},
        "A model of your own costs nothing by the token: math.inf.",
    )
    yield case(free, free, {"prompt": 10, "reply": 10}, "Both are free: 1.0.")
    yield case(
        free,
        gpt_4o,
        {"prompt": 10, "reply": 10},
        "Nothing, as a multiple of something, is 0.",
    )
    for _ in range(4):
        one, other = (
            made.priced(
                rng.randint(1, 40) / 4,
                rng.randint(1, 99) / 2,
                rng.choice([0, 128, 960]),
            )
            for _ in range(2)
        )
        yield case(
            one, other, {"prompt": rng.randint(1, 9000), "reply": rng.randint(1, 900)}
        )


@exercise(
    stars=2,
    hints=(
        (
            "First rule out, then compare: four questions to each model, and the cost of those "
            "that "
            "are left."
        ),
        (
            "prompt and reply share the context, the reply has a limit of its own, takes has to "
            "hold all that is "
            "needed, and on the day until it must still answer: shutdown > until."
        ),
        (
            "Collect what fits; set(needs.get('takes', [])) <= set(model['takes']) is one of the "
            "conditions. Then "
            "min(fitting, key=cost)['name'], or None when nothing fits: min(..., default=None) "
            "helps."
        ),
    ),
)
def cheapest_that_fits(rng: Random) -> Iterator[Case]:
    """The cheapest model that can do a task."""

    def case(table: list[dict[str, Any]], why: str = "", **needs: Any) -> Case:
        return untouched(table, needs, expects=made.cheapest(table, needs), why=why)

    small, large = (
        model("small", 1, 4, context=8_000),
        model("large", 2, 8, context=200_000),
    )
    yield case([large, small], prompt=1000, reply=200)
    yield case(
        [small, large],
        "It does not fit into the small one's context.",
        prompt=9000,
        reply=200,
    )
    why = "Prompt and reply share the context; all of it may be used."
    yield case([small, large], why, prompt=7000, reply=1000)
    yield case([small, large], why, prompt=7000, reply=1001)
    terse = model("terse", 0.5, 1, most=500)
    yield case(
        [terse, large], "A reply has a limit of its own, too.", prompt=100, reply=501
    )
    yield case([terse, large], "At its limit it still fits.", prompt=100, reply=500)
    plain, able = (
        model("plain", 1, 2, takes=["stop"]),
        model("able", 3, 9, takes=["tools", "schema", "stop"]),
    )
    yield case(
        [plain, able],
        "All of what is needed has to be taken.",
        prompt=10,
        reply=10,
        takes=["stop", "schema"],
    )
    yield case(
        [plain, able],
        "Nothing needed: every model takes that.",
        prompt=10,
        reply=10,
        takes=[],
    )
    yield case(
        [plain, able], "None, where nothing fits.", prompt=10, reply=10, takes=["audio"]
    )
    leaving, staying = (
        model("leaving", 1, 2, shutdown=date(2027, 1, 14)),
        model("staying", 5, 9),
    )
    pair, size = [leaving, staying], {"prompt": 10, "reply": 10}
    why = "On its day of shutdown a model does not answer any more; on the day before it does."
    yield case(pair, why, **size, until=date(2027, 1, 14))
    yield case(pair, why, **size, until=date(2027, 1, 13))
    yield case(pair, "Without a day it does not matter when a model ends.", **size)
    why = "Cost is that of this task: here the reply is nearly all of it."
    yield case(
        [model("talker", 1, 20), model("reader", 5, 2)], why, prompt=10, reply=900
    )
    yield case(
        [model("reader", 5, 2), model("talker", 1, 20)],
        "Here it is the prompt.",
        prompt=9000,
        reply=100,
    )
    why = "Of equal costs the first in the list stands, not by name."
    yield case([model("zeta", 1, 2), model("alpha", 1, 2)], why, **size)
    why = "Small amounts differ, too: nothing is rounded."
    yield case(
        [model("zeta", 0.2, 0.2), model("alpha", 0.1, 0.1)], why, prompt=1, reply=1
    )
    near = [model("near", 1, 2, takes=["json_schema"]), able]
    yield case(
        near, "A feature is a whole name, not a part of one.", **size, takes=["schema"]
    )
    yield case([], "No model: None.", **size)
    for _ in range(6):
        table = [
            made.any_model(name, rng)
            for name in rng.sample(["a", "b", "c", "d", "e"], 5)
        ]
        needs: dict[str, Any] = {
            "prompt": rng.randint(10, 9000),
            "reply": rng.randint(1, 900),
        }
        needs |= (
            {"takes": rng.sample(made.FEATURES, rng.randint(0, 2))}
            if rng.random() < 0.6
            else {}
        )
        needs |= (
            {"until": TODAY + timedelta(rng.randint(0, 90))}
            if rng.random() < 0.6
            else {}
        )
        yield case(table, **needs)


@exercise(
    stars=3,
    hints=(
        "Three things can be wrong before the JSON, and three in it. Ask in that order.",
        (
            "refusal, finish_reason, json.loads(content or ''): its error is a ValueError "
            "already. Then: is it a dict, "
            "are its keys these three and no others, has each the right type?"
        ),
        (
            "isinstance(True, int) is true, so compare types: type(value) in TYPES[key], with "
            "TYPES = {'product': "
            "(str,), 'urgent': (bool,), 'order': (int, type(None))}. Name the key in the error."
        ),
    ),
)
def parse_ticket(rng: Random) -> Iterator[Case]:
    """A ticket out of a reply, or a ValueError that says what is wrong with it."""
    ticket = {"product": "desk lamp", "urgent": True, "order": 2231}

    def good(value: dict[str, Any], why: str = "", **layout: Any) -> Case:
        text = json.dumps(value, **layout)
        return call(reply(text), expects=value, why=why, shown=f"content {text!r}")

    def bad(
        content: Any,
        *words: str,
        why: str = "",
        reason: str = "stop",
        refusal: str | None = None,
    ) -> Case:
        text = json.dumps(content) if isinstance(content, dict) else content
        told = (
            f", refusal {refusal!r}"
            if refusal
            else ""
            if reason == "stop"
            else f", finish_reason {reason!r}"
        )
        answer = reply(text, finish_reason=reason, refusal=refusal)
        return call(
            answer,
            expects=Raises(ValueError, words),
            why=why,
            shown=f"content {text!r}{told}",
        )

    yield good(ticket)
    yield good(
        {"product": "", "urgent": False, "order": None},
        "order may be null, and a text may be empty.",
    )
    yield bad(
        None,
        "I can't help",
        refusal="I can't help.",
        why="Say what the model said, when it declined.",
    )
    yield bad(
        '{"product": "desk la',
        "length",
        reason="length",
        why="A cut reply: say so, not that the JSON is bad.",
    )
    yield bad(
        ticket, "length", reason="length", why="It was cut, however whole it looks."
    )
    yield bad(
        ticket, "content_filter", reason="content_filter", why="Only 'stop' is whole."
    )
    yield bad(ticket, "tool_calls", reason="tool_calls", why="Only 'stop' is whole.")
    yield bad("Here it is: {}", why="That is no JSON.")
    yield bad(
        f"```json\n{json.dumps(ticket)}\n```", why="A fence around it is no JSON."
    )
    yield bad(
        json.dumps(ticket)[:-1],
        why="Its last brace is missing: that is no JSON. Do not mend it.",
    )
    yield bad(None, why="A content of None is no JSON: a ValueError, too.")
    yield bad(json.dumps([ticket]), why="JSON, but no object.")
    yield bad("null", why="JSON, but no object.")
    for key in ticket:
        why = "A key is missing. (A KeyError is no ValueError.)"
        yield bad(
            {name: value for name, value in ticket.items() if name != key}, key, why=why
        )
    yield bad(
        ticket | {"customer": "Tom"}, "customer", why="No other keys than these three."
    )
    yield bad(
        ticket | {"order": True},
        "order",
        why="In Python a bool is an int. In a ticket it is not.",
    )
    yield bad(
        ticket | {"order": False},
        "order",
        why="False is no int here, and null is written otherwise.",
    )
    yield bad(
        ticket | {"order": 7.0},
        "order",
        why="7.0 is a float, though it has no fraction.",
    )
    yield good(ticket | {"order": -1}, "Any int is an order.")
    yield bad(ticket | {"urgent": 1}, "urgent", why="1 is no bool.")
    yield bad(ticket | {"urgent": None}, "urgent", why="Only the order may be null.")
    yield bad(ticket | {"order": "2231"}, "order", why="A text with digits is no int.")
    yield bad(ticket | {"product": None}, "product", why="Only the order may be null.")
    for _ in range(4):
        value = {
            "product": made.product(rng),
            "urgent": rng.random() < 0.5,
            "order": rng.choice([None, 0, 17, 99_000]),
        }
        yield good(
            dict(rng.sample(sorted(value.items()), 3)), indent=rng.choice([None, 2])
        )
        key, wrong = rng.choice(
            [("product", 7), ("product", ["lamp"]), ("urgent", "no"), ("order", 7.5)]
        )
        yield bad(value | {key: wrong}, key)


@exercise(
    stars=4,
    seconds=5.0,
    hints=(
        "A successor can be at risk itself. So go on from one to the next until one is safe.",
        (
            "end = today + timedelta(days). At risk is what has a shutdown <= end, even one that "
            "is past. Go from "
            "successor to successor, and remember whom you have seen: they may lead in a circle."
        ),
        (
            "to, seen = successor, set(); while to in table and to not in seen and at_risk(to): "
            "seen.add(to); to = the "
            "next successor. At the end it is safe if it is in the table and not at risk; else "
            "None."
        ),
    ),
)
def plan_migration(rng: Random) -> Iterator[Case]:
    """Which models to leave, until when, and for which."""

    def case(
        in_use: list[str],
        table: made.Table,
        days: int,
        why: str = "",
        today: date = TODAY,
    ) -> Case:
        expected = made.plan(in_use, table, today, days)
        shown = f"({in_use!r}, {made.table_text(table)}, {today!r}, {days})"
        plain = untouched(in_use, table, today, days, expects=expected, why=why)
        return Case(shown, plain.run, plain.expected, plain.why)

    soon, later = date(2026, 12, 11), date(2027, 1, 14)
    table: made.Table = {
        "o3": (soon, "sol"),
        "gpt-4o": (later, "luna"),
        "o4-mini": (date(2026, 10, 23), "terra"),
        "luna": (None, None),
        "terra": (None, None),
        "sol": (None, None),
    }
    yield case(["o3", "luna"], table, 30)
    yield case(["gpt-4o", "o3"], table, 60, "The one that goes first stands first.")
    yield case(["gpt-4o", "o3"], table, 30, "gpt-4o has more than 30 days left.")
    yield case(["o4-mini"], table, 30, "What is gone already has to be left, too.")
    yield case(
        ["o3"],
        table,
        18,
        "The last one of the days counts. The last answer comes on the day before shutdown.",
    )
    chain: made.Table = {"a": (soon, "b"), "b": (later, "c"), "c": (None, None)}
    yield case(
        ["a"],
        chain,
        90,
        "Its successor goes within these days as well: move on to the next.",
    )
    yield case(
        ["a"],
        chain,
        30,
        "b is there for longer than these days: no need to go further.",
    )
    yield case(["a"], {"a": (soon, None)}, 30, "No successor is named: None.")
    yield case(
        ["a"],
        {"a": (soon, "x")},
        30,
        "A successor that the table does not know is no safe place: None.",
    )
    circle: made.Table = {"a": (soon, "b"), "b": (soon, "a")}
    yield case(
        ["b", "a"],
        circle,
        30,
        "Two successors of each other: None, and no endless loop. On one day: by name.",
    )
    yield case(
        ["a", "c", "a"],
        chain,
        30,
        "A name may stand twice in in_use, and once in the plan.",
    )
    yield case([], table, 30)
    why = "With 0 days: what is shut down today, or was."
    yield case(["o3", "o4-mini", "gpt-4o"], table, 0, why, soon)
    twins: made.Table = {
        "a": (soon, "z"),
        "b": (soon, "y"),
        "y": (None, None),
        "z": (None, None),
    }
    yield case(
        ["b", "a"], twins, 30, "On the same day by name: by that of the model in use."
    )
    shared: made.Table = {
        "a": (soon, "b"),
        "x": (soon, "b"),
        **{name: chain[name] for name in "bc"},
    }
    yield case(
        ["a", "x", "b"],
        shared,
        90,
        "Two may have the same successor: each goes its own way to the end.",
    )
    long: made.Table = {f"v{n}": (soon, f"v{n + 1}") for n in range(9)} | {
        "v9": (None, None)
    }
    yield case(
        ["v0"],
        long,
        30,
        "However many successors are leaving, go on to the first that stays.",
    )
    for _ in range(6):
        names = rng.sample(["ada", "bix", "cor", "dot", "eve", "fox", "gus"], 7)
        days, today = rng.randint(20, 200), TODAY + timedelta(rng.randint(0, 500))
        ends = [None, *(today + timedelta(rng.randint(-50, 250)) for _ in names[1:])]
        after = [None, *(rng.choice([*names, None]) for _ in names[1:])]
        drawn: made.Table = {
            name: (end, to) for name, end, to in zip(names, ends, after, strict=True)
        }
        yield case(rng.sample(names, rng.randint(3, 7)), drawn, days, today=today)
