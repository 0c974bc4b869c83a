"""The chat box: what it shows and sends, and that nothing a model writes can do any harm."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.conversation import (
    AsyncConversation,
    Conversation,
    SlidingWindow,
    Summarize,
    TokenBudget,
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
from coursekit.widgets.chat_box import SHOWN, ChatBox
from coursekit.widgets.chat_view import said, transcript, turn
from coursekit.widgets.safe_html import CHARACTERS, markdown, plain, sendable
from support.offline_api import chunk, completion, streamed

REPLY = ["Use ", "**indexes", "**."]
ERROR = error_answer(500, "The server had an error.", type="server_error")
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "closing tags": "</span></div></table></script>--> ]]>",
    "an image that runs": "<img src=x onerror=alert(1)> ![x](http://127.0.0.1:9/steal.png)",
    "links that run": "[a](javascript:alert(1)) <javascript:alert(1)> [b](data:text/html;base64,PHNj) [c](vbscript:x)",
    "an attribute": '[a](https://a.example "x\\" onmouseover=\\"alert(1)") " onload=alert(1) \'',
    "a style": "<style>*{display:none}</style><svg onload=alert(1)>",
    "right to left": "\u202e\u2067مرحبا\u2066 abc",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈" * 50,
    "NUL": "a\0b\x1b[31m\x7f",
    "half a character": "\ud83d",
    "brackets": "[" * 20_000,
    "nested quotes": ">" * 20_000,
}


class Reader(HTMLParser):
    """The HTML as a browser reads it: tags, their attributes, and the text."""

    TAGS = frozenset(
        re.findall(
            r"\w+",
            "div b p i em strong a code pre ul ol li blockquote h1 h2 h3 h4 h5 h6 hr br style",
        )
        + re.findall(r"\w+", "table thead tbody tr th td")
    )
    ATTRIBUTES = frozenset(
        [
            "class",
            "dir",
            "style",
            "role",
            "href",
            "title",
            "target",
            "rel",
            "start",
        ]
    )

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links, self.open = "", list[str](), list[str]()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        assert tag in self.TAGS
        assert {name for name, _ in attrs} <= self.ATTRIBUTES
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(box: ChatBox) -> str:
    """Everything that the box shows of the conversation."""
    return Reader(box.shown.value).text + Reader(box.now.value).text


class HandClock:
    """A clock that the test moves by hand: a stream's event arrives when the test has reached its
    time.
    """

    def __init__(self) -> None:
        self._now, self._moved = 0.0, threading.Condition()
        self._sleepers: list[
            tuple[asyncio.AbstractEventLoop, asyncio.Event]
        ] = []

    def now(self) -> float:
        return self._now

    def wait(self, until: float) -> None:
        with self._moved:
            assert self._moved.wait_for(lambda: self._now >= until, HANG)

    async def wait_async(self, until: float) -> None:
        while self._now < until:
            moved = asyncio.Event()
            self._sleepers.append((asyncio.get_running_loop(), moved))
            await asyncio.wait_for(moved.wait(), HANG)

    def real(self, seconds: float) -> float:
        return 0.0

    def reach(self, now: float) -> None:
        with self._moved:
            self._now = now
            self._moved.notify_all()
        sleepers, self._sleepers = self._sleepers, []
        for loop, moved in sleepers:
            loop.call_soon_threadsafe(moved.set)


class Api:
    """Streams the given replies, and then REPLY."""

    def __init__(self, *answers: ApiAnswer, clock: Any = None) -> None:
        self.answers, self.requests, self.clock = (
            list(answers),
            list[dict[str, Any]](),
            clock or VirtualClock(),
        )
        self.asked = threading.Event()

    async def reach(self, seconds: float) -> None:
        """After a request has arrived, move time to this number of seconds after it."""
        assert await asyncio.to_thread(self.asked.wait, HANG)
        self.clock.reach(seconds)

    def answer(self, request: ApiRequest) -> ApiAnswer:
        self.requests.append(request.body)
        self.asked.set()
        if self.answers:
            return self.answers.pop(0)
        return (
            streamed(REPLY)
            if request.wants_stream
            else json_answer(200, completion("Short."))
        )

    def conversation(self, kind: type, memory: Any = None) -> Any:
        transport = OfflineTransport(self, self.clock)
        if kind is Conversation:
            sync = openai.DefaultHttpx2Client(transport=transport)
            return Conversation(
                openai.OpenAI(api_key="x", max_retries=0, http_client=sync),
                "Be brief.",
                memory,
            )
        http = openai.DefaultAsyncHttpx2Client(transport=transport)
        return AsyncConversation(
            openai.AsyncOpenAI(api_key="x", max_retries=0, http_client=http),
            "Be brief.",
            memory,
        )


both_kinds = pytest.mark.parametrize(
    "kind", [Conversation, AsyncConversation], ids=["sync", "async"]
)


HANG = 60  # seconds; only a box that hangs takes this long


async def until(widget: Any, trait: str, holds: Callable[[Any], bool]) -> None:
    """Wait until a widget's trait has a value that ``holds``. No value is missed, however briefly
    it lasts.
    """
    met, loop = asyncio.Event(), asyncio.get_running_loop()

    def look(change: Any) -> None:
        if holds(change["new"]):
            loop.call_soon_threadsafe(met.set)

    widget.observe(look, trait)
    if holds(getattr(widget, trait)):
        met.set()
    await asyncio.wait_for(met.wait(), HANG)
    widget.unobserve(look, trait)


async def ready(box: ChatBox) -> None:
    """Wait until the box has done what a click started on the loop, and the reply has arrived."""
    turn = asyncio.Event()
    box._at_home(turn.set)  # behind the click
    await turn.wait()
    await until(box.send_button, "disabled", lambda disabled: not disabled)


def press_enter(box: ChatBox) -> None:
    """What the browser sends first; the text follows if it has changed."""
    box.text._handle_custom_msg({"event": "submit"}, [])


def browser_answers(box: ChatBox) -> None:
    """The browser's answer to the box's echo: it sends what it had held back."""
    box._echo.returned.value = box._echo.sent.value


@both_kinds
async def test_a_message_is_sent_and_the_reply_is_shown_with_its_receipt(
    kind: type,
) -> None:
    """say() adds a turn. The box shows both texts, with the reply as Markdown, and a receipt. The
    meter has the call.
    """
    api, meter = Api(), Meter()
    box = ChatBox(api.conversation(kind), meter=meter)
    await box.say("How do I speed up a query?")
    assert [m["role"] for m in box.conversation.messages] == [
        "system",
        "user",
        "assistant",
    ]
    assert "How do I speed up a query?" in read(box)
    assert "<strong>indexes</strong>" in box.shown.value
    assert "14 in · 2 out" in read(box)
    assert len(meter.ledger) == 1
    assert box.now.value == ""
    assert box.text.value == ""
    assert "<b>Ready.</b> 1 call" in box.status.value


async def test_the_reply_grows_while_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Text is drawn as it arrives, and Stop works in the meantime."""
    monkeypatch.setattr("coursekit.widgets.chat_box.PAUSE", 0.0)
    api = Api(clock=HandClock())
    box = ChatBox(api.conversation(AsyncConversation))
    seen: list[str] = []
    box.now.observe(
        lambda change: seen.append(Reader(change["new"]).text), "value"
    )
    box.text.value = "Hi"
    box.send_button.click()
    await until(box.stop_button, "disabled", lambda disabled: not disabled)
    assert (box.send_button.disabled, box.stop_button.disabled) == (True, False)
    assert "Waiting" in box.status.value
    await api.reach(10)
    await ready(box)
    assert seen == [
        "YouHi",
        "YouHiAssistantUse\n",
        "YouHiAssistantUse **indexes\n",
        "YouHiAssistantUse indexes.\n",
        "",
    ]


@both_kinds
async def test_stop_ends_the_reply_and_changes_nothing(kind: type) -> None:
    """A stopped reply is shown as stopped and is not added to the conversation, and the text can be
    sent again.
    """
    api = Api(
        streamed(["One ", "two ", "three"], first=1, gap=1), clock=HandClock()
    )
    box = ChatBox(api.conversation(kind))
    before = box.conversation.messages
    box.text.value = "Count"
    box.send_button.click()
    await api.reach(1)
    await until(box.now, "value", lambda html: "One" in html)
    box.stop_button.click()
    await until(
        box.status, "value", lambda html: "Stopp" in html or "Ready" in html
    )
    await api.reach(2)  # a sync reply stops when its next piece arrives
    await ready(box)
    assert box.conversation.messages == before
    assert "Stopped. Nothing was added to the conversation." in read(box)
    assert "three" not in read(box)
    assert box.text.value == "Count"
    api.asked.clear()
    box.send_button.click()
    await api.reach(100)
    await ready(box)
    assert len(box.conversation.turns) == 1
    assert "Stopped" not in read(box)


async def test_an_async_reply_stops_while_nothing_arrives() -> None:
    """Stop does not wait for a silent server."""
    api = Api(streamed(["late"], first=30.0), clock=HandClock())
    box = ChatBox(api.conversation(AsyncConversation))
    box._submit("Hi")
    assert await asyncio.to_thread(api.asked.wait, HANG)
    box.stop()
    await ready(box)  # even though the clock has stopped
    assert "Stopped." in read(box)


async def test_a_stop_that_comes_too_late_leaves_the_whole_reply() -> None:
    """A reply that was complete before it could be stopped is kept, and shown as complete."""
    box = ChatBox(Api(streamed(["One"])).conversation(Conversation))
    stream, whole, said_so = (
        box.conversation.stream,
        threading.Event(),
        threading.Event(),
    )

    def slow(text: str) -> Any:
        yield from stream(text)
        whole.set()
        # the reply is complete, but the thread has not said so yet
        assert said_so.wait(HANG)

    box.conversation.stream = slow
    box._submit("Hi")
    assert await asyncio.to_thread(whole.wait, HANG)
    box.stop()
    said_so.set()
    await ready(box)
    assert len(box.conversation.turns) == 1
    assert "Stopped" not in read(box)
    assert "Ready." in box.status.value


FAILURES = {
    "the server fails": (ERROR, "InternalServerError: Error code: 500"),
    "a clean cut": (
        streamed(["Half"], finish_reason=None),
        "NoReply: The stream ended early, after 4 characters",
    ),
    "the connection breaks": (
        streamed(["Half"], finish_reason=None, breaks=True),
        "APIConnectionError",
    ),
    "an error event": (
        ApiAnswer(
            events=(
                Event(
                    0,
                    sse(
                        {
                            "error": {
                                "message": "<b>No.</b>",
                                "type": "server_error",
                            }
                        }
                    ),
                ),
            )
        ),
        "APIError: <b>No.</b>",
    ),
    "broken JSON": (
        ApiAnswer(
            200,
            {"content-type": "text/event-stream"},
            events=(Event(0, b"data: {\n\n"),),
        ),
        "JSON",
    ),
}


@both_kinds
@pytest.mark.parametrize("failure", FAILURES)
async def test_an_error_is_shown_in_place(kind: type, failure: str) -> None:
    """Whatever fails, the box says what it was, keeps the text so that it can be sent again, and
    keeps working.
    """
    answer, told = FAILURES[failure]
    api = Api(answer)
    box = ChatBox(api.conversation(kind))
    before = box.conversation.messages
    await box.say("Hi")
    assert told in read(box)
    assert "Nothing was added to the conversation." in read(box)
    assert box.conversation.messages == before
    assert box.text.value == "Hi"
    assert "Failed" in box.status.value
    await box.say("Hi")
    assert len(box.conversation.turns) == 1
    assert told not in read(box)


async def test_what_is_not_recorded_is_told_in_place() -> None:
    """In replay mode, a question without a recording shows RecordingNotFound's message."""
    from coursekit import connect

    box = ChatBox(Conversation(connect("replay"), "Be brief."))
    await box.say("Something nobody recorded")
    assert "RecordingNotFound: There is no recording for this request" in read(
        box
    )


async def test_a_message_over_the_budget_is_told_in_place() -> None:
    """A refusal by the memory is also shown, and nothing is sent."""
    api = Api()
    box = ChatBox(api.conversation(AsyncConversation, TokenBudget(10)))
    await box.say("A long question. " * 10)
    assert "BudgetTooSmall" in read(box)
    assert api.requests == []


async def test_enter_sends() -> None:
    """The browser reports Enter and then the text, which is sent once. Text without Enter is not
    sent.
    """
    api = Api()
    box = ChatBox(api.conversation(AsyncConversation))
    box.text.value = "left without Enter"
    await ready(box)
    assert api.requests == []
    press_enter(box)
    await ready(box)
    assert api.requests == []  # the text may be on its way
    box.text.value = "Hi"
    browser_answers(box)
    await ready(box)
    assert [body["messages"][-1]["content"] for body in api.requests] == ["Hi"]


async def test_enter_on_an_unchanged_text_sends_it() -> None:
    """Enter sends text that the kernel already has. Enter in an empty field sends nothing, then or
    later.
    """
    api = Api()
    box = ChatBox(api.conversation(AsyncConversation))
    press_enter(box)
    browser_answers(box)
    await ready(box)
    box.text.value = "typed later"
    await ready(box)
    assert api.requests == []
    press_enter(box)
    browser_answers(box)
    await ready(box)
    assert [body["messages"][-1]["content"] for body in api.requests] == [
        "typed later"
    ]


async def test_enter_again_soon_after_a_failure() -> None:
    """New text is sent once, however long after Enter it arrives; failed text is not sent again."""
    api = Api(error_answer(500, "Oops."))
    box = ChatBox(api.conversation(AsyncConversation))
    for text in ("Old", "New"):
        press_enter(box)
        await ready(box)
        box.text.value = text
        browser_answers(box)
        await ready(box)
    assert [body["messages"][-1]["content"] for body in api.requests] == [
        "Old",
        "New",
    ]


async def test_a_click_in_another_thread_does_its_work_on_the_loop() -> None:
    """JupyterLab calls handlers in a separate thread, but the reply is a task on the loop where the
    box was made.
    """
    api = Api()
    box = ChatBox(api.conversation(AsyncConversation), offers=["One", "Two"])
    await asyncio.to_thread(box.offers[1].click)
    await ready(box)
    assert box.conversation.messages[1]["content"] == "Two"


async def test_an_offer_is_made_once() -> None:
    """An answered text cannot be sent again by another press, but a failed one can."""
    api = Api(ERROR, streamed(["Yes."], first=0, gap=0))
    box = ChatBox(api.conversation(AsyncConversation), offers=["One", "Two"])
    for disabled in ([False, False], [True, False]):
        box.offers[0].click()
        await ready(box)
        assert [button.disabled for button in box.offers] == disabled


async def test_one_reply_at_a_time() -> None:
    """While a reply is being written, another text is not sent, and stays where it was typed."""
    api = Api(streamed(["One ", "two"], first=1, gap=1), clock=HandClock())
    box = ChatBox(api.conversation(AsyncConversation))
    box._submit("First")
    box.text.value = "Second"
    box._submit()
    assert "still being written" in box.status.value
    assert box.text.value == "Second"
    with pytest.raises(RuntimeError, match="still being written"):
        await box.say("Third")
    await api.reach(100)
    await ready(box)
    assert len(api.requests) == 1


async def test_summaries_have_their_own_receipt() -> None:
    """A turn with a summary shows two receipts and says which is which."""
    meter = Meter()
    box = ChatBox(
        Api().conversation(AsyncConversation, Summarize(over=0, keep=0)),
        meter=meter,
    )
    await box.say("Hi")
    await box.say("Again")
    assert "summary of older turns: 14 in" in read(box)
    assert len(meter.ledger) == 3


async def test_an_old_conversation_is_shown_and_long_ones_in_part() -> None:
    """The box starts with the newest of the existing turns, and its static output is what it
    shows.
    """
    conversation = Api().conversation(Conversation, SlidingWindow(0))
    for number in range(SHOWN + 2):
        conversation.send(f"question {number}.")
    box = ChatBox(conversation)
    assert "2 older turns are not shown." in read(box)
    assert "question 1." not in read(box)
    assert "question 2." in read(box)
    bundle = box._repr_mimebundle_()
    assert bundle["text/html"] == box.shown.value
    assert bundle["text/plain"] == "The chat box (run the notebook to use it)"


def test_tools_and_pictures_are_named() -> None:
    """A call is shown with its function and arguments, a part that is not text with its kind, and a
    result with its text.
    """
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"<b>"}'},
    }
    image = {
        "type": "image_url",
        "image_url": {"url": "https://a.example/x.png"},
    }
    messages = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "What is it?"}, image],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "Sun"},
    ]
    assert [said(message) for message in messages] == [
        "What is it?\n[image_url]",
        '[calls weather with {"city":"<b>"}]',
        "Sun",
    ]
    assert "Sun" in Reader(transcript([turn(messages)])).text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_text_is_shown_and_harmless(text: str) -> None:
    """Whatever the user and the model write, the HTML contains only the box's own tags and safe
    attributes, well nested.
    """
    reply = sendable(text)  # UTF-8 has no halves
    events = [
        ({"content": piece}, None) for piece in (reply[:7], reply[7:])
    ] + [({}, "stop")]
    answer = ApiAnswer(
        events=tuple(Event(0, sse(chunk(delta, end))) for delta, end in events)
    )
    box = ChatBox(Api(answer).conversation(AsyncConversation))
    await box.say(text)
    assert [
        message["content"] for message in box.conversation.messages[1:]
    ] == [
        reply,
        reply,
    ]
    shown = Reader(box.shown.value)
    assert all(
        link.startswith("https://a.example")
        or link.startswith("http://127.0.0.1:9/")
        for link in shown.links
    )
    assert "\0" not in box.shown.value
    box.shown.value.encode()  # the browser gets UTF-8
    visible = [word for word in text.split()[:1] if word.isalpha()]
    assert all(word in shown.text for word in visible)
    problem = Reader(
        transcript([turn([{"role": text, "content": text}], [text], text)])
    )
    assert problem.links == []


async def test_a_million_characters_are_cut_in_sight() -> None:
    """A reply with a million characters is kept in full, is shown in part, and does not stop the
    box.
    """
    text = "<b>x</b> " * 111_112
    box = ChatBox(Api(streamed([text])).conversation(AsyncConversation))
    await box.say("More!")
    assert box.conversation.messages[-1]["content"] == text
    assert f"{len(text) - CHARACTERS:,} more characters, not shown" in read(box)
    assert len(box.shown.value) < 300_000


@given(st.text())
def test_any_text_is_safe_html(text: str) -> None:
    """Whatever the text, as Markdown or plain, the HTML contains only allowed tags, all closed."""
    for html in (markdown(text), plain(text)):
        assert all(
            link.split(":")[0] not in ("javascript", "vbscript", "file")
            for link in Reader(html).links
        )
        html.encode()


def test_markdown_is_rendered() -> None:
    """Lists, code, tables, emphasis, and links are rendered. A link shows its target and opens in a
    new tab.
    """
    html = markdown(
        "# T\n\n- a\n- "
        "`<b>`\n\n|x|\n|-|\n|1|\n\n[doc](https://a.example/?q=1&r=2)\n\n```sql\nSELECT 1 < 2;\n```"
    )
    for part in (
        "<h1>T</h1>",
        "<li>a</li>",
        "<code>&lt;b&gt;</code>",
        "<td>1</td>",
        "SELECT 1 &lt; 2;",
    ):
        assert part in html
    assert (
        'rel="noopener noreferrer nofollow" title="https://a.example/?q=1&amp;r=2"'
        in html
    )


def test_control_characters_are_shown_as_pictures() -> None:
    """NUL, escape, and delete become visible signs; tabs and line ends stay unchanged."""
    assert (
        plain("a\0\x1b\x7f\tb\r\nc").removeprefix(
            '<div style="white-space:pre-wrap">'
        )
        == "a␀␛␡\tb\nc</div>"
    )


async def test_every_control_has_a_label() -> None:
    """A screen reader can name every control."""
    box = ChatBox(Api().conversation(AsyncConversation), offers=["Hi"])
    assert all(
        control.description
        for control in (box.text, box.send_button, box.stop_button, *box.offers)
    )


def test_only_a_conversation_can_be_shown() -> None:
    """If the argument is a client instead of a conversation, the message says how to make one."""
    with pytest.raises(TypeError, match=r"ChatBox\(Conversation\(client\)\)"):
        ChatBox(Api().conversation(Conversation).client)


def test_outside_of_a_notebook() -> None:
    """Without an event loop, there is a clear error immediately."""
    with pytest.raises(RuntimeError, match="running event loop"):
        ChatBox(Api().conversation(Conversation))
