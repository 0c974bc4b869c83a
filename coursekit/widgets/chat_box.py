"""Lab for chapter 03: a chat box for any conversation. It streams replies, shows receipts and
errors, and can be stopped.

JupyterLab handles clicks in a separate thread (a kernel's "subshell"), and a client belongs to one
event loop. So a callback only passes its work to the loop in which the box was created, which is
the one that runs the cells. There, a reply is a task, and Stop cancels it. An ``Echo`` makes sure
that the text has arrived before the Enter key is handled.

Taught in 03, lab.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from html import escape
from typing import Any

import ipywidgets as widgets

from ..conversation import AsyncConversation, Conversation, Turn
from ..metering import Meter
from .chat_view import transcript, turn
from .lab import NATURAL, Echo, Lab, Press, row
from .safe_html import sendable

SHOWN = 20  # turns; older ones are not drawn
PAUSE = 0.05  # seconds between two updates of a reply that is being written
BUSY = "The last reply is still being written: wait for it, or stop it."
UNCHANGED = "Nothing was added to the conversation."


class ChatBox(Lab):
    """Talk to a model.

    conversation  a Conversation, or an AsyncConversation, which can be stopped at any moment; a
                  Conversation is stopped when its next piece arrives
    meter         records the calls; None: a new one
    offers        texts that can be sent with a click, once each; in replay mode, use recorded ones

    The conversation appears above the input line. A reply that failed or was stopped is shown, but
    does not become part of the conversation. Where widgets cannot be shown (on the web, in print),
    the output is the conversation so far.

    Raises TypeError for anything but a conversation, and RuntimeError if no event loop is running,
    that is, outside a notebook.
    """

    title = "The chat box"

    def __init__(
        self,
        conversation: Conversation | AsyncConversation,
        *,
        meter: Meter | None = None,
        offers: Iterable[str] = (),
    ) -> None:
        if not isinstance(conversation, Conversation | AsyncConversation):
            raise TypeError(
                f"A chat box needs a conversation, but got {type(conversation).__name__}. "
                "Pass one: ChatBox(Conversation(client))."
            )
        try:
            self._home = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "A chat box needs a running event loop. Create it in a notebook, which has one."
            ) from None
        self.conversation = conversation
        self.meter = meter or Meter(conversation.client)
        self._reply: asyncio.Task[None] | None = None
        self._echo = Echo()
        self.now, self.status = widgets.HTML(), widgets.HTML()
        self.text = widgets.Text(
            description="You",
            placeholder="Type here and press Enter",
            continuous_update=False,
            layout={"flex": "1 1 20em"},
            style=NATURAL,
        )
        self.text.on_msg(self._on_key)
        narrow = {"layout": {"width": "max-content"}}
        self.send_button = Press(
            lambda: self._at_home(self._submit),
            self._echo,
            description="Send",
            tooltip="Send the text",
            **narrow,
        )
        self.stop_button = widgets.Button(
            description="Stop",
            tooltip="Stop the reply",
            disabled=True,
            **narrow,
        )
        self.stop_button.on_click(lambda _: self._at_home(self.stop))
        self.offers = [
            widgets.Button(description=text, tooltip=f"Send: {text}", **narrow)
            for text in offers
        ]
        for button in self.offers:
            button.on_click(
                lambda clicked: self._at_home(self._submit, clicked.description)
            )
        line = row(self.text, self.send_button, self.stop_button)
        super().__init__(line)
        turns = widgets.VBox(
            [self.shown, self.now],
            layout={"overflow": "visible", "flex": "none"},
        )
        # A single child in a reversed column: the browser keeps its end in view while it grows.
        log = widgets.Box(
            [turns],
            tabbable=True,
            layout={
                "display": "flex",
                "flex_flow": "column-reverse",
                "max_height": "32em",
                "overflow": "auto",
            },
        )
        offered = [row(*self.offers)] if self.offers else []
        self.children = [log, *offered, line, self.status]
        self._say("Ready.")

    async def say(self, text: str) -> None:
        """Send ``text`` as if it had been typed, and wait until the reply is complete, has failed,
        or was stopped.

        Raises RuntimeError while an earlier reply is being written.
        """
        await asyncio.wait([self._start(text)])

    def stop(self) -> None:
        """Stop the reply that is being written. If there is none, nothing happens."""
        if self._reply is not None:
            self._reply.cancel()
            self.stop_button.disabled = True
            self._say("Stopping …")

    def _at_home(self, work: Callable[..., object], *args: Any) -> None:
        self._home.call_soon_threadsafe(work, *args)

    def _on_key(self, _: Any, content: Any, buffers: Any) -> None:
        if content.get("event") == "submit":
            # the text arrives after the key
            self._echo.call(lambda: self._at_home(self._submit))

    def _submit(self, text: str | None = None) -> None:
        text = text or self.text.value
        if self._reply is not None:
            self._say(BUSY)
        elif text.strip():
            self._start(text)

    def _start(self, text: str) -> asyncio.Task[None]:
        if self._reply is not None:
            raise RuntimeError(BUSY)
        text, calls = sendable(text), len(self._calls())
        pieces: list[str] = []
        self._reply = self._home.create_task(self._read(text, pieces))
        self._reply.add_done_callback(
            lambda task: self._settle(task, text, pieces, calls)
        )
        self.text.value = ""
        self.send_button.disabled, self.stop_button.disabled = True, False
        self._draw_now(text, pieces)
        self._say("Waiting for the reply …")
        return self._reply

    async def _read(self, text: str, pieces: list[str]) -> None:
        drawn = 0.0
        async with aclosing(_pieces(self.conversation, text)) as stream:
            async for piece in stream:
                pieces.append(piece)
                if self._home.time() - drawn >= PAUSE:
                    self._draw_now(text, pieces)
                    self._say("Writing …")
                    drawn = self._home.time()

    def _settle(
        self, task: asyncio.Task[None], text: str, pieces: list[str], calls: int
    ) -> None:
        """Show whether the reply is complete, was stopped, or has failed."""
        self._reply = None
        self.send_button.disabled, self.stop_button.disabled = False, True
        error = None if task.cancelled() else task.exception()
        for call in self._calls()[calls:]:
            self.meter.add(call)
        self.draw()
        if task.cancelled() or error:
            problem = "Stopped. "
            if error:
                problem = f"{type(error).__name__}: {error}\n"
            problem += UNCHANGED
            self._draw_now(text, pieces, problem)
            self.text.value = self.text.value or text  # to send it again
        else:
            self.now.value = ""
            for button in self.offers:
                button.disabled |= button.description == text
        self._say("Failed: see above." if error else "Ready.")

    def _calls(self) -> list[dict[str, Any]]:
        """Return the calls so far that are part of the conversation."""
        return [call for said in self.conversation.turns for call in said.calls]

    def picture(self) -> str:
        """Return the newest turns in the conversation."""
        turns = self.conversation.turns
        shown = [*map(self._turn, turns[-SHOWN:])]
        if older := len(turns[:-SHOWN]):
            shown.insert(
                0, f"<p><i>{older:,} older turns are not shown.</i></p>"
            )
        return transcript(shown)

    def _turn(self, said: Turn) -> str:
        meter = Meter(self.conversation.client)  # only for the receipts
        summary = {"reply": "", "summary": "summary of older turns: "}
        receipts = [
            f"{summary[call['purpose']]}{meter.add(call)!r}"
            for call in said.calls
        ]
        return turn(said.messages, receipts)

    def _draw_now(
        self, text: str, pieces: list[str], problem: str = ""
    ) -> None:
        said = [{"role": "user", "content": text}]
        if pieces:
            said.append({"role": "assistant", "content": "".join(pieces)})
        self.now.value = transcript([turn(said, problem=problem)])

    def _say(self, status: str) -> None:
        line = f"<b>{escape(status)}</b> {escape(repr(self.meter))}"
        self.status.value = (
            f'<div role="status" style="line-height:1.45">{line}</div>'
        )


async def _pieces(
    conversation: Conversation | AsyncConversation, text: str
) -> AsyncGenerator[str, None]:
    """Yield the reply as it arrives, for either kind of conversation, without blocking the event
    loop.
    """
    if isinstance(conversation, AsyncConversation):
        async for piece in conversation.stream(text):
            yield piece
        return
    stream = conversation.stream(text)
    while True:
        waiting = asyncio.create_task(asyncio.to_thread(next, stream, None))
        try:
            part = await asyncio.shield(waiting)
        except asyncio.CancelledError:
            # it was complete before it could be stopped
            if await waiting is None:
                return
            stream.close()  # type: ignore[attr-defined]  # a generator: hangs up
            raise
        if part is None:
            return
        yield part
