"""Get next-token distributions from a real open model: ``cd tests; python -m data_tools.logits
MODEL.gguf [NAME ...]``.

Only an author runs this; learners read data/logits through ``coursekit.logits``. ``local_replies``
makes complete replies. llama.cpp's results depend slightly on the processor, so the last digits
differ on another machine.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coursekit import sampling
from coursekit.foundation.files import write_atomically
from coursekit.local_model import SMOLLM2
from coursekit.local_model.llama import token_text
from coursekit.logits import FOLDER, Distribution, read_distribution
from data_tools.local_model import (
    DOCUMENT,
    LocalModel,
    Vocabulary,
    chat_prompt,
    options_of,
)

NAMED = 200  # tokens that are stored with their text
STEP = (
    0.1  # the others are grouped by log-probability, in steps of this many nats
)

CATS, DOG, HAIKU = (
    "Give me three names for a cat.",
    "Write one sentence about a dog.",
    "Write a haiku about the sea.",
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A distribution to get: after some text, or in a chat, after the first ``after`` tokens of the
    greedy reply.
    """

    name: str
    shows: str
    text: str = ""
    question: str = ""
    after: int = 0

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": self.question}]

    @property
    def given(self) -> str:
        """The model's input before the reply."""
        return (
            chat_prompt(self.messages)
            if self.question
            else DOCUMENT + self.text
        )


PROMPTS = (
    Prompt(
        "counting",
        "Near certainty: no setting changes much.",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 1",
    ),
    Prompt(
        "capital",
        "A clear favorite with a long tail.",
        "The capital of France is",
    ),
    Prompt(
        "capital_french",
        "The same in French, which this model hardly knows.",
        "La capitale de la France est",
    ),
    Prompt(
        "coin",
        "Two candidates, and the model's coin is not fair.",
        "I flipped a coin, and it came up",
    ),
    Prompt(
        "traffic_light",
        "A handful of plausible colors.",
        "The traffic light turned",
    ),
    Prompt(
        "first_name",
        "Flat: more than a thousand tokens share nine tenths of the mass.",
        "My name is",
    ),
    Prompt("year", "Flat, but over the ten digits only.", "The year was 19"),
    Prompt(
        "sum",
        "Arithmetic: the most probable digit is wrong (it is 42).",
        "17 + 25 = ",
    ),
    Prompt(
        "president",
        "A name begun: several share it.",
        "The first president of the United States was George",
    ),
    Prompt("word_part", "Inside a word: a token is not a word.", "unbeliev"),
    Prompt(
        "python_loop", "Code: several right ways to go on.", "for i in range("
    ),
    Prompt(
        "tokyo",
        "Japanese: most candidates are a part of a character's bytes.",
        "日本の首都は",
    ),
    Prompt(
        "paris_question",
        "A question: probable is not true.",
        question="Is Paris the capital of France?",
    ),
    Prompt(
        "dog",
        "The first token of a reply: two are about equally probable.",
        question=DOG,
    ),
    Prompt(
        "fruit_list_end",
        "A list is complete: the end is a token too.",
        question="List five fruits.",
        after=23,
    ),
    Prompt(
        "cat_names",
        "Names repeat: a presence penalty brings others forward.",
        question=CATS,
        after=20,
    ),
    Prompt(
        "haiku_loop",
        "A loop: only a frequency penalty is strong enough to end it.",
        question=HAIKU,
        after=44,
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command: write the named files, or all of them, and print the size of each."""
    options = options_of(arguments, __doc__ or "", "distributions", FOLDER)
    model = LocalModel(options.model)
    origin = origin_of(model, options.model)
    options.out.mkdir(parents=True, exist_ok=True)
    for prompt in PROMPTS:
        if prompt.name in (options.names or [prompt.name]):
            path = options.out / f"{prompt.name}.json"
            write_distribution(path, model, prompt, origin)
            print(
                f"{path.name:28} {path.stat().st_size:7,} bytes  {read_distribution(path).accuracy}"
            )


def origin_of(model: LocalModel, path: Path) -> dict[str, str]:
    """The source of the numbers, which is stored in each file."""
    return {
        "provenance": "local",
        "model": SMOLLM2.name,
        "model_file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": SMOLLM2.licence,
        "tool": model.tool,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def write_distribution(
    path: Path, model: LocalModel, prompt: Prompt, origin: Mapping[str, str]
) -> None:
    """Ask the model, store the named tokens and the grouped rest, and measure the error that the
    grouping causes.
    """
    ids, full = vocabulary_after(model, prompt)
    so_far = b"".join(full.tokens[token] for token in ids).decode()
    if prompt.question and (
        model.chat_tokens(prompt.messages) != model.text_tokens(prompt.given)
    ):
        raise RuntimeError(
            "chat_prompt() no longer makes what the model's chat template makes."
        )
    counts = full.counts(ids)
    named, groups = stored(full, counts, NAMED)
    value = {
        "shows": prompt.shows,
        "origin": origin,
        "text": f"{prompt.question}\n{so_far}"
        if prompt.question
        else prompt.text,
        "prompt": prompt.given + so_far,
        "entropy_bits": round(
            sampling.entropy_bits(sampling.softmax(full.logprobs)), 6
        ),
        "tokens": [_named(token, full, counts) for token in named],
        "others": [[round(mean, 6), many] for mean, many in groups],
    }
    write_atomically(path, dumps({**value, "accuracy": {}}))
    value["accuracy"] = accuracy(full, counts, read_distribution(path))
    write_atomically(path, dumps(value) + "\n")


def vocabulary_after(
    model: LocalModel, prompt: Prompt
) -> tuple[list[int], Vocabulary]:
    """The tokens in the reply so far, and what the model would say next."""
    greedy = model.reply(
        prompt.messages, np.random.default_rng(), prompt.after, temperature=0
    )
    ids = [token for token, _ in greedy]
    return ids, model.next_token([prompt.given, *ids])


def stored(
    full: Vocabulary, counts: Any, most: int
) -> tuple[list[int], list[tuple[float, int]]]:
    """The tokens to name, which are the ``most`` probable ones and those in the reply so far, and
    the groups of the others: the log-probability and the number of tokens for each group.
    """
    order = np.argsort(-full.logprobs, kind="stable")
    named = [*order[:most], *(token for token in order[most:] if counts[token])]
    groups: dict[int, list[float]] = {}
    for token in order[most:]:
        if not counts[token]:
            group = groups.setdefault(round(full.logprobs[token] / STEP), [])
            group.append(full.logprobs[token])
    # The logarithm of the mean probability, so that the group's mass is unchanged.
    means = [
        (float(np.log(np.mean(np.exp(group)))), len(group))
        for group in groups.values()
    ]
    return named, means


def _named(token: int, full: Vocabulary, counts: Any) -> list[str | float]:
    """A named token as it is stored: its text, its log-probability, and its count if it has one."""
    count = [int(counts[token])] if counts[token] else []
    return [
        token_text(full.tokens[token]),
        round(float(full.logprobs[token]), 6),
        *count,
    ]


def accuracy(
    full: Vocabulary,
    counts: Any,
    kept: Distribution,
    temperatures: Sequence[float] = (0.25, 0.5, 0.7, 1.0, 1.3, 1.6, 2.0),
    top_ps: Sequence[float] = (0.5, 0.8, 0.9, 0.95, 0.99, 1.0),
) -> dict[str, float]:
    """The largest differences that grouping causes at any of these temperatures and values of
    top_p.
    """
    worst = {"probability": 0.0, "entropy_bits": 0.0, "candidates_percent": 0.0}
    for temperature in temperatures:
        for top_p in top_ps:
            settings = {
                "temperature": temperature,
                "top_p": top_p,
                "frequency_penalty": 0.5,
                "presence_penalty": 0.5,
            }
            ours = sampling.before_and_after(
                kept.logits, kept.counts, top=1, **settings
            )
            real = sampling.before_and_after(
                full.logprobs, counts, top=1, **settings
            )
            size = (
                100 * abs(ours.candidates - real.candidates) / real.candidates
            )
            worst["candidates_percent"] = max(worst["candidates_percent"], size)
            worst["entropy_bits"] = max(
                worst["entropy_bits"],
                abs(ours.entropy_after - real.entropy_after),
            )
            tops = [np.sort(side.after)[::-1][:NAMED] for side in (ours, real)]
            worst["probability"] = max(
                worst["probability"], float(np.abs(tops[0] - tops[1]).max())
            )
    return {name: float(f"{value:.2g}") for name, value in worst.items()}


def dumps(value: Any, depth: int = 0) -> str:
    """Readable JSON: whatever fits on one line is on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if depth and (len(line) <= 100 or not isinstance(value, (list, Mapping))):
        return line
    if isinstance(value, Mapping):
        brackets, parts = (
            "{}",
            [
                f"{json.dumps(key)}: {dumps(item, depth + 1)}"
                for key, item in value.items()
            ],
        )
    else:
        brackets, parts = "[]", [dumps(item, depth + 1) for item in value]
    indent = "\n" + " " * depth
    return (
        brackets[0]
        + ",".join(f"{indent} {part}" for part in parts)
        + indent
        + brackets[1]
    )


if __name__ == "__main__":
    main()
