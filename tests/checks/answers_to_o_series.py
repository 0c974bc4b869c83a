"""Answers to the exercises in chapter 07."""

from __future__ import annotations

import copy
import math
from statistics import mean

import openai
from answer_table import right, wrong

from coursekit import models, reasoning

NEVER = ("stop", "logit_bias")
SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
)
EFFORTS = {
    name: models.get(name).efforts
    for name in ("o4-mini", "gpt-6-luna", "gpt-6.2-sol")
}


@right("exhausted")
def with_any(reply):
    return any(
        choice.finish_reason == "length"
        and choice.message.content in (None, "")
        for choice in reply.choices
    )


@right("exhausted")
def over_a_dump(reply):
    told = [
        (choice["finish_reason"], choice["message"]["content"])
        for choice in reply.model_dump()["choices"]
    ]
    return ("length", "") in told or ("length", None) in told


@right("exhausted")
def as_the_course_does(reply):
    return reasoning.exhausted(reply)


@wrong("exhausted", says="there was room for some")
def every_length(reply):
    return any(choice.finish_reason == "length" for choice in reply.choices)


@wrong("exhausted", says="ended by itself")
def every_empty_text(reply):
    return any(not choice.message.content for choice in reply.choices)


@wrong("exhausted", says="Empty content may also be None.")
def without_none(reply):
    return any(
        choice.finish_reason == "length" and choice.message.content == ""
        for choice in reply.choices
    )


@wrong("exhausted", "error", says="IndexError")
def the_first_choice(reply):
    return (
        reply.choices[0].finish_reason == "length"
        and not reply.choices[0].message.content
    )


@wrong("exhausted", says="A space is text: there was room for it.")
def stripped(reply):
    return any(
        c.finish_reason == "length" and not (c.message.content or "").strip()
        for c in reply.choices
    )


@wrong("exhausted", says="The same choice must have")
def from_different_choices(reply):
    return every_length(reply) and every_empty_text(reply)


@wrong("exhausted", says="One empty choice is enough")
def every_choice(reply):
    return bool(reply.choices) and all(
        c.finish_reason == "length" and not c.message.content
        for c in reply.choices
    )


@right("reasoning_share")
def with_two_sums(replies):
    bills = [reply.usage for reply in replies if reply.usage is not None]
    hidden = [
        bill.completion_tokens_details
        and bill.completion_tokens_details.reasoning_tokens
        for bill in bills
    ]
    output = sum(bill.completion_tokens for bill in bills)
    return sum(filter(None, hidden)) / output if output > 0 else 0


@right("reasoning_share")
def with_getattr(replies):
    hidden, output = 0, 0
    for reply in replies:
        output += getattr(reply.usage, "completion_tokens", 0)
        hidden += (
            getattr(
                getattr(reply.usage, "completion_tokens_details", None),
                "reasoning_tokens",
                0,
            )
            or 0
        )
    try:
        return hidden / output
    except ZeroDivisionError:
        return 0.0


def _bills(replies):
    for reply in replies:
        details = reply.usage and reply.usage.completion_tokens_details
        if reply.usage:
            yield (
                reply.usage.completion_tokens,
                (details.reasoning_tokens or 0) if details else 0,
            )


@wrong(
    "reasoning_share", says="Add up first, and then divide: the result is not"
)
def a_mean(replies):
    return mean(
        [hidden / output for output, hidden in _bills(replies)] or [0.0]
    )


@wrong("reasoning_share", says="expected  0.75")
def of_the_visible(replies):
    bills = list(_bills(replies))
    visible = sum(output - hidden for output, hidden in bills)
    return sum(hidden for _, hidden in bills) / visible if visible else 0.0


@wrong("reasoning_share", "error", says="'NoneType' object has no attribute")
def without_looking_at_details(replies):
    bills = [reply.usage for reply in replies]
    output = sum(bill.completion_tokens for bill in bills)
    return (
        sum(bill.completion_tokens_details.reasoning_tokens for bill in bills)
        / output
        if output
        else 0.0
    )


@wrong("reasoning_share", "error", says="ZeroDivisionError")
def dividing_by_nothing(replies):
    bills = list(_bills(replies))
    return sum(hidden for _, hidden in bills) / sum(
        output for output, _ in bills
    )


@wrong("reasoning_share", says="case 1 of")
def reads_twice(replies):
    output = sum(
        reply.usage.completion_tokens for reply in replies if reply.usage
    )
    hidden = sum(hidden for _, hidden in _bills(replies))
    return hidden / output if output else 0.0


@wrong("reasoning_share", says="without details counts")
def leaves_out_what_has_no_details(replies):
    return with_two_sums(
        [
            reply
            for reply in replies
            if reply.usage and reply.usage.completion_tokens_details
        ]
    )


@wrong("reasoning_share", says="expected  0.75")
def in_percent(replies):
    return 100 * with_two_sums(replies)


@right("cheapest_correct")
def with_min(ways):
    def cost(name):
        correct = len([1 for said, truth, _ in ways[name] if said == truth])
        return (
            sum(answer[2] for answer in ways[name]) / correct
            if correct
            else math.inf
        )

    best = min(ways, key=cost, default=None)
    return None if best is None or cost(best) == math.inf else best


@right("cheapest_correct")
def sorted_by_cost(ways):
    found = []
    for place, (name, answers) in enumerate(ways.items()):
        right_ones = [
            said
            for said, truth, _ in answers
            if said is not None and said == truth
        ]
        if right_ones:
            found.append(
                (
                    sum(dollars for *_, dollars in answers) / len(right_ones),
                    place,
                    name,
                )
            )
    return sorted(found)[0][2] if found else None


def _cheapest(
    ways,
    *,
    paid=lambda said, truth: True,
    divide=lambda answers, correct: correct,
    last=False,
):
    best, least = None, math.inf
    for name, answers in ways.items():
        correct = sum(said == truth for said, truth, _ in answers)
        if correct:
            cost = sum(
                dollars for said, truth, dollars in answers if paid(said, truth)
            ) / divide(answers, correct)
            if cost < least or (last and cost == least):
                best, least = name, cost
    return best


@wrong("cheapest_correct", says="You paid for the wrong answers as well: one")
def wrong_ones_for_free(ways):
    return _cheapest(ways, paid=lambda said, truth: said == truth)


@wrong("cheapest_correct", says="You paid for the wrong answers as well: one")
def per_answer(ways):
    return _cheapest(ways, divide=lambda answers, correct: len(answers))


@wrong(
    "cheapest_correct", says="What counts is the cost per correct answer, not"
)
def the_total(ways):
    return _cheapest(ways, divide=lambda answers, correct: 1)


@wrong("cheapest_correct", "error", says="ZeroDivisionError")
def dividing_by_none_correct(ways):
    costs = {
        n: sum(d for *_, d in answers) / sum(s == t for s, t, _ in answers)
        for n, answers in ways.items()
    }
    return min(costs, key=costs.get)


@wrong("cheapest_correct", says="On a tie, the first one wins.")
def the_last_of_equals(ways):
    return _cheapest(ways, last=True)


@wrong("cheapest_correct", says="A way that costs nothing is the cheapest.")
def zero_is_nothing(ways):
    return _cheapest(
        {
            name: answers
            for name, answers in ways.items()
            if sum(d for *_, d in answers)
        }
    )


@wrong("cheapest_correct", says="changed its arguments")
def throws_out_the_hopeless(ways):
    for name in [
        name
        for name, answers in ways.items()
        if not any(s == t for s, t, _ in answers)
    ]:
        del ways[name]
    return _cheapest(ways)


@wrong("cheapest_correct", says="You paid for the wrong answers as well: one")
def hard_coded(ways):
    return {"small": "small", "often wrong": "always right", "one": "two"}.get(
        next(iter(ways), None)
    )


@right("ask_with_headroom")
def one_after_the_other(client, params, first, ceiling):
    if first <= 0 or ceiling <= first:
        raise ValueError("two budgets, the second greater")
    reply = client.chat.completions.create(
        max_completion_tokens=first, **params
    )
    tokens = reply.usage.completion_tokens
    if reply.choices[0].finish_reason == "length":
        reply = client.chat.completions.create(
            max_completion_tokens=ceiling, **params
        )
        tokens += reply.usage.completion_tokens
        if reply.choices[0].finish_reason == "length":
            raise RuntimeError(f"{tokens:,} tokens, and no answer")
    return reply.choices[0].message.content, tokens


class NoRoom(RuntimeError):
    pass


@right("ask_with_headroom")
def with_a_list_of_replies(client, params, first, ceiling):
    if not (first > 0 and ceiling > first):
        raise ValueError((first, ceiling))
    replies = []
    for budget in [first, ceiling]:
        replies += [
            client.chat.completions.create(
                **{**params, "max_completion_tokens": budget}
            )
        ]
        if replies[-1].choices[0].finish_reason != "length":
            break
    billed = sum(reply.usage.completion_tokens for reply in replies)
    [choice] = replies[-1].choices
    if choice.finish_reason == "length":
        raise NoRoom(billed)
    return choice.message.content, billed


@wrong("ask_with_headroom", says="there is a list. Return a tuple")
def as_a_list(client, params, first, ceiling):
    return list(with_a_list_of_replies(client, params, first, ceiling))


def _asked(
    client,
    params,
    budgets,
    *,
    again=lambda choice: choice.finish_reason == "length",
    all_billed=True,
):
    billed = 0
    for budget in budgets:
        reply = client.chat.completions.create(
            **params, max_completion_tokens=budget
        )
        billed = (billed if all_billed else 0) + reply.usage.completion_tokens
        if not again(reply.choices[0]):
            return reply.choices[0].message.content, billed
    raise RuntimeError(f"{billed} tokens")


def _checked(first, ceiling):
    if not 0 < first < ceiling:
        raise ValueError(f"{first}, {ceiling}")
    return first, ceiling


@wrong(
    "ask_with_headroom", says="Text that was cut off is not a complete answer"
)
def only_when_empty(client, params, first, ceiling):
    return _asked(
        client,
        params,
        _checked(first, ceiling),
        again=lambda choice: not choice.message.content,
    )


@wrong(
    "ask_with_headroom", says="The finish_reason decides: this one did not run"
)
def whatever_is_not_stop(client, params, first, ceiling):
    return _asked(
        client,
        params,
        _checked(first, ceiling),
        again=lambda choice: choice.finish_reason != "stop",
    )


@wrong("ask_with_headroom", says="Both calls are billed")
def the_last_bill_alone(client, params, first, ceiling):
    return _asked(client, params, _checked(first, ceiling), all_billed=False)


@wrong("ask_with_headroom", says="before anything is sent")
def without_looking_at_the_budgets(client, params, first, ceiling):
    return _asked(client, params, (first, ceiling))


@wrong(
    "ask_with_headroom", says="Ask twice and no more. The error says how many"
)
def until_it_works(client, params, first, ceiling):
    return _asked(client, params, [*_checked(first, ceiling), ceiling, ceiling])


@wrong("ask_with_headroom", says="'params': {")
def changes_params(client, params, first, ceiling):
    _checked(first, ceiling)
    params["max_completion_tokens"] = first
    reply = client.chat.completions.create(**params)
    return reply.choices[0].message.content, reply.usage.completion_tokens


@wrong("ask_with_headroom", says="Let an API error propagate. It does not")
def every_error_is_want_of_room(client, params, first, ceiling):
    budgets = _checked(first, ceiling)
    try:
        return _asked(client, params, budgets)
    except openai.APIError:
        return _asked(client, params, [ceiling])


@wrong(
    "ask_with_headroom", says="Pass on everything in params, in both requests."
)
def model_and_messages_alone(client, params, first, ceiling):
    chosen = {"model": params["model"], "messages": params["messages"]}
    return _asked(client, chosen, _checked(first, ceiling))


@wrong("ask_with_headroom", says="raised RuntimeError'")
def without_the_number(client, params, first, ceiling):
    try:
        return _asked(client, params, _checked(first, ceiling))
    except RuntimeError:
        raise RuntimeError("no room") from None


@wrong("ask_with_headroom", says="The first budget was enough: do not send a")
def the_ceiling_always(client, params, first, ceiling):
    first, ceiling = _checked(first, ceiling)
    return _asked(client, params, [ceiling])


@right("migrate")
def over_a_deep_copy(params, to_model, headroom):
    moved = copy.deepcopy(params)
    moved["model"] = to_model
    limit = moved.pop("max_tokens", moved.pop("max_completion_tokens", None))
    effort = moved.pop("reasoning_effort", None)
    if effort not in EFFORTS[to_model]:
        effort = "none" if "none" in EFFORTS[to_model] else None
    gone = NEVER if effort == "none" else NEVER + SAMPLING
    moved = {name: value for name, value in moved.items() if name not in gone}
    if limit is not None:
        moved["max_completion_tokens"] = (
            limit if effort == "none" else limit + headroom
        )
    return moved if effort is None else moved | {"reasoning_effort": effort}


@right("migrate")
def parameter_by_parameter(params, to_model, headroom):
    efforts, asked = EFFORTS[to_model], params.get("reasoning_effort")
    effort = asked if asked in efforts else "none" if "none" in efforts else ""
    moved = {}
    for name, value in params.items():
        if name == "model":
            moved[name] = to_model
        elif name in ("max_tokens", "max_completion_tokens"):
            moved["max_completion_tokens"] = value + headroom * (
                effort != "none"
            )
        elif (
            name not in NEVER
            and name != "reasoning_effort"
            and (effort == "none" or name not in SAMPLING)
        ):
            moved[name] = value
    if effort:
        moved["reasoning_effort"] = effort
    return moved


def _moved(params, to_model, headroom, **changes):
    return over_a_deep_copy(params, to_model, headroom) | changes


@wrong("migrate", says="case 1 of")
def the_model_alone(params, to_model, headroom):
    return {**params, "model": to_model, "max_completion_tokens": headroom}


@wrong("migrate", says="changed its arguments")
def in_place(params, to_model, headroom):
    moved = over_a_deep_copy(params, to_model, headroom)
    params.clear()
    params.update(moved)
    return params


@wrong("migrate", says="Use the new name. And the limit now has to")
def without_headroom(params, to_model, headroom):
    return over_a_deep_copy(params, to_model, 0)


@wrong("migrate", says="gpt-6-luna can do without reasoning: send")
def sampling_always_goes(params, to_model, headroom):
    moved = over_a_deep_copy(params, to_model, headroom)
    return {
        name: value for name, value in moved.items() if name not in SAMPLING
    }


@wrong("migrate", says="Remove what is in NEVER, even without reasoning.")
def stop_where_it_does_not_reason(params, to_model, headroom):
    moved = over_a_deep_copy(params, to_model, headroom)
    if moved.get("reasoning_effort") == "none":
        moved |= {name: params[name] for name in NEVER if name in params}
    return moved


@wrong("migrate", says="Keep an effort that was requested: then the")
def none_always(params, to_model, headroom):
    rest = {
        name: value
        for name, value in params.items()
        if name != "reasoning_effort"
    }
    return over_a_deep_copy(rest, to_model, headroom)


@wrong("migrate", says="o4-mini does not have 'none', so it reasons.")
def any_effort(params, to_model, headroom):
    if "reasoning_effort" in params:
        return _moved(
            params,
            to_model,
            headroom,
            reasoning_effort=params["reasoning_effort"],
        )
    return over_a_deep_copy(params, to_model, headroom)


@wrong("migrate", says="Remove the parameter whatever its value, even 0.")
def falsy_values_stay(params, to_model, headroom):
    kept = {
        name: value
        for name, value in params.items()
        if name in SAMPLING and not value
    }
    return _moved(params, to_model, headroom, **(kept if len(kept) > 1 else {}))


@wrong("migrate", says="its new name already")
def a_limit_of_the_old_name_alone(params, to_model, headroom):
    moved = over_a_deep_copy(params, to_model, headroom)
    if "max_completion_tokens" in params:
        moved["max_completion_tokens"] = params["max_completion_tokens"]
    return moved


@wrong("migrate", says="'reasoning_effort': None")
def an_effort_of_none(params, to_model, headroom):
    return {"reasoning_effort": None} | over_a_deep_copy(
        params, to_model, headroom
    )


def _by_cost(ways, correct, digits=12, order=list):
    costs = {}
    for name in order(ways):
        right_ones = sum(
            bool(correct(said, truth)) for said, truth, _ in ways[name]
        )
        if right_ones:
            costs[name] = round(
                sum(dollars for *_, dollars in ways[name]) / right_ones, digits
            )
    return min(costs, key=costs.get, default=None)


@wrong("cheapest_correct", says="On a tie, the first in the dict wins, not the")
def the_first_by_name(ways):
    return _by_cost(ways, lambda said, truth: said == truth, order=sorted)


@wrong("cheapest_correct", says="Small amounts differ as well: do not round.")
def in_hundredths_of_a_cent(ways):
    return _by_cost(ways, lambda said, truth: said == truth, digits=4)


@wrong("cheapest_correct", says="'8' is not 8")
def compared_as_texts(ways):
    return _by_cost(ways, lambda said, truth: str(said) == str(truth))


@wrong("cheapest_correct", says="the same object")
def the_same_object(ways):
    return _by_cost(ways, lambda said, truth: said is truth)


@wrong("exhausted", says="in the middle")
def the_first_or_the_last(reply):
    return any(
        choice.finish_reason == "length" and not choice.message.content
        for choice in (*reply.choices[:1], *reply.choices[-1:])
    )


@wrong(
    "reasoning_share", says="Count all replies, no matter how many there are."
)
def of_ten_replies(replies):
    return reasoning_share_of(list(replies)[:10])


@right("reasoning_share")
def reasoning_share_of(replies):
    billed = [reply.usage for reply in replies if reply.usage]
    hidden = sum(
        getattr(each.completion_tokens_details, "reasoning_tokens", 0) or 0
        for each in billed
    )
    out = sum(each.completion_tokens for each in billed)
    return hidden / out if out else 0.0


@wrong("migrate", says="including 0, False, and None")
def without_what_is_none(params, to_model, headroom):
    moved = over_a_deep_copy(params, to_model, headroom)
    return {name: value for name, value in moved.items() if value is not None}


@wrong("migrate", says="including 0, False, and None")
def without_zeros(params, to_model, headroom):
    moved = over_a_deep_copy(params, to_model, headroom)
    return {
        name: value
        for name, value in moved.items()
        if value or name in SAMPLING
    }


# Answers that two readers' checks misjudged, 2026-11-29


@wrong("cheapest_correct", says="A cost of 0 is a cost")
def nothing_is_not_yet_best(ways):
    best, best_cost = None, None
    for name, answers in ways.items():
        correct = sum(said == truth for said, truth, _ in answers)
        if correct:
            cost = sum(dollars for _, _, dollars in answers) / correct
            if not best_cost or cost < best_cost:
                best, best_cost = name, cost
    return best


# By authors who had seen neither checks nor solutions (2026-11-29): accepted at first


@wrong("ask_with_headroom", "wrong", says="its text is not a complete answer")
def cut_text_is_better_than_none(client, params, first, ceiling):
    if not 0 < first < ceiling:
        raise ValueError("need 0 < first < ceiling")
    used = 0
    for budget in (first, ceiling):
        reply = client.chat.completions.create(
            **params, max_completion_tokens=budget
        )
        used += reply.usage.completion_tokens
        choice = reply.choices[0]
        if choice.finish_reason != "length":
            break
    if not choice.message.content and choice.finish_reason == "length":
        raise RuntimeError(f"{used} tokens, no answer")
    return choice.message.content, used
