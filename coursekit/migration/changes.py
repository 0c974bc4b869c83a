"""What migrate() returns: the parameters for another model, and each change with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..models import Model
from ..offline.exchange import JsonDict


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a request; ``kind`` is "renamed", "dropped", "changed", or "added".

    parameter  the parameter's name; for a part of one, its path: "messages[0].role"
    before     the value in the request; None if the parameter was added
    after      the value for the other model (or the new name of a renamed parameter); None if the
               parameter was dropped
    """

    kind: str
    parameter: str
    before: Any
    after: Any
    reason: str

    def __str__(self) -> str:
        before, after = _short(self.before), _short(self.after)
        what = {
            "renamed": f" -> {self.after}",
            "dropped": f"={before}",
            "changed": f"={before} -> {after}",
            "added": f"={after}",
        }[self.kind]
        return f"{self.kind}: {self.parameter}{what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Migration:
    """The parameters for the other model, and the changes in the order in which they were made."""

    params: JsonDict
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        return (
            "\n".join(map(str, self.changes))
            or "nothing to change except the model"
        )


@dataclass(slots=True)
class Draft:
    """The request while it is being changed; ``source`` is None if its model is unknown."""

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

    def note(self, *change: Any) -> None:
        """Add a Change with these fields."""
        self.changes.append(Change(*change))

    def drop(self, parameter: str, reason: str) -> None:
        if parameter in self.params:
            before = self.params.pop(parameter)
            self.note("dropped", parameter, before, None, reason)

    def put(self, parameter: str, value: Any, reason: str) -> None:
        before = self.params.get(parameter)
        kind = "added" if before is None else "changed"
        self.note(kind, parameter, before, value, reason)
        self.params[parameter] = value

    def rename(self, parameter: str, to: str, reason: str) -> None:
        before = self.params.pop(parameter)
        self.note("renamed", parameter, before, to, reason)
        self.params[to] = before


def plain(value: Any) -> Any:
    """Return a value as it is sent, with the SDK's message objects as dicts."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    dump = getattr(value, "model_dump", None)
    if dump is None or isinstance(value, type):
        return value
    return dump(exclude_none=True)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
