"""What a change in one place requires in another: these tests name each forgotten piece and what to
do. The table in .github/CONTRIBUTING.md lists the other changes and their tests.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from coursekit.course import DATA, lessons
from coursekit.offline import Fault
from coursekit.offline.clock import VirtualClock
from coursekit.offline.exchange import ApiAnswer, Event
from coursekit.offline.faults import KINDS
from coursekit.offline.recordings import Provenance, Recordings, read
from coursekit.offline.transport import OfflineTransport
from support.offline_api import Says, request
from test_server_delivery import Sent

ROOT = Path(__file__).parents[1]
STEMS = [lesson.stem for lesson in lessons()]
SERVERS = [
    server["name"]
    for server in tomllib.loads(
        (DATA / "servers.toml").read_text(encoding="utf-8")
    )["server"]
]


@dataclass(frozen=True)
class Repeated:
    """Names that another place repeats.

    form  how that place writes a name
    todo  what to do if it does not
    """

    names: Iterable[str]
    place: str
    form: str
    todo: str

    def missing(self) -> list[str]:
        text = (ROOT / self.place).read_text(encoding="utf-8").lower()
        return [
            name
            for name in self.names
            if self.form.format(name).lower() not in text
        ]


REPEATED = {
    "a fault in its docstring": Repeated(
        KINDS,
        "coursekit/offline/faults/__init__.py",
        '              "{}" ',
        "Describe the kind in the docstring of Fault.",
    ),
    "a server in connect()": Repeated(
        SERVERS,
        "coursekit/client.py",
        '"{}"',
        "Name it in the docstring of connect(), at fallback.",
    ),
    "a server in .env.example": Repeated(
        SERVERS,
        ".env.example",
        "{}",
        "Name it above COURSEKIT_FALLBACK.",
    ),
    "a server in SERVERS.md": Repeated(
        SERVERS,
        "deploy/SERVERS.md",
        "{}",
        "Say whether the chapters were tried on it: pytest -m servers, or the last paragraph.",
    ),
    "a chapter in SERVERS.md": Repeated(
        STEMS,
        "deploy/SERVERS.md",
        "| {} |",
        "Run pytest -m servers, then tests/support/server_table.py; or add a row: not run.",
    ),
    "a chapter in the glossary": Repeated(
        STEMS,
        "notebooks/glossary.md",
        "]({}.ipynb#",
        "Add the chapter's new terms.",
    ),
}


@pytest.mark.parametrize("name", REPEATED)
def test_a_name_is_also_where_it_is_repeated(name: str) -> None:
    """A new name must be in every place that lists such names."""
    repeated = REPEATED[name]
    assert not repeated.missing(), (
        f"{repeated.place} lacks {', '.join(repeated.missing())}. "
        f"{repeated.todo}"
    )


# A new field of ApiAnswer


class _Upstream:
    """Stands for an answer from another server."""


# Each field with a value that is not its default
OTHER = ApiAnswer(
    status=201,
    headers={"x-request-id": "req_1"},
    body=b"text",
    events=(Event(0.0, b"data: 1\n\n"),),
    after=1.5,
    breaks=True,
    source="local",
    forward=_Upstream(),  # type: ignore[arg-type]
    kind="rate_limited",
)
FIELDS = [each.name for each in fields(ApiAnswer)]
NOT_RECORDED = {
    "source": "a recording's provenance says it",
    "forward": "that server's own answer is recorded, when it is there",
    "kind": "the trace prints it, and nothing else",
}
NOT_SENT = {
    "forward": "server/endpoints.py asks the other server instead",
    "kind": "the trace prints it, and nothing else",
}


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_an_answer_keeps_each_field_with_other_headers(field: str) -> None:
    """with_headers() changes the headers, and nothing else."""
    value = getattr(OTHER, field)
    assert value != getattr(ApiAnswer(), field), (
        f"give OTHER a value of {field} that is not its default"
    )
    changed = OTHER.with_headers(OTHER.headers)
    assert getattr(changed, field) == value, (
        f"ApiAnswer.with_headers() drops {field}: pass it on"
    )


@pytest.mark.parametrize("field", sorted(set(FIELDS) - NOT_RECORDED.keys()))
def test_a_recording_stores_each_field(field: str, tmp_path: Path) -> None:
    """An answer that differs in one field still differs after it was stored and read."""
    value = getattr(OTHER, field)
    answer = replace(ApiAnswer(), **{field: value})
    provenance = Provenance("written", "2026-11-29")
    path = Recordings([tmp_path]).store(request(), answer, provenance)
    assert getattr(read(path)[2], field) == value, (
        f"recordings.py loses {field}: add it to rendered() and _answer(), or to NOT_RECORDED "
        "here, with the reason"
    )


class Watched:
    """An answer that records which of its fields are read."""

    def __init__(self, answer: ApiAnswer) -> None:
        self._answer, self.seen = answer, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.seen.add(name)
        return getattr(self._answer, name)


def in_process(answer: Any) -> None:
    """The answer through the transport."""
    transport = OfflineTransport(Says(answer), VirtualClock())
    with httpx2.Client(transport=transport) as client:
        client.post("https://api.openai.com/v1/chat/completions", json={})


async def on_a_socket(answer: Any) -> None:
    """The answer through the server's entrance, without waiting."""
    await Sent(stretch=0.0).deliver(answer)


@pytest.mark.parametrize("door", ["in process", "on a socket"])
async def test_both_doors_send_each_field(door: str) -> None:
    """Everything in an answer is sent, in process and on a socket."""
    seen: set[str] = set()
    for part in ("body", "events"):
        answer = Watched(replace(ApiAnswer(), **{part: getattr(OTHER, part)}))
        if door == "in process":
            in_process(answer)
        else:
            await on_a_socket(answer)
        seen |= answer.seen
    file = {"in process": "transport.py", "on a socket": "server/delivery.py"}
    unsent = set(FIELDS) - NOT_SENT.keys() - seen
    assert not unsent, (
        f"offline/{file[door]} never reads {', '.join(sorted(unsent))}: send it, or add it to "
        "NOT_SENT here, with the reason"
    )


# A new kind of fault

NOT_ON_THE_CONSOLE = {
    "overloaded": "to a class it is one more server error",
    "timeout": "a class would wait for the SDK's ten minutes",
    "connection": "looks as if the class server were gone",
    "malformed": "looks as if the class server were broken",
    "stream_error": "to a class it is a cut stream with a message",
}


def test_the_console_has_a_button_for_each_fault() -> None:
    """Each kind of fault has a button, or a reason why it does not."""
    page = (DATA / "console" / "console.html").read_text(encoding="utf-8")
    buttons = set(re.findall(r'data-kind="(\w+)"', page))
    assert buttons | NOT_ON_THE_CONSOLE.keys() == set(KINDS), (
        "Add a button to coursekit/data/console/console.html, or the kind to NOT_ON_THE_CONSOLE "
        "here, with the reason."
    )
    for kind in buttons:
        Fault(kind)
