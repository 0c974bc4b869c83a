"""Lab of chapter 05: four ways of sending the same requests, under limits that you set."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..throughput import Load
from .lab import Lab
from .throughput_view import view

LOOK: dict[str, Any] = {
    "style": {"description_width": "11em"},
    "layout": {"width": "46%", "min_width": "27em"},
}


class ThroughputLab(Lab):
    """The lab: move a slider, and see which requests are answered, when, and which are refused.

    load  where the controls stand first; its number of requests stays

    Where no widget can be shown (on the web, in print), the output is the first picture.
    """

    title = "The throughput lab"

    def __init__(self, load: Load | None = None) -> None:
        load = load or Load()
        self.requests = load.requests
        self.concurrency = _slider("Under way at once", 1, 60, 1, load.concurrency)
        self.latency = widgets.FloatSlider(
            load.latency,
            min=0.1,
            max=10,
            step=0.1,
            description="Latency, seconds",
            readout_format=".1f",
            **LOOK,
        )
        self.rpm = _slider("RPM limit", 5, 500, 5, load.rpm)
        self.tpm = _slider("TPM limit", 5_000, 200_000, 1_000, load.tpm)
        self.tokens = _slider("Tokens of a request", 50, 3_000, 50, load.tokens)
        controls = (self.concurrency, self.latency, self.rpm, self.tpm, self.tokens)
        super().__init__(
            [widgets.Box(controls, layout={"flex_flow": "row wrap"})], controls
        )

    @property
    def load(self) -> Load:
        """What the controls say."""
        return Load(
            self.requests,
            self.concurrency.value,
            self.latency.value,
            self.rpm.value,
            self.tpm.value,
            self.tokens.value,
        )

    def picture(self) -> str:
        return view(self.load)


def _slider(label: str, least: int, most: int, step: int, start: int) -> Any:
    return widgets.IntSlider(start, least, most, step, description=label, **LOOK)
