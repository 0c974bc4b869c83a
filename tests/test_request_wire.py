"""One request, three destinations: the request is the same for each of them, and nothing is sent
anywhere.
"""

from __future__ import annotations

import httpx2
import openai
import pytest

from coursekit.widgets.request_wire import (
    ENDS,
    MOTION,
    RequestWire,
    exchange,
    view,
)


@pytest.fixture(scope="module")
def lab() -> RequestWire:
    return RequestWire()


def test_the_request_is_the_same_for_every_end(lab: RequestWire) -> None:
    """The address and the body do not change, and the key is not shown."""
    requests = {request for request, _ in lab.exchanges.values()}
    assert len(requests) == 1
    (request,) = requests
    assert request.startswith("POST https://api.openai.com/v1/chat/completions")
    assert '"content":"What does API stand for?' in request
    assert "any words" not in request


def test_a_live_client_sends_that_request_too(lab: RequestWire) -> None:
    """At the boundary to the network, the request to the real API is the one in the drawing."""

    def network(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"choices": [{"message": {}}]})

    live = openai.OpenAI(
        api_key="a secret",
        http_client=httpx2.Client(transport=httpx2.MockTransport(network)),
    )
    request, _ = exchange(live)
    assert request == lab.exchanges["the real API"][0]


def test_the_transports_are_named_as_they_are() -> None:
    """The class names in the drawing are the clients' real ones."""
    real = openai.OpenAI(api_key="a secret")
    assert type(real._client._transport).__name__ == (
        ENDS["the real API"].transport
    )


@pytest.mark.parametrize("end", ENDS)
def test_each_end_has_its_answer(lab: RequestWire, end: str) -> None:
    """The control switches the picture, whose text for screen readers names the transport and the
    destination.
    """
    lab.end.value = end
    request, answer = lab.exchanges[end]
    assert lab.shown.value == view(end, request, answer)
    assert answer in lab.shown.value
    assert f"{ENDS[end].transport}, to {end}" in lab.shown.value


def test_the_answers_are_those_of_function_and_recording(
    lab: RequestWire,
) -> None:
    """The answer is the function's, the recorded one, or none at all for the real API."""
    answers = [answer for _, answer in lab.exchanges.values()]
    assert answers[0] == "I am a Python function."
    assert answers[1].startswith("API stands for Application Programming")
    assert answers[2] == "(whatever the model writes)"


def test_nothing_moves_for_those_who_want_no_motion() -> None:
    """Every animation is inside the media query, runs once, and ends in less than five seconds."""
    inside, after = MOTION.split("@keyframes", 1)
    assert "prefers-reduced-motion: no-preference" in inside
    assert "animation" not in after
    assert inside.count("animation:") == 2
    assert "infinite" not in inside
