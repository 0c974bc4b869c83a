"""Adapts parameters to a model that accepts fewer of them, other values, or smaller numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..models import Model
from ..offline.rules.form import rules
from ..offline.rules.lengths import function_tokens, prompt_tokens
from ..tokens import encoding_of
from .changes import Draft, plain

# as the SDK's ReasoningEffort orders them
EFFORTS = (
    "none",
    "minimal",
    "low",
    "medium",
    "high",
    "xhigh",
    "max",
)
TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
CAPS = ("max_completion_tokens", "max_tokens")


def effort(draft: Draft) -> None:
    """Set reasoning_effort: unchanged, or the nearest effort that the other model has."""
    given, target = draft.params.get("reasoning_effort"), draft.target
    if given is None:  # null, which not every model accepts
        draft.params.pop("reasoning_effort", None)
    if target.takes("reasoning_effort") != "yes":
        draft.drop("reasoning_effort", f"{draft.name} does not accept it")
        return
    wanted, reason = _wanted_effort(draft, given)
    if not target.efforts or wanted is None:
        return
    value = _nearest(wanted, target.efforts)
    if value == (target.default_effort if given is None else given):
        return
    if given is None and wanted == "none" and value != "none":
        return  # the model cannot work without reasoning, so its default remains
    if value != wanted:
        reason = f"{draft.name} accepts {', '.join(target.efforts)}"
    draft.put("reasoning_effort", value, reason)


def _wanted_effort(draft: Draft, given: str | None) -> tuple[str | None, str]:
    """Return the effort that keeps the request equivalent (None: the default), and the reason."""
    source, target = draft.source, draft.target
    if _needs_no_reasoning(draft) and "none" in target.efforts:
        return "none", (
            f"on Chat Completions {draft.name} calls functions only without reasoning"
        )
    if given is not None or source is None:
        return given, ""
    if not source.reasoning():
        return "none", (
            f"{source.name} answers without reasoning; {draft.name} would reason, which "
            "uses up part of the cap"
        )
    return source.default_effort, (
        f"the default of {source.name}, while {draft.name} defaults to {target.default_effort}"
    )


def parameters(draft: Draft) -> None:
    """Rename or drop parameters that the other model does not accept, or accepts only at their
    default.
    """
    effort = draft.params.get("reasoning_effort")
    for name, value in list(draft.params.items()):
        rule = rules()["parameter"].get(name)
        if rule is None or name == "reasoning_effort":
            continue
        if value is None and name != "max_tokens":
            continue
        how = draft.target.takes(name, effort)
        if how == "yes" or (how == "default" and value == rule.get("default")):
            continue
        instead = rule.get("instead")
        if instead and value is not None and draft.params.get(instead) is None:
            counts = "; hidden reasoning also counts" if draft.reasons else ""
            draft.rename(
                name, instead, f"the name that {draft.name} knows{counts}"
            )
        elif how == "default":
            default = json.dumps(rule["default"])
            reason = f"{draft.name} accepts only the default, {default},"
            if name in draft.target.refused_while_reasoning:
                reason += " while it reasons"
            draft.drop(name, reason)
        else:
            draft.drop(name, f"{draft.name} does not accept it")
    if not draft.params.get("logprobs"):
        draft.drop("top_logprobs", "only allowed with logprobs")
    source = draft.source
    biased = draft.params.get("logit_bias")
    if biased and source and _encoding(source) != _encoding(draft.target):
        draft.drop("logit_bias", f"{draft.name} has different token ids")


def tools(draft: Draft) -> None:
    """Drop function tools if the other model cannot combine them with reasoning, along with the
    parameters that need tools.
    """
    if _needs_no_reasoning(draft) and draft.reasons:
        reason = "which always reasons, cannot call functions"
        draft.drop("tools", f"on Chat Completions {draft.name}, {reason}")
    if not draft.params.get("tools"):
        for name in TOOLS[1:]:
            draft.drop(name, "there are no tools left")
    if not draft.params.get("functions"):
        draft.drop("function_call", "there are no functions left")


def formats(draft: Draft) -> None:
    """Adapt response_format and verbosity."""
    wanted = draft.params.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, Mapping) else "json_schema"
    if wanted is not None and kind not in draft.target.formats:
        instead = "describe the form in the prompt, and check the reply"
        draft.drop(
            "response_format",
            f"{draft.name} does not support {kind}: {instead}",
        )
    values = draft.target.verbosities
    if values and draft.params.get("verbosity") not in (None, *values):
        draft.drop("verbosity", f"{draft.name} accepts {', '.join(values)}")


def limits(draft: Draft) -> None:
    """Lower numbers that are higher than the other model allows."""
    target = draft.target
    most = {"n": target.choices, "top_logprobs": target.top_logprobs}
    for name, limit in most.items():
        if (draft.params.get(name) or 0) > limit:
            draft.put(name, limit, f"the maximum for {draft.name}")
    for name in CAPS:
        cap = draft.params.get(name)
        if cap is None:
            continue
        if target.output is not None and cap > target.output:
            cap = target.output
            draft.put(name, cap, f"the longest reply of {draft.name}")
        if target.context is None or target.input is not None:
            continue
        sent = {key: plain(value) for key, value in draft.params.items()}
        free = target.context - function_tokens(sent, target.name)
        room = free - prompt_tokens(sent["messages"], target.name, free - cap)
        if 0 < room < cap:
            context = f"{target.context:,} tokens for prompt and reply together"
            draft.put(name, room, f"{draft.name} has a context of {context}")


def _nearest(effort: str, efforts: tuple[str, ...]) -> str:
    """Return the nearest of a model's efforts; if two are equally near, the higher one."""
    place = EFFORTS.index(effort if effort in EFFORTS else "medium")
    most_first = sorted(efforts, key=EFFORTS.index, reverse=True)
    return min(most_first, key=lambda each: abs(EFFORTS.index(each) - place))


def _needs_no_reasoning(draft: Draft) -> bool:
    """Return whether the other model can call the request's functions only without reasoning."""
    tools = draft.params.get("tools") or ()
    functions = any(tool.get("type") == "function" for tool in tools)
    return functions and not draft.target.tools_while_reasoning


def _encoding(model: Model) -> str | None:
    try:
        return encoding_of(model.name)
    except ValueError:  # not known
        return None
