"""Models that are shut down: in live mode, roles move on, and models that were shut down are
refused before money is spent. There is also an alarm.
"""

from __future__ import annotations

import datetime
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from coursekit import connect, connect_async, models
from coursekit.settings import ModeError
from coursekit.workshop.authoring.served_models import course_models
from support.loopback import upstream
from support.offline_api import folder_with, params, whole

DECEMBER, FEBRUARY = datetime.date(2026, 12, 12), datetime.date(2027, 2, 1)
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """on(mode, day): these settings are in force, and there is a key."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-sent")

    def set_settings(mode: str, day: str) -> None:
        monkeypatch.setenv("COURSEKIT_MODE", mode)
        monkeypatch.setenv("COURSEKIT_TODAY", day)

    return set_settings


def played() -> list[str]:
    return [models.CHAT, models.SMALL, models.REASONING, models.HARDEST]


@pytest.mark.parametrize("mode", ["replay", "record"])
@pytest.mark.parametrize("day", ["2026-11-23", "2026-12-12", "2027-02-01"])
# type: ignore[no-untyped-def]
def test_roles_stay_where_the_request_finds_its_recording(
    on, mode: str, day: str
) -> None:
    """In replay and record mode, a role is always the recorded model, whatever the date."""
    on(mode, day)
    assert played() == ["gpt-4o", "gpt-4o-mini", "o4-mini", "o3"]


def test_roles_move_on_in_live_mode(on) -> None:  # type: ignore[no-untyped-def]
    """In live mode, a role is the first model in its row that is available on that date."""
    on("live", "2026-10-22")
    assert played() == ["gpt-4o", "gpt-4o-mini", "o4-mini", "o3"]
    on("live", "2026-12-12")
    assert played() == ["gpt-4o", "gpt-4o-mini", "gpt-6.1-terra", "gpt-6.1-sol"]
    on("live", "2027-02-01")
    assert played() == [
        "gpt-5.4",
        "gpt-5.4-mini",
        "gpt-6.1-terra",
        "gpt-6.1-sol",
    ]


def test_live_mode_goes_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without COURSEKIT_TODAY, the date is today."""
    monkeypatch.setenv("COURSEKIT_MODE", "live")
    monkeypatch.delenv("COURSEKIT_TODAY", raising=False)
    today = datetime.datetime.now(datetime.UTC).date()
    assert played() == [
        models.role(name, "live", today) for name in models.ROLES
    ]


def test_a_day_that_is_none_says_so(on) -> None:  # type: ignore[no-untyped-def]
    """An unreadable COURSEKIT_TODAY is refused with the format to use."""
    on("live", "soon")
    with pytest.raises(
        ModeError,
        match="COURSEKIT_TODAY=soon is not a valid date. Write it like 2027-02-01",
    ):
        played()


def test_every_role_can_play_what_its_chapters_show() -> None:
    """A chat model accepts these sampling parameters; a reasoning model thinks unless the effort
    says otherwise.
    """
    document = models._document()["role"]
    assert tuple(document) == models.ROLES
    for role in ("CHAT", "SMALL"):
        for name in document[role][:2]:
            taken = {
                each: models.get(name).takes(each)
                for each in ("temperature", "top_p", "logprobs", "n", "seed")
            }
            assert set(taken.values()) == {"yes"}, (name, taken)
    assert all(
        models.get(name).reasoning()
        for role in ("REASONING", "HARDEST")
        for name in document[role]
    )
    with pytest.raises(
        LookupError,
        match="There is no role 'CHEAP'. The roles are CHAT, SMALL, REASONING, HARDEST.",
    ):
        models.role("CHEAP")


def test_when_the_whole_line_is_gone_their_successor_plays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If all of a role's models were shut down, the role is the replacement of the last one."""
    monkeypatch.setitem(models._document()["role"], "CHAT", ["gpt-4o", "o1"])
    assert models.role("CHAT", "live", FEBRUARY) == "gpt-5.6-sol"
    monkeypatch.setitem(models._document()["role"], "CHAT", ["gpt-4-32k"])
    with pytest.raises(LookupError, match="does not name a replacement"):
        models.role("CHAT", "live", FEBRUARY)


def test_facts_of_a_dead_model_stay_and_its_answers_do_not() -> None:
    """get(name) always returns a model's facts. After the model was shut down, get(name, on=day)
    raises an error that names its successor.
    """
    assert models.get("o3").context == 200_000
    assert models.get("o3", datetime.date(2026, 12, 10)).name == "o3"
    with pytest.raises(models.ModelShutDown) as told:
        models.get("o3", DECEMBER)
    assert (
        str(told.value)
        == "The model 'o3' was shut down on 2026-12-11. Its successor is gpt-6.1-sol."
    )
    with pytest.raises(
        models.ModelShutDown, match="The table lists no available successor"
    ):
        models.get("gpt-4-32k", DECEMBER)


@pytest.mark.parametrize("mode", ["live", "record"])
# type: ignore[no-untyped-def]
def test_a_dead_model_is_refused_before_anything_is_sent(
    on, mode: str, tmp_path: Path
) -> None:
    """Requesting a model that was shut down from the real API raises immediately. The error says
    since when, what replaces the model, and that nothing was spent.
    """
    on(mode, "2026-12-12")
    with (
        connect(recordings=tmp_path) as client,
        pytest.raises(models.ModelShutDown) as told,
    ):
        client.chat.completions.create(model="o4-mini", messages=HELLO)
    assert str(told.value).startswith(
        "The model 'o4-mini' was shut down on 2026-10-23. Its successor is gpt-5.6-terra. "
        "Nothing was sent, and nothing was spent.\nUse "
    )
    assert ("models.REASONING" in str(told.value)) == (mode == "live")
    assert not list(tmp_path.rglob("*.json"))


async def test_the_async_client_and_streams_refuse_it_too(on) -> None:  # type: ignore[no-untyped-def]
    """So does the async client, and so do a stream, a snapshot's name, and raw responses."""
    on("live", "2027-02-01")
    async with connect_async() as client:
        with pytest.raises(
            models.ModelShutDown,
            match="'gpt-4o-2024-08-06' was shut down on 2027-01-14",
        ):
            await client.chat.completions.create(
                model="gpt-4o-2024-08-06", messages=HELLO, stream=True
            )
        with pytest.raises(models.ModelShutDown):
            await client.chat.completions.with_raw_response.create(
                model="gpt-4o", messages=HELLO
            )


def test_another_server_decides_for_itself(on) -> None:  # type: ignore[no-untyped-def]
    """With another base URL, where models have other shutdown dates, the request is sent."""
    on("live", "2027-02-01")
    answer = whole("Still here.").body
    with (
        upstream(lambda to: to.whole(answer)) as (url, _),
        connect(base_url=url) as client,
    ):
        assert (
            client.chat.completions.create(**params())
            .choices[0]
            .message.content
            == "Still here."
        )


def test_replay_answers_for_the_dead(on, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """In replay mode, a recording answers on any date, even after its model was shut down."""
    on("replay", "2027-02-01")
    client = connect(
        recordings=folder_with(
            tmp_path, (params(model="o1"), whole("Thought about it."))
        )
    )
    assert (
        client.chat.completions.create(**params(model="o1"))
        .choices[0]
        .message.content
        == "Thought about it."
    )


def test_the_doctor_tells_who_plays_and_until_when(on) -> None:  # type: ignore[no-untyped-def]
    """Outside live mode, no server is asked: the doctor shows which model live mode would use, and
    until when.
    """
    env = {"COURSEKIT_MODE": "replay", "COURSEKIT_TODAY": "2026-12-12"}
    assert course_models(env) == (
        (
            "live mode would ask gpt-4o (until 2027-01-14), gpt-4o-mini (until 2027-01-14), "
            "gpt-6.1-terra, gpt-6.1-sol"
        ),
        "",
    )


@pytest.fixture
def listing(on, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """listing(rows) -> what the doctor finds in live mode, on 2026-12-12, when GET /v1/models lists
    these rows.
    """

    def found(*rows: tuple[str, str | None]) -> tuple[str, str]:
        on("live", "2026-12-12")
        fixed = {"object": "model", "created": 0, "owned_by": "x"}
        data = [
            {"id": name, "shutdown_date": end, **fixed} for name, end in rows
        ]
        answer = json.dumps({"object": "list", "data": data}).encode()
        with upstream(lambda to: to.whole(answer)) as (url, _):
            monkeypatch.setenv("OPENAI_BASE_URL", url)
            return course_models(
                {"COURSEKIT_MODE": "live", "COURSEKIT_TODAY": "2026-12-12"}
            )

    return found


ALL = [
    ("gpt-4o", "2027-01-14"),
    ("gpt-4o-mini", None),
    ("gpt-6.1-terra", "2027-09-30"),
    ("gpt-6.1-sol", None),
]


def test_the_doctor_reads_the_models_endpoint(listing) -> None:  # type: ignore[no-untyped-def]
    """In live mode, GET /v1/models says which models are offered and when they end; the table fills
    the gaps.
    """
    found, cure = listing(*ALL)
    assert found == (
        "asks gpt-4o (until 2027-01-14), gpt-4o-mini (until 2027-01-14), gpt-6.1-terra (until "
        "2027-09-30), "
        "gpt-6.1-sol; all offered"
    )
    assert not cure


def test_the_doctor_notices_what_is_not_offered_or_ended_early(listing) -> None:  # type: ignore[no-untyped-def]
    """A model that is missing from the list, or was shut down according to it, is something to
    fix.
    """
    found, cure = listing(*ALL[:2], ALL[3])
    assert (
        found == "the API does not offer gpt-6.1-terra to this key"
        and "models.toml" in cure
    )
    found, cure = listing(*ALL[:3], ("gpt-6.1-sol", "2026-12-01"))
    assert (
        found
        == "shut down, according to the API's own list: gpt-6.1-sol (until 2026-12-01)"
        and "models.toml" in cure
    )


# type: ignore[no-untyped-def]
def test_the_doctor_survives_without_a_network(
    on, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the server does not answer, the doctor says what failed, without showing a key."""
    on("live", "2026-12-12")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    found, cure = course_models({"COURSEKIT_MODE": "live"})
    assert found == "GET /v1/models failed: APIConnectionError" and cure


def leaving(
    on: datetime.date, within: int = 60
) -> dict[str, tuple[str, datetime.date, str | None]]:
    """The roles whose model will be shut down within this number of days: role -> (model, its last
    date, its successor or None).
    """
    found: dict[str, tuple[str, datetime.date, str | None]] = {}
    for name in models.ROLES:
        playing = models.role(name, "live", on)
        end = models.get(playing).shutdown
        if end is not None and end <= on + datetime.timedelta(days=within):
            try:
                found[name] = (playing, end, models.role(name, "live", end))
            except LookupError:
                found[name] = (playing, end, None)
    return found


def test_sixty_days_ahead_a_leaving_model_is_told() -> None:
    """leaving(day) names each role whose model ends within 60 days, the date, and the successor."""
    assert leaving(datetime.date(2026, 9, 1)) == {
        "REASONING": ("o4-mini", datetime.date(2026, 10, 23), "gpt-6.1-terra")
    }
    assert leaving(datetime.date(2026, 11, 23)) == {
        "CHAT": ("gpt-4o", datetime.date(2027, 1, 14), "gpt-5.4"),
        "SMALL": ("gpt-4o-mini", datetime.date(2027, 1, 14), "gpt-5.4-mini"),
        "HARDEST": ("o3", datetime.date(2026, 12, 11), "gpt-6.1-sol"),
    }
    assert leaving(datetime.date(2026, 8, 23)) == {}
    assert leaving(FEBRUARY) == {}


def test_a_role_that_nobody_can_take_over_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the table has no successor, leaving() says None, and the alarm goes off."""
    monkeypatch.setitem(models._document()["role"], "SMALL", ["gpt-5.1"])
    assert leaving(datetime.date(2027, 3, 1)) == {
        "SMALL": ("gpt-5.1", datetime.date(2027, 4, 1), None)
    }


@pytest.mark.alarm
@pytest.mark.filterwarnings("default::UserWarning")
def test_every_role_is_played_for_sixty_days_more() -> None:
    """As of today, a model that will be shut down within 60 days causes a warning, and a role
    without a successor causes a failure.
    """
    found = leaving(datetime.datetime.now(datetime.UTC).date())
    for role, (name, end, follows) in found.items():
        warnings.warn(
            f"models.{role}: {name} is shut down on {end}; {follows} follows",
            stacklevel=1,
        )
    assert [
        role for role, (_, _, follows) in found.items() if follows is None
    ] == []
