"""A small open model that computes only one thing: the log-probability of every token in its
vocabulary.

Only for authors, and only when data/logits is rebuilt. Sampling uses ``coursekit.sampling``, so a
reply made here follows the formulas that chapter 02 teaches.
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
DOCUMENT = (
    "<|endoftext|>"  # precedes every document that the model was trained on
)
# The system message that the model's chat template adds if the messages have none.
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The model's tokens by their ids: ``tokens[id]`` is a token's bytes, and the probabilities
    exp(``logprobs``) add up to 1 in float64.
    """

    tokens: tuple[bytes, ...]
    logprobs: npt.NDArray[np.float64]

    def counts(self, ids: Sequence[int]) -> npt.NDArray[np.intp]:
        """How often each token occurs in ``ids``."""
        return np.bincount(
            np.array(ids, dtype=np.intp), minlength=len(self.tokens)
        )


class LocalModel:
    """A GGUF model that llama.cpp runs in this process. If the model is missing, raises SystemExit
    with instructions.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._server = load(path, special=True)
        except (LocalModelMissing, DamagedModel) as error:
            raise SystemExit(str(error)) from None
        self.tool = program()

    def next_token(self, prompt: Sequence[str | int]) -> Vocabulary:
        """The distribution after ``prompt``, which mixes strings (special tokens in them are
        recognized) and token ids.
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
        # llama.cpp normalizes in float32, so the sum is off by up to 1e-4.
        return Vocabulary(
            tuple(bytes(row["bytes"]) for row in rows),
            np.log(sampling.softmax(logprobs)),
        )

    def text_tokens(self, text: str) -> int:
        """The number of tokens in some text."""
        answer = self._server.handle_completions(
            {"prompt": text, "n_predict": 1}
        )
        return int(answer["usage"]["prompt_tokens"])

    def chat_tokens(self, messages: Sequence[Mapping[str, str]]) -> int:
        """The number of tokens in a chat prompt, by the model's own chat template."""
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
        """Sample a reply. Returns each token's id, and its distribution before ``settings`` are
        applied; the end token is last.

        settings  temperature, top_p, frequency_penalty, and presence_penalty, as in
                  ``sampling.probabilities``
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
        """How long the model takes to write this number of tokens when it does not return its
        entire vocabulary each time.
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
    """An author's command line: the file of the ``model``, the ``names`` of what to make, and the
    folder ``out``.

    doc     the docstring of the program
    things  what the names refer to
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
    """The text that the model's chat template makes from messages (ChatML, with its default system
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
    """An entry in ``logprobs.content``, in the API's format."""

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
