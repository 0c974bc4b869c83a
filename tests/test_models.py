"""models.toml and its reader: facts with sources for every name that the SDK lists, with the SDK's
dates.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path
from typing import get_args

import openai.types.shared.chat_model as sdk
import pytest

from coursekit import models
from coursekit.offline.rules.validation import refusal_of
from coursekit.tokens import RULES

CHAT_MODELS = get_args(sdk.ChatModel)
DAY = datetime.date(2026, 11, 22)


def test_every_chat_model_of_the_sdk_is_known() -> None:
    """Each name in the installed SDK's ChatModel has facts; a new one must be added to the
    table.
    """
    assert [name for name in CHAT_MODELS if not models.known(name)] == []


def test_shutdown_dates_are_those_the_sdk_announces() -> None:
    """The table and the docstring of the installed SDK's ChatModel give the same date for each
    model, or neither gives one.
    """
    text = " ".join(
        Path(sdk.__file__)
        .read_text(encoding="utf-8")
        .split('"""Deprecated values:')[1]
        .split()
    )
    announced = {}
    for names, date in re.findall(
        r'- ((?:"[^"]+",? ?)+): Announced shutdown date: (\d{4}-\d{2}-\d{2})',
        text,
    ):
        announced.update(
            dict.fromkeys(
                re.findall(r'"([^"]+)"', names),
                datetime.date.fromisoformat(date),
            )
        )
    assert len(announced) > 60
    assert {name: models.get(name).shutdown for name in CHAT_MODELS} == {
        name: announced.get(name) for name in CHAT_MODELS
    }


def test_every_fact_has_a_source_and_a_date() -> None:
    """Each entry gives the source of its facts and when they were looked up."""
    for name in models.names():
        assert models.get(name).sources
        for date, source in models.get(name).sources:
            assert isinstance(date, datetime.date)
            assert len(source) > 10


def test_no_entry_is_older_than_the_one_it_changes() -> None:
    """The table is append-only: if there are two entries for a name, the later one in the file has
    the later date.
    """
    document = tomllib.loads(models.TABLE.read_text(encoding="utf-8"))
    last: dict[str, datetime.date] = {}
    for entry in [*document["family"], *document["model"]]:
        for name in entry.get("names") or [entry["name"]]:
            date = entry.get("as_of", document["as_of"])
            assert last.get(name, date) <= date, name
            last[name] = date


def test_no_entry_misspells_a_fact() -> None:
    """Every key in the table is a field of Model, or says which models are meant."""
    document = tomllib.loads(models.TABLE.read_text(encoding="utf-8"))
    known = set(models.Model.__dataclass_fields__) - {"sources"} | {
        "names",
        "like",
        "as_of",
        "source",
    }
    assert [
        key
        for entry in [*document["family"], *document["model"]]
        for key in entry
        if key not in known
    ] == []


def test_a_snapshot_and_a_fine_tuned_name_have_the_facts_of_their_model() -> (
    None
):
    """A dated name, and one that starts with ft:, resolve to the alias."""
    assert models.get("gpt-4o-2024-08-06").name == "gpt-4o"
    assert (
        models.get("ft:gpt-4o-mini-2024-07-18:acme::abc123").name
        == "gpt-4o-mini"
    )
    assert models.get("gpt-4o-2024-05-13").output == 4096


def test_an_answer_names_the_snapshot_behind_an_alias() -> None:
    """For an alias, the API echoes its snapshot. A snapshot, and a model without one, is echoed
    unchanged.
    """
    asked = ("gpt-4o", "gpt-4o-2024-11-20", "o3", "gpt-5.6-sol")
    assert [models.echoed(name) for name in asked] == [
        "gpt-4o-2024-08-06",
        "gpt-4o-2024-11-20",
        "o3-2025-04-16",
        "gpt-5.6-sol",
    ]


def test_an_unknown_name_is_told_the_nearest_ones() -> None:
    """A name that is not in the table raises a LookupError that names similar models."""
    assert not models.known("gpt-4o-minni")
    with pytest.raises(models.UnknownModel) as told:
        models.get("gpt-4o-minni")
    assert str(told.value).startswith(
        "There is no model 'gpt-4o-minni' in coursekit's table. Did you mean gpt-4o-mini"
    )
    with pytest.raises(
        LookupError,
        match=r"There is no model 'zzz' in coursekit's table. models.names\(\) lists all models.",
    ):
        models.get("zzz")


def test_the_course_asks_for_models_by_role() -> None:
    """Each role is a chat model in the table. Two of them reason, and two do not."""
    roles = [models.CHAT, models.SMALL, models.REASONING, models.HARDEST]
    assert [models.get(role).reasons for role in roles] == [
        False,
        False,
        True,
        True,
    ]
    assert {models.get(role).endpoint for role in roles} == {"chat"}


def test_limits_of_the_course_models() -> None:
    """Context and output limits are those on the models' pages."""
    limits = {
        name: (models.get(name).context, models.get(name).output)
        for name in ("gpt-4o", "o3", "gpt-6-luna")
    }
    assert limits == {
        "gpt-4o": (128_000, 16_384),
        "o3": (200_000, 100_000),
        "gpt-6-luna": (1_050_000, 128_000),
    }


@pytest.mark.parametrize(
    ("name", "efforts"),
    [
        ("gpt-6.1-terra", "none low medium high xhigh max"),
        ("gpt-6.1-sol", "low medium high xhigh max"),
    ],
)
def test_the_successors_named_since_november(name: str, efforts: str) -> None:
    """GPT-6.1 is available in Chat Completions, has a context window of 1,050,000 tokens, and uses
    the effort medium by default.
    """
    model = models.get(name)
    assert (model.endpoint, model.context, model.input, model.output) == (
        "chat",
        1_050_000,
        922_000,
        128_000,
    )
    assert (" ".join(model.efforts), model.default_effort) == (
        efforts,
        "medium",
    )


def test_successors_are_those_of_the_deprecations_page() -> None:
    """The shutdown dates are those on OpenAI's deprecations page as of 2026-11-29."""
    named = {
        name: models.get(name).successor
        for name in ("o3", "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4o")
    }
    assert named == {
        "o3": "gpt-6.1-sol",
        "gpt-5": "gpt-6.1-sol",
        "gpt-5-mini": "gpt-6.1-terra",
        "gpt-5-nano": "gpt-6-luna",
        "gpt-4o": "gpt-6-luna",
    }


def test_each_model_names_a_counting_rule_and_labs_that_there_are() -> None:
    """``counting`` is one of the rules in tokens.py or empty, and ``labs`` are the two that offer
    models.
    """
    assert {model.counting for model in models.every()} == {*RULES, ""}
    assert {lab for model in models.every() for lab in model.labs} == {
        "chooser",
        "token strip",
    }


def test_reasoning_depends_on_the_effort_where_none_is_accepted() -> None:
    """A model that accepts effort none reasons unless none is given or is the default."""
    assert not models.get("gpt-4o").reasoning("high")
    assert models.get("o3").reasoning()
    assert [
        models.get("gpt-6-luna").reasoning(effort)
        for effort in (None, "low", "none")
    ] == [
        True,
        True,
        False,
    ]
    assert [
        models.get("gpt-5.1").reasoning(effort)
        for effort in (None, "low", "none")
    ] == [
        False,
        True,
        False,
    ]


def test_a_model_is_shut_down_from_its_date_on() -> None:
    """On the announced date, a model no longer answers. A model without a date always does."""
    o3 = models.get("o3")
    assert [
        o3.is_shut_down(datetime.date(2026, 12, day)) for day in (10, 11)
    ] == [
        False,
        True,
    ]
    assert not models.get("gpt-6-luna").is_shut_down(datetime.date(2099, 1, 1))


def test_a_dead_model_is_replaced_by_a_successor_that_answers() -> None:
    """Until its shutdown date, a model is its own replacement. After that, the replacement is its
    first successor that is available.
    """
    assert models.replacement("gpt-4o", DAY) == "gpt-4o"
    assert models.replacement("o4-mini", DAY) == "gpt-5.6-terra"
    for role in (models.CHAT, models.SMALL, models.REASONING, models.HARDEST):
        found = models.get(models.replacement(role, datetime.date(2027, 2, 1)))
        assert not found.is_shut_down(datetime.date(2027, 2, 1))


def test_a_dead_model_without_a_known_successor_says_so() -> None:
    """If the table names no replacement, the message says since when the model is shut down and
    what to do.
    """
    with pytest.raises(
        LookupError,
        match="gpt-4-32k was shut down on 2025-06-06, and the table does not name a replacement",
    ):
        models.replacement("gpt-4-32k", DAY)


def test_every_successor_is_a_chat_model_of_the_table() -> None:
    """Every successor has facts and is served by Chat Completions."""
    successors = {models.get(name).successor for name in models.names()} - {
        None
    }
    assert {models.get(name).endpoint for name in successors} == {"chat"}


VALUES = {  # for each parameter, a value that is not the default, and the default if there is one
    "temperature": (0.5, 1),
    "top_p": (0.5, 1),
    "frequency_penalty": (0.5, 0),
    "presence_penalty": (0.5, 0),
    "logprobs": (True, False),
    "logit_bias": ({"1": 5}, {}),
    "stop": (".", None),
    "n": (2, 1),
    "seed": (7, None),
    "max_tokens": (5, None),
    "max_completion_tokens": (5, None),
    "stream": (True, False),
}


@pytest.mark.parametrize("effort", [None, "none"])
@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o",
        "gpt-4o-mini",
        "o4-mini",
        "o3",
        "o3-mini",
        "gpt-5",
        "gpt-5.1",
        "gpt-6-luna",
    ],
)
def test_how_a_model_takes_a_parameter_is_what_the_api_says(
    name: str, effort: str | None
) -> None:
    """takes() returns "yes", "default", or "no" if the offline API accepts any value, only the
    default, or no value.
    """
    model = models.get(name)
    if effort and effort not in model.efforts:
        return
    for parameter, (value, default) in VALUES.items():
        body = {"model": name, "messages": [{"role": "user", "content": "Hi"}]}
        if effort:
            body["reasoning_effort"] = effort
        any_value = refusal_of({**body, parameter: value}) is None
        only_default = (
            default is not None
            and refusal_of({**body, parameter: default}) is None
        )
        expected = "yes" if any_value else "default" if only_default else "no"
        assert model.takes(parameter, effort) == expected, parameter
