"""Record the garden for chapter 02: what the model would say after each of the most probable
continuations of one prompt, and the text of each token in its vocabulary.

    cd tests; python -m data_tools.garden MODEL.gguf

Only an author runs this; learners read data/logits/garden.json.gz through ``coursekit.logits``.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coursekit import logits
from coursekit.local_model.llama import token_text
from data_tools.local_model import DOCUMENT, LocalModel, Vocabulary
from data_tools.logits import (
    PROMPTS,
    Prompt,
    accuracy,
    origin_of,
    stored,
    vocabulary_after,
)

ROOT = "traffic_light"
# stored distributions; tokens that can be added to the text
NODES, DEPTH = (
    150,
    4,
)
NAMED = 120  # tokens of each distribution that are stored by name
# The order of the rare tokens: a score for each token in the vocabulary, as a coarsely rounded sum
# of RANK + 1 rows. Tokens above HIGH have names; those below LOW are practically never drawn.
RANK, LOW, HIGH, ROUGH = 8, -20.0, -8.5, 0.8
Tokens = tuple[int, ...]  # ids


def main(arguments: Sequence[str] | None = None) -> None:
    """The command: write data/logits/garden.json.gz, and print its size."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, default=logits.GARDEN)
    options = parser.parse_args(arguments)
    model = LocalModel(options.model)
    roots = {
        prompt.name: vocabulary_after(model, prompt)[1] for prompt in PROMPTS
    }
    (prompt,) = (prompt for prompt in PROMPTS if prompt.name == ROOT)
    nodes = grown(model, prompt, roots[ROOT])
    write_garden(options.out, roots, nodes, origin_of(model, options.model))
    print(f"{len(nodes)} distributions, {options.out.stat().st_size:,} bytes")


def grown(
    model: LocalModel, prompt: Prompt, first: Vocabulary
) -> dict[Tokens, Vocabulary]:
    """The distributions after the most probable continuations: token ids so far -> the next
    token.
    """
    nodes: dict[Tokens, Vocabulary] = {}
    waiting = [(-1.0, Tokens())]
    while waiting and len(nodes) < NODES:
        share, path = heapq.heappop(waiting)
        next_token = (
            model.next_token([DOCUMENT + prompt.text, *path]) if path else first
        )
        nodes[path] = next_token
        if len(path) < DEPTH - 1:
            for token in np.argsort(-next_token.logprobs)[:40]:
                more = share * float(np.exp(next_token.logprobs[token]))
                heapq.heappush(waiting, (more, (*path, int(token))))
    return nodes


def write_garden(
    path: Path,
    roots: Mapping[str, Vocabulary],
    nodes: Mapping[Tokens, Vocabulary],
    origin: Mapping[str, str],
) -> None:
    """Write the file, including how close its numbers are to the model's own."""
    whole = [*roots.values(), *nodes.values()]
    rows, steps, weights = scores_of(
        np.array([each.logprobs for each in whole])
    )
    of_roots, of_nodes = weights[: len(roots)], weights[len(roots) :]
    value: dict[str, Any] = {
        "origin": origin,
        "root": ROOT,
        "vocabulary": [token_text(token) for token in roots[ROOT].tokens],
        "rows": rows.tolist(),
        "steps": steps,
        "weights": dict(zip(roots, of_roots, strict=True)),
        "nodes": [
            {
                "path": list(tokens),
                "weights": weight,
                **_stored(next_token, tokens),
            }
            for (tokens, next_token), weight in zip(
                nodes.items(), of_nodes, strict=True
            )
        ],
    }
    _write(path, {**value, "accuracy": {}})
    start = logits.load_distribution(ROOT)
    value["accuracy"] = _accuracy(logits.read_garden(path), start, nodes)
    _write(path, value)


def scores_of(
    logprobs: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int8], list[float], list[list[float]]]:
    """The rows, the step of each, and for each distribution the weights in its sum of rows.

    logprobs  one row for each distribution
    """
    clipped = np.clip(logprobs, LOW, HIGH)
    mean = clipped.mean(axis=0)
    rest = clipped - mean
    # The principal components, from the small matrix of dot products between distributions.
    sizes, between = np.linalg.eigh(rest @ rest.T)
    best = np.argsort(-sizes)[:RANK]
    components = (between[:, best] / np.sqrt(sizes[best])).T @ rest
    weights = rest @ components.T
    steps = [0.25, *(ROUGH / weights.std(axis=0))]
    rows = [
        np.round(row / step)
        for row, step in zip([mean, *components], steps, strict=True)
    ]
    rounded = [
        [1.0, *(round(float(each), 2) for each in row)] for row in weights
    ]
    return (
        np.array(rows, dtype=np.int8),
        [float(f"{step:.4g}") for step in steps],
        rounded,
    )


def _stored(next_token: Vocabulary, path: Tokens) -> dict[str, Any]:
    """[token id, log-probability in thousandths] for the named tokens, and [.., count] for the
    others.
    """
    named, groups = stored(next_token, next_token.counts(path), NAMED)
    tokens = [
        [int(token), _thousandths(next_token.logprobs[token])]
        for token in named
    ]
    return {
        "tokens": tokens,
        "others": [[_thousandths(mean), many] for mean, many in groups],
    }


def _thousandths(logprob: float) -> int:
    return round(1000 * float(logprob))


def _accuracy(
    garden: logits.Garden,
    start: logits.Distribution,
    nodes: Mapping[Tokens, Vocabulary],
) -> dict[str, float]:
    """The largest differences in all nodes, and the root mean square error of the names."""
    worst: dict[str, float] = {}
    squares = []
    for path, next_token in nodes.items():
        if not path:
            continue  # the root has a file of its own
        kept = garden.after(
            start, tuple(garden.vocabulary[token] for token in path)
        )
        assert kept is not None
        found = accuracy(
            next_token,
            next_token.counts(path),
            kept,
            temperatures=(0.5, 1.0, 2.0),
            top_ps=(0.9, 1.0),
        )
        worst = {
            name: max(worst.get(name, 0.0), error)
            for name, error in found.items()
        }
        true = next_token.logprobs[kept.others]
        tail = kept.logits[len(kept.tokens) :]
        squares.append(np.average((true - tail) ** 2, weights=np.exp(tail / 2)))
    return {**worst, "names_nats": float(f"{np.sqrt(np.mean(squares)):.2g}")}


def _write(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
