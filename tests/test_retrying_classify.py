"""classify(): each of the SDK's errors, and what to do about it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import openai
import pytest

from coursekit import IncompleteStream, connect
from coursekit.retrying import UnusableReply, classify
from coursekit.retrying.classify import decisions
from support.api_errors import ASKED, disconnected, status_error, timed_out
from support.fault_table import ROWS, InProcess
from support.offline_api import params

ACTIONS = {
    "rate_limit": "retry",
    "quota": "stop",
    "server_error": "retry",
    "overloaded": "retry",
    "timeout": "retry",
    "connection": "retry",
    "cut_stream": "retry",
    "cut_stream, abrupt": "retry",
    "malformed": "retry",
    "stream_error": "retry",
}
BILLED = {"timeout", "cut_stream", "cut_stream, abrupt", "malformed"}


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.name in ACTIONS],
    ids=lambda row: row.name,
)
def test_of_each_fault(row, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The decision on what each of the offline API's faults raises in the real SDK depends on
    whether a retry can help.
    """
    client = InProcess(tmp_path).client(False, row.faults())
    with pytest.raises((openai.OpenAIError, ValueError)) as caught:
        client.chat.completions.create(**params(stream=False))
    decision = classify(caught.value)
    assert decision.action == ACTIONS[row.name]
    assert decision.billed == (row.name in BILLED)
    assert decision.reason and decision.advice


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_the_sdks_own_list_is_retried(status: int) -> None:
    """As in the SDK, 408, 409, 429, and every status from 500 on are retried."""
    assert classify(status_error(status)).action == "retry"


@pytest.mark.parametrize(
    ("status", "code", "action"),
    [
        (400, "unsupported_parameter", "fix"),
        (400, "context_length_exceeded", "fix"),
        (400, None, "fix"),
        (401, "invalid_api_key", "stop"),
        (402, None, "stop"),
        (403, None, "stop"),
        (404, "model_not_found", "fix"),
        (413, None, "fix"),
        (418, None, "fix"),
        (422, None, "fix"),
        (429, "insufficient_quota", "stop"),
        (429, "billing_hard_limit_reached", "stop"),
        (429, "credit_balance_exhausted", "stop"),
        (429, "rate_limit_exceeded", "retry"),
    ],
)
def test_by_status_and_code(status: int, code: str | None, action: str) -> None:
    """An invalid request must be fixed, and a missing permission or an empty account stops
    everything. A quota is not a rate limit.
    """
    assert classify(status_error(status, code)).action == action


def test_quota_by_type() -> None:
    """An empty account is recognized even if only the error's type shows it."""
    assert (
        classify(status_error(429, type="insufficient_quota")).action == "stop"
    )


def test_too_large_for_any_minute() -> None:
    """A request that gets a 429 because it exceeds the entire limit must be made smaller, because
    waiting does not help.
    """
    message = (
        "Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit "
        "30000, Requested 40000."
    )
    assert (
        classify(
            status_error(
                429, "rate_limit_exceeded", type="tokens", message=message
            )
        ).action
        == "fix"
    )


def test_the_servers_order_goes_before_the_status() -> None:
    """As in the SDK, x-should-retry decides, except for an empty account, which no retry can
    fill.
    """
    assert classify(status_error(500, x_should_retry="false")).action == "fix"
    assert classify(status_error(400, x_should_retry="true")).action == "retry"
    assert (
        classify(
            status_error(429, "insufficient_quota", x_should_retry="true")
        ).action
        == "stop"
    )


def test_advice_fits_the_code() -> None:
    """The advice for a 400 depends on its code."""
    assert (
        "Shorten"
        in classify(status_error(400, "context_length_exceeded")).advice
    )
    assert (
        "Leave the parameter out"
        in classify(status_error(400, "unsupported_parameter")).advice
    )


def test_what_was_never_sent_is_not_billed() -> None:
    """A connection that was never made cost nothing, but one that broke or went silent may have
    cost something.
    """
    refused, broke = (
        httpx2.ConnectError("no", request=ASKED),
        httpx2.RemoteProtocolError("cut", request=ASKED),
    )
    assert not classify(disconnected(refused)).billed
    assert classify(disconnected(broke)).billed
    assert not classify(
        timed_out(httpx2.ConnectTimeout("late", request=ASKED))
    ).billed
    assert not classify(
        timed_out(httpx2.PoolTimeout("full", request=ASKED))
    ).billed
    assert classify(timed_out()).billed


def test_an_error_in_mid_stream() -> None:
    """The plain APIError from an error event is retried, unless its reason is the request or the
    account.
    """

    def reported(type: str) -> openai.APIError:
        return openai.APIError(
            "failed", ASKED, body={"type": type, "code": None}
        )

    assert classify(reported("server_error")).action == "retry"
    assert classify(reported("server_error")).billed
    assert classify(reported("invalid_request_error")).action == "fix"
    assert classify(reported("insufficient_quota")).action == "stop"


def test_answers_that_are_not_whole() -> None:
    """A stream that was cut off and broken JSON are retried, but not what the model itself left
    out.
    """
    assert classify(IncompleteStream("Par")).action == "retry"
    assert classify(json.JSONDecodeError("broken", "{", 1)).action == "retry"
    assert classify(UnusableReply("empty", None)).action == "fix"


def test_finish_reasons_that_the_sdk_raises() -> None:
    """The SDK's errors for length and content_filter must be fixed in the request, and their
    replies are billed.
    """
    for kind in ("LengthFinishReasonError", "ContentFilterFinishReasonError"):
        error = getattr(openai, kind).__new__(getattr(openai, kind))
        assert classify(error).action == "fix"
        assert classify(error).billed


def test_a_page_of_html() -> None:
    """For a 200 that is not one of the API's answers, the advice is to check base_url."""
    answer = httpx2.Response(200, text="<html>", request=ASKED)
    decision = classify(openai.APIResponseValidationError(answer, None))
    assert decision.action == "fix"
    assert "base_url" in decision.advice


def test_what_is_not_recorded(tmp_path: Path) -> None:
    """RecordingNotFound is not a network failure: it needs another request or the real API."""
    with pytest.raises(LookupError) as caught:
        connect("replay", recordings=tmp_path).chat.completions.create(
            **params()
        )
    assert classify(caught.value).action == "fix"


def test_bugs_are_no_errors_of_the_api() -> None:
    """A program's own exceptions, and its own time limits, are never retried."""
    for error in (
        TypeError("x"),
        ValueError("x"),
        KeyError("x"),
        OSError("x"),
        TimeoutError(),
    ):
        assert classify(error).action == "fix"
    assert "KeyError" in classify(KeyError("x")).reason


def test_a_client_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the OpenAIError from a client that cannot be created, there is nothing to retry."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_ADMIN_KEY", raising=False)
    with pytest.raises(openai.OpenAIError) as caught:
        openai.OpenAI()
    assert classify(caught.value).action == "fix"


def test_the_table_and_the_questions_fit() -> None:
    """Each decision has an action, a reason, and a sentence of advice. classify() uses exactly the
    kinds that are neither a status nor a class.
    """
    source = Path(classify.__code__.co_filename).read_text(encoding="utf-8")
    for kind, decision in decisions().items():
        assert decision.action in ("retry", "fix", "stop")
        assert decision.reason.endswith(".") and decision.advice.endswith(".")
        assert kind.isdigit() or kind[0].isupper() or f'"{kind}"' in source
    named = set(re.findall(r'(?:kind = |return )"(\w+)"', source))
    assert named and named <= decisions().keys()
