"""What an endpoint raises to refuse a request, with the answer that the client gets."""

from __future__ import annotations

from ...foundation.portable import Portable
from ..exchange import ApiAnswer, error_answer

# tells the SDK not to retry
FINAL = {"x-should-retry": "false"}


class Refusal(Portable, Exception):
    """Raised by an endpoint: this is what the client gets."""

    def __init__(self, answer: ApiAnswer) -> None:
        super().__init__(answer)
        self.answer = answer


def server_error(message: str, code: str, status: int = 500) -> ApiAnswer:
    """The answer if the server cannot do its part, and a retry does not help."""
    return error_answer(
        status, message, type="server_error", code=code, headers=FINAL
    )


def refusal(status: int, message: str, code: str | None = None) -> Refusal:
    """A Refusal with the API's error body."""
    return Refusal(error_answer(status, message, code=code))
