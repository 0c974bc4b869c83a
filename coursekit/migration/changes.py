"""What migrate() returns: the parameters for another model, and each change that it took, with its
reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..models import Model
from ..offline.exchange import JsonDict


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that had to be different: ``kind`` is "renamed", "dropped", "changed" or "added".

    parameter  its name; a path for a part of one, "messages[0].role"
    before     its value in the request; None if it was added
    after      its value for the other model (the new name, where it was renamed); None if it was
               dropped
    """

    kind: str
    parameter: str
    before: Any
    after: Any
    reason: str

    def __str__(self) -> str:
        what = {
            "renamed": f"{self.parameter} -> {self.after}",
            "dropped": f"{self.parameter}={_short(self.before)}",
            "changed": f"{self.parameter}={_short(self.before)} -> {_short(self.after)}",
            "added": f"{self.parameter}={_short(self.after)}",
        }[self.kind]
        return f"{self.kind}: {what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Migration:
    """The parameters for the other model, and the changes that it took, in the order in which they
    were made.
    """

    params: JsonDict
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        return (
            "\n".join(map(str, self.changes))
            or "nothing to change but the model"
        )


@dataclass(slots=True)
class Draft:
    """The request on its way; ``source`` is None if it names no model that is known."""

    params: JsonDict
    source: Model | None
    target: Model
    changes: list[Change] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def reasons(self) -> bool:
        return self.target.reasoning(self.params.get("reasoning_effort"))

    def drop(self, parameter: str, reason: str) -> None:
        if parameter in self.params:
            self.changes.append(
                Change(
                    "dropped",
                    parameter,
                    self.params.pop(parameter),
                    None,
                    reason,
                )
            )

    def put(self, parameter: str, value: Any, reason: str) -> None:
        kind = "added" if self.params.get(parameter) is None else "changed"
        self.changes.append(
            Change(kind, parameter, self.params.get(parameter), value, reason)
        )
        self.params[parameter] = value

    def rename(self, parameter: str, to: str, reason: str) -> None:
        value = self.params.pop(parameter)
        self.params[to] = value
        self.changes.append(Change("renamed", parameter, value, to, reason))


def plain(value: Any) -> Any:
    """A value as sent: the SDK's message objects as dicts."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    dump = getattr(value, "model_dump", None)
    return (
        dump(exclude_none=True)
        if dump and not isinstance(value, type)
        else value
    )


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
