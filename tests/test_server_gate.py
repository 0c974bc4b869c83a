"""How a class server protects itself against misuse: guesses, floods, other people's names, foreign
hosts, and large bodies.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest

from coursekit.offline.server import endpoints
from coursekit.offline.server.hosts import Hosts
from coursekit.offline.server.names import NameRefused, alike, plain
from coursekit.offline.server.roll import SavedClass, spoken_token
from coursekit.offline.server.throttle import (
    GUESSES,
    JOIN_EVERY,
    JOINS,
    Gate,
    Throttle,
    TooMany,
)
from support.offline_api import folder_with, params, streamed, whole
from support.served import ADMIN, Served, served
from support.waiting import HANG

TOKEN = "room-of-today"


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Served]:
    folder_with(
        tmp_path,
        (params(), whole("Paris.")),
        (params(stream=True), streamed(["Par", "is."])),
    )
    with served(tmp_path, saved=SavedClass(), access_token=TOKEN) as server:
        yield server


def join(
    server: Served, name: object, token: str | None = TOKEN
) -> dict[str, str]:
    return dict(server.admin("POST", "/join", {"name": name}, token).json())


# Guesses and floods


def test_a_bucket_for_each_address() -> None:
    """An address may try ``burst`` times immediately, and then once every ``every`` seconds. Other
    addresses are not affected. All addresses of one IPv6 network count as one.
    """
    clock = Hands()
    throttle = Throttle(clock, 3, 2.0)  # type: ignore[arg-type]
    for _ in range(3):
        assert throttle.wait("fd00::1") == 0
        throttle.take("fd00::1")
    assert throttle.wait("fd00::2") == 2.0 and throttle.wait("10.0.0.1") == 0
    clock.time = 1.5
    assert throttle.wait("fd00::1") == 0.5
    clock.time = 2.0
    assert throttle.wait("fd00::1") == 0


def test_guessing_is_slow() -> None:
    """While an address is guessing, a short token from there is refused even if it is right. A
    token that is too long to guess always works, so nobody can lock the teacher out.
    """
    clock = Hands()
    gate = Gate(clock)  # type: ignore[arg-type]
    for number in range(GUESSES):
        assert not gate.is_right("10.0.0.1", f"guess {number}", TOKEN)
    for given in ("another guess", TOKEN):
        with pytest.raises(TooMany, match="Try again in 2 seconds"):
            gate.is_right("10.0.0.1", given, TOKEN)
    assert gate.is_right("10.0.0.2", TOKEN, TOKEN) and gate.is_right(
        "10.0.0.1", ADMIN, ADMIN
    )
    clock.time = 2.0
    assert gate.is_right("10.0.0.1", TOKEN, TOKEN)


@pytest.mark.parametrize(
    "path", ["/join", "/admin/learners", "/console/login", "/v1/models"]
)
def test_guesses_at_every_door(tmp_path: Path, path: str) -> None:
    """Wherever a token is required, too many wrong ones cause a 429 with the time to wait."""
    kept = None if path.startswith("/v1") else SavedClass()
    with served(tmp_path, saved=kept, access_token=TOKEN) as server:
        guesses = server.room.gate.guesses
        guesses.burst, guesses.every = (
            3,
            3600.0,
        )  # none is refilled in the meantime
        method = "GET" if path.startswith("/v1") else "POST"
        statuses = []
        for number in range(6):
            headers = {
                "origin": server.url,
                "authorization": f"Bearer {number}",
            }
            answer = server.http.request(
                method,
                server.url + path,
                headers=headers,
                content=b"token=wrong",
            )
            statuses.append(answer.status_code)
        assert statuses == [401] * 3 + [429] * 3
        assert answer.json()["error"]["code"] == "too_many_attempts"
        assert 3600 - HANG < int(answer.headers["retry-after"]) <= 3600
        assert server.admin("GET", "/admin/learners").status_code == 200


def test_known_keys_are_not_held_up(tmp_path: Path) -> None:
    """Learners who have joined continue while somebody at the same address guesses. A new
    learner has to wait.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, access_token=TOKEN) as server:
        server.room.gate.guesses.burst = 3
        ada = server.client(f"{TOKEN}-ada")
        ada.chat.completions.create(**params())
        for _ in range(5):
            server.admin("GET", "/v1/models", token="wrong")
        assert (
            ada.chat.completions.create(**params()).choices[0].message.content
            == "Paris."
        )
        assert (
            server.admin("GET", "/v1/models", token=f"{TOKEN}-bo").status_code
            == 429
        )


def test_one_address_does_not_fill_the_class(running: Served) -> None:
    """A room with forty learners can join at the same time. Additional learners from there get a
    429 that says when to try again.
    """
    answers = [
        running.admin("POST", "/join", {"name": f"bot {n}"}, TOKEN)
        for n in range(JOINS + 5)
    ]
    assert [answer.status_code for answer in answers[: JOINS + 1]] == [
        201
    ] * JOINS + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= JOIN_EVERY
    # a hub is not delayed
    assert (
        running.admin(
            "POST", "/admin/learners", {"name": "hub-user"}
        ).status_code
        == 201
    )


def test_an_access_token_for_the_board() -> None:
    """The token that a server makes can be read aloud, and is different every time."""
    made = {spoken_token() for _ in range(50)}
    assert len(made) == 50 and all(
        len(token) == 14 and token.replace("-", "").isalpha() for token in made
    )


# Names and keys


def test_a_name_is_not_a_claim(running: Served) -> None:
    """A learner who joins as "bo" before the hub's user bo logs in does not get bo's key or
    files.
    """
    thief = join(running, "bo")
    bo = running.admin("POST", "/admin/learners", {"name": "bo"}).json()
    assert (thief["name"], bo["name"]) == ("bo", "bo 2") and thief["key"] != bo[
        "key"
    ]
    with running.client(bo["key"]) as client:
        client.files.create(
            file=("b.jsonl", b'{"custom_id": "1"}\n'), purpose="batch"
        )
        assert len(list(client.files.list())) == 1
    with running.client(thief["key"]) as client:
        assert list(client.files.list()) == []
    assert running.admin("POST", "/admin/learners", {"name": "bo"}).json() == bo
    assert running.room.roll is not None
    kept = SavedClass.read(json.loads(json.dumps(running.room.roll.as_dict())))
    with served(running.room.recordings.folders[0], saved=kept) as again:
        assert (
            again.admin("POST", "/admin/learners", {"name": "bo"}).json()["key"]
            == bo["key"]
        )


def test_a_class_of_an_older_version(tmp_path: Path) -> None:
    """A class that was saved before keys had IDs keeps its keys, which were made from the names."""
    meter = {
        "statuses": {},
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "dollars": "0",
    }
    told = {
        "secret": "s",
        "admin_token": "t",
        "learners": [
            {"name": "Ada", "meter": meter, "chapter": "", "passed": {}}
        ],
    }
    with served(tmp_path, saved=SavedClass.read(told)) as server:
        key = (
            "ck-class-"
            + hmac.new(b"s", b"Ada", hashlib.sha256).hexdigest()[:40]
        )
        assert server.admin("GET", "/me", token=key).json()["name"] == "Ada"


@pytest.mark.parametrize(
    "name",
    [
        "👩‍👩‍👧‍👦",
        "Ada 🏳️‍🌈",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "👍🏽",
        "می‌خواهم",
        "क्‍ष",
        "\U0001fae9",
        "張偉",
        "O'Neill",
        "Ünal",
        "1️⃣",
    ],
)
def test_what_is_a_name(name: str) -> None:
    """Names that contain joiners (a family emoji, flags, Persian and Hindi words) are valid, and so
    are the newest emoji.
    """
    assert plain(name) == plain(plain(name))


@pytest.mark.parametrize(
    "name",
    [
        "everybody",
        "Everyone",
        "ALL",
        "every\u200dbody",
        "ｅverybody",
        "teacher",
        "nobody",
        "\u200d",
        "a\u200d",
        "\u3164",
        "\u2800",
        "\u0301",
        "a\u2028b\u202c",
        "a\u2066b",
        "\ufeffa",
        "a\x7f",
        "\ue000",
    ],
)
def test_what_is_not_a_name(name: str) -> None:
    """Nobody can have a name that the console uses for something else, in any spelling, or an
    invisible name.
    """
    with pytest.raises(NameRefused):
        plain(name)


def test_names_that_look_alike(running: Served) -> None:
    """Two names that look the same are distinguished by a number."""
    names = [
        join(running, name)["name"]
        for name in ("Ada", "ada", "A\u200dda", "Ａda")
    ]
    assert names == ["Ada", "ada 2", "A\u200dda 3", "Ａda 4"]
    assert len({alike(name) for name in names}) == 4


# Hosts


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("127.0.0.1", True),
        ("localhost:8000", True),
        ("192.168.1.5:8000", True),
        ("[::1]:8000", True),
        ("[fd00::1]", True),
        ("class-server:8000", True),
        ("class-server.jhub.svc.cluster.local", True),
        ("teachers-mac.local", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example:8000", False),
        ("localhost.evil.example", False),
        ("[::1].evil.example", True),
        ("class.school.example", True),
        ("CLASS.school.example.:443", True),
    ],
)
def test_hosts(host: str, answered: bool) -> None:
    """The server answers to numeric addresses, names that no web site can have, and names that the
    teacher chose, but not to a web site's name that was pointed at it.
    """
    assert Hosts("class.school.example").answers(host) is answered


@pytest.mark.parametrize(
    "path",
    [
        "/console",
        "/join",
        "/v1/chat/completions",
        "/v1/models",
        "/healthz",
        "/admin/learners",
    ],
)
def test_a_strange_host_is_told_nothing(running: Served, path: str) -> None:
    """A page that pointed its own name at this machine gets a 421 everywhere, without any
    effect.
    """
    headers = {
        "host": "evil.example",
        "origin": "http://evil.example",
        "authorization": f"Bearer {TOKEN}",
    }
    for method in ("GET", "POST"):
        answer = running.http.request(
            method,
            running.url + path,
            headers=headers,
            content=b'{"name": "Ada"}',
        )
        assert (
            answer.status_code == 421
            and answer.json()["error"]["code"] == "unknown_host"
        )
    assert list(running.room.learners) == []


# One learner who takes too much


def test_big_bodies_are_their_senders_own_trouble(running: Served) -> None:
    """While one learner sends large, slow requests, another learner's requests are answered."""
    rude, ada = (
        join(running, "rude")["key"],
        running.client(join(running, "Ada")["key"]),
    )
    body = json.dumps(
        params("word " * 100_000)
    ).encode()  # 0.5 MB without a recording

    def flood() -> None:
        headers = {
            "authorization": f"Bearer {rude}",
            "content-type": "application/json",
        }
        url = f"{running.url}/v1/chat/completions"
        with httpx2.Client(verify=False, timeout=HANG) as client:
            client.post(url, content=body, headers=headers)

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    answered = 0
    while any(thread.is_alive() for thread in threads):
        with pytest.raises(openai.NotFoundError):
            ada.chat.completions.create(
                **params("a prompt that nobody recorded")
            )
        answered += any(thread.is_alive() for thread in threads)
    assert answered > 0


def test_too_many_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One learner can have a few hundred requests in flight; more get a 429, and others notice
    nothing.
    """
    monkeypatch.setattr(endpoints, "IN_FLIGHT", 2)
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, saved=SavedClass()) as server:
        rude, ada = (server.room.roll.join(name) for name in ("rude", "Ada"))  # type: ignore[union-attr]
        rude.under_way = 2
        keys = [server.room.roll.key(learner) for learner in (rude, ada)]  # type: ignore[union-attr]
        with pytest.raises(openai.RateLimitError, match="2 requests in flight"):
            server.client(keys[0]).chat.completions.create(**params())
        assert server.client(keys[1]).chat.completions.create(**params())
        rude.under_way = 0
