"""Which models can do a task, at what cost, how fast, and until when: the selection guide as data,
with a filter.

The guide knows what can be looked up: prices, limits, accepted parameters, announced shutdowns, and
any measured times. It does not know how good an answer is; for that, you need your own test set.
Taught in 08 §1 to §4.
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

# fixed, so that a newer price list does not change stored outputs
PRICES_ON = datetime.date(2026, 11, 22)
# each has a price and a known context window
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
    hidden          reasoning tokens, if the model reasons: an assumption that you should replace
                    with a measurement
    max_cost        US dollars per request; None: any
    max_seconds     until the reply is complete, as measured by the API's servers; None: any
    needs           names from ``NEEDS``
    on              the day on which the model must be available
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
    """What one model costs for a task, how long it takes, and whether it is suitable.

    effort    the model's ``reasoning_effort``: "none" if the task does not need reasoning and the
              model can work without it; None: not given
    cost      US dollars per request
    seconds   the API's own time for the whole reply; None: not measured
    against   the reasons why the model is ruled out, in words; empty: it remains
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
    """Return a judgment of each model: first the models that remain, then the others, both sorted
    by cost.

    A time limit rules out the models whose measured time exceeds it. Models without a measured time
    remain, with ``seconds`` None. Prices are those on ``PRICES_ON``. Raises models.UnknownModel,
    and pricing.NoPrice for a model without a price.
    """
    found = [_judgment(task, models.get(name)) for name in names]
    return sorted(
        found, key=lambda judged: (not judged.remains, judged.cost, judged.name)
    )


def seconds_of(name: str, tokens: int) -> float | None:
    """Return how many seconds the API's servers take for a reply of this many ``tokens``, including
    hidden ones; None: never measured.

    Raises models.UnknownModel.
    """
    latency = models.get(name).latency
    return None if latency is None else latency.seconds(tokens)


def latencies() -> dict[str, models.Latency]:
    """Return the measured times by model. Their source and their fields are described in
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
        effort = "medium"  # it reasons only on request
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
        yield f"holds {model.context:,} tokens in total"
    if written > (model.output or written):
        yield f"writes at most {model.output:,} tokens"
    for need, words in NEEDS.items():
        if need in task.needs and not _meets(need, model, effort):
            # a model that can do this if its reasoning is switched off
            off = model.reasoning(effort) and "none" in model.efforts
            off = off and _meets(need, model, "none")
            yield f"no {words}{' while it reasons' * off}"
    if task.max_cost is not None and cost > task.max_cost:
        yield f"{dollars(cost)} per request"
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


@lru_cache(maxsize=4096)  # a slider repeats the same calls again and again
def _cost(name: str, prompt: int, written: int) -> Decimal:
    return price_of(
        {"prompt_tokens": prompt, "completion_tokens": written}, name, PRICES_ON
    ).total
