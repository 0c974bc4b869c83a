"""The input file of a batch: one request per line, checked as the real API does, and answered.

The error codes for faulty files are those that users have reported: empty_file, invalid_json_line,
duplicate_custom_id, url_mismatch, model_mismatch. The sentences are our own, except that of
invalid_json_line.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from ..exchange import (
    CHAT_COMPLETIONS,
    ApiAnswer,
    ApiRequest,
    Layer,
    request_id,
)
from ..rules import refusals

MOST_LINES = 50_000  # as in the SDK's docstring of batches.create
MOST_FAULTS = 100  # that are reported of one file
FIELDS = {"custom_id": str, "method": str, "url": str, "body": dict}


@dataclass(frozen=True, slots=True)
class Line:
    """One request: its name, and the body of POST /v1/chat/completions."""

    custom_id: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LineResult:
    """The answer to one request.

    good    whether it is a 200
    line    its line in the output file, or the error file
    tokens  input, of these from the cache; output, of these hidden reasoning
    """

    good: bool
    line: bytes
    tokens: tuple[int, int, int, int]


def read_input(content: bytes) -> tuple[list[Line], list[dict[str, Any]]]:
    """The requests of a file, and its faults: {"code", "message", "param", "line"} of each."""
    lines: dict[str, Line] = {}
    faults: list[dict[str, Any]] = []
    for number, raw in enumerate(content.split(b"\n"), start=1):
        if raw.strip() and len(faults) < MOST_FAULTS:
            value = ApiRequest("", "", raw).body
            if found := _fault_of(value, lines):
                faults.append({**found, "line": number})
            else:
                lines[value["custom_id"]] = Line(
                    value["custom_id"], value["body"]
                )
    if not lines and not faults:
        text = "The input file has no requests."
        faults.append({**_fault("empty_file", text), "line": None})
    if len(lines) > MOST_LINES:
        text = f"The input file has more than {MOST_LINES:,} requests."
        faults.append({**_fault("too_many_tasks", text), "line": None})
    return list(lines.values()), faults


def answered(line: Line, answers: Layer, rng: random.Random) -> LineResult:
    """The answer to one request of a batch."""
    answer = _answer(line, answers)
    body = json.loads(answer.body)
    response = {
        "status_code": answer.status,
        "request_id": answer.headers.get("x-request-id") or request_id(rng),
        "body": body,
    }
    value = {
        "id": f"batch_{request_id(rng)}",
        "custom_id": line.custom_id,
        "response": response,
        "error": None,
    }
    text = json.dumps(value, ensure_ascii=False) + "\n"
    usage = body.get("usage") or {}
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    tokens = (
        usage.get("prompt_tokens") or 0,
        prompt.get("cached_tokens") or 0,
        usage.get("completion_tokens") or 0,
        completion.get("reasoning_tokens") or 0,
    )
    raw = text.encode("utf-8", "surrogatepass")
    return LineResult(answer.status == 200, raw, tokens)


def _fault_of(value: Any, lines: dict[str, Line]) -> dict[str, Any] | None:
    """The fault of a line, after these earlier ones."""
    if not isinstance(value, dict):
        return _fault(
            "invalid_json_line", "This line is not parseable as valid JSON."
        )
    for name, kind in FIELDS.items():
        if not isinstance(value.get(name), kind):
            text = f"Missing required parameter: '{name}'."
            return _fault("missing_required_parameter", text, name)
    method, url, custom_id = value["method"], value["url"], value["custom_id"]
    if (method, url) != ("POST", CHAT_COMPLETIONS):
        text = f"The line is for {method[:10]} {url[:80]}, not for POST {CHAT_COMPLETIONS}."
        return _fault("url_mismatch", text, "url")
    if custom_id in lines:
        text = f"An earlier line has the custom_id '{custom_id}'. It must be unique in a batch."
        return _fault("duplicate_custom_id", text, "custom_id")
    first, model = next(iter(lines.values()), None), value["body"].get("model")
    if first is not None and model != first.body.get("model"):
        text = f"The model '{model}' differs from that of the first line. A batch is for one model."
        return _fault("model_mismatch", text, "body.model")
    return None


def _fault(code: str, message: str, param: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": param}


def _answer(line: Line, answers: Layer) -> ApiAnswer:
    if line.body.get("stream"):
        text = "A batch cannot stream: leave 'stream' out."
        return refusals.refusal(text, param="stream")
    request = ApiRequest(
        "POST", CHAT_COMPLETIONS, json.dumps(line.body).encode()
    )
    answer = answers.answer(request)
    if answer.forward is None:
        return answer
    text = (
        "A batch is answered from recordings, and this request has none. To use the "
        "fallback, send it as a single request."
    )
    return refusals.refusal(text, code="not_recorded")
