"""A chapter's quiz: questions with one right option each, and an explanation for every option.

The questions are in data/quizzes/STEM.toml. The controls are radio buttons and a plain button, so
everything works with the keyboard and without a network.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import ipywidgets as widgets

from .. import progress
from ..classroom import share
from ..course import DATA, lesson
from ..foundation.palette import CARD, INK, MUTED, RIGHT, WRONG
from .lab import Echo, Lab, Press

SHOWN = (
    "border-left:4px solid {color};padding:2px 10px;margin:2px 0 2px 2px;line-height:1.5;"
    f"color:{INK};background:{CARD}"
)


@dataclass(frozen=True)
class Option:
    """One answer to choose from; ``reason`` says why it is right, or what is wrong with it."""

    text: str
    reason: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    ask: str
    options: tuple[Option, ...]

    @property
    def right(self) -> Option:
        return next(option for option in self.options if option.right)


class NoQuiz(LookupError):
    """The lesson does not have a quiz, or the quiz's file has an error."""


def questions(name: str) -> list[Question]:
    """Return the questions in a lesson's quiz, by the lesson's stem, name, or number. Raises NoQuiz
    or UnknownLesson.
    """
    path = DATA / "quizzes" / f"{lesson(name).stem}.toml"
    if not path.is_file():
        raise NoQuiz(
            f"There is no quiz for {lesson(name).stem}: data/quizzes/{path.name} is missing."
        )
    found = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["question"]:
        options = tuple(Option(**option) for option in entry["option"])
        if sum(option.right for option in options) != 1 or len(
            {option.text for option in options}
        ) != len(options):
            raise NoQuiz(
                f"{path.name}: exactly one option must be right, and no two may be the same: "
                f"{entry['ask']}"
            )
        found.append(Question(entry["ask"], options))
    return found


def judged(question: Question, chosen: int | None) -> str:
    """Return the verdict below a question after the option with this index was chosen (None: no
    option was).
    """
    if chosen is None:
        return f'<div style="{SHOWN.format(color=MUTED)}">Choose an option first.</div>'
    option = question.options[chosen]
    sign, color = (
        ("✓ Right.", RIGHT) if option.right else ("✗ Not this one.", WRONG)
    )
    return (
        f'<div role="status" style="{SHOWN.format(color=color)}"><b '
        f'style="color:{color}">{sign}</b> '
        f"{escape(option.reason)}</div>"
    )


def on_paper(listed: list[Question]) -> str:
    """Return the quiz for use without a kernel, on the web and in print: a click reveals the
    answers.
    """
    parts = []
    for number, question in enumerate(listed, start=1):
        options = "".join(
            f"<li>{escape(option.text)}</li>" for option in question.options
        )
        reasons = "".join(
            f"<li>{'✓ right' if option.right else '✗ no'}: {escape(option.reason)}</li>"
            for option in question.options
        )
        parts.append(
            f'<p style="margin:8px 0 2px"><b>{number}.</b> {escape(question.ask)}</p><ol '
            f'type="a">{options}</ol>'
            f"<details><summary>The answer to {number}</summary><ol "
            f'type="a">{reasons}</ol></details>'
        )
    return f'<div class="coursekit-quiz">{"".join(parts)}</div>'


class Quiz(Lab):
    """A lesson's quiz, and how many of its questions were answered correctly on this machine.

    Where widgets cannot be shown, the questions are listed, and a click reveals the answers.
    """

    def __init__(self, name: str) -> None:
        self.stem, self.questions = lesson(name).stem, questions(name)
        self.right = set(progress.read()["quizzes"].get(self.stem, []))
        self.score, echo = widgets.HTML(), Echo()
        items = [
            _Item(self, number, echo)
            for number in range(1, len(self.questions) + 1)
        ]
        super().__init__(*items)
        self.children = [*items, self.score]
        self._show_score()

    def answered(self, number: int, chosen: int) -> None:
        """Handle an answer to question ``number``: the option with index ``chosen``."""
        # with the class's teacher, if the learner shares answers
        share(votes={f"{self.stem}/{number}": chosen})
        notes: list[str] = []
        if self.questions[number - 1].options[chosen].right:
            self.right.add(number)
            notes = progress.answered_now(self.stem, number)
        self._show_score(notes)

    def _show_score(self, notes: Iterable[str] = ()) -> None:
        text = f"{len(self.right)} of {len(self.questions)} questions answered right."
        text = escape(" ".join([text, *notes]))
        self.score.value = (
            f'<div role="status" style="margin-top:8px">{text}</div>'
        )

    def picture(self) -> str:
        return on_paper(self.questions)

    def __repr__(self) -> str:
        return f"A quiz of {len(self.questions)} questions (run the notebook to answer them)"


class _Item(Lab):
    """One question: its options, a button, and the verdict on the option that was chosen when the
    button was pressed.
    """

    def __init__(self, quiz: Quiz, number: int, echo: Echo) -> None:
        self.quiz, self.number = quiz, number
        self.question = quiz.questions[number - 1]
        heading = widgets.HTML(
            '<div style="line-height:1.4;font-weight:bold;margin-top:6px">'
            f"{number}. {escape(self.question.ask)}</div>"
        )
        choice = widgets.RadioButtons(
            options=[option.text for option in self.question.options],
            value=None,
            layout={"width": "98%"},
        )
        self.button = Press(
            self._judge, echo, description=f"Answer question {number}"
        )
        super().__init__(heading, choice, self.button, choice=choice)

    def picture(self) -> str:
        return ""  # until the button is pressed, and again after another option is chosen

    def _judge(self) -> None:
        with self.lock:
            chosen = self.choice.index
            self.shown.value = judged(self.question, chosen)
        if chosen is not None:
            self.quiz.answered(self.number, chosen)
