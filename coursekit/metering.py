"""What was used and what it cost, call by call: receipts, and the meter that adds them up.

Latency and the source of an answer are not in the reply, but in the client's ``Journal``. Prices
are those of the day on which the reply was created (its ``created``), so a recorded answer always
costs the same.

Taught in 01 §6.
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
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
ROWS = 20  # of the meter's table; a long ledger shows its newest


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one call used and cost; shown as one line.

    usage   None: the reply had none (such as a stream that was not asked for it or did not end), or
            its usage had no counts
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
    def cost(self) -> str:
        return "no price" if self.price is None else dollars(self.price.total)

    @property
    def latency(self) -> str:
        return "" if self.seconds is None else f"{self.seconds:,.2f} s"

    @property
    def origin(self) -> str:
        """How it was answered, and by what: "replay · written"; "live"."""
        return " · ".join(
            dict.fromkeys(word for word in (self.mode, self.source) if word)
        )

    def __repr__(self) -> str:
        used = "no usage"
        if self.usage is not None:
            used = " · ".join((*_tokens(self.usage, " in", " out"), self.cost))
        return " · ".join(
            part for part in (used, self.latency, self.origin) if part
        )

    def _repr_html_(self) -> str:
        return (
            '<div class="coursekit-receipt" style="font-family: '
            f'monospace">{escape(repr(self))}</div>'
        )


class Share(NamedTuple):
    """A part of the bill: tokens, and US dollars (of the calls whose price is known)."""

    tokens: int
    dollars: Decimal


class Meter:
    """A ledger of calls, with the sum of their tokens and costs.

    client  from ``connect()`` or ``connect_async()``: its journal has latency and source. None,
            or a client without a journal: the receipts omit them.
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
        request_id  finds the reply in the journal, if the reply itself does not contain the ID
        on          the day (UTC) whose prices apply; None: the day of the reply's ``created``, else
                    today

        A model without a known price is counted and shown as "no price"; a reply without usage, as
        "no usage". Raises TypeError for anything but a reply, and ValueError for a stream that has
        not ended, because its usage is sent last.
        """
        receipt = self._receipt(reply, request_id, on)
        self.ledger.append(receipt)
        return receipt

    def _receipt(
        self, reply: Any, request_id: str | None, on: datetime.date | None
    ) -> Receipt:
        if any(
            _read(reply, name, absent=...) is ... for name in ("model", "usage")
        ):
            hint = " Await it first." if inspect.isawaitable(reply) else ""
            raise TypeError(
                "Meter.add takes a reply, with model and usage; this is a "
                f"{type(reply).__name__}.{hint}"
            )
        if _read(reply, "ended", absent=...) is None:
            raise ValueError(
                "This stream has not ended, so its usage is not known yet. Read it to its end, or "
                "close it; then add it."
            )
        model, raw = str(_read(reply, "model")), _read(reply, "usage")
        usage = price = None
        with contextlib.suppress(ValueError):  # a server that sends half of it
            usage = None if raw is None else usage_of(raw)
        if usage is not None:
            with contextlib.suppress(NoPrice):
                price = price_of(
                    raw,
                    model,
                    on or day_of(reply),
                    service_tier=_read(reply, "service_tier"),
                )
        journal = self._journal
        if journal is None:
            return Receipt(model, usage, price)
        served = journal.find(
            request_id
            or _read(reply, "request_id")
            or _read(reply, "_request_id")
        )
        if served is None:
            return Receipt(model, usage, price, mode=journal.mode)
        return Receipt(
            model,
            usage,
            None if served.forwarded else price,
            served.seconds,
            served.source,
            journal.mode,
        )

    @property
    def _journal(self) -> Journal | None:
        wired = wired_to(self._client)
        return wired.journal if wired else None

    @property
    def total(self) -> Decimal:
        """US dollars of all calls whose price is known."""
        return sum((r.price.total for r in self.ledger if r.price), ZERO)

    @property
    def usage(self) -> Usage:
        """The tokens of all calls."""
        return sum((r.usage for r in self.ledger if r.usage), Usage(0, 0))

    @property
    def unpriced(self) -> int:
        """The number of calls whose price is not known."""
        return sum(r.price is None for r in self.ledger)

    def cost_per_call(self) -> list[Decimal | None]:
        """US dollars of each call, in order; None if no price is known."""
        return [r.price.total if r.price else None for r in self.ledger]

    def cost_by_model(self) -> dict[str, Decimal]:
        """US dollars by model as the replies name it, in the order of first use; 0 if no price is
        known.
        """
        costs: dict[str, Decimal] = {}
        for r in self.ledger:
            costs[r.model] = costs.get(r.model, ZERO) + (
                r.price.total if r.price else ZERO
            )
        return costs

    def split(self) -> dict[str, Share]:
        """The bill in four parts that add up to it: "input" (not cached), "cached", "output"
        (visible), "reasoning".
        """
        used, spent = (
            self.usage,
            dict.fromkeys(("input", "cached", "output", "reasoning"), ZERO),
        )
        for r in self.ledger:
            if r.price and r.usage:
                hidden = r.price.hidden(r.usage)
                parts = (
                    r.price.input,
                    r.price.cached,
                    r.price.output - hidden,
                    hidden,
                )
                spent = {
                    name: spent[name] + part
                    for name, part in zip(spent, parts, strict=True)
                }
        tokens = (
            used.prompt - used.cached,
            used.cached,
            used.completion - used.reasoning,
            used.reasoning,
        )
        return {
            name: Share(count, spent[name])
            for name, count in zip(spent, tokens, strict=True)
        }

    def __repr__(self) -> str:
        journal = self._journal
        banner = f"{journal.banner} · " if journal else ""
        calls = (
            "1 call" if len(self.ledger) == 1 else f"{len(self.ledger):,} calls"
        )
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
            running += receipt.price.total if receipt.price else ZERO
            tokens = (
                ("?", "?") if receipt.usage is None else _tokens(receipt.usage)
            )
            amounts = (receipt.cost, dollars(running), receipt.latency)
            rows.append(
                (str(number), receipt.model, *tokens, *amounts, receipt.origin)
            )
        newest = f", the newest {ROWS} calls" if len(rows) > ROWS else ""
        columns = list(COLUMNS.values())
        caption = f"{self!r}{newest}"
        shown = table(
            list(COLUMNS), rows[-ROWS:], columns, named=1, caption=caption
        )
        return f'<div class="coursekit-meter">{shown}</div>'


def _tokens(
    usage: Usage, tokens_in: str = "", tokens_out: str = ""
) -> tuple[str, str]:
    """Tokens in and out, with a word behind each number."""
    return (
        f"{usage.prompt:,}{tokens_in}{_of_which(usage.cached, 'cached')}",
        f"{usage.completion:,}{tokens_out}{_of_which(usage.reasoning, 'reasoning')}",
    )


def _of_which(count: int, what: str) -> str:
    return f" ({count:,} {what})" if count else ""


def _read(reply: Any, name: str, absent: Any = None) -> Any:
    return (
        reply.get(name, absent)
        if isinstance(reply, Mapping)
        else getattr(reply, name, absent)
    )
