"""Real replies: how an author makes them, and how they become recordings with the provenance
"local".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coursekit import Meter, connect, logits, sampling
from coursekit.offline.recorded.local_replies import NoLocalReply, local_answer
from coursekit.offline.recorded.written import Written
from coursekit.offline.recordings import Recordings, read
from data_tools import local_replies as tool
from data_tools.local_model import END, LocalModel, chat_prompt
from support.model_stand_in import installed
from support.offline_api import params, request

DOG = {
    **params("Write one sentence about a dog."),
    "temperature": 0,
    "seed": 1,
    "max_completion_tokens": 60,
}


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalModel:
    return LocalModel(installed(tmp_path, monkeypatch))


def taken(model: LocalModel, **settings: Any) -> dict[str, Any]:
    return tool.real_reply(
        model, tool.Reply("x", "", "Hi", settings), {"date": "2026-11-22"}
    )


def test_a_reply_stops_at_the_end_token(model: LocalModel) -> None:
    """The end token stops the reply and is neither shown nor billed. Without it, the limit cuts the
    reply off.
    """
    ends = set()
    for limit in (1, 200):
        value = taken(
            model, max_completion_tokens=limit, logprobs=True, top_logprobs=2
        )["response"]
        choice = value["choices"][0]
        assert value["usage"]["completion_tokens"] == len(
            choice["logprobs"]["content"]
        )
        assert (
            "".join(entry["token"] for entry in choice["logprobs"]["content"])
            == choice["message"]["content"]
        )
        assert END not in choice["message"]["content"]
        ends.add(choice["finish_reason"])
    assert ends == {"length", "stop"}


def test_choices_are_drawn_one_after_the_other(model: LocalModel) -> None:
    """n choices continue with the seed's random numbers, the first choice is the same as with n =
    1, and all of them are billed.
    """
    one, three = (
        taken(model, max_completion_tokens=4),
        taken(model, n=3, max_completion_tokens=4),
    )
    texts = [
        choice["message"]["content"] for choice in three["response"]["choices"]
    ]
    assert texts[0] == one["response"]["choices"][0]["message"]["content"]
    assert len(set(texts)) > 1
    assert three["response"]["usage"]["completion_tokens"] == sum(
        text.count(" t") for text in texts
    )


def test_each_token_follows_the_parameters(model: LocalModel) -> None:
    """Every token is what sampling.probabilities() gives for its position with the counts so
    far.
    """
    settings = {
        "temperature": 0.0,
        "frequency_penalty": 2.0,
        "presence_penalty": 1.0,
    }
    messages = [{"role": "user", "content": "Hi"}]
    ids: list[int] = []
    for token, _ in model.reply(
        messages, np.random.default_rng(1), 12, **settings
    ):
        full = model.next_token([chat_prompt(messages), *ids])
        counts = np.bincount(
            np.array(ids, dtype=np.intp), minlength=len(full.tokens)
        )
        assert (
            token
            == sampling.probabilities(
                full.logprobs, counts, **settings
            ).argmax()
        )
        ids.append(token)


def test_the_command_writes_the_replies_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The names after the model choose the replies, and what the model said is printed unedited."""
    path = installed(tmp_path, monkeypatch)
    tool.main([str(path), "coffee_shop", "--out", str(tmp_path / "out")])
    (written,) = (tmp_path / "out").iterdir()
    value = json.loads(written.read_text(encoding="utf-8"))
    assert value["request"]["n"] == 3
    assert value["origin"]["provenance"] == "local"
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_every_reply_kept_is_one_that_the_tool_takes() -> None:
    """data/logits/replies contains the replies in TO_TAKE, with the requests given there, and no
    others.
    """
    assert set(logits.reply_names()) == {reply.name for reply in tool.TO_TAKE}
    for reply in tool.TO_TAKE:
        kept = logits.load_reply(reply.name)
        assert (kept["request"], kept["shows"]) == (reply.request, reply.shows)


@pytest.mark.parametrize(
    ("asked", "alternatives"),
    [
        ({}, None),
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 2}, 2),
    ],
)
def test_a_real_reply_brings_the_logprobs_that_were_asked_for(
    asked: dict[str, Any], alternatives: int | None
) -> None:
    """The text is the same without log-probabilities, without alternatives, and with the requested
    number of them.
    """
    answer, provenance = local_answer({**DOG, **asked})
    choice = json.loads(answer.body)["choices"][0]
    assert choice["message"]["content"].startswith("A dog is a loyal")
    if alternatives is None:
        assert choice["logprobs"] is None
    else:
        assert {
            len(token["top_logprobs"])
            for token in choice["logprobs"]["content"]
        } == {alternatives}
    assert provenance.kind == "local"
    assert "SmolLM2-135M-Instruct" in provenance.by
    assert "Apache-2.0" in provenance.by


@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": 0.1},
        {"seed": 2},
        {"stop": "."},
        {"stream": True},
        {"logprobs": True, "top_logprobs": 6},
    ],
)
def test_another_request_has_no_real_reply(changed: dict[str, Any]) -> None:
    """A reply is never used as the answer to another request, and the message says how to make
    one.
    """
    with pytest.raises(
        NoLocalReply, match=r"TO_TAKE in tests/data_tools/local_replies\.py"
    ):
        local_answer({**DOG, **changed})


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """recorded(body) -> the folder with the one recording that an author's entry with ``local =
    true`` makes.
    """

    def record(body: dict[str, Any]) -> Path:
        replies = tmp_path / "replies.toml"
        replies.write_text(
            'on = 2026-11-22\n[[reply]]\nto = "a dog"\nlocal = true\n',
            encoding="utf-8",
        )
        Written(replies, Recordings([tmp_path / "made"])).answer(request(body))
        return tmp_path / "made"

    return record


def test_a_recording_of_a_real_reply_says_so(
    recorded: Callable[[dict[str, Any]], Path],
) -> None:
    """Its provenance is local and names the model. When it is replayed, the receipt says local and
    has no price.
    """
    folder = recorded({**DOG, "logprobs": True, "top_logprobs": 5})
    (path,) = folder.glob("*.json")
    assert read(path)[1].kind == "local"
    client = connect("replay", recordings=folder, speed="instant")
    reply = client.chat.completions.create(**DOG, logprobs=True, top_logprobs=5)
    assert reply.model.startswith("SmolLM2-135M-Instruct")
    assert reply.choices[0].logprobs is not None
    assert (
        repr(Meter(client).add(reply))
        == "37 in · 17 out · no price · 0.60 s · replay · local"
    )


def test_a_recording_of_logprobs_is_readable(
    recorded: Callable[[dict[str, Any]], Path],
) -> None:
    """Each token and each alternative is on its own line, and reading the file returns what was
    written.
    """
    body = {**DOG, "logprobs": True, "top_logprobs": 5}
    (path,) = recorded(body).glob("*.json")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert sum('{"token": ' in line for line in lines) == 17 * 6
    assert read(path)[2].body == local_answer(body)[0].body
