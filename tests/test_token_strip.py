from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.tokens import chat_tokens, count_tokens, tokenize
from coursekit.widgets.token_strip import (
    BOXES,
    CHARACTERS,
    CONVERSATION,
    MODELS,
    TEXT,
    TokenStrip,
    messages_of,
    strip,
)
from coursekit.widgets.token_text import visible


class Reader(HTMLParser):
    """The HTML as a browser reads it: its tags and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        assert all(name in {"class", "style", "scope"} for name, _ in attrs)
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def boxes(html: str) -> list[tuple[str, str]]:
    """(label, text below it) for each box."""
    return re.findall(
        r"<span style=[^>]*>([^<]*)<span style=[^>]*>([^<]*)</span></span>",
        html,
    )


def test_each_token_is_a_box_with_its_id():
    """A string's boxes are its tokens with visible spaces, each above its number in the
    vocabulary.
    """
    assert boxes(strip(TEXT)) == [
        (visible(token.label), str(token.id)) for token in tokenize(TEXT)
    ]
    assert boxes(strip(TEXT))[1] == ("·is", "382")


def test_a_chat_shows_what_frames_its_messages():
    """A chat adds a gray box with the overhead to each message, and one for the start of the reply,
    for a total of 24.
    """
    html = strip(CONVERSATION, as_chat=True)
    gray = [box for box in boxes(html) if "token" in box[1]]
    assert gray == [
        ("system:", "4 tokens"),
        ("user:", "4 tokens"),
        ("reply:", "3 tokens"),
    ]
    assert (
        "<b>24 tokens</b> for gpt-4o: 13 of text, 11 of overhead (gray)" in html
    )


@pytest.mark.parametrize("model", MODELS)
@given(
    text=st.text(max_size=15),
    roles=st.lists(
        st.sampled_from(["system", "user", "assistant"]), max_size=4
    ),
)
@settings(max_examples=15)
def test_boxes_add_up_to_the_count(model: str, text: str, roles: list[str]):
    """Token boxes and the numbers in gray boxes add up to count_tokens, for each model and any
    text.
    """
    typed = "\n".join(f"{role}: {text}" for role in roles)
    told = [below for _, below in boxes(strip(typed, model, as_chat=True))]
    total = sum(
        int(below.split()[0]) if "token" in below else 1 for below in told
    )
    assert (
        total
        == count_tokens(messages_of(typed), model)
        == chat_tokens(messages_of(typed), model).total
    )


def test_lines_with_a_role_begin_messages():
    """``role: text`` begins a message, other lines continue it, and a beginning without a role is
    the user's.
    """
    assert messages_of(
        "hi\nSystem: be brief\nand kind\n\nuser:x: y\nassistant:"
    ) == [
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "be brief\nand kind\n"},
        {"role": "user", "content": "x: y"},
        {"role": "assistant", "content": ""},
    ]
    assert messages_of(" \n") == []


@given(st.text())
def test_any_text_is_safe_html(text: str):
    """Whatever is typed, the HTML contains only the strip's own tags, closed in order."""
    for as_chat in (False, True):
        reader = Reader(strip(text, as_chat=as_chat))
        assert set(reader.tags) <= {
            "div",
            "p",
            "b",
            "span",
            "table",
            "caption",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        }
        assert reader.open == []


def test_markup_is_shown_and_not_run():
    """A script that is typed is shown as text."""
    html = strip("<script>alert(1)</script>")
    assert "<script" not in html
    assert "script" in Reader(html).text


def test_a_part_of_a_character_shows_its_bytes():
    """A token that is not a whole character shows its bytes."""
    assert boxes(strip("🦥"))[0][0] == visible(tokenize("🦥")[0].label)
    assert boxes(strip("🦥"))[0][0].startswith("\\x")


def test_a_long_text_is_counted_whole_and_drawn_in_part():
    """Beyond BOXES boxes, nothing is drawn, but the count is exact, and a message says so."""
    html = strip("x " * 400)
    assert len(boxes(html)) == BOXES
    assert f"<b>{count_tokens('x ' * 400)} tokens</b>" in html
    assert f"Only the first {BOXES} boxes are drawn" in html
    assert "are drawn" not in strip("x " * 20)


def test_a_very_long_text_is_cut_in_sight():
    """Beyond CHARACTERS characters, nothing is read, and a message says how much was left out."""
    html = strip("a" * 30_000)
    assert (
        f"Only the first {CHARACTERS:,} of 30,000 characters are read." in html
    )
    assert f"<b>{count_tokens('a' * CHARACTERS):,} tokens</b>" in html


def test_every_model_has_its_price():
    """The table prices the prompt for each model: 24 tokens at $2.50 per million cost $0.00006, and
    a million such prompts cost $60.
    """
    html = strip(CONVERSATION, as_chat=True)
    cells = re.findall(r'<t(?:d|h scope="row")[^>]*>([^<]*)</t[dh]>', html)
    table = [cells[i : i + 5] for i in range(0, len(cells), 5)]
    assert [row[0].removeprefix("▸ ") for row in table] == list(MODELS)
    assert table[0] == ["▸ gpt-4o", "24", "$2.50", "$0.00006", "$60.00"]


def test_the_empty_text_costs_nothing():
    """An empty text has no tokens and causes no error."""
    html = strip("")
    assert "<b>0 tokens</b>" in html
    assert boxes(html) == []
    assert "$0<" in html


def test_the_strip_follows_its_controls():
    """Each change of text, kind, or model changes what is shown."""
    lab = TokenStrip()
    assert lab.shown.value == strip(TEXT)
    lab.text.value = "Hello"
    assert lab.shown.value == strip("Hello")
    lab.kind.value = "a chat"
    assert lab.shown.value == strip("Hello", as_chat=True)
    lab.model.value = "gpt-4"
    assert lab.shown.value == strip("Hello", "gpt-4", as_chat=True)


def test_the_example_changes_with_the_kind_and_own_words_stay():
    """Switching to a chat shows an example chat, unless something was typed."""
    lab = TokenStrip()
    lab.kind.value = "a chat"
    assert lab.text.value == CONVERSATION
    lab.text.value = "user: mine"
    lab.kind.value = "a text"
    assert lab.text.value == "user: mine"


def test_a_wrong_choice_is_named_with_the_right_ones():
    """For a kind or a model that is not offered, the message lists those that are."""
    with pytest.raises(
        ValueError, match="'a poem' is not .*: 'a text', 'a chat'"
    ):
        TokenStrip("a poem")
    with pytest.raises(ValueError, match="'gpt-17' is not .*'gpt-4o'"):
        TokenStrip(model="gpt-17")


def test_the_table_says_what_its_prices_leave_out():
    """A chat includes its frame, a string has no frame, and neither includes a reply."""
    assert "without the reply." in strip(CONVERSATION, as_chat=True)
    assert "without the chat frame and the reply." in strip(TEXT)


def test_typing_is_followed_and_every_control_has_a_label():
    """The text area reports each keystroke, and every control has a label."""
    lab = TokenStrip()
    assert lab.text.continuous_update
    assert all(
        control.description for control in (lab.kind, lab.model, lab.text)
    )


def test_without_a_kernel_the_first_view_is_an_ordinary_output():
    """The stored notebook contains the strip as HTML, with plain text for terminals."""
    bundle = TokenStrip("a chat")._repr_mimebundle_()
    assert bundle["text/html"] == strip(CONVERSATION, as_chat=True)
    assert (
        bundle["text/plain"] == "The token strip (run the notebook to use it)"
    )
