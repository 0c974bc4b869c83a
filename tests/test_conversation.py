"""Conversation: the history belongs to the caller, and changes only after a complete reply has
arrived.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.conversation import (
    AsyncConversation,
    BudgetTooSmall,
    Conversation,
    DamagedConversation,
    NoReply,
    SlidingWindow,
    Summarize,
    TokenBudget,
    chat_session,
)
from coursekit.metering import Meter
from coursekit.offline.clock import VirtualClock
from coursekit.offline.exchange import (
    ApiAnswer,
    ApiRequest,
    Event,
    error_answer,
    json_answer,
    sse,
)
from coursekit.offline.transport import OfflineTransport
from coursekit.pricing import Usage
from coursekit.tokens import count_tokens
from support.offline_api import chunk, completion, streamed

SYSTEM = {"role": "system", "content": "You are a concise technical advisor."}
ERROR = error_answer(500, "The server had an error.", type="server_error")
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


class Api:
    """Gives the prepared answers, and then answers "1", "2", … with the true number of prompt
    tokens.
    """

    def __init__(self, *answers: ApiAnswer) -> None:
        self.answers, self.requests, self.count = (
            list(answers),
            list[dict[str, Any]](),
            0,
        )

    def answer(self, request: ApiRequest) -> ApiAnswer:
        self.requests.append(request.body)
        if self.answers:
            return self.answers.pop(0)
        self.count += 1
        if request.wants_stream:
            return streamed([*str(self.count)])
        body = completion(str(self.count))
        plain = [
            message
            for message in request.body["messages"]
            if set(message) == {"role", "content"}
        ]
        tokens = count_tokens(plain, "gpt-4o")
        body["usage"] = {
            "prompt_tokens": tokens,
            "completion_tokens": 1,
            "total_tokens": tokens + 1,
        }
        return json_answer(
            200, body, headers={"x-request-id": f"req_{self.count}"}
        )

    @property
    def sent(self) -> list[dict[str, str]]:
        """The messages in the last request."""
        return self.requests[-1]["messages"]  # type: ignore[no-any-return]

    @property
    def client(self) -> openai.OpenAI:
        transport = OfflineTransport(self, VirtualClock())
        return openai.OpenAI(
            api_key="x",
            max_retries=0,
            http_client=openai.DefaultHttpx2Client(transport=transport),
        )

    @property
    def async_client(self) -> openai.AsyncOpenAI:
        transport = OfflineTransport(self, VirtualClock())
        http_client = openai.DefaultAsyncHttpx2Client(transport=transport)
        return openai.AsyncOpenAI(
            api_key="x", max_retries=0, http_client=http_client
        )


def reply(message: dict[str, Any], finish_reason: str = "stop") -> ApiAnswer:
    body = completion("", finish_reason)
    body["choices"][0]["message"] = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        **message,
    }
    return json_answer(200, body)


def drain(conversation: Conversation, text: str) -> str:
    return "".join(conversation.stream(text))


both_ways = pytest.mark.parametrize(
    "say", [Conversation.send, drain], ids=["send", "stream"]
)


@both_ways
def test_every_call_is_sent_all_that_was_said(
    say: Callable[[Conversation, str], str],
) -> None:
    """The API remembers nothing, so the second request contains the instructions and the first
    turn.
    """
    api = Api()
    conversation = Conversation(api.client, SYSTEM["content"], temperature=0.7)
    assert say(conversation, "Hi") == "1"
    assert say(conversation, "Again") == "2"
    assert api.requests[0]["messages"] == [SYSTEM, user("Hi")]
    assert api.sent == [SYSTEM, user("Hi"), assistant("1"), user("Again")]
    assert conversation.messages == [*api.sent, assistant("2")]
    assert (api.requests[1]["model"], api.requests[1]["temperature"]) == (
        "gpt-4o",
        0.7,
    )


def test_request_shows_what_would_be_sent() -> None:
    """request() returns the exact body of the next send(), and sends nothing."""
    api = Api()
    conversation = Conversation(api.client, SYSTEM["content"], seed=7)
    shown = conversation.request("Hi")
    assert (api.requests, conversation.messages) == ([], [SYSTEM])
    conversation.send("Hi")
    assert api.requests == [shown]


def test_without_instructions() -> None:
    """Without ``system``, there is no system message."""
    api = Api()
    Conversation(api.client).send("Hi")
    assert api.sent == [user("Hi")]


FAILURES = {
    "the server fails": ERROR,
    "an error event": ApiAnswer(
        events=(
            Event(
                0, sse({"error": {"message": "No.", "type": "server_error"}})
            ),
        )
    ),
    "the connection breaks": streamed(
        ["Half an"], finish_reason=None, breaks=True
    ),
    "a clean cut": streamed(["Half an"], finish_reason=None),
    "an empty reply": streamed([], finish_reason="stop"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failed_stream_leaves_the_history_as_it_was(
    failure: ApiAnswer,
) -> None:
    """If a stream ends early for any reason, nothing is appended, and the same text can be sent
    again.
    """
    api = Api()
    conversation = Conversation(api.client, SYSTEM["content"])
    conversation.send("Hi")
    before = conversation.messages
    api.answers = [failure]
    with pytest.raises((openai.APIError, NoReply)):
        drain(conversation, "Again")
    assert conversation.messages == before
    assert drain(conversation, "Again") == "2"
    assert api.sent == [*before, user("Again")]


@pytest.mark.parametrize(
    "failure",
    [
        ERROR,
        reply({"content": ""}, "length"),
        json_answer(200, {**completion(), "choices": []}),
        streamed(["text"]),
    ],
    ids=[
        "the server fails",
        "an empty reply",
        "no choices",
        "no completion at all",
    ],
)
def test_a_failed_call_leaves_the_history_as_it_was(failure: ApiAnswer) -> None:
    """After an error, nothing is appended, and the same text can be sent again."""
    api = Api()
    conversation = Conversation(api.client, SYSTEM["content"])
    conversation.send("Hi")
    before = conversation.messages
    api.answers = [failure]
    with pytest.raises((openai.APIError, NoReply)):
        conversation.send("Again")
    assert conversation.messages == before
    assert conversation.send("Again") == "2"
    assert api.sent == [*before, user("Again")]


def test_a_stream_that_is_left_changes_nothing() -> None:
    """Breaking out of stream() closes the connection, and appends neither the question nor half a
    reply.
    """
    api = Api(streamed(["One", " two", " three"]))
    conversation = Conversation(api.client)
    stream = conversation.stream("Hi")
    assert next(stream) == "One"
    stream.close()  # type: ignore[attr-defined]
    assert conversation.messages == []


def test_a_cut_stream_tells_what_had_arrived() -> None:
    """NoReply carries the partial text of a stream that closed cleanly without a finish
    reason.
    """
    conversation = Conversation(
        Api(streamed(["Half", " an"], finish_reason=None)).client
    )
    with pytest.raises(
        NoReply, match=r"ended early, after 7 characters.*safe to send again"
    ) as error:
        drain(conversation, "Hi")
    assert (error.value.text, error.value.finish_reason) == ("Half an", None)


def test_an_empty_reply_says_why() -> None:
    """If reasoning used up the budget, the error names the fix."""
    with pytest.raises(
        NoReply, match="finish_reason 'length'.*raise max_completion_tokens"
    ) as error:
        Conversation(Api(reply({"content": ""}, "length")).client).send("Hi")
    assert error.value.finish_reason == "length"


def test_a_truncated_reply_is_a_reply() -> None:
    """A reply that was cut off at max_completion_tokens is kept, and the turn's call has the
    finish_reason.
    """
    conversation = Conversation(
        Api(reply({"content": "One two"}, "length")).client
    )
    assert conversation.send("Hi") == "One two"
    assert conversation.messages[-1] == assistant("One two")
    assert conversation.turns[0].calls[0]["finish_reason"] == "length"


def test_a_refusal_is_what_the_model_said() -> None:
    """A refusal, complete or streamed, is returned and is added to the history as the reply's
    text.
    """
    deltas = [
        ({"role": "assistant", "content": None, "refusal": "No."}, None),
        ({}, "stop"),
    ]
    refused = ApiAnswer(
        events=tuple(Event(0, sse(chunk(delta, end))) for delta, end in deltas)
    )
    for say, answer in [
        (Conversation.send, reply({"refusal": "No."})),
        (drain, refused),
    ]:
        conversation = Conversation(Api(answer).client)
        assert say(conversation, "Hi") == "No."
        assert conversation.messages[-1] == assistant("No.")


@both_ways
def test_usage_per_turn(say: Callable[[Conversation, str], str]) -> None:
    """Each turn has its tokens, and Meter.add accepts its calls."""
    conversation = Conversation(Api().client, SYSTEM["content"])
    say(conversation, "Hi")
    say(conversation, "Again")
    meter = Meter()
    for turn in conversation.turns:
        for call in turn.calls:
            meter.add(call)
    assert meter.usage == sum(
        (turn.usage for turn in conversation.turns), Usage(0, 0)
    )
    assert meter.total > 0
    assert meter.usage.completion > 0
    assert [
        call["request_id"][:4]
        for turn in conversation.turns
        for call in turn.calls
    ] == [
        "req_",
        "req_",
    ]


def test_an_empty_reply_was_billed_all_the_same() -> None:
    """A call without a reply is added to the next turn that succeeds, so all turns together are the
    bill.
    """
    conversation = Conversation(Api(reply({"content": ""}, "length")).client)
    with pytest.raises(NoReply):
        conversation.send("Hi")
    conversation.send("Hi")
    assert [call["finish_reason"] for call in conversation.turns[0].calls] == [
        "length",
        "stop",
    ]
    assert conversation.turns[0].usage == Usage(14, 2) + Usage(
        count_tokens([user("Hi")], "gpt-4o"), 1
    )


def test_exact_usage() -> None:
    """The second turn's prompt is counted including the first turn."""
    conversation = Conversation(Api().client, SYSTEM["content"])
    conversation.send("Hi")
    conversation.send("Again")
    expected = count_tokens(
        [SYSTEM, user("Hi"), assistant("1"), user("Again")], "gpt-4o"
    )
    assert conversation.turns[1].usage == Usage(expected, 1)


def test_messages_are_a_copy() -> None:
    """Changing what ``messages`` returned does not change the conversation."""
    conversation = Conversation(Api().client, SYSTEM["content"])
    conversation.send("Hi")
    conversation.messages[0]["content"] = "changed"
    conversation.messages.clear()
    assert conversation.messages == [SYSTEM, user("Hi"), assistant("1")]


def test_tool_calls_and_their_results_are_one_turn() -> None:
    """A reply may call tools. Their results are sent as messages, and belong to the question's
    turn.
    """
    api = Api(reply({"tool_calls": [CALL]}, "tool_calls"))
    conversation = Conversation(
        api.client,
        SYSTEM["content"],
        SlidingWindow(0),
        tools=[{"type": "function"}],
    )
    assert conversation.send("Weather?") == ""
    result = {"role": "tool", "tool_call_id": "call_1", "content": "Sun"}
    assert conversation.send([result]) == "1"
    asked = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert api.sent == [SYSTEM, user("Weather?"), asked, result]
    assert len(conversation.turns) == 1
    assert conversation.messages == [*api.sent, assistant("1")]
    conversation.send("Thanks")
    assert api.sent == [SYSTEM, user("Thanks")]
    assert len(conversation.turns[0].calls) == 2


def test_stream_refuses_tools() -> None:
    """Tool calls have no text to stream, so they are refused before anything is sent."""
    api = Api()
    with pytest.raises(ValueError, match=r"use send\(\)"):
        drain(Conversation(api.client, tools=[{"type": "function"}]), "Hi")
    assert api.requests == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("  ", "text is empty"),
        ([], "one or more messages"),
        (["Hi"], "one or more messages"),
        ({"role": "user", "content": "Hi"}, "not dict"),
        (None, "not NoneType"),
    ],
)
def test_nothing_to_send(content: Any, message: str) -> None:
    """An empty string, or something that is not a message, is refused before anything is sent."""
    api = Api()
    with pytest.raises((ValueError, TypeError), match=message):
        Conversation(api.client).send(content)
    assert api.requests == []


def test_what_a_conversation_sets_itself() -> None:
    """messages, stream, and n are refused immediately, except n=1, which changes nothing."""
    for wrong in ({"messages": []}, {"stream": True}, {"n": 2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Conversation(Api().client, **wrong)  # type: ignore[arg-type]
    assert Conversation(Api().client, n=1).send("Hi") == "1"


def test_the_other_kind_of_client() -> None:
    """An async client in Conversation, or a plain one in AsyncConversation, is refused
    immediately."""
    with pytest.raises(
        TypeError, match="got an async client.*there is AsyncConversation"
    ):
        Conversation(Api().async_client)
    with pytest.raises(
        TypeError, match="got a sync client.*there is Conversation"
    ):
        AsyncConversation(Api().client)


@pytest.mark.parametrize(
    "system", [{"role": "system", "content": "Be brief."}, ["Be brief."], 5]
)
def test_instructions_are_a_string(system: Any) -> None:
    """Anything else is refused before it is sent, with a message that says what to use."""
    with pytest.raises(TypeError, match="only the text of the instructions"):
        Conversation(Api().client, system)


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_async_twin(streaming: bool) -> None:
    """AsyncConversation does the same with await: history, memory, summaries, and failures."""
    api = Api()
    conversation = AsyncConversation(
        api.async_client, SYSTEM["content"], Summarize(over=1, keep=1)
    )

    async def say(text: str) -> str:
        if streaming:
            return "".join([piece async for piece in conversation.stream(text)])
        return await conversation.send(text)

    assert [await say("a"), await say("b")] == ["1", "2"]
    assert await say("c") == "4"  # "3" is the summary
    summary = user("Summary of our conversation so far:\n3")
    assert api.sent == [SYSTEM, summary, user("b"), assistant("2"), user("c")]
    before = conversation.messages
    half = streamed(["Half"], finish_reason=None)
    api.answers = [
        reply({"content": "The next summary."}),
        half if streaming else ERROR,
    ]
    with pytest.raises((NoReply, openai.APIError)):
        await say("d")
    assert conversation.messages == before
    await conversation.client.close()


async def test_concurrent_sends_keep_turns_whole() -> None:
    """Two concurrent sends append two complete turns in the order in which they end."""
    conversation = AsyncConversation(Api().async_client)
    await asyncio.gather(conversation.send("a"), conversation.send("b"))
    assert [message["role"] for message in conversation.messages] == [
        "user",
        "assistant",
    ] * 2
    await conversation.client.close()


def test_a_summary_stands_for_the_oldest_turns() -> None:
    """With more than ``over`` turns, all but ``keep`` are summarized once, and the transcript keeps
    everything.
    """
    api = Api()
    memory = Summarize(over=2, keep=1, model="gpt-4o-mini")
    conversation = Conversation(
        api.client, SYSTEM["content"], memory, temperature=0.7
    )
    for text in "abcd":
        conversation.send(text)
    purposes = [
        [call["purpose"] for call in turn.calls] for turn in conversation.turns
    ]
    assert purposes == [["reply"], ["reply"], ["reply"], ["summary", "reply"]]
    asked = api.requests[3]
    assert (asked["model"], "temperature" in asked) == ("gpt-4o-mini", False)
    assert asked["messages"][:-1] == [
        SYSTEM,
        user("a"),
        assistant("1"),
        user("b"),
        assistant("2"),
    ]
    assert asked["messages"][-1] == user(memory.prompt)
    assert conversation.summary == "4"
    reminded = [SYSTEM, user("Summary of our conversation so far:\n4")]
    assert api.sent == [*reminded, user("c"), assistant("3"), user("d")]
    assert conversation.send("e") == "6"  # two turns since: no new summary yet
    assert api.sent == [
        *reminded,
        user("c"),
        assistant("3"),
        user("d"),
        assistant("5"),
        user("e"),
    ]
    assert conversation.send("f") == "8"
    since = [user("c"), assistant("3"), user("d"), assistant("5")]
    # it continues the last summary
    assert api.requests[-2]["messages"] == [
        *reminded,
        *since,
        user(memory.prompt),
    ]
    assert len(conversation.messages) == 1 + 2 * 6


BAD_SUMMARIES: dict[str, tuple[dict[str, Any], str, str]] = {
    "cut": (
        {"content": "Ada is"},
        "length",
        "finish_reason 'length'.*max_completion_tokens",
    ),
    "filtered": (
        {"content": "Ada"},
        "content_filter",
        "finish_reason 'content_filter'",
    ),
    "declined": (
        {"content": None, "refusal": "No."},
        "stop",
        "the model declined",
    ),
    "a tool call": (
        {"content": None, "tool_calls": [CALL]},
        "tool_calls",
        "called a tool",
    ),
    "a tool call with words": (
        {"content": "Let me see.", "tool_calls": [CALL]},
        "tool_calls",
        "called a tool",
    ),
    "empty": ({"content": ""}, "stop", "empty"),
}


@pytest.mark.parametrize("name", BAD_SUMMARIES)
def test_a_bad_summary_does_not_replace_the_memory(name: str) -> None:
    """A summary that is cut off, filtered, refused, empty, or a tool call raises NoReply, and
    leaves the memory and the messages unchanged.
    """
    message, reason, why = BAD_SUMMARIES[name]
    api = Api()
    conversation = Conversation(
        api.client, SYSTEM["content"], Summarize(over=0, keep=0)
    )
    conversation.send("I am allergic to peanuts.")
    before = conversation.messages
    api.answers = [reply(message, reason)]
    with pytest.raises(NoReply, match=why):
        conversation.send("What may I eat?")
    assert (conversation.messages, conversation.summary) == (before, None)
    assert conversation.send("What may I eat?") == "3"
    assert [call["purpose"] for call in conversation.turns[-1].calls] == [
        "summary",
        "summary",
        "reply",
    ]


def test_a_summary_that_fails_costs_nothing_that_was_said() -> None:
    """If the summarizing call fails, nothing changes. A summary that was paid for is kept and
    billed to the turn.
    """
    api = Api()
    conversation = Conversation(
        api.client, SYSTEM["content"], Summarize(over=0, keep=0)
    )
    conversation.send("a")
    before = conversation.messages
    api.answers = [ERROR]
    with pytest.raises(openai.InternalServerError):
        conversation.send("b")
    assert (conversation.messages, conversation.summary) == (before, None)
    api.answers = [reply({"content": "They said a."}), ERROR]
    with pytest.raises(openai.InternalServerError):
        conversation.send("b")
    assert (conversation.messages, conversation.summary) == (
        before,
        "They said a.",
    )
    conversation.send("b")
    assert [call["purpose"] for call in conversation.turns[1].calls] == [
        "summary",
        "reply",
    ]
    assert api.sent == [
        SYSTEM,
        user("Summary of our conversation so far:\nThey said a."),
        user("b"),
    ]


def test_a_budget_that_is_too_small_sends_nothing() -> None:
    """BudgetTooSmall is raised before the request, gives both numbers, and changes nothing."""
    api = Api()
    conversation = Conversation(
        api.client, SYSTEM["content"], TokenBudget(max_tokens=12)
    )
    with pytest.raises(BudgetTooSmall, match=r"take 19 tokens.*max_tokens=12"):
        conversation.send("Hi")
    assert (api.requests, conversation.messages) == ([], [SYSTEM])


def test_the_numbers_of_the_syllabus() -> None:
    """With messages of 30, 60, and 180 tokens, 50 turns send 306,300 prompt tokens; with a window
    of 5, they send 62,760.
    """
    sizes = {"system": 30, "user": 60, "assistant": 180}

    class Sized:
        """Bills 3 tokens once and 3 for each message, in addition to these sizes."""

        def create(self, **params: Any) -> Any:
            prompt = 3 + sum(
                3 + sizes[message["role"]] for message in params["messages"]
            )
            usage = {
                "prompt_tokens": prompt,
                "completion_tokens": 180,
                "total_tokens": prompt + 180,
            }
            return openai.types.chat.ChatCompletion.model_validate(
                {**completion("r"), "usage": usage}
            )

    client: Any = type(
        "Client", (), {"chat": type("Chat", (), {"completions": Sized()})}
    )
    for memory, sent in [(None, 306_300), (SlidingWindow(max_turns=5), 62_760)]:
        conversation = Conversation(client, "s", memory)
        for _ in range(50):
            conversation.send("u")
        used = sum((turn.usage for turn in conversation.turns), Usage(0, 0))
        assert used == Usage(sent, 9_000)


@pytest.mark.parametrize(
    "hostile",
    ["<script>", "\u2028\x85\x0b\r\n", "\ud83d", "مرحبا 🎉", "\0", '"}\n{"'],
)
def test_save_and_load(tmp_path: Path, hostile: str) -> None:
    """A loaded conversation equals the saved one, including summary and usage, whatever the
    text.
    """
    api = Api()
    conversation = Conversation(
        api.client, SYSTEM["content"], Summarize(over=1, keep=1)
    )
    for text in ("a", "b", "c"):
        conversation.send(text)
    conversation._history.add(
        [user(hostile), assistant(f"Reply {hostile}")], [{"usage": None}]
    )
    path = tmp_path / "talk.jsonl"
    conversation.save(path)
    loaded = Conversation.load(path, api.client, Summarize(over=9, keep=1))
    assert loaded.messages == conversation.messages
    assert loaded.turns == conversation.turns
    assert loaded.summary == conversation.summary is not None
    assert len(path.read_bytes().split(b"\n")) == 1 + 4 + 1
    loaded.save(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


def test_a_loaded_conversation_goes_on(tmp_path: Path) -> None:
    """The client, the memory, and the parameters are passed in again, and the request is what the
    saved conversation would send.
    """
    api = Api()
    first = Conversation(api.client, SYSTEM["content"])
    first.send("Hi")
    first.save(tmp_path / "talk.jsonl")
    loaded = Conversation.load(
        tmp_path / "talk.jsonl", api.client, model="gpt-4o-mini"
    )
    assert loaded.request("Again") == {
        **first.request("Again"),
        "model": "gpt-4o-mini",
    }


def test_saving_is_all_or_nothing(tmp_path: Path) -> None:
    """If writing fails, the old file is intact, and no incomplete file is left."""
    conversation = Conversation(Api().client)
    conversation.send("Hi")
    path = tmp_path / "talk.jsonl"
    conversation.save(path)
    old = path.read_bytes()
    conversation.turns[0].messages[0]["content"] = {1, 2}  # not JSON
    with pytest.raises(TypeError):
        conversation.save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


HEAD = '{"coursekit_conversation": 1, "instructions": [], "summary": null}'
DAMAGE = [
    ("", 1, "not JSON"),
    ("[]", 1, "."),
    (
        '{"coursekit_conversation": 2}',
        1,
        "its format is 2, but this version reads 1",
    ),
    (
        '{"coursekit_conversation": 1, "instructions": [{"role": "user"}], "summary": null}',
        1,
        "not all system",
    ),
    (f"{HEAD}\n{{", 2, "not JSON"),
    (f'{HEAD}\n{{"messages": []}}', 2, "no 'calls'"),
    (f'{HEAD}\n{{"messages": ["x"], "calls": []}}', 2, "no list of messages"),
    (f'{HEAD}\n{{"messages": [], "calls": []}}', 2, "not a turn"),
]


@pytest.mark.parametrize(("text", "line", "why"), DAMAGE)
def test_a_damaged_file_is_named(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    """The message names the file, the line, and the problem, and nothing is loaded."""
    path = tmp_path / "talk.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        DamagedConversation,
        match=f"talk.jsonl, line {line}: .*{why}.*Nothing was loaded",
    ):
        Conversation.load(path, Api().client)


@given(st.lists(st.text()))
def test_every_text_survives_a_file(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    """Any text is restored unchanged."""
    conversation = Conversation(Api().client)
    for text in texts:
        conversation._history.add([user(text), assistant(text)])
    path = tmp_path_factory.mktemp("talk") / "talk.jsonl"
    conversation.save(path)
    assert (
        Conversation.load(path, Api().client).messages == conversation.messages
    )


def test_chat_session() -> None:
    """The loop of many tutorials: it prints replies, skips empty lines, and ends with quit or
    exit.
    """
    api = Api()
    lines, prompts, written = (
        iter(["Hi", "  ", "Again", " EXIT ", "never"]),
        list[str](),
        list[str](),
    )

    def read(prompt: str) -> str:
        prompts.append(prompt)
        return next(lines)

    chat_session(
        api.client,
        "You are a concise technical advisor.",
        read=read,
        write=written.append,
    )
    assert prompts == ["You: "] * 4
    assert written == ["Assistant: 1\n", "Assistant: 2\n"]
    assert api.sent == [SYSTEM, user("Hi"), assistant("1"), user("Again")]
    assert (
        api.requests[0]["max_completion_tokens"],
        api.requests[0]["temperature"],
    ) == (500, 0.7)


def test_chat_session_ends_with_its_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without ``read`` and ``write``, it uses input() and print(). The end of the input ends the
    session.
    """
    lines = iter(["Hi"])

    def typed(prompt: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", typed)
    chat_session(Api().client, "s", max_completion_tokens=50)
    assert capsys.readouterr().out == "Assistant: 1\n\n"


def test_repr() -> None:
    """A conversation's repr shows its length, model, and memory."""
    conversation = Conversation(Api().client, memory=SlidingWindow(max_turns=3))
    conversation.send("Hi")
    assert (
        repr(conversation)
        == "Conversation(1 turn, model='gpt-4o', memory=SlidingWindow(max_turns=3))"
    )


def test_a_call_must_be_answered_before_the_next() -> None:
    """If you drive calls() by hand and forget the answer, you get an error, and nothing is
    appended.
    """
    conversation = Conversation(Api().client)
    with pytest.raises(RuntimeError, match="no answer yet"):
        for _ in conversation.calls("Hi"):
            pass
    assert conversation.messages == []


def test_importing_conversation_does_not_import_the_sdk() -> None:
    """A conversation accepts any client, and the module loads neither openai nor httpx2."""
    import subprocess
    import sys

    code = (
        "import sys, coursekit.conversation; print([m for m in ('openai', 'httpx2', 'numpy') "
        "if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


def test_what_was_sent_is_plain_json() -> None:
    """Every request can be written as JSON, because it contains none of our objects."""
    conversation = Conversation(Api().client, "s", TokenBudget(max_tokens=100))
    conversation.send("Hi")
    assert json.loads(
        json.dumps(conversation.request("x"))
    ) == conversation.request("x")
