"""Real distributions and replies: the stored data comes from a model, is complete, and has its
sources.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from openai.types.chat import ChatCompletion

from coursekit import sampling
from coursekit.logits import (
    UnknownDistribution,
    distribution_names,
    load_distribution,
    load_garden,
    load_reply,
    reply_names,
)

VOCABULARY = 49_152  # of SmolLM2

every_distribution = pytest.mark.parametrize("name", distribution_names())
every_reply = pytest.mark.parametrize("name", reply_names())
with_logprobs = pytest.mark.parametrize(
    "name",
    [
        name
        for name in reply_names()
        if load_reply(name)["request"].get("logprobs")
    ],
)


def logprobs_of(name: str) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = load_reply(name)["response"]["choices"][0][
        "logprobs"
    ]["content"]
    return content


@every_distribution
def test_a_distribution_covers_the_whole_vocabulary(name: str) -> None:
    """The named tokens, sorted by probability, and the others together are the entire vocabulary
    and have all of the mass.
    """
    kept = load_distribution(name)
    assert len(kept.logits) == len(kept.counts) == VOCABULARY
    assert 200 <= len(kept.tokens) < 250
    assert len(set(kept.tokens)) == len(kept.tokens)
    assert np.exp(kept.logits).sum() == pytest.approx(1, abs=1e-4)
    assert (np.diff(kept.logits[:200]) <= 0).all()
    # a group has its mean, which may be in the same step
    assert kept.logits[200:].max() <= kept.logits[199] + 0.1


@every_distribution
def test_grouping_the_tail_keeps_the_entropy(name: str) -> None:
    """The entropy at temperature 1 matches that of the full distribution within 0.001 bits, and at
    any setting within 0.01 bits.
    """
    kept = load_distribution(name)
    assert sampling.entropy_bits(
        sampling.softmax(kept.logits)
    ) == pytest.approx(kept.entropy_bits, abs=1e-3)
    assert kept.accuracy["entropy_bits"] < 0.01
    assert kept.accuracy["probability"] < 1e-4
    assert kept.accuracy["candidates_percent"] < 1


@every_distribution
def test_counts_belong_to_named_tokens_of_the_reply_so_far(name: str) -> None:
    """Each counted token has a name and occurs at least that often in the text, and the tokens make
    up the reply so far.
    """
    kept = load_distribution(name)
    counted = np.flatnonzero(kept.counts)
    assert all(
        kept.text.count(kept.tokens[index]) >= kept.counts[index]
        for index in counted
    )
    so_far = kept.prompt.partition("<|im_start|>assistant\n")[2]
    assert sum(
        len(kept.tokens[index]) * kept.counts[index] for index in counted
    ) == len(so_far)


def test_every_number_says_where_it_is_from() -> None:
    """The provenance is local, and the model, file, hash, license, tool, and date are given."""
    origins = [load_distribution(name).origin for name in distribution_names()]
    origins += [load_reply(name)["origin"] for name in reply_names()]
    for origin in origins:
        assert origin["provenance"] == "local"
        assert origin["licence"] == "Apache-2.0"
        assert origin["model"].startswith("SmolLM2-135M-Instruct")
        assert len(origin["sha256"]) == 64
        assert origin["tool"].startswith("xllamacpp ")
        assert origin["date"] >= "2026-11-22"


def test_the_distributions_show_what_they_say() -> None:
    """The distributions range from near certainty to flat, and include a handful of options, ten
    digits, the end token, and parts of characters.
    """
    mass = {
        name: sampling.softmax(load_distribution(name).logits)
        for name in distribution_names()
    }
    assert len(mass) >= 12
    assert mass["counting"].max() > 0.99
    assert sampling.nucleus_size(mass["first_name"], 0.9) > 1000
    assert sampling.nucleus_size(mass["traffic_light"], 0.9) < 10
    assert sorted(load_distribution("year").tokens[:10]) == list("0123456789")
    assert sampling.nucleus_size(mass["year"], 0.99) <= 10
    assert load_distribution("sum").tokens[0] != "4"  # 17 + 25 is 42
    assert load_distribution("fruit_list_end").tokens[0] == "<|im_end|>"
    assert load_distribution("tokyo").tokens[0] == "\\xe3\\x81"
    assert load_distribution("paris_question").tokens[0] == "No"
    assert (
        sampling.entropy_bits(mass["capital"])
        < sampling.entropy_bits(mass["capital_french"]) - 3
    )


def test_only_a_frequency_penalty_ends_the_loop() -> None:
    """' soul' occurs seven times. A presence penalty of 2 leaves it on top, but a frequency penalty
    does not.
    """
    loop = load_distribution("haiku_loop")
    assert (loop.tokens[0], loop.counts[0]) == (" soul", 7)
    step = sampling.probabilities(loop.logits, loop.counts, presence_penalty=2)
    line = sampling.probabilities(
        loop.logits, loop.counts, frequency_penalty=1.5
    )
    assert step[0] > 0.9
    assert line[0] < line.max() / 2


def test_a_presence_penalty_brings_new_names() -> None:
    """With a presence penalty of 1.5, neither of the two repeated names stays on top."""
    cats = load_distribution("cat_names")
    assert cats.tokens[:2] == (" Luna", " Wh")
    after = sampling.probabilities(
        cats.logits, cats.counts, presence_penalty=1.5
    )
    assert cats.counts[after.argmax()] == 0


def test_every_token_has_its_text() -> None:
    """A distribution contains every token in the vocabulary once, named or in the others."""
    kept = load_distribution("capital")
    texts = [kept.token(index) for index in range(VOCABULARY)]
    assert texts[0] == " Paris"
    assert set(texts) == set(load_garden().vocabulary)
    assert len(set(texts)) == VOCABULARY


def test_the_rare_tokens_are_in_their_rough_order() -> None:
    """Tokens that are likely after a similar text are early among the rare tokens, not in random
    places. The error of this order is measured when the file is made.
    """
    garden, kept = load_garden(), load_distribution("traffic_light")
    near = garden.after(kept, (" red",))
    assert near is not None
    places = [
        np.flatnonzero(kept.others == garden.places[text])
        for text in near.tokens
    ]
    assert (
        np.median([place[0] for place in places if len(place)]) < VOCABULARY / 6
    )
    assert garden.accuracy["names_nats"] < 2


def test_the_garden_grows_along_the_most_probable_texts() -> None:
    """There are 150 distributions, up to three tokens deep, and each except the first continues a
    stored one.
    """
    garden = load_garden()
    start = load_distribution(garden.root)
    assert len(garden.nodes) == 150
    assert max(map(len, garden.nodes)) == 3
    for path in garden.nodes:
        assert not path or path[:-1] in garden.nodes
    assert garden.after(start, ()) is start
    assert garden.after(start, (" blorf",)) is None
    assert garden.after(load_distribution("year"), (" green",)) is None
    assert garden.origin["provenance"] == "local"
    assert garden.accuracy["entropy_bits"] < 0.01
    assert garden.accuracy["probability"] < 1e-3


def test_a_distribution_of_the_garden_is_a_distribution() -> None:
    """It has the entire vocabulary, all of the mass, the extended text, and the counts of the added
    tokens.
    """
    garden = load_garden()
    start = load_distribution(garden.root)
    for path in [(" green",), (" green", ","), (" red", ".", "\n")]:
        node = garden.after(start, path)
        assert node is not None
        assert len(node.logits) == VOCABULARY
        assert np.exp(node.logits).sum() == pytest.approx(1, abs=2e-3)
        assert node.text == start.text + "".join(path)
        counted = [
            node.token(int(index)) for index in np.flatnonzero(node.counts)
        ]
        assert sorted(counted) == sorted(set(path))


def test_loaded_arrays_cannot_be_changed() -> None:
    """A distribution is loaded only once, so it is read-only."""
    kept = load_distribution("capital")
    assert load_distribution("capital") is kept
    with pytest.raises(ValueError, match="read-only"):
        kept.logits[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        kept.counts[0] = 1


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A wrong name raises a LookupError that lists the right ones. A path is not a name."""
    with pytest.raises(
        UnknownDistribution,
        match=r"no distribution 'paris'.*capital, capital_french, cat_names",
    ):
        load_distribution("paris")
    with pytest.raises(UnknownDistribution, match="largest_planet"):
        load_reply("../capital")


@every_reply
def test_a_reply_has_the_shape_of_the_api(name: str) -> None:
    """The SDK can parse a reply, its usage counts all choices, and each choice ends by itself or at
    the limit.
    """
    reply = load_reply(name)
    completion = ChatCompletion.model_validate(reply["response"], strict=True)
    assert completion.usage is not None
    assert (
        completion.usage.total_tokens
        == completion.usage.prompt_tokens + completion.usage.completion_tokens
    )
    assert len(completion.choices) == reply["request"].get("n", 1)
    limit = reply["request"]["max_completion_tokens"]
    if all(choice.finish_reason == "length" for choice in completion.choices):
        assert completion.usage.completion_tokens == limit * len(
            completion.choices
        )
    assert all(
        choice.finish_reason in ("stop", "length")
        for choice in completion.choices
    )
    assert reply["seconds"] > 0


@with_logprobs
def test_the_bytes_of_the_tokens_are_the_text(name: str) -> None:
    """Joined, the tokens' bytes are the reply, and there are as many tokens as were billed."""
    completion = ChatCompletion.model_validate(load_reply(name)["response"])
    tokens = logprobs_of(name)
    assert (
        b"".join(bytes(token["bytes"]) for token in tokens).decode()
        == completion.choices[0].message.content
    )
    assert completion.usage is not None
    assert completion.usage.completion_tokens == len(tokens)


@with_logprobs
def test_alternatives_are_the_five_best(name: str) -> None:
    """top_logprobs are sorted, include the sampled token unless it is less probable, and do not
    exceed 1 together.
    """
    for token in logprobs_of(name):
        best = [other["logprob"] for other in token["top_logprobs"]]
        assert len(best) == 5
        assert best == sorted(best, reverse=True)
        assert math.fsum(map(math.exp, best)) <= 1 + 1e-5
        listed = token["bytes"] in [
            other["bytes"] for other in token["top_logprobs"]
        ]
        assert listed or token["logprob"] <= best[-1]


@with_logprobs
def test_at_temperature_0_the_best_token_is_taken(name: str) -> None:
    """A greedy reply takes the first alternative each time, but a sampled reply does not."""
    greedy = all(
        token["bytes"] == token["top_logprobs"][0]["bytes"]
        for token in logprobs_of(name)
    )
    assert greedy == (load_reply(name)["request"]["temperature"] == 0)


def test_only_a_frequency_penalty_keeps_the_loop_away() -> None:
    """At temperature 0, a presence penalty of 0.5 does not stop the loop, but a frequency penalty
    of 0.5 does.
    """

    def repeated(name: str) -> int:
        lines = load_reply(name)["response"]["choices"][0]["message"][
            "content"
        ].split("\n")
        return max(lines.count(line) for line in lines)

    assert repeated("haiku_presence") >= 4
    assert repeated("haiku_frequency") == 2


def test_the_question_of_a_distribution_is_what_a_user_would_say() -> None:
    """Text to be continued is shown unchanged. For a chat, the question is shown without the reply
    so far.
    """
    assert load_distribution("capital").question == "The capital of France is"
    assert (
        load_distribution("dog").question == "Write one sentence about a dog."
    )
    assert (
        load_distribution("haiku_loop").question
        == "Write a haiku about the sea."
    )


def test_perplexity_grows_with_temperature() -> None:
    """For the same question at 0, 0.7, and 1.5, the reply becomes less and less what the model
    itself would expect.
    """
    values = []
    for temperature in ("0", "0.7", "1.5"):
        content = logprobs_of(f"dog_temperature_{temperature}")
        values.append(
            sampling.perplexity([token["logprob"] for token in content])
        )
    assert values == sorted(values)
    assert values[0] < 3
    assert values[2] > 1000


def test_the_files_are_small() -> None:
    """All files together are smaller than half a megabyte, and no file is larger than 60 kB."""
    from coursekit.logits import FOLDER

    sizes = [path.stat().st_size for path in FOLDER.rglob("*.json")]
    assert sum(sizes) < 500_000
    assert max(sizes) < 60_000
    assert (
        json.loads((FOLDER / "capital.json").read_text(encoding="utf-8"))[
            "text"
        ]
        == "The capital of France is"
    )
