"""A class at work: simulated learners on a real class server, a teacher at the console, and a
server that dies.

Learners are the SDK's own clients. They send the chapters' requests, half of them as streams, with
pauses between them, and record how each call ended. The teacher uses the console's own endpoints.
In the end, every failure must coincide with something that was done to the class, and must look
like it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import openai

from coursekit.course import recording_folders
from coursekit.offline.exchange import CHAT_COMPLETIONS
from coursekit.offline.recordings import read
from support.waiting import HANG, until_async

TOKEN = "teacher-of-the-simulation"
# for learners who wait for a server that restarts; the others have the SDK's default of two retries
PATIENT = 7


@dataclass(frozen=True, slots=True)
class Question:
    """A recorded request, and when the events of its answer are due (in seconds; empty if it is not
    a stream).
    """

    body: dict[str, Any]
    due: tuple[float, ...]


@dataclass(slots=True)
class Call:
    """How one call ended. ``how`` is "ok", "cut" (a stream without its end), "429 code" and such,
    "connection" (no answer), or "broken" (while a stream was read).
    """

    learner: int
    start: float
    end: float
    how: str
    retries: int = 0
    # seconds, of each event of a stream that was not retried
    late: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something done to the class from ``start`` to ``end``. ``looks`` is how the affected calls
    look; ``whom`` are the learners (None: all of them).
    """

    name: str
    start: float
    end: float
    looks: str
    whom: frozenset[int] | None = None

    def explains(self, call: Call) -> bool:
        mine = self.whom is None or call.learner in self.whom
        return (
            mine
            and re.fullmatch(self.looks, call.how) is not None
            and self.start <= call.end
            and call.start <= self.end
        )


def questions(longest: float) -> list[Question]:
    """The chapters' requests that have a complete answer within ``longest`` seconds."""
    found = []
    for folder in recording_folders():
        for path in sorted(folder.glob("*.json")):
            request, _, answer = read(path)
            if (
                re.search(r"\.\d+\.json$", path.name)
                or request.path != CHAT_COMPLETIONS
                or answer.status != 200
            ):
                continue
            if answer.seconds <= longest and not answer.breaks:
                found.append(
                    Question(
                        request.body,
                        tuple(event.at for event in answer.events or ()),
                    )
                )
    return found


class ClassServer:
    """``coursekit serve --class`` in its own process, which can be killed and restarted."""

    def __init__(self, file: Path, speed: str) -> None:
        self.file, self.speed, self.port = file, speed, 0
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "coursekit",
            "serve",
            "--class",
            "--class-file",
            str(self.file),
            "--quiet",
        ]
        env = {**os.environ, "COURSEKIT_ADMIN_TOKEN": TOKEN}
        more = ["--port", str(self.port), "--speed", self.speed]
        self.process = subprocess.Popen(
            [*command, *more], env=env, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        greeting = self.process.stdout.readline()
        self.greeting = greeting
        self.port = int(re.search(r":(\d+) ", greeting)[1])  # type: ignore[index]
        self.url = f"http://127.0.0.1:{self.port}"

    def memory(self) -> float:
        """The resident size in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self._gone()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self._gone()

    def _gone(self) -> None:
        self.process.wait(HANG)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Teacher:
    """A browser with the console, as HTTP sees it."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.AsyncClient(
            base_url=url,
            headers={"origin": url},
            timeout=HANG,
            trust_env=False,
            verify=False,
        )

    async def log_in(self) -> None:
        answer = await self.http.post("/console/login", data={"token": TOKEN})
        assert answer.status_code == 303, answer.text

    async def inject(
        self, fault: dict[str, Any], seconds: float, learner: str | None = None
    ) -> int:
        order = {
            "fault": fault,
            "seconds": seconds,
            **({"learner": learner} if learner else {}),
        }
        answer = await self.http.post("/console/faults", json=order)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["number"])

    async def lift(self, number: int) -> None:
        assert (
            await self.http.delete(f"/console/faults/{number}")
        ).status_code == 200

    async def meters(self) -> list[dict[str, Any]]:
        """Every learner's meter, in the order in which they joined."""
        answer = await self.http.get(
            "/admin/learners", headers={"authorization": f"Bearer {TOKEN}"}
        )
        return list(answer.json()["learners"])

    async def join(self, name: str) -> str:
        return str(
            (await self.http.post("/join", json={"name": name})).json()["key"]
        )


@dataclass
class Lesson:
    """A simulated lesson and, after it, the result.

    seconds  at least this long until the kill, and ``rest`` seconds after it. Each phase also lasts
             until each learner has, on average, finished a call, so 0 is as fast as possible
    speed    the speed of the answers
    longest  the longest answer that learners request, in seconds at speed 1
    pause    the longest pause of a learner between two calls, in seconds
    """

    file: Path
    learners: int
    seconds: float
    speed: float = 1.0
    pause: float = 4.0
    longest: float = 12.0
    rest: float = 20.0
    calls: list[Call] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    memory: list[tuple[str, float]] = field(default_factory=list)
    # the meters a moment before the kill
    before: list[dict[str, Any]] = field(default_factory=list)
    # and those of the restarted server, before its first call
    after: list[dict[str, Any]] = field(default_factory=list)
    final: list[dict[str, Any]] = field(default_factory=list)
    outage: float = 0.0
    lag: float = 0.0  # seconds until the meters' values were in the file

    async def run(self) -> None:
        self.asked = questions(self.longest)
        self.server = ClassServer(self.file, str(self.speed))
        self.zero, self.over = time.perf_counter(), asyncio.Event()
        teacher = Teacher(self.server.url)
        await teacher.log_in()
        keys = [
            await teacher.join(f"Learner {number}")
            for number in range(1, self.learners + 1)
        ]
        work = [
            asyncio.create_task(self._learn(number, key))
            for number, key in enumerate(keys)
        ]
        self._weigh("begin")
        try:
            await self._teach(teacher)
        finally:
            self.over.set()
            await asyncio.gather(*work)
            self.final = await teacher.meters()
            self._weigh("end")
            await teacher.http.aclose()
            self.server.stop()

    @property
    def now(self) -> float:
        return time.perf_counter() - self.zero

    def _weigh(self, when: str) -> None:
        self.memory.append((when, self.server.memory()))

    @property
    def unexplained(self) -> list[Call]:
        """The failures that are not explained by anything done to the class."""
        failed = (call for call in self.calls if call.how != "ok")
        return [
            call
            for call in failed
            if not any(trouble.explains(call) for trouble in self.troubles)
        ]

    def late(self) -> list[float]:
        """The seconds by which events were late, except while the server was slow on purpose."""
        slow = [
            trouble
            for trouble in self.troubles
            if trouble.name in ("slow", "server killed")
        ]
        quiet = (
            c
            for c in self.calls
            if not any(t.start <= c.end and c.start <= t.end for t in slow)
        )
        return [seconds for call in quiet for seconds in call.late]

    async def _teach(self, teacher: Teacher) -> None:
        """Cause each problem in turn for an eleventh of the time, with a pause of the same length
        after it, and then kill the server.
        """
        each = self.seconds / 11
        some = frozenset(range(5))
        await self._pass(each)
        for name, fault, looks, whom in (
            (
                "429 storm",
                {"kind": "rate_limit"},
                "429 rate_limit_exceeded",
                None,
            ),
            ("server errors", {"kind": "server_error"}, "500 .*", some),
            ("slow", {"kind": "slow", "seconds": 0.25}, "(?!)", None),
            ("cut streams", {"kind": "cut_stream"}, "cut|connection", None),
            (
                "quota wall",
                {"kind": "quota"},
                "429 insufficient_quota",
                frozenset({1}),
            ),
        ):
            start = self.now
            names: list[str | None] = (
                [None]
                if whom is None
                else [f"Learner {number + 1}" for number in whom]
            )
            numbers = [await teacher.inject(fault, 3600, one) for one in names]
            await self._pass(each)
            for number in numbers:
                await teacher.lift(number)
            # A call that was in flight when the fault ended may show it, because the call began
            # earlier.
            self.troubles.append(Trouble(name, start, self.now, looks, whom))
            self._weigh(name)
            await self._pass(each)
        await self._kill(teacher)
        await self._pass(self.rest)

    async def _pass(self, seconds: float) -> None:
        """Let the learners work for this long, and until each of them has, on average, finished a
        call.
        """
        ended = len(self.calls) + self.learners
        await asyncio.sleep(seconds)
        await until_async(lambda: len(self.calls) >= ended)

    async def _kill(self, teacher: Teacher) -> None:
        self.before = await teacher.meters()
        asked = self.now
        while not self._kept() and self.now < asked + 60:
            await asyncio.sleep(0.05)
        start = self.now
        self.lag = start - asked
        self.server.kill()
        await asyncio.to_thread(self.server.start)
        self.outage = self.now - start
        again = Teacher(self.server.url)
        self.after = await again.meters()
        await again.http.aclose()
        self.troubles.append(
            Trouble("server killed", start, self.now + 2, "connection|broken")
        )

    def _kept(self) -> bool:
        """Whether the class file has at least what the meters had before."""
        kept = json.loads(self.file.read_text(encoding="utf-8"))["learners"]
        return all(
            k["meter"]["requests"] >= b["requests"]
            for k, b in zip(kept, self.before, strict=True)
        )

    async def _learn(self, number: int, key: str) -> None:
        rng = random.Random(number)
        patient = number % 2 == 0
        client = openai.AsyncOpenAI(
            base_url=f"{self.server.url}/v1",
            api_key=key,
            timeout=120,
            max_retries=PATIENT if patient else 2,
            http_client=openai.DefaultAsyncHttpx2Client(
                verify=False, trust_env=False
            ),
        )
        streams, others = (
            [q for q in self.asked if q.due],
            [q for q in self.asked if not q.due],
        )
        async with client:
            await asyncio.sleep(rng.uniform(0, self.pause))
            while not self.over.is_set():
                self.calls.append(
                    await self._ask(
                        client,
                        number,
                        rng.choice(rng.choice((streams, others))),
                    )
                )
                await asyncio.sleep(rng.uniform(0.25, 1) * self.pause)

    async def _ask(
        self, client: openai.AsyncOpenAI, number: int, question: Question
    ) -> Call:
        call = Call(number, self.now, 0.0, "ok")
        try:
            raw = await client.chat.completions.with_raw_response.create(
                **question.body
            )
            call.retries = raw.retries_taken
            # for a learner who leaves halfway
            answered, call.how = (
                call.how,
                "broken",
            )
            if question.due:
                answered = await self._read(raw.parse(), question, call)
            else:
                raw.parse()
            call.how = answered
        except openai.APIStatusError as error:
            call.how = f"{error.status_code} {error.code}"
        except (openai.APIError, httpx2.HTTPError):
            call.how = call.how if call.how == "broken" else "connection"
        call.end = self.now
        return call

    async def _read(self, stream: Any, question: Question, call: Call) -> str:
        ended, place = False, 0
        async for chunk in stream:
            if not call.retries and place < len(question.due):
                call.late.append(
                    self.now - call.start - question.due[place] / self.speed
                )
            place += 1
            ended = ended or any(
                choice.finish_reason for choice in chunk.choices
            )
        return "ok" if ended else "cut"
