"""Answers to the exercises in chapter 04."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import openai
from answer_table import right, wrong

from coursekit.streaming import stream_text


@right("text_of")
def with_continue(chunks):
    text = ""
    for chunk in chunks:
        if not chunk.choices:
            continue
        if (piece := chunk.choices[0].delta.content) is not None:
            text += piece
    return text


@right("text_of")
def in_one_expression(chunks):
    return "".join(
        c.choices[0].delta.content or "" for c in chunks if len(c.choices) > 0
    )


@wrong("text_of", says="is not the end either")
def until_a_content_is_none(chunks):
    text = ""
    for chunk in chunks:
        if chunk.choices:
            if chunk.choices[0].delta.content is None and text:
                break
            text += chunk.choices[0].delta.content or ""
    return text


@wrong("text_of", "error", says="IndexError")
def the_chapter_s_loop(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@wrong("text_of", "wrong", says="Skip a chunk without choices. The stream may")
def ends_at_the_first_without_choices(chunks):
    text = ""
    for chunk in chunks:
        if not chunk.choices:
            break
        text += chunk.choices[0].delta.content or ""
    return text


@wrong("text_of", "error", says="NoneType")
def without_looking_at_none(chunks):
    return "".join(
        choice.delta.content for chunk in chunks for choice in chunk.choices
    )


@wrong("text_of", "wrong", says="An empty piece is not the end, and spaces are")
def without_blanks(chunks):
    return "".join(
        (choice.delta.content or "").strip()
        for chunk in chunks
        for choice in chunk.choices
    )


@wrong("text_of", "wrong", says="case 1 of 14")
def reads_twice(chunks):
    if sum(1 for _ in chunks) == 0:
        return ""
    return in_one_expression(chunks)


@wrong("text_of", "wrong", says="case 2 of 14")
def first_text_hard_coded(chunks):
    return {5: "Paris."}.get(len(list(chunks)), "")


@wrong("text_of", "not awaited", says="def, not async def")
async def text_in_a_coroutine(chunks):
    return in_one_expression(chunks)


@right("assemble")
def with_two_dicts(chunks):
    texts, reasons = {}, {}
    for chunk in chunks:
        for choice in chunk.choices:
            texts.setdefault(choice.index, []).append(
                choice.delta.content or ""
            )
            reasons[choice.index] = (
                reasons.get(choice.index) or choice.finish_reason
            )
    return [
        {"finish_reason": reasons[index], "text": "".join(pieces)}
        for index, pieces in sorted(texts.items())
    ]


@right("assemble")
def over_a_list_of_choices(chunks):
    choices = [choice for chunk in chunks for choice in chunk.choices]
    answers = []
    for index in sorted({choice.index for choice in choices}):
        own = [choice for choice in choices if choice.index == index]
        reason = next(
            (choice.finish_reason for choice in own if choice.finish_reason),
            None,
        )
        answers.append(
            {
                "text": "".join(choice.delta.content or "" for choice in own),
                "finish_reason": reason,
            }
        )
    return answers


@wrong("assemble", says="there is a tuple. Return a list")
def as_a_tuple(chunks):
    return tuple(over_a_list_of_choices(chunks))


def _assembled(chunks, *, order=sorted, every=True, key=lambda index: index):
    found = {}
    for chunk in chunks:
        for choice in chunk.choices if every else chunk.choices[:1]:
            answer = found.setdefault(
                key(choice.index), {"text": "", "finish_reason": None}
            )
            answer["text"] += choice.delta.content or ""
            answer["finish_reason"] = (
                choice.finish_reason or answer["finish_reason"]
            )
    return [found[index] for index in order(found)]


@wrong("assemble", "wrong", says="in the order of their index")
def in_order_of_arrival(chunks):
    return _assembled(chunks, order=list)


@wrong("assemble", "wrong", says="several choices")
def the_first_choice_of_a_chunk(chunks):
    return _assembled(chunks, every=False)


@wrong("assemble", "wrong", says="belongs to")
def all_in_one(chunks):
    return _assembled(chunks, key=lambda index: 0)


@wrong("assemble", "wrong")
def sorted_as_text(chunks):
    return _assembled(chunks, key=str)


@wrong("assemble", "wrong", says="Each has its own finish_reason")
def one_reason_for_all(chunks):
    chunks = list(chunks)
    reason = [
        choice.finish_reason
        for chunk in chunks
        for choice in chunk.choices
        if choice.finish_reason
    ]
    return [
        {"text": answer["text"], "finish_reason": reason[-1]}
        for answer in _assembled(chunks)
    ]


@wrong("assemble", "wrong", says="must not undo")
def the_last_piece_s_reason(chunks):
    chunks = list(chunks)
    last = {
        choice.index: choice.finish_reason
        for chunk in chunks
        for choice in chunk.choices
    }
    return [
        one | {"finish_reason": last[index]}
        for index, one in enumerate(_assembled(chunks))
    ]


@wrong(
    "assemble", "wrong", says="An answer without a finish_reason was cut off,"
)
def stop_where_nothing_is_said(chunks):
    return [
        answer | {"finish_reason": answer["finish_reason"] or "stop"}
        for answer in _assembled(chunks)
    ]


@wrong("assemble", "wrong")
def for_two_at_most(chunks):
    answers = [{"text": "", "finish_reason": None}]
    for chunk in chunks:
        for choice in chunk.choices:
            if choice.index == 1 and len(answers) == 1:
                answers.append({"text": "", "finish_reason": None})
            answers[choice.index]["text"] += choice.delta.content or ""
            answers[choice.index]["finish_reason"] = (
                choice.finish_reason or answers[choice.index]["finish_reason"]
            )
    return answers


@wrong("assemble", "wrong", says="Hint 1")
def texts_alone(chunks):
    return [answer["text"] for answer in _assembled(chunks)]


@right("timing")
def with_a_flag(events):
    first = last = end = None
    gaps = []
    for seconds, chunk in events:
        end = seconds
        if chunk.choices and chunk.choices[0].delta.content:
            if last is not None:
                gaps.append(seconds - last)
            else:
                first = seconds
            last = seconds
    return {"first_token": first, "gaps": gaps, "total": end}


@right("timing")
def over_a_list(events):
    events = list(events)
    times = [
        at
        for at, chunk in events
        for choice in chunk.choices
        if choice.delta.content not in (None, "")
    ]
    gaps = [times[i] - times[i - 1] for i in range(1, len(times))]
    return {
        "total": events[-1][0] if events else None,
        "gaps": gaps,
        "first_token": next(iter(times), None),
    }


def _timed(
    events,
    *,
    text=lambda chunk: any(choice.delta.content for choice in chunk.choices),
):
    events = list(events)
    times = [at for at, chunk in events if text(chunk)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return {
        "first_token": times[0] if times else None,
        "gaps": gaps,
        "total": events[-1][0] if events else None,
    }


@wrong("timing", "wrong", says="nothing to read yet")
def the_first_chunk(events):
    return _timed(events, text=lambda chunk: True)


@wrong("timing", "wrong", says="nothing to read yet")
def an_empty_text_is_text(events):
    return _timed(
        events,
        text=lambda chunk: (
            bool(chunk.choices) and chunk.choices[0].delta.content is not None
        ),
    )


@wrong("timing", "wrong", says="0.75")
def total_to_the_last_text(events):
    came = _timed(events)
    return came | {"total": (came["first_token"] or 0) + sum(came["gaps"])}


@wrong("timing", "error", says="IndexError")
def without_looking_for_text(events):
    events = list(events)
    times = [
        at
        for at, chunk in events
        if chunk.choices and chunk.choices[0].delta.content
    ]
    return {
        "first_token": times[0],
        "gaps": [b - a for a, b in pairwise(times)],
        "total": events[-1][0],
    }


@wrong("timing", "wrong", says="0.0 is a valid time, and an empty piece in the")
def zero_is_no_time(events):
    events, last = list(events), None
    came = _timed(events)
    gaps = []
    for at, chunk in events:
        if chunk.choices and chunk.choices[0].delta.content:
            if last:
                gaps.append(at - last)
            last = at
    return came | {"gaps": gaps}


@wrong("timing", "wrong")
def rounded(events):
    came = _timed(events)
    return came | {"gaps": [round(gap, 3) for gap in came["gaps"]]}


@wrong(
    "timing", "wrong", says="Without an event there is no total, so it is None."
)
def zero_for_nothing(events):
    came = _timed(events)
    return came | {"total": came["total"] or 0.0}


@right("read_until")
def with_stream_text(client, messages, enough):
    with stream_text(client, model="gpt-4o", messages=messages) as deltas:
        for _ in deltas:
            if enough(deltas.text):
                break
    return deltas.text


@right("read_until")
def closed_by_a_stack(client, messages, enough):
    text = ""
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(
            client.chat.completions.create(
                model="gpt-4o", messages=messages, stream=True
            )
        )
        deltas = (c.delta.content for chunk in stream for c in chunk.choices)
        for delta in filter(None, deltas):
            text += delta
            if enough(text):
                return text
    return text


@wrong("read_until", says="Call enough each time some text arrives, with")
def with_typed_events(client, messages, enough):
    text = ""
    with client.chat.completions.stream(
        model="gpt-4o", messages=messages
    ) as stream:
        for event in stream:
            if event.type == "content.delta":
                text = event.snapshot
                if enough(text):
                    break
    return text


@wrong("read_until", says="Call enough each time some text arrives, with")
def asking_at_chunks_without_text(client, messages, enough):
    stream, parts = (
        client.chat.completions.create(
            stream=True, messages=messages, model="gpt-4o"
        ),
        [],
    )
    try:
        for chunk in stream:
            parts += [
                choice.delta.content
                for choice in chunk.choices
                if choice.delta.content
            ]
            if parts and enough("".join(parts)):
                break
    finally:
        stream.close()
    return "".join(parts)


@wrong("read_until", "wrong", says="'left open': 1")
def left_open(client, messages, enough):
    text = ""
    for chunk in client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    ):
        for choice in chunk.choices:
            text += choice.delta.content or ""
        if enough(text):
            break
    return text


@wrong(
    "read_until",
    "wrong",
    says="Always close the stream: use it in a with block.",
)
def closed_without_finally(client, messages, enough):
    text = ""
    stream = client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    )
    for chunk in stream:
        for choice in chunk.choices:
            if choice.delta.content:
                text += choice.delta.content
                if enough(text):
                    stream.close()
                    return text
    stream.close()
    return text


@wrong(
    "read_until", "wrong", says="Do not read another chunk once it is enough."
)
def read_to_the_end(client, messages, enough):
    with client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    ) as stream:
        pieces = [
            choice.delta.content
            for chunk in stream
            for choice in chunk.choices
            if choice.delta.content
        ]
    text = ""
    for piece in pieces:
        text += piece
        if enough(text):
            break
    return text


@wrong("read_until", "wrong", says="all of the text so far")
def asks_about_the_piece(client, messages, enough):
    text = ""
    with client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    ) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    text += choice.delta.content
                    if enough(choice.delta.content):
                        return text
    return text


@wrong(
    "read_until", "wrong", says="Call enough each time some text arrives, with"
)
def without_the_last_piece(client, messages, enough):
    text = ""
    with client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    ) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                if enough(text + (choice.delta.content or "")):
                    return text
                text += choice.delta.content or ""
    return text


@wrong("read_until", "wrong", says="'returned': None")
def nothing_when_never_enough(client, messages, enough):
    text = ""
    with client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    ) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                if choice.delta.content and enough(text):
                    return text
    return None


@wrong(
    "read_until", "wrong", says="Call enough each time some text arrives, with"
)
def swallows_the_error(client, messages, enough):
    def quiet(text):
        try:
            return enough(text)
        except ValueError:
            return False

    return asking_at_chunks_without_text(client, messages, quiet)


@wrong("read_until", "wrong", says="'stream': False")
def not_streamed(client, messages, enough):
    text = client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=False
    )
    return str(text)


@dataclass
class StreamResult:
    text: str
    status: str


@right("stream_result")
def with_returns(stream):
    text, reason = "", None
    try:
        for chunk in stream:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                if chunk.choices[0].finish_reason is not None:
                    reason = chunk.choices[0].finish_reason
    except openai.APIConnectionError:
        return StreamResult(text, "interrupted")
    except openai.APIError:
        return StreamResult(text=text, status="error")
    except json.JSONDecodeError:
        return StreamResult(text=text, status="error")
    if reason is None:
        return StreamResult(text, "cut")
    return StreamResult(text, "complete" if reason == "stop" else "truncated")


@right("stream_result")
def with_isinstance(stream):
    pieces, reasons, error = [], [], None
    try:
        for chunk in stream:
            pieces += [choice.delta.content or "" for choice in chunk.choices]
            reasons += [
                choice.finish_reason
                for choice in chunk.choices
                if choice.finish_reason
            ]
    except (openai.APIError, json.JSONDecodeError) as came:
        error = came
    result = SimpleNamespace(text="".join(pieces), status="cut")
    if error is not None:
        result.status = (
            "interrupted"
            if isinstance(error, openai.APIConnectionError)
            else "error"
        )
    elif reasons:
        result.status = {"stop": "complete"}.get(reasons[0], "truncated")
    return result


def _result(
    stream,
    *,
    catch=(openai.APIError, json.JSONDecodeError),
    lost="interrupted",
    default=None,
):
    text, reason = "", default
    try:
        for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
    except catch as error:
        return StreamResult(
            text,
            lost if isinstance(error, openai.APIConnectionError) else "error",
        )
    return StreamResult(
        text, {"stop": "complete", "length": "truncated"}.get(reason, "cut")
    )


@wrong("stream_result", "error", says="JSONDecodeError")
def without_broken_json(stream):
    return _result(stream, catch=openai.APIError)


@wrong("stream_result", "wrong", says="The connection broke")
def clauses_in_the_wrong_order(stream):
    return _result(stream, lost="error")


@wrong("stream_result", "wrong", says="an except clause that is too broad")
def catches_everything(stream):
    return _result(stream, catch=Exception)


@wrong(
    "stream_result", "wrong", says="There is no exception, but the reply is not"
)
def complete_unless_told(stream):
    return _result(stream, default="stop")


@wrong("stream_result", "error", says="APIError")
def connection_alone(stream):
    return _result(stream, catch=openai.APIConnectionError)


@wrong(
    "stream_result",
    "wrong",
    says="The connection broke. Keep the text received so",
)
def text_lost(stream):
    result = _result(stream)
    return StreamResult(
        result.text
        if result.status in ("complete", "truncated", "cut")
        else "",
        result.status,
    )


@wrong("stream_result", "wrong", says="no .status")
def a_pair(stream):
    result = _result(stream)
    return result.text, result.status


@wrong("stream_result", "error", says="IndexError")
def falls_over_the_usage(stream):
    text = ""
    for chunk in stream:
        text += chunk.choices[0].delta.content or ""
    return StreamResult(text, "complete")


@wrong(
    "stream_result",
    "wrong",
    says="Broken JSON raises a JSONDecodeError, which is",
)
def hard_coded_endings(stream):
    known = {"Paris.": "complete", "It is": "truncated"}
    result = _result(stream)
    if result.status == "error":
        return StreamResult("Gradient descent", "error")
    return StreamResult(
        result.text,
        known.get(result.text, result.status)
        if result.status != "cut"
        else "cut",
    )


def _text(chunks):
    return "".join(
        choice.delta.content or ""
        for chunk in chunks
        for choice in chunk.choices
    )


@wrong("text_of", says="An empty piece is not the end, and spaces are")
def all_but_the_first(chunks):
    next(chunks, None)
    return _text(chunks)


@wrong("text_of", says="Any chunk may have text")
def all_but_the_last(chunks):
    return _text(list(chunks)[:-1])


@wrong("text_of", says="no matter how many pieces")
def the_first_twenty(chunks):
    return _text(list(chunks)[:20])


@wrong("assemble", says="text follows the finish_reason")
def nothing_after_the_end(chunks):
    answers = {}
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        answer = answers.setdefault(
            choice.index, {"text": "", "finish_reason": None}
        )
        if answer["finish_reason"] is None:
            answer.update(
                text=answer["text"] + (choice.delta.content or ""),
                finish_reason=choice.finish_reason,
            )
    return [answers[index] for index in sorted(answers)]


def _timing(events, is_text, digits=12, most=1000):
    events = list(events)
    at = [
        seconds
        for seconds, chunk in events
        if chunk.choices and is_text(chunk.choices[0].delta.content or "")
    ]
    gaps = [round(later - sooner, digits) for sooner, later in pairwise(at)]
    return {
        "first_token": at[0] if at else None,
        "gaps": gaps[:most],
        "total": events[-1][0] if events else None,
    }


@right("timing")
def collected_first(events):
    return _timing(events, bool)


@wrong("timing", says="Spaces and newlines are text.")
def blanks_are_no_text(events):
    return _timing(events, str.strip)


@wrong("timing", says="It looks rounded. Return the exact number.")
def in_microseconds(events):
    return _timing(events, bool, digits=6)


@wrong("timing", says="Each gap counts")
def twenty_gaps(events):
    return _timing(events, bool, most=20)


def _read(client, messages, enough, **more):
    with client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True, **more
    ) as stream:
        text = ""
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                text += chunk.choices[0].delta.content
                if enough(text):
                    break
        return text


@wrong("read_until", says="Send one request, with the model gpt-4o, the")
def again_when_empty(client, messages, enough):
    return _read(client, messages, enough) or _read(client, messages, enough)


@wrong("read_until", says="max_tokens")
def with_a_limit_of_its_own(client, messages, enough):
    return _read(client, messages, enough, max_tokens=50)


@wrong("stream_result", says="too broad")
def any_value_error(stream):
    return _result(stream, catch=(openai.APIError, ValueError))


@wrong("stream_result", says="Hint 1")
def whole_when_it_ends_with_a_period(stream):
    result = _result(stream)
    return (
        StreamResult(result.text, "complete")
        if result.text.endswith(".") and result.status == "cut"
        else result
    )


# Answers that two readers' checks misjudged, 2026-11-29


@wrong("read_until", says="Call enough each time some text arrives, with")
def asking_after_the_first_empty_delta(client, messages, enough):
    text = ""
    with client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    ) as stream:
        for chunk in stream:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                if enough(text):
                    break
    return text


@wrong("read_until", says="Call enough each time some text arrives, with")
def asking_once_more_at_the_end(client, messages, enough):
    text = closed_by_a_stack(client, messages, enough)
    enough(text)
    return text


def _read_stream(stream, *, to_the_end=True, reason_first=False):
    parts, reason = [], None
    try:
        for chunk in stream:
            for choice in chunk.choices:
                parts.append(choice.delta.content or "")
                reason = choice.finish_reason or reason
            if reason and not to_the_end:
                break
    except (openai.APIError, json.JSONDecodeError) as error:
        lost = isinstance(error, openai.APIConnectionError)
        if not (reason_first and reason):
            return StreamResult(
                "".join(parts), "interrupted" if lost else "error"
            )
    names = {"stop": "complete", "length": "truncated"}
    return StreamResult("".join(parts), names.get(reason, "cut"))


@wrong("stream_result", says="text follows the finish_reason")
def until_the_finish_reason(stream):
    return _read_stream(stream, to_the_end=False)


@wrong("stream_result", says="An exception takes precedence")
def complete_before_the_error(stream):
    return _read_stream(stream, reason_first=True)


# By authors who had seen neither checks nor solutions (2026-11-29): accepted at first


@wrong("text_of", "wrong", says="newlines of any kind")
def with_other_line_ends(chunks):
    written = io.StringIO(newline=None)
    for chunk in chunks:
        for choice in chunk.choices:
            written.write(choice.delta.content or "")
    return written.getvalue()


@wrong("assemble", "wrong", says="in any order")
def a_choice_s_place_for_its_index(chunks):
    answers = []
    for chunk in chunks:
        for place, choice in enumerate(chunk.choices):
            while len(answers) <= max(place, choice.index):
                answers.append({"text": "", "finish_reason": None})
            index = place if len(chunk.choices) > 1 else choice.index
            answers[index]["text"] += choice.delta.content or ""
            if choice.finish_reason:
                answers[choice.index]["finish_reason"] = choice.finish_reason
    return answers


@wrong(
    "read_until",
    "wrong",
    says="Always close the stream: use it in a with block.",
)
def closed_after_an_exception_only(client, messages, enough):
    stream = client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    )
    text = ""
    try:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                text += chunk.choices[0].delta.content
                if enough(text):
                    break
    except Exception:
        stream.close()
        raise
    stream.close()
    return text


@wrong("read_until", "wrong", says="The arguments belong to the caller")
def with_the_answer_in_the_history(client, messages, enough):
    messages.append({"role": "assistant", "content": ""})
    with client.chat.completions.create(
        model="gpt-4o", messages=messages[:-1], stream=True
    ) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    messages[-1]["content"] += choice.delta.content
                    if enough(messages[-1]["content"]):
                        return messages[-1]["content"]
    return messages[-1]["content"]


@wrong("stream_result", "wrong", says="an except clause that is too broad")
def every_error_of_the_sdk(stream):
    text, reason = "", None
    try:
        for chunk in stream:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                reason = chunk.choices[0].finish_reason or reason
    except openai.APIConnectionError:
        return StreamResult(text, "interrupted")
    except (openai.OpenAIError, json.JSONDecodeError):
        return StreamResult(text, "error")
    endings = {"stop": "complete", "length": "truncated"}
    return StreamResult(text, endings.get(reason, "cut"))
