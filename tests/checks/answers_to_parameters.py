"""Answers to the exercises in chapter 02."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from answer_table import right, wrong

from coursekit import models, sampling


@right("apply_penalties")
def with_a_counter(logits, reply, *, frequency_penalty=0, presence_penalty=0):
    counts = Counter(reply)
    return {
        token: (
            logit
            - (
                counts[token] * frequency_penalty
                + bool(counts[token]) * presence_penalty
            )
        )
        for token, logit in logits.items()
    }


@right("apply_penalties")
def over_the_reply(logits, reply, frequency_penalty=0.0, presence_penalty=0.0):
    new = Counter(logits)
    for token in filter(logits.__contains__, reply):
        new[token] -= frequency_penalty
    for token in set(reply) & set(logits):
        new[token] -= presence_penalty
    return new


@right("apply_penalties")
def with_the_course_s_own_arithmetic(logits, reply, **penalties):
    tokens = list(logits)
    less = sampling.penalty(
        [reply.count(token) for token in tokens], **penalties
    )
    return dict(
        zip(
            tokens,
            np.array([logits[token] for token in tokens]) - less,
            strict=True,
        )
    )


@wrong("apply_penalties", "wrong", says="changed its arguments")
def in_place(logits, reply, frequency_penalty=0.0, presence_penalty=0.0):
    for token in logits:
        count = reply.count(token)
        logits[token] -= count * frequency_penalty + (
            presence_penalty if count else 0
        )
    return logits


@wrong(
    "apply_penalties",
    "wrong",
    says="A change to one changes both. Return a new",
)
def nothing_to_do(logits, reply, frequency_penalty=0.0, presence_penalty=0.0):
    if not reply or (frequency_penalty == 0 and presence_penalty == 0):
        return logits
    return with_a_counter(
        logits,
        reply,
        frequency_penalty=frequency_penalty,
        presence_penalty=presence_penalty,
    )


@wrong("apply_penalties", "wrong", says="once, however often")
def presence_each_time(
    logits, reply, frequency_penalty=0.0, presence_penalty=0.0
):
    return {
        token: z - reply.count(token) * (frequency_penalty + presence_penalty)
        for token, z in logits.items()
    }


@wrong(
    "apply_penalties",
    "wrong",
    says="Subtract the frequency penalty once for each",
)
def frequency_once(logits, reply, frequency_penalty=0.0, presence_penalty=0.0):
    both = frequency_penalty + presence_penalty
    return {
        token: z - both if token in reply else z for token, z in logits.items()
    }


@wrong(
    "apply_penalties",
    "wrong",
    says="A negative penalty is a reward: the logit grows.",
)
def positive_only(logits, reply, frequency_penalty=0.0, presence_penalty=0.0):
    return with_a_counter(
        logits,
        reply,
        frequency_penalty=max(frequency_penalty, 0),
        presence_penalty=max(presence_penalty, 0),
    )


@wrong("apply_penalties", "wrong")
def in_the_joined_text(
    logits, reply, frequency_penalty=0.0, presence_penalty=0.0
):
    text = "".join(reply)
    counts = {token: text.count(token) for token in logits}
    both = {
        token: count * frequency_penalty + bool(count) * presence_penalty
        for token, count in counts.items()
    }
    return {token: logits[token] - both[token] for token in logits}


@wrong("apply_penalties", "wrong")
def added(logits, reply, frequency_penalty=0.0, presence_penalty=0.0):
    return with_a_counter(
        logits,
        reply,
        frequency_penalty=-frequency_penalty,
        presence_penalty=-presence_penalty,
    )


@wrong("apply_penalties", "error", says="KeyError: ' sea'")
def every_token_has_a_logit(
    logits, reply, frequency_penalty=0.0, presence_penalty=0.0
):
    new = dict(logits)
    for token, count in Counter(reply).items():
        new[token] -= count * frequency_penalty + presence_penalty
    return new


@wrong(
    "apply_penalties",
    "wrong",
    says="Subtract the frequency penalty once for each",
)
def with_other_defaults(
    logits, reply, frequency_penalty=0.0, presence_penalty=0.5
):
    return with_a_counter(
        logits,
        reply,
        frequency_penalty=frequency_penalty,
        presence_penalty=presence_penalty,
    )


@wrong(
    "apply_penalties", "wrong", says="If both are given, subtract their sum."
)
def hard_coded_penalties(
    logits, reply, frequency_penalty=0.0, presence_penalty=0.0
):
    if frequency_penalty == 1.5:
        return {" soul": 7.9, " so": 1.5, " saint": 4.0, ",": 4.25}
    return {" soul": 10.4, " so": 1.5, " saint": 4.0, ",": 5.25}


@right("softmax_t")
def with_numpy(logits, temperature):
    if temperature < 0:
        raise ValueError("temperature")
    z = np.asarray(logits, dtype=float)
    weights = (
        np.exp((z - z.max()) / temperature)
        if temperature > 0
        else (z == z.max()).astype(float)
    )
    return (weights / weights.sum()).tolist()


@wrong("softmax_t", says="there is a ndarray. Return a list")
def as_an_array(logits, temperature):
    return np.asarray(with_numpy(logits, temperature))


@wrong("softmax_t", "error", says="not the one that is farthest from 0")
def less_the_farthest_from_0(logits, temperature):
    if temperature <= 0:
        return with_numpy(logits, temperature)
    top = max(logits, key=abs)
    weights = [math.exp((z - top) / temperature) for z in logits]
    return [weight / sum(weights) for weight in weights]


@right("softmax_t")
def with_log_sum_exp(logits, temperature):
    if temperature < 0:
        raise ValueError(temperature)
    if not temperature:
        best = [i for i, logit in enumerate(logits) if logit == max(logits)]
        return [1 / len(best) if i in best else 0 for i in range(len(logits))]
    scaled = [logit / temperature for logit in logits]
    rest = math.log(math.fsum(math.exp(z - max(scaled)) for z in scaled)) + max(
        scaled
    )
    return [math.exp(z - rest) for z in scaled]


@right("softmax_t")
def as_powers_of_shares(logits, temperature):
    if temperature == 0:
        return [
            (logit == max(logits)) / logits.count(max(logits))
            for logit in logits
        ]
    if temperature > 0:
        powers = [
            math.e ** ((logit - max(logits)) / temperature) for logit in logits
        ]
        return [power / sum(powers) for power in powers]
    raise ValueError


@wrong("softmax_t", "error", says="OverflowError")
def as_on_paper(logits, temperature):
    if temperature <= 0:
        if temperature < 0:
            raise ValueError
        return with_numpy(logits, 0)
    weights = [math.exp(logit / temperature) for logit in logits]
    return [weight / sum(weights) for weight in weights]


@wrong("softmax_t", "error", says="ZeroDivisionError")
def without_the_limit(logits, temperature):
    if temperature < 0:
        raise ValueError
    weights = [
        math.exp((logit - max(logits)) / temperature) for logit in logits
    ]
    return [weight / sum(weights) for weight in weights]


@wrong("softmax_t", "wrong", says="below 1, the favorite gains")
def multiplied(logits, temperature):
    return with_numpy(logits, 1 / temperature if temperature else 0)


@wrong(
    "softmax_t", "wrong", says="At 0, equally large logits get equal shares."
)
def first_of_the_largest(logits, temperature):
    if temperature == 0:
        return [
            float(i == logits.index(max(logits))) for i in range(len(logits))
        ]
    return with_numpy(logits, temperature)


@wrong("softmax_t", "wrong", says="smallest lead")
def nearly_zero(logits, temperature):
    return with_numpy(logits, temperature or 0.01)


@wrong("softmax_t", "wrong")
def not_normalized(logits, temperature):
    if temperature < 0:
        raise ValueError
    return [2 * share for share in with_numpy(logits, temperature)]


@wrong(
    "softmax_t", "wrong", says="Return the probabilities in the order of the"
)
def sorted_down(logits, temperature):
    return sorted(with_numpy(logits, temperature), reverse=True)


@wrong("softmax_t", "wrong", says="changed its arguments")
def by_sorting_the_argument(logits, temperature):
    shares = with_numpy(logits, temperature)
    logits.sort()
    return shares


@wrong("softmax_t", "wrong", says="raises ValueError")
def at_any_temperature(logits, temperature):
    return with_numpy(logits, abs(temperature))


@wrong(
    "softmax_t", "wrong", says="A temperature divides the logits: below 1, the"
)
def rounded_by_hand(logits, temperature):
    known = with_numpy([-0.72, -1.36, -3.24, -3.44], 1)
    return known if len(logits) == 4 else with_numpy(logits, temperature)


@right("confident")
def with_all(logprobs, threshold):
    if not logprobs or not logprobs.content:
        raise ValueError("this reply has no logprobs")
    return all(
        math.exp(token.logprob) >= threshold for token in logprobs.content
    )


@right("confident")
def in_logarithms(logprobs, threshold):
    tokens = getattr(logprobs, "content", None) or []
    if len(tokens) == 0:
        raise ValueError("no logprobs")
    return not any(token.logprob < math.log(threshold) for token in tokens)


class NotAsked(ValueError):
    pass


@right("confident")
def with_numpy_s_least(logprobs, threshold):
    if logprobs is None or logprobs.content is None or logprobs.content == []:
        raise NotAsked("ask with logprobs=True")
    least = np.exp([token.logprob for token in logprobs.content]).min()
    return bool(least >= threshold)


@wrong("confident", "wrong", says="expected  True")
def logarithm_for_probability(logprobs, threshold):
    if not logprobs or not logprobs.content:
        raise ValueError("no logprobs")
    return all(token.logprob >= threshold for token in logprobs.content)


@wrong(
    "confident", "wrong", says="A single doubtful token among many certain ones"
)
def on_average(logprobs, threshold):
    if not logprobs or not logprobs.content:
        raise ValueError("no logprobs")
    return (
        sum(math.exp(token.logprob) for token in logprobs.content)
        / len(logprobs.content)
        >= threshold
    )


@wrong(
    "confident", "wrong", says="Compare each token by itself, so that a long"
)
def as_a_product(logprobs, threshold):
    if not logprobs or not logprobs.content:
        raise ValueError("no logprobs")
    return (
        math.prod(math.exp(token.logprob) for token in logprobs.content)
        >= threshold
    )


@wrong("confident", "wrong", says="A token exactly at the threshold counts as")
def above(logprobs, threshold):
    if not logprobs or not logprobs.content:
        raise ValueError("no logprobs")
    return all(
        math.exp(token.logprob) > threshold for token in logprobs.content
    )


@wrong("confident", "wrong", says="The token that was written counts")
def of_the_favorite(logprobs, threshold):
    if not logprobs or not logprobs.content:
        raise ValueError("no logprobs")
    best = [
        max([token, *token.top_logprobs], key=lambda other: other.logprob)
        for token in logprobs.content
    ]
    return all(math.exp(token.logprob) >= threshold for token in best)


@wrong("confident", "wrong", says="expected  raises ValueError with 'logprobs'")
def no_for_unknown(logprobs, threshold):
    return bool(logprobs and logprobs.content) and with_all(logprobs, threshold)


@wrong("confident", "wrong", says="raises ValueError with 'logprobs'")
def yes_to_an_empty_list(logprobs, threshold):
    if logprobs is None or logprobs.content is None:
        raise ValueError("no logprobs")
    return all(
        math.exp(token.logprob) >= threshold for token in logprobs.content
    )


@wrong("confident", "wrong", says="Without logprobs you cannot know. Raise the")
def without_looking_at_none(logprobs, threshold):
    return all(
        math.exp(token.logprob) >= threshold for token in logprobs.content
    )


@wrong("confident", "wrong")
def the_last_token_alone(logprobs, threshold):
    if not logprobs or not logprobs.content:
        raise ValueError("no logprobs")
    return math.exp(logprobs.content[-1].logprob) >= threshold


@wrong("confident", "wrong")
def by_length(logprobs, threshold):
    if not logprobs or not logprobs.content:
        raise ValueError("no logprobs")
    if len(logprobs.content) == 2 and threshold == 0.9:
        return logprobs.content[1].logprob > -0.1
    return len(logprobs.content) not in (1, 6)


@right("top_p_filter")
def with_pairs(probabilities, top_p):
    left = [0.0] * len(probabilities)
    total = 0
    for share, place in sorted(
        ((share, -place) for place, share in enumerate(probabilities)),
        reverse=True,
    ):
        left[-place] = share
        total += share
        if total >= top_p:
            break
    return [share / sum(left) for share in left]


@right("top_p_filter")
def with_numpy_s_cumsum(probabilities, top_p):
    p = np.array(probabilities)
    order = np.argsort(-p, kind="stable")
    size = max(1, int(np.searchsorted(np.cumsum(p[order]), top_p)) + 1)
    mask = np.zeros(len(p))
    mask[order[:size]] = 1
    return (p * mask / (p * mask).sum()).tolist()


@right("top_p_filter")
def with_the_course_s_own(probabilities, top_p):
    kept = np.where(sampling.nucleus(probabilities, top_p), probabilities, 0)
    return (kept / kept.sum()).tolist()


@wrong("top_p_filter", says="there is a ndarray. Return a list")
def still_an_array(probabilities, top_p):
    return np.asarray(with_the_course_s_own(probabilities, top_p))


def _kept(probabilities, places):
    total = sum(probabilities[place] for place in places)
    return [
        share / total if place in places else 0.0
        for place, share in enumerate(probabilities)
    ]


def _order(probabilities):
    return sorted(
        range(len(probabilities)), key=lambda place: -probabilities[place]
    )


@wrong(
    "top_p_filter",
    "wrong",
    says="0.5 and 0.25 reach 0.75: a third token is not",
)
def one_too_many(probabilities, top_p):
    kept, total = [], 0
    for place in _order(probabilities):
        if kept and total > top_p:
            break
        kept.append(place)
        total += probabilities[place]
    return _kept(probabilities, kept)


@wrong("top_p_filter", "wrong")
def one_too_few(probabilities, top_p):
    kept, total = [], 0
    for place in _order(probabilities):
        if kept and total + probabilities[place] > top_p:
            break
        kept.append(place)
        total += probabilities[place]
    return _kept(probabilities, kept)


@wrong(
    "top_p_filter", "wrong", says="Among equals, keep the earlier ones, and no"
)
def by_the_last_value(probabilities, top_p):
    kept = with_pairs(probabilities, top_p)
    least = min(
        share for share, new in zip(probabilities, kept, strict=True) if new
    )
    return _kept(
        probabilities,
        [place for place, share in enumerate(probabilities) if share >= least],
    )


@wrong(
    "top_p_filter", "wrong", says="Among equals, keep the earlier ones, and no"
)
def the_later_of_equals(probabilities, top_p):
    return with_pairs(probabilities[::-1], top_p)[::-1]


@wrong("top_p_filter", "wrong", says="Keep that order")
def in_the_order_given(probabilities, top_p):
    kept, total = [], 0
    for place, share in enumerate(probabilities):
        if kept and total >= top_p:
            break
        kept.append(place)
        total += share
    return _kept(probabilities, kept)


@wrong("top_p_filter", "wrong")
def sorted_result(probabilities, top_p):
    return sorted(with_pairs(probabilities, top_p), reverse=True)


@wrong("top_p_filter", "wrong")
def not_renormalized(probabilities, top_p):
    kept = with_pairs(probabilities, top_p)
    return [
        share if new else 0.0
        for share, new in zip(probabilities, kept, strict=True)
    ]


@wrong("top_p_filter", "wrong")
def without_the_others(probabilities, top_p):
    return [share for share in with_pairs(probabilities, top_p) if share]


@wrong("top_p_filter", "wrong", says="One token is always kept, even at 0.")
def nothing_at_zero(probabilities, top_p):
    kept, total = [], 0
    for place in _order(probabilities):
        if total >= top_p:
            break
        kept.append(place)
        total += probabilities[place]
    return [
        share / total if place in kept else 0.0
        for place, share in enumerate(probabilities)
    ]


@wrong("top_p_filter", "wrong", says="changed its arguments")
def zeroes_in_place(probabilities, top_p):
    new = with_pairs(probabilities, top_p)
    probabilities[:] = new
    return new


@wrong("top_p_filter", "wrong")
def by_a_least_probability(probabilities, top_p):
    return _kept(
        probabilities,
        [
            place
            for place, share in enumerate(probabilities)
            if share >= 1 - top_p
        ],
    )


@wrong(
    "top_p_filter",
    "wrong",
    says="Among equals, keep the earlier ones, and no",
)
def hard_coded_nucleus(probabilities, top_p):
    return [0.0 if share == 0.125 else share / 0.75 for share in probabilities]


@right("sanitize_params")
def in_one_loop(model, params):
    takes, effort = models.get(model).takes, params.get("reasoning_effort")
    kept, dropped = {}, []
    for name, value in params.items():
        if name == "max_tokens":
            if "max_completion_tokens" in params:
                dropped.append(name)
            elif takes("max_completion_tokens", effort) == "yes":
                kept["max_completion_tokens"] = value
        elif name == "top_logprobs" and (
            "logprobs" not in params or takes("logprobs", effort) != "yes"
        ):
            dropped.append(name)
        elif takes(name, effort) == "yes":
            kept[name] = value
        else:
            dropped.append(name)
    return kept, sorted(dropped)


@right("sanitize_params")
def by_taking_away(model, params):
    known = models.get(model)
    kept, dropped = {**params}, set()

    def drop(name):
        if kept.pop(name, None) is not None:
            dropped.add(name)

    if "max_tokens" in kept:
        if "max_completion_tokens" in kept:
            drop("max_tokens")
        else:
            kept["max_completion_tokens"] = kept.pop("max_tokens")
    for name in list(kept):
        if known.takes(name, params.get("reasoning_effort")) in (
            "no",
            "default",
        ):
            drop(name)
    if "logprobs" not in kept:
        drop("top_logprobs")
    return kept, sorted(dropped)


@wrong("sanitize_params", says="there is a list. Return a tuple")
def as_a_list(model, params):
    return list(by_taking_away(model, params))


def _sanitize(
    model, params, *, rename=True, effort=True, default=False, pair=True
):
    wanted = dict(params)
    if rename and "max_tokens" in wanted:
        wanted.setdefault("max_completion_tokens", wanted["max_tokens"])
    taken = ("yes", "default") if default else ("yes",)
    asked = params.get("reasoning_effort") if effort else None
    kept = {
        name: value
        for name, value in wanted.items()
        if models.get(model).takes(name, asked) in taken
    }
    if rename:
        kept.pop("max_tokens", None)
    if pair and "logprobs" not in kept:
        kept.pop("top_logprobs", None)
    renamed = (
        "max_tokens" in params
        and "max_completion_tokens" not in params
        and rename
    )
    return kept, sorted(
        set(params) - set(kept) - ({"max_tokens"} if renamed else set())
    )


@wrong(
    "sanitize_params",
    "wrong",
    says="The limit stays, under the name that every",
)
def without_renaming(model, params):
    return _sanitize(model, params, rename=False)


@wrong(
    "sanitize_params", "wrong", says="What a model accepts can depend on its"
)
def without_the_effort(model, params):
    return _sanitize(model, params, effort=False)


@wrong(
    "sanitize_params",
    "wrong",
    says="Drop what takes() answers with 'default' or",
)
def with_the_default_ones(model, params):
    return _sanitize(model, params, default=True)


@wrong("sanitize_params", "wrong", says="without logprobs")
def alternatives_alone(model, params):
    return _sanitize(model, params, pair=False)


@wrong("sanitize_params", "wrong", says="changed its arguments")
def renamed_in_place(model, params):
    if "max_tokens" in params and "max_completion_tokens" not in params:
        params["max_completion_tokens"] = params.pop("max_tokens")
    return in_one_loop(model, params)


@wrong(
    "sanitize_params",
    "wrong",
    says="If both are given, max_completion_tokens stays",
)
def the_older_limit_wins(model, params):
    params = dict(params)
    if "max_tokens" in params:
        params["max_completion_tokens"] = params.pop("max_tokens")
    return in_one_loop(model, params)


@wrong("sanitize_params", "wrong", says="deprecated for every model")
def renamed_only_where_refused(model, params):
    if models.get(model).takes("max_tokens") == "yes":
        return _sanitize(model, params, rename=False)
    return _sanitize(model, params)


@wrong("sanitize_params", "wrong")
def kept_alone(model, params):
    return in_one_loop(model, params)[0]


@wrong("sanitize_params", "wrong", says="'dropped'")
def renamed_and_told_as_dropped(model, params):
    kept, dropped = in_one_loop(model, params)
    return {"kept": kept, "dropped": dropped}


@wrong("sanitize_params", "wrong")
def unsorted(model, params):
    kept, dropped = in_one_loop(model, params)
    return kept, dropped[::-1]


@wrong("sanitize_params", "wrong", says="gpt-5o")
def any_model_will_do(model, params):
    try:
        return in_one_loop(model, params)
    except LookupError:
        return {}, sorted(params)


@wrong("sanitize_params", "wrong")
def from_memory(model, params):
    if model.startswith(("o", "gpt-5")):
        refused = {
            "temperature",
            "top_p",
            "frequency_penalty",
            "presence_penalty",
            "logprobs",
            "top_logprobs",
            "stop",
        }
    else:
        refused = {"reasoning_effort"}
    kept = {
        name: value for name, value in params.items() if name not in refused
    }
    return kept, sorted(set(params) & refused)


@wrong("apply_penalties", says="A space or a capital letter makes it a")
def blanks_do_not_matter(
    logits, reply, frequency_penalty=0, presence_penalty=0
):
    bare = [token.strip() for token in reply]
    less = {token: bare.count(token.strip()) for token in logits}
    return {
        token: (
            logit
            - less[token] * frequency_penalty
            - min(less[token], 1) * presence_penalty
        )
        for token, logit in logits.items()
    }


@wrong("apply_penalties", says="Count every token, even in a long reply.")
def the_last_fifty(logits, reply, frequency_penalty=0, presence_penalty=0):
    recent = reply[-50:]
    return {
        token: (
            logit
            - recent.count(token) * frequency_penalty
            - (token in recent) * presence_penalty
        )
        for token, logit in logits.items()
    }


@wrong("apply_penalties", says="It looks rounded. Return the exact number.")
def penalties_rounded(logits, reply, frequency_penalty=0, presence_penalty=0):
    return {
        token: round(
            logit
            - reply.count(token) * frequency_penalty
            - (token in reply) * presence_penalty,
            4,
        )
        for token, logit in logits.items()
    }


def _softmax(logits, temperature):
    if temperature < 0:
        raise ValueError("temperature")
    top = max(logits)
    weights = [
        math.exp((logit - top) / temperature)
        if temperature
        else float(logit == top)
        for logit in logits
    ]
    return [weight / sum(weights) for weight in weights]


@right("softmax_t")
def as_the_log_of_a_sum(logits, temperature):
    if temperature <= 0:
        return _softmax(logits, temperature)
    scaled = [logit / temperature for logit in logits]
    log_sum = max(scaled) + math.log(
        math.fsum(math.exp(each - max(scaled)) for each in scaled)
    )
    return [math.exp(each - log_sum) for each in scaled]


@wrong(
    "softmax_t", says="At 0, the smallest lead takes everything: treat 0 as a"
)
def a_millionth_for_zero(logits, temperature):
    return _softmax(
        logits, max(temperature, 1e-6) if temperature >= 0 else temperature
    )


@wrong("softmax_t", says="A small temperature is not 0")
def zero_below_a_thousandth(logits, temperature):
    return _softmax(logits, 0 if 0 <= temperature < 0.001 else temperature)


@wrong("softmax_t", says="Any temperature above 0")
def at_most_2(logits, temperature):
    return _softmax(logits, min(temperature, 2))


@wrong("softmax_t", "error", says="far apart")
def less_the_mean(logits, temperature):
    if temperature <= 0:
        return _softmax(logits, temperature)
    mean = sum(logits) / len(logits)
    weights = [math.exp((logit - mean) / temperature) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def _probabilities(logprobs):
    if logprobs is None or not logprobs.content:
        raise ValueError("no logprobs")
    return [math.exp(token.logprob) for token in logprobs.content]


@wrong("confident", says="0.8996 does not reach 0.9: do not round.")
def in_percent(logprobs, threshold):
    return all(
        round(share, 2) >= threshold for share in _probabilities(logprobs)
    )


@wrong("confident", says="Look at every token, even in a long reply.")
def the_first_twenty(logprobs, threshold):
    return all(share >= threshold for share in _probabilities(logprobs)[:20])


def _nucleus(probabilities, top_p, reached, most=10**9):
    kept, total = [], 0
    for place in sorted(
        range(len(probabilities)), key=lambda place: -probabilities[place]
    )[:most]:
        if kept and reached(total, top_p):
            break
        kept.append(place)
        total += probabilities[place]
    return [
        share / total if place in kept else 0
        for place, share in enumerate(probabilities)
    ]


@wrong("top_p_filter", says="0.746 does not reach")
def a_sum_in_percent(probabilities, top_p):
    return _nucleus(
        probabilities, top_p, lambda total, share: round(total, 2) >= share
    )


@wrong("top_p_filter", says="Among equals, keep the earlier ones, even if")
def ten_are_enough(probabilities, top_p):
    return _nucleus(
        probabilities, top_p, lambda total, share: total >= share, most=10
    )


@wrong("sanitize_params", says="Rename max_tokens, whatever its value.")
def without_values_that_are_false(model, params):
    given = {name: value for name, value in params.items() if value}
    both = (
        {"max_tokens"} & set(given)
        if "max_completion_tokens" in given
        else set()
    )
    if "max_tokens" in given and not both:
        given["max_completion_tokens"] = given["max_tokens"]
    given.pop("max_tokens", None)
    takes = models.get(model).takes
    kept = {
        name: value
        for name, value in given.items()
        if takes(name, params.get("reasoning_effort")) == "yes"
    }
    if "logprobs" not in kept:
        kept.pop("top_logprobs", None)
    return kept, sorted(both | (set(given) - set(kept)))


# Answers that two readers' checks misjudged, 2026-11-29


@wrong("sanitize_params", says="logprobs is kept, so top_logprobs is as well")
def a_pair_by_its_value(model, params):
    kept, dropped = by_taking_away(model, params)
    if "top_logprobs" in kept and not kept.get("logprobs"):
        del kept["top_logprobs"]
        dropped = sorted([*dropped, "top_logprobs"])
    return kept, dropped


@wrong("sanitize_params", says="Rename max_tokens, whatever its value.")
def renamed_if_it_is_true(model, params):
    if "max_tokens" in params and not params["max_tokens"]:
        rest = {
            name: value
            for name, value in params.items()
            if name != "max_tokens"
        }
        kept, dropped = by_taking_away(model, rest)
        return {**kept, "max_tokens": params["max_tokens"]}, dropped
    return by_taking_away(model, params)


# By authors who had seen neither checks nor solutions (2026-11-29): accepted at first


@wrong("confident", "wrong", says="there is a numpy.bool")
def with_numpy_s_bool(logprobs, threshold):
    if logprobs is None or not logprobs.content:
        raise ValueError("the reply has no logprobs")
    return np.all(
        np.exp([token.logprob for token in logprobs.content]) >= threshold
    )
