"""The logprob strip: what it shows of a real reply, and that no reply can break it."""

from __future__ import annotations

import math
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from coursekit.logits import load_reply
from coursekit.sampling import perplexity
from coursekit.widgets.logprob_strip import (
    DRAWN,
    LogprobStrip,
    strip,
    tokens_of,
)
from coursekit.widgets.token_text import LONGEST, label, percent
from support.html_reader import HOSTILE, HtmlReader

PLANET = load_reply("largest_planet")["response"]
CONTENT: list[dict[str, Any]] = PLANET["choices"][0]["logprobs"]["content"]
TAGS = {
    "div",
    "p",
    "b",
    "span",
    "details",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}


def entry(
    token: str, logprob: float = -0.5, *others: tuple[str, float]
) -> dict[str, Any]:
    alternatives = [
        {"token": other, "logprob": value, "bytes": None}
        for other, value in others
    ]
    return {
        "token": token,
        "logprob": logprob,
        "bytes": None,
        "top_logprobs": alternatives,
    }


def test_each_token_has_a_row_with_its_probability_and_what_else_was_considered() -> (
    None
):
    """The table has a row for each token with its number, text, probability, and the alternatives
    that were not chosen.
    """
    rows = HtmlReader(strip(tokens_of(CONTENT))).rows[1:]
    assert len(rows) == len(CONTENT) == 60
    assert rows[8] == [
        "9",
        "·Neptune",
        "48% ◂ low",
        "·Jupiter 36% | ·Venus 2.8% | ·Uranus 1.6% | ·Saturn 1.6%",
    ]
    for row, told in zip(rows, CONTENT, strict=True):
        assert row[1] == label(told["token"])
        assert row[2].split()[0] == percent(math.exp(told["logprob"]))


def test_hovering_shows_the_alternatives() -> None:
    """Each box's title lists the most probable tokens at its position, including the one that
    was written.
    """
    titles = HtmlReader(strip(tokens_of(CONTENT))).titles
    assert (
        titles[8]
        == "·Neptune 48% | ·Jupiter 36% | ·Venus 2.8% | ·Uranus 1.6% | ·Saturn 1.6%"
    )


def test_the_heading_counts_and_measures_the_reply() -> None:
    """The summary gives the number of tokens, the perplexity from sampling.perplexity(), and how
    many tokens are below the threshold.
    """
    text = HtmlReader(strip(tokens_of(CONTENT), 0.3)).text
    low = sum(math.exp(told["logprob"]) < 0.3 for told in CONTENT)
    measured = perplexity([told["logprob"] for told in CONTENT])
    assert text.startswith(
        f"60 tokens, perplexity {measured:.2f} · {low} less probable than 30%"
    )


@given(st.floats(0, 1))
def test_the_threshold_marks_by_frame_and_word(threshold: float) -> None:
    """A token below the threshold has a dashed frame and the word "low", so color is never the only
    sign.
    """
    html = strip(tokens_of(CONTENT), threshold)
    low = [math.exp(told["logprob"]) < threshold for told in CONTENT]
    assert html.count("1px dashed") == sum(low)
    assert ["low" in row[2] for row in HtmlReader(html).rows[1:]] == low


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_token_is_shown_and_harmless(hostile: str) -> None:
    """Whatever a token or an alternative contains is shown as text, and adds no tags, attributes,
    or text direction.
    """
    html = strip(
        tokens_of([entry(hostile, -0.5, (hostile, -0.5), ("other", -1.0))])
    )
    reader = HtmlReader(html)
    assert set(reader.tags) <= TAGS
    assert reader.rows[1][1] == label(hostile)
    assert label(hostile) in reader.titles[0]
    assert not set("\x00\x1b\u202e\u2066\ud83d\n\r") & set(html)


def test_a_million_characters_are_cut_in_sight() -> None:
    """A token with a million characters and a reply with ten thousand tokens are shown quickly and
    in part, with a note.
    """
    start = time.process_time()
    long = strip(
        tokens_of([entry("<b>" * 333_334, -0.1, ("x" * 1_000_000, -2.0))])
    )
    many = strip(tokens_of([entry("word ", -0.1)] * 10_000))
    assert time.process_time() - start < 2
    assert len(long) < 5_000
    assert HtmlReader(long).rows[1][1] == ("<b>" * 20)[:LONGEST] + "…"
    assert len(HtmlReader(many).rows) == DRAWN + 1
    told = (
        "10,000 tokens, perplexity 1.11 · 0 less probable than 50% (dashed frame). Only the "
        f"first {DRAWN} are shown"
    )
    assert HtmlReader(many).text.startswith(told)


@pytest.mark.parametrize(
    ("logprob", "shown"),
    [
        (0.0, "100%"),
        (3e-05, "100%"),
        (-9999.0, "0%"),
        (-math.inf, "0%"),
        (math.nan, "0%"),
        (-20.0, "<0.1%"),
    ],
)
def test_odd_numbers_of_real_servers_are_probabilities(
    logprob: float, shown: str
) -> None:
    """Odd log-probabilities that the API sends (+3e-05 from rounding, -9999 for "very unlikely")
    break nothing.
    """
    assert (
        HtmlReader(strip(tokens_of([entry("a", logprob)])))
        .rows[1][2]
        .split()[0]
        == shown
    )


def test_a_reply_of_nothing_is_no_error() -> None:
    """For a reply without tokens, there is no perplexity, and the strip says that there are no
    tokens.
    """
    assert HtmlReader(strip([])).text.startswith("0 tokens")
    assert "perplexity" not in strip([])


def test_the_sdk_s_objects_and_dicts_are_read_alike() -> None:
    """The strip accepts choices[0].logprobs.content as the SDK returns it and as JSON, with or
    without alternatives.
    """
    reply = ChatCompletion.model_validate(PLANET)
    assert reply.choices[0].logprobs is not None
    assert tokens_of(reply.choices[0].logprobs.content or []) == tokens_of(
        CONTENT
    )
    assert tokens_of([{"token": "a", "logprob": -1}])[0].alternatives == ()


def test_one_token_is_looked_at() -> None:
    """The tokens that the model considered are bars as long as their probabilities. The chosen
    token is marked, and its box has a frame.
    """
    html = strip(tokens_of(CONTENT), place=9)
    text = HtmlReader(html).text
    assert "Token 9: what the model considered" in text
    assert "·Neptune48% ◂ taken·Jupiter36%·Venus2.8%" in text
    widths = re.findall(r"display:block;width:([\d.]+)%", html)
    best = CONTENT[8]["top_logprobs"]
    assert list(map(float, widths)) == pytest.approx(
        [100 * math.exp(choice["logprob"]) for choice in best], abs=0.06
    )
    assert html.count("outline:3px") == 1
    assert strip(tokens_of(CONTENT), place=999) == strip(
        tokens_of(CONTENT), place=60
    )


def test_the_lab_follows_its_sliders() -> None:
    """The controls move the threshold and the selected token, which at first is the least probable
    one. Without a kernel, the stored lab shows its first view.
    """
    lab = LogprobStrip(ChatCompletion.model_validate(PLANET), threshold=0.3)
    least = min(lab.tokens, key=lambda token: token.logprob)
    assert lab.tokens[lab.place.value - 1] is least
    assert lab.shown.value == strip(lab.tokens, 0.3, lab.place.value)
    assert lab._repr_mimebundle_()["text/html"] == lab.shown.value
    lab.threshold.value = 0.7
    lab.place.value = 9
    assert lab.shown.value == strip(lab.tokens, 0.7, 9)
    assert (lab.threshold.description, lab.place.description) == (
        "Mark below",
        "Look at token",
    )


def test_a_reply_without_logprobs_is_refused_in_words() -> None:
    """The error says what to add to the request."""
    body = load_reply("dog_top_p")["response"]
    with pytest.raises(ValueError, match=r"logprobs=True"):
        LogprobStrip(ChatCompletion.model_validate(body))
