"""Lab for chapter 00: one request and its way to three destinations.

Only the destination changes, never the request. Taught in 00, "Open the box".
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import httpx2
import ipywidgets as widgets
import openai

from ..client import connect
from ..foundation.markup import svg
from ..foundation.palette import BLUE, GRAY, GREEN, RIGHT
from .lab import NATURAL, Lab

PARAMS = {
    "model": "gpt-4o",
    "messages": [
        {
            "role": "user",
            "content": "What does API stand for? Answer in one sentence.",
        }
    ],
}

# The packets move once, for less than five seconds, and not at all if the reader prefers reduced
# motion. They travel 330 units from their start to their final position.
MOTION = """<style>@media (prefers-reduced-motion: no-preference) {
.coursekit-request-there { animation: coursekit-there 1.6s ease-in-out both }
.coursekit-request-back { animation: coursekit-back 1.6s ease-in-out 1.9s both } }
@keyframes coursekit-there { from { transform: translateX(-330px) } }
@keyframes coursekit-back { from { opacity: 0; transform: translateX(330px) } }
</style>"""
# Four boxes; between them are an arrow there and an arrow back, each with its packet.
WIDTH, HEIGHT = 564, 132
ARROWS = f"""<g fill="none" stroke="{GRAY}" stroke-width="1.5">
<path d="M101 30h38m-6 -4l6 4l-6 4"/><path d="M139 98h-38m6 -4l-6 4l6 4"/>
<path d="M205 30h38m-6 -4l6 4l-6 4"/><path d="M243 98h-38m6 -4l-6 4l6 4"/>
<path d="M367 30h38m-6 -4l6 4l-6 4"/><path d="M405 98h-38m6 -4l-6 4l6 4"/></g>"""
BOXES = f"""<g fill="none" stroke="{GRAY}" stroke-width="2">
<rect x="4" y="8" width="94" height="112" rx="6"/>
<rect x="142" y="8" width="60" height="112" rx="6"/>
<rect x="246" y="8" width="118" height="112" rx="6"/>
<rect x="408" y="8" width="152" height="112" rx="6" stroke="{GREEN}"/></g>"""
PACKETS = f"""<g class="coursekit-request-there">
<rect x="366" y="20" width="40" height="20" rx="3" fill="{BLUE}"/>
<text x="386" y="34" fill="#fff">POST</text></g>
<g class="coursekit-request-back">
<rect x="100" y="88" width="40" height="20" rx="3" fill="{RIGHT}"/>
<text x="120" y="102" fill="#fff">200</text></g>"""


@dataclass(frozen=True)
class WireEnd:
    """What is at the other end of the wire.

    transport  the class that the client passes its requests to
    does       what happens to a request at this end
    costs      what the request costs, in words
    """

    transport: str
    does: str
    costs: str


ENDS = {
    "your function": WireEnd(
        "MockTransport", "calls answer(request)", "Nothing leaves this machine."
    ),
    "the recordings": WireEnd(
        "OfflineTransport", "looks up the body", "Nothing leaves this machine."
    ),
    "the real API": WireEnd(
        "HTTPTransport",
        "a model writes",
        "Not sent here: it needs a key and costs money.",
    ),
}


def _from_function(_: httpx2.Request) -> httpx2.Response:
    message = {"role": "assistant", "content": "I am a Python function."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return httpx2.Response(200, json={"choices": [choice]})


def exchange(client: openai.OpenAI) -> tuple[str, str]:
    """Send the question. Returns the request as text, without its key, and the reply's text."""
    raw = client.chat.completions.with_raw_response.create(**PARAMS)  # type: ignore[call-overload]
    sent = raw.http_request
    request = (
        f"{sent.method} {sent.url}\nauthorization: Bearer …\n\n"
        f"{sent.content.decode()}"
    )
    return request, raw.parse().choices[0].message.content


def view(end: str, request: str, answer: str) -> str:
    """Return the request's path to an end and back, and the bytes, as HTML; a pure function.

    end  one of ENDS
    """
    shown = ENDS[end]
    alt = (
        f"A request goes from your program through the SDK and its transport, {shown.transport}, "
        f"to {end}, which {shown.does}. The answer comes back the same way."
    )
    words = f"""<text x="51" y="62">your program</text><text x="51" y="80">create(…)</text>
<text x="172" y="62">the SDK</text><text x="172" y="80">openai</text>
<text x="305" y="62">transport</text><text x="305" y="80">{shown.transport}</text>
<text x="484" y="62">{end}</text><text x="484" y="80">{shown.does}</text>"""
    parts = (
        f'{MOTION}{ARROWS}{BOXES}<g text-anchor="middle">{words}{PACKETS}</g>'
    )
    return (
        '<div class="coursekit-request" style="line-height:1.5">'
        f"{svg(alt, WIDTH, HEIGHT, parts, font=13)}"
        f"<p><b>The request</b></p>{_bytes(request, BLUE)}"
        f"<p><b>The answer from {end}.</b> {shown.costs}</p>{_bytes(answer, GREEN)}</div>"
    )


def _bytes(words: str, color: str) -> str:
    look = (
        "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;"
        f"border-left:4px solid {color};padding-left:8px"
    )
    return f'<pre style="{look}">{escape(words)}</pre>'


class RequestWire(Lab):
    """The lab: switch the end of the wire and see the same request arrive there.

    The question is sent once to a function and once to the course's recordings, but never to the
    real API.
    """

    title = "One request, three destinations"

    def __init__(self) -> None:
        function = openai.OpenAI(
            api_key="any words will do",
            http_client=httpx2.Client(
                transport=httpx2.MockTransport(_from_function)
            ),
        )
        request, answer = exchange(function)
        self.exchanges = {
            "your function": (request, answer),
            "the recordings": exchange(connect("replay", speed="instant")),
            "the real API": (request, "(whatever the model writes)"),
        }
        end = widgets.ToggleButtons(
            options=list(ENDS), description="Who answers", style=NATURAL
        )
        super().__init__(end, end=end)

    def picture(self) -> str:
        return view(self.end.value, *self.exchanges[self.end.value])
