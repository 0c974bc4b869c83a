"""Which models can do a task, at what cost, how fast, and until when: the selection guide as data,
and its filter.

It knows what can be looked up: prices, limits, accepted parameters, announced shutdowns, and
measured times, if there are any. It does not know how good an answer is; for that, you need your
own test set. Taught in 08 §1 to §4.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Set
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from . import models
from .pricing import dollars, price_of

# fixed, so that a newer price list changes no stored output
PRICES_ON = datetime.date(2026, 11, 22)
# all with a price and a known context window
CANDIDATES = models.offered_in("chooser")
# What a task may need besides tokens: the name for `Task.needs` -> the name for readers.
NEEDS = {
    "schema": "JSON schema",
    "functions": "function calls",
    "temperature": "temperature",
    "logprobs": "logprobs",
    "stop": "stop sequences",
    "reasoning": "reasoning",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One typical request, and the limits that its answer must meet.

    prompt, reply   tokens in, and visible tokens out
    hidden          reasoning tokens of a model that reasons: an assumption that you should replace
                    by a measurement
    max_cost        US dollars per request; None: any
    max_seconds     until the reply is complete, as the API's servers measure it; None: any
    needs           names from ``NEEDS``
    on              the day on which it must work
    """

    prompt: int = 1000
    reply: int = 300
    hidden: int = 500
    max_cost: Decimal | None = None
    max_seconds: float | None = None
    needs: Set[str] = frozenset()
    on: datetime.date = PRICES_ON

    def __post_init__(self) -> None:
        if unknown := sorted(self.needs - NEEDS.keys()):
            raise ValueError(
                f"A task cannot need {', '.join(unknown)}. Choose from: "
                f"{', '.join(NEEDS)}."
            )


@dataclass(frozen=True, slots=True)
class Judgment:
    """What a task costs and takes with one model.

    effort    its ``reasoning_effort``: "none" if the task does not need reasoning and the model can
              do without; None: not given
    cost      US dollars per request
    seconds   the API's own time for the whole reply; None: not measured
    against   why the model is ruled out, in words; empty: it remains
    """

    model: models.Model
    effort: str | None
    cost: Decimal
    seconds: float | None
    against: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def remains(self) -> bool:
        return not self.against


def judge(task: Task, names: Iterable[str] = CANDIDATES) -> list[Judgment]:
    """Each model with its cost, its time, and what rules it out: first those that remain, then the
    others, each sorted by cost.

    A time limit rules out every model that was measured to be too slow; models that were never
    measured remain, with ``seconds`` None. Prices are those of ``PRICES_ON``. Raises
    models.UnknownModel, and pricing.NoPrice for a model without a price.
    """
    found = [_judgment(task, models.get(name)) for name in names]
    return sorted(
        found, key=lambda judged: (not judged.remains, judged.cost, judged.name)
    )


def seconds_of(name: str, tokens: int) -> float | None:
    """How long the API's servers take for a reply of ``tokens``, hidden ones included; None: never
    measured.

    Raises models.UnknownModel.
    """
    latency = models.get(name).latency
    return None if latency is None else latency.seconds(tokens)


def latencies() -> dict[str, models.Latency]:
    """The measured times, by model. Their source and the meaning of their fields are in
    data/models.toml.
    """
    return {
        model.name: model.latency
        for model in models.every()
        if model.latency is not None
    }


def _judgment(task: Task, model: models.Model) -> Judgment:
    effort = None
    if "none" in model.efforts and "reasoning" not in task.needs:
        effort = "none"
    elif model.reasons and not model.reasoning():
        effort = "medium"  # it reasons only when it is asked to
    written = task.reply + (task.hidden if model.reasoning(effort) else 0)
    cost = _cost(model.name, task.prompt, written)
    seconds = seconds_of(model.name, written)
    against = tuple(_against(task, model, effort, written, cost, seconds))
    return Judgment(model, effort, cost, seconds, against)


def _against(
    task: Task,
    model: models.Model,
    effort: str | None,
    written: int,
    cost: Decimal,
    seconds: float | None,
) -> Iterable[str]:
    if model.shutdown is not None and model.is_shut_down(task.on):
        yield f"shut down since {model.shutdown}"
    if task.prompt > (model.input or model.context or task.prompt):
        yield f"accepts at most {model.input or model.context:,} prompt tokens"
    elif task.prompt + written > (model.context or task.prompt + written):
        yield f"holds {model.context:,} tokens in all"
    if written > (model.output or written):
        yield f"writes at most {model.output:,} tokens"
    for need, words in NEEDS.items():
        if need in task.needs and not _meets(need, model, effort):
            # a model whose reasoning can be switched off, and that can then
            off = model.reasoning(effort) and "none" in model.efforts
            off = off and _meets(need, model, "none")
            yield f"no {words}{' while it reasons' * off}"
    if task.max_cost is not None and cost > task.max_cost:
        yield f"{dollars(cost)} a request"
    limit = math.inf if task.max_seconds is None else task.max_seconds
    if seconds is not None and seconds > limit:
        yield f"takes {seconds:.1f} s"


def _meets(need: str, model: models.Model, effort: str | None) -> bool:
    if need == "schema":
        return "json_schema" in model.formats
    if need == "reasoning":
        return model.reasons
    if need == "functions":
        if model.reasoning(effort) and not model.tools_while_reasoning:
            return False
        need = "tools"
    return model.takes(need, effort) == "yes"


@lru_cache(maxsize=4096)  # a slider asks for the same again and again
def _cost(name: str, prompt: int, written: int) -> Decimal:
    return price_of(
        {"prompt_tokens": prompt, "completion_tokens": written}, name, PRICES_ON
    ).total
