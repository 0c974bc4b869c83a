"""The wording of refusals is data: each kind is used, and each has a source and a date."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

import coursekit
from coursekit.offline.faults import KINDS as FAULTS
from coursekit.offline.rules.form import rules
from coursekit.offline.rules.refusals import kinds

SOURCE = Path(coursekit.__file__).parent
CALLS = re.compile(
    r'\b(?:Refused|SchemaFault|refuse|refuse_arguments|failure)\(\s*"(\w+)"'
)
# Kinds that are looked up by another word: a model's endpoint, a fault, an event, or what is too
# long.
LOOKED_UP = {
    "long_input",
    "long_prompt",
    "long_prompt_with_functions",
    "long_request",
    "long_request_with_functions",
    "not_chat",
    "only_responses",
    *FAULTS,
}


def test_every_kind_is_used_and_every_use_is_a_kind() -> None:
    """A misspelled kind fails here, and so does a kind that is no longer used."""
    code = [path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")]
    used = {name for text in code for name in CALLS.findall(text)}
    assert used - set(kinds()) == set(), "write its words: data/refusals.toml"
    assert set(kinds()) - used - LOOKED_UP == set(), (
        "use it (refuse, words), or remove it from data/refusals.toml"
    )


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_has_its_source_and_day(kind: str) -> None:
    """Each refusal has a source with a date that is not in the future, or says that it is
    undated.
    """
    seen = kinds()[kind]["seen"]
    assert seen
    for source, day in seen.items():
        assert source
        if day != "undated":
            today = datetime.datetime.now(datetime.UTC).date()
            assert datetime.date(2023, 1, 1) <= day <= today


@pytest.mark.parametrize("name", rules()["parameter"])
def test_every_rule_of_a_parameter_has_its_source(name: str) -> None:
    """A rule without a source could be made up."""
    assert rules()["parameter"][name]["seen"]


def test_the_other_rules_have_theirs() -> None:
    """The same applies to messages, parts, schemas, and batches."""
    for name, rule in rules().items():
        assert name == "parameter" or rule["seen"], name
