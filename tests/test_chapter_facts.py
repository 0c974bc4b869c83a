"""What the chapters say only in prose agrees with the SDK, the prices, and the data."""

from __future__ import annotations

import inspect
import re
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import pytest
from openai.types.chat import completion_create_params

from coursekit import sampling
from coursekit.logits import load_distribution
from coursekit.pricing import price_of

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ON = date(2026, 11, 22)


@cache
def prose(number: str) -> str:
    """A chapter's Markdown on one line, without markup for emphasis and code."""
    [path] = NOTEBOOKS.glob(f"{number}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    text = " ".join(
        cell.source for cell in cells if cell.cell_type == "markdown"
    )
    return re.sub(r"\s+", " ", re.sub(r"[`*>\\]", "", text))


def plain(text: str) -> str:
    """Text without Markdown links, and with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text))


@pytest.mark.parametrize(
    "quote",
    [
        "The primary API for interacting with OpenAI models is the Responses API.",
        "The previous standard (supported indefinitely) for generating text is the Chat Completions API.",
    ],
)
def test_chapter_00_quotes_the_page_of_the_sdk(quote: str) -> None:
    """Both sentences are on the installed SDK's page, word for word."""
    assert quote in prose("00")
    assert quote in plain(distribution("openai").read_text("METADATA") or "")


def test_chapter_00_counts_the_calls_for_a_dollar() -> None:
    """A dollar buys more than 4,000 calls like the first one."""
    assert "a dollar buys more than 4,000 like the one above" in prose("00")
    first = price_of(
        {"prompt_tokens": 18, "completion_tokens": 19}, "gpt-4o", on=ON
    )
    assert 4000 < 1 / first.total < 5000


def dollars(price: str) -> Decimal:
    """A price as the chapter writes it, in dollars or cents."""
    number, _, unit = price.partition(" ")
    return Decimal(number) / (100 if unit == "cents" else 1)


@pytest.mark.parametrize(
    ("model", "price_in", "price_out"),
    [
        ("gpt-6-luna", "10 cents", "50 cents"),
        ("gpt-4", "30", "60 dollars"),
    ],
)
def test_chapter_01_gives_the_prices_its_prediction_needs(
    model: str, price_in: str, price_out: str
) -> None:
    """Dollars per million tokens, in and out, for a call as large as the one in the picture."""
    sentence = (
        rf"{model}, charges {price_in}( per million tokens in)? and {price_out}"
    )
    assert re.search(sentence, prose("01"))
    price = price_of(
        {"prompt_tokens": 1000, "completion_tokens": 300}, model, on=ON
    )
    assert price.input == dollars(price_in) / 1000
    assert price.output == dollars(price_out) * 300 / 1_000_000


def test_chapter_02_says_what_replaces_user() -> None:
    """The SDK's docstrings name both parameters, and say which one is deprecated."""
    assert (
        "safety_identifier: a pseudonym for your user. With prompt_cache_key it replaces user."
        in prose("02")
    )
    source = plain(inspect.getsource(completion_create_params))
    assert (
        "being replaced by `safety_identifier` and `prompt_cache_key`" in source
    )
    assert (
        'prompt_cache_retention: Optional[Literal["in_memory", "24h"]] """Deprecated.'
        in source
    )


def test_chapter_02_says_how_much_the_tail_has() -> None:
    """At T = 2, the tokens other than the eight most probable ones have 80% together."""
    assert "together they have 80%" in prose("02")
    logits = load_distribution("traffic_light").logits
    view = sampling.before_and_after(logits, temperature=2, top=8)
    assert 1 - sum(view.after[i] for i in view.shown) == pytest.approx(
        0.80, abs=0.005
    )


def test_chapter_02_says_how_far_saint_is_behind() -> None:
    """The best token that is not in the reply is 8.35 logits behind the loop's token."""
    assert "' saint', is 8.35 logits behind" in prose("02")
    loop = load_distribution("haiku_loop")
    fresh = max(
        logit
        for logit, count in zip(loop.logits, loop.counts, strict=True)
        if not count
    )
    assert loop.logits[0] - fresh == pytest.approx(8.35, abs=0.005)
