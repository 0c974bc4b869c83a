"""Answers to the exercises of chapter 01."""

from __future__ import annotations

import copy
import datetime

import openai
from answer_table import right, wrong

from coursekit.tokens import count_tokens


@right("reply_text")
def with_early_returns(reply):
    if len(reply.choices) == 0:
        return ""
    message = reply.choices[0].message
    if message.refusal is not None:
        return message.refusal
    return "" if message.content is None else message.content


@right("reply_text")
def with_a_loop(reply):
    for choice in reply.choices:
        return next(
            (
                text
                for text in (choice.message.refusal, choice.message.content)
                if text
            ),
            "",
        )
    return ""


@right("reply_text")
def with_try(reply):
    try:
        message = reply.choices[0].message
    except IndexError:
        return ""
    return (message.content or "") if not message.refusal else message.refusal


@wrong(
    "reply_text",
    "wrong",
    says="When the model refuses, return the refusal text.",
)
def straight_through(reply):
    return reply.choices[0].message.content


@wrong("reply_text", "error", says="IndexError")
def without_looking_at_choices(reply):
    message = reply.choices[0].message
    return message.refusal or message.content or ""


@wrong(
    "reply_text",
    "wrong",
    says="content can be None, and the caller wants a str.",
)
def none_for_nothing(reply):
    if not reply.choices:
        return ""
    return reply.choices[0].message.refusal or reply.choices[0].message.content


@wrong(
    "reply_text", "wrong", says="Leave the text unchanged: spaces and newlines"
)
def stripped(reply):
    if not reply.choices:
        return ""
    message = reply.choices[0].message
    return (message.refusal or message.content or "").strip()


@wrong(
    "reply_text", "wrong", says="If there are several choices, use the first"
)
def hard_coded(reply):
    text = str(reply)
    return (
        "Paris."
        if "Paris." in text
        else "I can't help."
        if "can't help" in text
        else ""
    )


@wrong("reply_text", "wrong", says="the first")
def last_choice(reply):
    if not reply.choices:
        return ""
    return (
        reply.choices[-1].message.refusal
        or reply.choices[-1].message.content
        or ""
    )


@wrong("reply_text", "not awaited", says="def, not async def")
async def as_a_coroutine(reply):
    return reply.choices[0].message.content


@wrong("reply_text", "error", says="0 positional arguments but 1")
def without_an_argument():
    return "Paris."


@right("prompt_tokens")
def as_one_sum(messages, count):
    names = [message["name"] for message in messages if "name" in message]
    return (
        3
        + sum(4 + count(message["content"]) for message in messages)
        + sum(1 + count(name) for name in names)
    )


@right("prompt_tokens")
def with_two_loops(messages, count):
    texts = 0
    for message in messages:
        texts = texts + count(message["content"])
    frames = len(messages) * 4 + 3
    for message in messages:
        name = message.get("name")
        frames += (count(name) + 1) if name else 0
    return texts + frames


@wrong("prompt_tokens", "wrong", says="expected  14")
def texts_only(messages, count):
    return sum(count(message["content"]) for message in messages)


@wrong(
    "prompt_tokens",
    "wrong",
    says="Each message has its own frame; the 3 that open",
)
def priming_in_each_message(messages, count):
    return sum(7 + count(message["content"]) for message in messages)


@wrong("prompt_tokens", "wrong", says="A name costs 1")
def without_names(messages, count):
    return 3 + sum(4 + count(message["content"]) for message in messages)


@wrong(
    "prompt_tokens",
    "wrong",
    says="count is passed in; here it counts words. Use",
)
def with_the_course_s_own(messages, count):
    return count_tokens(messages)


@wrong("prompt_tokens", "error", says="KeyError: 'name'")
def every_message_named(messages, count):
    return 3 + sum(
        5 + count(message["content"]) + count(message["name"])
        for message in messages
    )


@right("cost_split")
def with_a_helper(usage, price):
    def part(details, name):
        return getattr(details, name, 0) or 0

    cached = part(usage.prompt_tokens_details, "cached_tokens")
    hidden = part(usage.completion_tokens_details, "reasoning_tokens")
    rates = {name: value / 1e6 for name, value in price.items()}
    return {
        "input": rates["input"] * (usage.prompt_tokens - cached),
        "cached": rates["cached"] * cached,
        "answer": rates["output"] * (usage.completion_tokens - hidden),
        "reasoning": rates["output"] * hidden,
    }


@right("cost_split")
def over_a_dump(usage, price):
    told = usage.model_dump()
    cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    hidden = (told.get("completion_tokens_details") or {}).get(
        "reasoning_tokens"
    ) or 0
    counts = [
        told["prompt_tokens"] - cached,
        cached,
        told["completion_tokens"] - hidden,
        hidden,
    ]
    prices = [price["input"], price["cached"], price["output"], price["output"]]
    names = ["input", "cached", "answer", "reasoning"]
    return {
        name: count * rate / 10**6
        for name, count, rate in zip(names, counts, prices, strict=True)
    }


def _split(
    usage, price, *, fresh=True, visible=True, rate="output", per=1_000_000
):
    cached, hidden = (
        usage.prompt_tokens_details.cached_tokens,
        usage.completion_tokens_details.reasoning_tokens,
    )
    return {
        "input": (
            (usage.prompt_tokens - (cached if fresh else 0))
            * price["input"]
            / per
        ),
        "cached": cached * price["cached"] / per,
        "answer": (
            (usage.completion_tokens - (hidden if visible else 0))
            * price["output"]
            / per
        ),
        "reasoning": hidden * price[rate] / per,
    }


@wrong(
    "cost_split", "wrong", says="prompt_tokens includes the cached tokens: bill"
)
def cached_twice(usage, price):
    return _split(usage, price, fresh=False)


@wrong("cost_split", "wrong", says="Hidden reasoning is output, and")
def reasoning_twice(usage, price):
    return _split(usage, price, visible=False)


@wrong("cost_split", "wrong")
def in_thousands(usage, price):
    return _split(usage, price, per=1_000)


@wrong("cost_split", "wrong", says="Hidden reasoning is output")
def reasoning_as_input(usage, price):
    return _split(usage, price, rate="input")


@wrong("cost_split", "error", says="'NoneType' object has no attribute")
def without_looking_at_details(usage, price):
    return _split(usage, price)


@wrong("cost_split", "wrong")
def the_sum_alone(usage, price):
    return (
        usage.prompt_tokens * price["input"] / 1e6
        + usage.completion_tokens * price["output"] / 1e6
    )


@right("safe_reply")
def with_match(client, messages, **params):
    match client.chat.completions.create(
        messages=messages, model="gpt-4o", **params
    ).choices:
        case []:
            raise ValueError("no choice")
        case [choice, *_] if (
            choice.message.refusal or choice.finish_reason != "stop"
        ):
            raise ValueError(choice.message.refusal, choice.finish_reason)
        case [choice, *_] if choice.message.content is not None:
            return choice.message.content
    raise ValueError("no text")


class Incomplete(ValueError):
    pass


@right("safe_reply")
def with_an_error_of_its_own(client, messages, **params):
    answer = client.chat.completions.create(
        **{"model": "gpt-4o", "messages": messages, **params}
    )
    if len(answer.choices) < 1:
        raise Incomplete("nothing came")
    message, reason = answer.choices[0].message, answer.choices[0].finish_reason
    if reason not in ("stop",) or message.refusal or message.content is None:
        raise Incomplete(message.refusal or f"ended by {reason}")
    return message.content


@wrong("safe_reply", says="with or without text")
def refused_only_without_text(client, messages, **params):
    reply = client.chat.completions.create(
        model="gpt-4o", messages=messages, **params
    )
    if not reply.choices:
        raise ValueError("no choice")
    choice = reply.choices[0]
    message = choice.message
    if choice.finish_reason != "stop":
        raise ValueError(message.refusal or choice.finish_reason)
    if message.content is None:
        raise ValueError(message.refusal or "no content")
    return message.content


@wrong("safe_reply", "wrong", says="raises ValueError with 'length'")
def trusting(client, messages, **params):
    return (
        client.chat.completions.create(
            model="gpt-4o", messages=messages, **params
        )
        .choices[0]
        .message.content
    )


@wrong("safe_reply", "wrong", says="content_filter")
def length_only(client, messages, **params):
    choice = client.chat.completions.create(
        model="gpt-4o", messages=messages, **params
    ).choices[0]
    if choice.finish_reason == "length":
        raise ValueError("length")
    return choice.message.content


@wrong("safe_reply", "wrong", says="Send one request, with model, messages and")
def without_params(client, messages, **params):
    return with_match(client, messages)


@wrong("safe_reply", "wrong", says="RuntimeError")
def another_error(client, messages, **params):
    try:
        return with_match(client, messages, **params)
    except ValueError as error:
        raise RuntimeError(str(error)) from error


@wrong("safe_reply", "wrong", says="'requests': [{")
def asking_twice(client, messages, **params):
    with_match(client, messages, **params)
    return with_match(client, messages, **params)


@wrong("safe_reply", "wrong", says="Put the model's refusal into the error's")
def without_the_refusal(client, messages, **params):
    choice = client.chat.completions.create(
        model="gpt-4o", messages=messages, **params
    ).choices[0]
    if choice.finish_reason != "stop" or choice.message.refusal:
        raise ValueError(choice.finish_reason)
    return choice.message.content


@right("models_at_risk")
def sorted_twice(listing, today, days):
    soon = {}
    for model in listing:
        if model.shutdown_date is not None:
            left = (
                datetime.date.fromisoformat(model.shutdown_date) - today
            ).days
            if left in range(days + 1):
                soon[model.id] = left
    return sorted(sorted(soon), key=soon.get)


@right("models_at_risk")
def as_pairs_of_text(listing, today, days):
    last = (today + datetime.timedelta(days)).isoformat()
    pairs = [(m.shutdown_date or "", m.id) for m in listing]
    return [
        name for end, name in sorted(pairs) if today.isoformat() <= end <= last
    ]


@wrong("models_at_risk", says="their order is not. If two models")
def by_text(listing, today, days):
    first, last = str(today), str(today + datetime.timedelta(days))
    near = [
        model
        for model in listing
        if model.shutdown_date and first <= model.shutdown_date <= last
    ]
    return [
        model.id
        for model in sorted(near, key=lambda model: model.shutdown_date)
    ]


@wrong("models_at_risk", says="their order is not. If two models")
def by_days_left(listing, today, days):
    left = {}
    for model in listing:
        if model.shutdown_date is not None:
            left[model.id] = (
                datetime.date.fromisoformat(model.shutdown_date) - today
            ).days
    return sorted(
        (name for name, count in left.items() if 0 <= count <= days),
        key=left.__getitem__,
    )


@wrong("models_at_risk", "error", says="fromisoformat: argument must be str")
def without_looking_at_none(listing, today, days):
    return [
        m.id
        for m in listing
        if (datetime.date.fromisoformat(m.shutdown_date) - today).days <= days
    ]


@wrong("models_at_risk", "wrong", says="they are gone")
def with_the_gone(listing, today, days):
    last = str(today + datetime.timedelta(days))
    near = [
        model
        for model in listing
        if model.shutdown_date and model.shutdown_date <= last
    ]
    return [
        model.id
        for model in sorted(near, key=lambda model: model.shutdown_date)
    ]


@wrong(
    "models_at_risk",
    "wrong",
    says="The model that is shut down first comes first.",
)
def unsorted(listing, today, days):
    near = set(by_text(listing, today, days))
    return [model.id for model in listing if model.id in near]


@wrong("models_at_risk", "wrong", says="The last day counts")
def without_the_last_day(listing, today, days):
    return by_text(listing, today, days - 1)


@wrong(
    "models_at_risk",
    "wrong",
    says="Models without a date are safe. Models whose",
)
def models_and_no_ids(listing, today, days):
    near = by_text(listing, today, days)
    return [model for model in listing if model.id in near]


@right("reply_text")
def dumped(reply):
    choices = reply.model_dump()["choices"]
    message = choices[0]["message"] if choices else {}
    return message.get("refusal") or message.get("content") or ""


@wrong("reply_text", says="A refusal counts even if")
def content_first(reply):
    message = reply.choices[0].message if reply.choices else None
    return (message.content or message.refusal or "") if message else ""


@wrong("reply_text", says="Only the first choice counts, even if it has no")
def the_first_that_has_a_text(reply):
    texts = (
        choice.message.refusal or choice.message.content
        for choice in reply.choices
    )
    return next((text for text in texts if text), "")


@wrong("reply_text", says="whatever the finish_reason")
def only_when_it_stopped(reply):
    if not reply.choices or reply.choices[0].finish_reason != "stop":
        return ""
    return (
        reply.choices[0].message.refusal
        or reply.choices[0].message.content
        or ""
    )


@wrong("reply_text", says="Return all of the text, whatever the")
def its_beginning(reply):
    message = reply.choices[0].message if reply.choices else None
    return ((message.refusal or message.content or "") if message else "")[:100]


def _of(message, count):
    return (
        4
        + count(message["content"])
        + (1 + count(message["name"]) if "name" in message else 0)
    )


@wrong("prompt_tokens", says="count is passed in; here it is len. The role")
def every_value_counted(messages, count):
    return 3 + sum(
        3 + sum(map(count, message.values())) + ("name" in message)
        for message in messages
    )


@wrong("prompt_tokens", says="Even an empty message has a frame and a role.")
def without_empty_ones(messages, count):
    return 3 + sum(
        _of(message, count) for message in messages if message["content"]
    )


@wrong("prompt_tokens", says="Each message counts, even if it is identical to")
def each_different_one_once(messages, count):
    return 3 + sum(
        {str(message): _of(message, count) for message in messages}.values()
    )


@wrong("prompt_tokens", says="Hint 1")
def ten_at_most(messages, count):
    return 3 + sum(_of(message, count) for message in messages[:10])


@wrong("prompt_tokens", says="changed its arguments")
def emptying(messages, count):
    total = 3
    while messages:
        total += _of(messages.pop(), count)
    return total


def _parts(usage):
    before, after = usage.prompt_tokens_details, usage.completion_tokens_details
    return (before and before.cached_tokens) or 0, (
        after and after.reasoning_tokens
    ) or 0


@wrong("cost_split", says="do not round")
def rounded(usage, price):
    cached, hidden = _parts(usage)
    counts = {"input": usage.prompt_tokens - cached, "cached": cached}
    counts |= {"answer": usage.completion_tokens - hidden, "reasoning": hidden}
    return {
        name: round(tokens * price.get(name, price["output"]) / 1e6, 9)
        for name, tokens in counts.items()
    }


@wrong("cost_split", says="One of the two details")
def all_details_or_none(usage, price):
    missing = (
        usage.prompt_tokens_details is None
        or usage.completion_tokens_details is None
    )
    cached, hidden = (0, 0) if missing else _parts(usage)
    return {
        "input": (usage.prompt_tokens - cached) * price["input"] / 1e6,
        "cached": cached * price["cached"] / 1e6,
        "answer": (usage.completion_tokens - hidden) * price["output"] / 1e6,
        "reasoning": hidden * price["output"] / 1e6,
    }


@wrong("cost_split", says="changed its arguments")
def subtracted_in_place(usage, price):
    cached, hidden = _parts(usage)
    usage.prompt_tokens -= cached
    usage.completion_tokens -= hidden
    counts = {"input": usage.prompt_tokens, "cached": cached}
    counts |= {"answer": usage.completion_tokens, "reasoning": hidden}
    return {
        name: tokens * price.get(name, price["output"]) / 1e6
        for name, tokens in counts.items()
    }


def _checked(answer):
    if (
        not answer.choices
        or answer.choices[0].message.content is None
        or answer.choices[0].finish_reason != "stop"
    ):
        raise ValueError(str(answer))
    return answer.choices[0].message.content


@wrong("safe_reply", says="Send one request, with model, messages and")
def params_that_are_true(client, messages, **params):
    given = {name: value for name, value in params.items() if value}
    return _checked(
        client.chat.completions.create(
            model="gpt-4o", messages=messages, **given
        )
    )


@wrong("safe_reply", says="Hint 1")
def stripped_answer(client, messages, **params):
    return _checked(
        client.chat.completions.create(
            model="gpt-4o", messages=messages, **params
        )
    ).strip()


@wrong("safe_reply", says="Text that was cut off can look complete,")
def asking_again_when_cut(client, messages, **params):
    answer = client.chat.completions.create(
        model="gpt-4o", messages=messages, **params
    )
    if answer.choices and answer.choices[0].finish_reason == "length":
        answer = client.chat.completions.create(
            model="gpt-4o", messages=messages, **params
        )
    return _checked(answer)


@wrong("safe_reply", says="The SDK's own errors say more")
def everything_is_a_value_error(client, messages, **params):
    try:
        return _checked(
            client.chat.completions.create(
                model="gpt-4o", messages=messages, **params
            )
        )
    except openai.APIError as error:
        raise ValueError(str(error)) from None


def _soon(listing, today, days):
    ends = [
        (datetime.date.fromisoformat(each.shutdown_date), each.id)
        for each in listing
        if each.shutdown_date
    ]
    return sorted(
        (end, each)
        for end, each in ends
        if today <= end <= today + datetime.timedelta(days=days)
    )


@wrong(
    "models_at_risk", says="If two models have the same date, sort them by id."
)
def one_a_day(listing, today, days):
    return list(dict(_soon(listing, today, days)).values())


@wrong(
    "models_at_risk", says="Return all of them, no matter how many there are."
)
def the_first_ten(listing, today, days):
    return [name for _, name in _soon(listing, today, days)][:10]


@wrong("models_at_risk", says="366 days after 2028-02-27 is 2029-02-27.")
def months_of_30_days(listing, today, days):
    def away(end):
        return (
            (end.year - today.year) * 365
            + (end.month - today.month) * 30
            + end.day
            - today.day
        )

    return [
        name for end, name in _soon(listing, today, 9999) if away(end) <= days
    ]


@wrong("models_at_risk", says="changed its arguments")
def sorted_in_place(listing, today, days):
    listing.sort(key=lambda model: model.shutdown_date or "")
    return [name for _, name in _soon(listing, today, days)]


# Answers that two readers' checks misjudged, 2026-11-29


@wrong("models_at_risk", says="their order is not. If two models")
def ties_in_reverse(listing, today, days):
    ends = {
        m.id: datetime.date.fromisoformat(m.shutdown_date)
        for m in listing
        if m.shutdown_date
    }
    near = (
        i
        for i in sorted(ends, reverse=True)
        if 0 <= (ends[i] - today).days <= days
    )
    return sorted(near, key=ends.get)


@wrong("models_at_risk", says="there is a tuple. Return a list")
def ids_in_a_tuple(listing, today, days):
    return tuple(as_pairs_of_text(listing, today, days))


@right("prompt_tokens")
def on_a_deep_copy(messages, count):
    total = 3
    for message in copy.deepcopy(messages):
        name = message.pop("name", None)
        total += 4 + count(message.pop("content"))
        if name:
            total += 1 + count(name)
    return total


@wrong("prompt_tokens", says="spaces and newlines are part of it")
def of_stripped_texts(messages, count):
    return as_one_sum(messages, lambda text: count(text.strip()))


@wrong("prompt_tokens", says="there is a float. Return an int")
def as_a_float(messages, count):
    return float(as_one_sum(messages, count))


@wrong("cost_split", says="changed its arguments")
def none_replaced_in_usage(usage, price):
    details = usage.prompt_tokens_details
    if details and details.cached_tokens is None:
        details.cached_tokens = 0
    return with_a_helper(usage, price)


def _whole(reply):
    if not reply.choices:
        raise ValueError("no choices")
    return reply.choices[0]


@wrong("safe_reply", "error", says="An empty text that ended by itself")
def empty_is_nothing(client, messages, **params):
    c = _whole(
        client.chat.completions.create(
            model="gpt-4o", messages=messages, **params
        )
    )
    if c.message.refusal or c.finish_reason != "stop" or not c.message.content:
        raise ValueError(c.message.refusal or c.finish_reason)
    return c.message.content


@wrong("safe_reply", says="Put the model's refusal into")
def finish_reason_before_the_refusal(client, messages, **params):
    c = _whole(
        client.chat.completions.create(
            model="gpt-4o", messages=messages, **params
        )
    )
    if c.finish_reason != "stop":
        raise ValueError(c.finish_reason)
    if c.message.refusal or c.message.content is None:
        raise ValueError(c.message.refusal)
    return c.message.content


@wrong("safe_reply", says="exactly the **params")
def with_a_parameter_of_its_own(client, messages, **params):
    params.setdefault("top_p", 1)
    c = _whole(
        client.chat.completions.create(
            model="gpt-4o", messages=messages, **params
        )
    )
    return c.message.content


# By authors who had seen neither checks nor solutions (2026-11-29): accepted at first


@wrong("safe_reply", "wrong", says="exactly the **params you are given")
def a_temperature_of_its_own(client, messages, **params):
    params.setdefault("temperature", 0)
    return with_an_error_of_its_own(client, messages, **params)


@wrong("safe_reply", "wrong", says="Only a reply with 'stop' is complete")
def two_reasons_from_a_list(client, messages, **params):
    reply = client.chat.completions.create(
        model="gpt-4o", messages=messages, **params
    )
    if not reply.choices:
        raise ValueError("no choice")
    choice = reply.choices[0]
    if choice.message.refusal:
        raise ValueError(f"refused: {choice.message.refusal}")
    if choice.finish_reason in ("length", "content_filter"):
        raise ValueError(f"finish_reason: {choice.finish_reason}")
    if choice.message.content is None:
        raise ValueError(f"no content, finish_reason: {choice.finish_reason}")
    return choice.message.content


@wrong("safe_reply", "wrong", says="The arguments belong to the caller")
def with_the_answer_in_the_history(client, messages, **params):
    text = with_an_error_of_its_own(client, messages, **params)
    messages.append({"role": "assistant", "content": text})
    return text


@wrong("safe_reply", "wrong", says="The arguments belong to the caller")
def with_a_changed_param(client, messages, **params):
    if "stop" in params:
        params["stop"].append("END")
        params["stop"] = params["stop"][:-1]
    return with_an_error_of_its_own(client, messages, **params)
