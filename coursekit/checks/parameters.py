"""Checks of chapter 02: penalties, temperature, the nucleus, log-probabilities, and what a model
takes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from .case import Case, Raises, call
from .exercise import exercise
from .parameter_cases import logprobs, sanitized
from .untouched import untouched

LOOP = {" soul": 12.4, " so": 1.5, " saint": 4.0, ",": 7.25}


@exercise(
    stars=1,
    hints=(
        (
            "Two amounts come off a logit: one that grows with each use of its token, and one that "
            "comes once."
        ),
        (
            "With count = reply.count(token): count * frequency_penalty, and presence_penalty if "
            "count is not 0."
        ),
        (
            "For each token and its logit in logits.items(), with count = reply.count(token): the "
            "new logit is "
            "logit - count * frequency_penalty - (presence_penalty if count else 0). Collect them "
            "in a new dict."
        ),
    ),
)
def apply_penalties(rng: Random) -> Iterator[Case]:
    """The logits less what the reply so far costs them."""

    def case(
        logits: Mapping[str, float],
        reply: Sequence[str],
        why: str = "",
        **penalties: Any,
    ) -> Case:
        frequency, presence = (
            penalties.get(name, 0.0)
            for name in ("frequency_penalty", "presence_penalty")
        )
        counts = Counter(reply)
        less = {
            token: counts[token] * frequency + (presence if counts[token] else 0)
            for token in logits
        }
        expected = {token: logit - less[token] for token, logit in logits.items()}
        return untouched(
            logits, list(reply), expects=expected, why=why, fresh=True, **penalties
        )

    loop = [" soul", ",", " soul", ",", " soul"]
    yield case(
        LOOP,
        loop,
        "Frequency: as often as the token stands there.",
        frequency_penalty=1.5,
    )
    yield case(
        LOOP,
        loop,
        "Presence: once, however often the token stands there.",
        presence_penalty=2,
    )
    yield case(
        LOOP,
        loop,
        "Both together are added up.",
        frequency_penalty=0.5,
        presence_penalty=0.25,
    )
    yield case(LOOP, loop, "Both penalties are 0 where they are not given.")
    yield case(
        LOOP,
        [],
        "A reply that begins here has used no token.",
        frequency_penalty=2,
        presence_penalty=2,
    )
    yield case(
        LOOP,
        loop,
        "A negative penalty rewards: the logit grows.",
        frequency_penalty=-1,
        presence_penalty=-0.5,
    )
    far = [*loop, " sea"]
    yield case(
        LOOP,
        far,
        "A token of the reply without a logit gets none.",
        frequency_penalty=1,
        presence_penalty=1,
    )
    twins = {"The": 2.5, " the": 2.0, "the": -1.5, " The": 0.125}
    yield case(
        twins,
        ["The", " the", "The"],
        "A blank, a capital: another token.",
        frequency_penalty=1,
    )
    long = [" soul", ","] * 90
    yield case(
        LOOP,
        long,
        "Count all of a long reply; nothing is rounded.",
        frequency_penalty=1.23456789,
    )
    for _ in range(4):
        tokens = rng.sample(
            [" a", " an", " and", ".", "\n", " sea", " seas", " deep"], 5
        )
        logits = {token: rng.randint(-40, 40) / 4 for token in tokens}
        frequency, presence = rng.randint(-8, 8) / 4, rng.randint(-8, 8) / 4
        reply = rng.choices(tokens[:4], k=rng.randint(1, 9))
        yield case(
            logits, reply, frequency_penalty=frequency, presence_penalty=presence
        )


@exercise(
    stars=2,
    hints=(
        (
            "Divide each logit by the temperature, then take exp, then divide by the sum. Two "
            "things "
            "break that formula."
        ),
        (
            "exp(1000) is too large for a float: subtract the largest logit from all of them "
            "first, which changes "
            "nothing. And at temperature 0 there is no dividing: the largest logits share 1 among "
            "them."
        ),
        (
            "top = max(logits). At 0: weights = [1 if z == top else 0 for z in logits]; else "
            "weights = [math.exp((z - top) / temperature) for z in logits]. Return each weight / "
            "sum(weights)."
        ),
    ),
)
def softmax_t(rng: Random) -> Iterator[Case]:
    """Logits as probabilities, at a temperature."""

    def case(logits: Sequence[float], temperature: float, why: str = "") -> Case:
        top = max(logits)
        weights = [
            math.exp((logit - top) / temperature)
            if temperature
            else float(logit == top)
            for logit in logits
        ]
        expected = [weight / sum(weights) for weight in weights]
        return untouched(list(logits), temperature, expects=expected, why=why)

    light = [-0.72, -1.36, -3.24, -3.44]
    yield case(light, 1)
    yield case(
        light, 0.5, "A temperature divides the logits: below 1 the favorite gains."
    )
    yield case(light, 2, "A temperature divides the logits: above 1 the tail gains.")
    yield case([1.0, 3.0, 2.0], 1, "Each probability stands where its logit stands.")
    yield case([0.0, 3.011, 3.0], 0, "At 0 the smallest lead takes everything.")
    yield case([2.0, 5.0, 5.0], 0, "At 0, those that are equally large share equally.")
    yield case(
        [1000.0, 999.0, 990.0],
        1,
        "exp(1000) is too large for a float. Only differences between logits count.",
    )
    yield case(
        [-1000.0, -1001.0],
        0.7,
        "exp(-1000) is 0 for a float. Only differences between logits count.",
    )
    yield case(
        [2000.0, -2000.0, 1999.0],
        1,
        "Where the logits lie far apart, only the largest one is safe to subtract.",
    )
    yield case(
        [1.0, 1.0 + 1e-7, 0.0],
        0,
        "At 0 the smallest lead takes everything: it is a case of its own.",
    )
    yield case([1.0, 1.0004, 1.0], 0.0005, "A small temperature is not 0.")
    yield case(
        [3.0, 1.0, 3.0, 1.0],
        5,
        "Any temperature above 0 will do, and logits may be equal at each.",
    )
    yield case([4.0], 1.5)
    yield call(
        light, -0.5, expects=Raises(ValueError), why="Below 0 there is no temperature."
    )
    for _ in range(4):
        logits = [rng.randint(-800, 800) / 100 for _ in range(rng.randint(2, 7))]
        yield case(logits, rng.choice([0.25, 0.7, 1.0, 1.3, 2.0]))


@exercise(
    stars=2,
    hints=(
        (
            "A logprob is the natural logarithm of a probability. Which token decides whether the "
            "whole reply is sure?"
        ),
        (
            "math.exp(token.logprob) of each token in logprobs.content must reach the threshold, "
            "so the least sure one "
            "decides. And logprobs, or its content, can be None or empty: that is no yes and no no."
        ),
        (
            "if not logprobs or not logprobs.content: raise ValueError('… ask with "
            "logprobs=True'). Then "
            "return all(math.exp(token.logprob) >= threshold for token in logprobs.content)."
        ),
    ),
)
def confident(rng: Random) -> Iterator[Case]:
    """Whether the model was sure of each token of a reply."""

    def case(
        shares: Sequence[float],
        threshold: float,
        why: str = "",
        others: Sequence[float] = (),
    ) -> Case:
        shown = f"logprobs of tokens with the probabilities {list(shares)}, {threshold}"
        expected = all(share >= threshold for share in shares)
        return call(
            logprobs(shares, others), threshold, expects=expected, why=why, shown=shown
        )

    yield case([0.97, 0.94], 0.9)
    yield case([0.97, 0.48], 0.9)
    yield case(
        [0.99, 0.99, 0.3, 0.99, 0.99, 0.99],
        0.8,
        "One doubtful token among many sure ones is enough.",
    )
    yield case(
        [0.95] * 12,
        0.9,
        "Each token is compared for itself, so a long reply is no less sure than a short one.",
    )
    yield case(
        [1.0, 1.0], 1.0, "A token that just reaches the threshold has reached it."
    )
    yield case([0.8996, 0.95], 0.9, "0.8996 does not reach 0.9: nothing is rounded.")
    yield case([0.99] * 40 + [0.2, 0.99], 0.9, "Look at all tokens of a long reply.")
    rival = "The token that was written counts, not the most probable one among its alternatives."
    yield case([0.36], 0.4, rival, others=[0.48])
    missing = (
        "Without logprobs nothing is known. Say so; True or False would be a guess."
    )
    asked = Raises(ValueError, ("logprobs",))
    yield call(None, 0.5, expects=asked, why=missing)
    yield call(
        logprobs(None),
        0.5,
        expects=asked,
        why=missing,
        shown="logprobs whose content is None, 0.5",
    )
    yield call(
        logprobs([]),
        0.5,
        expects=asked,
        why=missing,
        shown="logprobs whose content is [], 0.5",
    )
    for number in range(4):
        shares = [rng.randint(2, 99) / 100 for _ in range(rng.randint(1, 6))]
        least = round(100 * min(shares))
        threshold = (least + (0.5 if number % 2 else -0.5) * rng.choice([1, 3])) / 100
        yield case(shares, threshold)


@exercise(
    stars=3,
    hints=(
        (
            "Go through the tokens from the most probable down, and stop as soon as what you have "
            "reaches top_p."
        ),
        (
            "Sort the places, not the numbers: the result needs them. Of equal ones the earlier "
            "comes first, and at "
            "least one token is always kept. Divide what is kept by its sum."
        ),
        (
            "order = sorted(range(len(probabilities)), key=lambda i: -probabilities[i]). Add i to "
            "kept and its "
            "probability to total, for each i in order, until total >= top_p. Then p / total "
            "where kept, else 0."
        ),
    ),
)
def top_p_filter(rng: Random) -> Iterator[Case]:
    """The nucleus of a distribution, as a distribution."""

    def case(probabilities: Sequence[float], top_p: float, why: str = "") -> Case:
        kept: list[int] = []
        for place in sorted(
            range(len(probabilities)), key=lambda place: -probabilities[place]
        ):
            if kept and sum(probabilities[each] for each in kept) >= top_p:
                break
            kept.append(place)
        total = sum(probabilities[each] for each in kept)
        expected = [
            share / total if place in kept else 0.0
            for place, share in enumerate(probabilities)
        ]
        return untouched(list(probabilities), top_p, expects=expected, why=why)

    # All probabilities have few binary digits, so that sums are exact in any order.
    yield case([0.5, 0.25, 0.125, 0.125], 0.7)
    yield case(
        [0.125, 0.5, 0.125, 0.25],
        0.7,
        "In: any order. Out: the same order, and 0 for what is cut.",
    )
    yield case(
        [0.5, 0.25, 0.125, 0.125],
        0.75,
        "0.5 and 0.25 reach 0.75: no third one is needed.",
    )
    yield case(
        [0.25, 0.25, 0.25, 0.25],
        0.5,
        "Of equal ones the earlier are kept, and no more than needed.",
    )
    yield case(
        [0.5, 0.25, 0.125, 0.125],
        0.8,
        "0.75 does not reach 0.8: the one that does is kept, too.",
    )
    yield case(
        [0.125, 0.5, 63 / 256, 33 / 256],
        0.75,
        "0.746 does not reach 0.75: nothing is rounded.",
    )
    yield case([1 / 32] * 32, 0.75, "Of equal ones the earlier are kept, also of many.")
    yield case(
        [0.125, 0.75, 0.125],
        0.1,
        "One token is always kept, and its probability becomes 1.",
    )
    yield case([0.25, 0.75], 0, "One token is always kept, at 0 as well.")
    yield case([0.25, 0.625, 0.125, 0.0], 1, "At 1 nothing is cut.")
    for _ in range(5):
        cuts = sorted(rng.sample(range(1, 256), rng.randint(3, 7)))
        shares = [
            (high - low) / 256
            for low, high in zip([0, *cuts], [*cuts, 256], strict=True)
        ]
        yield case(shares, rng.choice([0.25, 0.5, 0.75, 0.9, 0.95]))


@exercise(
    stars=4,
    hints=(
        (
            "Do not write a table of models into your function: ask models.get(model).takes(name, "
            "effort) for each name."
        ),
        (
            "First max_tokens: in a copy of params, give its value to max_completion_tokens, or "
            "drop it if that is "
            "there. Then keep what has 'yes'. Last, top_logprobs is nothing without logprobs."
        ),
        (
            "effort = params.get('reasoning_effort'); kept = {name: value for name, value in "
            "wanted.items() if "
            "model.takes(name, effort) == 'yes'}; if 'logprobs' not in kept: "
            "kept.pop('top_logprobs', None). "
            "What is in wanted and not in kept was dropped."
        ),
    ),
)
def sanitize_params(rng: Random) -> Iterator[Case]:
    """The parameters that a model takes, and the names of those that it does not."""

    def case(model: str, params: Mapping[str, Any], why: str = "") -> Case:
        return untouched(model, params, expects=sanitized(model, params), why=why)

    habits = {"temperature": 0.2, "stop": "\n", "max_completion_tokens": 500, "seed": 7}
    yield case("gpt-4o", habits)
    yield case("o3", habits, "What takes() answers with 'default' or 'no' is dropped.")
    yield case(
        "o4-mini",
        {"max_tokens": 50},
        "The limit lives on, under the name that every model knows.",
    )
    yield case(
        "gpt-4o",
        {"max_tokens": 50, "n": 2},
        "max_tokens is deprecated for every model.",
    )
    both = {"max_tokens": 50, "max_completion_tokens": 80}
    yield case(
        "gpt-4o",
        both,
        "Where both are given, max_completion_tokens stays as it is, and max_tokens is dropped.",
    )
    effort = "What a model takes can hang on its reasoning_effort: hand it to takes()."
    yield case(
        "gpt-6-luna",
        {"temperature": 0.2, "reasoning_effort": "none", "top_p": 0.5},
        effort,
    )
    yield case("gpt-6-luna", {"temperature": 0.2, "reasoning_effort": "low"}, effort)
    yield case("gpt-5.4", {"temperature": 0.2, "reasoning_effort": "high"}, effort)
    plain = {"seed": 0, "temperature": 0, "stop": None}
    yield case(
        "gpt-4o", plain, "A value of 0 or None is a value: only the names decide."
    )
    alone = (
        "The API refuses top_logprobs without logprobs, so it goes where that one goes."
    )
    yield case("o3", {"logprobs": True, "top_logprobs": 5}, alone)
    yield case("gpt-4o", {"logprobs": True, "top_logprobs": 5})
    yield case("o1", {}, "Nothing to keep, nothing to drop.")
    yield call(
        "gpt-5o",
        {"seed": 1},
        expects=Raises(LookupError, ("gpt-5o",)),
        why="models.get() tells; let it.",
    )
    wishes = {
        "temperature": 0.3,
        "top_p": 0.9,
        "frequency_penalty": 0.5,
        "logprobs": True,
        "top_logprobs": 3,
        "stop": ["."],
        "max_tokens": 99,
        "max_completion_tokens": 400,
        "n": 2,
        "seed": 5,
        "reasoning_effort": "low",
    }
    names = [
        "gpt-4o-2024-08-06",
        "gpt-4.1",
        "o1",
        "o3",
        "o3-mini",
        "gpt-5",
        "gpt-5.4",
        "gpt-5.6-terra",
        "gpt-6-luna",
    ]
    for model in rng.sample(names, 5):
        yield case(model, dict(rng.sample(list(wishes.items()), 8)))
