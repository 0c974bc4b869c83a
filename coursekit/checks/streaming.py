"""Checks of chapter 04: a stream put together, timed, left early, and told apart by its ending."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from random import Random
from typing import Any

from . import stream_cases as made
from .answers import chunk, connection_error, stream, usage, usage_chunk
from .case import Case, Function, Raises
from .exercise import exercise
from .stream_cases import PIECES, Fault, same


@exercise(
    stars=1,
    hints=(
        (
            "Some chunks have no choices, and some deltas have no content. Neither is a reason to "
            "fall over, or to stop."
        ),
        (
            "Go through chunk.choices with a loop of its own: an empty list then needs no "
            "condition "
            "at all."
        ),
        (
            "for chunk in chunks: for choice in chunk.choices: "
            "parts.append(choice.delta.content or "
            "''). Join the parts."
        ),
    ),
)
def text_of(rng: Random) -> Iterator[Case]:
    """The text of a streamed answer, with or without its usage."""

    def case(chunks: Sequence[Any], expected: str, why: str = "") -> Case:
        return made.reading(chunks, expected, why)

    yield case(stream(["Par", "is", "."]), "Paris.")
    counted = stream(["Par", "is", "."], usage=usage(24, 3))
    yield case(
        counted,
        "Paris.",
        "The chunk with the usage has no choices: choices[0] fails on it.",
    )
    first = [usage_chunk(usage(0, 0)), *stream(["Oslo"])]
    yield case(
        first,
        "Oslo",
        "Pass over a chunk without choices. The stream may go on after it.",
    )
    yield case(
        [chunk(role="assistant"), chunk("Hi"), chunk(finish_reason="stop")],
        "Hi",
        "A content may be None.",
    )
    yield case(
        stream(["a", "", " ", "", "b\n"]),
        "a b\n",
        "An empty piece is not the end, and blanks are text.",
    )
    yield case([], "", "A stream without chunks has the text ''.")
    full = [chunk("ha"), chunk("ha"), chunk("!", finish_reason="stop"), chunk("?")]
    yield case(
        full,
        "haha!?",
        "Any chunk may have text: the first, equal ones, one with a finish_reason, the last.",
    )
    yield case(
        stream(["on ", "and "] * 40), "on and " * 40, "All of it, however many pieces."
    )
    for _ in range(4):
        texts = made.pieces(rng)
        yield case(
            stream(texts, usage=usage(20, 9) if rng.random() < 0.5 else None),
            "".join(texts),
        )


@exercise(
    stars=2,
    hints=(
        (
            "choice.index tells which answer a piece belongs to. The pieces of several answers "
            "come "
            "in any order."
        ),
        (
            "Keep a dict from the index to what is known of that answer, and at the end sort "
            "by the "
            "index."
        ),
        (
            "answer = found.setdefault(choice.index, {'text': '', 'finish_reason': None}); add "
            "choice.delta.content or "
            "'' to its text; set its finish_reason only where there is one; return [found[i] for "
            "i in sorted(found)]."
        ),
    ),
)
def assemble(rng: Random) -> Iterator[Case]:
    """The answers of one stream with n > 1, each put together."""

    def case(
        chunks: Sequence[Any], *answers: tuple[str, str | None], why: str = ""
    ) -> Case:
        expected = [{"text": text, "finish_reason": reason} for text, reason in answers]
        return made.reading(chunks, expected, why)

    def end(index: int, reason: str = "stop") -> Any:
        return chunk(index=index, finish_reason=reason)

    yield case(stream(["Par", "is"]), ("Paris", "stop"))
    two = [
        chunk("Re"),
        chunk("Gre", index=1),
        chunk("d"),
        end(0),
        chunk("en", index=1),
        end(1),
    ]
    yield case(
        two,
        ("Red", "stop"),
        ("Green", "stop"),
        why="choice.index tells which answer a piece belongs to.",
    )
    swapped = [chunk("B", index=1), chunk("A"), end(1, "length"), end(0)]
    why = (
        "The answers stand in the order of their index, whichever spoke first. Each has its "
        "own finish_reason."
    )
    yield case(swapped, ("A", "stop"), ("B", "length"), why=why)
    yield case(
        [*two, usage_chunk(usage(9, 6))],
        ("Red", "stop"),
        ("Green", "stop"),
        why="The usage has no choices.",
    )
    cut = [chunk("Re"), chunk("Gr", index=1), end(0)]
    yield case(
        cut,
        ("Re", "stop"),
        ("Gr", None),
        why="An answer that never told its end was cut: None.",
    )
    both = chunk("one")
    both.choices += [
        *chunk("two", index=1).choices,
        *chunk(None, index=2, finish_reason="content_filter").choices,
    ]
    why = "A chunk may hold several choices; and an answer without text is an answer."
    yield case(
        [both, end(0), end(1)],
        ("one", "stop"),
        ("two", "stop"),
        ("", "content_filter"),
        why=why,
    )
    yield case([])
    yield case(
        [usage_chunk(usage(9, 0)), *two],
        ("Red", "stop"),
        ("Green", "stop"),
        why="More may follow.",
    )
    late = [chunk("Red"), end(0), chunk("")]
    yield case(
        late,
        ("Red", "stop"),
        why="A later piece has the finish_reason None: that must not undo the one.",
    )
    early = [chunk("Red"), end(0), chunk("dish")]
    yield case(
        early,
        ("Reddish", "stop"),
        why="With some servers text follows the finish_reason.",
    )
    for n in (2, 3, 12):
        answers = [(made.pieces(rng), rng.choice(["stop", "length"])) for _ in range(n)]
        lanes = [
            [*(chunk(text, index=i) for text in texts), end(i, how)]
            for i, (texts, how) in enumerate(answers)
        ]
        yield case(
            made.interleaved(lanes, rng),
            *(("".join(texts), how) for texts, how in answers),
        )


@exercise(
    stars=2,
    hints=(
        "The first chunk with text is not the first chunk. The last event is not the last text.",
        (
            "Collect the seconds of each chunk that has text. All three numbers follow from "
            "that list "
            "and the last event."
        ),
        (
            "first_token is arrivals[0] (None for none), gaps are later - earlier of neighbors: "
            "itertools.pairwise(arrivals), total is the seconds of the last event (None for none)."
        ),
    ),
)
def timing(rng: Random) -> Iterator[Case]:
    """When the first text of a stream came, the gaps, and the total."""

    def case(events: Sequence[tuple[float, Any]], why: str = "") -> Case:
        arrivals = [
            at
            for at, piece in events
            if any(choice.delta.content for choice in piece.choices)
        ]
        expected = {
            "first_token": arrivals[0] if arrivals else None,
            "gaps": [later - earlier for earlier, later in pairwise(arrivals)],
            "total": events[-1][0] if events else None,
        }
        shown = ", ".join(f"{at:g} s {made.piece_text(piece)}" for at, piece in events)
        return Case(
            f"(events), the contents of their chunks: {shown or 'none'}",
            lambda function: function(iter(list(events))),
            expected,
            why,
        )

    def timed(chunks: Sequence[Any], *seconds: float) -> list[tuple[float, Any]]:
        return list(zip(seconds, chunks, strict=True))

    yield case(
        timed(stream(["Hel", "lo"]), 0.25, 0.5, 0.625, 0.75),
        "The first delta is empty: nothing to read yet.",
    )
    counted = stream(["Hel", "lo", "!"], usage=usage(9, 3))
    yield case(
        timed(counted, 0.25, 0.25, 0.5, 0.5, 0.5, 1.0),
        "The total goes to the last event, the usage, too.",
    )
    yield case(timed(stream(["Hello"]), 0.5, 0.5, 2.0), "One piece of text has no gap.")
    yield case(
        timed(stream([], finish_reason="length"), 0.5, 0.75),
        "Without text there is no first token: None.",
    )
    hollow = [
        chunk(role="assistant"),
        chunk("a"),
        chunk(""),
        chunk("b"),
        chunk(finish_reason="stop"),
    ]
    yield case(
        timed(hollow, 0.0, 0.0, 1.0, 3.0, 3.0),
        "0.0 is a time; and an empty piece in the middle is no text.",
    )
    yield case([], "No event, no total: None.")
    blank = timed(stream(["a", " ", "\n", "b"]), 0.1, 0.2, 0.3, 0.5, 0.6, 0.7)
    yield case(blank, "Blanks and line ends are text.")
    yield case(
        [(number / 7, chunk("a")) for number in range(30)],
        "Each gap counts, and none is rounded.",
    )
    for _ in range(4):
        chunks = stream(
            made.pieces(rng), usage=usage(20, 9) if rng.random() < 0.5 else None
        )
        seconds = accumulate(rng.randint(50, 800) for _ in chunks)
        yield case(timed(chunks, *(0.2 + each / 10_000 for each in seconds)))


@exercise(
    stars=3,
    hints=(
        (
            "Returning from the loop leaves the loop, not the stream. And ask about all of the "
            "text, "
            "not the last piece."
        ),
        (
            "with client.chat.completions.create(..., stream=True) as stream: closes it, "
            "however the "
            "block is left."
        ),
        (
            "In the with block: for chunk in stream: for choice in chunk.choices: text += "
            "choice.delta.content or ''; "
            "and if enough(text): return text. After the loop: return text."
        ),
    ),
)
def read_until(rng: Random) -> Iterator[Case]:
    """A streamed answer, read no further than needed, and its stream closed."""

    case = made.read_case
    why = "Stop as soon as it is enough, and close the stream: use it in a with block."
    yield case(
        stream(PIECES), lambda text: text.endswith("."), "text.endswith('.')", why
    )
    yield case(
        stream(PIECES),
        lambda text: "never" in text,
        "always False",
        "Never enough: the whole text.",
    )
    split = stream(["Yes", " E", "ND", " of", " it"], usage=usage(9, 5))
    yield case(
        split,
        lambda text: "END" in text,
        "'END' in text",
        "Ask about all of the text so far.",
    )
    first = [usage_chunk(usage(0, 0)), *stream(["A", "B", "C"])]
    yield case(
        first,
        lambda text: len(text) > 9,
        "len(text) > 9",
        "Pass over chunks without choices.",
    )
    yield made.raising_case()
    yield case(
        stream([]), bool, "bool(text)", "No text may come at all. It stays one request."
    )
    for _ in range(4):
        texts = made.pieces(rng)
        most = rng.randint(1, len("".join(texts)))
        chunks = stream(
            texts, usage=usage(9, len(texts)) if rng.random() < 0.5 else None
        )
        yield case(
            chunks,
            lambda text, most=most: len(text) >= most,  # type: ignore[misc]
            f"len(text) >= {most}",
        )


@exercise(
    stars=4,
    hints=(
        "Two endings come as exceptions, three do not. finish_reason tells those three apart.",
        (
            "APIConnectionError is an APIError, so its except clause has to come first. Broken "
            "JSON is a "
            "JSONDecodeError, which is no APIError. Catch nothing else."
        ),
        (
            "Collect the text in a variable outside of try, and keep the last finish_reason that "
            "is not None. After "
            "the loop: 'stop' is complete, 'length' is truncated, None is cut."
        ),
    ),
)
def stream_result(rng: Random) -> Iterator[Case]:
    """What a stream brought, and how it ended."""

    def case(
        chunks: Sequence[Any],
        what: str,
        text: str,
        status: str,
        why: str = "",
        fault: Fault = same,
    ) -> Case:
        def run(function: Function) -> Any:
            return made.result_of(function, made.opened(chunks, fault))

        return Case(
            f"stream_result(stream), where the stream {what}",
            run,
            {"text": text, "status": status},
            why,
        )

    def broken(status: str, texts: list[str], after: int) -> Case:
        text = "".join(texts[:after])
        what, why, fault = made.FAULTS[status]
        return case(
            stream(texts), f"{what} after {text!r}", text, status, why, fault(after)
        )

    yield case(
        stream(["Par", "is."], usage=usage(9, 2)),
        "ends with finish_reason 'stop'",
        "Paris.",
        "complete",
    )
    cut = stream(["It", " is"], finish_reason="length", usage=usage(9, 2))
    yield case(
        cut,
        "ends with finish_reason 'length'",
        "It is",
        "truncated",
        "'length': the token limit came first.",
    )
    quiet = stream(["It", " is"], finish_reason=None)
    yield case(
        quiet,
        "ends after 'It is', without a finish_reason",
        "It is",
        "cut",
        "No exception, and not whole.",
    )
    yield broken("interrupted", PIECES, 3)
    yield broken("error", PIECES, 2)
    why = "Broken JSON raises a JSONDecodeError, which is no APIError."
    yield case(
        stream(PIECES),
        f"has broken JSON after {PIECES[0]!r}",
        PIECES[0],
        "error",
        why,
        made.garbled,
    )
    yield case(
        stream([], finish_reason="length"),
        "ends with 'length' and no text",
        "",
        "truncated",
    )
    yield case(
        [],
        "ends at once",
        "",
        "cut",
        "Nothing came, and no finish_reason: that is a cut, too.",
    )
    late = [*stream(["Paris."]), chunk("")]
    yield case(
        late,
        "has one more chunk after finish_reason 'stop'",
        "Paris.",
        "complete",
        "It came: that stays true.",
    )
    yield case(
        stream(["Yes."], finish_reason=None),
        "ends after 'Yes.', without a finish_reason",
        "Yes.",
        "cut",
    )
    yield made.broken_case(
        connection_error(), "loses its connection before any text", "interrupted"
    )
    yield made.broken_case(
        connection_error(timeout=True), "raises an APITimeoutError", "interrupted"
    )
    bug = "That is a bug, and no ending: an except that is too wide would hide it."
    for error in (ZeroDivisionError("a bug"), ValueError("a bug")):
        given = (
            f"stream_result(stream), where the stream raises a {type(error).__name__}"
        )
        broken_stream = made.Broken(error, chunk("One"))
        yield Case(
            given,
            lambda function, it=broken_stream: function(it),  # type: ignore[misc]
            Raises(type(error)),
            bug,
        )
    for _ in range(4):
        texts, status = (
            made.pieces(rng),
            rng.choice(["complete", "truncated", "cut", "interrupted", "error"]),
        )
        reason = {"complete": "stop", "truncated": "length"}.get(status)
        if status in ("interrupted", "error"):
            yield broken(status, texts, rng.randint(1, len(texts)))
        else:
            chunks = stream(
                texts, finish_reason=reason, usage=usage(9, 9) if reason else None
            )
            yield case(
                chunks, f"ends with finish_reason {reason!r}", "".join(texts), status
            )
