"""The teacher's console over HTTP: who can see it, what it shows, and that only its own page
can change anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from coursekit.course import DATA
from coursekit.offline.server.roll import SavedClass
from support.offline_api import folder_with, params, whole
from support.served import ADMIN, Served, served
from support.waiting import HANG

GUARDED = (
    "/console/console.js",
    "/console/events",
    "/console/faults",
    "/console/faults/1",
)
EVIL = "<img src=x onerror=alert(1)>"


def browser_at(server: Served) -> httpx2.Client:
    """A browser with the console, as HTTP sees it."""
    return httpx2.Client(
        base_url=server.url,
        headers={"origin": server.url},
        timeout=HANG,
        trust_env=False,
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Served]:
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, saved=SavedClass()) as server:
        yield server


@pytest.fixture
def teacher(running: Served) -> Iterator[httpx2.Client]:
    """A browser that has logged in, and sends its Origin."""
    with browser_at(running) as client:
        assert log_in(client).status_code == 303
        yield client


def log_in(
    client: httpx2.Client, token: str = ADMIN, **more: Any
) -> httpx2.Response:
    return client.post("/console/login", data={"token": token}, **more)


def news(client: httpx2.Client) -> dict[str, Any]:
    """What the console receives first."""
    with client.stream("GET", "/console/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        line = next(
            line for line in answer.iter_lines() if line.startswith("data: ")
        )
    return dict(json.loads(line[6:]))


def join(server: Served, name: str) -> str:
    return str(
        server.admin("POST", "/join", {"name": name}, None).json()["key"]
    )


@pytest.mark.parametrize("cookie", [None, "wrong", ADMIN, "é"])
def test_without_the_token_nothing_is_told(
    running: Served, cookie: str | None
) -> None:
    """Without the cookie, everything gets a 401: the page is a form that reveals nothing about the
    class, and the rest is an error.
    """
    key = join(running, EVIL)
    headers = {"origin": running.url, "authorization": f"Bearer {key}"}
    # type: ignore[dict-item]
    headers |= (
        {}
        if cookie is None
        else {"cookie": f"coursekit-console={cookie}".encode("latin-1")}
    )
    page = running.http.get(f"{running.url}/console", headers=headers)
    assert (
        page.status_code == 401
        and page.content == (DATA / "console" / "login.html").read_bytes()
    )
    for path in GUARDED:
        for method in ("GET", "POST", "DELETE"):
            answer = running.http.request(
                method,
                running.url + path,
                headers=headers,
                json={"fault": "slow"},
            )
            assert answer.status_code in (401, 405) and EVIL not in answer.text
    assert running.room.injections.now() == ()


def test_logging_in(running: Served) -> None:
    """The right token sets a cookie that scripts cannot read, that no other site or path gets, and
    that does not contain the token.
    """
    with browser_at(running) as client:
        answer = log_in(client)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/console",
        )
        told = answer.headers["set-cookie"]
        assert {"HttpOnly", "Path=/console", "SameSite=strict"} <= set(
            told.split("; ")
        ) and ADMIN not in told
        page = client.get("/console")
        assert (
            page.status_code == 200
            and page.content == (DATA / "console" / "console.html").read_bytes()
        )
        assert client.get("/console/console.js").status_code == 200
        client.post("/console/logout")
        assert client.get("/console").status_code == 401
    assert ADMIN not in running.logged("/console 401")


@pytest.mark.parametrize("token", ["", "wrong", ADMIN[:-1], "é" * 500, "&&&"])
def test_a_wrong_token(running: Served, token: str) -> None:
    """A wrong token gets a 401 with the form, which says so, and no cookie."""
    with browser_at(running) as client:
        answer = log_in(client, token)
    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    assert '<p role="alert" class="bad">' in answer.text


def test_another_server_with_the_same_token_knows_the_cookie(
    tmp_path: Path,
) -> None:
    """A teacher stays logged in when the server restarts, because the cookie is made from the
    token, which is saved.
    """
    with (
        served(tmp_path, saved=(kept := SavedClass())) as one,
        browser_at(one) as client,
    ):
        cookie = log_in(client).headers["set-cookie"].partition(";")[0]
    with served(tmp_path, saved=kept) as again:
        assert (
            again.http.get(
                f"{again.url}/console", headers={"cookie": cookie}
            ).status_code
            == 200
        )
    with served(tmp_path, saved=kept, admin_token="another-token") as other:
        assert (
            other.http.get(
                f"{other.url}/console", headers={"cookie": cookie}
            ).status_code
            == 401
        )


def test_a_cookie_ends_with_the_logout(
    running: Served, teacher: httpx2.Client
) -> None:
    """After a logout, a copy of the cookie opens nothing on this server or a restarted one, and an
    open stream of updates ends. A request without a login does not log anyone out.
    """
    cookie = {
        "cookie": f"coursekit-console={teacher.cookies['coursekit-console']}"
    }
    with httpx2.Client(headers={"origin": running.url}) as stranger:
        stranger.post(f"{running.url}/console/logout")
    assert (
        running.http.get(f"{running.url}/console", headers=cookie).status_code
        == 200
    )
    with running.http.stream(
        "GET", f"{running.url}/console/events", headers=cookie
    ) as open_stream:
        lines = open_stream.iter_lines()
        next(lines)
        teacher.post("/console/logout")
        list(lines)  # it ends
    assert (
        running.http.get(f"{running.url}/console", headers=cookie).status_code
        == 401
    )
    assert running.room.roll is not None
    with served(
        running.room.recordings.folders[0],
        saved=SavedClass.read(running.room.roll.as_dict()),
    ) as again:
        assert (
            again.http.get(f"{again.url}/console", headers=cookie).status_code
            == 401
        )


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://127.0.0.1:1"]
)
def test_only_its_own_page(
    running: Served, teacher: httpx2.Client, origin: str | None
) -> None:
    """Requests that change something are refused to pages of other origins, with or without the
    cookie, with a 403 and without any change.
    """
    del teacher.headers["origin"]
    headers = {} if origin is None else {"origin": origin}
    asked = [
        teacher.post(
            "/console/faults", json={"fault": "slow"}, headers=headers
        ),
        teacher.delete("/console/faults", headers=headers),
        teacher.post("/console/logout", headers=headers),
        log_in(teacher, headers=headers),
    ]
    assert {answer.status_code for answer in asked} == {403}
    assert (
        running.room.injections.now() == ()
        and teacher.get("/console").status_code == 200
    )


@pytest.mark.parametrize(
    "path", ["/console", "/console/console.js", "/console/console.css"]
)
def test_nothing_from_elsewhere(teacher: httpx2.Client, path: str) -> None:
    """Everything that the console serves forbids foreign and inline scripts, frames, and
    caching.
    """
    headers = teacher.get(path).headers
    assert headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self';"
    )
    assert (
        "unsafe" not in headers["content-security-policy"]
        and headers["x-content-type-options"] == "nosniff"
    )
    assert (
        "frame-ancestors 'none'" in headers["content-security-policy"]
        and headers["cache-control"] == "no-store"
    )


def test_its_files() -> None:
    """The page has no inline script or style and loads only its own files, and its script does not
    turn text into HTML.
    """
    page = (DATA / "console" / "console.html").read_text(encoding="utf-8")
    script = (DATA / "console" / "console.js").read_text(encoding="utf-8")
    assert (
        page.count("<script") == 1
        and "<style" not in page
        and " style=" not in page
        and " on" not in page.split("<body>")[0]
    )
    assert "http" not in page + script and "//" not in page.replace("<!", "")
    for unsafe in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
    ):
        assert unsafe not in script


def test_what_it_tells(running: Served, teacher: httpx2.Client) -> None:
    """The console receives each learner's requests, tokens, cost, errors, and shared data, as well
    as the totals.
    """
    keys = [join(running, name) for name in ("Ada", EVIL)]
    for key in (keys[0], keys[0], keys[1]):
        running.client(key).chat.completions.create(**params())
    with pytest.raises(openai.BadRequestError):
        running.client(keys[1]).chat.completions.create(
            model="gpt-4o", messages=[]
        )
    running.admin(
        "PUT",
        "/me",
        {"chapter": "04_streaming", "passed": {"01_basics": 2}},
        keys[0],
    )
    told = news(teacher)
    ada, evil = told["learners"]
    assert (ada["name"], ada["requests"], ada["errors"], ada["present"]) == (
        "Ada",
        2,
        0,
        True,
    )
    assert (ada["chapter"], ada["passed"]) == ("04_streaming", {"01_basics": 2})
    assert (evil["name"], evil["requests"], evil["errors"]) == (EVIL, 2, 1)
    assert (evil["chapter"], evil["passed"]) == ("", {})
    together = told["together"]
    assert (
        together["learners"],
        together["present"],
        together["requests"],
        together["errors"],
    ) == (2, 2, 4, 1)
    assert (
        together["prompt_tokens"]
        == ada["prompt_tokens"] + evil["prompt_tokens"]
        > 0
    )
    assert keys[0] not in json.dumps(told) and told["faults"] == []


def test_faults_from_the_console(
    running: Served, teacher: httpx2.Client
) -> None:
    """A fault can be started for one learner or for all, is shown with its remaining time, and can
    be stopped.
    """
    key = join(running, EVIL)
    answer = teacher.post(
        "/console/faults",
        json={"fault": "server_error", "seconds": 30, "learner": EVIL},
    )
    assert answer.status_code == 201
    with pytest.raises(openai.InternalServerError):
        running.client(key).chat.completions.create(**params())
    assert running.client(join(running, "Ada")).chat.completions.create(
        **params()
    )
    shown = news(teacher)["faults"]
    assert [(fault["learner"], fault["fault"]["kind"]) for fault in shown] == [
        (EVIL, "server_error")
    ]
    assert 25 < shown[0]["seconds_left"] <= 30
    assert (
        teacher.delete(f"/console/faults/{shown[0]['number']}").status_code
        == 200
    )
    assert running.client(key).chat.completions.create(**params())
    assert (
        teacher.post(
            "/console/faults", json={"fault": "slow", "learner": "nobody"}
        ).status_code
        == 400
    )


def test_a_learner_who_has_not_come_is_away(
    running: Served, teacher: httpx2.Client
) -> None:
    """A learner who has joined but sent no request is listed as away."""
    join(running, "Ada")
    told = news(teacher)
    assert [one["present"] for one in told["learners"]] == [False] and told[
        "together"
    ]["present"] == 0


def test_an_open_room_has_a_console_too(tmp_path: Path) -> None:
    """A server that is not a class shows its learners by number. A server without an admin token
    has no console.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    with (
        served(tmp_path) as server,
        browser_at(server) as client,
    ):
        server.client("k").chat.completions.create(**params())
        log_in(client)
        assert [one["name"] for one in news(client)["learners"]] == [
            "learner-1"
        ]
    with served(tmp_path, admin_token=None) as server:
        assert server.http.get(f"{server.url}/console").status_code == 404


def test_the_page_shows_what_the_server_sends(
    running: Served, teacher: httpx2.Client
) -> None:
    """Each field that the page reads is in the server's updates, and each element that its script
    looks for is on the page.
    """
    join(running, "Ada")
    sent = news(teacher)
    page = (DATA / "console" / "console.html").read_text(encoding="utf-8")
    script = (DATA / "console" / "console.js").read_text(encoding="utf-8")
    show = script[script.index("function show(") :].partition("\n}\n")[0]
    wanted = {
        "news": (re.findall(r"\btold\.(\w+)", show), sent),
        "learner": (re.findall(r"\bone\.(\w+)", script), sent["learners"][0]),
        "together": (re.findall(r'data-of="(\w+)"', page), sent["together"]),
        "element": (
            re.findall(r'\bby\("([\w-]+)"\)', script),
            re.findall(r'\bid="([\w-]+)"', page),
        ),
    }
    for what, (names, there) in wanted.items():
        missing = set(names) - set(there)
        assert names and not missing, (
            f"{what}: {missing} is in console.js or console.html, and nowhere else. Rename it "
            "there, or send it: offline/server/watching.py"
        )
