"""The real SmolLM2 behind connect(local_model=True), if it is installed. No test downloads it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import connect, logits
from coursekit.local_model import SMOLLM2, DamagedModel, server

if util.find_spec("xllamacpp") is None or not SMOLLM2.path.is_file():
    pytest.skip(
        "the local model is not installed (coursekit local install)",
        allow_module_level=True,
    )
pytestmark = pytest.mark.local


CLIENTS: list[openai.OpenAI] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().close()


@pytest.fixture(scope="module", autouse=True)
def ended() -> Iterator[None]:
    yield
    server._forget()


def ask(prompt: str, **more: Any) -> Any:
    """A reply to a prompt without a recording."""
    client = connect(
        "replay",
        fallback="local",
        recordings="/nowhere",
        speed="instant",
        max_retries=0,
    )
    CLIENTS.append(client)
    messages = [{"role": "user", "content": prompt}]
    # type: ignore[call-overload]
    return client.chat.completions.create(
        model="gpt-4o",
        messages=messages,
        **{"max_completion_tokens": 24, **more},
    )


def text(prompt: str, **more: Any) -> str:
    return str(ask(prompt, **more).choices[0].message.content)


def test_a_seed_gives_the_same_text_twice_and_after_others() -> None:
    """Complete or streamed, first or after other requests, the text is the same. Another seed
    gives another text.
    """
    first = text("Tell me a story.", seed=7)
    assert text("Say hello.", seed=1) != first
    assert text("Tell me a story.", seed=7) == first
    stream = ask("Tell me a story.", seed=7, stream=True)
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        == first
    )
    assert text("Tell me a story.", seed=8) != first


def test_sampling_parameters_are_applied() -> None:
    """At temperature 0, or with the smallest nucleus, every seed gives the same text, and penalties
    change it.
    """
    greedy = text("Write a haiku about the sea.", temperature=0, seed=1)
    assert text("Write a haiku about the sea.", temperature=0, seed=2) == greedy
    assert text("Write a haiku about the sea.", top_p=0, seed=3) == greedy
    assert (
        text("Write a haiku about the sea.", temperature=0, frequency_penalty=2)
        != greedy
    )
    assert (
        text("Write a haiku about the sea.", temperature=0, presence_penalty=2)
        != greedy
    )
    assert (
        len(
            {
                text("Write a haiku about the sea.", temperature=1.5, seed=seed)
                for seed in range(3)
            }
        )
        == 3
    )


def test_logprobs_are_the_model_s() -> None:
    """Log-probabilities are those that the course has stored for the same model. They are valid,
    and sampling does not affect them.
    """
    kept = logits.load_reply("dog_temperature_0")["response"]["choices"][0][
        "logprobs"
    ]["content"]
    reply = ask(
        "Write one sentence about a dog.",
        temperature=0,
        logprobs=True,
        top_logprobs=5,
    )
    (first, *_) = reply.choices[0].logprobs.content
    assert first.token == kept[0]["token"]
    assert first.logprob == pytest.approx(kept[0]["logprob"], abs=0.05)
    assert sum(math.exp(other.logprob) for other in first.top_logprobs) <= 1
    assert (
        len(reply.choices[0].logprobs.content) == reply.usage.completion_tokens
    )
    hot = ask(
        "Write one sentence about a dog.",
        temperature=2,
        seed=1,
        logprobs=True,
        top_logprobs=5,
    )
    assert hot.choices[0].logprobs.content[0].top_logprobs == first.top_logprobs


def test_limits_stops_and_choices() -> None:
    """A limit cuts the text off, and a stop sequence ends it before itself. More than one choice is
    refused in the server's words.
    """
    cut = ask("Count from 1 to 10.", temperature=0, max_completion_tokens=5)
    assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == (
        "length",
        5,
    )
    stopped = ask("Count from 1 to 10.", temperature=0, stop=["3"]).choices[0]
    assert (stopped.finish_reason, "3" in stopped.message.content) == (
        "stop",
        False,
    )
    with pytest.raises(openai.BadRequestError, match="Field 'n'"):
        ask("Name a color.", n=3)


def test_json_by_mode_and_by_schema() -> None:
    """The answer is JSON that follows the schema, if rarely the facts."""
    json.loads(
        text(
            "JSON with name and age of a person.",
            temperature=0,
            response_format={"type": "json_object"},
            max_completion_tokens=200,
        )
    )
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "big": {"type": "boolean"}},
        "required": ["city", "big"],
        "additionalProperties": False,
    }
    form = {
        "type": "json_schema",
        "json_schema": {"name": "city", "strict": True, "schema": schema},
    }
    told = json.loads(
        text(
            "Is Paris big?",
            temperature=0,
            response_format=form,
            max_completion_tokens=200,
        )
    )
    assert set(told) == {"city", "big"} and isinstance(told["big"], bool)


def test_a_prompt_longer_than_its_context() -> None:
    """The request gets a 400 in the server's words, and the next one is answered."""
    with pytest.raises(
        openai.BadRequestError, match="exceeds the available context size"
    ):
        ask("word " * 3000)
    assert text("Hi", max_completion_tokens=2)


def test_a_stream_left_early_leaves_it_free() -> None:
    """The next reply does not wait for the rest of a long one."""
    stream = ask(
        "Tell me a long story.", stream=True, max_completion_tokens=1500
    )
    next(iter(stream))
    stream.close()
    assert text("Hi", max_completion_tokens=2, timeout=10)


def test_half_a_file_is_no_model(tmp_path: Path) -> None:
    """A truncated GGUF file is reported as damaged, with its name."""
    with SMOLLM2.path.open("rb") as file:
        (tmp_path / "half.gguf").write_bytes(file.read(5_000_000))
    client = connect(
        "replay",
        local_model=tmp_path / "half.gguf",
        recordings="/nowhere",
        speed="instant",
    )
    CLIENTS.append(client)
    with pytest.raises(DamagedModel, match="half.gguf"):
        client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hi"}]
        )
