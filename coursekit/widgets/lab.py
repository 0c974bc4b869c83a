"""The base of every lab: one picture, redrawn when a control moves, by one thread at a time."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import ipywidgets as widgets

# the day of the prices in labs, fixed so that a newer price list changes no stored output
ON = datetime.date(2026, 11, 22)
WRAPPED = {"flex_flow": "row wrap"}
NATURAL = {"description_width": "initial"}  # as wide as its words
# Two controls side by side where there is room, and one below the other where there is not.
LOOK: dict[str, Any] = {
    "style": {"description_width": "10em"},
    "layout": {"width": "46%", "min_width": "min(27em, 98%)"},
}


def slider(
    label: str,
    value: float,
    least: float,
    most: float,
    step: float,
    **more: Any,
) -> Any:
    """A slider of whole numbers if value and step are whole, otherwise of decimals."""
    whole = isinstance(value, int) and isinstance(step, int)
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    return kind(
        value,
        min=least,
        max=most,
        step=step,
        description=label,
        **(LOOK | more),
    )


def menu(label: str, options: Sequence[Any], value: Any, **more: Any) -> Any:
    """A menu; an option is a string, or (string, value). Raises ValueError for any other value."""
    values = [each if isinstance(each, str) else each[1] for each in options]
    if value not in values:
        raise ValueError(
            f"{value!r} is not one of the choices: {', '.join(map(repr, values))}."
        )
    return widgets.Dropdown(
        options=options, value=value, description=label, **(LOOK | more)
    )


def row(*children: widgets.Widget) -> widgets.HBox:
    """Widgets side by side; those that do not fit are below."""
    return widgets.HBox(children, layout=WRAPPED)


def player(
    value: int, most: int, tick: int, tooltip: str, **more: Any
) -> tuple[widgets.Play, widgets.IntSlider]:
    """A play button, and a slider that it moves in the browser, smoothly while the kernel
    works.

    value  of both, from 0 to ``most``
    tick   milliseconds between two steps
    more   of the slider
    """
    play = widgets.Play(
        value,
        max=most,
        interval=tick,
        tooltip=tooltip,
        show_repeat=False,
    )
    position = widgets.IntSlider(
        value, max=most, style=NATURAL, layout={"width": "100%"}, **more
    )
    widgets.jslink((play, "value"), (position, "value"))
    return play, position


class Lab(widgets.VBox):  # type: ignore[misc]
    """Controls, and below them ``shown``. Where no widget can be shown (on the web, in print),
    ``static()`` is shown.

    A lab has a ``title``, passes its controls to ``__init__``, and draws in ``picture()``.

    A kernel may call the handlers of two controls in two threads (ipykernel 7). So whatever changes
    or draws the lab holds ``lock``. A drawing begins after the change that asked for it and reads
    all controls again, so the last drawing shows the final state of the controls.
    """

    title: ClassVar[str] = "The lab"

    def __init__(
        self, *above: widgets.Widget, **controls: widgets.Widget
    ) -> None:
        """Show ``above`` (by default, the controls side by side) and below it the picture.

        controls  attributes by these names; a new value of any of them redraws the picture
        """
        # one that lets in its holder: a handler may move another control, which draws
        self.lock = threading.RLock()
        self.shown = widgets.HTML()
        self.controls = controls
        for name, control in controls.items():
            setattr(self, name, control)
            control.observe(self.draw, "value")
        super().__init__([*(above or [row(*controls.values())]), self.shown])
        self.draw()

    @property
    def values(self) -> dict[str, Any]:
        """The value of each control, by its name."""
        return {name: each.value for name, each in self.controls.items()}

    def picture(self) -> str:
        """HTML for the current settings; any drawing in it has alternative text."""
        raise NotImplementedError

    def draw(self, _: Any = None) -> None:
        """Show the picture for the current settings."""
        with self.lock:
            self.shown.value = self.picture()

    def static(self) -> str:
        """HTML for the committed notebook, the web, print and screen readers: the picture that is
        shown.
        """
        return str(self.shown.value)

    def __repr__(self) -> str:
        return f"{self.title} (run the notebook to use it)"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options)
        return bundle | {"text/html": self.static()}


class Echo:
    """Does work after the changes that the browser has made so far.

    The browser holds back a control's second change until the kernel has handled the first, but
    does not hold back a press of a button, which can therefore overtake the change. An echo waits
    for the change: a number goes to the browser, which links it to another one, so it returns after
    everything that was held back. Nothing waits by the clock.
    """

    def __init__(self) -> None:
        # never displayed
        self.sent, self.returned = widgets.IntText(), widgets.IntText()
        self._link = widgets.jsdlink(
            (self.sent, "value"), (self.returned, "value")
        )
        self._waiting: list[tuple[int, Callable[[], object]]] = []
        self._lock = threading.Lock()
        self.returned.observe(self._return, "value")

    def call(self, work: Callable[[], object]) -> None:
        """Call ``work``, without arguments, once the browser has answered."""
        with self._lock:
            number = self.sent.value + 1
            self._waiting.append((number, work))
            self.sent.value = number

    def _return(self, change: Any) -> None:
        # the browser may answer several numbers with the last one
        with self._lock:
            due = [
                work
                for number, work in self._waiting
                if number <= change["new"]
            ]
            del self._waiting[: len(due)]
        for work in due:
            work()


class Press(widgets.Button):  # type: ignore[misc]
    """A button whose press counts after every change that was made before it. ``click()`` works at
    once.

    press  called without arguments
    echo   the lab's
    """

    def __init__(
        self, press: Callable[[], object], echo: Echo, **looks: Any
    ) -> None:
        super().__init__(**looks)
        self._echo = echo
        self.on_click(lambda _: press())

    # ipywidgets': a press in the browser
    def _handle_button_msg(self, _: Any, content: Any, buffers: Any) -> None:
        if content.get("event") == "click":
            self._echo.call(self.click)
