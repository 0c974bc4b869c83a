"""A class server: who joins, with which key, and what survives a restart."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.checks import course_map
from coursekit.checks.course_map import places
from coursekit.offline.server import roll
from coursekit.offline.server.names import NameRefused, plain
from coursekit.offline.server.roll import Roll, SavedClass
from support.offline_api import folder_with, params, whole
from support.served import Served, served

TOKEN = "opens-the-class"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Served]:
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, saved=SavedClass(), places=places()) as server:
        yield server


def join(server: Served, name: object, token: str | None = None) -> str:
    """Join, and return the key."""
    answer = server.admin("POST", "/join", {"name": name}, token)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


def ask(server: Served, key: str) -> str | None:
    return (
        server.client(key)
        .chat.completions.create(**params())
        .choices[0]
        .message.content
    )


def empty(kept: SavedClass) -> Roll:
    return Roll(lambda name, spent: None, kept)  # type: ignore[arg-type, return-value]


def test_a_name_for_a_key(running: Served) -> None:
    """Joining takes a name and returns the name, a key, and the address. The key works for /v1, and
    each learner has their own meter.
    """
    told = running.admin("POST", "/join", {"name": "Ada"}, None).json()
    assert told["name"] == "Ada" and told["base_url"] == f"{running.url}/v1"
    other = join(running, "Bob")
    assert [ask(running, key) for key in (told["key"], told["key"], other)] == [
        "Paris."
    ] * 3
    mine = running.admin("GET", "/me", token=told["key"]).json()
    assert (mine["name"], mine["requests"], mine["statuses"]) == (
        "Ada",
        2,
        {"200": 2},
    )


@pytest.mark.parametrize(
    "key", ["-", "any", "ck-class-" + "0" * 40, TOKEN, f"{TOKEN}-ada"]
)
def test_only_who_has_joined(tmp_path: Path, key: str) -> None:
    """An unknown key, and also the access token, gets the API's 401 and does not create a
    learner.
    """
    with served(tmp_path, saved=SavedClass(), access_token=TOKEN) as server:
        for method, path in (
            ("GET", "/v1/models"),
            ("GET", "/me"),
            ("PUT", "/me"),
        ):
            assert server.admin(method, path, token=key).status_code == 401
        assert list(server.room.learners) == []


def test_the_access_token(tmp_path: Path) -> None:
    """If there is an access token, it is required to join. No token or key is ever logged."""
    with served(tmp_path, saved=SavedClass(), access_token=TOKEN) as server:
        for wrong in (None, "wrong", TOKEN[:-1], TOKEN + "x"):
            refused = server.admin("POST", "/join", {"name": "Ada"}, wrong)
            assert (
                refused.status_code == 401
                and "access token" in refused.json()["error"]["message"]
            )
        key = join(server, "Ada", TOKEN)
        server.admin("GET", "/v1/models", token=key)
        log = server.logged("/v1/models")
        assert "POST /join 201" in log and key not in log and TOKEN not in log


def test_other_sites_do_not_join(running: Served) -> None:
    """A request that another site's page makes a browser send is refused, because it could fill the
    class.
    """
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        answer = running.http.post(
            f"{running.url}/join",
            content='{"name": "Ada"}',
            headers={"origin": origin},
        )
        assert answer.status_code == 403
    assert list(running.room.learners) == []


def test_names_are_unique_or_numbered(running: Served) -> None:
    """A name that is taken, in uppercase or lowercase, gets a number, and each learner has a
    different key.
    """
    keys = [
        join(running, name)
        for name in ("Ada", " ada ", "ADA", "ada 2", "Ünal  Öz")
    ]
    assert [learner.name for learner in running.room.learners] == [
        "Ada",
        "ada 2",
        "ADA 3",
        "ada 2 2",
        "Ünal Öz",
    ]
    assert len(set(keys)) == 5


def test_a_long_name_that_is_taken() -> None:
    """A number fits even after the longest name."""
    names = [
        empty_roll.join("x" * 40).name
        for empty_roll in [empty(SavedClass())]
        for _ in range(12)
    ]
    assert len(set(names)) == 12 and max(map(len, names)) <= 40


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "x" * 41,
        "a\x00b",
        "a\u202eb",
        "\u200b",
        "a\ud800",
        7,
        None,
        ["Ada"],
    ],
)
def test_what_is_no_name(running: Served, name: object) -> None:
    """A name that is empty, too long, or invisible gets a 400 that says why, and the learner has
    not joined.
    """
    answer = running.http.post(
        f"{running.url}/join", content=json.dumps({"name": name})
    )
    assert (
        answer.status_code == 400
        and answer.json()["error"]["code"] == "cannot_join"
    )
    assert list(running.room.learners) == []


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b'"Ada"', b"\xff", b"[" * 100_000]
)
def test_what_is_no_request_to_join(running: Served, raw: bytes) -> None:
    """A body without a name gets an error that says what to send."""
    answer = running.http.post(f"{running.url}/join", content=raw)
    assert (
        answer.status_code == 400
        and '{"name": "Ada"}' in answer.json()["error"]["message"]
    )


@given(
    st.text(
        alphabet=string.ascii_letters + " -<>&'\"äß漢\t\n\u202e\x7f",
        min_size=0,
        max_size=50,
    )
)
def test_a_plain_name_stays(text: str) -> None:
    """A saved name is short, is on one line, has no spaces at its ends, and stays the same when
    it is saved again.
    """
    try:
        name = plain(text)
    except NameRefused:
        return
    assert (
        1 <= len(name) <= 40
        and name == " ".join(name.split()) == plain(name)
        and name.isprintable()
    )


def test_a_key_cannot_be_guessed() -> None:
    """The same names have different keys in another class, because keys are made with the class's
    secret.
    """
    one, other = empty(SavedClass()), empty(SavedClass())
    assert one.key(one.join("Ada")) != other.key(other.join("Ada"))
    assert (
        len(SavedClass().secret) == 64
        and SavedClass().secret != SavedClass().secret
    )


def test_a_class_that_is_full(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class never drops a learner. When it is full, the next one gets a message that says so."""
    monkeypatch.setattr(roll, "MOST", 2)
    keys = [join(running, "Ada") for _ in range(2)]
    answer = running.admin("POST", "/join", {"name": "Bob"}, None)
    assert (
        answer.status_code == 400
        and "full" in answer.json()["error"]["message"]
    )
    assert [ask(running, key) for key in keys] == ["Paris."] * 2


def test_all_of_it_comes_again(tmp_path: Path) -> None:
    """Another server that loads the saved class has its names, keys, meters, and everything that
    was shared.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, saved=SavedClass()) as server:
        keys = [join(server, name) for name in ("Ada", "Bob")]
        assert [ask(server, key) for key in (keys[0], keys[0], keys[1])]
        shared = {"chapter": "01_basics", "passed": {"01_basics": 3}}
        assert server.admin("PUT", "/me", shared, keys[0]).status_code == 200
        before = [server.admin("GET", "/me", token=key).json() for key in keys]
        assert server.room.roll is not None
        told = json.loads(json.dumps(server.room.roll.as_dict()))
    with served(tmp_path, saved=SavedClass.read(told)) as again:
        assert [
            again.admin("GET", "/me", token=key).json() for key in keys
        ] == before
        assert ask(again, keys[1]) == "Paris."
        assert again.admin("GET", "/me", token=keys[1]).json()["requests"] == 2
        assert join(again, "ada") not in keys
    assert (
        before[0]["chapter"] == "01_basics"
        and Decimal(before[0]["dollars"]) > 0
    )


def test_a_budget_is_not_renewed(tmp_path: Path) -> None:
    """What a learner has spent of --spend stays spent after the server restarts."""
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(
        tmp_path, saved=SavedClass(), rate_limit={"spend": 0.00001}
    ) as server:
        key = join(server, "Ada")
        ask(server, key)
        assert server.room.roll is not None
        told = server.room.roll.as_dict()
    with served(
        tmp_path, saved=SavedClass.read(told), rate_limit={"spend": 0.00001}
    ) as again:
        with pytest.raises(openai.RateLimitError, match="quota"):
            ask(again, key)
        assert ask(again, join(again, "Bob")) == "Paris."


@pytest.mark.parametrize(
    "told",
    [
        {},
        [],
        None,
        {"secret": "s", "admin_token": "t"},
        {"secret": "s", "admin_token": "t", "learners": [{}]},
        {
            "secret": "s",
            "admin_token": "t",
            "learners": [{"name": "\x00", "meter": {}, "passed": {}}],
        },
        {
            "secret": "s",
            "admin_token": "t",
            "learners": [
                {
                    "name": "Ada",
                    "passed": {},
                    "chapter": "",
                    "meter": {
                        "statuses": {},
                        "prompt_tokens": 0,
                        "completion_tokens": 0,
                        "dollars": "much",
                    },
                }
            ],
        },
    ],
)
def test_what_is_no_class(told: object) -> None:
    """A saved class that is invalid is refused as a whole."""
    with pytest.raises(ValueError, match=r"."):
        SavedClass.read(told)


@pytest.mark.parametrize(
    "shared",
    [
        [],
        "x",
        {"chapter": "<b>"},
        {"chapter": 3},
        {"passed": {"01_basics": 0}},
        {"passed": {"01_basics": True}},
        {"passed": {"no_such": 1}},
        {"passed": [1]},
        {"passed": {"01_basics": 1e9}},
        {"passed": {"01_basics": "3"}},
        {"failed": {"01_basics/no_such": 1}},
        {"failed": {"01_basics/1": 1}},
        {"votes": {"01_basics/7": 1}},
        {"votes": {"01_basics/reply_text": 1}},
    ],
)
def test_only_chapters_are_shared(running: Served, shared: object) -> None:
    """Learners can share only the course's chapters, and counts. Anything else gets a 400 and
    changes nothing.
    """
    key = join(running, "Ada")
    running.admin("PUT", "/me", {"chapter": "02_parameters"}, key)
    assert running.admin("PUT", "/me", shared, key).status_code == 400
    mine = running.admin("GET", "/me", token=key).json()
    assert (mine["chapter"], mine["passed"]) == ("02_parameters", {})


def test_nobody_has_passed_more_than_there_is(running: Served) -> None:
    """The count that a learner reports is limited to the number of the chapter's exercises."""
    key = join(running, "Ada")
    shared = {"01_basics": 99, "09_capstone": 1, "08_choosing_a_model": 2}
    assert running.admin("PUT", "/me", {"passed": shared}, key).is_success
    assert running.admin("GET", "/me", token=key).json()["passed"] == {
        "01_basics": len(course_map.exercises_of("01_basics")),
        "08_choosing_a_model": 2,
    }


def test_a_hub_joins_its_users(running: Served) -> None:
    """With the admin token, a request for a name's key returns the same key every time. Without the
    token or a class, it is refused.
    """
    first, again = (
        running.admin("POST", "/admin/learners", {"name": "ada"})
        for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (
        201,
        200,
    ) and first.json() == again.json()
    assert ask(running, first.json()["key"]) == "Paris."
    assert (
        running.admin(
            "POST", "/admin/learners", {"name": "ada"}, first.json()["key"]
        ).status_code
        == 401
    )
    assert (
        running.admin("POST", "/admin/learners", {"nom": "ada"}).status_code
        == 400
    )
    assert [learner.name for learner in running.room.learners] == ["ada"]


def test_no_class_no_joining(tmp_path: Path) -> None:
    """A server that is not a class has no /join and no /me, and gives out no keys."""
    with served(tmp_path) as server:
        assert (
            server.admin("POST", "/join", {"name": "Ada"}, None).status_code
            == 404
        )
        assert server.admin("GET", "/me", token="any").status_code == 404
        assert (
            server.admin("POST", "/admin/learners", {"name": "Ada"}).json()[
                "error"
            ]["code"]
            == "no_class"
        )


def test_the_source_is_told(running: Served) -> None:
    """Each answer includes its provenance, for receipts."""
    client = running.client(join(running, "Ada"))
    answer = client.chat.completions.with_raw_response.create(**params())
    assert answer.headers["x-coursekit-source"] == "written"
    with pytest.raises(openai.NotFoundError) as missed:
        client.chat.completions.create(**params("unknown"))
    assert missed.value.response.headers["x-coursekit-source"] == "offline API"
