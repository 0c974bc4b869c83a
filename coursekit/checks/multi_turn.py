"""Checks of chapter 03: a history that stays yours, what it sends, what the cache holds of it, and
what to forget.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

from .case import Case, Raises, call, exactly
from .exercise import exercise
from .history_cases import (
    SUMMARY,
    Count,
    Message,
    count,
    each_is_one,
    failing_summary_case,
    flat,
    message,
    prefix_case,
    summarized_case,
    tool_turn,
    trimmed_case,
    turn,
)
from .untouched import untouched

WORDS = [
    "blue",
    "river",
    "seven",
    "copper",
    "window",
    "maps",
    "quiet",
    "engine",
    "often",
    "lemon",
]


@exercise(
    stars=1,
    hints=(
        "append() and += change the list that they are given. Build another list instead.",
        (
            "[*messages, question, answer] is a new list. And look at the answer before you build "
            "anything."
        ),
        (
            "if not answer: raise ValueError('no answer to go on with'). Then return [*messages, "
            "{'role': 'user', 'content': question}, {'role': 'assistant', 'content': answer}]."
        ),
    ),
)
def add_turn(rng: Random) -> Iterator[Case]:
    """The conversation with one turn more, in a new list."""

    def case(
        messages: list[Message], question: str, answer: str, why: str = ""
    ) -> Case:
        return untouched(
            messages,
            question,
            answer,
            expects=messages + turn(question, answer),
            why=why,
        )

    start = [message("system", "Be brief.")]
    yield case(start, "What is SSE?", "Server-sent events.")
    yield case([], "Hi", "Hello!", "A conversation may begin without instructions.")
    refused = Raises(ValueError, ("answer",))
    nothing = "An answer without text would break the history for all later requests."
    yield untouched(start, "Is Lighthouse up?", None, expects=refused, why=nothing)
    yield untouched(start, "Think hard.", "", expects=refused, why=nothing)
    long = [
        *tool_turn("Up?", "200 OK", "Yes."),
        *flat([turn("And now?", "Yes.")] * 9),
        message("user", "Well?\n"),
    ]
    yield case(
        long,
        "Well?\n",
        " Yes.\n",
        "Every message as it is, and two more, whatever stands there already.",
    )
    for _ in range(4):
        turns = [turn(_text(rng), _text(rng)) for _ in range(rng.randint(0, 2))]
        yield case([*start, *flat(turns)], _text(rng), _text(rng))


@exercise(
    stars=2,
    seconds=3.0,
    hints=(
        (
            "Every turn sends a first part of the same size, and exchanges on top. How many "
            "exchanges "
            "in all turns?"
        ),
        (
            "Without a window turn n sends n - 1 exchanges: 0 + 1 + ... + (n - 1) = n * (n - 1) "
            "// 2 in n turns. With "
            "a window that sum ends at the window, and each later turn sends just as many."
        ),
        (
            "first = 3 + (3 + system) + (3 + user); exchange = (3 + user) + (3 + reply); most = "
            "max(turns - 1, 0), or "
            "the window if that is smaller; the sum is turns * first + exchange * (most * (most + "
            "1) // 2 + the number "
            "of turns after that * most)."
        ),
    ),
)
def tokens_sent(rng: Random) -> Iterator[Case]:
    """The prompt tokens of a whole conversation, by a formula."""

    def case(
        turns: int,
        sizes: tuple[int, int, int],
        window: int | None = None,
        why: str = "",
    ) -> Case:
        first, exchange = 9 + sizes[0] + sizes[1], 6 + sizes[1] + sizes[2]
        reminded = [
            turn if window is None else min(turn, window) for turn in range(turns)
        ]  # of so many exchanges
        more: dict[str, Any] = {} if window is None else {"window": window}
        return call(
            turns,
            *sizes,
            expects=exactly(turns * first + exchange * sum(reminded)),
            why=why,
            **more,
        )

    sizes = (30, 60, 180)
    yield case(
        1,
        sizes,
        why="The first turn sends the instructions, a question, and no exchange.",
    )
    yield case(
        2,
        sizes,
        why="The second turn sends the first one again: its question and its reply.",
    )
    yield case(50, sizes)
    yield case(0, sizes, why="No turns send nothing.")
    yield case(
        50,
        sizes,
        5,
        "Within the window the exchanges add up, and then each turn sends 5.",
    )
    yield case(6, sizes, 5, "Turn 6 is the first that is reminded of 5 exchanges.")
    yield case(4, sizes, 50, "A window that is never full changes nothing.")
    yield case(
        10,
        sizes,
        0,
        "A window of 0 is no missing window: each turn is as short as the first.",
    )
    yield case(0, sizes, 5)
    for _ in range(3):
        drawn = (rng.randint(1, 900), rng.randint(1, 300), rng.randint(1, 700))
        yield case(rng.randint(3, 60), drawn)
        yield case(rng.randint(3, 60), drawn, rng.randint(1, 40))
    huge = (
        "Too many turns to go through: find a formula. Floats have 16 digits: // keeps ints "
        "exact, / does not."
    )
    turns, window = 10**12, 10**11
    yield call(
        turns,
        *sizes,
        expects=exactly(turns * 99 + 246 * (turns * (turns - 1) // 2)),
        why=huge,
    )
    reminded = window * (window + 1) // 2 + (turns - 1 - window) * window
    yield call(
        turns,
        *sizes,
        window=window,
        expects=exactly(turns * 99 + 246 * reminded),
        why=huge,
    )


@exercise(
    stars=2,
    hints=(
        (
            "How many tokens are the same from the beginning on? The first that differs ends it, "
            "whatever follows."
        ),
        (
            "Below 1,024 it is 0. From there on, shared // 128 * 128 is the multiple of 128 "
            "that is "
            "not above shared."
        ),
        (
            "Count while old == new for old, new in zip(before, now), and break at the first pair "
            "that differs. Then "
            "return shared // 128 * 128 if shared >= 1024 else 0."
        ),
    ),
)
def cacheable_prefix(rng: Random) -> Iterator[Case]:
    """How much of a prompt the cache can hold."""

    case = partial(prefix_case, rng)
    yield case(
        1536,
        1536,
        1700,
        "A conversation that grows: all of the last prompt is the beginning of this one.",
    )
    yield case(
        0,
        1800,
        1800,
        "The first token differs, and behind it nothing counts.",
        same_later=True,
    )
    yield case(
        1152,
        2000,
        2000,
        "The first that differs ends the prefix, whatever follows.",
        same_later=True,
    )
    yield case(1023, 1500, 1500, "Fewer than 1,024 are not cached at all.")
    yield case(1024, 1500, 1500, "1,024 are enough.")
    yield case(1151, 1500, 1500, "Rounded down to a multiple of 128.")
    yield case(1152, 1500, 1500, "1,152 is a multiple of 128: 9 * 128.")
    yield case(1664, 1664, 1664, "The very same prompt again: all of it.")
    yield case(9000, 9000, 9100, "A long prompt has no end but its own.")
    yield case(1300, 2000, 1300, "The new prompt may be shorter than the old one.")
    yield case(0, 0, 1200, "Nothing was sent before.")
    yield case(0, 1200, 0)
    for _ in range(5):
        shared = rng.randint(900, 2400)
        yield case(shared, shared + rng.randint(0, 300), shared + rng.randint(0, 300))


@exercise(
    stars=3,
    hints=(
        (
            "Cut only where a user's message begins, and never into the instructions. What must be "
            "sent in any case?"
        ),
        (
            "Take the tokens of the instructions and of the last turn from the budget. Then go "
            "back turn by turn while "
            "the whole turn still fits, and stop at the first that does not."
        ),
        (
            "starts = the places of the messages whose role is 'user'. Kept is what stands before "
            "starts[0], and what "
            "stands from starts[-1] on. For start in reversed(starts[:-1]): take the tokens of "
            "the turn that begins "
            "there; if less than 0 is left, break; else the last part begins there."
        ),
    ),
)
def trim_to_budget(rng: Random) -> Iterator[Case]:
    """What is sent of a conversation, within a budget of tokens."""

    def case(
        messages: list[Message],
        budget: int,
        kept: list[Message],
        why: str = "",
        by: Count = count,
    ) -> Case:
        return trimmed_case(messages, budget, by, kept, why)

    def sized(number: int, question: int, answer: int) -> list[Message]:
        return turn(f"q{number}, {question} tokens", f"a{number}, {answer} tokens")

    head, new = (
        [message("system", "Be brief, 10 tokens")],
        [message("user", "q9, 20 tokens")],
    )
    one, two, three = sized(1, 20, 50), sized(2, 20, 40), sized(3, 10, 20)
    whole = [*head, *one, *two, *three, *new]
    yield case(whole, 500, whole, "Everything fits.")
    yield case(
        whole,
        100,
        [*head, *three, *new],
        "Instructions 10, last turn 20: 70 are left, for whole turns.",
    )
    yield case(whole, 120, [*head, *two, *three, *new], "What fits exactly, fits.")
    yield case(
        whole, 119, [*head, *three, *new], "A turn that does not fit is left out whole."
    )
    yield case(
        whole, 30, [*head, *new], "Instructions and last turn are sent in any case."
    )
    refused = Raises(ValueError, ("budget",))
    yield trimmed_case(
        whole, 29, count, refused, "Not even instructions and last turn fit. Say so."
    )
    hole = [*head, *sized(1, 5, 5), *sized(2, 50, 50), *three, *new]
    yield case(
        hole,
        100,
        [*head, *three, *new],
        "Turn 1 would fit, but a hole in a conversation misleads the model.",
    )
    rules = [
        message("developer", "Be brief, 5 tokens"),
        message("system", "Be kind, 5 tokens"),
    ]
    yield case(
        [*rules, *one, *new],
        40,
        [*rules, *new],
        "The developer's messages are instructions, too.",
    )
    tools = tool_turn("t1, 10 tokens", "200 OK, 10 tokens", "Yes, 10 tokens")
    yield case(
        [*head, *tools, *new], 75, [*head, *tools, *new], "What fits exactly, fits."
    )
    yield case(
        [*head, *tools, *new],
        74,
        [*head, *new],
        "Every message counts, one without content as well.",
    )
    yield case(
        [*one, *two, *one, *new],
        90,
        [*one, *new],
        "Turns may be equal: they are sent again.",
    )
    yield case(
        [*head, *flat([two] * 9), *new],
        600,
        [*head, *flat([two] * 9), *new],
        "However many: if they fit.",
    )
    yield case(
        [*head, *tools, *new],
        55,
        [*head, *new],
        "A call of a tool and its result are one turn with the rest.",
    )
    yield case(
        [*head, *one, *tools],
        60,
        [*head, *tools],
        "The last turn is all from the last user's message on.",
    )
    yield case(head, 10, head, "There may be no turn yet.")
    yield trimmed_case(head, 9, count, refused, "Instructions alone can be too much.")
    yield case([], 5, [])
    yield case(
        [*one, *two, *new],
        4,
        [*two, *new],
        "count is handed in; here each message counts 1.",
        each_is_one,
    )
    for _ in range(4):
        turns = [
            sized(number, rng.randint(1, 40), rng.randint(1, 60))
            for number in range(rng.randint(2, 6))
        ]
        budget, first = 30 + rng.randint(0, 200), len(turns)
        while first and 30 + sum(map(count, flat(turns[first - 1 :]))) <= budget:
            first -= 1
        yield case(
            [*head, *flat(turns), *new], budget, [*head, *flat(turns[first:]), *new]
        )


@exercise(
    stars=4,
    hints=(
        "Find the places where turns begin. Everything else is slicing, and one call of summarize.",
        (
            "With the places of the user's messages in starts: an earlier summary, at starts[0], "
            "is no turn. With more "
            "than over turns, the rest begins at starts[len(starts) - keep]. But what if keep is 0?"
        ),
        (
            "first = the place of the earlier summary or of the first turn; rest = starts[-keep] "
            "if keep else "
            "len(messages). Then text = summarize(messages[first:rest]), and return "
            "[*messages[:first], "
            "{'role': 'user', 'content': 'Summary: ' + text}, *messages[rest:]]."
        ),
    ),
)
def summarize_when(rng: Random) -> Iterator[Case]:
    """A conversation whose older turns become a summary, once there are too many."""
    case, head = summarized_case, [message("system", "Be brief.")]
    one, two, three, four = (turn(f"q{number}", f"a{number}") for number in range(1, 5))
    new = [message("user", "q9")]
    yield case(
        [*head, *one, *two],
        2,
        1,
        "x",
        "2 turns are not more than 2: no summary, and no call.",
    )
    yield case(
        [*head, *one, *two, *new],
        2,
        1,
        "They met.",
        "3 are more than 2: all but the last 1 are summarized.",
    )
    yield case(
        [*head, *one, *two, *three, *four],
        3,
        2,
        "Early days.",
        "keep turns stay as they are.",
    )
    yield case(
        [*head, *one, *two],
        1,
        0,
        "All of it.",
        "With keep 0 nothing stays but instructions and summary.",
    )
    yield case(
        [*one, *two],
        1,
        1,
        "No rules.",
        "There may be no instructions; the summary is no instruction either.",
    )
    tools = tool_turn("t1", "200 OK", "Yes.")
    yield case(
        [*head, *one, *two, *tools],
        2,
        1,
        "Is it up?",
        "A turn is all up to the next user's message.",
    )
    yield case(
        [*head, *one, *two],
        1,
        1,
        "  All of the summary, as it is.\n" * 20,
        "It stays as it is, and whole.",
    )
    yield case(
        [*head, *tools, *two, *new],
        2,
        1,
        "It is up.",
        "A turn with a tool has four messages, all are dropped.",
    )
    earlier = [message("user", SUMMARY + "Once upon a time.")]
    yield case(
        [*head, *earlier, *one, *two],
        2,
        1,
        "x",
        "An earlier summary is not counted as a turn.",
    )
    both = (
        "The earlier summary goes into the new one, in front of the turns, and is replaced by "
        "it."
    )
    yield case([*head, *earlier, *one, *two, *new], 2, 1, "And so on.", both)
    asked = turn(SUMMARY + "yes or no?", "Yes.")
    yield case(
        [*head, *one, *asked, *new],
        2,
        1,
        "x",
        "Only straight after the instructions is it a summary.",
    )
    asked, other = (
        turn("Summary, please.", "Of what?"),
        turn("My Summary: none.", "I see."),
    )
    yield case(
        [*head, *asked, *one, *new],
        2,
        1,
        "x",
        "A summary begins with 'Summary: '; this is a turn.",
    )
    yield case(
        [*head, *other, *one, *new],
        2,
        1,
        "x",
        "A summary begins with 'Summary: '; this is a turn.",
    )
    rules = [message("developer", "Be brief."), message("system", "Be kind.")]
    yield case(
        [*rules, *one, *two],
        1,
        1,
        "Rules stay.",
        "All instructions stay, and none is summarized.",
    )
    yield case([], 0, 0, "x")
    yield case(head, 0, 0, "x", "Without a turn there is nothing to summarize.")
    yield failing_summary_case(
        [*head, *one, *two, *new], 2, 1, "Without a summary there is nothing to send."
    )
    for _ in range(5):
        turns = [
            turn(rng.choice(WORDS), rng.choice(WORDS)) for _ in range(rng.randint(1, 6))
        ]
        over = rng.randint(0, 4)
        before = rng.choice([[], earlier])
        yield case(
            [*head, *before, *flat(turns), *new],
            over,
            rng.randint(0, over),
            rng.choice(WORDS),
        )


def _text(rng: Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 5))).capitalize() + "."
