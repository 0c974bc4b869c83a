"""Real next-token distributions, and real replies with their log-probabilities, of a small open
model.

The numbers were taken from SmolLM2-135M-Instruct by ``logits.py`` and ``local_replies.py`` of
coursekit/workshop and lie in data/logits, with the model, its licence and the date in each file.
What is stored are log-probabilities at temperature 1, without penalties. These are logits up to a
constant, which is all that sampling needs.

A vocabulary has 49,152 tokens and a file names a few hundred: the most probable ones, and every
token of the reply so far. The others are kept without their names, as "so many tokens of this
log-probability" (grouped in steps of 0.1), so that every sum runs over the whole vocabulary and no
mass is lost or made up. At temperature 1 that is exact; at other temperatures and for top_p it was
measured against the full distribution when the file was made: ``accuracy`` says how near it comes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parent / "data" / "logits"
REPLIES = FOLDER / "replies"


class UnknownDistribution(LookupError):
    """A name that no distribution or reply has; the message lists the names there are."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a model would say next, before any sampling parameter.

    name      of the file; ``shows`` says in a sentence what it is good for
    prompt    the exact text that the model was given, with its special tokens
    text      what a reader needs to see of the prompt: the text to be continued, or the question
              and the reply so far
    tokens    the named tokens, most probable first. Bytes that are no whole character are written
              as \\xe3\\x81
    logits    one per token of the vocabulary: first those of ``tokens``, then those without a name
    counts    how often each stands in the reply so far (all 0 where the reply begins here)
    entropy_bits   of the full distribution at temperature 1
    origin    provenance, model, model_file, sha256, licence, tool, date
    accuracy  the largest differences from the full distribution over a grid of temperature and
              top_p
    """

    name: str
    shows: str
    prompt: str
    text: str
    tokens: tuple[str, ...]
    logits: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    entropy_bits: float
    origin: Mapping[str, str]
    accuracy: Mapping[str, float]

    @property
    def question(self) -> str:
        """What to say in a user message to ask a chat model the same: the text without the reply so
        far.
        """
        so_far = self.prompt.partition("<|im_start|>assistant\n")[2]
        return self.text.removesuffix(so_far).removesuffix("\n")

    def token(self, index: int) -> str:
        """The text of a token; for one without a name, "(one of 48,952 others)"."""
        if index < len(self.tokens):
            return self.tokens[index]
        return f"(one of {len(self.logits) - len(self.tokens):,} others)"


def distribution_names() -> tuple[str, ...]:
    """The names that ``load_distribution()`` knows, in alphabetical order."""
    return _names(FOLDER)


def reply_names() -> tuple[str, ...]:
    """The names that ``load_reply()`` knows, in alphabetical order."""
    return _names(REPLIES)


@cache
def load_distribution(name: str) -> Distribution:
    """A real next-token distribution. Its arrays are read-only. Raises UnknownDistribution."""
    return read_distribution(_find(FOLDER, name))


def load_reply(name: str) -> dict[str, Any]:
    """A real reply: ``shows``, ``origin``, the ``request``, and the ``response`` in the shape of
    the API.

    Where the request asked for them, ``response["choices"][0]["logprobs"]["content"]`` has an entry
    per token: token, logprob, bytes and five top_logprobs. They are the model's own, before
    temperature. ``seconds`` is how long llama.cpp took to write as many tokens, on two cores.
    Raises UnknownDistribution.
    """
    reply: dict[str, Any] = json.loads(_find(REPLIES, name).read_text(encoding="utf-8"))
    return reply


def read_distribution(path: Path) -> Distribution:
    """The distribution in a file."""
    value = json.loads(path.read_text(encoding="utf-8"))
    named, others = value["tokens"], value["others"]
    logits = np.array(
        [row[1] for row in named]
        + [logprob for logprob, many in others for _ in range(many)]
    )
    counts = np.zeros(len(logits), dtype=np.int64)
    counts[: len(named)] = [row[2] if len(row) > 2 else 0 for row in named]
    logits.setflags(write=False)
    counts.setflags(write=False)
    return Distribution(
        name=path.stem,
        shows=value["shows"],
        prompt=value["prompt"],
        text=value["text"],
        tokens=tuple(row[0] for row in named),
        logits=logits,
        counts=counts,
        entropy_bits=value["entropy_bits"],
        origin=MappingProxyType(value["origin"]),
        accuracy=MappingProxyType(value["accuracy"]),
    )


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def _find(folder: Path, name: str) -> Path:
    if name not in _names(folder):
        raise UnknownDistribution(
            f"There is no {name!r}. There are: {', '.join(_names(folder))}."
        )
    return folder / f"{name}.json"
