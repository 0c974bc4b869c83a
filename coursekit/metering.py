"""Usage and cost, call by call: receipts, and the meter that adds them up.

An answer's latency and source are not in the reply, but in the client's ``Journal``. Prices are
those on the day when the reply was created (its ``created``), so a recorded answer always costs the
same. Taught in 01 §6.
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
from dataclasses import dataclass, replace
from decimal import Decimal
from html import escape
from typing import Any, NamedTuple

from .foundation.markup import NUMBER, SHORT, table
from .pricing import (
    ZERO,
    NoPrice,
    Price,
    Usage,
    day_of,
    dollars,
    field_of,
    price_of,
    usage_of,
)
from .wired import Journal, wired_to

COLUMNS = {
    "Call": NUMBER,
    "Model": SHORT,
    "In": NUMBER,
    "Out": NUMBER,
    "Cost": NUMBER,
    "Total": NUMBER,
    "Latency": NUMBER,
    "Answered by": SHORT,
}
ROWS = 20  # in the meter's table; of a long ledger, it shows the newest calls


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one call used and cost; shown as one line.

    usage   None: the reply had none (such as a stream that did not end, or whose request did not
            ask for it), or its usage had no counts
    price   None: no usage, or no known price for this model
    seconds, source, mode  from the client's journal; None without a journal
    """

    model: str
    usage: Usage | None
    price: Price | None
    seconds: float | None = None
    source: str | None = None
    mode: str | None = None

    @property
    def dollars(self) -> Decimal:
        """The cost in US dollars; 0 if the price is not known."""
        return self.price.total if self.price else ZERO

    @property
    def cost(self) -> str:
        return dollars(self.price.total) if self.price else "no price"

    @property
    def latency(self) -> str:
        return "" if self.seconds is None else f"{self.seconds:,.2f} s"

    @property
    def origin(self) -> str:
        """The mode and the source of the answer: "replay · written"; "live"."""
        return " · ".join(filter(None, dict.fromkeys((self.mode, self.source))))

    def __repr__(self) -> str:
        used = ["no usage"]
        if self.usage is not None:
            used = [*_tokens(self.usage, " in", " out"), self.cost]
        return " · ".join(filter(None, [*used, self.latency, self.origin]))

    def _repr_html_(self) -> str:
        return (
            '<div class="coursekit-receipt" style="font-family: '
            f'monospace">{escape(repr(self))}</div>'
        )


class Share(NamedTuple):
    """A part of the bill: tokens, and US dollars (for the calls whose price is known)."""

    tokens: int
    dollars: Decimal


class Meter:
    """A ledger of calls, with the totals of their tokens and costs.

    client  from ``connect()`` or ``connect_async()``: its journal has latency and source. Without a
            client, or a journal, the receipts omit them.
    """

    def __init__(self, client: Any = None) -> None:
        self._client = client
        self.ledger: list[Receipt] = []

    def add(
        self,
        reply: Any,
        *,
        request_id: str | None = None,
        on: datetime.date | None = None,
    ) -> Receipt:
        """Record a reply and return its receipt.

        reply       a ChatCompletion, a stream of ``stream_text()`` that has ended, or a completion
                    as a dict
        request_id  identifies the reply in the journal if the reply itself does not contain the ID
        on          the day (UTC) whose prices apply; None: the day of the reply's ``created``, or
                    else today

        A model without a known price is counted and shown as "no price"; a reply without usage, as
        "no usage". Raises TypeError for anything but a reply, and ValueError for a stream that has
        not ended, because its usage is sent last.
        """
        receipt = receipt_of(reply, on)
        journal = self._journal
        if journal is not None:
            served = journal.find(
                request_id
                or field_of(reply, "request_id")
                or field_of(reply, "_request_id")
            )
            receipt = replace(receipt, mode=journal.mode)
            if served is not None:
                receipt = replace(
                    receipt,
                    price=None if served.forwarded else receipt.price,
                    seconds=served.seconds,
                    source=served.source,
                )
        self.ledger.append(receipt)
        return receipt

    @property
    def _journal(self) -> Journal | None:
        wired = wired_to(self._client)
        return wired.journal if wired else None

    @property
    def total(self) -> Decimal:
        """The cost of all calls whose price is known, in US dollars."""
        return sum((r.dollars for r in self.ledger), ZERO)

    @property
    def usage(self) -> Usage:
        """The tokens used by all calls."""
        return sum((r.usage for r in self.ledger if r.usage), Usage(0, 0))

    @property
    def unpriced(self) -> int:
        """The number of calls whose price is not known."""
        return sum(r.price is None for r in self.ledger)

    def cost_per_call(self) -> list[Decimal | None]:
        """Return the cost of each call in US dollars, in order; None if no price is known."""
        return [r.price.total if r.price else None for r in self.ledger]

    def cost_by_model(self) -> dict[str, Decimal]:
        """Return the cost in US dollars by model, as named in the replies, in the order of first
        use; 0 if no price is known.
        """
        costs: dict[str, Decimal] = {}
        for r in self.ledger:
            costs[r.model] = costs.get(r.model, ZERO) + r.dollars
        return costs

    def split(self) -> dict[str, Share]:
        """Return the four parts that add up to the bill: "input" (not cached), "cached", "output"
        (visible), "reasoning".
        """
        used, fresh, cached, output, hidden = self.usage, ZERO, ZERO, ZERO, ZERO
        for r in self.ledger:
            if r.price and r.usage:
                fresh += r.price.input
                cached += r.price.cached
                output += r.price.output
                hidden += r.price.hidden(r.usage)
        visible = used.completion - used.reasoning
        return {
            "input": Share(used.prompt - used.cached, fresh),
            "cached": Share(used.cached, cached),
            "output": Share(visible, output - hidden),
            "reasoning": Share(used.reasoning, hidden),
        }

    def __repr__(self) -> str:
        journal = self._journal
        banner = f"{journal.banner} · " if journal else ""
        calls = f"{len(self.ledger):,} call{'s' * (len(self.ledger) != 1)}"
        missing = (
            f" · {self.unpriced:,} without a price" if self.unpriced else ""
        )
        used = f"{self.usage.prompt:,} in · {self.usage.completion:,} out"
        return f"{banner}{calls} · {used} · {dollars(self.total)}{missing}"

    def _repr_html_(self) -> str:
        if not self.ledger:
            return f'<div class="coursekit-meter">{escape(repr(self))}</div>'
        running, rows = ZERO, []
        for number, receipt in enumerate(self.ledger, 1):
            running += receipt.dollars
            tokens = _tokens(receipt.usage) if receipt.usage else ("?", "?")
            amounts = (receipt.cost, dollars(running), receipt.latency)
            rows.append(
                (str(number), receipt.model, *tokens, *amounts, receipt.origin)
            )
        newest = f", the newest {ROWS} calls" if len(rows) > ROWS else ""
        shown = table(
            list(COLUMNS),
            rows[-ROWS:],
            list(COLUMNS.values()),
            named=1,
            caption=f"{self!r}{newest}",
        )
        return f'<div class="coursekit-meter">{shown}</div>'


def receipt_of(
    reply: Any, on: datetime.date | None = None, *, batch: bool = False
) -> Receipt:
    """Return a receipt from the reply alone. Arguments and errors are as for ``Meter.add``.

    batch  the reply was sent through the Batch API
    """
    if any(field_of(reply, name, ...) is ... for name in ("model", "usage")):
        hint = " Await it first." if inspect.isawaitable(reply) else ""
        raise TypeError(
            "Meter.add needs a reply that has model and usage, but got "
            f"{type(reply).__name__}.{hint}"
        )
    if field_of(reply, "ended", ...) is None:
        raise ValueError(
            "This stream has not ended, so its usage is not known yet. Read it to its end "
            "or close it, and then add it."
        )
    model, raw = str(field_of(reply, "model")), field_of(reply, "usage")
    usage = price = None
    # the server sends half of a usage, or none; or the model has no price
    with contextlib.suppress(ValueError, NoPrice):
        usage = usage_of(raw)
        tier = field_of(reply, "service_tier")
        day = on or day_of(reply)
        price = price_of(raw, model, day, service_tier=tier, batch=batch)
    return Receipt(model, usage, price)


def _tokens(
    usage: Usage, tokens_in: str = "", tokens_out: str = ""
) -> tuple[str, str]:
    """Return tokens in and out, with a word after each number."""
    return (
        f"{usage.prompt:,}{tokens_in}{_of_which(usage.cached, 'cached')}",
        f"{usage.completion:,}{tokens_out}{_of_which(usage.reasoning, 'reasoning')}",
    )


def _of_which(count: int, what: str) -> str:
    return f" ({count:,} {what})" if count else ""
