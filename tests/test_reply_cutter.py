"""Cut it yourself: how much of a reply a limit leaves, and whether the text shows the cut."""

from __future__ import annotations

import pytest
from openai.types.chat import ChatCompletion

from coursekit.widgets.reply_cutter import ReplyCutter, looks_finished, view

TEXT = "Yes. It <b>deletes</b> your edits. Stash them first."


def reply_of(text: str | None) -> ChatCompletion:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 34, "completion_tokens": 13, "total_tokens": 47}
    return ChatCompletion.model_validate(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1795351047,
            "model": "gpt-4o-2024-08-06",
            "choices": [choice],
            "usage": usage,
        }
    )


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("Yes.", True),
        ("Really?", True),
        ('He said "no."', True),
        ("Done! ", True),
        ("Yes", False),
        ("one, two,", False),
        ("git reset --hard HEAD~", False),
        ("", False),
    ],
)
def test_a_text_looks_finished_when_its_last_sentence_is(
    text: str, finished: bool
) -> None:
    """Text looks complete if it ends with a mark that ends a sentence, followed at most by quotes
    or spaces.
    """
    assert looks_finished(text) is finished


def test_a_limit_leaves_that_many_tokens() -> None:
    """The lab shows the first tokens, escaped, and the rest, struck through, only on request. The
    finish_reason is always `length`.
    """
    reply = reply_of(TEXT)
    short = view(reply, 2, rest=False)
    assert ">Yes.</div>" in short
    assert "The text looks finished" in short
    assert "2 of" in short
    assert "finish_reason <b>length</b>" in short
    assert "Stash" not in short
    assert "The text stops mid-sentence" in view(reply, 3, rest=False)
    assert "&lt;b&gt;" in view(reply, 2, rest=True)
    assert "Stash them first.</s>" in view(reply, 2, rest=True)


def test_the_prompt_is_paid_for_at_any_limit() -> None:
    """34 input tokens cost $2.50 per million, and one output token costs $10 per million."""
    assert "$0.000095" in view(reply_of(TEXT), 1, rest=False)


def test_the_controls_draw() -> None:
    """The slider goes from one token to all tokens but one, and both controls have names."""
    lab = ReplyCutter(reply_of(TEXT))
    assert lab.limit.min == 1
    assert f"of {lab.limit.max + 1} tokens" in lab.shown.value
    lab.limit.value = 2
    lab.rest.value = True
    assert lab.shown.value == view(lab.reply, 2, rest=True)
    assert all(control.description for control in (lab.limit, lab.rest))


@pytest.mark.parametrize("text", [None, "", "Yes"])
def test_a_reply_without_text_cannot_be_cut(text: str | None) -> None:
    """The error says so, and what to pass."""
    with pytest.raises(ValueError, match="no text to cut. Pass one"):
        ReplyCutter(reply_of(text))
