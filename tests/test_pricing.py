"""price_of: what a usage costs, on a date."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CompletionUsage

from coursekit.pricing import NoPrice, Price, Usage, dollars, price_of, usage_of

DAY = datetime.date(2026, 11, 22)
MODELS = st.sampled_from(
    [
        "gpt-4o",
        "gpt-4o-mini",
        "o3",
        "gpt-5",
        "gpt-6-luna",
        "gpt-4",
        "gpt-4o-2024-05-13",
    ]
)


def used(
    prompt: int = 0,
    completion: int = 0,
    cached: int = 0,
    reasoning: int = 0,
    written: int = 0,
) -> dict[str, Any]:
    """A usage as the API sends it."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": cached,
            "audio_tokens": 0,
            "cache_write_tokens": written,
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
        },
    }


@st.composite
def usages(draw: st.DrawFn, most: int = 100_000) -> dict[str, Any]:
    prompt, completion = draw(st.integers(0, most)), draw(st.integers(0, most))
    return used(
        prompt,
        completion,
        draw(st.integers(0, prompt)),
        draw(st.integers(0, completion)),
    )


def added(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    one, two = usage_of(a), usage_of(b)
    return used(
        *(
            getattr(one + two, name)
            for name in ("prompt", "completion", "cached", "reasoning")
        )
    )


def parts(price: Price) -> tuple[Decimal, Decimal, Decimal]:
    return price.input, price.cached, price.output


def test_the_france_example() -> None:
    """With gpt-4o, 24 tokens in and 7 out cost exactly $0.00013."""
    price = price_of(used(24, 7), "gpt-4o", DAY)
    assert parts(price) == (Decimal("0.00006"), 0, Decimal("0.00007"))
    assert price.total == Decimal("0.00013")


def test_the_parts_of_a_price() -> None:
    """Cached tokens are subtracted from the input and cost half with gpt-4o. Reasoning tokens are
    output.
    """
    price = price_of(used(2000, 500, cached=1024, reasoning=300), "gpt-4o", DAY)
    assert parts(price) == (
        Decimal("0.00244"),
        Decimal("0.00128"),
        Decimal("0.005"),
    )
    assert price.total == Decimal("0.00872")


@pytest.mark.parametrize("part", ["input", "cached", "output"])
def test_gpt_4o_mini_is_16_67_times_cheaper(part: str) -> None:
    """gpt-4o costs 16.67 times as much as gpt-4o-mini for input, cached input, and output."""
    usage = used(4000, 1000, cached=2000)
    large, small = (
        price_of(usage, "gpt-4o", DAY),
        price_of(usage, "gpt-4o-mini", DAY),
    )
    assert round(getattr(large, part) / getattr(small, part), 2) == Decimal(
        "16.67"
    )


def test_a_usage_of_the_sdk_needs_no_details() -> None:
    """The SDK's usage is accepted with or without details, in which all counts are optional."""
    bare = CompletionUsage(
        prompt_tokens=2000, completion_tokens=500, total_tokens=2500
    )
    whole = CompletionUsage.model_validate(used(2000, 500))
    assert (
        price_of(bare, "gpt-4o", DAY)
        == price_of(whole, "gpt-4o", DAY)
        == price_of(used(2000, 500), "gpt-4o", DAY)
    )
    holes = {
        **used(2000, 500),
        "prompt_tokens_details": {"cached_tokens": None},
        "completion_tokens_details": None,
    }
    assert price_of(holes, "gpt-4o", DAY) == price_of(bare, "gpt-4o", DAY)
    assert usage_of(used(2000, 500, 1024, 300)) == Usage(
        prompt=2000, completion=500, cached=1024, reasoning=300
    )


@given(MODELS)
def test_no_usage_costs_nothing(model: str) -> None:
    """Zero tokens cost zero."""
    assert price_of(used(), model, DAY) == Price(
        Decimal(0), Decimal(0), Decimal(0)
    )


@given(usages(), usages(), MODELS)
def test_prices_add_up(
    a: dict[str, Any], b: dict[str, Any], model: str
) -> None:
    """Two calls cost as much as one call with the sizes of both, part by part, if the price step is
    not crossed.
    """
    one, two, both = (
        price_of(usage, model, DAY) for usage in (a, b, added(a, b))
    )
    assert parts(both) == tuple(
        x + y for x, y in zip(parts(one), parts(two), strict=True)
    )


@given(usages(most=400_000), usages(most=400_000), MODELS)
def test_more_never_costs_less(
    a: dict[str, Any], b: dict[str, Any], model: str
) -> None:
    """More tokens never cost less, even beyond the price step."""
    less, more = price_of(a, model, DAY), price_of(added(a, b), model, DAY)
    assert all(x <= y for x, y in zip(parts(less), parts(more), strict=True))


@given(usages(most=400_000), MODELS)
def test_the_total_is_the_sum_and_that_of_genai_prices(
    usage: dict[str, Any], model: str
) -> None:
    """The total is input + cached + output, and equals what genai-prices computes to the last
    digit.
    """
    from genai_prices import extract_usage

    price = price_of(usage, model, DAY)
    official = extract_usage(
        {"model": model, "usage": usage},
        provider_id="openai",
        api_flavor="chat",
    )
    noon = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
    assert (
        price.total
        == sum(parts(price))
        == official.calc_price(genai_request_timestamp=noon).total_price
    )


def test_a_model_without_a_cache_discount() -> None:
    """If cached tokens do not have their own price, they cost as much as any other input."""
    price = price_of(used(2000, 0, cached=500), "gpt-4", DAY)
    assert price.cached * 3 == price.input
    assert price.total == price_of(used(2000), "gpt-4", DAY).total


def test_the_step_at_272_000_tokens() -> None:
    """Above 272,000 input tokens, the entire request costs twice as much for input and cache, and
    50% more for output.
    """
    below = price_of(used(272_000, 1000, cached=100_000), "gpt-6-luna", DAY)
    above = price_of(used(272_001, 1000, cached=100_000), "gpt-6-luna", DAY)
    assert parts(below) == (
        Decimal("0.0172"),
        Decimal("0.001"),
        Decimal("0.0005"),
    )
    assert parts(above) == (
        Decimal("0.0344002"),
        Decimal("0.002"),
        Decimal("0.00075"),
    )


def test_writing_to_the_cache_costs_more() -> None:
    """From GPT-5.6 on, tokens written to the cache are part of the input and cost 1.25 times as
    much.
    """
    plain, written = (
        price_of(used(1000, written=n), "gpt-6-luna", DAY).input
        for n in (0, 1000)
    )
    assert written == plain * Decimal("1.25")


@pytest.mark.parametrize(
    ("options", "total"),
    [
        ({}, "0.0005"),
        ({"service_tier": None}, "0.0005"),
        ({"service_tier": "default"}, "0.0005"),
        ({"service_tier": "auto"}, "0.0005"),
        ({"service_tier": "flex"}, "0.00025"),
        ({"service_tier": "priority"}, "0.000875"),
        ({"batch": True}, "0.00025"),
    ],
)
def test_service_tiers_and_batch(options: dict[str, Any], total: str) -> None:
    """For o3, flex and batch cost half and priority costs 1.75 times as much; default and auto cost
    the standard price.
    """
    assert price_of(used(50, 50), "o3", DAY, **options).total == Decimal(total)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("gpt-4o", {"service_tier": "flex"}),
        ("o3", {"service_tier": "turbo"}),
        ("o3", {"batch": True, "on": datetime.date(2026, 1, 1)}),
    ],
)
def test_an_unknown_way_is_not_priced_as_standard(
    model: str, options: dict[str, Any]
) -> None:
    """A service tier or a batch without a price on that date is refused, not silently priced as
    standard.
    """
    with pytest.raises(
        NoPrice,
        match=f"no (flex|turbo|batch) price for model {model!r} on 2026",
    ):
        price_of(used(1, 1), model, **{"on": DAY, **options})


@pytest.mark.parametrize(
    ("on", "total"),
    [
        ("2025-06-09", "10"),
        ("2025-06-10", "2"),
        ("2026-11-22", "2"),
        ("1970-01-01", "10"),
    ],
)
def test_the_date_decides(on: str, total: str) -> None:
    """o3 became cheaper on 2025-06-10. Before the list's first change, its oldest price applies."""
    assert price_of(
        used(1_000_000), "o3", datetime.date.fromisoformat(on)
    ).total == Decimal(total)


@pytest.mark.parametrize("model", ["gpt-4o", "o3", "gpt-6-luna"])
def test_no_date_is_today(model: str) -> None:
    """Without a date, today's prices apply."""
    today = datetime.datetime.now(datetime.UTC).date()
    assert price_of(used(1000, 1000), model) == price_of(
        used(1000, 1000), model, today
    )


@pytest.mark.parametrize(
    ("snapshot", "model"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("o4-mini-2025-04-16", "o4-mini"),
        ("gpt-4.1-nano-2025-04-14", "gpt-4.1-nano"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("o3-2025-04-16", "o3"),
    ],
)
def test_an_echoed_snapshot_has_a_price(snapshot: str, model: str) -> None:
    """The model name that a reply echoes has the price of the requested name."""
    assert price_of(used(1000, 1000), snapshot, DAY) == price_of(
        used(1000, 1000), model, DAY
    )


@pytest.mark.parametrize(
    ("model", "near"),
    [
        ("gpt-4oo", "'gpt-4o'"),
        ("gpt-6.2-sol", "'gpt-6.1-sol'"),
        ("SmolLM2-135M", ""),
        ("", ""),
    ],
)
def test_an_unknown_model_is_named(model: str, near: str) -> None:
    """A model without a price raises an error that gives its name, the nearest name, and what to
    do.
    """
    with pytest.raises(
        NoPrice, match=f"No price is known for model {model!r} in genai-prices"
    ) as refused:
        price_of(used(1, 1), model, DAY)
    assert near in str(refused.value)
    assert "pip install --upgrade genai-prices" in str(refused.value)


@pytest.mark.parametrize(
    ("usage", "error", "message"),
    [
        (None, ValueError, "include_usage"),
        ({}, ValueError, "prompt_tokens"),
        ({"prompt_tokens": 1}, ValueError, "completion_tokens"),
        (
            {"prompt_tokens": -1, "completion_tokens": 1},
            ValueError,
            "of at least 0",
        ),
        (
            {"prompt_tokens": 1.5, "completion_tokens": 1},
            ValueError,
            "whole number",
        ),
        (
            {"prompt_tokens": True, "completion_tokens": 1},
            ValueError,
            "whole number",
        ),
        (used(5, 1, cached=9), ValueError, "cannot exceed"),
        (24, TypeError, "reply.usage"),
        ("24", TypeError, "reply.usage"),
    ],
)
def test_a_bad_usage_is_refused(
    usage: Any, error: type[Exception], message: str
) -> None:
    """Anything that is not a usage is rejected, with the reason."""
    with pytest.raises(error, match=message):
        price_of(usage, "gpt-4o", DAY)


def test_a_date_is_a_date() -> None:
    """A date that is a string is refused."""
    with pytest.raises(TypeError, match=r"Give a datetime\.date"):
        price_of(used(1, 1), "gpt-4o", "2026-11-22")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0"),
        ("0.00013", "$0.00013"),
        ("0.0000045", "$0.0000045"),
        ("0.00872", "$0.0087"),
        ("0.0161", "$0.016"),
        ("0.01", "$0.01"),
        ("0.05", "$0.05"),
        ("0.00996", "$0.01"),
        ("0.0999", "$0.10"),
        ("0.104", "$0.10"),
        ("1.005", "$1.01"),
        ("12.3", "$12.30"),
        ("1234.5", "$1,234.50"),
        ("1000000000", "$1,000,000,000.00"),
    ],
)
def test_dollars(amount: str, shown: str) -> None:
    """Amounts below ten cents have two significant digits; larger ones are rounded to cents."""
    assert dollars(Decimal(amount)) == shown
