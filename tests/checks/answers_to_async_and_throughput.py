"""Answers to the exercises in chapter 05."""

from __future__ import annotations

import asyncio
import time

from answer_table import right, wrong

MINI = "gpt-4o-mini"


@right("binding_limit")
def with_tuples(concurrency, latency, rpm, tpm, tokens):
    rates = [
        (concurrency / latency * 60, "concurrency"),
        (rpm, "rpm"),
        (tpm / tokens, "tpm"),
    ]
    rate, name = sorted(rates, key=lambda pair: pair[0])[0]
    return name, rate


@wrong("binding_limit", says="there is a list. Return a tuple")
def as_a_list(concurrency, latency, rpm, tpm, tokens):
    return list(with_tuples(concurrency, latency, rpm, tpm, tokens))


@right("binding_limit")
def with_ifs(concurrency, latency, rpm, tpm, tokens):
    slots, budget = concurrency * (60 / latency), tpm / tokens
    if slots <= rpm and slots <= budget:
        return "concurrency", slots
    if rpm <= budget:
        return "rpm", float(rpm)
    return "tpm", budget


@wrong(
    "binding_limit",
    "wrong",
    says="5 in flight at 0.3 s each makes 1,000 a minute;",
)
def a_second(concurrency, latency, rpm, tpm, tokens):
    rates = {"concurrency": 60 * concurrency, "rpm": rpm, "tpm": tpm / tokens}
    name = min(rates, key=rates.get)
    return name, rates[name]


@wrong("binding_limit", "wrong", says="Do not round")
def whole_requests(concurrency, latency, rpm, tpm, tokens):
    rates = {
        "concurrency": 60 * concurrency / latency,
        "rpm": rpm,
        "tpm": tpm // tokens,
    }
    name = min(rates, key=rates.get)
    return name, rates[name]


@wrong("binding_limit", "wrong", says="the first in the order")
def the_last_of_a_tie(concurrency, latency, rpm, tpm, tokens):
    rates = {
        "tpm": tpm / tokens,
        "rpm": rpm,
        "concurrency": 60 * concurrency / latency,
    }
    name = min(rates, key=rates.get)
    return name, rates[name]


@wrong("binding_limit", "wrong")
def the_name_alone(concurrency, latency, rpm, tpm, tokens):
    return with_tuples(concurrency, latency, rpm, tpm, tokens)[0]


@wrong("binding_limit", "wrong")
def the_highest(concurrency, latency, rpm, tpm, tokens):
    rates = {
        "concurrency": 60 * concurrency / latency,
        "rpm": rpm,
        "tpm": tpm / tokens,
    }
    name = max(rates, key=rates.get)
    return name, rates[name]


@wrong(
    "binding_limit",
    "wrong",
    says="3 in flight at 7 s each makes 25.714 a minute;",
)
def hard_coded_limits(concurrency, latency, rpm, tpm, tokens):
    known = {
        (5, 0.3, 30_000): ("tpm", 50),
        (5, 0.3, 1_000_000): ("rpm", 500),
        (5, 3.0, 1_000_000): ("concurrency", 100),
        (5, 0.3, 40_000): ("tpm", 40_000 / 700),
        (100, 0.5, 30_000): ("rpm", 50),
        (1, 1.0, 36_000): ("concurrency", 60),
    }
    return known.get((concurrency, latency, tpm), ("rpm", rpm - 1))


async def _one(client, prompt):
    messages = [{"role": "user", "content": prompt}]
    reply = await client.chat.completions.create(model=MINI, messages=messages)
    return reply.choices[0].message.content


@right("ask_all")
async def with_a_task_group(client, prompts):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(client, prompt)) for prompt in prompts]
    return [task.result() for task in tasks]


@right("ask_all")
async def with_tasks(client, prompts):
    tasks = [asyncio.ensure_future(_one(client, prompt)) for prompt in prompts]
    return [await task for task in tasks]


@right("ask_all")
async def with_numbers(client, prompts):
    answers = {}

    async def fill(number):
        answers[number] = await _one(client, prompts[number])

    await asyncio.gather(*map(fill, range(len(prompts))))
    return [answers[number] for number in range(len(prompts))]


@wrong("ask_all", "wrong", says="Sent together, they take as long as the")
async def one_after_the_other(client, prompts):
    return [await _one(client, prompt) for prompt in prompts]


@wrong(
    "ask_all", "wrong", says="Return the answers in the order of the prompts,"
)
async def as_they_arrive(client, prompts):
    return [
        await answer
        for answer in asyncio.as_completed(
            [_one(client, prompt) for prompt in prompts]
        )
    ]


@wrong("ask_all", "wrong", says="Send one request for each prompt, even if two")
async def each_prompt_once(client, prompts):
    different = list(dict.fromkeys(prompts))
    answers = dict(
        zip(
            different,
            await asyncio.gather(*(_one(client, each) for each in different)),
            strict=True,
        )
    )
    return [answers[prompt] for prompt in prompts]


@wrong("ask_all", "not awaited", says="_one")
async def forgotten_await(client, prompts):
    return [_one(client, prompt) for prompt in prompts]


@wrong("ask_all", "not awaited", says="async def ask_all")
def plain(client, prompts):
    return ["RED!"]


@wrong("ask_all", "wrong", says="another model")
async def another_model(client, prompts):
    async def one(prompt):
        messages = [{"role": "user", "content": prompt}]
        reply = await client.chat.completions.create(
            model="gpt-4o", messages=messages
        )
        return reply.choices[0].message.content

    return await asyncio.gather(*map(one, prompts))


@wrong("ask_all", "wrong", says="other messages")
async def with_a_system_message(client, prompts):
    async def one(prompt):
        messages = [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": prompt},
        ]
        reply = await client.chat.completions.create(
            model=MINI, messages=messages
        )
        return reply.choices[0].message.content

    return await asyncio.gather(*map(one, prompts))


@wrong("ask_all", "wrong", says="'requests': 0")
async def hard_coded_answers(client, prompts):
    return [f"{prompt.upper()}!" for prompt in prompts]


@wrong("ask_all", "wrong", says="Sent together, they take as long as the")
async def two_at_a_time(client, prompts):
    slots = asyncio.Semaphore(2)

    async def one(prompt):
        async with slots:
            return await _one(client, prompt)

    return await asyncio.gather(*map(one, prompts))


@right("bounded_map")
async def with_except(function, items, limit):
    if limit <= 0:
        raise ValueError("limit must be 1 or more")
    slots = asyncio.BoundedSemaphore(limit)

    async def one(item):
        async with slots:
            try:
                return await function(item)
            except Exception as error:  # noqa: BLE001
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


@right("bounded_map")
async def with_workers(function, items, limit):
    if limit < 1:
        raise ValueError(f"a limit of {limit} lets nothing begin")
    waiting = iter(enumerate(items))
    results = {}

    async def worker():
        for number, item in waiting:
            try:
                results[number] = await function(item)
            except Exception as error:  # noqa: BLE001
                results[number] = error

    await asyncio.gather(*(worker() for _ in range(limit)))
    return [results[number] for number in sorted(results)]


@right("bounded_map")
async def with_wait(function, items, limit):
    if limit < 1:
        raise ValueError("limit")
    tasks, running = [], set()
    try:
        for item in items:
            if len(running) == limit:
                _, running = await asyncio.wait(
                    running, return_when=asyncio.FIRST_COMPLETED
                )
            tasks.append(asyncio.create_task(function(item)))
            running.add(tasks[-1])
        if running:
            await asyncio.wait(running)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        raise
    return [task.exception() or task.result() for task in tasks]


async def _bounded(
    function, items, limit, *, catch=Exception, kept=lambda error: error
):
    if limit < 1:
        raise ValueError("limit must be 1 or more")
    slots = asyncio.Semaphore(limit)

    async def one(item):
        async with slots:
            try:
                return await function(item)
            except catch as error:
                return kept(error)

    return await asyncio.gather(*map(one, items))


@wrong(
    "bounded_map",
    "wrong",
    says="As soon as one ends, start the next, even if",
)
async def in_blocks(function, items, limit):
    results, items = [], list(items)
    for at in range(0, len(items), limit):
        results += await asyncio.gather(
            *map(function, items[at : at + limit]), return_exceptions=True
        )
    return results


@wrong(
    "bounded_map",
    "wrong",
    says="Keep `limit` items in flight, no more, and no fewer while",
)
async def unbounded(function, items, limit):
    return await asyncio.gather(*map(function, items), return_exceptions=True)


@wrong("bounded_map", "error", says="ValueError: no answer to 2")
async def failing_with_the_first(function, items, limit):
    return await _bounded(function, items, limit, catch=())


@wrong("bounded_map", "wrong", says="the exception itself")
async def none_for_a_failure(function, items, limit):
    return await _bounded(function, items, limit, kept=lambda error: None)


@wrong("bounded_map", "wrong", says="the exception itself")
async def failures_as_text(function, items, limit):
    return await _bounded(function, items, limit, kept=str)


@wrong("bounded_map", "wrong", says="the exception itself")
async def failures_left_out(function, items, limit):
    return [
        one
        for one in await _bounded(function, items, limit)
        if not isinstance(one, Exception)
    ]


@wrong(
    "bounded_map",
    "wrong",
    says="Cancelling is not an item's failure: it must",
)
async def swallows_cancelling(function, items, limit):
    if limit < 1:
        raise ValueError("limit")
    waiting, results = iter(enumerate(items)), {}

    async def worker():
        for number, item in waiting:
            try:
                results[number] = await function(item)
            except BaseException as error:  # noqa: BLE001
                results[number] = error

    await asyncio.gather(*(worker() for _ in range(limit)))
    return [results[number] for number in sorted(results)]


@wrong(
    "bounded_map",
    "wrong",
    says="Cancelling is not an item's failure: it must",
)
async def leaves_tasks_behind(function, items, limit):
    if limit < 1:
        raise ValueError("limit")
    slots = asyncio.Semaphore(limit)

    async def one(item):
        async with slots:
            return await function(item)

    tasks = [asyncio.create_task(one(item)) for item in items]
    if tasks:
        # cancelling a wait does not cancel what it waits for
        await asyncio.wait(tasks)
    return [task.exception() or task.result() for task in tasks]


@wrong("bounded_map", "wrong", says="order of the items")
async def in_order_of_ending(function, items, limit):
    results = []

    async def kept(item):
        results.append(await function(item))

    await _bounded(kept, items, limit)
    return results


@wrong("bounded_map", "error", says="'list_iterator'")
async def counts_the_items(function, items, limit):
    results = [None] * len(items)
    for number, result in enumerate(await _bounded(function, items, limit)):
        results[number] = result
    return results


@wrong(
    "bounded_map",
    "wrong",
    says="Without a slot, nothing could ever run: raise a",
)
async def limit_checked_afterwards(function, items, limit):
    results = await _bounded(function, items, max(1, limit))
    if limit < 1:
        raise ValueError("limit must be 1 or more")
    return results


@wrong("bounded_map", "endless", says="What it waits for never happens.")
async def limit_not_checked(function, items, limit):
    slots = asyncio.Semaphore(limit)

    async def one(item):
        async with slots:
            return await function(item)

    return await asyncio.gather(*map(one, items), return_exceptions=True)


@wrong("TokenBucket", says="Floating point may leave")
class Strict:
    """Counts usage as an account does, and never returns any."""

    def __init__(self, a_minute, now):
        self.size, self.used, self.last = a_minute, 0.0, now

    def _now(self, amount, now):
        if amount > self.size:
            raise ValueError(amount)
        self.used = max(0.0, self.used - (now - self.last) / 60 * self.size)
        self.last = now

    def wait(self, amount, now):
        self._now(amount, now)
        short = self.used + amount - self.size
        return short / (self.size / 60) if short > 0 else 0

    def take(self, amount, now):
        self._now(amount, now)
        fits = self.used + amount <= self.size
        self.used += amount if fits else 0
        return fits


@right("TokenBucket")
class Used:
    """Counts usage as an account does."""

    def __init__(self, a_minute, now):
        self.size, self.used, self.last = a_minute, 0.0, now

    def _now(self, amount, now):
        if amount > self.size:
            raise ValueError(amount)
        self.used = max(0.0, self.used - (now - self.last) / 60 * self.size)
        self.last = now

    def wait(self, amount, now):
        self._now(amount, now)
        short = self.used + amount - self.size
        return short / (self.size / 60) if short > 0 else 0

    def take(self, amount, now):
        self._now(amount, now)
        fits = self.used + amount <= self.size + 1e-6
        self.used += amount if fits else 0
        return fits


@right("TokenBucket")
class FullAt:
    """Stores one number: when it will be full again."""

    def __init__(self, a_minute, now):
        self.rate, self.most, self.full_at = a_minute / 60, a_minute, now

    def level(self, now):
        return self.most - max(0.0, self.full_at - now) * self.rate

    def wait(self, amount, now):
        if amount > self.most:
            raise ValueError("never")
        return max(0.0, amount - self.level(now)) / self.rate

    def take(self, amount, now):
        if self.wait(amount, now) > 1e-9:
            return False
        self.full_at = max(self.full_at, now) + amount / self.rate
        return True


class Plain:
    """The solution's approach. Each wrong answer below changes one thing."""

    full, cap = True, True

    def __init__(self, a_minute, now):
        self.a_minute, self.at = a_minute, now
        self.level = a_minute if self.full else 0

    def refill(self, now):
        more = self.level + (now - self.at) * self.a_minute / 60
        self.level = min(self.a_minute, more) if self.cap else more
        self.at = now

    def check(self, amount):
        if amount > self.a_minute:
            raise ValueError(amount)

    def wait(self, amount, now):
        self.check(amount)
        self.refill(now)
        return max(0.0, (amount - self.level) * 60 / self.a_minute)

    def take(self, amount, now):
        self.check(amount)
        self.refill(now)
        if amount > self.level:
            return False
        self.level -= amount
        return True


@wrong("TokenBucket", "wrong", says="The bucket starts full.")
class BeginsEmpty(Plain):
    full = False


@wrong(
    "TokenBucket", "wrong", says="The bucket never holds more than a_minute."
)
class Overflows(Plain):
    cap = False


@wrong("TokenBucket", "wrong", says="2 a second")
class ClockOfTheMachine(Plain):
    def refill(self, now):
        super().refill(time.monotonic())

    def __init__(self, a_minute, now):
        super().__init__(a_minute, time.monotonic())


@wrong("TokenBucket", "wrong", says="wait takes nothing")
class RefillsTwice(Plain):
    def wait(self, amount, now):
        self.check(amount)
        at = self.at
        waits = super().wait(amount, now)
        self.at = at
        return waits


@wrong("TokenBucket", "wrong", says="A take that returns False takes")
class RefusedTakes(Plain):
    def take(self, amount, now):
        self.check(amount)
        self.refill(now)
        self.level -= amount
        return self.level >= 0


@wrong("TokenBucket", "wrong", says="wait takes nothing")
class WaitTakes(Plain):
    def wait(self, amount, now):
        waits = super().wait(amount, now)
        if waits:
            self.level -= 1
        return waits


@wrong("TokenBucket", "wrong", says="never less")
class NegativeWait(Plain):
    def wait(self, amount, now):
        self.check(amount)
        self.refill(now)
        return (amount - self.level) * 60 / self.a_minute


@wrong("TokenBucket", "wrong", says="never fits")
class WaitsForTheImpossible(Plain):
    def check(self, amount):
        return None


@wrong("TokenBucket", "wrong", says="2 a second")
class OneASecond(Plain):
    def refill(self, now):
        self.level, self.at = (
            min(self.a_minute, self.level + (now - self.at)),
            now,
        )


@wrong("TokenBucket", "wrong", says="[True, True, None")
class SaysNothing(Plain):
    def take(self, amount, now):
        return super().take(amount, now) or None


@wrong("TokenBucket", "wrong", says="The bucket starts full.")
class SharedByAll:
    level = 0.0

    def __init__(self, a_minute, now):
        self.a_minute, self.at = a_minute, now
        SharedByAll.level = a_minute

    def take(self, amount, now):
        SharedByAll.level = min(
            self.a_minute,
            SharedByAll.level + (now - self.at) * self.a_minute / 60,
        )
        self.at = now
        if amount > SharedByAll.level:
            return False
        SharedByAll.level -= amount
        return True


@right("send_all")
async def with_two_buckets(send, tokens, rpm, tpm):
    loop = asyncio.get_running_loop()
    if any(size > tpm for size in tokens):
        raise ValueError("too large")
    requests, budget = FullAt(rpm, loop.time()), FullAt(tpm, loop.time())
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, size in enumerate(tokens):
            while wait := max(
                requests.wait(1, loop.time()), budget.wait(size, loop.time())
            ):
                await asyncio.sleep(wait + 1e-9)
            requests.take(1, loop.time())
            budget.take(size, loop.time())
            tasks.append(group.create_task(send(number)))
    return [task.result() for task in tasks]


@right("send_all")
async def with_starts_worked_out(send, tokens, rpm, tpm):
    if tokens and max(tokens) > tpm:
        raise ValueError("too large")
    starts, at, levels = [], 0.0, [float(rpm), float(tpm)]
    for size in tokens:
        wait = max(
            0.0, (1 - levels[0]) * 60 / rpm, (size - levels[1]) * 60 / tpm
        )
        at += wait
        levels = [
            min(rpm, levels[0] + wait * rpm / 60) - 1,
            min(tpm, levels[1] + wait * tpm / 60) - size,
        ]
        starts.append(at)

    async def later(number):
        await asyncio.sleep(starts[number])
        return await send(number)

    return await asyncio.gather(*map(later, range(len(tokens))))


@right("send_all")
async def looking_each_tenth_of_a_second(send, tokens, rpm, tpm):
    if max(tokens, default=0) > tpm:
        raise ValueError("too large")
    loop = asyncio.get_running_loop()
    requests, budget, tasks = Used(rpm, loop.time()), Used(tpm, loop.time()), []
    for number, size in enumerate(tokens):
        while (
            requests.wait(1, loop.time()) > 0
            or budget.wait(size, loop.time()) > 0
        ):
            await asyncio.sleep(0.1)
        requests.take(1, loop.time()), budget.take(size, loop.time())
        tasks.append(asyncio.create_task(send(number)))
    return [await task for task in tasks]


async def _paced(send, tokens, rpm, tpm, *, waits):
    if max(tokens, default=0) > tpm:
        raise ValueError("too large")
    tasks = []
    for number, size in enumerate(tokens):
        tasks.append(asyncio.create_task(send(number)))
        await asyncio.sleep(waits(number, size))
    return await asyncio.gather(*tasks)


@wrong(
    "send_all",
    "wrong",
    says="You can send 60 immediately, and each second makes",
)
async def all_at_once(send, tokens, rpm, tpm):
    return await asyncio.gather(*map(send, range(len(tokens))))


@wrong("send_all", "wrong", says="'seconds': 20.0")
async def waiting_for_answers(send, tokens, rpm, tpm):
    return [await send(number) for number in range(len(tokens))]


@wrong(
    "send_all", "wrong", says="All of them fit into the full buckets, so you"
)
async def evenly_paced(send, tokens, rpm, tpm):
    return await _paced(
        send,
        tokens,
        rpm,
        tpm,
        waits=lambda number, size: max(60 / rpm, size * 60 / tpm),
    )


@wrong("send_all", "wrong", says="Tokens are the second budget")
async def requests_alone(send, tokens, rpm, tpm):
    return await with_two_buckets(
        send, [min(1, size) for size in tokens], rpm, tpm
    )


@wrong(
    "send_all",
    "wrong",
    says="You can send 60 immediately, and each second makes",
)
async def tokens_alone(send, tokens, rpm, tpm):
    return await with_two_buckets(send, tokens, 10_000, tpm)


@wrong(
    "send_all",
    "wrong",
    says="You can send 60 immediately, and each second makes",
)
async def minute_by_minute(send, tokens, rpm, tpm):
    return await _paced(
        send,
        tokens,
        rpm,
        tpm,
        waits=lambda number, size: 60 if (number + 1) % rpm == 0 else 0,
    )


@wrong(
    "send_all",
    "wrong",
    says="You can send 60 immediately, and each second makes",
)
async def trying_until_it_goes(send, tokens, rpm, tpm):
    async def one(number):
        while True:
            try:
                return await send(number)
            except Exception:  # noqa: BLE001
                await asyncio.sleep(1)

    return await asyncio.gather(*map(one, range(len(tokens))))


@wrong("send_all", "error", says="before anything is sent")
async def too_large_is_sent(send, tokens, rpm, tpm):
    return await with_starts_worked_out(
        send, [min(size, tpm) for size in tokens], rpm, tpm
    )


@wrong("send_all", "not awaited", says="async def send_all")
def sleeping_for_real(send, tokens, rpm, tpm):
    time.sleep(0.01)
    return [f"answer {number}" for number in range(len(tokens))]


@wrong("send_all", "wrong", says="Send each request once.")
async def hard_coded_send(send, tokens, rpm, tpm):
    return [f"answer {number}" for number in range(len(tokens))]


@wrong(
    "send_all", "wrong", says="Return the answers in the order of the requests."
)
async def answers_by_arrival(send, tokens, rpm, tpm):
    answers = await with_starts_worked_out(send, tokens, rpm, tpm)
    return answers[::-1]


@wrong("binding_limit", says="25.714")
def whole_answers_a_minute(concurrency, latency, rpm, tpm, tokens):
    rates = {
        "concurrency": concurrency * (60 // latency),
        "rpm": rpm,
        "tpm": tpm / tokens,
    }
    return min(rates.items(), key=lambda pair: pair[1])


async def _asked(client, prompt):
    messages = [{"role": "user", "content": prompt}]
    return (
        (
            await client.chat.completions.create(
                model="gpt-4o-mini", messages=messages
            )
        )
        .choices[0]
        .message.content
    )


@wrong("ask_all", says="Sent together, they take as long as the")
async def twenty_at_once(client, prompts):
    places = asyncio.Semaphore(20)

    async def ask(prompt):
        async with places:
            return await _asked(client, prompt)

    return await asyncio.gather(*map(ask, prompts))


async def _in_places(function, items, limit, kept, keep):
    if limit < 1:
        raise ValueError("limit")
    places = asyncio.Semaphore(limit)

    async def one(item):
        async with places:
            try:
                return await function(item)
            except kept as error:
                return keep(error)

    return await asyncio.gather(*map(one, items))


@right("bounded_map")
async def gathered(function, items, limit):
    return await _in_places(
        function, items, limit, Exception, lambda error: error
    )


@wrong("bounded_map", says="A failed item's result is the exception itself;")
async def errors_as_texts(function, items, limit):
    return await _in_places(function, items, limit, Exception, repr)


@wrong("bounded_map", "error", says="OSError")
async def only_value_errors(function, items, limit):
    return await _in_places(
        function, items, limit, ValueError, lambda error: error
    )


@wrong("bounded_map", says="Cancelling is not an item's failure: it must")
async def shielded(function, items, limit):
    return await gathered(
        lambda item: asyncio.shield(function(item)), items, limit
    )


async def _on_time(send, tokens, rpm, tpm, too_large):
    loop, tasks = asyncio.get_running_loop(), []
    requests, room, at = rpm, tpm, loop.time()
    for number, size in enumerate(tokens):
        if too_large(size):
            raise ValueError("never fits")
        wait = max(0, (1 - requests) * 60 / rpm, (size - room) * 60 / tpm)
        await asyncio.sleep(wait + 1e-6 if wait else 0)
        passed, at = loop.time() - at, loop.time()
        requests, room = (
            min(rpm, requests + passed * rpm / 60) - 1,
            min(tpm, room + passed * tpm / 60) - size,
        )
        tasks.append(asyncio.create_task(send(number)))
    return [await task for task in tasks]


@wrong("send_all", says="before anything is sent")
async def looked_at_one_by_one(send, tokens, rpm, tpm):
    return await _on_time(send, tokens, rpm, tpm, lambda size: size > tpm)


@wrong("send_all", "error", says="A request of exactly tpm tokens fits.")
async def as_many_as_tpm_refused(send, tokens, rpm, tpm):
    if max(tokens, default=0) >= tpm:
        raise ValueError("never fits")
    return await _on_time(send, tokens, rpm, tpm, lambda size: False)


# Answers that two readers' checks misjudged, 2026-11-29


@right("ask_all")
async def each_one_streamed(client, prompts):
    async def one(prompt):
        parts = []
        messages = [{"role": "user", "content": prompt}]
        stream = await client.chat.completions.create(
            model="gpt-4o-mini", messages=messages, stream=True
        )
        async for chunk in stream:
            parts += [choice.delta.content or "" for choice in chunk.choices]
        return "".join(parts)

    return await asyncio.gather(*map(one, prompts))


@wrong("ask_all")
async def equal_prompts_in_one_place(client, prompts):
    tasks = {
        prompt: asyncio.create_task(_one(client, prompt)) for prompt in prompts
    }
    for prompt in prompts[len(tasks) :]:
        await _one(client, prompt)
    return [await tasks[prompt] for prompt in prompts]


def _with_bucket(pause):
    async def send_all(send, tokens, rpm, tpm):
        if max(tokens, default=0) > tpm:
            raise ValueError("too large")
        now = asyncio.get_running_loop().time
        requests, room, tasks = Used(rpm, now()), Used(tpm, now()), []
        for number, size in enumerate(tokens):

            def wait(size=size):
                return max(requests.wait(1, now()), room.wait(size, now()))

            await pause(wait)
            requests.take(1, now())
            room.take(size, now())
            tasks.append(asyncio.create_task(send(number)))
        return [await task for task in tasks]

    return send_all


async def _until_there_is_none(wait):
    while seconds := wait():
        await asyncio.sleep(seconds)


async def _as_the_hint_says(wait):
    await asyncio.sleep(wait())


async def _looking_often(wait):
    while wait() > 1e-9:
        await asyncio.sleep(0.005)


while_there_is_a_wait = right("send_all")(_with_bucket(_until_there_is_none))
hint_3 = right("send_all")(_with_bucket(_as_the_hint_says))
polling = right("send_all")(_with_bucket(_looking_often))


# By authors who had seen neither checks nor solutions (2026-11-29): accepted at first


@wrong("ask_all", "wrong", says="The arguments belong to the caller")
async def with_the_prompts_used_up(client, prompts):
    tasks = []
    while prompts:
        question = {"role": "user", "content": prompts.pop(0)}
        request = client.chat.completions.create(
            model="gpt-4o-mini", messages=[question]
        )
        tasks.append(asyncio.create_task(request))
    replies = await asyncio.gather(*tasks)
    return [reply.choices[0].message.content for reply in replies]


@wrong("bounded_map", "wrong", says="The arguments belong to the caller")
async def with_the_items_used_up(function, items, limit):
    if limit < 1:
        raise ValueError("limit")
    slots = asyncio.Semaphore(limit)

    async def one(item):
        async with slots:
            return await function(item)

    tasks = []
    if not isinstance(items, list):
        items = list(items)
    while items:
        tasks.append(asyncio.create_task(one(items.pop(0))))
    return await asyncio.gather(*tasks, return_exceptions=True)
