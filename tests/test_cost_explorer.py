"""The conversation cost explorer: its numbers, its picture, and controls that change both."""

from __future__ import annotations

import gc
import re
import tracemalloc
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from coursekit.conversation.forecasting import (
    context_of,
    forecast,
    prompt_tokens,
    spent,
)
from coursekit.pricing import Usage, dollars
from coursekit.widgets.cost_explorer import (
    KNOBS,
    MODELS,
    ON,
    POLICIES,
    CostExplorer,
    Plan,
    outcome,
    view,
)
from coursekit.widgets.turn_bars import (
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    turn_bars,
)

WINDOW = Plan(policy="sliding window", size=5)


def rows(html: str) -> list[list[str]]:
    """The cells of the table, row by row."""
    return [
        re.findall(r"<t[dh][^>]*>([^<]*)</t", row)
        for row in re.findall(r"<tr>(.*?)</tr>", html)
    ]


class Balanced(HTMLParser):
    """Raises AssertionError for tags that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_first_view_has_the_numbers_of_the_chapter() -> None:
    """The default plan sends 306,300 tokens to get 9,000; with a window of 5 turns, it sends
    62,760.
    """
    assert (outcome(Plan()).usage.prompt, outcome(Plan()).usage.completion) == (
        306_300,
        9_000,
    )
    assert outcome(WINDOW).usage.prompt == 62_760
    assert "<b>306,300 tokens in, 9,000 out: $0.86</b> for gpt-4o" in view(
        Plan()
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cached", [False, True])
def test_every_amount_is_that_of_the_price_list(
    model: str, cached: bool
) -> None:
    """The money spent after each turn is exactly the sum of price_of over the turns so far."""
    held = outcome(Plan(turns=12, model=model, cached=cached, system=1000))
    assert held.spent == spent(held.turns, model, ON)
    assert (held.usage.cached > 0) == cached


@pytest.mark.parametrize("policy", POLICIES)
def test_the_table_compares_with_everything(policy: str) -> None:
    """The table shows the policy's sums next to those of sending everything."""
    plan = Plan(
        turns=30,
        policy=policy,
        size=KNOBS[policy].start if policy in KNOBS else 0,
        cached=True,
    )
    head, *body = rows(view(plan))
    assert head == [
        "Memory",
        "Turns",
        "In",
        "Cached",
        "Out",
        "Last prompt",
        "Cost",
        "Per turn",
    ]
    names = [policy] if policy == "everything" else [policy, "everything"]
    for row, name in zip(body, names, strict=True):
        held = outcome(replace(plan, policy=name))
        used = held.usage
        counts = [
            30,
            used.prompt,
            used.cached,
            used.completion,
            held.turns[-1].prompt,
        ]
        assert row == [
            name,
            *(f"{count:,}" for count in counts),
            dollars(held.spent[-1]),
            dollars(held.spent[-1] / 30),
        ]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("turn", [1, 7, 30])
def test_the_blocks_of_a_turn_are_its_prompt(policy: str, turn: int) -> None:
    """The messages that are sent, plus the 3 tokens that open the reply, are the turn's prompt.
    The cached messages are the tokens that the turn reads from the cache.
    """
    size = KNOBS[policy].start if policy in KNOBS else 0
    plan = Plan(turns=30, system=1500, policy=policy, size=size, turn=turn)
    messages = context_of(turn, plan.sizes, plan.memory, plan.model)
    usage = forecast(turn, plan.sizes, plan.memory, plan.model)[-1]
    if policy == "summary":  # a turn that writes a summary has two prompts
        assert (
            sum(each.tokens for each in messages if each.sent) + 3
            <= usage.prompt
        )
    else:
        assert (
            sum(each.tokens for each in messages if each.sent) + 3
            == usage.prompt
        )
        assert sum(each.cached for each in messages) == usage.cached
    said = [
        each
        for each in messages
        if each.role != "user" or each.tokens == plan.user + 3
    ]
    assert len(said) == 2 * turn
    assert not any(each.cached for each in messages if not each.sent)


def test_the_strip_shows_each_message_once_in_the_conversation() -> None:
    """Forgotten messages are hollow, and are missing below, where the others are drawn against the
    limit. If the limit is far away, the lab says so.
    """
    plan = replace(WINDOW, turn=10)
    html = view(plan)
    assert "20 messages: 8 forgotten, the others sent as 1,326 tokens" in html
    assert html.count('stroke-dasharray="3 2"') == 8
    assert "the wall of 128,000 tokens is" in html
    assert "the wall: 128,000 tokens" in view(
        Plan(turns=150, user=1000, reply=2000, turn=40)
    )


def test_a_full_context_window_is_told() -> None:
    """A conversation that outgrows the model ends early, and the lab says after which turn, and
    with what error.
    """
    plan = Plan(turns=100, user=1000, reply=2000)
    held = outcome(plan)
    assert len(held.turns) < 100
    assert f"ends after turn {len(held.turns)}:" in view(plan)
    assert "128,000 tokens of gpt-4o" in view(plan)
    assert "context_length_exceeded" not in view(
        replace(plan, turns=len(held.turns))
    )
    with_window = view(replace(plan, policy="sliding window", size=5))
    assert "With everything, the conversation ends after turn" in with_window


def test_a_budget_that_is_too_small_is_told() -> None:
    """If the memory refuses, its message replaces the picture."""
    html = view(Plan(policy="token budget", size=200, system=4000))
    assert "Nothing is sent." in html
    assert "take 4,069 tokens" in html


def test_bars_and_line_have_the_sizes_of_the_numbers() -> None:
    """The tallest bar reaches the top of the frame, a cached part is as high as its share, and the
    line ends at the top.
    """
    svg = turn_bars(
        [Usage(100, 100), Usage(300, 100, cached=200)],
        [Decimal(1), Decimal(4)],
        "two turns",
    )
    paths = [
        re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v(-?[\d.]+)", p)
        for p in re.findall(r'<path d="([^"]*)"', svg)
    ]
    cached, fresh, out = [
        [tuple(map(float, bar)) for bar in part] for part in paths
    ]
    frame, floor = HEIGHT - TOP - 34, HEIGHT - 34
    assert [bar[3] for bar in cached] == [0, pytest.approx(-frame / 2, abs=0.1)]
    assert [bar[3] for bar in fresh] == pytest.approx([-frame / 4] * 2, abs=0.1)
    assert [bar[1] for bar in out] == pytest.approx(
        [floor - frame / 4, floor - 3 * frame / 4], abs=0.1
    )
    assert all(
        bar[2] == pytest.approx(0.84 * (WIDTH - LEFT - RIGHT) / 2, abs=0.1)
        for bar in fresh
    )
    points = re.findall(r'points="([^"]*)"', svg)[0].split()
    assert points[-1].split(",")[1] == f"{TOP:.1f}"
    assert float(points[1].split(",")[1]) == pytest.approx(
        floor - frame / 4, abs=0.1
    )
    assert 'aria-label="two turns"' in svg


@pytest.mark.parametrize(
    "plan",
    [
        Plan(),
        WINDOW,
        Plan(turns=1),
        Plan(turns=150, policy="summary", size=2, cached=True),
    ],
)
def test_the_view_is_well_formed(plan: Plan) -> None:
    """All tags are closed, and the picture has a description in words."""
    Balanced(view(plan))
    assert (
        f'aria-label="{plan.turns} turns with {plan.policy}: the prompt grows from'
        in view(plan)
    )


def test_each_control_moves_the_view() -> None:
    """Whatever control is moved, the plan follows, and the view shows the plan."""
    lab = CostExplorer()
    assert lab.shown.value == view(Plan())
    moves = [
        (lab.turns, 40),
        (lab.system, 2000),
        (lab.user, 100),
        (lab.reply, 300),
        (lab.cached, True),
        (lab.policy, "sliding window"),
        (lab.sizes["sliding window"], 3),
        (lab.policy, "token budget"),
        (lab.sizes["token budget"], 4000),
        (lab.policy, "summary"),
        (lab.sizes["summary"], 6),
        (lab.model, "o3"),
        (lab.turn, 30),
    ]
    for control, value in moves:
        before = lab.shown.value
        control.value = value
        assert lab.shown.value == view(lab.plan) != before
    assert lab.plan == Plan(40, 2000, 100, 300, "summary", 6, "o3", True, 30)


def test_only_the_policy_s_own_slider_is_shown() -> None:
    """A size that the chosen policy does not use is not shown."""
    lab = CostExplorer(WINDOW)
    for policy in POLICIES:
        lab.policy.value = policy
        assert [
            name
            for name, slider in lab.sizes.items()
            if slider.layout.display != "none"
        ] == [policy] * (policy in KNOBS)


def test_the_lab_begins_where_it_is_told_and_leaves_a_picture() -> None:
    """The controls show the given plan, and the stored notebook contains its view."""
    lab = CostExplorer(WINDOW)
    assert lab.plan == WINDOW
    assert lab._repr_mimebundle_()["text/html"] == view(WINDOW)
    assert (
        lab._repr_mimebundle_()["text/plain"]
        == "The conversation cost explorer (run the notebook to use it)"
    )


def test_every_control_has_a_label() -> None:
    """A screen reader can name every control."""
    lab = CostExplorer()
    controls = (
        lab.turns,
        lab.system,
        lab.user,
        lab.reply,
        lab.policy,
        *lab.sizes.values(),
        lab.model,
        lab.cached,
    )
    assert all(control.description for control in controls)


def test_the_cache_can_turn_the_choice_around() -> None:
    """With a warm cache, a window that sends fewer tokens can cost more than sending everything, as
    the chapter says.
    """
    long = Plan(
        turns=40, system=1500, policy="sliding window", size=20, cached=True
    )
    window, everything = (
        outcome(long),
        outcome(replace(long, policy="everything")),
    )
    assert window.usage.prompt < everything.usage.prompt
    assert window.spent[-1] > everything.spent[-1]
    assert prompt_tokens(40, window=20) < prompt_tokens(40)


@pytest.mark.slow
def test_moves_leak_nothing() -> None:
    """Moving the sliders again and again does not use up memory."""
    lab = CostExplorer(Plan(turns=5))

    def move(times: int) -> int:
        for number in range(times):
            lab.user.value = 100 + 10 * (number % 20)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        warm = move(20)
        assert move(80) - warm < 50_000  # bytes
    finally:
        tracemalloc.stop()
