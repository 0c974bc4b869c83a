"""The requests that a well-known tutorial prints, verbatim: its readers send them, and must get an
answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ADVISOR = "You are a concise technical advisor."
DESCENT = "Explain gradient descent in 3 sentences."
TOPICS = [f"Summarize topic #{number} in one sentence." for number in range(20)]
SNAIL = (
    "A snail climbs 3 feet up a 10-foot wall each day and slides back 2 feet each night. "
    "How many days to reach the top?"
)
OPENINGS = [
    ("Which database should I use?", "Why not MongoDB?", "Thanks!"),
    (
        "What is a REST API?",
        "Can you give me an example?",
        "When should I use GraphQL instead?",
    ),
    ("Hello", "What can you help me with?"),
    ("Hi", "Should I use Python or JavaScript?"),
    ("My name is Ada.", "What is my name?"),
    ("What is my name?",),
]


def user(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


# name -> (the body, a part of the answer)
SNIPPETS: dict[str, tuple[dict[str, Any], str]] = {
    "anatomy": (
        {
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "What is the capital of France?"},
            ],
            "max_tokens": 100,
            "temperature": 0.0,
        },
        "Paris is the capital of France.",
    ),
    "stream_response": (
        {
            "model": "gpt-4o",
            "messages": user(DESCENT),
            "max_tokens": 500,
            "stream": True,
        },
        "gradient",
    ),
    "count": (
        {"model": "gpt-4o", "messages": user("Count to 5."), "stream": True},
        "1, 2, 3, 4, 5",
    ),
    "robust_completion": (
        {
            "model": "gpt-4o",
            "messages": user("What is the capital of France?"),
            "max_tokens": 500,
        },
        "Paris",
    ),
    "snail": (
        {
            "model": "o4-mini",
            "messages": user(SNAIL),
            "reasoning_effort": "high",
            "max_completion_tokens": 2000,
        },
        "8 days",
    ),
    **{
        f"topic {number}": (
            {
                "model": "gpt-4o-mini",
                "messages": user(prompt),
                "max_tokens": 200,
            },
            f"#{number}",
        )
        for number, prompt in enumerate(TOPICS)
    },
    "chat_session": (
        {
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": ADVISOR},
                *user("Which database should I use?"),
            ],
            "max_tokens": 500,
            "temperature": 0.7,
        },
        "PostgreSQL",
    ),
}


def bodies(folder: Path) -> str:
    """The path of a JSON file with the bodies of all snippets, for other clients' scripts."""
    path = folder / "bodies.json"
    path.write_text(
        json.dumps([body for body, _ in SNIPPETS.values()]), encoding="utf-8"
    )
    return str(path)


def answered(texts: Any) -> bool:
    """Whether these are the answers to ``bodies``."""
    assert isinstance(texts, list), texts
    return all(
        part in text
        for text, (_, part) in zip(texts, SNIPPETS.values(), strict=True)
    )
