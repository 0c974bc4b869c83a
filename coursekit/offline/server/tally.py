"""What a learner's requests add up to: counts, tokens, and the cost as the real API would have
billed it.

Nothing is parsed while requests are answered: an answer is only counted, and read when the totals
are needed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple
from decimal import Decimal
from typing import Any

from ...pricing import Usage
from ..exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest
from ..limits.billing import bill_of

DISTINCT = 4096  # answers that wait to be read


class Tally:
    """Counts the answers of one learner."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self._unread: dict[Any, tuple[int, ApiRequest, ApiAnswer]] = {}
        self._usage, self._dollars = Usage(0, 0), Decimal(0)
        self._lock = threading.Lock()  # held while answers are read
        # held for a moment only: ``add`` runs in the event loop
        self._adding = threading.Lock()

    def add(self, request: ApiRequest, answer: ApiAnswer) -> None:
        with self._adding:
            self.statuses[answer.status] += 1
            if request.path != CHAT_COMPLETIONS or answer.forward is not None:
                return  # no bill for files and batches, and no price for what a fallback answers
            if answer.status != 200 or len(self._unread) >= DISTINCT:
                # more different answers than any course has: not worth the memory
                return
            key: Any = answer.body
            if answer.events is not None:
                first = answer.events[0].data if answer.events else b""
                key = first, len(answer.events)
            count = self._unread[key][0] if key in self._unread else 0
            self._unread[key] = count + 1, request, answer

    def absorb(self, other: Tally) -> None:
        """Add the counts of another tally."""
        usage, dollars = other.bill()
        with self._lock:
            self._usage += usage
            self._dollars += dollars
        with self._adding:
            self.statuses.update(other.statuses)

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Continue from what ``as_dict`` returned. Raises LookupError, TypeError or ValueError for
        anything else.
        """
        for status, count in saved["statuses"].items():
            self.statuses[int(status)] = int(count)
        self._usage = Usage(
            int(saved["prompt_tokens"]), int(saved["completion_tokens"])
        )
        self._dollars = Decimal(str(saved["dollars"]))

    def bill(self) -> tuple[Usage, Decimal]:
        """Tokens and dollars so far. May count the tokens of streams without a usage: not for an
        event loop.
        """
        with self._lock:
            with self._adding:
                unread, self._unread = self._unread, {}
            for count, request, answer in unread.values():
                usage, dollars = bill_of(answer, request.body)
                self._usage += Usage(*(count * n for n in astuple(usage)))
                self._dollars += count * dollars
            return self._usage, self._dollars

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; dollars as a string, exact."""
        usage, dollars = self.bill()
        with self._adding:
            statuses = Counter(self.statuses)
        counts = {str(status): statuses[status] for status in sorted(statuses)}
        return {
            "requests": statuses.total(),
            "statuses": counts,
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "dollars": str(dollars),
        }
