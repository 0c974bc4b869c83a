"""The headers of answers: each status has those of genuine answers from 2025 and 2026."""

from __future__ import annotations

import random

import pytest

from coursekit.offline.exchange import NEVER, ApiAnswer
from coursekit.offline.limits.errors import insufficient_quota
from coursekit.offline.rules.refusals import refuse
from coursekit.offline.standard_headers import StandardHeaders
from support.offline_api import Says, request, whole

ALWAYS = {"date": "Sun, 22 Nov 2026 12:00:00 GMT", "server": "cloudflare"}
NOON = 1_795_348_800.0  # 2026-11-22, 12:00 UTC
PROCESSED = {
    "access-control-expose-headers": "X-Request-ID, CF-Ray, CF-Ray",
    "openai-organization": "org-mine",
    "openai-version": "2020-10-01",
}


def headers_of(answer: ApiAnswer) -> dict[str, str]:
    layer = StandardHeaders(
        Says(answer), random.Random(0), "org-mine", lambda: NOON
    )
    return dict(layer.answer(request()).headers)


@pytest.mark.parametrize(
    "answer",
    [
        whole(after=0.8124),
        refuse("missing", where="messages"),
        refuse("not_chat"),
        refuse("no_tools", where="tools"),
    ],
)
def test_what_the_model_s_side_says(answer: ApiAnswer) -> None:
    """A 200, a 400, and the 404s that are formatted like a 400 have headers for version,
    organization, and time.
    """
    headers = headers_of(answer)
    assert headers.items() >= {**ALWAYS, **PROCESSED}.items()
    assert headers["openai-processing-ms"] == str(round(answer.after * 1000))
    assert headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "answer",
    [
        refuse("no_key"),
        refuse("no_such_model", model="x"),
        insufficient_quota(),
    ],
)
def test_what_is_turned_away_before(answer: ApiAnswer) -> None:
    """A 401, the 404 for an unknown model, and a 429 have the short set of headers."""
    headers = headers_of(answer)
    assert headers.items() >= ALWAYS.items()
    assert not headers.keys() & {*PROCESSED, "openai-processing-ms"}


def test_what_was_recorded_stays() -> None:
    """A recorded header takes precedence, and a failed connection has no headers."""
    recorded = whole(request_id="req_recorded")
    recorded = recorded.with_headers(
        {**recorded.headers, "openai-processing-ms": "7"}
    )
    headers = headers_of(recorded)
    assert (headers["x-request-id"], headers["openai-processing-ms"]) == (
        "req_recorded",
        "7",
    )
    assert (
        headers_of(ApiAnswer(status=0))
        == headers_of(ApiAnswer(after=NEVER))
        == {}
    )


def test_a_request_id_is_drawn_for_each_answer_anew() -> None:
    """A client's requests get the same IDs every time, and no two IDs are equal."""
    drawn = []
    for _ in range(2):
        layer = StandardHeaders(Says(refuse("no_key")), random.Random(4))
        drawn.append(
            [layer.answer(request()).headers["x-request-id"] for _ in range(3)]
        )
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3
