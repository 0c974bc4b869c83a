"""Lab for chapter 02: the sampling parameters applied to real next-token distributions, a garden of
texts that grows from one of them, and the same settings as a request. Taught in 02, lab.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
import openai

from .. import course, models
from ..foundation.palette import GRAY
from ..logits import Distribution, distribution_names, load_distribution
from ..metering import Meter, Receipt
from ..offline.exchange import CHAT_COMPLETIONS, ApiRequest
from ..offline.miss import RecordingNotFound
from ..offline.recordings import Recordings
from ..sampling import sample
from ..wired import wired_to
from .lab import Echo, Lab, Press, menu, row, slider
from .safe_html import plain, sendable
from .sampling_view import Settings, compared, request_of, settings_of, view
from .token_text import percent, visible

LIMIT = 60  # max_completion_tokens in the request
MORE = 20  # draws per press of the button
NEXT = 8  # number of tokens that have their own button
SLIDERS = {
    "temperature": (0, 2, 0.05),
    "top_p": (0, 1, 0.01),
    "frequency_penalty": (-2, 2, 0.1),
    "presence_penalty": (-2, 2, 0.1),
}
LOOK: dict[str, Any] = {
    "style": {"description_width": "9.5em"},
    "layout": {"width": "98%"},
}
# not None, for which ipywidgets would show nothing at all
CHOOSE = ("choose …", "")


class SamplingLab(Lab):
    """The lab: move a slider and see the distribution change, draw from it, let the text grow token
    by token, and send the same settings to the API.

    client      from ``connect()``; only "Send" sends requests
    meter       records the replies; None: the lab's own
    prompt      the initial prompt, one of ``logits.distribution_names()``
    model       the model that "Send" requests
    recordings  the folder that replay mode uses; None: the course's own
    """

    title = "The sampling lab"

    def __init__(
        self,
        client: Any,
        meter: Meter | None = None,
        *,
        prompt: str = "traffic_light",
        model: str | None = None,
        recordings: Recordings | None = None,
    ) -> None:
        self.client, self.meter = client, meter or Meter(client)
        self.model = model or models.CHAT
        self.recordings = recordings or Recordings(course.recording_folders())
        self.draws, self.path = 0, tuple[str, ...]()
        ends = [
            (load_distribution(name).text.splitlines()[-1], name)
            for name in distribution_names()
        ]
        self.prompt = menu("prompt ends in", ends, prompt, **LOOK)
        self.recorded = menu("recorded", [CHOOSE], CHOOSE[1], **LOOK)
        self.sliders = {
            name: slider(name, value, *SLIDERS.get(name, (0, 100, 1)), **LOOK)
            for name, value in asdict(Settings()).items()
        }
        button = partial(Press, echo=Echo(), layout={"width": "auto"})
        changing = partial(partial, self._change)
        self.sample = button(
            changing(self._sample),
            description=f"Sample {MORE}",
            tooltip=f"Draw {MORE} more tokens with this seed",
        )
        self.reset = button(
            changing(self._reset),
            description="Reset",
            tooltip="The API's defaults, no draws",
        )
        self.send = button(
            self._send_request,
            description="Send",
            tooltip="Send the current text with these settings through the client",
        )
        self.draw_one = button(
            changing(self._draw_one),
            description="Draw a token",
            tooltip="Draw the next token and add it",
        )
        self.back = button(
            changing(self._step_back),
            description="Step back",
            tooltip="Remove the last token",
        )
        self.next = [
            button(
                changing(self._grow, place),
                tooltip="Add this token to the text",
            )
            for place in range(NEXT)
        ]
        self.growing = row(self.draw_one, self.back, *self.next)
        self.answer = widgets.HTML()
        setting = widgets.VBox(
            [
                self.prompt,
                *self.sliders.values(),
                row(self.sample, self.reset, self.send),
                self.recorded,
            ],
            layout={"flex": "1 1 22em", "max_width": "30em"},
        )
        super().__init__(setting, **self.sliders)
        side = widgets.VBox(
            [self.growing, self.shown],
            layout={"flex": "1 1 36em", "min_width": "0", "max_width": "100%"},
        )
        self.children = [row(setting, side), self.answer]
        self._offer()
        self.prompt.observe(self._begin, "value")
        self.recorded.observe(self._choose, "value")

    @property
    def distribution(self) -> Distribution:
        """The distribution of the chosen prompt."""
        return load_distribution(self.prompt.value)

    @property
    def settings(self) -> Settings:
        """The sliders' current settings."""
        # With a step of 0.05, a slider can return 0.7000000000000001, which is not a recorded
        # temperature.
        return Settings(
            **{name: round(value, 4) for name, value in self.values.items()}
        )

    def use(self, settings: Settings) -> None:
        """Move all sliders to these settings."""
        with self.lock:
            for name, value in asdict(settings).items():
                self.sliders[name].value = value

    def picture(self) -> str:
        return view(self.distribution, self.settings, self.draws, self.path)

    def draw(self, _: Any = None) -> None:
        with self.lock:
            start = self.distribution
            grows = start.name == start.garden.root
            self.growing.layout.display = None if grows else "none"
            if grows:
                self._name_the_next()
            super().draw()

    @property
    def reached(self) -> Distribution | None:
        """The distribution after the current text; None: it is not recorded."""
        start = self.distribution
        return start.garden.after(start, self.path)

    def _name_the_next(self) -> None:
        """Label the buttons with the most probable tokens; the button of a token that cannot be
        drawn is disabled.
        """
        reached = self.reached
        self.back.disabled = not self.path
        self.draw_one.disabled = reached is None
        result = compared(reached, self.settings) if reached else None
        for place, button in enumerate(self.next):
            button.layout.display = None if result else "none"
            if reached and result:
                index = int(result.shown[place])
                share = float(result.after[index])
                button.description = (
                    f"{visible(reached.token(index))} {percent(share)}"
                )
                button.disabled = share == 0

    def _change(self, work: Callable[..., object], *args: Any) -> None:
        """Handle a button, and draw."""
        with self.lock:
            work(*args)
            self.draw()

    def _grow(self, place: int) -> None:
        if reached := self.reached:
            index = compared(reached, self.settings).shown[place]
            self._add(reached.token(int(index)))

    def _draw_one(self) -> None:
        if reached := self.reached:
            generator = np.random.default_rng(
                [self.settings.seed, len(self.path)]
            )
            after = compared(reached, self.settings).after
            (index,) = sample(after, generator, 1)
            self._add(reached.token(int(index)))

    def _add(self, token: str) -> None:
        self.path, self.draws = (*self.path, token), 0

    def _step_back(self) -> None:
        self.path, self.draws = self.path[:-1], 0

    def _sample(self) -> None:
        self.draws += MORE

    def _reset(self) -> None:
        self.draws, self.path, self.recorded.value = 0, (), CHOOSE[1]
        self.use(Settings())

    def _begin(self, _: Any) -> None:
        """Start with a new prompt: offer what is recorded for it, and clear the draws and the
        answer.
        """
        with self.lock:
            self._offer()
            self.draws, self.path, self.answer.value = 0, (), ""
            self.draw()

    def _offer(self) -> None:
        """Offer the settings that are recorded for the prompt."""
        wired = wired_to(self.client)
        found = []
        if wired is not None and wired.journal.mode.is_free:
            found = recorded_settings(
                self.distribution, self.model, self.recordings
            )
        offers = [(str(settings), settings) for settings in found]
        self.recorded.options = [CHOOSE, *offers]
        self.recorded.layout.display = None if found else "none"

    def _choose(self, change: Any) -> None:
        if change["new"]:
            self.use(change["new"])

    def _send_request(self) -> None:
        with self.lock:  # not held during the API call
            settings = self.settings
            offers = [option for _, option in self.recorded.options if option]
            request = request_of(
                self.distribution,
                settings,
                self.model,
                LIMIT,
                grown="".join(self.path),
            )
        try:
            reply = self.client.chat.completions.create(**request)
        except RecordingNotFound:
            self.answer.value = missed(settings, offers)
        except openai.OpenAIError as error:
            name = type(error).__name__
            self.answer.value = f"<p><b>{name}</b></p>{plain(str(error))}"
        else:
            self.answer.value = answered(request, reply, self.meter.add(reply))


def recorded_settings(
    distribution: Distribution, model: str, recordings: Recordings
) -> list[Settings]:
    """Return the settings for which replay can answer what "Send" sends for this prompt, by
    temperature.
    """
    body = request_of(distribution, Settings(), model, LIMIT)
    request = ApiRequest("POST", CHAT_COMPLETIONS, json.dumps(body).encode())
    found = []
    for other in recordings.alike(request):
        settings = settings_of(other.body)
        # Only requests that differ in these settings alone.
        if request_of(distribution, settings, model, LIMIT) == other.body:
            found.append(settings)
    return sorted(found, key=lambda settings: tuple(asdict(settings).values()))


def answered(request: Any, reply: Any, receipt: Receipt) -> str:
    """Send the request. Returns its settings, and the reply with its model and receipt, as HTML."""
    choice = reply.choices[0]
    sent = [
        f"{name}={value!r}"
        for name, value in request.items()
        if name != "messages"
    ]
    question = escape(request["messages"][0]["content"])
    receipt_line = (
        f"{reply.model} · finish_reason {choice.finish_reason} · {receipt!r}"
    )
    return (
        '<div class="coursekit-reply" style="line-height:1.5"><p><b>Sent</b> '
        f'<span style="font-family:monospace">{question}<br>{escape(", ".join(sent))}</span></p>'
        f'<div style="padding:8px;border:1px solid {GRAY}">{plain(choice.message.content or "")}'
        f"</div><p>{escape(sendable(receipt_line))}</p></div>"
    )


def missed(settings: Settings, offers: list[Settings]) -> str:
    """Return what to do if these settings are not recorded, as HTML; other settings may be."""
    offer = "This prompt has no recordings; if a prompt has any, <b>recorded</b> lists them."
    if offers:
        choices = "".join(f"<li>{escape(str(each))}</li>" for each in offers)
        offer = (
            "This prompt has recorded answers for the following settings; choose one under "
            f"<b>recorded</b>:<ul>{choices}</ul>"
        )
    return (
        f"<p><b>There is no recording for this request</b> ({escape(str(settings))}), and replay "
        f"mode does not call a model. {offer}</p><p>To let a small model on your machine answer, "
        'use <code>connect(fallback="local")</code> once it is installed (<code>%run -m coursekit '
        "local install</code> in a cell). To call the real API, use "
        '<code>connect(mode="live")</code>, which costs money.</p>'
    )
