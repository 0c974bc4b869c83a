"""Parameters for a model that takes fewer of them, other values, or smaller numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..models import Model
from ..offline.exchange import Json
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
    """reasoning_effort: unchanged, or the nearest that the other model has."""
    if (
        draft.params.get("reasoning_effort", ...) is None
    ):  # null: not every model takes it
        del draft.params["reasoning_effort"]
    asked, target = draft.params.get("reasoning_effort"), draft.target
    if target.takes("reasoning_effort") != "yes":
        if asked is not None:
            draft.drop("reasoning_effort", f"{draft.name} does not take it")
        return
    if not target.efforts:
        return
    wanted, reason = _wanted_effort(draft, asked)
    if wanted is None:
        return
    value = (
        wanted if wanted in target.efforts else _nearest(wanted, target.efforts)
    )
    if value == asked or (asked is None and value == target.default_effort):
        return
    if asked is None and wanted == "none" and value != "none":
        return  # it cannot do without: then its default
    if value != wanted:
        reason = f"{draft.name} takes {', '.join(target.efforts)}"
    draft.put("reasoning_effort", value, reason)


def _wanted_effort(draft: Draft, asked: str | None) -> tuple[str | None, str]:
    """The effort that keeps the request what it was (None: nothing to say), and why."""
    source, target = draft.source, draft.target
    if (
        _has_functions(draft.params)
        and not target.tools_while_reasoning
        and "none" in target.efforts
    ):
        return (
            "none",
            f"on Chat Completions {draft.name} calls functions only without reasoning",
        )
    if asked is not None or source is None:
        return asked, ""
    if not source.reasoning():
        return (
            "none",
            (
                f"{source.name} answers without reasoning; {draft.name} would reason, at the "
                "cost of "
                "the cap"
            ),
        )
    return (
        source.default_effort,
        f"the default of {source.name}; that of {draft.name} is {target.default_effort}",
    )


def parameters(draft: Draft) -> None:
    """Parameters that the other model does not take, or takes only at their default."""
    effort = draft.params.get("reasoning_effort")
    for name, value in list(draft.params.items()):
        rule = rules()["parameter"].get(name)
        if (
            rule is None
            or name == "reasoning_effort"
            or (value is None and name != "max_tokens")
        ):
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
            while_reasoning = (
                " while it reasons"
                if name in draft.target.refused_while_reasoning
                else ""
            )
            draft.drop(
                name,
                (
                    f"{draft.name} takes only the default, "
                    f"{json.dumps(rule['default'])},{while_reasoning}"
                ),
            )
        else:
            draft.drop(name, f"{draft.name} does not take it")
    if not draft.params.get("logprobs"):
        draft.drop("top_logprobs", "there are none without logprobs")
    if (
        draft.params.get("logit_bias")
        and draft.source
        and _encoding(draft.source) != _encoding(draft.target)
    ):
        draft.drop("logit_bias", f"the token ids of {draft.name} are others")


def tools(draft: Draft) -> None:
    """Function tools beside reasoning; and what goes with tools that are dropped."""
    if (
        _has_functions(draft.params)
        and draft.reasons
        and not draft.target.tools_while_reasoning
    ):
        draft.drop(
            "tools",
            f"on Chat Completions {draft.name}, which always reasons, calls no functions",
        )
    if not draft.params.get("tools"):
        for name in TOOLS[1:]:
            draft.drop(name, "there are no tools left")
    if not draft.params.get("functions"):
        draft.drop("function_call", "there are no functions left")


def formats(draft: Draft) -> None:
    """response_format and verbosity."""
    wanted = draft.params.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, Mapping) else "json_schema"
    if wanted is not None and kind not in draft.target.formats:
        draft.drop(
            "response_format",
            f"{draft.name} has no {kind}: describe the form in the prompt, and check it",
        )
    verbosity, known = draft.params.get("verbosity"), draft.target.verbosities
    if verbosity is not None and known and verbosity not in known:
        draft.drop("verbosity", f"{draft.name} takes {', '.join(known)}")


def limits(draft: Draft) -> None:
    """Numbers that are greater than the other model allows."""
    target = draft.target
    for name, limit in (
        ("n", target.choices),
        ("top_logprobs", target.top_logprobs),
    ):
        if (draft.params.get(name) or 0) > limit:
            draft.put(name, limit, f"the most that {draft.name} gives")
    for name in CAPS:
        cap = draft.params.get(name)
        if (
            cap is not None
            and target.output is not None
            and cap > target.output
        ):
            draft.put(name, target.output, f"the longest reply of {draft.name}")
        cap = draft.params.get(name)
        if (
            cap is not None
            and target.context is not None
            and target.input is None
        ):
            sent = {name: plain(value) for name, value in draft.params.items()}
            free = target.context - function_tokens(sent, target.name)
            room = free - prompt_tokens(
                sent["messages"], target.name, free - cap
            )
            if 0 < room < cap:
                draft.put(
                    name,
                    room,
                    f"{draft.name} holds {target.context:,} tokens, prompt and reply together",
                )


def _nearest(effort: str, efforts: tuple[str, ...]) -> str:
    """The nearest of a model's efforts; of two as near, the one that thinks more."""
    place = (
        EFFORTS.index(effort) if effort in EFFORTS else EFFORTS.index("medium")
    )
    return min(
        efforts,
        key=lambda each: (
            abs(EFFORTS.index(each) - place),
            -EFFORTS.index(each),
        ),
    )


def _has_functions(params: Json) -> bool:
    return any(
        tool.get("type") == "function" for tool in params.get("tools") or ()
    )


def _encoding(model: Model) -> str | None:
    try:
        return encoding_of(model.name)
    except ValueError:  # not known
        return None
