"""The input file of a batch: one request a line, checked as the real API does, and answered line by
line.

The codes of faulty files are those that users report: empty_file, invalid_json_line,
duplicate_custom_id, url_mismatch, model_mismatch; the sentences are our own except that of
invalid_json_line.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from ..exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest, Layer
from ..rules import refusals

MOST_LINES = 50_000  # as in the SDK's docstring of batches.create
MOST_FAULTS = 100  # that are told of one file


@dataclass(frozen=True, slots=True)
class Line:
    """One request: what it is called, and the body of POST /v1/chat/completions."""

    custom_id: str
    body: dict[str, Any]


def read_input(content: bytes) -> tuple[list[Line], list[dict[str, Any]]]:
    """The requests of a file, and what is wrong with it: {"code", "message", "param", "line"} each,
    as BatchError.
    """
    lines: list[Line] = []
    faults: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, raw in enumerate(content.split(b"\n"), start=1):
        if not raw.strip() or len(faults) >= MOST_FAULTS:
            continue
        found = _parsed(raw)
        if isinstance(found, Line) and found.custom_id in seen:
            text = (
                f"The custom_id '{found.custom_id}' stands on an earlier line, too. It must be "
                "unique in a batch."
            )
            found = _fault("duplicate_custom_id", text, "custom_id")
        if (
            isinstance(found, Line)
            and lines
            and found.body.get("model") != lines[0].body.get("model")
        ):
            text = (
                f"The model '{found.body.get('model')}' is not that of the first line. A batch "
                "is for one model."
            )
            found = _fault("model_mismatch", text, "body.model")
        if isinstance(found, Line):
            seen.add(found.custom_id)
            lines.append(found)
        else:
            faults.append({**found, "line": number})
    if not lines and not faults:
        faults.append(
            {**_fault("empty_file", "The input file has no requests."), "line": None}
        )
    if len(lines) > MOST_LINES:
        text = f"The input file has more than {MOST_LINES:,} requests."
        faults.append({**_fault("too_many_tasks", text), "line": None})
    return lines, faults


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request.

    good    whether it was answered with 200
    line    its line of the output file, or of the error file
    tokens  used: in, of these from the cache, out, of these hidden reasoning
    """

    good: bool
    line: bytes
    tokens: tuple[int, int, int, int]


def answered(lines: list[Line], answers: Layer, rng: random.Random) -> list[Result]:
    """The requests answered by ``answers``, in order."""
    return [_result(line, _answer(line, answers), rng) for line in lines]


def _result(line: Line, answer: ApiAnswer, rng: random.Random) -> Result:
    body = json.loads(answer.body)
    request_id = (
        answer.headers.get("x-request-id") or f"req_{rng.getrandbits(128):032x}"
    )
    told = {
        "id": f"batch_req_{rng.getrandbits(128):032x}",
        "custom_id": line.custom_id,
        "response": {
            "status_code": answer.status,
            "request_id": request_id,
            "body": body,
        },
        "error": None,
    }
    raw = json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    return Result(answer.status == 200, raw, _tokens(body.get("usage") or {}))


def _tokens(usage: dict[str, Any]) -> tuple[int, int, int, int]:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    hidden = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return (
        usage.get("prompt_tokens") or 0,
        cached,
        usage.get("completion_tokens") or 0,
        hidden,
    )


def _answer(line: Line, answers: Layer) -> ApiAnswer:
    if line.body.get("stream"):
        return refusals.refusal(
            "A batch cannot stream: leave 'stream' out.", param="stream"
        )
    answer = answers.answer(
        ApiRequest("POST", CHAT_COMPLETIONS, json.dumps(line.body).encode())
    )
    if answer.forward is not None:
        text = (
            "A batch is answered from recordings, and this request has none. Send it by itself "
            "for the fallback."
        )
        return refusals.refusal(text, code="not_recorded")
    return answer


def _parsed(raw: bytes) -> Line | dict[str, Any]:
    """A line of the file, or what is wrong with it."""
    value = ApiRequest("", "", raw).body
    if not isinstance(value, dict):
        return _fault("invalid_json_line", "This line is not parseable as valid JSON.")
    for name, kind in (
        ("custom_id", str),
        ("method", str),
        ("url", str),
        ("body", dict),
    ):
        if not isinstance(value.get(name), kind):
            return _fault(
                "missing_required_parameter",
                f"Missing required parameter: '{name}'.",
                name,
            )
    if value["method"] != "POST" or value["url"] != CHAT_COMPLETIONS:
        text = (
            f"The line asks for {value['method'][:10]} {value['url'][:80]}, the batch is for "
            f"POST {CHAT_COMPLETIONS}."
        )
        return _fault("url_mismatch", text, "url")
    return Line(value["custom_id"], value["body"])


def _fault(code: str, message: str, param: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": param}
