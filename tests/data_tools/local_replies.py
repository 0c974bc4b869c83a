"""Make complete replies with a real open model: ``cd tests; python -m data_tools.local_replies
MODEL.gguf [NAME ...]``.

Only an author runs this. ``coursekit record --written`` turns these replies into recordings with
the provenance "local", for the entries with ``local = true`` in a lesson's replies file.
``coursekit.sampling`` drew each token from the model's entire vocabulary, so a reply follows the
formulas that chapter 02 teaches. None was chosen because it looked good: the seed is 1, and 2 where
two seeds are compared.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coursekit.foundation.files import write_atomically
from coursekit.local_model import SMOLLM2
from coursekit.logits import REPLIES
from coursekit.sampling import RANGES
from data_tools.local_model import (
    LocalModel,
    Vocabulary,
    api_logprob,
    options_of,
)
from data_tools.logits import DOG, HAIKU, dumps, origin_of

PLANET, SHOP = (
    "What is the largest planet?",
    "Suggest a name for a coffee shop.",
)
SNAIL = (
    "A snail sits at the bottom of a 10 foot wall. By day it climbs 3 feet, by night it slides "
    "back 2. On which day "
    "does it reach the top?"
)
FEATHERS = "Which is heavier, a kilogram of feathers or a kilogram of iron?"
LOGPROBS = {"logprobs": True, "top_logprobs": 5}
TIMED = 3  # runs; the fastest counts


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to make: the API's parameters, which override temperature 1, seed 1, and a limit of
    60 tokens.
    """

    name: str
    shows: str
    question: str
    settings: Mapping[str, Any]

    @property
    def request(self) -> dict[str, Any]:
        messages = [{"role": "user", "content": self.question}]
        common = {"temperature": 1, "seed": 1, "max_completion_tokens": 60}
        return {
            "model": SMOLLM2.name,
            "messages": messages,
            **common,
            **self.settings,
        }


TO_TAKE = (
    Reply(
        "dog_temperature_0",
        "Always the most probable token.",
        DOG,
        {"temperature": 0, **LOGPROBS},
    ),
    Reply(
        "dog_temperature_0.7",
        "The same question, sampled at 0.7.",
        DOG,
        {"temperature": 0.7, **LOGPROBS},
    ),
    Reply(
        "dog_temperature_1.5",
        "At 1.5 the tail takes over.",
        DOG,
        {"temperature": 1.5, **LOGPROBS},
    ),
    Reply(
        "dog_top_p",
        "A nucleus of a flattened distribution is large.",
        DOG,
        {"temperature": 1.5, "top_p": 0.5},
    ),
    Reply(
        "dog_seed_2",
        "Another seed, another dog.",
        DOG,
        {"temperature": 0.7, "seed": 2},
    ),
    Reply(
        "haiku_loop",
        "A loop: sure of every token, and worthless.",
        HAIKU,
        {"temperature": 0, **LOGPROBS},
    ),
    Reply(
        "haiku_presence",
        "One step: it loops again.",
        HAIKU,
        {"temperature": 0, "presence_penalty": 0.5},
    ),
    Reply(
        "haiku_frequency",
        "Each repeat costs more.",
        HAIKU,
        {"temperature": 0, "frequency_penalty": 0.5},
    ),
    Reply(
        "largest_planet",
        "Fluent and wrong.",
        PLANET,
        {"temperature": 0, **LOGPROBS},
    ),
    Reply(
        "recursion",
        "Right: a definition that stands in many texts.",
        "Explain recursion in one sentence.",
        {"temperature": 0},
    ),
    Reply(
        "capital_asked",
        "It knows, and does not say.",
        "What is the capital of France?",
        {"temperature": 0},
    ),
    Reply(
        "sum_asked",
        "Short, sure and wrong.",
        "What is 17 + 25?",
        {"temperature": 0},
    ),
    Reply(
        "feathers",
        "Numbers and a source of them, all made up.",
        FEATHERS,
        {"temperature": 0},
    ),
    Reply("snail", "Reasoning in form only.", SNAIL, {"temperature": 0}),
    Reply(
        "coffee_shop",
        "Three choices at once.",
        SHOP,
        {"n": 3, "max_completion_tokens": 12},
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command: write the named files, or all of them, and print what the model said."""
    options = options_of(arguments, __doc__ or "", "replies", REPLIES)
    model = LocalModel(options.model)
    origin = origin_of(model, options.model)
    options.out.mkdir(parents=True, exist_ok=True)
    for reply in TO_TAKE:
        if reply.name in (options.names or [reply.name]):
            value = real_reply(model, reply, origin)
            write_atomically(
                options.out / f"{reply.name}.json", dumps(value) + "\n"
            )
            for choice in value["response"]["choices"]:
                print(f"{reply.name}: {choice['message']['content']!r}")


def real_reply(
    model: LocalModel, reply: Reply, origin: Mapping[str, str]
) -> dict[str, Any]:
    """A reply in the API's format, with the request that it answers and the seconds that such a
    reply takes.
    """
    request = reply.request
    messages, limit = request["messages"], request["max_completion_tokens"]
    settings = {name: request[name] for name in RANGES if name in request}
    generator = np.random.default_rng(request["seed"])
    choices, billed, seconds = [], 0, 0.0
    for index in range(request.get("n", 1)):
        steps = list(model.reply(messages, generator, limit, **settings))
        choices.append(_choice(index, steps, request.get("top_logprobs", 0)))
        billed += len(steps) - (choices[-1]["finish_reason"] == "stop")
        seconds += min(
            model.seconds(messages, len(steps)) for _ in range(TIMED)
        )
    sent = model.chat_tokens(messages)
    day = datetime.datetime.fromisoformat(f"{origin['date']}T00:00Z")
    return {
        "shows": reply.shows,
        "origin": origin,
        "request": request,
        "seconds": round(seconds, 2),
        "response": {
            "id": f"chatcmpl-local-{reply.name}",
            "object": "chat.completion",
            "created": int(day.timestamp()),
            "model": SMOLLM2.name,
            "choices": choices,
            "usage": {
                "prompt_tokens": sent,
                "completion_tokens": billed,
                "total_tokens": sent + billed,
            },
        },
    }


def _choice(
    index: int, steps: Sequence[tuple[int, Vocabulary]], alternatives: int
) -> dict[str, Any]:
    """One choice, without the end token, which the API neither shows nor bills."""
    tokens = [vocabulary.tokens[token] for token, vocabulary in steps]
    ended = tokens[-1].startswith(b"<|")
    shown = steps[: len(steps) - ended]
    text = b"".join(tokens[: len(shown)]).decode("utf-8", "replace")
    content = [
        api_logprob(token, vocabulary, alternatives)
        for token, vocabulary in shown
    ]
    return {
        "index": index,
        "message": {
            "role": "assistant",
            "content": text,
            "refusal": None,
            "annotations": [],
        },
        "logprobs": {"content": content, "refusal": None}
        if alternatives
        else None,
        "finish_reason": "stop" if ended else "length",
    }


if __name__ == "__main__":
    main()
