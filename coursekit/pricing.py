"""What a call costs: the price of a ``usage``, on a date.

The prices are those in the package ``genai-prices``, from the list that it includes: nothing is
fetched. The list has dates for OpenAI's price changes (such as o3 on 2025-06-10); before the first
change on the list, the oldest price applies. Rates for service tiers and the Batch API are known
for October 2026 and later.

Anything that is not billed by tokens, such as a web search, is not covered. Taught in 01 §6.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

from .foundation.arguments import is_number

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

ZERO = Decimal(0)
PER = 1_000_000  # OpenAI's prices are per million tokens
# service tiers that cost the standard price
STANDARD = (None, "auto", "default")


class NoPrice(LookupError):
    """The price list has no price for this model, or none for this way of using it."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars, exact.

    input   the cost of the prompt tokens that were not read from the cache, including the surcharge
            for tokens written to it
    cached  the cost of the prompt tokens read from the cache
    output  the cost of the completion tokens, including hidden reasoning
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
        """Return the part of ``output`` that paid for the reasoning tokens in this usage. They have
        the same price as the text.
        """
        if not usage.completion:
            return ZERO
        return self.output * usage.reasoning / usage.completion


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


# Where a usage counts audio tokens, and the name that genai-prices has for their rate.
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
    """Return the price of a call.

    usage         ``reply.usage`` from the SDK, or a dict with the same fields; its details may be
                  missing
    model         the name in the request or in the reply, which names a snapshot
                  ("gpt-4o-2024-08-06")
    on            the day (UTC) whose prices apply; None: today. A date in the past always gives the
                  same result.
    service_tier  as in ``reply.service_tier``: "flex" and "priority" have their own prices
    batch         sent through the Batch API

    Raises NoPrice (a LookupError), and ValueError or TypeError for an invalid usage.
    """
    fields = _fields(usage)
    context = {}
    if service_tier not in STANDARD:
        context["service_tier"] = str(service_tier)
    if batch:
        context["processing"] = "batch"
    found = _calculation(fields, model, on, context)
    rates = found.model_price
    for group, rate in AUDIO:
        if (
            _detail(fields, group, "audio_tokens")
            and getattr(rates, rate) is None
        ):
            raise NoPrice(
                f"The price list has no rate for the audio tokens of {model!r}, which cost "
                "several times as much as text tokens. Look up the rate on OpenAI's pricing page."
            )
    from genai_prices.types import calc_unit_price

    cached_rate = rates.cache_read_mtok
    if cached_rate is None:  # no discount
        cached_rate = rates.input_mtok
    cached = calc_unit_price(
        cached_rate, usage_of(fields).cached, fields["prompt_tokens"], PER
    )
    return Price(found.input_price - cached, cached, found.output_price)


def usage_of(usage: Any) -> Usage:
    """Return the token counts in ``reply.usage``, or in a dict with the same fields. Raises
    ValueError or TypeError.
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


def field_of(reply: Any, name: str, absent: Any = None) -> Any:
    """Return a field from a reply, which may be a dict."""
    if isinstance(reply, Mapping):
        return reply.get(name, absent)
    return getattr(reply, name, absent)


def day_of(reply: Any) -> datetime.date | None:
    """Return the day (UTC) on which a reply (which may be a dict) was created, from its
    ``created``; None if that is not a valid time.

    Some servers send 0, milliseconds, or fractions of a second.
    """
    created = field_of(reply, "created")
    if not is_number(created) or not 0 < created < 2**32:
        return None
    return datetime.datetime.fromtimestamp(float(created), datetime.UTC).date()


def dollars(amount: Decimal) -> str:
    """Format an amount for reading: two significant digits, but never coarser than a cent
    ("$0.00013", "$0.016", "$12.30").
    """
    if not amount:
        return "$0"
    shown = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    if abs(amount) < Decimal("0.1"):
        shown = Context(prec=2, rounding=ROUND_HALF_UP).plus(amount).normalize()
    places = max(2, -int(shown.as_tuple().exponent))
    return f"${shown:,.{places}f}"


def _detail(fields: Mapping[str, Any], group: str, key: str) -> int:
    """Return a count from the details, all of which are optional."""
    details = fields.get(group)
    return (details.get(key) if isinstance(details, Mapping) else None) or 0


def _fields(usage: Any) -> Mapping[str, Any]:
    """Return a usage as a dict after the checks that genai-prices does not make."""
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
        count: Any = fields.get(key)
        if not is_number(count, whole=True) or count < 0:
            raise ValueError(
                f"A usage needs {key}, a whole number of at least 0, but this usage has "
                f"{count!r:.40}."
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
    moment = datetime.datetime.now(datetime.UTC)
    if on is not None:
        moment = datetime.datetime(
            on.year, on.month, on.day, tzinfo=datetime.UTC
        )
    body = {"model": model, "usage": fields}
    try:
        found = extract_usage(body, provider_id="openai", api_flavor="chat")
    except LookupError:
        found = None
    if found is None or found.model is None:
        raise _no_price(model)
    for key, value in context.items():
        if not any(
            variant.when.get(key) == value
            and (
                variant.constraint is None or variant.constraint.active(moment)
            )
            for variant in found.model.price_variants or ()
        ):
            raise NoPrice(
                f"The price list has no {value} price for model {model!r} on {moment.date()}. "
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
