"""The sampling lab's picture: its numbers come from coursekit.sampling, and its text is safe."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import sampling
from coursekit.logits import distribution_names, load_distribution
from coursekit.widgets.sampling_view import (
    HEIGHT,
    TOP,
    Settings,
    blocks_of,
    request_of,
    settings_of,
    view,
)
from coursekit.widgets.token_text import label, percent
from support.html_reader import HOSTILE, HtmlReader

PARAMETERS = st.builds(
    Settings,
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1),
    frequency_penalty=st.floats(-2, 2),
    presence_penalty=st.floats(-2, 2),
    seed=st.integers(0, 100),
)
LOOP = load_distribution("haiku_loop")


@given(st.sampled_from(distribution_names()), PARAMETERS)
def test_every_number_shown_is_that_of_sampling(
    name: str, chosen: Settings
) -> None:
    """Each row's shares, the sum of the others, both entropies, and the nucleus are what
    coursekit.sampling computes.
    """
    kept = load_distribution(name)
    reader = HtmlReader(view(kept, chosen))
    before = sampling.softmax(kept.logits)
    after = sampling.probabilities(kept.logits, kept.counts, **chosen.sampling)
    top = np.argsort(-before, kind="stable")[:TOP]
    for row, index in zip(reader.rows[1:], top, strict=False):
        cut = "cut" if after[index] == 0 else percent(after[index])
        shown = [label(kept.token(index)), "", percent(before[index]), cut]
        assert row[:4] == shown
        counts = [str(kept.counts[i] or "") for i in top]
        assert row[4:] == (
            [str(kept.counts[index] or "")] if any(counts) else []
        )
    others = max(0.0, 1 - before[top].sum()), max(0.0, 1 - after[top].sum())
    assert reader.rows[-1][2] == percent(others[0])
    assert reader.rows[-1][3] in (percent(others[1]), "cut")
    said = re.search(
        r"Entropy ([\d.]+) → ([\d.]+) bits.*Nucleus ([\d,]+) of 49,152",
        reader.text,
    )
    assert said is not None
    assert float(said[1]) == pytest.approx(
        sampling.entropy_bits(before), abs=0.006
    )
    assert float(said[2]) == pytest.approx(
        sampling.entropy_bits(after), abs=0.006
    )
    assert int(said[3].replace(",", "")) == np.count_nonzero(after)


def test_a_bar_is_as_long_as_its_share() -> None:
    """Each bar's width is its probability, as a percentage of the track."""
    html = view(LOOP, Settings(temperature=1.5))
    widths = [
        float(width)
        for width in re.findall(r'<div style="width:([\d.]+)%', html)
    ]
    result = sampling.before_and_after(
        LOOP.logits, LOOP.counts, top=TOP, temperature=1.5
    )
    expected = [
        100 * side[index]
        for index in result.shown
        for side in (result.before, result.after)
    ]
    assert widths == pytest.approx(
        [*expected, *(100 * other for other in result.others)], abs=0.006
    )


def test_draws_are_the_seed_s_and_add_up() -> None:
    """The list has the last 20 draws with the seed, and the column counts all of them."""
    chosen = Settings(temperature=1.2, seed=7)
    kept = load_distribution("traffic_light")
    after = sampling.probabilities(kept.logits, temperature=1.2)
    picks = sampling.sample(after, np.random.default_rng(7), 40)
    reader = HtmlReader(view(kept, chosen, draws=40))
    assert sum(int(row[4]) for row in reader.rows[1:]) == 40
    assert reader.rows[1][4] == str(np.count_nonzero(picks == 0))
    assert reader.text.endswith(
        "40 draws with seed 7, the latest ones: "
        + "".join(label(kept.token(i)) for i in picks[20:])
    )


def test_without_draws_nothing_is_said_of_them() -> None:
    """Before the button is pressed for the first time, there is neither a column nor a list."""
    reader = HtmlReader(view(LOOP, Settings()))
    assert "draws" not in reader.text
    assert reader.rows[0] == [
        "Next token",
        "Probability",
        "Before",
        "After",
        "In the reply",
    ]
    assert (
        len(HtmlReader(view(load_distribution("year"), Settings())).rows[0])
        == 4
    )


GARDEN = load_distribution("traffic_light")


@pytest.mark.slow
@given(PARAMETERS)
def test_a_block_is_as_high_as_its_text_is_probable(chosen: Settings) -> None:
    """A block's height is the product of its tokens' probabilities, each with the settings applied
    and with the tokens before it as the reply so far. The blocks that follow a block fill its
    height.
    """
    blocks = {block.path: block for block in blocks_of(GARDEN, chosen)}
    for path, block in blocks.items():
        before = blocks[path[:-1]].height if path[:-1] else HEIGHT
        assert block.height == pytest.approx(
            block.share * before, rel=1e-6, abs=1e-6
        )
        node = GARDEN.garden.after(GARDEN, path[:-1])
        assert node is not None
        if path[-1]:
            after = sampling.probabilities(
                node.logits, node.counts, **chosen.sampling
            )
            place = next(
                i
                for i in np.argsort(-after)[:40]
                if node.token(int(i)) == path[-1]
            )
            assert block.share == pytest.approx(after[place])
    for parent in {path[:-1] for path in blocks}:
        heights = [
            block.height
            for path, block in blocks.items()
            if path[:-1] == parent
        ]
        whole = blocks[parent].height if parent else HEIGHT
        assert sum(heights) == pytest.approx(whole, rel=1e-3)


def test_temperature_narrows_and_widens_the_garden() -> None:
    """At temperature 0, a single text is left with the full height; at 2, nearly everything is the
    rest.
    """
    cold = [
        block
        for block in blocks_of(GARDEN, Settings(temperature=0))
        if block.path[-1]
    ]
    assert [len(block.path) for block in cold] == [1, 2, 3, 4]
    assert all(block.height == HEIGHT for block in cold)
    hot = [
        block
        for block in blocks_of(GARDEN, Settings(temperature=2))
        if len(block.path) == 1
    ]
    assert next(block.share for block in hot if not block.path[-1]) > 0.5


def test_the_path_has_a_frame_and_stands_in_the_text() -> None:
    """Added tokens are part of the given text, and their blocks are framed."""
    html = view(GARDEN, Settings(), path=(" green", ","))
    assert html.count('stroke="currentColor"') == 2
    assert "The traffic light turned<b> green,</b>▮" in html
    assert "Continuations of “The traffic light turned”, up to 4 tokens" in html


def test_at_the_edge_it_says_so() -> None:
    """Text without a recording has no bars, and the lab says why."""
    html = view(GARDEN, Settings(), path=(" green", " blorf"))
    assert "The edge of the garden." in html
    assert "<table" not in html
    assert "<svg" not in view(load_distribution("year"), Settings())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_prompt_and_token_are_shown_and_harmless(
    hostile: str,
) -> None:
    """Text from a model's vocabulary or a prompt is shown as text, never as markup."""
    kept = replace(
        LOOP,
        text=hostile.replace("\ud83d", ""),
        shows=hostile.replace("\ud83d", ""),
        tokens=(hostile,) * 200,
    )
    reader = HtmlReader(view(kept, Settings(), draws=20))
    assert set(reader.tags) <= {
        "div",
        "p",
        "b",
        "i",
        "span",
        "br",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert reader.rows[1][0] == label(hostile)


def test_the_request_names_what_differs_from_the_default() -> None:
    """A request always has the temperature, the seed, and the limit. The other parameters are
    included if they are not the default, and the question is a message.
    """
    assert request_of(LOOP, Settings(), "gpt-4o", 60) == {
        "model": "gpt-4o",
        "messages": [
            {"role": "user", "content": "Write a haiku about the sea."}
        ],
        "temperature": 1.0,
        "seed": 1,
        "max_completion_tokens": 60,
    }
    assert (
        request_of(LOOP, Settings(0.5, 0.9, -1, 2, 3), "gpt-4o", 60).items()
        >= {
            "temperature": 0.5,
            "top_p": 0.9,
            "frequency_penalty": -1,
            "presence_penalty": 2,
            "seed": 3,
        }.items()
    )


@given(PARAMETERS)
def test_settings_survive_a_request(chosen: Settings) -> None:
    """settings_of() reads from a request's body the settings that made it."""
    assert settings_of(request_of(LOOP, chosen, "gpt-4o", 60)) == chosen


def test_settings_are_said_as_a_request_says_them() -> None:
    """The short form names the temperature, the seed, and everything that is not the default."""
    assert str(Settings(temperature=0)) == "temperature 0, seed 1"
    assert str(Settings(1.5, top_p=0.5)) == "temperature 1.5, top_p 0.5, seed 1"
