"""count_tokens: how many prompt tokens are billed for a string or a chat."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage

from coursekit import count_tokens
from coursekit.tokenizer import encode
from coursekit.tokens import (
    ROLES,
    RULES,
    EstimatedTokens,
    NotCountable,
    UnknownTokenizer,
    _rule,
    chat_tokens,
    is_exact,
    message_tokens,
    tokenize,
)

FRANCE = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"},
]
# OpenAI Cookbook, "How to count tokens with tiktoken" (MIT), with what the API billed for it.
COOKBOOK = [
    {"role": role, **({"name": name} if name else {}), "content": content}
    for role, name, content in [
        (
            "system",
            "",
            (
                "You are a helpful, pattern-following assistant that translates corporate "
                "jargon into "
                "plain English."
            ),
        ),
        (
            "system",
            "example_user",
            "New synergies will help drive top-line growth.",
        ),
        (
            "system",
            "example_assistant",
            "Things working well together will increase revenue.",
        ),
        (
            "system",
            "example_user",
            (
                "Let's circle back when we have more bandwidth to touch base on opportunities for "
                "increased leverage."
            ),
        ),
        (
            "system",
            "example_assistant",
            "Let's talk later when we're less busy about how to do better.",
        ),
        (
            "user",
            "",
            (
                "This late pivot means we don't have time to boil the ocean for the client "
                "deliverable."
            ),
        ),
    ]
]


def test_a_text_is_counted_without_overhead() -> None:
    """For a string, only its tokens are counted."""
    assert count_tokens("What is the capital of France?") == 7
    assert count_tokens("") == 0


def test_the_france_example() -> None:
    """The first call in many tutorials is billed 24 prompt tokens: 3 for the chat, and 4 + 6 and 4
    + 7 for its messages.
    """
    chat = chat_tokens(FRANCE, "gpt-4o")
    assert count_tokens(FRANCE, "gpt-4o") == chat.total == 24
    assert [(m.role, m.overhead, m.content) for m in chat.messages] == [
        ("system", 4, 6),
        ("user", 4, 7),
    ]
    assert (chat.priming, chat.overhead) == (3, 11)


@pytest.mark.parametrize(
    ("model", "billed"),
    [
        ("gpt-4o", 124),
        ("gpt-4o-mini", 124),
        ("gpt-4", 129),
        ("gpt-3.5-turbo", 129),
    ],
)
def test_the_cookbooks_example(model: str, billed: int) -> None:
    """Messages with names are counted as the API billed OpenAI's published example."""
    assert count_tokens(COOKBOOK, model) == billed


@pytest.mark.parametrize(
    ("model", "overhead"),
    [
        ("gpt-4", 15),
        ("gpt-4-turbo", 15),
        ("gpt-4.1", 15),
        ("o3-mini", 14),
        ("o4-mini", 14),
        ("gpt-5", 16),
        ("gpt-6-luna", 16),
    ],
)
def test_overhead_of_each_family(model: str, overhead: int) -> None:
    """For three messages, one from the assistant, the overhead is 3 + 3 x 4 up to GPT-4.1, 2 + 3 x
    4 for the o-series, and 2 more for GPT-5.
    """
    assert (
        chat_tokens(
            [*FRANCE, {"role": "assistant", "content": "Paris."}], model
        ).overhead
        == overhead
    )


@pytest.mark.parametrize(
    "encoding", sorted({rule.encoding for rule in RULES.values()})
)
def test_a_role_is_one_token(encoding: str) -> None:
    """Each role is one token, as the rules assume."""
    assert [len(encode(role, encoding)) for role in ROLES] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("chatgpt-4o-latest", "gpt-4o"),
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-4-0125-preview", "gpt-4"),
        ("gpt-4-turbo-2024-04-09", "gpt-4-turbo"),
        ("gpt-3.5-turbo-16k-0613", "gpt-3.5-turbo"),
        ("o4-mini-2025-04-16", "o4-mini"),
        ("gpt-5-mini-2025-08-07", "gpt-5"),
        ("gpt-5.4-mini-2026-03-17", "gpt-5"),
        ("gpt-6.2-sol", "gpt-5"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc123", "gpt-4o-mini"),
        ("ft:gpt-3.5-turbo:acme:tickets:abc123", "gpt-3.5-turbo"),
    ],
)
def test_snapshots_and_fine_tunes_count_as_their_family(
    model: str, like: str
) -> None:
    """A snapshot, a sibling, and a fine-tuned model are counted like their family."""
    chat = [*FRANCE, {"role": "assistant", "content": "İstanbul, naïve, 你好"}]
    assert chat_tokens(chat, model) == chat_tokens(chat, like)


def test_the_encodings_differ() -> None:
    """gpt-4 uses a different vocabulary from gpt-4o."""
    assert (
        count_tokens("你好,世界", "gpt-4"),
        count_tokens("你好,世界", "gpt-4o"),
    ) == (6, 3)


@pytest.mark.parametrize(
    ("model", "near"),
    [
        ("gpt4o", "gpt-4o"),
        ("gpt-4o-mni", "gpt-4o-mini"),
        ("o4mini", "o4-mini"),
        ("GPT-4o", "gpt-4o"),
    ],
)
def test_a_mistyped_model_is_named_with_the_nearest(
    model: str, near: str
) -> None:
    """A mistyped name is refused with the name that was probably meant."""
    with pytest.raises(
        UnknownTokenizer,
        match=f"coursekit does not know how model {model!r} counts tokens. Did you mean {near!r}\\?",
    ):
        count_tokens("Hi", model)


@pytest.mark.parametrize(
    "model",
    [
        "gpt-7-sol",
        "gpt-4o-search-preview",
        "gpt-4o-audio-preview",
        "gpt-5-search-api",
        "o1-preview",
        "o1-mini",
        "gpt-3.5-turbo-0301",
        "gpt-4.7",
        "",
        None,
    ],
)
def test_a_model_without_an_exact_rule_is_refused(model: Any) -> None:
    """A model whose rule is not known, or whose prompt has hidden text, is refused with what to do
    instead.
    """
    with pytest.raises(
        UnknownTokenizer,
        match=r"as an estimate; the billed count is usage\.prompt_tokens",
    ):
        count_tokens(FRANCE, model)


@pytest.mark.parametrize(
    "model",
    [
        "llama3.2",
        "claude-4",
        "gpt-oss:20b",
        "qwen/qwen3-8b",
        "/models/a.gguf",
        "o",
    ],
)
def test_a_model_of_another_maker_is_estimated_and_says_so(model: str) -> None:
    """For another maker's model, the counts are GPT-4o's, with one warning that they are
    estimates.
    """
    _rule.cache_clear()
    with pytest.warns(
        EstimatedTokens,
        match=f"Token counts for {model!r}.* are estimates.*usage.prompt_tokens",
    ):
        assert count_tokens(FRANCE, model) == count_tokens(FRANCE, "gpt-4o")
    assert (
        count_tokens("Hi", model) == 1
        and not is_exact(model)
        and is_exact("gpt-4o")
    )


def test_a_gateways_name_for_an_openai_model_counts_exactly() -> None:
    """ "openai/gpt-4o" is gpt-4o."""
    assert chat_tokens(FRANCE, "openai/gpt-4o") == chat_tokens(
        FRANCE, "gpt-4o"
    ) and is_exact("openai/o4-mini")


def test_a_name_that_the_settings_give_a_role_is_estimated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A deployment with a name similar to one of OpenAI's models is not a typing mistake if the
    settings name it.
    """
    with pytest.raises(UnknownTokenizer):
        count_tokens("Hi", "gpt-4o-prod")
    monkeypatch.setenv("COURSEKIT_SMALL", "gpt-4o-prod")
    with pytest.warns(EstimatedTokens):
        assert count_tokens("Hi", "gpt-4o-prod") == 1
    _rule.cache_clear()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:"}}
                ],
            },
            "images are billed by size",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {}}],
            },
            "audio is billed by its length",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {}}]},
            "files are billed by",
        ),
        ({"role": "user", "content": ["text"]}, "only text is counted here"),
        (
            {"role": "user", "content": [{"type": "text"}]},
            "only text is counted here",
        ),
        (
            {"role": "user", "content": [{"type": ["text"]}]},
            "only text is counted here",
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1"}],
            },
            "how tool calls are written",
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "f"},
            },
            "how function calls are written",
        ),
        (
            {"role": "assistant", "content": None, "refusal": "No."},
            "send its text as content",
        ),
        (
            {"role": "tool", "tool_call_id": "call_1", "content": "42"},
            "how tool results are written",
        ),
        ({"role": "user", "content": "Hi", "mood": "good"}, "'mood'"),
        ({"role": "user"}, "content None. Give it a string"),
        ({"role": "user", "content": 42}, "content 42. Give it a string"),
        (
            {"role": "emperor", "content": "Hi"},
            "role 'emperor'. The roles are system, developer, user, assistant",
        ),
        ({"role": ["user"], "content": "Hi"}, "role"),
        ({"role": "user", "name": 7, "content": "Hi"}, "name 7"),
    ],
)
def test_what_is_not_text_is_refused(
    message: dict[str, Any], reason: str
) -> None:
    """A message that is not plain text is refused with its position and the reason, rather than
    miscounted.
    """
    with pytest.raises(NotCountable, match=r"^messages\[2\] ") as refused:
        count_tokens([*FRANCE, message])
    assert reason in str(refused.value)


def test_a_name_is_refused_where_its_price_is_not_known() -> None:
    """It is not known how the o-series and GPT-5 bill a name, so a name is refused for these
    models.
    """
    with pytest.raises(NotCountable, match="Leave it out"):
        count_tokens([{"role": "user", "name": "Ada", "content": "Hi"}], "o3")


@pytest.mark.parametrize(
    "wrong",
    [{"role": "user", "content": "Hi"}, b"Hi", 42, None, ["Hi"], [None]],
)
def test_something_else_is_a_type_error(wrong: Any) -> None:
    """Anything that is neither a string nor a list of messages is refused."""
    with pytest.raises(TypeError, match="message"):
        count_tokens(wrong)


def test_text_parts_are_joined() -> None:
    """Text parts are counted as their joined text, as the API bills them, and empty fields count as
    nothing.
    """
    parts = [
        {"type": "text", "text": "What is the cap"},
        {"type": "text", "text": "ital of France?"},
    ]
    assert message_tokens({"role": "user", "content": parts}) == message_tokens(
        FRANCE[1]
    )
    assert message_tokens(
        {**FRANCE[1], "tool_calls": [], "refusal": None, "annotations": []}
    ) == message_tokens(FRANCE[1])


def test_the_sdks_message_counts_as_its_dict() -> None:
    """A message from a reply can stay as the SDK made it."""
    message = ChatCompletionMessage(
        role="assistant", content="Paris.", refusal=None, annotations=[]
    )
    assert message_tokens(message) == message_tokens(
        {"role": "assistant", "content": "Paris."}
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(ROLES), st.text(max_size=20)), max_size=6
    ),
    st.sampled_from(["gpt-4o", "gpt-4", "o3", "gpt-5"]),
)
def test_a_chat_adds_up(pairs: list[tuple[str, str]], model: str) -> None:
    """A chat costs its priming and the sum of its messages, so it can be counted as it grows."""
    chat = [{"role": role, "content": content} for role, content in pairs]
    counted = chat_tokens(iter(chat), model)
    assert counted.total == chat_tokens([], model).priming + sum(
        message_tokens(m, model).total for m in chat
    )
    texts = sum(count_tokens(text, model) for _, text in pairs)
    assert (
        counted.total == count_tokens(chat, model) == counted.overhead + texts
    )


def test_tokenize_is_by_model() -> None:
    """tokenize() gives the tokens that count_tokens() counts."""
    assert [token.text for token in tokenize("The capital", "gpt-4o")] == [
        "The",
        " capital",
    ]
    assert len(tokenize("你好,世界", "gpt-4")) == count_tokens(
        "你好,世界", "gpt-4"
    )


def test_a_message_that_was_not_put_in_a_list_is_told_how() -> None:
    """Only if the argument is a single message does the advice say to put it in a list."""
    with pytest.raises(
        TypeError,
        match=r"got dict\. Put the message into a list: \[message\]\.$",
    ):
        chat_tokens({"role": "user", "content": "Hi"})
    with pytest.raises(TypeError, match=r"got int\.$"):
        chat_tokens(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ["tool", "function"])
def test_the_one_message_is_named_in_its_error(role: str) -> None:
    """message_tokens() refers to the message, not to a position in a list, and says why the message
    cannot be counted.
    """
    with pytest.raises(
        NotCountable,
        match=f"^The message has {role!r}, .*: OpenAI has not published how {role} results are written",
    ):
        message_tokens({"role": role, "content": "42"})
