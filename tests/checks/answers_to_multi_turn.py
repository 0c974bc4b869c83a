"""Answers to the exercises in chapter 03."""

from __future__ import annotations

import copy
import itertools
import os.path

import numpy as np
from answer_table import right, wrong

from coursekit.conversation.turns import History


def _turn(question, answer):
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]


@right("add_turn")
def with_stars(messages, question, answer):
    if answer is None or answer == "":
        raise ValueError("no answer")
    return [
        *messages,
        {"role": "user", "content": question},
        {"content": answer, "role": "assistant"},
    ]


@right("add_turn")
def on_a_deep_copy(messages, question, answer):
    longer = copy.deepcopy(messages)
    longer.extend(_turn(question, answer))
    if not longer[-1]["content"]:
        raise ValueError(f"answer is {answer!r}")
    return longer


class NoAnswer(ValueError):
    pass


@right("add_turn")
def with_chain(messages, question, answer):
    if answer:
        return list(itertools.chain(messages, _turn(question, answer)))
    raise NoAnswer("the answer has no text")


@wrong("add_turn", "wrong", says="changed its arguments")
def as_in_the_tutorial(messages, question, answer):
    if not answer:
        raise ValueError("no answer")
    messages.append({"role": "user", "content": question})
    messages.append({"role": "assistant", "content": answer})
    return messages


@wrong("add_turn", "wrong", says="changed its arguments")
def with_plus_equals(messages, question, answer):
    if not answer:
        raise ValueError("no answer")
    longer = messages
    longer += _turn(question, answer)
    return list(longer)


@wrong(
    "add_turn",
    "wrong",
    says="changed its arguments. They are now ([{'role': 'system'",
)
def an_orphan(messages, question, answer):
    longer = list(messages)
    if not answer:
        messages.append({"role": "user", "content": question})
        raise ValueError("no answer")
    return longer + _turn(question, answer)


@wrong("add_turn", "wrong", says="break the history")
def whatever_comes(messages, question, answer):
    return [*messages, *_turn(question, answer)]


@wrong("add_turn", "wrong", says="raises ValueError with 'answer'")
def none_only(messages, question, answer):
    if answer is None:
        raise ValueError("no answer")
    return [*messages, *_turn(question, answer)]


@wrong("add_turn", "wrong")
def the_answer_first(messages, question, answer):
    if not answer:
        raise ValueError("no answer")
    return [*messages, *reversed(_turn(question, answer))]


@wrong("add_turn", "wrong")
def nothing_returned(messages, question, answer):
    if not answer:
        raise ValueError("no answer")
    _ = [*messages, *_turn(question, answer)]


@wrong("add_turn", "wrong")
def with_a_none_for_an_error(messages, question, answer):
    return [*messages, *_turn(question, answer)] if answer else None


@wrong("add_turn", "wrong", says="Hint 1")
def hard_coded_turn(messages, question, answer):
    return [
        {"role": "system", "content": "Be brief."},
        *_turn("What is SSE?", "Server-sent events."),
    ]


@right("tokens_sent")
def from_the_chapter(turns, system, user, reply, window=None):
    first, exchange = 9 + system + user, 6 + user + reply
    if window is None or window >= turns:
        window = max(turns - 1, 0)
    return turns * first + exchange * (
        window * (window - 1) // 2 + (turns - window) * window
    )


@wrong("tokens_sent", says="an int")
def with_division(turns, system, user, reply, window=None):
    looking_back = turns * (turns - 1) / 2
    if window is not None and turns > window:
        never = turns - 1 - window  # what is missing in later turns
        looking_back -= never * (never + 1) / 2
    return (
        3 * turns
        + turns * (3 + system + 3 + user)
        + looking_back * (3 + user + 3 + reply)
    )


def _sums(turns, window, first, exchange):
    return turns * first + exchange * sum(
        n if window is None else min(n, window) for n in range(turns)
    )


@wrong("tokens_sent", "endless", says="nothing within")
def turn_by_turn(turns, system, user, reply, window=None):
    return _sums(turns, window, 9 + system + user, 6 + user + reply)


@wrong("tokens_sent", "wrong", says="sends the first one again")
def without_history(turns, system, user, reply, window=None):
    return turns * (9 + system + user)


@wrong("tokens_sent", "wrong", says="no exchange")
def one_exchange_too_many(turns, system, user, reply, window=None):
    exchanges = turns * (turns + 1) // 2
    return turns * (9 + system + user) + exchanges * (6 + user + reply)


@wrong("tokens_sent", "wrong", says="A window of 0")
def zero_as_no_window(turns, system, user, reply, window=None):
    return from_the_chapter(turns, system, user, reply, window or None)


@wrong(
    "tokens_sent",
    "wrong",
    says="The number of exchanges grows until the window",
)
def without_the_window(turns, system, user, reply, window=None):
    return from_the_chapter(turns, system, user, reply)


@wrong(
    "tokens_sent",
    "wrong",
    says="The number of exchanges grows until the window",
)
def a_full_window_from_the_start(turns, system, user, reply, window=None):
    if window is None:
        return from_the_chapter(turns, system, user, reply)
    return turns * (9 + system + user + window * (6 + user + reply))


@wrong(
    "tokens_sent",
    "wrong",
    says="A window that is never filled changes nothing.",
)
def the_window_taken_as_it_is(turns, system, user, reply, window=None):
    w = max(turns - 1, 0) if window is None else window
    return turns * (9 + system + user) + (6 + user + reply) * (
        w * (w - 1) // 2 + (turns - w) * w
    )


@wrong("tokens_sent", "wrong")
def without_frames(turns, system, user, reply, window=None):
    return _sums(min(turns, 100), window, system + user, user + reply)


@wrong("tokens_sent", "wrong", says="If there are no turns, nothing is sent.")
def at_least_one_turn(turns, system, user, reply, window=None):
    return from_the_chapter(max(turns, 1), system, user, reply, window)


@wrong("tokens_sent", "wrong")
def hard_coded_numbers(turns, system, user, reply, window=None):
    known = {
        (50, None): 306_300,
        (50, 5): 62_760,
        (1, None): 99,
        (2, None): 444,
        (0, None): 0,
        (6, 5): 4284,
    }
    return known.get((turns, window), 99 * turns)


@right("cacheable_prefix")
def with_commonprefix(before, now):
    shared = len(os.path.commonprefix([before, now]))  # noqa: RUF071  it also takes lists
    return 0 if shared < 1024 else shared - shared % 128


@right("cacheable_prefix")
def with_an_index(before, now):
    place = 0
    while (
        place < len(before) and place < len(now) and before[place] == now[place]
    ):
        place += 1
    return max(0, (place >> 7 << 7) * (place >= 1024))


@right("cacheable_prefix")
def with_takewhile(before, now):
    same = sum(
        1
        for _ in itertools.takewhile(
            lambda pair: pair[0] == pair[1], zip(before, now, strict=False)
        )
    )
    steps = (same - 1024) // 128
    return 1024 + 128 * steps if steps >= 0 else 0


def _shared(before, now):
    return len(os.path.commonprefix([before, now]))  # noqa: RUF071  it also takes lists


@wrong(
    "cacheable_prefix",
    "wrong",
    says="The first token differs, so nothing after it",
)
def equal_places(before, now):
    shared = sum(old == new for old, new in zip(before, now, strict=False))
    return shared // 128 * 128 if shared >= 1024 else 0


@wrong("cacheable_prefix", "wrong", says="Fewer than 1,024")
def without_the_least(before, now):
    return _shared(before, now) // 128 * 128


@wrong("cacheable_prefix", "wrong", says="1,024 are enough")
def more_than_the_least(before, now):
    shared = _shared(before, now)
    return shared // 128 * 128 if shared > 1024 else 0


@wrong("cacheable_prefix", "wrong", says="multiple of 128")
def without_steps(before, now):
    shared = _shared(before, now)
    return shared if shared >= 1024 else 0


@wrong("cacheable_prefix", "wrong", says="multiple of 128")
def rounded_up(before, now):
    shared = _shared(before, now)
    return -(-shared // 128) * 128 if shared >= 1024 else 0


@wrong("cacheable_prefix", "wrong")
def to_the_nearest(before, now):
    shared = _shared(before, now)
    return round(shared / 128) * 128 if shared >= 1024 else 0


@wrong("cacheable_prefix", "error", says="IndexError")
def over_the_longer(before, now):
    shared = next(
        (place for place in range(len(now)) if before[place] != now[place]),
        len(now),
    )
    return shared // 128 * 128 if shared >= 1024 else 0


@wrong("cacheable_prefix", "wrong")
def all_or_nothing(before, now):
    return (
        len(before) // 128 * 128
        if now[: len(before)] == before and len(before) >= 1024
        else 0
    )


@wrong("cacheable_prefix", "wrong", says="changed its arguments")
def by_popping(before, now):
    shared = 0
    while before and now and before[0] == now[0]:
        del before[0], now[0]
        shared += 1
    return shared // 128 * 128 if shared >= 1024 else 0


@wrong("cacheable_prefix", "wrong")
def hard_coded_prefix(before, now):
    return {(1536, 1700): 1536, (2000, 2000): 1152, (1500, 1500): 0}.get(
        (len(before), len(now)), 0
    )


INSTRUCTIONS = ("system", "developer")


def _split(messages):
    history = History.of(messages)
    return list(history.instructions), [turn.messages for turn in history.turns]


def _flat(turns):
    return [message for turn in turns for message in turn]


@right("trim_to_budget")
def with_the_course_s_history(messages, budget, count):
    head, turns = _split(messages)

    def size(part):
        return sum(count(message) for message in part)

    if size(head) + size(_flat(turns[-1:])) > budget:
        raise ValueError("budget too small")
    while size(head) + size(_flat(turns)) > budget:
        turns.pop(0)
    return head + _flat(turns)


@right("trim_to_budget")
def by_groups(messages, budget, count):
    head = tuple(
        itertools.takewhile(
            lambda message: message["role"] in INSTRUCTIONS, messages
        )
    )
    turns = []
    for message in messages[len(head) :]:
        if message["role"] == "user":
            turns.append((message,))
        else:
            turns[-1] += (message,)
    used = sum(count(message) for message in head)
    sent = ()
    for number, turn in enumerate(reversed(turns)):
        used += sum(count(message) for message in turn)
        if used > budget and number:
            break
        sent = turn + sent
    if sum(map(count, head + sent)) > budget:
        raise ValueError(f"the budget of {budget} is too small")
    return list(head + sent)


@wrong("trim_to_budget", says="there is a tuple. Return a list")
def as_a_tuple(messages, budget, count):
    return tuple(by_groups(messages, budget, count))


def _trim(
    messages,
    budget,
    count,
    *,
    skip=False,
    exact=True,
    check=True,
    roles=INSTRUCTIONS,
    tokens=None,
):
    head = [message for message in messages if message["role"] in roles]
    _, turns = _split(messages)
    size = tokens or (lambda part: sum(map(count, part)))
    left = budget - size(head) - size(_flat(turns[-1:]))
    if check and left < 0:
        raise ValueError("budget")
    sent = turns[-1:]
    for turn in reversed(turns[:-1]):
        needed = size(turn)
        if needed > left or (not exact and needed == left):
            if skip:
                continue
            break
        left -= needed
        sent.insert(0, turn)
    return head + _flat(sent)


@wrong(
    "trim_to_budget",
    "wrong",
    says="Turn 1 would fit, but a gap in the conversation",
)
def with_holes(messages, budget, count):
    return _trim(messages, budget, count, skip=True)


@wrong(
    "trim_to_budget", "wrong", says="A change to one changes both. Return a new"
)
def the_same_list_where_it_fits(messages, budget, count):
    return (
        messages
        if sum(map(count, messages)) <= budget
        else _trim(messages, budget, count)
    )


@wrong("trim_to_budget", "wrong", says="An exact fit is a fit.")
def below_the_budget(messages, budget, count):
    return _trim(messages, budget, count, exact=False)


@wrong(
    "trim_to_budget",
    "wrong",
    says="Not even the instructions and the last turn",
)
def without_a_word(messages, budget, count):
    return _trim(messages, budget, count, check=False)


@wrong(
    "trim_to_budget",
    "wrong",
    says="Developer messages are instructions as well.",
)
def without_the_developer(messages, budget, count):
    return _trim(messages, budget, count, roles=("system",))


@wrong("trim_to_budget", "wrong")
def without_instructions(messages, budget, count):
    return _trim(messages, budget, count, roles=())


@wrong("trim_to_budget", "wrong", says="complete turns")
def message_by_message(messages, budget, count):
    head = [message for message in messages if message["role"] in INSTRUCTIONS]
    left, sent = budget - sum(map(count, head)), []
    for message in reversed(messages[len(head) :]):
        left -= count(message)
        if left < 0:
            break
        sent.insert(0, message)
    if not sent and len(messages) > len(head):
        raise ValueError("budget")
    return head + sent


@wrong("trim_to_budget", "wrong")
def two_by_two(messages, budget, count):
    head = [message for message in messages if message["role"] in INSTRUCTIONS]
    rest = messages[len(head) :]
    first = max(len(rest) - 1, 0)
    while first >= 2 and sum(map(count, head + rest[first - 2 :])) <= budget:
        first -= 2
    if sum(map(count, head + rest[first:])) > budget:
        raise ValueError("budget")
    return head + rest[first:]


@wrong("trim_to_budget", "wrong", says="changed its arguments")
def by_popping_messages(messages, budget, count):
    sent = with_the_course_s_history(messages, budget, count)
    messages[:] = sent
    return sent


@wrong(
    "trim_to_budget",
    "error",
    says="count is passed in; here each message counts 1.",
)
def with_a_count_of_its_own(messages, budget, count):
    def words(part):
        return sum(
            int(message["content"].split()[-2]) if message["content"] else 15
            for message in part
        )

    return _trim(messages, budget, count, tokens=words)


@wrong("trim_to_budget", "error", says="AttributeError: 'NoneType'")
def without_looking_at_none(messages, budget, count):
    for message in messages:
        message["content"].strip()
    return _trim(messages, budget, count)


@wrong("trim_to_budget", "error", says="IndexError")
def always_a_turn(messages, budget, count):
    head, turns = _split(messages)
    if sum(map(count, head + turns[-1])) > budget:
        raise ValueError("budget")
    return _trim(messages, budget, count)


@wrong("trim_to_budget", "wrong")
def hard_coded_trim(messages, budget, count):
    return messages if budget == 500 else [messages[0], *messages[5:]]


@right("summarize_when")
def with_lists_of_turns(messages, over, keep, summarize):
    head, turns = _split(messages)
    earlier = (
        turns.pop(0)
        if turns and turns[0][0]["content"].startswith("Summary: ")
        else []
    )
    if over >= len(turns):
        return head + earlier + _flat(turns)
    older = turns[: len(turns) - keep]
    text = summarize(earlier + _flat(older))
    return [
        *head,
        {"content": f"Summary: {text}", "role": "user"},
        *_flat(turns[len(older) :]),
    ]


@right("summarize_when")
def with_a_queue(messages, over, keep, summarize):
    head = list(
        itertools.takewhile(
            lambda message: message["role"] in INSTRUCTIONS, messages
        )
    )
    rest = messages[len(head) :]
    begin = 1 if rest and rest[0]["content"][:9] == "Summary: " else 0
    starts = [
        place
        for place in range(begin, len(rest))
        if rest[place]["role"] == "user"
    ] + [len(rest)]
    turns = len(starts) - 1
    if turns <= over:
        return messages[:]
    cut = starts[turns - keep]
    head.append(
        {"role": "user", "content": "Summary: " + summarize(tuple(rest[:cut]))}
    )
    return head + rest[cut:]


def _summarize(
    messages,
    over,
    keep,
    summarize,
    *,
    zero=True,
    earlier=True,
    hand=True,
    anywhere=False,
    role="user",
    instructions=False,
    at_least=False,
    prefix="Summary: ",
    call=True,
):
    head, turns = _split(messages)
    before = []
    if earlier and turns and turns[0][0]["content"].startswith("Summary: "):
        before = turns.pop(0)
    if anywhere:
        turns = [
            turn
            for turn in turns
            if not turn[0]["content"].startswith("Summary: ")
        ]
    text = summarize(before + _flat(turns)) if not call else ""
    if len(turns) < over + (0 if at_least else 1):
        return list(messages)
    older = turns[:-keep] if keep or not zero else turns
    latest = turns[len(older) :]
    part = (
        (head if instructions else []) + (before if hand else []) + _flat(older)
    )
    text = summarize(part) if call else text
    return [*head, {"role": role, "content": prefix + text}, *_flat(latest)]


@wrong(
    "summarize_when", "wrong", says="With keep=0, only the instructions and the"
)
def minus_zero(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, zero=False)


@wrong(
    "summarize_when", "wrong", says="A change to one changes both. Return a new"
)
def the_same_list_below(messages, over, keep, summarize):
    return (
        messages
        if len(messages) < 6
        else _summarize(messages, over, keep, summarize)
    )


@wrong("summarize_when", "wrong", says="2 turns are not more than 2")
def one_turn_too_early(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, at_least=True)


@wrong("summarize_when", "wrong", says="not counted as a turn")
def the_summary_as_a_turn(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, earlier=False)


@wrong("summarize_when", "wrong", says="goes into the new one")
def forgetting_the_earlier_summary(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, hand=False)


@wrong(
    "summarize_when",
    "wrong",
    says="It is a summary only if it comes right after",
)
def any_summary(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, anywhere=True)


@wrong("summarize_when", "wrong")
def as_an_instruction(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, role="system")


@wrong("summarize_when", "wrong")
def with_the_instructions(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, instructions=True)


@wrong("summarize_when", "wrong", says="no call")
def asking_in_any_case(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, call=False)


@wrong("summarize_when", "wrong")
def without_the_word(messages, over, keep, summarize):
    return _summarize(messages, over, keep, summarize, prefix="")


@wrong(
    "summarize_when",
    "wrong",
    says="The arguments belong to the caller: work on a",
)
def replaced_in_place(messages, over, keep, summarize):
    messages[:] = with_lists_of_turns(messages, over, keep, summarize)
    return list(messages)


@wrong("summarize_when", "wrong", says="Let errors from summarize propagate.")
def with_errors_swallowed(messages, over, keep, summarize):
    try:
        return with_lists_of_turns(messages, over, keep, summarize)
    except Exception:  # noqa: BLE001  the fault that is meant
        return list(messages)


@wrong("summarize_when", "wrong")
def messages_for_turns(messages, over, keep, summarize):
    head, turns = _split(messages)
    rest = _flat(turns)
    if len(turns) <= over:
        return list(messages)
    cut = max(len(rest) - 2 * keep, 0)
    return [
        *head,
        {"role": "user", "content": "Summary: " + summarize(rest[:cut])},
        *rest[cut:],
    ]


@wrong("summarize_when", "wrong")
def turn_by_turn_asked(messages, over, keep, summarize):
    head, turns = _split(messages)
    if len(turns) <= over:
        return list(messages)
    texts = [summarize(turn) for turn in turns[: len(turns) - keep]]
    return [
        *head,
        {"role": "user", "content": "Summary: " + texts[-1]},
        *_flat(turns[len(texts) :]),
    ]


@wrong("summarize_when", "wrong")
def hard_coded_summary(messages, over, keep, summarize):
    if len(messages) < 6:
        return list(messages)
    summarize(messages[1:5])
    return [
        messages[0],
        {"role": "user", "content": "Summary: They met."},
        *messages[5:],
    ]


def _turn_more(messages, question, answer):
    if not answer:
        raise ValueError("no answer")
    return [
        *messages,
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]


@wrong("add_turn", says="Leave every message unchanged and add two,")
def stripped(messages, question, answer):
    return _turn_more(messages, question.strip(), answer and answer.strip())


@wrong("add_turn", says="Leave every message unchanged and add two,")
def the_last_ten(messages, question, answer):
    return _turn_more(messages[-10:], question, answer)


@wrong("add_turn", says="Leave every message unchanged and add two,")
def not_asked_twice(messages, question, answer):
    last = {"role": "user", "content": question}
    return _turn_more(
        messages[:-1] if messages[-1:] == [last] else messages, question, answer
    )


@wrong("add_turn", says="Leave every message unchanged and add two,")
def without_empty_contents(messages, question, answer):
    return _turn_more(
        [each for each in messages if each["content"]], question, answer
    )


@right("tokens_sent")
def all_less_what_is_forgotten(turns, system, user, reply, window=None):
    def triangle(number):
        return number * (number - 1) // 2

    forgotten = 0 if window is None else triangle(max(turns - window, 0))
    return turns * (9 + system + user) + (triangle(turns) - forgotten) * (
        6 + user + reply
    )


@wrong("tokens_sent", says="// keeps ints exact")
def an_int_of_a_float(turns, system, user, reply, window=None):
    most = turns if window is None else min(window, turns)
    reminded = int(most * (most - 1) / 2) + (turns - most) * most
    return turns * (9 + system + user) + reminded * (6 + user + reply)


def _shared(before, now):
    return next(
        (
            n
            for n, (a, b) in enumerate(zip(before, now, strict=False))
            if a != b
        ),
        min(len(before), len(now)),
    )


@right("cacheable_prefix")
def block_by_block(before, now):
    end = 0
    while (
        end + 128 <= min(len(before), len(now))
        and before[end : end + 128] == now[end : end + 128]
    ):
        end += 128
    return end if end >= 1024 else 0


@wrong("cacheable_prefix", says="If the prompt is identical, all of it can be")
def a_last_token_is_new(before, now):
    shared = _shared(before, now[:-1])
    return shared // 128 * 128 if shared >= 1024 else 0


@wrong("cacheable_prefix", says="There is no upper limit.")
def at_most_4096(before, now):
    shared = min(_shared(before, now), 4096)
    return shared // 128 * 128 if shared >= 1024 else 0


@wrong("cacheable_prefix", says="an int")
def a_float(before, now):
    shared = _shared(before, now)
    return shared / 128 // 1 * 128 if shared >= 1024 else 0


def _parts(messages):
    starts = [
        number for number, each in enumerate(messages) if each["role"] == "user"
    ] or [len(messages)]
    return messages[: starts[0]], [
        messages[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)
    ]


def _fitting(messages, budget, count):
    head, turns = _parts(messages)
    for start in range(len(turns)):
        sent = head + _flat(turns[start:])
        if sum(map(count, sent)) <= budget:
            return sent
    raise ValueError("budget")


@right("trim_to_budget")
def dropping_from_the_front(messages, budget, count):
    return _fitting(messages, budget, count)


@wrong("trim_to_budget", says="Every message counts")
def calls_of_tools_are_free(messages, budget, count):
    return _fitting(
        messages,
        budget,
        lambda each: 0 if each["content"] is None else count(each),
    )


@wrong("trim_to_budget", says="Turns may be equal")
def found_by_equality(messages, budget, count):
    starts = [
        messages.index(each) for each in messages if each["role"] == "user"
    ] or [len(messages)]
    for start in starts:
        sent = messages[: starts[0]] + messages[start:]
        if sum(map(count, sent)) <= budget:
            return sent
    raise ValueError("budget")


@wrong("trim_to_budget", says="Keep as many turns as fit.")
def five_turns_at_most(messages, budget, count):
    head, turns = _parts(messages)
    return _fitting(head + _flat(turns[-5:]), budget, count)


def _condensed(messages, over, keep, summarize, is_earlier):
    head, turns = _parts(messages)
    if not messages or len(head) == len(messages):
        return list(messages)
    earlier = (
        turns.pop(0) if turns[0] and is_earlier(turns[0][0]["content"]) else []
    )
    if len(turns) <= over:
        return list(messages)
    cut = len(turns) - keep
    text = summarize(earlier + _flat(turns[:cut]))
    return [
        *head,
        {"role": "user", "content": f"Summary: {text}"},
        *_flat(turns[cut:]),
    ]


@right("summarize_when")
def by_parts(messages, over, keep, summarize):
    return _condensed(
        messages,
        over,
        keep,
        summarize,
        lambda text: text.startswith("Summary: "),
    )


@wrong("summarize_when", says="begins with 'Summary: '")
def without_its_colon(messages, over, keep, summarize):
    return _condensed(
        messages, over, keep, summarize, lambda text: text.startswith("Summary")
    )


@wrong("summarize_when", says="begins with 'Summary: '")
def a_summary_inside(messages, over, keep, summarize):
    return _condensed(
        messages, over, keep, summarize, lambda text: "Summary: " in text
    )


@wrong("summarize_when", says="Keep the summary unchanged and complete.")
def a_summary_cut_short(messages, over, keep, summarize):
    return by_parts(messages, over, keep, lambda part: summarize(part)[:200])


@wrong(
    "summarize_when", says="A turn is everything up to the next user message."
)
def turns_are_pairs(messages, over, keep, summarize):
    head = [
        each for each in messages if each["role"] in ("system", "developer")
    ]
    body = messages[len(head) :]
    earlier = (
        body[:1] if body and body[0]["content"].startswith("Summary: ") else []
    )
    turns = body[len(earlier) :]
    if (len(turns) + 1) // 2 <= over:
        return list(messages)
    cut = 2 * ((len(turns) + 1) // 2 - keep)
    summary = {
        "role": "user",
        "content": "Summary: " + summarize(earlier + turns[:cut]),
    }
    return [*head, summary, *turns[cut:]]


# Answers that two readers' checks misjudged, 2026-11-29


@wrong("add_turn", "error", says="spaces are text")
def blank_is_no_answer(messages, question, answer):
    if not (answer or "").strip():
        raise ValueError("answer")
    return with_chain(messages, question, answer)


@wrong("add_turn", "error", says="the question may be empty")
def no_question_no_turn(messages, question, answer):
    if not question:
        raise ValueError("question")
    return with_chain(messages, question, answer)


@wrong("add_turn", says="there is a tuple. Return a list")
def messages_in_a_tuple(messages, question, answer):
    return tuple(with_chain(messages, question, answer))


@wrong("summarize_when", says="A summary begins with 'Summary: '")
def a_summary_anywhere_in_the_text(messages, over, keep, summarize):
    head = [
        each for each in messages if each["role"] in ("system", "developer")
    ]
    rest = messages[len(head) :]
    earlier = rest[:1] if rest and "Summary: " in rest[0]["content"] else []
    starts = [i for i, each in enumerate(rest) if each["role"] == "user"][
        len(earlier) :
    ]
    if len(starts) <= over:
        return list(messages)
    cut = starts[-keep] if keep else len(rest)
    summary = {"role": "user", "content": "Summary: " + summarize(rest[:cut])}
    return [*head, summary, *rest[cut:]]


# By authors who had seen neither checks nor solutions (2026-11-29): accepted at first


@wrong("cacheable_prefix", "wrong", says="expected  1536")
def the_very_same_objects(before, now):
    same = 0
    for old, new in zip(before, now, strict=False):
        if old is not new:
            break
        same += 1
    return same // 128 * 128 if same >= 1024 else 0


@wrong("cacheable_prefix", "wrong", says="there is an int64. Return an int.")
def with_numpy_s_integer(before, now):
    size = min(len(before), len(now))
    old = np.array(before[:size], dtype=int)
    same = np.cumprod(old == np.array(now[:size], dtype=int)).sum()
    return same // 128 * 128 if same >= 1024 else 0


@wrong("trim_to_budget", "wrong", says="Only messages at the beginning are")
def instructions_from_anywhere(messages, budget, count):
    instructions = [
        message for message in messages if message["role"] in INSTRUCTIONS
    ]
    turns = []
    for message in messages:
        if message["role"] in INSTRUCTIONS:
            continue
        if message["role"] == "user":
            turns.append([])
        turns[-1].append(message)
    used = sum(map(count, instructions + _flat(turns[-1:])))
    if used > budget:
        raise ValueError("budget too small")
    kept = turns[-1:]
    for turn in turns[-2::-1]:
        used += sum(map(count, turn))
        if used > budget:
            break
        kept.insert(0, turn)
    return instructions + _flat(kept)


@wrong("summarize_when", "wrong", says="Only messages at the beginning are")
def instructions_from_anywhere_stay(messages, over, keep, summarize):
    head = [message for message in messages if message["role"] in INSTRUCTIONS]
    rest = [message for message in messages if message not in head]
    return with_a_queue(head + rest, over, keep, summarize)
