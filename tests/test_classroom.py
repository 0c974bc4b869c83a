"""A learner in a class: join(), connect() in a class, and leave(), none of which can spend
money.
"""

from __future__ import annotations

import builtins
import getpass
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from coursekit import (
    Meter,
    connect,
    connect_async,
    join,
    leave,
    lower_hand,
    progress,
    raise_hand,
)
from coursekit.classroom import CannotJoin, chapter_here, share
from coursekit.membership import Membership, membership, server_of
from coursekit.offline import Fault
from coursekit.offline.server.roll import SavedClass
from coursekit.settings import ModeError
from coursekit.wired import wired_to
from coursekit.workshop.commands.doctor import checks
from support.offline_api import folder_with, params, streamed, whole
from support.served import Served, served
from support.waiting import until

TOKEN = "opens-the-class"


@pytest.fixture(autouse=True)
def learner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A learner's machine after setup. Returns the path of the membership file."""
    for name in (
        "COURSEKIT_MODE",
        "OPENAI_API_KEY",
        "JPY_SESSION_NAME",
        "JUPYTERHUB_USER",
    ):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "home" / "membership.json"
    monkeypatch.setenv("COURSEKIT_MEMBERSHIP", str(path))
    return path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Served]:
    folder_with(
        tmp_path,
        (params(), whole("Paris.")),
        (params(stream=True), streamed(["Par", "is."])),
    )
    with served(tmp_path, saved=SavedClass()) as server:
        yield server


def told(server: Served, name: str = "Ada") -> dict[str, object]:
    return dict(server.admin("GET", f"/admin/learners/{name}").json())


def test_from_joining_to_leaving(running: Served) -> None:
    """After join(), a plain connect() uses the class server, and receipts and the meter say so.
    After leave(), it no longer does.
    """
    joined = join("Ada", running.url)
    assert (joined.name, joined.share) == (
        "Ada",
        False,
    ) and joined.key not in repr(joined)
    with connect() as client:
        meter = Meter(client)
        receipt = meter.add(client.chat.completions.create(**params()))
        assert receipt.origin == "class · written" and receipt.price is not None
        assert repr(meter).startswith(
            "class mode: the class server answers, nothing is spent"
        )
        assert [
            chunk.choices[0].delta.content
            for chunk in client.chat.completions.create(**params(), stream=True)
            if chunk.choices and chunk.choices[0].delta.content
        ] == ["Par", "is."]
    assert told(running)["statuses"] == {"200": 2}
    assert (
        leave() == f"You have left the class at {running.url}."
        and leave() == "You are not in a class."
    )
    assert repr(Meter(connect())).startswith("replay mode")


async def test_async(running: Served) -> None:
    """connect_async() also uses the class server."""
    join("Ada", running.url)
    async with connect_async() as client:
        reply = await client.chat.completions.create(**params())
        assert Meter(client).add(reply).origin == "class · written"


def test_what_stays_in_process(
    running: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If you request replay, faults, limits, a speed, or your own recordings, requests are still
    answered in process.
    """
    join("Ada", running.url)
    for options in (
        {"mode": "replay"},
        {"faults": Fault("slow")},
        {"rate_limit": {"rpm": 3}},
        {"speed": "instant"},
        {"recordings": tmp_path},
        {"base_url": "http://127.0.0.1:9"},
        {"api_key": "sk-other"},
    ):
        client = connect(**options)  # type: ignore[arg-type]
        assert wired_to(client).journal.mode == "replay", options
    monkeypatch.setenv("COURSEKIT_MODE", "live")
    with pytest.raises(Exception, match="no API key"):
        connect()


def test_a_paying_key_is_never_sent(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a class, the learner's own OPENAI_API_KEY is never sent. A key that was not made by a
    class server is refused before it is sent.
    """
    monkeypatch.setenv("OPENAI_API_KEY", "sk-costs-money")
    join("Ada", running.url)
    with connect() as client:
        assert (
            client.api_key.startswith("ck-class-")
            and str(client.base_url) == f"{running.url}/v1/"
        )
    monkeypatch.setenv("COURSEKIT_BASE_URL", running.url)
    monkeypatch.setenv("COURSEKIT_CLASS_KEY", "sk-costs-money")
    with pytest.raises(ModeError, match="Nothing was sent") as refused:
        connect()
    assert "sk-costs-money" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "api.openai.com",
        "ftp://room",
        "http://",
        "",
        "   ",
    ],
)
def test_what_is_no_class_server(url: str) -> None:
    """It is not possible to join the real API or something that is not an address, and nothing is
    sent.
    """
    with pytest.raises(
        (ModeError, CannotJoin),
        match=r"not the address of a class server|class server's address",
    ):
        join("Ada", url)


def test_addresses() -> None:
    """An address may have /v1 or a slash at the end, and need not have http://."""
    for address in (
        "10.0.0.5:8000",
        "http://10.0.0.5:8000/",
        " http://10.0.0.5:8000/v1",
        "http://10.0.0.5:8000/v1/",
    ):
        assert server_of(address) == "http://10.0.0.5:8000"
    assert (
        server_of("https://class.example/room/v1")
        == "https://class.example/room"
    )


def test_joining_again(running: Served, learner: Path) -> None:
    """Joining again on the same server keeps the name and the key, unless the server no longer
    knows the key.
    """
    first = join("Ada", running.url)
    assert (
        join("Ada", running.url)
        == first
        == join(url=running.url)
        == membership()
    )
    assert (
        f"at {running.url} as Ada." in str(first)
        and first.key not in f"{first} {first!r}"
    )
    if sys.platform != "win32":
        assert learner.stat().st_mode & 0o777 == 0o600
    learner.write_text(
        learner.read_text().replace(first.key, "ck-class-" + "0" * 40)
    )
    assert join("Ada", running.url).name == "Ada 2"
    learner.write_text("damaged")
    assert membership() is None and join("Ada", running.url).name == "Ada 3"


def test_names_of_a_hub(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing name or address is read from the environment. If it is not there, the error says
    what is missing.
    """
    with pytest.raises(CannotJoin, match="address"):
        join("Ada")
    monkeypatch.setenv("COURSEKIT_BASE_URL", f"{running.url}/v1")
    with pytest.raises(CannotJoin, match="a name"):
        join()
    # an address alone is not a class yet
    assert repr(Meter(connect())).startswith("replay mode")
    monkeypatch.setenv("JUPYTERHUB_USER", "grace")
    assert join().name == "grace" and repr(Meter(connect())).startswith(
        "class mode"
    )


def test_a_key_of_the_environment(
    running: Served, monkeypatch: pytest.MonkeyPatch, learner: Path
) -> None:
    """If a hub has joined for the learner, the address and the key in the environment are enough,
    without a file.
    """
    key = running.admin("POST", "/admin/learners", {"name": "grace"}).json()[
        "key"
    ]
    monkeypatch.setenv("COURSEKIT_BASE_URL", f"{running.url}/v1")
    monkeypatch.setenv("COURSEKIT_CLASS_KEY", key)
    with connect() as client:
        client.chat.completions.create(**params())
    assert told(running, "grace")["requests"] == 1 and not learner.exists()
    assert membership() == Membership(running.url, key)
    assert "COURSEKIT_CLASS_KEY is set" in leave()


@pytest.mark.parametrize("teacher", ["yes", "no"])
@pytest.mark.parametrize("share", [True, False])
def test_on_a_hub_the_learner_has_the_last_word_on_sharing(
    running: Served, monkeypatch: pytest.MonkeyPatch, teacher: str, share: bool
) -> None:
    """A hub sets the key and the teacher's choice about sharing, and join(share=…) overrides that
    choice at any time.
    """
    key = running.admin("POST", "/admin/learners", {"name": "bo"}).json()["key"]
    monkeypatch.setenv("COURSEKIT_BASE_URL", f"{running.url}/v1")
    monkeypatch.setenv("COURSEKIT_CLASS_KEY", key)
    monkeypatch.setenv("COURSEKIT_CLASS_SHARE", teacher)
    joined = membership()
    assert joined is not None and joined.share is (teacher == "yes")
    join(share=share)
    again = membership()
    assert again is not None and (again.key, again.share) == (key, share)


def test_another_address_goes_before_what_was_joined(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A membership in one class does not count while the settings name another server."""
    join("Ada", running.url)
    monkeypatch.setenv("COURSEKIT_BASE_URL", "http://127.0.0.1:9/v1")
    assert membership() is None


def test_the_access_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The access token is taken from the settings. Otherwise the learner is asked for it, and
    if that is not possible, the error says where to put it.
    """
    with served(tmp_path, saved=SavedClass(), access_token=TOKEN) as server:
        monkeypatch.setattr(getpass, "getpass", lambda prompt: TOKEN)
        assert join("Ada", server.url).name == "Ada"
        leave()

        def nobody(prompt: str) -> str:
            raise EOFError

        monkeypatch.setattr(getpass, "getpass", nobody)
        with pytest.raises(CannotJoin, match="COURSEKIT_ACCESS_TOKEN"):
            join("Bob", server.url)
        monkeypatch.setattr(getpass, "getpass", lambda prompt: "wrong")
        with pytest.raises(CannotJoin, match="access token"):
            join("Bob", server.url)
        monkeypatch.setenv("COURSEKIT_ACCESS_TOKEN", TOKEN)
        monkeypatch.setattr(builtins, "input", nobody)
        assert join("Bob", server.url).name == "Bob"


def test_a_name_that_is_none(running: Served) -> None:
    """What the server says about a name reaches the learner."""
    with pytest.raises(CannotJoin, match="1 to 40 characters"):
        join("x" * 41, running.url)


def test_nobody_there(tmp_path: Path) -> None:
    """If a server does not answer, or is not a class server, the error says what to do."""
    with pytest.raises(
        CannotJoin,
        match=r"No class server answers(.|\n)*replay still works offline",
    ):
        join("Ada", "http://127.0.0.1:9")
    with (
        served(tmp_path) as server,
        pytest.raises(CannotJoin, match="not a class server"),
    ):
        join("Ada", server.url)


def test_nothing_is_shared_unasked(
    running: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without share=True, neither the chapter nor the passed exercises leave the machine."""
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/03_multi_turn.ipynb")
    monkeypatch.setenv("COURSEKIT_PROGRESS", str(tmp_path / "progress.json"))
    join("Ada", running.url)
    assert share() is None
    connect().close()
    progress.passed_now("01_basics", "reply_text")
    assert (told(running)["chapter"], told(running)["passed"]) == ("", {})


def test_sharing(
    running: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With share=True, the teacher sees which chapter is open and which exercises are passed, until
    the learner joins again without it.
    """
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/03_multi_turn.ipynb")
    monkeypatch.setenv("COURSEKIT_PROGRESS", str(tmp_path / "progress.json"))
    join("Ada", running.url, share=True)
    assert told(running)["chapter"] == "03_multi_turn"
    monkeypatch.setenv("JPY_SESSION_NAME", "exercises/04_streaming.ipynb")
    connect().close()
    _wait_until(lambda: told(running)["chapter"] == "04_streaming")
    progress.passed_now("01_basics", "reply_text")
    progress.passed_now("01_basics", "prompt_tokens")
    _wait_until(lambda: told(running)["passed"] == {"01_basics": 2})
    join("Ada", running.url)
    assert (told(running)["chapter"], told(running)["passed"]) == ("", {})


def test_a_teacher_who_is_gone_stops_nobody(
    running: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If the server does not answer, sharing fails silently."""
    teller = share(
        {"01_basics": 1},
        Membership("http://127.0.0.1:9", "ck-class-x", share=True),
    )
    assert teller is not None
    teller.join(10)
    assert not teller.is_alive()


def test_which_chapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chapter is that of the kernel's notebook. A learner's own notebook is not a chapter."""
    for notebook, chapter in (
        ("exercises/01_basics.ipynb", "01_basics"),
        ("mine/private.ipynb", ""),
        ("", ""),
    ):
        monkeypatch.setenv("JPY_SESSION_NAME", notebook)
        assert chapter_here() == chapter


def test_the_doctor(running: Served, learner: Path) -> None:
    """The doctor reports the class, and what to do if its server is gone or does not know the
    learner.
    """

    def mode() -> tuple[str, str]:
        return next(
            (check.found, check.cure)
            for check in checks()
            if check.name == "mode"
        )

    assert mode() == ("replay (costs nothing)", "")
    joined = join("Ada", running.url)
    assert mode() == (
        f"replay, by the class server at {running.url} (costs nothing)",
        "",
    )
    kept = learner.read_text()
    learner.write_text(kept.replace(joined.key, "ck-class-x"))
    assert "join() again" in mode()[1]
    learner.write_text(
        json.dumps({**json.loads(kept), "url": "http://127.0.0.1:9"})
    )
    assert "leave()" in mode()[1]


def test_a_miss_is_an_error_of_the_api(running: Served) -> None:
    """A request without a recording returns a 404 that the SDK does not retry, with the same
    message as in process.
    """
    join("Ada", running.url)
    with (
        connect() as client,
        pytest.raises(
            openai.NotFoundError, match="There is no recording for this request"
        ),
    ):
        client.chat.completions.create(**params("unknown"))
    assert told(running)["statuses"] == {"404": 1}


def _wait_until(there: Callable[[], object]) -> None:
    until(there)


# Proxies, accounts


@pytest.mark.parametrize(
    "proxy", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"]
)
def test_a_class_behind_a_proxy(
    running: Served, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Requests to the joined class, or to a server on this machine, bypass every proxy and do not
    contain the organization, the project, or other headers of the learner's own account.
    """
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv(
        proxy,
        "socks5://127.0.0.1:9"
        if proxy == "ALL_PROXY"
        else "http://127.0.0.1:9",
    )
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-my-employer")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Employer: secret")
    join("Ada", running.url)
    with connect(max_retries=0) as client:
        reply = client.chat.completions.with_raw_response.create(**params())
    headers = {
        name.lower(): value
        for name, value in reply.http_request.headers.items()
    }
    assert reply.parse().choices[0].message.content == "Paris."
    assert not {"openai-organization", "openai-project", "x-employer"} & set(
        headers
    )
    # type: ignore[union-attr]
    local = connect(
        "live",
        base_url=f"{running.url}/v1",
        api_key=membership().key,
        max_retries=0,
    )
    with local as client:
        reply = client.chat.completions.with_raw_response.create(**params())
        headers = {
            name.lower(): value
            for name, value in reply.http_request.headers.items()
        }
    assert not {"openai-organization", "openai-project"} & set(headers)
    with (
        connect("live", api_key="sk-mine", organization="org-given")
        if proxy != "ALL_PROXY"
        else local as client
    ):
        assert client.organization == (
            "org-given" if proxy != "ALL_PROXY" else None
        )


async def test_async_behind_a_proxy(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """connect_async() also bypasses the proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-my-employer")
    join("Ada", running.url)
    async with connect_async(max_retries=0) as client:
        assert (await client.chat.completions.create(**params())).choices[
            0
        ].message.content == "Paris."
        assert client.organization is None


def test_the_doctor_on_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor says what a proxy is used for, and what is missing for a SOCKS proxy."""

    def proxies() -> tuple[str, str]:
        return next(
            (check.found, check.cure)
            for check in checks()
            if check.name == "proxies"
        )

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert proxies() == (
        "HTTP_PROXY (for live and record mode; a class and this machine are reached directly)",
        "",
    )
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    assert "socksio" in proxies()[1]


# One learner, one row


def test_who_comes_back_is_the_same_learner(
    running: Served, learner: Path
) -> None:
    """After leave(), joining under the same name gives the same key. Another name is another
    person.
    """
    ada = join("Ada", running.url)
    leave()
    assert membership() is None
    assert join("ada", running.url).key == ada.key
    leave()
    assert join(url=running.url).key == ada.key
    leave()
    assert join("Bo", running.url).name == "Bo"
    join("Bo", running.url)
    learner.unlink()  # another machine
    second = join("Bo", running.url)
    leave()
    assert second.name == "Bo 2" and join("Bo", running.url) == second
    assert [one.name for one in running.room.learners] == ["Ada", "Bo", "Bo 2"]


# Sharing, as the teacher chose


@pytest.fixture
def sharing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """A class that was started with --share."""
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/03_multi_turn.ipynb")
    monkeypatch.setenv("COURSEKIT_PROGRESS", str(tmp_path / "progress.json"))
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, saved=SavedClass(), shares=True) as server:
        yield server


def test_the_teacher_chooses_what_is_shared(sharing: Served) -> None:
    """In a class that shares, joining turns on sharing and says so. A learner can refuse, which
    deletes the shared data.
    """
    joined = join("Ada", sharing.url)
    assert joined.share and "checks you tried and passed" in str(joined)
    assert told(sharing)["chapter"] == "03_multi_turn"
    assert next(
        check.found for check in checks() if check.name == "mode"
    ).endswith("quiz answers are shared)")
    refused = join("Ada", sharing.url, share=False)
    assert not refused.share and "teacher sees" not in str(refused)
    assert (told(sharing)["chapter"], told(sharing)["passed"]) == ("", {})
    assert (
        sharing.admin("POST", "/admin/learners", {"name": "hub"}).json()[
            "share"
        ]
        is True
    )


def test_checks_and_votes(sharing: Served) -> None:
    """Failed checks are counted until the exercise is passed; a quiz answer is a vote that may be
    changed.
    """
    from coursekit.widgets.quiz import Quiz

    join("Ada", sharing.url)
    [ada] = sharing.room.learners
    for _ in range(3):
        progress.failed_now("01_basics", "reply_text")
    _wait_until(lambda: ada.failed == {"01_basics/reply_text": 3})
    progress.passed_now("01_basics", "reply_text")
    _wait_until(lambda: ada.failed == {} and ada.passed == {"01_basics": 1})
    question = Quiz("01").children[0]
    for option in (1, 0):
        question.choice.index = option
        question._judge()
    _wait_until(lambda: ada.votes == {"01_basics/1": 0})


def test_a_raised_hand(running: Served) -> None:
    """A hand goes up with a question and down again, whatever else is shared. Without a class, a
    message says where to join.
    """
    with pytest.raises(CannotJoin, match="not joined a class"):
        raise_hand()
    join("Ada", running.url)
    [ada] = running.room.learners
    assert "lower_hand()" in raise_hand(
        "Why is <b>this</b> empty?\n" + "x" * 300
    )
    assert (
        ada.hand is not None
        and ada.hand.startswith("Why is <b>this</b> empty?xxx")
        and len(ada.hand) <= 200
    )
    lower_hand()
    assert ada.hand is None
