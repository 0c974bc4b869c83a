"""connect(local_model=...): what nobody has recorded is answered by a model on this machine, here by a stand-in."""

from __future__ import annotations

import asyncio
import inspect
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import Meter, RecordingNotFound, connect, connect_async, stream_text
from coursekit.local_model import DamagedModel, LocalModelMissing, engine_for
from coursekit.metering import Receipt
from coursekit.offline import Fault, verdict_on
from coursekit.offline.recordings import read
from coursekit.settings import MissingKey, ModeError
from support import llama_stand_in
from support.llama_stand_in import server
from support.offline_api import folder_with, params, whole

USER = [{"role": "user", "content": "Tell me of a snail."}]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = llama_stand_in.installed(tmp_path, monkeypatch)
    yield path
    engine_for(path).close()


def client(model: Path | str | bool, **options: Any) -> openai.OpenAI:
    return connect("replay", local_model=model, **{"speed": "instant", "max_retries": 0, **options})


def ask(asked: openai.OpenAI, prompt: str = "Tell me of a snail.", **more: Any) -> Any:
    return asked.chat.completions.create(**params(prompt, **more))


def test_what_was_recorded_wins(model: Path, tmp_path: Path) -> None:
    """A recorded request is answered by its recording; the model is not even loaded."""
    recorded = folder_with(tmp_path / "recorded", (params(), whole("Paris.")))
    reply = connect("replay", recordings=recorded, speed="instant", local_model=model).chat.completions.create(
        **params()
    )
    assert reply.choices[0].message.content == "Paris."
    assert server().loaded == []


def test_the_reply_and_its_receipt_say_who_answered(model: Path) -> None:
    """model, ids and fingerprint are of our own kind, and the receipt names the model and has no price."""
    asked = client(model)
    reply = ask(asked)
    assert (reply.model, reply.object, reply.service_tier) == ("Tiny-1M", "chat.completion", None)
    assert reply.id.startswith("chatcmpl-local-")
    assert reply._request_id.startswith("req_local_")
    assert reply.system_fingerprint.startswith("fp_local_")
    receipt = Meter(asked).add(reply)
    assert (receipt.origin, receipt.cost) == ("replay · local · Tiny-1M", "no price")


def test_it_is_loaded_once_and_late(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clients share one model, however they name it, which is loaded at the first request, from whatever folder; a
    seed repeats a text in both."""
    monkeypatch.chdir(model.parent)
    first, second = client(model), client(model.name)
    monkeypatch.chdir("/")
    assert server().loaded == []
    ask(first, seed=2)
    texts = [ask(each, seed=1).choices[0].message.content for each in (first, second)]
    assert texts[0] == texts[1]
    assert server().loaded == [str(model)]


def test_a_stream_says_what_the_whole_says(model: Path) -> None:
    """Its chunks put together are the text, usage and logprobs of the same request unstreamed."""
    asked, common = client(model), {"seed": 1, "n": 2, "logprobs": True, "top_logprobs": 3}
    reply = ask(asked, **common)
    chunks = list(ask(asked, stream=True, stream_options={"include_usage": True}, **common))
    for choice in reply.choices:
        mine = [c.choices[0] for c in chunks if c.choices and c.choices[0].index == choice.index]
        assert "".join(part.delta.content or "" for part in mine) == choice.message.content
        assert [t for part in mine if part.logprobs for t in part.logprobs.content] == choice.logprobs.content
        assert [part.finish_reason for part in mine if part.finish_reason] == [choice.finish_reason]
        assert mine[0].delta.role == "assistant"
    assert chunks[-1].usage == reply.usage
    assert {chunk.usage for chunk in chunks[:-1]} == {None}
    assert {(chunk.model, chunk.system_fingerprint) for chunk in chunks} == {(reply.model, reply.system_fingerprint)}


def test_tokens_are_counted_as_the_api_does(model: Path) -> None:
    """The token that ends a text is not billed; a prompt is billed once, each of n choices is."""
    reply = ask(client(model), n=3, seed=1, logprobs=True)
    tokens = [choice.logprobs.content for choice in reply.choices]
    assert reply.usage.completion_tokens == sum(map(len, tokens))
    assert reply.usage.prompt_tokens == 13
    assert {choice.finish_reason for choice in reply.choices} == {"stop"}
    assert len({choice.message.content for choice in reply.choices}) > 1
    cut = ask(client(model), max_completion_tokens=2)
    assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 2)


def test_logprobs_come_as_asked(model: Path) -> None:
    """As many alternatives as were asked for, none unasked, and no number that is no JSON."""
    (first, *_) = ask(client(model), logprobs=True, top_logprobs=2).choices[0].logprobs.content
    assert [other.logprob for other in first.top_logprobs] == [-0.5, -9999.0]
    assert ask(client(model), logprobs=True).choices[0].logprobs.content[0].top_logprobs == []
    assert ask(client(model)).choices[0].logprobs is None


def test_a_stream_comes_as_it_is_written(model: Path) -> None:
    """The first token is there before the last is written, and the receipt tells the whole time."""
    server().pause = 0.02
    asked = client(model, speed=1.0)
    stream = stream_text(asked, **params("loop", max_completion_tokens=10))
    start = time.perf_counter()
    next(stream)
    first = time.perf_counter() - start
    rest = "".join(stream)
    total = time.perf_counter() - start
    assert rest and first < total / 2
    receipt = Meter(asked).add(stream)
    assert receipt.source == "local · Tiny-1M"
    assert receipt.seconds == pytest.approx(total, abs=0.15)
    assert verdict_on(asked).good


def test_a_stream_that_is_left_stops_the_model(model: Path) -> None:
    """Closed early, it leaves the model free for the next request."""
    server().pause = 0.001
    asked = client(model)
    stream = ask(asked, "loop", stream=True, max_completion_tokens=16_000)
    for _ in zip(range(5), stream, strict=False):
        pass
    stream.close()
    assert ask(asked).choices[0].finish_reason == "stop"
    assert verdict_on(asked).outcomes == {"200, left": 1, "200": 1}


def test_the_caller_s_timeout_counts(model: Path) -> None:
    """After it the caller gets the SDK's timeout, and the model stops."""
    server().pause = 0.001
    asked = client(model)
    with pytest.raises(openai.APITimeoutError):
        ask(asked.with_options(timeout=0.05), "loop", max_completion_tokens=16_000)
    assert ask(asked).choices[0].finish_reason == "stop"
    assert verdict_on(asked).outcomes == {"timeout": 1, "200": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to this thread alone")
def test_an_interrupted_cell_frees_the_model(model: Path) -> None:
    """Ctrl+C ends the wait at once, and the next cell is answered."""
    server().pause = 0.001
    asked = client(model)
    threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        ask(asked, "loop", max_completion_tokens=16_000)
    assert ask(asked).choices[0].finish_reason == "stop"


async def test_twenty_at_once_wait_their_turn(model: Path) -> None:
    """They are answered one after the other, each with its own text, and the event loop goes on meanwhile."""
    server().pause = 0.001
    asked = connect_async("replay", local_model=model, speed="instant")
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    ticker = asyncio.create_task(turn())
    replies = await asyncio.gather(
        *(asked.chat.completions.create(**params(f"Say {number}.", seed=1)) for number in range(20))
    )
    ticker.cancel()
    assert turns > 50
    alone = client(model)
    assert [r.choices[0].message.content for r in replies[:3]] == [
        ask(alone, f"Say {number}.", seed=1).choices[0].message.content for number in range(3)
    ]


async def test_async_streams_and_cancelled_tasks(model: Path) -> None:
    """A stream comes chunk by chunk; a cancelled request, waiting or in mid-stream, frees the model."""
    server().pause = 0.001
    asked = connect_async("replay", local_model=model, speed="instant")
    stream = await asked.chat.completions.create(**params("loop", stream=True, max_completion_tokens=5))
    assert len([chunk async for chunk in stream]) == 7

    async def endless(stream: bool) -> None:
        async for _ in (
            await asked.chat.completions.create(**params("loop", stream=True, max_completion_tokens=16_000))
            if stream
            else [await asked.chat.completions.create(**params("loop", max_completion_tokens=16_000))]
        ):  # type: ignore[attr-defined]
            pass

    for kind in (True, False):
        task = asyncio.create_task(endless(kind))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    reply = await asyncio.wait_for(asked.chat.completions.create(**params("Tell me of a snail.")), 10)
    assert (reply.model, reply.choices[0].finish_reason) == ("Tiny-1M", "stop")
    assert verdict_on(asked).outcomes == {"200": 2, "200, left": 1, "200, too late for the caller": 1}


@pytest.mark.parametrize("prompt", ["Hi", "loop"])
def test_faults_and_limits_stand_before_it(model: Path, prompt: str) -> None:
    """A fault strikes a local answer as any other, and the account's limits count it; its dollars stay."""
    asked = client(model, faults=[Fault("server_error"), Fault("cut_stream", after=2)],
                   rate_limit={"rpm": 3, "tpm": 1000, "spend": 0.01})  # fmt: skip
    with pytest.raises(openai.InternalServerError):
        ask(asked)
    chunks = list(ask(asked, prompt, stream=True, max_completion_tokens=9))
    assert sum(bool(chunk.choices[0].delta.content) for chunk in chunks) == 2
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)
    for _ in range(2):
        ask(asked)
    with pytest.raises(openai.RateLimitError, match="RPM"):
        ask(asked)


def test_wrong_requests_never_reach_it(model: Path) -> None:
    """The rules of the model that is asked for stand in front, in the API's words."""
    asked = client(model)
    with pytest.raises(openai.BadRequestError, match="decimal above maximum value"):
        ask(asked, temperature=3)
    with pytest.raises(openai.BadRequestError, match="max_completion_tokens"):
        ask(asked, model="o4-mini", max_tokens=5)
    with pytest.raises(RecordingNotFound):
        asked.models.list()
    assert server().requests == []


def test_a_prompt_that_is_too_long_is_refused_as_the_api_does(model: Path) -> None:
    """400 context_length_exceeded, streamed or not, and no retry."""
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as raised:
            ask(client(model, max_retries=2), "word " * 2100, stream=stream)
        assert raised.value.code == "context_length_exceeded"
        assert "maximum context length is 2048 tokens" in str(raised.value)
    assert len(server().requests) == 2


def test_what_llama_cpp_cannot_do_is_a_400(model: Path) -> None:
    """Its own failure at a request becomes an error that says so, and the next request is answered."""
    asked = client(model)
    with pytest.raises(openai.BadRequestError, match="llama.cpp says: grammar error"):
        ask(asked, "boom")
    assert ask(asked).choices


def test_without_the_package_or_the_file_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    """connect() itself raises, by argument and by setting, before anything is asked; the message has the command."""
    with pytest.raises(LocalModelMissing, match="no model at .*absent.gguf, so nothing was asked"):
        connect(local_model=tmp_path / "absent.gguf")
    monkeypatch.setattr("coursekit.local_model.llama.util.find_spec", lambda name: None)
    with pytest.raises(LocalModelMissing, match=r"xllamacpp\) is not installed.*\n.*coursekit local install"):
        connect(local_model=model)
    monkeypatch.setenv("COURSEKIT_LOCAL", "1")
    with pytest.raises(LocalModelMissing):
        connect()
    connect(local_model=False)


def test_a_damaged_model_is_told_at_the_first_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file and the cure, and is not retried."""
    path = llama_stand_in.installed(tmp_path, monkeypatch, weights=b"damaged")
    with pytest.raises(DamagedModel, match=r"Tiny-1M\.gguf.*\n.*What to do|Tiny-1M"):
        ask(client(path, max_retries=2))
    engine_for(path).close()


def test_the_settings_choose_the_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """COURSEKIT_LOCAL=1 switches it on and COURSEKIT_LOCAL_MODEL names another file; False switches it off."""
    monkeypatch.setenv("COURSEKIT_LOCAL_MODEL", str(model))
    monkeypatch.setenv("COURSEKIT_LOCAL", "1")
    assert ask(connect(speed="instant")).model == "Tiny-1M"
    with pytest.raises(RecordingNotFound, match="coursekit local install"):
        ask(connect(speed="instant", local_model=False))
    monkeypatch.setenv("COURSEKIT_LOCAL", "off")
    with pytest.raises(RecordingNotFound):
        ask(connect(speed="instant"))
    assert ask(connect(speed="instant", local_model=True)).model == "Tiny-1M"
    with pytest.raises(ModeError, match="local_model= is for the offline API"):
        connect("live", local_model=True, api_key="none")
    with pytest.raises(ValueError, match="is no model"):
        connect(local_model=3)  # type: ignore[arg-type]


def test_a_batch_is_answered_too(model: Path) -> None:
    """The offline Batch API takes the model's answers for what is not recorded."""
    asked = client(model)
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": params("Tell me of a snail.")}
    file = asked.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    batch = asked.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    while batch.status != "completed":
        asked._client.clock.wait(asked._client.clock.now() + 60)
        batch = asked.batches.retrieve(batch.id)
    told = json.loads(asked.files.content(batch.output_file_id).text)
    assert told["response"]["body"]["model"] == "Tiny-1M"


def test_nothing_is_loaded_at_import() -> None:
    """The package that runs the model is imported in load() alone."""
    from coursekit.local_model import llama

    assert "import xllamacpp" in inspect.getsource(llama.load)
    assert "xllamacpp" not in vars(llama)


def test_a_receipt_of_the_course_s_own_model_says_so() -> None:
    """`local · SmolLM2-135M` is what its receipts end in."""
    from coursekit.local_model import SMOLLM2

    receipt = Receipt("SmolLM2", None, None, 1.0, f"local · {SMOLLM2.label}", "replay")
    assert repr(receipt) == "no usage · 1.00 s · replay · local · SmolLM2-135M"


def test_record_mode_keeps_what_it_says(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """connect("record", local_model=...) asks nobody else, needs no key, and its recordings are of provenance local.
    The setting alone does not turn a recording of the real API into one of the local model."""
    folder = tmp_path / "kept"
    made = connect("record", recordings=folder, local_model=model)
    reply = ask(made, seed=1)
    chunks = [chunk.choices[0].delta.content for chunk in ask(made, seed=1, stream=True)]
    with pytest.raises(openai.BadRequestError):
        ask(made, temperature=3)
    kept = [read(path) for path in sorted(folder.glob("*.json"))]
    assert {provenance.kind for _, provenance, _ in kept} == {"local"}
    assert len(kept) == 2 and "Tiny-1M" in kept[0][1].by
    replayed = connect("replay", recordings=folder, speed="instant")
    again = ask(replayed, seed=1)
    assert (again, again._request_id) == (reply, reply._request_id)
    assert [chunk.choices[0].delta.content for chunk in ask(replayed, seed=1, stream=True)] == chunks
    assert Meter(replayed).add(ask(replayed, seed=1)).origin == "replay · local"
    monkeypatch.setenv("COURSEKIT_LOCAL", "1")
    with pytest.raises(MissingKey):
        connect("record", recordings=folder)
