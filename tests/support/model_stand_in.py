"""A stand-in for the program that runs the local model. It answers as xllamacpp's server does, but
without a model.
"""

from __future__ import annotations

import sys
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coursekit import sampling
from data_tools.local_model import END, chat_prompt

TOKENS = [f" t{number}" for number in range(599)] + [END]


class Server:
    """Answers as xllamacpp does: the logits depend only on the prompt, and the probabilities do not
    quite add up to 1.
    """

    def __init__(self, params: Any) -> None:
        assert (params.n_parallel, params.cache_prompt, params.special) == (
            1,
            False,
            True,
        )

    def handle_completions(self, request: dict[str, Any]) -> dict[str, Any]:
        prompt = (
            request["prompt"]
            if isinstance(request["prompt"], str)
            else repr(request["prompt"])
        )
        values = np.random.default_rng(zlib.crc32(prompt.encode())).normal(
            0, 3, len(TOKENS)
        )
        values[-1] += 3  # the end token is likely
        logprobs = np.log(sampling.softmax(values)) + 1e-4
        rows = [
            {
                "id": int(number),
                "bytes": list(TOKENS[number].encode()),
                "logprob": float(logprobs[number]),
            }
            for number in np.argsort(-logprobs)
        ]
        content = [{"top_logprobs": rows[: request.get("n_probs", 0)]}]
        return {
            "choices": [{"logprobs": {"content": content}}],
            "usage": {"prompt_tokens": len(prompt)},
        }

    def handle_chat_completions(
        self, request: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "usage": {"prompt_tokens": len(chat_prompt(request["messages"]))}
        }


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace xllamacpp with the stand-in. Returns the path of a model file for it."""
    stand_in = types.ModuleType("xllamacpp")
    stand_in.__dict__.update(
        __version__="0",
        Server=Server,
        CommonParams=lambda: types.SimpleNamespace(
            model=types.SimpleNamespace()
        ),
    )
    monkeypatch.setitem(sys.modules, "xllamacpp", stand_in)
    monkeypatch.setattr(
        "coursekit.local_model.llama.util.find_spec",
        lambda name: name == "xllamacpp",
    )
    path = folder / "model.gguf"
    path.write_bytes(b"weights")
    return path
