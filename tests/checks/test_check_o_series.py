"""The answers that the exercises in chapter 07 accept are those that the models accept."""

from __future__ import annotations

from coursekit.checks import o_series
from coursekit.offline.rules.validation import refusal_of


def test_what_migrate_must_return_is_accepted() -> None:
    """The offline API answers each request that the check of migrate() expects."""
    for case in o_series.migrate.cases():
        assert refusal_of(case.expected) is None, case.expected
