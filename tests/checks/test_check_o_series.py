"""What the exercises of chapter 07 call right is what the models take."""

from __future__ import annotations

from coursekit.checks import o_series
from coursekit.offline.rules.validation import refusal_of


def test_what_migrate_must_return_is_accepted() -> None:
    """Each request that the check of migrate() expects is one that the offline API answers."""
    for case in o_series.migrate.cases():
        assert refusal_of(case.expected) is None, case.expected
