"""The author's tool behind data/logits, with a stand-in for the program that runs the model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from coursekit.local_model.llama import token_text
from coursekit.logits import load_distribution, read_distribution, read_garden
from data_tools import garden
from data_tools import logits as tool
from data_tools.local_model import LocalModel, chat_prompt
from support.model_stand_in import TOKENS, Server, installed


@pytest.fixture
def model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return installed(tmp_path, monkeypatch)


def test_without_the_model_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a package or a file is missing, the program ends with the command that installs or makes
    it, and writes nothing.
    """
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(SystemExit, match="coursekit local install"):
        tool.main(
            [str(tmp_path / "model.gguf"), "--out", str(tmp_path / "out")]
        )
    installed(tmp_path, monkeypatch).unlink()
    with pytest.raises(SystemExit, match=r"no model at .*model\.gguf"):
        tool.main(
            [str(tmp_path / "model.gguf"), "--out", str(tmp_path / "out")]
        )
    assert not (tmp_path / "out").exists()


def test_only_the_distributions_named_are_taken(
    model_file: Path, tmp_path: Path
) -> None:
    """The names after the model choose which files are written; the other files stay unchanged."""
    tool.main(
        [str(model_file), "capital", "year", "--out", str(tmp_path / "out")]
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "capital.json",
        "year.json",
    ]


def test_a_stored_distribution_is_the_model_s(
    model_file: Path, tmp_path: Path
) -> None:
    """When it is read back, the file has the entire vocabulary, the model's log-probabilities
    (normalized), and the reply's counts.
    """
    model = LocalModel(model_file)
    prompt = tool.Prompt("x", "It shows.", question="Say it.", after=3)
    tool.write_distribution(
        tmp_path / "x.json", model, prompt, {"provenance": "local"}
    )
    kept = read_distribution(tmp_path / "x.json")
    messages = [{"role": "user", "content": "Say it."}]
    ids = [
        token
        for token, _ in model.reply(
            messages, np.random.default_rng(), 3, temperature=0
        )
    ]
    full = model.next_token([chat_prompt(messages), *ids])
    assert len(kept.logits) == len(TOKENS)
    best = np.argsort(-full.logprobs)[: tool.NAMED]
    assert kept.tokens[: tool.NAMED] == tuple(TOKENS[index] for index in best)
    assert kept.logits[: tool.NAMED] == pytest.approx(
        full.logprobs[best], abs=1e-6
    )
    assert np.exp(full.logprobs).sum() == pytest.approx(1, abs=1e-12)
    assert kept.counts.sum() == 3
    assert kept.accuracy["entropy_bits"] < 0.01
    assert kept.text == "Say it.\n" + "".join(TOKENS[index] for index in ids)


def test_grouping_tells_how_wrong_it_is(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coarser groups are less accurate, and the file says so."""
    errors = []
    for step in (0.1, 2.0):
        monkeypatch.setattr(tool, "STEP", step)
        tool.write_distribution(
            tmp_path / "x.json",
            LocalModel(model_file),
            tool.Prompt("x", "", "Hi"),
            {},
        )
        errors.append(
            read_distribution(tmp_path / "x.json").accuracy["entropy_bits"]
        )
    assert errors[0] < errors[1]


def test_a_changed_chat_template_is_noticed(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the model's own template produces a different prompt from ours, nothing is stored."""
    monkeypatch.setattr(
        Server,
        "handle_chat_completions",
        lambda self, request: {"usage": {"prompt_tokens": 1}},
    )
    with pytest.raises(RuntimeError, match="chat template"):
        tool.write_distribution(
            tmp_path / "x.json",
            LocalModel(model_file),
            tool.Prompt("x", "", question="Hi"),
            {},
        )
    assert not (tmp_path / "x.json").exists()


def test_parts_of_characters_are_written_as_bytes() -> None:
    """A token that is part of a character is shown as bytes."""
    assert token_text("né".encode()) == "né"
    assert token_text(b" \xe3\x81") == " \\xe3\\x81"


def test_a_garden_is_recorded_and_read_back(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most probable continuations are first, each with its named tokens and the mass of the
    others. The file says how close its numbers are.
    """
    monkeypatch.setattr(garden, "NODES", 12)
    monkeypatch.setattr(garden, "NAMED", 50)
    path = tmp_path / "garden.json.gz"
    garden.main([str(model_file), "--out", str(path)])
    made = read_garden(path)
    assert made.vocabulary == TOKENS
    assert len(made.nodes) == 12
    assert () in made.nodes
    start = load_distribution(made.root)
    (first, *_) = [tokens for tokens in made.nodes if len(tokens) == 1]
    kept = made.after(start, first)
    assert kept is not None
    model = LocalModel(model_file)
    given = "<|endoftext|>" + start.text
    full = model.next_token([given, TOKENS.index(first[0])])
    best = np.argsort(-full.logprobs, kind="stable")[:50]
    assert kept.tokens[:50] == tuple(TOKENS[place] for place in best)
    assert kept.logits[:50] == pytest.approx(full.logprobs[best], abs=6e-4)
    assert np.exp(kept.logits).sum() == pytest.approx(1, abs=2e-3)
    assert made.accuracy["entropy_bits"] < 0.05
    assert made.origin["tool"] == model.tool  # "" where it is not installed
    assert garden_bytes_are_the_same_again(path, model_file)


def garden_bytes_are_the_same_again(path: Path, model_file: Path) -> bool:
    """The file contains no time and no path."""
    again = path.with_name("again.json.gz")
    garden.main([str(model_file), "--out", str(again)])
    return again.read_bytes() == path.read_bytes()
