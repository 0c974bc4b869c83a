"""Answers to the exercises in chapter 08."""

from __future__ import annotations

import datetime
import json
import math
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from answer_table import right, wrong
from pydantic import BaseModel, ConfigDict


@right("cost_ratio")
def with_fractions(one, other, task):
    dollars = [
        Fraction(model["input"]) * task["prompt"]
        + Fraction(model["output"]) * (task["reply"] + model["hidden"])
        for model in (one, other)
    ]
    try:
        return dollars[0] / dollars[1]
    except ZeroDivisionError:
        return math.inf if dollars[0] else 1


@right("cost_ratio")
def with_decimals(one, other, task):
    def cost(prices):
        sent = Decimal(str(prices["input"])) * task["prompt"] / 1_000_000
        return (
            sent
            + Decimal(str(prices["output"]))
            * (prices["hidden"] + task["reply"])
            / 1_000_000
        )

    if not cost(other):
        return float("inf") if cost(one) > 0 else 1.0
    return cost(one) / cost(other)


def _cost(prices, task, *, hidden=True, rate="output"):
    thought = prices["hidden"] * prices[rate] if hidden else 0
    return (
        task["prompt"] * prices["input"]
        + task["reply"] * prices["output"]
        + thought
    )


def _ratio(one, other):
    return one / other if other else math.inf if one else 1.0


@wrong("cost_ratio", says="Thinking is billed as output: this model is")
def without_hidden(one, other, task):
    return _ratio(
        _cost(one, task, hidden=False), _cost(other, task, hidden=False)
    )


@wrong("cost_ratio", says="Thinking is billed as output: this model is")
def hidden_as_input(one, other, task):
    return _ratio(
        _cost(one, task, rate="input"), _cost(other, task, rate="input")
    )


@wrong("cost_ratio", says="Each model uses its own number of hidden tokens.")
def the_same_hidden_for_both(one, other, task):
    hidden = {
        "hidden": max(one["hidden"], 1900 if one["hidden"] == 1900 else 0)
    }
    return _ratio(
        _cost(one, task),
        _cost(other | hidden if hidden["hidden"] == 64 else other, task),
    )


@wrong("cost_ratio", says="Return the first cost as a multiple of the")
def the_larger_by_the_smaller(one, other, task):
    low, high = sorted([_cost(one, task), _cost(other, task)])
    return _ratio(high, low)


@wrong("cost_ratio", "error", says="ZeroDivisionError")
def dividing_by_a_free_one(one, other, task):
    return _cost(one, task) / _cost(other, task)


@wrong("cost_ratio", says="Both are free")
def always_infinite(one, other, task):
    return (
        _cost(one, task) / _cost(other, task)
        if _cost(other, task)
        else math.inf
    )


@wrong("cost_ratio", says="case 3 of")
def hard_coded(one, other, task):
    return 50 / 3 if one["input"] == 2.5 else 0.06


@right("cheapest_that_fits")
def sorted_by_cost(models, needs):
    for model in sorted(
        models,
        key=lambda m: (
            m["input"] * needs["prompt"] + m["output"] * needs["reply"]
        ),
    ):
        if (
            needs["prompt"] + needs["reply"] > model["context"]
            or model["most"] < needs["reply"]
        ):
            continue
        if any(
            feature not in model["takes"]
            for feature in needs.get("takes") or ()
        ):
            continue
        if (
            "until" in needs
            and model["shutdown"]
            and needs["until"] >= model["shutdown"]
        ):
            continue
        return model["name"]
    return None


@right("cheapest_that_fits")
def with_a_loop(models, needs):
    best, least = None, math.inf
    for model in models:
        free = min(model["most"], model["context"] - needs["prompt"])
        takes = set(needs.get("takes", [])).issubset(model["takes"])
        last = (
            None
            if model["shutdown"] is None
            else model["shutdown"] - timedelta(days=1)
        )
        there = last is None or "until" not in needs or needs["until"] <= last
        dollars = (
            needs["prompt"] * model["input"] + needs["reply"] * model["output"]
        ) / 1e6
        if free >= needs["reply"] and takes and there and dollars < least:
            best, least = model["name"], dollars
    return best


def _cheapest(
    models,
    needs,
    *,
    context=None,
    most=True,
    takes=all,
    day=lambda end, until: until < end,
    cost=None,
):
    def fits(model):
        end, until = model["shutdown"], needs.get("until")
        return (
            (
                context
                or (lambda m: needs["prompt"] + needs["reply"] <= m["context"])
            )(model)
            and (not most or needs["reply"] <= model["most"])
            and takes(
                feature in model["takes"] for feature in needs.get("takes", [])
            )
            and (end is None or until is None or day(end, until))
        )

    def price(model):
        return (
            needs["prompt"] * model["input"] + needs["reply"] * model["output"]
        )

    return min(
        ((cost or price)(m), i, m["name"])
        for i, m in enumerate(models)
        if fits(m)
    )[2]


def _or_none(*given, **changed):
    try:
        return _cheapest(*given, **changed)
    except ValueError:
        return None


@wrong("cheapest_that_fits", says="share the context")
def the_prompt_alone(models, needs):
    return _or_none(
        models, needs, context=lambda model: needs["prompt"] <= model["context"]
    )


@wrong("cheapest_that_fits", says="all of it may be used")
def not_to_the_limit(models, needs):
    return _or_none(
        models,
        needs,
        context=lambda model: (
            needs["prompt"] + needs["reply"] < model["context"]
        ),
    )


@wrong("cheapest_that_fits", says="A reply has its own limit as well.")
def without_the_reply_s_limit(models, needs):
    return _or_none(models, needs, most=False)


@wrong(
    "cheapest_that_fits", says="The model must have all the features that are"
)
def any_of_the_features(models, needs):
    return _or_none(
        models, needs, takes=lambda found: any(list(found) or [True])
    )


@wrong(
    "cheapest_that_fits", says="On its shutdown day, a model no longer answers;"
)
def on_its_last_day(models, needs):
    return _or_none(models, needs, day=lambda end, until: until <= end)


@wrong("cheapest_that_fits", says="here the reply is nearly all")
def by_the_input_price(models, needs):
    return _or_none(models, needs, cost=lambda model: model["input"])


@wrong("cheapest_that_fits", "error", says="ValueError")
def nothing_fits(models, needs):
    return _cheapest(models, needs)


@wrong(
    "cheapest_that_fits", says="Without until, it does not matter when a model"
)
def only_what_stays(models, needs):
    if "until" in needs:
        return _or_none(models, needs)
    return _or_none(
        [model for model in models if model["shutdown"] is None], needs
    )


@wrong("cheapest_that_fits", says="changed its arguments")
def sorts_the_list(models, needs):
    models.sort(key=lambda model: model["input"])
    return _or_none(models, needs)


@wrong(
    "cheapest_that_fits", says="On a tie, the first in the list wins, not the"
)
def the_last_of_equals(models, needs):
    return _or_none(list(reversed(models)), needs)


class Ticket(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    product: str
    urgent: bool
    order: int | None


@right("parse_ticket")
def with_pydantic(reply):
    [choice] = reply.choices
    if choice.message.refusal is not None:
        raise ValueError(choice.message.refusal)
    if choice.finish_reason != "stop":
        raise ValueError(choice.finish_reason)
    return Ticket.model_validate_json(choice.message.content or "").model_dump()


class NoTicket(ValueError):
    pass


@right("parse_ticket")
def field_by_field(reply):
    message, reason = reply.choices[0].message, reply.choices[0].finish_reason
    if reason != "stop" or message.refusal:
        raise NoTicket(f"{reason}: {message.refusal}")
    try:
        data = json.loads(message.content)
        product, urgent, order = data["product"], data["urgent"], data["order"]
    except KeyError as error:
        raise NoTicket(f"{error} is missing") from error
    except TypeError as error:
        raise NoTicket("no JSON object") from error
    if len(data) > 3:
        raise NoTicket(f"unknown: {set(data) - {'product', 'urgent', 'order'}}")
    if not isinstance(product, str):
        raise NoTicket("product is not text")
    if urgent is not True and urgent is not False:
        raise NoTicket("urgent is not a bool")
    if isinstance(order, bool) or not isinstance(order, int | None):
        raise NoTicket("order is not a number")
    return data


TYPES = {"product": str, "urgent": bool, "order": int | None}


def _ticket(
    reply,
    *,
    refusal=True,
    reasons=("stop",),
    missing=ValueError,
    others=True,
    fits=None,
):
    choice = reply.choices[0]
    if refusal and choice.message.refusal:
        raise ValueError(choice.message.refusal)
    if choice.finish_reason not in reasons:
        raise ValueError(choice.finish_reason)
    data = json.loads(choice.message.content or "")
    if not isinstance(data, dict):
        raise ValueError("no object")
    for key, kind in TYPES.items():
        if key not in data:
            raise missing(key)
        good = isinstance(data[key], kind) and not (
            key != "urgent" and isinstance(data[key], bool)
        )
        if not (fits(key, data[key]) if fits else good):
            raise ValueError(key)
    if others and data.keys() - TYPES.keys():
        raise ValueError(str(data.keys() - TYPES.keys()))
    return data


@wrong("parse_ticket", says="The reply was cut off: say so, instead of")
def just_loads(reply):
    return json.loads(reply.choices[0].message.content)


@wrong("parse_ticket", says="Put the refusal into the error's message.")
def without_the_refusal(reply):
    return _ticket(reply, refusal=False)


@wrong("parse_ticket", says="The reply was cut off: say so, instead of")
def finish_reason_ignored(reply):
    return _ticket(reply, reasons=("stop", "length", "content_filter"))


@wrong("parse_ticket", says="Only a reply with 'stop' is complete.")
def filtered_is_fine(reply):
    return _ticket(reply, reasons=("stop", "content_filter"))


@wrong("parse_ticket", says="It was cut off, however complete it looks.")
def cut_only_where_it_is_no_json(reply):
    try:
        return _ticket(reply, reasons=("stop", "length"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{reply.choices[0].finish_reason}, {error}"
        ) from error


@wrong("parse_ticket", says="A key is missing. (A KeyError is not a")
def a_key_error(reply):
    return _ticket(reply, missing=KeyError)


@wrong("parse_ticket", says="Only these three keys are allowed.")
def more_keys(reply):
    return _ticket(reply, others=False)


@wrong("parse_ticket", says="a bool is an int")
def is_instance_alone(reply):
    return _ticket(reply, fits=lambda key, value: isinstance(value, TYPES[key]))


@wrong("parse_ticket", says="1 is not a bool.")
def truth_values(reply):
    return _ticket(
        reply,
        fits=lambda key, value: (
            value in (True, False) if key == "urgent" else _good(key, value)
        ),
    )


@wrong("parse_ticket", says="Only the order may be null")
def anything_may_be_null(reply):
    return _ticket(
        reply, fits=lambda key, value: value is None or _good(key, value)
    )


@wrong("parse_ticket", says="A string of digits is not an int.")
def converted(reply):
    return _ticket(
        reply,
        fits=lambda key, value: (
            (key == "order" and str(value).isdigit()) or _good(key, value)
        ),
    )


@wrong("parse_ticket", says="JSON, but not an object.")
def json_null_is_no_ticket(reply):
    if reply.choices[0].message.content == "null":
        return None
    return _ticket(reply)


def _good(key, value):
    return isinstance(value, TYPES[key]) and (
        key == "urgent" or not isinstance(value, bool)
    )


@right("plan_migration")
def with_recursion(in_use, table, today, days):
    end = today + timedelta(days=days)

    def gone(name):
        shutdown = table[name][0]
        return shutdown is not None and shutdown <= end

    def safe(name, seen):
        if name not in table or name in seen:
            return None
        return safe(table[name][1], {*seen, name}) if gone(name) else name

    plan = [
        (name, safe(name, set()), table[name][0] - timedelta(days=1))
        for name in set(in_use)
        if gone(name)
    ]
    return sorted(plan, key=lambda entry: (entry[2], entry[0]))


@right("plan_migration")
def with_a_bounded_loop(in_use, table, today, days):
    def left(name):
        shutdown = table[name][0] if name in table else today
        return math.inf if shutdown is None else (shutdown - today).days

    plan = []
    for name in sorted(sorted(dict.fromkeys(in_use)), key=left):
        if left(name) > days:
            continue
        to = name
        for _ in table:
            if to in table and left(to) <= days:
                to = table[to][1]
        to = to if to in table and left(to) > days else None
        plan.append((name, to, table[name][0] - timedelta(1)))
    return plan


@wrong("plan_migration", says="there is a list. Return a tuple")
def rows_as_lists(in_use, table, today, days):
    return list(map(list, with_a_bounded_loop(in_use, table, today, days)))


def _plan(
    in_use,
    table,
    today,
    days,
    *,
    dead=True,
    chain=True,
    last=1,
    every=set,
    known=True,
    edge=0,
):
    end = today + timedelta(days - edge)

    def gone(name):
        shutdown = table.get(name, (None, None))[0]
        return (
            shutdown is not None
            and shutdown <= end
            and (dead or shutdown >= today)
        )

    plan = []
    for name in every(in_use):
        if gone(name):
            to, seen = table[name][1], set()
            while chain and to and gone(to) and to not in seen:
                seen.add(to)
                to = table[to][1]
            bad = (known and to not in table) or (chain and to and gone(to))
            plan.append(
                (name, None if bad else to, table[name][0] - timedelta(last))
            )
    return sorted(plan, key=lambda entry: (entry[2], entry[0]))


@wrong("plan_migration", says="move on to the next")
def the_next_one_alone(in_use, table, today, days):
    return _plan(in_use, table, today, days, chain=False)


@wrong("plan_migration", says="A model that is already gone is in the plan as")
def without_the_dead(in_use, table, today, days):
    return _plan(in_use, table, today, days, dead=False)


@wrong("plan_migration", says="2026, 12, 10")
def the_day_of_shutdown(in_use, table, today, days):
    return _plan(in_use, table, today, days, last=0)


@wrong("plan_migration", says="Even if a name is in in_use twice, it is in the")
def twice(in_use, table, today, days):
    return _plan(in_use, table, today, days, every=list)


@wrong("plan_migration", says="A successor that is not in the table is not")
def a_successor_nobody_knows(in_use, table, today, days):
    return _plan(in_use, table, today, days, known=False)


@wrong("plan_migration", says="The last day counts. A model answers for the")
def without_the_last_day(in_use, table, today, days):
    return _plan(in_use, table, today, days, edge=1)


@wrong("plan_migration", says="The model that is shut down first comes first.")
def in_the_order_of_use(in_use, table, today, days):
    order = list(dict.fromkeys(in_use))
    return sorted(
        _plan(in_use, table, today, days),
        key=lambda entry: order.index(entry[0]),
    )


@wrong("plan_migration", "endless", says="never ends")
def round_and_round(in_use, table, today, days):
    end, plan = today + timedelta(days), []
    for name in sorted(set(in_use), key=lambda name: str(table[name][0])):
        shutdown, to = table[name]
        if shutdown and shutdown <= end:
            while to in table and table[to][0] and table[to][0] <= end:
                to = table[to][1]
            plan.append(
                (name, to if to in table else None, shutdown - timedelta(1))
            )
    return plan


@wrong("plan_migration", "error", says="RecursionError")
def recursion_without_memory(in_use, table, today, days):
    end = today + timedelta(days)

    def safe(name):
        if name not in table:
            return None
        return (
            safe(table[name][1])
            if table[name][0] and table[name][0] <= end
            else name
        )

    ends = sorted(
        (table[name][0], name)
        for name in set(in_use)
        if table[name][0] and table[name][0] <= end
    )
    return [
        (name, safe(name), shutdown - timedelta(1)) for shutdown, name in ends
    ]


@wrong("plan_migration", says="The models are each other's successors")
def on_one_day_in_any_order(in_use, table, today, days):
    plan = _plan(in_use, table, today, days)
    plan.reverse()
    plan.sort(key=lambda entry: entry[2])
    return plan


@wrong("cost_ratio", says="Hidden tokens are billed even without a visible")
def without_a_reply_no_thoughts(one, other, task):
    return _ratio(
        *(
            _cost(model, task, hidden=task["reply"] > 0)
            for model in (one, other)
        )
    )


@wrong(
    "cheapest_that_fits", says="Compare the cost of this task: here the prompt"
)
def by_the_price_of_output(models, needs):
    return _or_none(models, needs, cost=lambda model: model["output"])


@wrong("cheapest_that_fits", says="Small amounts differ as well: do not round.")
def in_whole_microdollars(models, needs):
    def dollars(model):
        return round(
            (
                needs["prompt"] * model["input"]
                + needs["reply"] * model["output"]
            )
            / 1e6,
            6,
        )

    return _or_none(models, needs, cost=dollars)


@wrong(
    "cheapest_that_fits", says="On a tie, the first in the list wins, not the"
)
def the_first_by_name(models, needs):
    return _or_none(sorted(models, key=lambda model: model["name"]), needs)


@wrong("cheapest_that_fits", says="A feature matches only by its full name.")
def with_features_in_a_text(models, needs):
    return _or_none(
        [{**model, "takes": " ".join(model["takes"])} for model in models],
        needs,
    )


@wrong("parse_ticket", says="Only a reply with 'stop' is complete.")
def with_calls_of_tools(reply):
    return _ticket(reply, reasons=("stop", "tool_calls"))


@wrong("parse_ticket", says="fence")
def out_of_a_fence(reply):
    content = reply.choices[0].message.content
    if content:
        reply = reply.model_copy(deep=True)
        bare = content.removeprefix("```json").removesuffix("```")
        reply.choices[0].message.content = bare
    return _ticket(reply)


@wrong("parse_ticket", says="The last brace is missing, so this is not JSON.")
def with_the_last_brace_put_on(reply):
    content = reply.choices[0].message.content
    if (
        content
        and content.startswith("{")
        and not content.rstrip().endswith("}")
    ):
        reply = reply.model_copy(deep=True)
        reply.choices[0].message.content = content + "}"
    return _ticket(reply)


@wrong("parse_ticket", says="False is not an int here, and it is not null")
def what_is_false_is_no_order(reply):
    return _ticket(
        reply,
        fits=lambda key, value: (
            (key == "order" and not value) or _good(key, value)
        ),
    )


@wrong("parse_ticket", says="7.0 is a float, even though its fraction is 0.")
def a_whole_float(reply):
    def fits(key, value):
        return _good(key, value) or (
            key == "order" and isinstance(value, float) and value.is_integer()
        )

    return _ticket(reply, fits=fits)


@wrong("parse_ticket", "error", says="ValueError: order")
def orders_from_0_on(reply):
    return _ticket(
        reply,
        fits=lambda key, value: (
            _good(key, value) and (key != "order" or (value or 0) >= 0)
        ),
    )


@wrong("plan_migration", says="With 0 days")
def no_days_no_plan(in_use, table, today, days):
    return _plan(in_use, table, today, days) if days > 0 else []


@wrong("plan_migration", says="On the same day, sort by the name of the model")
def by_day_and_successor(in_use, table, today, days):
    return sorted(
        _plan(in_use, table, today, days),
        key=lambda entry: (entry[2], entry[1] or "", entry[0]),
    )


def _walks(in_use, table, today, days, *, steps=99, shared=False):
    seen, end = set(), today + timedelta(days)
    plan = []
    for name, _, last in _plan(in_use, table, today, days):
        seen = seen if shared else set()
        to = table[name][1]
        while (
            to in table
            and to not in seen
            and table[to][0]
            and table[to][0] <= end
            and len(seen) < steps
        ):
            seen.add(to)
            to = table[to][1]
        safe = to in table and (table[to][0] is None or table[to][0] > end)
        plan.append((name, to if safe else None, last))
    return plan


@right("plan_migration")
def walked_one_by_one(in_use, table, today, days):
    return _walks(in_use, table, today, days)


@wrong("plan_migration", says="to the first that stays")
def five_steps_at_most(in_use, table, today, days):
    return _walks(in_use, table, today, days, steps=5)


@wrong("plan_migration", says="Two models may have the same successor: follow")
def seen_by_one_is_seen_by_all(in_use, table, today, days):
    return _walks(in_use, table, today, days, shared=True)


# Answers that two readers' checks misjudged, 2026-11-29


@wrong("cost_ratio", "error", says="The cost of the task decides")
def free_by_the_price_list(one, other, task):
    def cost(model):
        output = (task["reply"] + model["hidden"]) * model["output"]
        return task["prompt"] * model["input"] + output

    if not other["input"] and not other["output"]:
        return math.inf if one["input"] or one["output"] else 1.0
    return cost(one) / cost(other)


@wrong("cheapest_that_fits", says="Without until")
def still_there_today(models, needs):
    # as if date.today() were in the course's time
    today = datetime.date(2026, 11, 23)
    there = [
        each
        for each in models
        if not each["shutdown"] or each["shutdown"] > today
    ]

    def cost(model):
        return (
            needs["prompt"] * model["input"] + needs["reply"] * model["output"]
        )

    fitting = [
        each
        for each in there
        if needs["prompt"] + needs["reply"] <= each["context"]
        and needs["reply"] <= each["most"]
        and set(needs.get("takes", ())) <= set(each["takes"])
        and not (
            each["shutdown"] and each["shutdown"] <= needs.get("until", today)
        )
    ]
    return min(fitting, key=cost)["name"] if fitting else None


@wrong("parse_ticket", says="spaces and newlines are part of them")
def a_trimmed_product(reply):
    ticket = _ticket(reply)
    return ticket | {"product": ticket["product"].strip()}


# By authors who had seen neither checks nor solutions (2026-11-29): accepted at first


@wrong(
    "cheapest_that_fits",
    "wrong",
    says="Your own model costs nothing",
)
def a_cost_of_0_for_none_yet(models, needs):
    best, lowest = None, 0
    for model in models:
        total = needs["prompt"] + needs["reply"]
        if total > model["context"] or needs["reply"] > model["most"]:
            continue
        if not set(needs.get("takes", [])) <= set(model["takes"]):
            continue
        end = model["shutdown"]
        if "until" in needs and end and end <= needs["until"]:
            continue
        cost = needs["prompt"] * model["input"]
        cost += needs["reply"] * model["output"]
        if not lowest or cost < lowest:
            best, lowest = model["name"], cost
    return best


@wrong(
    "plan_migration",
    "wrong",
    says="A cycle need not include the first model: return",
)
def circles_through_the_beginning(in_use, table, today, days):
    def at_risk(name):
        end = table[name][0]
        return end is not None and end <= today + timedelta(days=days)

    plan = []
    for name in set(in_use):
        if at_risk(name):
            to, steps = table[name][1], 0
            while to in table and at_risk(to) and to != name:
                to, steps = table[to][1], steps + 1
                if steps > 99:
                    break
            if to not in table or to == name:
                to = None
            plan.append((name, to, table[name][0] - timedelta(days=1)))
    return sorted(plan, key=lambda each: (each[2], each[0]))
