"""The quizzes: every option has a reason, and nothing that an author wrote is interpreted as
HTML.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from coursekit import course
from coursekit.checks.course_map import CourseMap
from coursekit.widgets.quiz import (
    NoQuiz,
    Option,
    Question,
    Quiz,
    judged,
    on_paper,
    questions,
)
from support.html_reader import HtmlReader

STEMS = sorted(path.stem for path in (course.DATA / "quizzes").glob("*.toml"))
ASKED = Question(
    "1 < 2 & 3?",
    (
        Option("<b>yes</b>", "So it <i>is</i>.", True),
        Option("no", "But it is."),
    ),
)


@pytest.mark.parametrize("stem", STEMS)
def test_a_quiz_has_a_reason_for_each_option(stem: str) -> None:
    """A quiz has at least three questions with at least two options. Exactly one option is right,
    and each has its own reason.
    """
    asked = questions(stem)
    assert len(asked) >= 3
    for question in asked:
        assert len(question.options) >= 2
        assert sum(option.right for option in question.options) == 1
        reasons = [option.reason for option in question.options]
        assert all(len(reason) > 10 for reason in reasons)
        assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("stem", STEMS)
def test_the_right_option_has_no_usual_place(stem: str) -> None:
    """The right option is not always the first, or always the last."""
    assert (
        len(
            {
                question.options.index(question.right)
                for question in questions(stem)
            }
        )
        > 1
    )


def test_an_answer_is_judged_with_its_reason() -> None:
    """The chosen option's reason follows a sign and a word. If nothing is chosen, the quiz asks for
    a choice.
    """
    assert "Choose an option" in judged(ASKED, None)
    assert HtmlReader(judged(ASKED, 0)).text == "✓ Right. So it <i>is</i>."
    assert HtmlReader(judged(ASKED, 1)).text == "✗ Not this one. But it is."


def test_on_paper_the_answers_are_behind_a_click() -> None:
    """Without a kernel, all questions and options are shown, with the reasons in closed details."""
    html = on_paper([ASKED, ASKED])
    before, _, after = html.partition("<details>")
    assert "1 &lt; 2 &amp; 3?" in before
    assert "&lt;b&gt;yes&lt;/b&gt;" in before
    assert "So it" not in before
    assert "✓ right: So it &lt;i&gt;is&lt;/i&gt;." in after
    assert html.count("<details>") == 2


def test_the_widget_judges_and_forgets() -> None:
    """Answer shows the reason. Another choice hides it until Answer is pressed again."""
    quiz = Quiz("01_basics")
    title, choice, button, shown = quiz.children[0].children
    assert quiz.questions[0].ask in title.value
    button.click()
    assert "Choose an option" in shown.value
    choice.index = next(
        i for i, option in enumerate(quiz.questions[0].options) if option.right
    )
    assert shown.value == ""
    button.click()
    assert "✓ Right." in shown.value
    assert button.description == "Answer question 1"


def test_a_quiz_keeps_its_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right answer counts once, is saved with the progress, and appears on the map. A wrong
    one changes nothing, and a new kernel loads the score.
    """
    monkeypatch.setenv("COURSEKIT_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    def answer(quiz: Quiz, number: int, right: bool) -> None:
        _, choice, button, _ = quiz.children[number - 1].children
        options = quiz.questions[number - 1].options
        choice.index = next(
            i for i, option in enumerate(options) if option.right is right
        )
        button.click()

    quiz = Quiz("01_basics")
    assert "0 of 5 questions answered right" in quiz.score.value
    answer(quiz, 2, right=False)
    assert "0 of 5" in quiz.score.value
    for _ in range(2):
        answer(quiz, 2, right=True)
    answer(quiz, 4, right=True)
    answer(quiz, 2, right=False)
    assert "2 of 5" in quiz.score.value
    assert "2 of 5" in Quiz("01_basics").score.value
    assert "quiz 2 of 5" in repr(CourseMap()).replace("  ", " ").replace(
        "  ", " "
    )


def test_a_quiz_without_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiz's output is the printable quiz and one line of text."""
    quiz = Quiz("basics")
    assert quiz._repr_mimebundle_()["text/html"] == on_paper(quiz.questions)
    assert (
        repr(quiz)
        == f"A quiz of {len(quiz.questions)} questions (run the notebook to answer them)"
    )


def test_a_quiz_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lesson without a quiz, a question with two right options, and a question with two equal
    options are refused with the file's name.
    """
    with pytest.raises(NoQuiz, match=r"00_start_here.toml is missing"):
        questions("0")
    monkeypatch.setattr("coursekit.widgets.quiz.DATA", tmp_path)
    (tmp_path / "quizzes").mkdir()
    option = (
        '[[question.option]]\ntext = "a"\nreason = "because"\nright = true\n'
    )
    (tmp_path / "quizzes" / "01_basics.toml").write_text(
        f'[[question]]\nask = "why?"\n{option}{option}'
    )
    with pytest.raises(
        NoQuiz,
        match=r"01_basics.toml: exactly one option must be right, and no two may be the same: why\?",
    ):
        questions("1")
