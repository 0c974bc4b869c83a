"""Shared by the tests of refusals: a request, and the offline API's answer to it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from coursekit.offline.exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest
from coursekit.offline.rules.validation import Validation, refusal_of
from support.offline_api import Says, whole

USER = [{"role": "user", "content": "What is the capital of France?"}]
LEFT_OUT = object()
PASSED = whole()  # what the layer below says in these tests
UNPARSABLE = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If "
    "you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)
TABLE = tomllib.loads(
    Path(__file__).with_name("refusals.toml").read_text(encoding="utf-8")
)
ERROR = {
    "message": None,
    "type": "invalid_request_error",
    "param": None,
    "code": None,
}


def chat(model: str = "gpt-4o", **params: Any) -> dict[str, Any]:
    """A body that is valid except for ``params``. Parameters with the value LEFT_OUT are left
    out.
    """
    body = {"model": model, "messages": USER, **params}
    return {
        name: value for name, value in body.items() if value is not LEFT_OUT
    }


def error_of(answer: ApiAnswer | None) -> dict[str, Any]:
    """A refusal's error. A test that expects a refusal fails here if there is none."""
    assert answer is not None, "not refused"
    return json.loads(answer.body)["error"]


def refused(model: str = "gpt-4o", **params: Any) -> dict[str, Any]:
    return error_of(refusal_of(chat(model, **params)))


def message_of(model: str = "gpt-4o", **params: Any) -> str:
    return refused(model, **params)["message"]


def taken(model: str = "gpt-4o", **params: Any) -> bool:
    return refusal_of(chat(model, **params)) is None


def sent(
    raw: bytes | dict[str, Any],
    headers: dict[str, str] | None = None,
    **more: Any,
) -> ApiAnswer:
    """What the layer answers to these bytes or to this body; PASSED if it asks the layer below."""
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return Validation(Says(PASSED), **more).answer(
        ApiRequest("POST", CHAT_COMPLETIONS, data, headers or {})
    )


def refusals(module: str) -> pytest.MarkDecorator:
    """Makes a test for each of that module's refusals in refusals.toml, with the arguments ``body``
    and ``error``.
    """
    table = TABLE[module]
    rows = [
        (
            json.loads(row["body"]),
            {**ERROR, **{key: row[key] for key in ERROR if key in row}},
        )
        for row in table
    ]
    names = [
        row.get("case", f"{row.get('param')} {row.get('code')}")
        for row in table
    ]
    return pytest.mark.parametrize(("body", "error"), rows, ids=names)


def orders() -> pytest.MarkDecorator:
    """Makes a test for each body with two mistakes in refusals.toml, with the arguments ``body``
    and ``param``.
    """
    table = TABLE["order"]
    rows = [
        (
            {
                **json.loads(row["body"]),
                **dict.fromkeys(row.get("without", ()), LEFT_OUT),
            },
            row.get("param"),
        )
        for row in table
    ]
    return pytest.mark.parametrize(
        ("body", "param"), rows, ids=[row["case"] for row in table]
    )
