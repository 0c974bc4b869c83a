"""A request as llama.cpp takes it, and what of the API's requests the local model cannot do.

llama.cpp passes over what it does not know, and has other defaults: a reply would seem to have followed parameters that
nobody looked at. So each parameter of the API is either applied, or refused here, or changes no reply at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..local_model.llama import CONTEXT
from . import refusals
from .exchange import ApiAnswer

CODE = "unsupported_by_local_model"
MOST = 512  # tokens of a reply where the request sets no limit: a small model falls into loops, and never ends them
SEEDS = 2**32 - 1  # llama.cpp takes this number itself for "by chance"
# Parameters that ask for what a small text model is not, with the values that ask for nothing.
REFUSED: Mapping[str, tuple[Any, ...]] = {
    "tools": ([],), "tool_choice": ("none",), "parallel_tool_calls": (), "functions": ([],),
    "function_call": ("none",), "reasoning_effort": ("none",), "verbosity": ("medium",), "modalities": (["text"],),
    "audio": (), "web_search_options": (), "moderation": (), "logit_bias": ({},),
}  # fmt: skip
WHY = {
    "logit_bias": "its numbers are tokens of another model's vocabulary",
    "reasoning_effort": "it does not reason",
    "tools": "it calls no functions",
    "functions": "it calls no functions",
}
INSTEAD = 'Leave it out, or ask the real API: connect(mode="live").'


def local_refusal(body: Mapping[str, Any], label: str) -> ApiAnswer | None:
    """What of a request that is right in itself the local model cannot do; None: it can do all of it.

    label  of the model, for the message
    """
    for name, harmless in REFUSED.items():
        if body.get(name) is not None and body[name] not in harmless:
            why = f" ({WHY[name]})" if name in WHY else ""
            return _refused(f"'{name}' is more than the local model {label} can do{why}. {INSTEAD}", name)
    for number, message in enumerate(body["messages"]):
        where = f"messages[{number}]"
        if message["role"] in ("tool", "function") or message.get("tool_calls") or message.get("function_call"):
            return _refused(f"'{where}' speaks of tools, and the local model {label} calls none. {INSTEAD}", where)
        if message.get("name") is not None:
            return _refused(f"The local model {label} cannot tell speakers apart by 'name'. {INSTEAD}", f"{where}.name")
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] not in ("text", "refusal"):
                return _refused(
                    f"'{where}' has a part of type '{part['type']}', and the local model {label} reads text only. "
                    f"{INSTEAD}",
                    where,
                )
    return None


def local_request(body: Mapping[str, Any], *, seed: int) -> list[dict[str, Any]]:
    """The requests to llama.cpp that make up a request to the API: one for each of its n choices.

    body  one that ``local_refusal`` lets pass
    seed  where the body has none, from 0; the choices count on from it
    """
    first = body["seed"] if body.get("seed") is not None else seed
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    common = {
        "messages": [_message(message) for message in body["messages"]],
        "max_tokens": MOST if most is None else int(most),
        "temperature": _given(body, "temperature", 1),
        "top_p": _given(body, "top_p", 1),
        "presence_penalty": _given(body, "presence_penalty", 0),
        "frequency_penalty": _given(body, "frequency_penalty", 0),
        "stop": _stops(body),
        # Penalties, temperature and top_p, in the API's order, and none of llama.cpp's own samplers. Penalties look
        # back over the whole context; -1, which should mean that, switches them off.
        "samplers": ["penalties", "temperature", "top_p"],
        "repeat_last_n": CONTEXT, "repeat_penalty": 1.0, "top_k": 0, "min_p": 0.0,
        "cache_prompt": False, "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    if body.get("logprobs"):  # they cost half the speed
        common |= {"logprobs": True, "top_logprobs": max(1, body.get("top_logprobs") or 0)}
    form = body.get("response_format") or {}
    if form.get("type") in ("json_object", "json_schema"):
        common["response_format"] = form
    return [{**common, "seed": (int(first) + number) % SEEDS} for number in range(body.get("n") or 1)]


def _message(message: Mapping[str, Any]) -> dict[str, str]:
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or part.get("refusal") or "" for part in content)
    role = "system" if message["role"] == "developer" else message["role"]
    return {"role": role, "content": content or ""}


def _given(body: Mapping[str, Any], name: str, default: float) -> float:
    value = body.get(name)
    return float(default if value is None else value)


def _stops(body: Mapping[str, Any]) -> list[str]:
    stop = body.get("stop")
    return [stop] if isinstance(stop, str) else list(stop or ())


def _refused(message: str, param: str) -> ApiAnswer:
    return refusals.refusal(message, param=param, code=CODE)
