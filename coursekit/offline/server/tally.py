"""What a learner's requests came to: counts, tokens, and the cost as the real API would have billed it.

Nothing is parsed while requests are answered: an answer is only counted, and read when somebody asks.
"""

from __future__ import annotations

import threading
from collections import Counter
from decimal import Decimal
from typing import Any

from ...pricing import Usage
from ..billing import bill_of
from ..exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest

DISTINCT = 4096  # answers that wait to be read


class Tally:
    """Counts the answers of one learner."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self._unread: dict[Any, tuple[int, ApiRequest, ApiAnswer]] = {}
        self._usage, self._dollars = Usage(0, 0), Decimal(0)
        self._lock = threading.Lock()

    def add(self, request: ApiRequest, answer: ApiAnswer) -> None:
        self.statuses[answer.status] += 1
        if request.path != CHAT_COMPLETIONS:
            return  # files and batches: the offline API sends no bill for them
        if answer.status != 200 or len(self._unread) >= DISTINCT:
            return  # more different answers than any course has, and nobody asks: not worth the memory
        told = answer.events
        key = answer.body if told is None else (told[0].data if told else b"", len(told))
        self._unread[key] = (self._unread.get(key, (0,))[0] + 1, request, answer)

    def bill(self) -> tuple[Usage, Decimal]:
        """Tokens and dollars so far. May count the tokens of streams that told no usage: not for an event loop."""
        with self._lock:
            unread, self._unread = self._unread, {}
            for count, request, answer in unread.values():
                usage, dollars = bill_of(answer, request.body)
                counts = (usage.prompt, usage.completion, usage.cached, usage.reasoning)
                self._usage += Usage(*(count * n for n in counts))
                self._dollars += count * dollars
            return self._usage, self._dollars

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; dollars as a string, exact."""
        usage, dollars = self.bill()
        return {
            "requests": self.statuses.total(),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "dollars": str(dollars),
        }
