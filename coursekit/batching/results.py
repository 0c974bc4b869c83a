"""The outcome of a batch: results as values, so that one failure does not cost you the other
answers. Taught in 05 §7.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Self

from ..foundation.portable import Portable, packed, unpacked
from ..metering import Receipt
from ..pricing import ZERO, Usage, dollars


class NotSent(RuntimeError):
    """The run ended before this request was sent. It cost nothing, and a run with the same
    checkpoint will send it.
    """


class Unanswered(Portable, RuntimeError):
    """Some requests have no answer, so their texts are missing. ``results`` has the answers that
    were paid for.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        first = results.failed[0]
        super().__init__(
            f"{len(results.failed)} of {len(results)} requests have no answer; the first is "
            f"{first.custom_id}: "
            f"{type(first.error).__name__}: {first.error}\n"
            "The answers are in this error's .results; results.texts(missing=None) returns None "
            "for each one that is missing."
        )


@dataclass(frozen=True)
class Result:
    """The outcome of one request.

    custom_id  the request's
    reply      the SDK's ChatCompletion; None: there is none
    error      the exception that was raised (one of the SDK's, or NotSent); None: there is a reply
    attempts   requests on the wire in this run; 0: not sent, or resumed
    resumed    the reply was in the checkpoint, and was paid for by an earlier run
    bill       creates the receipt on request, because pricing an answer takes a third of the time
               that the SDK takes to get it
    """

    custom_id: str
    reply: Any = None
    error: Exception | None = None
    attempts: int = 0
    resumed: bool = False
    bill: Callable[[], Receipt] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def text(self) -> str | None:
        """What the model said; None if there is no reply, or no text in it (a refusal, a tool
        call).
        """
        if self.reply is None:
            return None
        text: str | None = self.reply.choices[0].message.content
        return text

    @cached_property
    def receipt(self) -> Receipt | None:
        """Usage, price and origin of the reply; None without one, or without a usage that can be
        read.
        """
        # an unusable usage, from another server: the answer still counts
        with contextlib.suppress(TypeError, ValueError):
            return self.bill and self.bill()
        return None

    @property
    def cost(self) -> Decimal:
        """US dollars; 0 without a reply, or without a known price."""
        return self.receipt.dollars if self.receipt else ZERO

    def __getstate__(self) -> dict[str, Any]:
        """For pickling, as between processes: with the receipt, but without the client that would
        create it.
        """
        return {
            **self.__dict__,
            "receipt": self.receipt,
            "bill": None,
            "error": packed(self.error),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "error": unpacked(state["error"])})


_RAISE: Any = object()


class Results(tuple[Result, ...]):
    """The results of a run, in the order of its requests.

    seconds  from the first request to the last answer, on the client's clock
    refused  how many 429s the run received
    stopped  why nothing more was sent; None: everything was sent
    """

    seconds: float
    refused: int
    stopped: str | None

    def __new__(
        cls,
        results: Iterable[Result],
        *,
        seconds: float = 0.0,
        refused: int = 0,
        stopped: str | None = None,
    ) -> Self:
        made = super().__new__(cls, results)
        made.seconds, made.refused, made.stopped = seconds, refused, stopped
        return made

    @property
    def answered(self) -> list[Result]:
        """The results with a reply, including resumed ones."""
        return [result for result in self if result.reply is not None]

    @property
    def failed(self) -> list[Result]:
        """The results without a reply, in order."""
        return [result for result in self if result.reply is None]

    @property
    def attempts(self) -> int:
        """Requests on the wire, including retries."""
        return sum(result.attempts for result in self)

    @property
    def usage(self) -> Usage:
        """The tokens of all replies."""
        receipts = (result.receipt for result in self)
        used = (each.usage for each in receipts if each and each.usage)
        return sum(used, Usage(0, 0))

    @property
    def cost(self) -> Decimal:
        """US dollars for all replies whose price is known, including resumed ones."""
        return sum((result.cost for result in self), ZERO)

    def texts(self, missing: Any = _RAISE) -> list[Any]:
        """What the model said to each request, in order.

        missing  the value for a missing reply; if omitted, Unanswered is raised

        For a reply without text (a refusal, a tool call), the text is None: see ``result.reply``.
        """
        if missing is _RAISE and self.failed:
            raise Unanswered(self)
        return [result.text if result.reply else missing for result in self]

    def __repr__(self) -> str:
        usage = self.usage
        resumed = sum(result.resumed for result in self)
        parts = [
            f"{len(self.answered):,} of {len(self):,} answered"
            + (f" ({resumed:,} resumed)" if resumed else ""),
            f"{self.attempts:,} requests"
            + (f" ({self.refused:,} refused)" if self.refused else ""),
            f"{usage.prompt:,} tokens in",
            f"{usage.completion:,} out",
            dollars(self.cost),
            f"{self.seconds:,.1f} s",
        ]
        stopped = f"\nstopped: {self.stopped}" if self.stopped else ""
        return " · ".join(parts) + stopped
