"""Who needs the teacher, as the console shows it, and what a teacher does with the rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from coursekit.offline.server import watching
from coursekit.offline.server.roll import SavedClass
from support.offline_api import (
    error_answers,
    folder_with,
    params,
    streamed,
    whole,
)
from support.served import Served, served
from support.waiting import HANG


@pytest.fixture
def running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    monkeypatch.setattr(watching, "JUDGED", 0.0)
    monkeypatch.setattr(watching, "FRESH", -1.0)
    folder_with(
        tmp_path,
        (params(), whole("Paris.")),
        (params("cut", stream=True), streamed(["Par"], finish_reason=None)),
        *error_answers(params("fail"), 3),
    )
    with served(tmp_path, saved=SavedClass()) as server:
        yield server


def join(server: Served, name: str) -> str:
    return str(
        server.admin("POST", "/join", {"name": name}, None).json()["key"]
    )


def shown(server: Served) -> dict[str, dict[str, Any]]:
    """The console's rows by name, in its order."""
    with httpx2.Client(
        base_url=server.url, headers={"origin": server.url}, timeout=HANG
    ) as teacher:
        teacher.post("/console/login", data={"token": server.room.admin_token})
        with teacher.stream("GET", "/console/events") as answer:
            line = next(
                line
                for line in answer.iter_lines()
                if line.startswith("data: ")
            )
    return {one["name"]: one for one in json.loads(line[6:])["learners"]}


def fail(server: Served, key: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(openai.BadRequestError):
            server.client(key).chat.completions.create(
                model="gpt-4o", messages=[]
            )


def ask(server: Served, key: str) -> None:
    server.client(key).chat.completions.create(**params())


def roll(
    server: Served, do: str, learner: str | None = None, to: object = None
) -> httpx2.Response:
    return server.admin(
        "POST", "/admin/roll", {"do": do, "learner": learner, "to": to}
    )


def test_the_order_of_need(running: Served) -> None:
    """A raised hand goes first, then failing requests, failing checks, habits, and those who are
    fine.
    """
    keys = {
        name: join(running, name)
        for name in ("fine", "habit", "check", "errors", "hand")
    }
    for key in keys.values():
        ask(running, key)
    list(
        running.client(keys["habit"]).chat.completions.create(
            **params("cut"), stream=True
        )
    )
    running.admin(
        "PUT", "/me", {"failed": {"01_basics/reply_text": 3}}, keys["check"]
    )
    fail(running, keys["errors"], 3)
    running.admin("PUT", "/me", {"hand": ""}, keys["hand"])
    rows = shown(running)
    assert list(rows) == ["hand", "errors", "check", "habit", "fine"]
    assert [
        row["reasons"][0]["text"] if row["reasons"] else ""
        for row in rows.values()
    ] == [
        "hand up: no question given",
        "3 requests failed in a row: 400 empty_array",
        "check reply_text failed 3 times in a row (01_basics)",
        "took 1 cut stream for the whole answer",
        "",
    ]
    assert (
        rows["errors"]["last_error"] == "400 empty_array"
        and rows["fine"]["minutes"] == 0
    )


def test_an_answer_ends_a_row_of_errors(running: Served) -> None:
    """Two errors do not mean trouble yet; an answer in between restarts the count."""
    key = join(running, "Ada")
    fail(running, key, 2)
    ask(running, key)
    fail(running, key, 2)
    assert not [
        reason
        for reason in shown(running)["Ada"]["reasons"]
        if reason["kind"] == "errors"
    ]
    fail(running, key, 1)
    assert shown(running)["Ada"]["reasons"][0]["kind"] == "errors"


def test_the_teachers_own_faults_make_nobody_stuck(running: Served) -> None:
    """Errors while a fault is at work are the lesson: nobody is shown as stuck for them."""
    key = join(running, "Ada")
    running.admin("POST", "/admin/faults", {"fault": "server_error"})
    for _ in range(5):
        with pytest.raises(openai.InternalServerError):
            ask(running, key)
    row = shown(running)["Ada"]
    assert row["errors"] == 5 and not [
        reason for reason in row["reasons"] if reason["kind"] == "errors"
    ]


def test_one_row_for_one_person(running: Served, tmp_path: Path) -> None:
    """A renamed learner keeps key and faults; of two merged rows both keys are one learner's, after
    a restart also.
    """
    first, second = join(running, "Ada"), join(running, "ada")
    for key in (first, second):
        ask(running, key)
    running.admin(
        "POST", "/admin/faults", {"fault": "server_error", "learner": "Ada"}
    )
    assert roll(running, "rename", "Ada", "Ada K.").json() == {
        "done": "Ada K. is the new name of Ada."
    }
    with pytest.raises(openai.InternalServerError):
        ask(running, first)
    ask(running, second)
    running.admin("DELETE", "/admin/faults")
    assert roll(running, "merge", "ada 2", "Ada K.").status_code == 200
    assert running.admin("GET", "/me", token=second).json()["statuses"] == {
        "200": 3,
        "500": 1,
    }
    assert running.admin("GET", "/me", token=first).json()["name"] == "Ada K."
    assert running.room.roll is not None
    kept = SavedClass.read(json.loads(json.dumps(running.room.roll.as_dict())))
    with served(tmp_path, saved=kept) as again:
        assert {
            again.admin("GET", "/me", token=key).json()["name"]
            for key in (first, second)
        } == {"Ada K."}


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (("rename", "Ada", "BO"), "already"),
        (("rename", "Ada", ""), "1 to 40"),
        (("rename", "Ada", None), "name"),
        (("rename", "nobody", "x"), "no learner"),
        (("merge", "Ada", "Ada"), "itself"),
        (("merge", "Ada", "x"), "There is no learner 'x'"),
        (("fly", "Ada"), "rename"),
        (("remove", None), "no learner"),
    ],
)
def test_what_cannot_be_done_with_a_row(
    running: Served, order: tuple[Any, ...], told: str
) -> None:
    """A wrong order is a 400 that says why, and changes nothing."""
    join(running, "Ada"), join(running, "Bo")
    answer = roll(running, *order)
    assert (
        answer.status_code == 400 and told in answer.json()["error"]["message"]
    )
    assert [one.name for one in running.room.learners] == ["Ada", "Bo"]


def test_a_class_is_freed_from_the_console(running: Served) -> None:
    """Rows without a request are removed together; learners who did something, and a hub's users,
    stay.
    """
    keys = [join(running, f"bot {number}") for number in range(30)]
    ask(running, keys[7])
    running.admin("POST", "/admin/learners", {"name": "hub-user"})
    assert roll(running, "clear").json() == {
        "done": "29 rows without a request were removed."
    }
    assert [one.name for one in running.room.learners] == ["bot 7", "hub-user"]
    assert running.admin("GET", "/me", token=keys[0]).status_code == 401
    assert roll(running, "remove", "bot 7").status_code == 200
    assert running.admin("GET", "/v1/models", token=keys[7]).status_code == 401


def test_the_roster(running: Served) -> None:
    """The roster is a CSV file for those who are logged in; a name that is a formula for a
    spreadsheet is disarmed.
    """
    for name in ("Zoë", '=HYPERLINK("http://evil.example")', "Ada, the first"):
        ask(running, join(running, name))
    assert (
        running.http.get(f"{running.url}/console/roster.csv").status_code == 401
    )
    with httpx2.Client(
        base_url=running.url, headers={"origin": running.url}, timeout=HANG
    ) as teacher:
        teacher.post("/console/login", data={"token": running.room.admin_token})
        answer = teacher.get("/console/roster.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert "attachment" in answer.headers["content-disposition"]
    assert {row["name"] for row in rows} == {
        "Zoë",
        '\'=HYPERLINK("http://evil.example")',
        "Ada, the first",
    }
    assert {row["requests"] for row in rows} == {"1"}


def test_votes(running: Served) -> None:
    """Quiz answers of all learners are counted by question and option; a changed answer counts
    once.
    """
    ada, bo = join(running, "Ada"), join(running, "Bo")
    for key, option in ((ada, 1), (bo, 2), (ada, 2)):
        running.admin("PUT", "/me", {"votes": {"01_basics/1": option}}, key)
    assert watching.votes(running.room.learners) == {"01_basics/1": {"2": 2}}
    for wrong in (
        {"01_basics/1": "2"},
        {"nowhere/1": 1},
        {"01_basics": 1},
        {"01_basics/1": -1},
        [1],
    ):
        assert (
            running.admin("PUT", "/me", {"votes": wrong}, ada).status_code
            == 400
        )


def test_a_file_that_cannot_be_written_is_on_the_console(
    running: Served,
) -> None:
    """The console says that the class is not saved, and what to do."""
    running.room.trouble = lambda: (
        "The class cannot be saved: No space left on device."
    )
    with httpx2.Client(
        base_url=running.url, headers={"origin": running.url}, timeout=HANG
    ) as teacher:
        teacher.post("/console/login", data={"token": running.room.admin_token})
        with teacher.stream("GET", "/console/events") as answer:
            line = next(
                line
                for line in answer.iter_lines()
                if line.startswith("data: ")
            )
    assert "No space left" in json.loads(line[6:])["trouble"]
