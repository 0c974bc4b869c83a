"""A small open model, asked for one thing: the log-probability of every token of its vocabulary.

Only for authors, and only when data/logits is made again. The sampling on top of it is
``coursekit.sampling``, so that a reply made here followed the very formulas that chapter 02
teaches.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coursekit import sampling
from coursekit.local_model import (
    SMOLLM2,
    DamagedModel,
    LocalModelMissing,
    load,
)
from coursekit.local_model.llama import program, token_text

END = "<|im_end|>"
DOCUMENT = "<|endoftext|>"  # stands before every document that the model was trained on
# The system message that the model's own chat template adds when the messages have none.
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every token of the model, by its id: ``tokens[id]`` are its bytes, ``logprobs[id]`` adds up
    to 1 in float64.
    """

    tokens: tuple[bytes, ...]
    logprobs: npt.NDArray[np.float64]

    def counts(self, ids: Sequence[int]) -> npt.NDArray[np.intp]:
        """How often each token is among ``ids``."""
        return np.bincount(
            np.array(ids, dtype=np.intp), minlength=len(self.tokens)
        )


class LocalModel:
    """A GGUF model run by llama.cpp in this process. Raises SystemExit with instructions where
    there is none.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._server = load(path, special=True)
        except (LocalModelMissing, DamagedModel) as error:
            raise SystemExit(str(error)) from None
        self.tool = program()

    def next_token(self, prompt: Sequence[str | int]) -> Vocabulary:
        """The distribution after ``prompt``: texts (special tokens are recognized in them) and
        token ids, mixed.
        """
        answer = self._server.handle_completions(
            {
                "prompt": list(prompt),
                "n_predict": 1,
                "n_probs": 10**6,
                "temperature": 1,
                # llama.cpp reports nothing when it happens to sample half a character, so it is
                # made to sample token 260 (" the"). The reported log-probabilities are the model's,
                # from before this bias.
                "logit_bias": [[260, 100]],
            }
        )
        rows = sorted(
            answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"],
            key=lambda row: row["id"],
        )
        if [row["id"] for row in rows] != list(range(len(rows))):
            raise RuntimeError(
                "The model did not give one log-probability for each token of its vocabulary."
            )
        logprobs = np.array([row["logprob"] for row in rows])
        # llama.cpp normalizes in float32: the sum is off by up to 1e-4.
        return Vocabulary(
            tuple(bytes(row["bytes"]) for row in rows),
            np.log(sampling.softmax(logprobs)),
        )

    def text_tokens(self, text: str) -> int:
        """The length of some text."""
        answer = self._server.handle_completions(
            {"prompt": text, "n_predict": 1}
        )
        return int(answer["usage"]["prompt_tokens"])

    def chat_tokens(self, messages: Sequence[Mapping[str, str]]) -> int:
        """The length of a chat prompt by the model's own chat template."""
        answer = self._server.handle_chat_completions(
            {"messages": list(messages), "max_tokens": 1}
        )
        return int(answer["usage"]["prompt_tokens"])

    def reply(
        self,
        messages: Sequence[Mapping[str, str]],
        generator: np.random.Generator,
        max_tokens: int,
        **settings: float,
    ) -> Iterator[tuple[int, Vocabulary]]:
        """Sample a reply: each token's id with the distribution before ``settings``; the end token
        is the last.

        settings  temperature, top_p, frequency_penalty, presence_penalty, as
                  ``sampling.probabilities`` takes them
        """
        ids: list[int] = []
        while len(ids) < max_tokens:
            vocabulary = self.next_token([chat_prompt(messages), *ids])
            mass = sampling.probabilities(
                vocabulary.logprobs, vocabulary.counts(ids), **settings
            )
            ids.append(int(sampling.sample(mass, generator, draws=1)[0]))
            yield ids[-1], vocabulary
            if vocabulary.tokens[ids[-1]] == END.encode():
                return

    def seconds(
        self, messages: Sequence[Mapping[str, str]], tokens: int
    ) -> float:
        """How long the model takes to write this number of tokens, without its whole vocabulary
        each time.
        """
        start = time.perf_counter()
        self._server.handle_completions(
            {
                "prompt": chat_prompt(messages),
                "n_predict": tokens,
                "ignore_eos": True,
            }
        )
        return time.perf_counter() - start


def options_of(
    arguments: Sequence[str] | None, doc: str, things: str, out: Path
) -> argparse.Namespace:
    """What an author types: the ``model``'s file, the ``names`` of what to take, and the folder
    ``out``.

    doc     the docstring of the program
    things  what the names are of
    out     the default folder
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument(
        "model",
        type=Path,
        help=f"{SMOLLM2.file}, as `coursekit local install` keeps it",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {things}; none: all"
    )
    parser.add_argument("--out", type=Path, default=out)
    return parser.parse_args(arguments)


def chat_prompt(messages: Sequence[Mapping[str, str]]) -> str:
    """The text that the model's chat template makes of messages (ChatML, with its default system
    message).
    """
    whole = [{"role": "system", "content": SYSTEM}, *messages]
    turns = "".join(
        f"<|im_start|>{message['role']}\n{message['content']}{END}\n"
        for message in whole
    )
    return f"{turns}<|im_start|>assistant\n"


def api_logprob(
    token_id: int, vocabulary: Vocabulary, alternatives: int
) -> dict[str, Any]:
    """An entry of ``logprobs.content`` in the shape of the API."""

    def entry(index: int) -> dict[str, Any]:
        token = vocabulary.tokens[index]
        logprob = round(float(vocabulary.logprobs[index]), 6)
        return {
            "token": token_text(token),
            "logprob": logprob,
            "bytes": list(token),
        }

    best = np.argsort(-vocabulary.logprobs, kind="stable")[:alternatives]
    return {
        **entry(token_id),
        "top_logprobs": [entry(int(index)) for index in best],
    }
