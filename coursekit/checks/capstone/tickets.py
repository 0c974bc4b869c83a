"""The 200 tickets, the request for each ticket, and the right answer to it."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ...course import DATA

TWO_QUESTIONS = "Also, "
CASE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One message from a customer. ``id``: "T-001" and so on."""

    id: str
    text: str


def tickets_of(seed: int) -> list[Ticket]:
    """Return all 200 tickets, in an order drawn from this seed. The ids follow that order, so they
    do not reveal the category.
    """
    texts = [
        text for texts in _document()["tickets"].values() for text in texts
    ]
    random.Random(f"capstone/tickets/{seed}").shuffle(texts)
    return [
        Ticket(f"T-{number:03}", text)
        for number, text in enumerate(texts, start=1)
    ]


def messages(ticket: Ticket) -> list[dict[str, str]]:
    """Return the prompt for a ticket: the support team's instructions and the ticket's text. The
    simulated models do not know any other prompt.
    """
    return [
        {"role": "system", "content": instructions()},
        {"role": "user", "content": ticket.text},
    ]


def instructions() -> str:
    """Return the support team's instructions for the model, about 400 tokens."""
    return str(_document()["instructions"]).strip()


def category_of(text: str) -> str:
    """Return the right category for a ticket's text. Raises KeyError for any other ``text``."""
    return _categories()[text]


def answer_to(ticket: Ticket, seed: int) -> str:
    """Return the complete answer to a ticket: category, reply, and a case number that only this
    seed has.
    """
    document, category = _document(), category_of(ticket.text)
    case = "".join(
        random.Random(f"capstone/case/{seed}/{ticket.id}").choices(
            CASE_LETTERS, k=6
        )
    )
    paragraphs = [document["replies"][category]]
    if TWO_QUESTIONS in ticket.text:
        paragraphs.append(document["second_replies"][category])
    return "\n".join([f"Category: {category}", *paragraphs, f"Case {case}"])


@cache
def _document() -> Mapping[str, Any]:
    return tomllib.loads((DATA / "capstone.toml").read_text(encoding="utf-8"))


@cache
def _categories() -> Mapping[str, str]:
    return {
        text: category
        for category, texts in _document()["tickets"].items()
        for text in texts
    }
