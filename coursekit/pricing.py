"""What a call costs: the price of a ``usage``, on a date.

The prices are those in the package ``genai-prices``, from the list that it includes: nothing is
fetched. The list has dates for OpenAI's price changes (such as o3 on 2025-06-10); before the first
change in it, its oldest price applies. Rates for service tiers and the Batch API are known from
October 2026 on.

Not covered: whatever is not billed by tokens, such as a web search.

Taught in 01 §6.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

ZERO = Decimal(0)
PER = 1_000_000  # OpenAI's prices are per million tokens
# service tiers that cost the standard price
STANDARD = (
    None,
    "auto",
    "default",
)


class NoPrice(LookupError):
    """The price list has no price for this model, or none for using it in this way."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars, exact.

    input   the prompt tokens not read from the cache, including the surcharge for those written to
            it
    cached  the prompt tokens read from the cache
    output  the completion tokens, including hidden reasoning
    total   the sum
    """

    input: Decimal
    cached: Decimal
    output: Decimal
    total: Decimal = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "total", self.input + self.cached + self.output
        )

    def hidden(self, usage: Usage) -> Decimal:
        """The part of ``output`` that paid for the reasoning tokens of this usage: they cost what
        the text costs.
        """
        return (
            self.output * usage.reasoning / usage.completion
            if usage.completion
            else ZERO
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """The token counts of a call. ``cached`` is part of ``prompt``, and ``reasoning`` is part of
    ``completion``.
    """

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


# Where a usage counts audio tokens, and genai-prices' name of their rate.
AUDIO = (
    ("prompt_tokens_details", "input_audio_mtok"),
    ("completion_tokens_details", "output_audio_mtok"),
)


def price_of(
    usage: Any,
    model: str,
    on: datetime.date | None = None,
    *,
    service_tier: str | None = None,
    batch: bool = False,
) -> Price:
    """The price of a call.

    usage         ``reply.usage`` of the SDK, or a dict of the same shape; its details may be
                  missing
    model         as requested or as the reply names it, a snapshot ("gpt-4o-2024-08-06")
    on            the day (UTC) whose prices apply; None: today. A date in the past always gives the
                  same result.
    service_tier  as in ``reply.service_tier``: "flex" and "priority" have their own prices
    batch         sent through the Batch API

    Raises NoPrice (a LookupError), and ValueError or TypeError for an invalid usage.
    """
    fields = _fields(usage)
    context = (
        {} if service_tier in STANDARD else {"service_tier": str(service_tier)}
    )
    if batch:
        context["processing"] = "batch"
    found = _calculation(fields, model, on, context)
    for group, rate in AUDIO:
        if (
            _detail(fields, group, "audio_tokens")
            and getattr(found.model_price, rate) is None
        ):
            raise NoPrice(
                f"The price list has no rate for the audio tokens of {model!r}, which cost "
                "several times as much as "
                "text tokens. Look up the rate on OpenAI's pricing page."
            )
    cached_rate = found.model_price.cache_read_mtok
    if cached_rate is None:  # no discount
        cached_rate = found.model_price.input_mtok
    from genai_prices.types import calc_unit_price

    cached = calc_unit_price(
        cached_rate, usage_of(fields).cached, fields["prompt_tokens"], PER
    )
    return Price(found.input_price - cached, cached, found.output_price)


def usage_of(usage: Any) -> Usage:
    """The token counts of ``reply.usage``, or of a dict of the same shape. Raises ValueError or
    TypeError.
    """
    fields = _fields(usage)
    return Usage(
        prompt=fields["prompt_tokens"],
        completion=fields["completion_tokens"],
        cached=_detail(fields, "prompt_tokens_details", "cached_tokens"),
        reasoning=_detail(
            fields, "completion_tokens_details", "reasoning_tokens"
        ),
    )


def day_of(reply: Any) -> datetime.date | None:
    """The day (UTC) on which a reply, or its dict, was created, from its ``created``; None if that
    does not say.

    Some servers give 0, milliseconds, or a fraction of a second.
    """
    created = (
        reply.get("created")
        if isinstance(reply, Mapping)
        else getattr(reply, "created", None)
    )
    if (
        not isinstance(created, int | float)
        or isinstance(created, bool)
        or not 0 < created < 2**32
    ):
        return None
    return datetime.datetime.fromtimestamp(float(created), datetime.UTC).date()


def dollars(amount: Decimal) -> str:
    """An amount for reading: two significant digits, but never coarser than a cent ("$0.00013",
    "$0.016", "$12.30").
    """
    if not amount:
        return "$0"
    if abs(amount) < Decimal("0.1"):
        shown = Context(prec=2, rounding=ROUND_HALF_UP).plus(amount).normalize()
    else:
        shown = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    places = max(2, -int(shown.as_tuple().exponent))
    return f"${shown:,.{places}f}"


def _detail(fields: Mapping[str, Any], group: str, key: str) -> int:
    """A count from the details, all of which are optional."""
    details = fields.get(group)
    return (details.get(key) if isinstance(details, Mapping) else None) or 0


def _fields(usage: Any) -> Mapping[str, Any]:
    """A usage as a dict, with the checks that genai-prices does not make."""
    if usage is None:
        raise ValueError(
            "There is no usage to price: it is None. A stream sends its usage only if you request "
            'it with stream_options={"include_usage": True}, and only at its end.'
        )
    dump = getattr(usage, "model_dump", None)
    fields = dump() if dump else usage
    if not isinstance(fields, Mapping):
        raise TypeError(
            f"Expected the usage of a reply (reply.usage), got {type(usage).__name__}."
        )
    for key in ("prompt_tokens", "completion_tokens"):
        count = fields.get(key)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(
                f"A usage needs {key}, a whole number of at least 0; this one has {count!r:.40}."
            )
    return fields


def _calculation(
    fields: Mapping[str, Any],
    model: str,
    on: datetime.date | None,
    context: dict[str, str],
) -> PriceCalculation:
    from genai_prices import extract_usage

    if on is not None and not isinstance(on, datetime.date):
        raise TypeError(
            f"on={on!r:.40} is not a date. Give a datetime.date, or None for today."
        )
    moment = (
        None
        if on is None
        else datetime.datetime(on.year, on.month, on.day, tzinfo=datetime.UTC)
    )
    try:
        found = extract_usage(
            {"model": model, "usage": fields},
            provider_id="openai",
            api_flavor="chat",
        )
    except LookupError:
        raise _no_price(model) from None
    if found.model is None:
        raise _no_price(model)
    for key, value in context.items():
        day = moment or datetime.datetime.now(datetime.UTC)
        if not any(
            variant.when.get(key) == value
            and (variant.constraint is None or variant.constraint.active(day))
            for variant in found.model.price_variants or ()
        ):
            raise NoPrice(
                f"The price list has no {value} price for model {model!r} on {day.date()}. "
                "Leave it out to get the standard price."
            )
    return found.calc_price(
        genai_request_timestamp=moment, price_context=context or None
    )


def _no_price(model: str) -> NoPrice:
    import genai_prices
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    provider = find_provider_by_id(get_snapshot().providers, "openai")
    names = [info.id for info in provider.models] if provider else []
    near = difflib.get_close_matches(str(model).lower(), names, n=1)
    return NoPrice(
        f"No price is known for model {model!r} in genai-prices {genai_prices.__version__}. "
        + (f"The nearest name there is {near[0]!r}. " if near else "")
        + "A new model may be in a newer list (pip install --upgrade genai-prices); "
        "until then, price it as a model that costs the same."
    )
