"""Messages: the form of each one, and what makes them a conversation, with each refusal in the
API's own words.
"""

from __future__ import annotations

from typing import Any

import pytest

from support.refused import refusals, refused, taken

CALLS = [
    {
        "id": f"call_{name}",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
    }
    for name in "ab"
]
ASKED = {"role": "user", "content": "Call f twice."}
CALLED = {"role": "assistant", "content": None, "tool_calls": CALLS}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def tool(name: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{name}", "content": "done"}


@refusals("messages")
def test_a_fault_of_the_messages(
    body: dict[str, Any], error: dict[str, Any]
) -> None:
    """A malformed message, and messages that do not form a conversation, are refused with the path
    of the mistake.
    """
    assert refused(**body) == error


@pytest.mark.parametrize(
    "messages",
    [
        [user("")],
        [user([])],
        [user([{"type": "text", "text": "Hi", "cache_control": {}}])],
        [
            {"role": "system", "content": "Be brief.", "mood": "good"},
            user("Hi"),
        ],
        [{**user("Hi"), "name": "Ada_Lovelace-2"}],
        [
            user("Hi"),
            {
                "role": "assistant",
                "content": "Hello",
                "refusal": None,
                "annotations": [],
                "tool_calls": None,
            },
        ],
        [user("Hi"), {"role": "assistant", "refusal": "No."}, user("Why?")],
        [
            user("Hi"),
            {
                "role": "assistant",
                "function_call": {"name": "f", "arguments": "{}"},
            },
        ],
        [
            ASKED,
            CALLED,
            tool("b"),
            tool("a"),
            user("And?"),
            {"role": "assistant", "content": "Done."},
        ],
        [
            user(
                [
                    {
                        "type": "image_url",
                        "image_url": {
                            "url": "https://example.com/a.png",
                            "detail": "low",
                        },
                    }
                ]
            )
        ],
        [
            user(
                [
                    {
                        "type": "file",
                        "file": {
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,AA==",
                        },
                    }
                ]
            )
        ],
        [{"role": "assistant", "content": "I speak first."}],
    ],
)
def test_what_the_api_takes_is_not_refused(messages: list[Any]) -> None:
    """Empty content, unknown fields outside developer messages, and tool results in any order are
    odd but accepted.
    """
    assert taken(messages=messages)


def test_form_comes_before_conversation() -> None:
    """A malformed later message is reported before missing content in an earlier one."""
    assert (
        refused(messages=[{"role": "user"}, user(7)])["param"]
        == "messages[1].content"
    )
    assert (
        refused(messages=[{"role": "user"}, user("Hi")])["param"]
        == "messages.[0].content"
    )
