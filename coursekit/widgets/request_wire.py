"""Lab of chapter 00: one request on its way, and three different ends of the wire.

Only the end changes, never the request. Taught in 00, "Open the box".
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import httpx2
import ipywidgets as widgets
import openai

from ..client import connect
from ..foundation.markup import rect, svg, text
from ..foundation.palette import BLUE, GRAY, GREEN, RIGHT
from .lab import Lab

ASKED = {
    "model": "gpt-4o",
    "messages": [
        {
            "role": "user",
            "content": "What does API stand for? Answer in one sentence.",
        }
    ],
}

# The drawing, in its own units: four boxes on two lanes.
WIDTH, HEIGHT, TOP, BOX_HEIGHT = 564, 132, 8, 112
THERE, BACK = 30, 98  # the lanes, above and below the words
PROGRAM, SDK, TRANSPORT, END = (4, 94), (142, 60), (246, 118), (408, 152)
PACKET = (40, 20)
TRAVEL = 330  # from where a packet begins to where it rests
# Once, for less than five seconds; without motion where the reader wants none.
MOTION = f"""<style>@media (prefers-reduced-motion: no-preference) {{
.coursekit-request-there {{ animation: coursekit-there 1.6s ease-in-out both }}
.coursekit-request-back {{ animation: coursekit-back 1.6s ease-in-out 1.9s both }} }}
@keyframes coursekit-there {{ from {{ transform: translateX(-{TRAVEL}px) }} }}
@keyframes coursekit-back {{ from {{ opacity: 0; transform: translateX({TRAVEL}px) }} }}
</style>"""


@dataclass(frozen=True)
class WireEnd:
    """What is at the other end of the wire.

    transport  the class that the client hands its requests to
    does       what happens to a request there
    costs      what it costs, in words
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
    """Send the question: the request as text, without its key, and the text of the reply."""
    raw = client.chat.completions.with_raw_response.create(**ASKED)  # type: ignore[call-overload]
    sent = raw.http_request
    request = (
        f"{sent.method} {sent.url}\nauthorization: Bearer …\n\n"
        f"{sent.content.decode()}"
    )
    return request, raw.parse().choices[0].message.content


def view(end: str, request: str, answer: str) -> str:
    """The request's path to an end and back, and the bytes, as HTML; a pure function.

    end  one of ENDS
    """
    shown = ENDS[end]
    alt = (
        f"A request goes from your program through the SDK and its transport, {shown.transport}, "
        f"to {end}, which {shown.does}. The answer comes back the same way."
    )
    boxes = (
        _box(PROGRAM, "your program", "create(…)")
        + _box(SDK, "the SDK", "openai")
        + _box(TRANSPORT, "transport", shown.transport)
        + _box(END, end, shown.does, GREEN)
    )
    picture = svg(
        alt,
        WIDTH,
        HEIGHT,
        MOTION
        + _lanes()
        + boxes
        + _packet("there", TRANSPORT, END, THERE, "POST", BLUE)
        + _packet("back", PROGRAM, SDK, BACK, "200", RIGHT),
        font=13,
    )
    return (
        f'<div class="coursekit-request" style="line-height:1.5">{picture}'
        f"<p><b>The request</b></p>{_bytes(request, BLUE)}"
        f"<p><b>The answer from {end}.</b> {shown.costs}</p>{_bytes(answer, GREEN)}</div>"
    )


def _bytes(words: str, color: str) -> str:
    look = (
        "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;"
        f"border-left:4px solid {color};padding-left:8px"
    )
    return f'<pre style="{look}">{escape(words)}</pre>'


def _box(
    place: tuple[int, int], name: str, below: str, color: str = GRAY
) -> str:
    x, width = place
    middle = x + width / 2
    look = f'rx="6" fill="none" stroke="{color}" stroke-width="2"'
    return (
        rect(x, TOP, width, BOX_HEIGHT, look)
        + text(middle, TOP + BOX_HEIGHT / 2 - 2, name, "middle")
        + text(middle, TOP + BOX_HEIGHT / 2 + 16, below, "middle")
    )


def _lanes() -> str:
    """Both lanes, in the gaps between the boxes, each with an arrow at its end."""
    gaps = [
        (left[0] + left[1], right[0])
        for left, right in ((PROGRAM, SDK), (SDK, TRANSPORT), (TRANSPORT, END))
    ]
    parts = []
    for start, stop in gaps:
        parts.append(_arrow(start + 3, stop - 3, THERE))
        parts.append(_arrow(stop - 3, start + 3, BACK))
    return "".join(parts)


def _arrow(start: float, stop: float, y: float) -> str:
    tip = stop - 6 if stop > start else stop + 6
    return (
        f'<path d="M{start} {y}H{stop}M{tip} {y - 4}L{stop} {y}L{tip} {y + 4}" fill="none" '
        f'stroke="{GRAY}" stroke-width="1.5"/>'
    )


def _packet(
    way: str,
    left: tuple[int, int],
    right: tuple[int, int],
    y: float,
    words: str,
    color: str,
) -> str:
    """A packet where it rests: in the gap between two boxes."""
    width, height = PACKET
    middle = (left[0] + left[1] + right[0]) / 2
    box = rect(
        middle - width / 2,
        y - height / 2,
        width,
        height,
        f'rx="3" fill="{color}"',
    )
    label = text(middle, y + 4, words, "middle").replace(
        "<text", '<text fill="#fff"', 1
    )
    return f'<g class="coursekit-request-{way}">{box}{label}</g>'


class RequestWire(Lab):
    """The lab: switch the end of the wire and see the same request arrive there.

    Sends the question to a function and to the course's recordings, once; never to the real API.
    """

    title = "One request, three ends"

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
        self.end = widgets.ToggleButtons(
            options=list(ENDS),
            description="Who answers",
            style={"description_width": "initial"},
        )
        super().__init__([self.end], [self.end])

    def picture(self) -> str:
        return view(self.end.value, *self.exchanges[self.end.value])
