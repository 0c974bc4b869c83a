"""Real next-token distributions, and real replies with their log-probabilities, from a small open
model.

``logits.py`` and ``local_replies.py`` in tests/data_tools got the numbers from
SmolLM2-135M-Instruct. Each file in data/logits names the model, its license, and the date. The
files store log-probabilities at temperature 1, without penalties. These are logits up to a
constant, which is enough for sampling.

A vocabulary has 49,152 tokens and a file names a few hundred of them: the most probable ones, and
every token in the reply so far. The others are stored as the number of tokens at each
log-probability (grouped in steps of 0.1), so that every sum covers the whole vocabulary and no
probability mass is lost or invented. This is exact at temperature 1. For other temperatures and for
top_p, the result was compared with the full distribution when the file was made; ``accuracy`` says
how close it is.

The texts of these rare tokens are assigned approximately, once for all distributions (``Garden``).
A rare token that is drawn therefore has the text of a real token, whose true probability differs by
a factor of e^``names_nats`` (a root mean square). Taught in 02 §1 and in its lab.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parent / "data" / "logits"
REPLIES = FOLDER / "replies"
GARDEN = FOLDER / "garden.json.gz"


class UnknownDistribution(LookupError):
    """No distribution or reply has this name; the message lists the available names."""


@dataclass(frozen=True)
class Distribution:
    """What a model would say next, before any sampling parameter.

    name      of the file; ``shows`` says in one sentence what the distribution demonstrates
    prompt    the exact text that the model received, with its special tokens
    text      what a reader needs to see of the prompt: the text to be continued, or the question
              and the reply so far
    tokens    the named tokens, most probable first. Bytes of an incomplete character are written
              as \\xe3\\x81
    logits    one per token of the vocabulary: first those of ``tokens``, then the others
    counts    how often each occurs in the reply so far (all 0 at the start of a reply)
    entropy_bits   of the full distribution at temperature 1
    garden    holds the texts of the other tokens; the ``weights`` of its rows distinguish them
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
    garden: Garden = field(repr=False)
    weights: Sequence[float]
    origin: Mapping[str, str]
    accuracy: Mapping[str, float]

    @property
    def question(self) -> str:
        """The user message that asks a chat model the same question: the text without the reply so
        far.
        """
        so_far = self.prompt.partition("<|im_start|>assistant\n")[2]
        return self.text.removesuffix(so_far).removesuffix("\n")

    def token(self, index: int) -> str:
        """Return a token's text."""
        if index < len(self.tokens):
            return self.tokens[index]
        place = int(self.others[index - len(self.tokens)])
        return self.garden.vocabulary[place]

    @cached_property
    def others(self) -> npt.NDArray[np.intp]:
        """The positions in the vocabulary of the unnamed tokens, most probable first."""
        rough = np.array(self.weights) @ self.garden.rows[: len(self.weights)]
        order = np.argsort(-rough, kind="stable")
        places = self.garden.places
        named = [places[text] for text in self.tokens if text in places]
        return np.asarray(order[~np.isin(order, named)])


@dataclass(frozen=True)
class Garden:
    """What the model would say after the most probable continuations of one prompt, a few tokens
    deep, and the texts of all tokens.

    root        the name of the prompt's distribution
    vocabulary  the text of each token that the model has
    places      text -> its position in the vocabulary
    nodes       tokens added to the prompt -> the stored numbers
    weights     name of a distribution -> the weights of the ``rows``, whose weighted sum is roughly
                the log-probability of each rare token
    """

    root: str
    vocabulary: Sequence[str]
    places: Mapping[str, int]
    nodes: Mapping[tuple[str, ...], Mapping[str, Any]]
    weights: Mapping[str, Sequence[float]]
    rows: npt.NDArray[np.float64] = field(repr=False)
    origin: Mapping[str, str]
    accuracy: Mapping[str, float]

    def after(
        self, start: Distribution, path: tuple[str, ...]
    ) -> Distribution | None:
        """Return the distribution after ``start`` and the tokens in ``path``; None: it is not
        stored.
        """
        if not path:
            return start
        if start.name != self.root or path not in self.nodes:
            return None
        node, added = self.nodes[path], "".join(path)
        # a garden stores thousandths, which keeps its file small
        named = []
        for token, thousandths in node["tokens"]:
            text = self.vocabulary[token]
            named.append((text, thousandths / 1000, path.count(text)))
        others = [(n / 1000, many) for n, many in node["others"]]
        return replace(
            start,
            **_arrays(named, others),
            prompt=start.prompt + added,
            text=start.text + added,
            entropy_bits=math.nan,
            garden=self,
            weights=node["weights"],
            origin=self.origin,
            accuracy=self.accuracy,
        )


@cache
def load_garden() -> Garden:
    """Return the stored garden."""
    return read_garden(GARDEN)


def read_garden(path: Path) -> Garden:
    """Return the garden in a file."""
    value = json.loads(gzip.decompress(path.read_bytes()))
    vocabulary = value["vocabulary"]
    steps = np.array(value["steps"])
    return Garden(
        root=value["root"],
        vocabulary=vocabulary,
        places={token: place for place, token in enumerate(vocabulary)},
        nodes={
            tuple(vocabulary[token] for token in node["path"]): node
            for node in value["nodes"]
        },
        origin=value["origin"],
        accuracy=value["accuracy"],
        weights=value["weights"],
        rows=steps[:, None] * np.array(value["rows"], dtype=np.int8),
    )


def distribution_names() -> tuple[str, ...]:
    """Return the names that ``load_distribution()`` accepts, in alphabetical order."""
    return _names(FOLDER)


def reply_names() -> tuple[str, ...]:
    """Return the names that ``load_reply()`` accepts, in alphabetical order."""
    return _names(REPLIES)


@cache
def load_distribution(name: str) -> Distribution:
    """Return a real next-token distribution. Its arrays are read-only. Raises
    UnknownDistribution.
    """
    return read_distribution(_find(FOLDER, name))


def load_reply(name: str) -> dict[str, Any]:
    """Return a real reply: ``shows``, ``origin``, the ``request``, and the ``response`` in the
    API's format.

    If the request asked for log-probabilities, ``response["choices"][0]["logprobs"]["content"]``
    has an entry per token: token, logprob, bytes, and five top_logprobs. The values are the model's
    own, before temperature. ``seconds`` is how long llama.cpp took to generate that many tokens on
    two cores. Raises UnknownDistribution.
    """
    reply: dict[str, Any] = json.loads(
        _find(REPLIES, name).read_text(encoding="utf-8")
    )
    return reply


def read_distribution(path: Path) -> Distribution:
    """Return the distribution in a file."""
    value = json.loads(path.read_text(encoding="utf-8"))
    garden, name = load_garden(), path.stem
    return Distribution(
        **_arrays(value.pop("tokens"), value.pop("others")),
        **value,
        name=name,
        garden=garden,
        weights=garden.weights.get(name, [1.0]),
    )


def _arrays(
    named: Sequence[Sequence[Any]], others: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    """Return a distribution's tokens, logits, and counts.

    named   the text of each named token, its log-probability, and its count in the reply so far (if
            omitted: 0)
    others  log-probabilities, and how many of the other tokens have each of them
    """
    rare = np.repeat([row[0] for row in others], [row[1] for row in others])
    logits = np.concatenate([[row[1] for row in named], rare])
    counts = np.zeros(len(logits), dtype=np.int64)
    counts[: len(named)] = [sum(row[2:]) for row in named]
    logits.setflags(write=False)
    counts.setflags(write=False)
    tokens = tuple(row[0] for row in named)
    return {"tokens": tokens, "logits": logits, "counts": counts}


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def _find(folder: Path, name: str) -> Path:
    if name not in _names(folder):
        raise UnknownDistribution(
            f"There is no distribution {name!r}. Choose one of: {', '.join(_names(folder))}."
        )
    return folder / f"{name}.json"
