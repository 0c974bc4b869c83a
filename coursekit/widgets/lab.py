"""The base of all labs: one picture, which is redrawn when a control moves, by one thread at a
time.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import ipywidgets as widgets

# the day whose prices labs use, fixed so that a newer price list does not change stored outputs
ON = datetime.date(2026, 11, 22)
WRAPPED = {"flex_flow": "row wrap"}
NATURAL = {"description_width": "initial"}  # as wide as its label
# Two controls are side by side if there is room, and otherwise one below the other.
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
    """Create a slider, for whole numbers if value and step are whole, and for decimals
    otherwise.
    """
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
    """Create a menu; an option is a string, or (string, value). Raises ValueError if ``value`` is
    not among the options.
    """
    values = [each if isinstance(each, str) else each[1] for each in options]
    if value not in values:
        raise ValueError(
            f"{value!r} is not one of the choices: {', '.join(map(repr, values))}."
        )
    return widgets.Dropdown(
        options=options, value=value, description=label, **(LOOK | more)
    )


def row(*children: widgets.Widget) -> widgets.HBox:
    """Put widgets side by side; those that do not fit are below the others."""
    return widgets.HBox(children, layout=WRAPPED)


def player(
    value: int, most: int, tick: int, tooltip: str, **more: Any
) -> tuple[widgets.Play, widgets.IntSlider]:
    """Create a play button, and a slider that it moves in the browser, smoothly even while the
    kernel is busy.

    value  the value of both, from 0 to ``most``
    tick   milliseconds between two steps
    more   other arguments of the slider
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
    """Controls, with ``shown`` below them. Where widgets cannot be shown (on the web, in print),
    ``static()`` is shown instead.

    A lab has a ``title``, passes its controls to ``__init__``, and draws in ``picture()``.

    A kernel may call the handlers of two controls in two threads (ipykernel 7). So any code that
    changes or draws the lab holds ``lock``. A drawing begins after the change that triggered it and
    reads all controls again, so the last drawing shows the final state of the controls.
    """

    title: ClassVar[str] = "The lab"

    def __init__(
        self, *above: widgets.Widget, **controls: widgets.Widget
    ) -> None:
        """Show ``above`` (by default, the controls side by side) and below it the picture.

        controls  these become attributes with the same names; a new value of any control redraws
                  the picture
        """
        # a reentrant lock, because a handler may move another control, which draws
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
        """Return HTML for the current settings; any drawing in it has alternative text."""
        raise NotImplementedError

    def draw(self, _: Any = None) -> None:
        """Show the picture for the current settings."""
        with self.lock:
            self.shown.value = self.picture()

    def static(self) -> str:
        """Return HTML for the committed notebook, the web, print, and screen readers: the current
        picture.
        """
        return str(self.shown.value)

    def __repr__(self) -> str:
        return f"{self.title} (run the notebook to use it)"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options)
        return bundle | {"text/html": self.static()}


class Echo:
    """Runs a function after all changes that the browser has made so far.

    The browser holds back a control's second change until the kernel has handled the first, but it
    does not hold back the press of a button, which can therefore overtake the change. An echo waits
    for the change: a number is sent to the browser, which copies it to a second widget, so it
    returns after everything that was held back. No clock is involved.
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
        """Call ``work`` without arguments once the browser has answered."""
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
    """A button whose press is handled after every change that was made before it. ``click()`` works
    at once.

    press  a function that is called without arguments
    echo   the lab's echo
    """

    def __init__(
        self, press: Callable[[], object], echo: Echo, **looks: Any
    ) -> None:
        super().__init__(**looks)
        self._echo = echo
        self.on_click(lambda _: press())

    # from ipywidgets: a press in the browser
    def _handle_button_msg(self, _: Any, content: Any, buffers: Any) -> None:
        if content.get("event") == "click":
            self._echo.call(self.click)
