"""What 29 learners notice when the 30th member of their class attacks the server.

    python tests/benchmarks/bench_class_attack.py [SECONDS]        half of the time without the attack, half with it

The attacker fills the class, guesses tokens, sends floods of requests and large bodies, and holds
idle connections open, all at the same time. The others send the chapters' requests, complete and
streamed, and two new learners join late.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx2
import openai

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.class_simulation import questions

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 80.0
TOKEN = "the-class-of-the-bench"
JSON = {"content-type": "application/json"}
LEARNERS, SPEED, PAUSE = 29, 20.0, 2.0
ASKED = questions(6.0)
BIG = json.dumps(
    {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "word " * 1_400_000}],
    }
).encode()  # 7 MB


class Calls:
    """What the honest learners experienced."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.met: Counter[str] = Counter()


async def learn(
    url: str, key: str, number: int, calls: Calls, over: asyncio.Event
) -> None:
    """One honest learner, with the SDK's own defaults."""
    rng = random.Random(number)
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key) as client:
        while not over.is_set():
            asked = rng.choice(ASKED)
            began = time.perf_counter()
            try:
                reply = await client.chat.completions.create(**asked.body)
                if asked.body.get("stream"):
                    async for _ in reply:
                        pass
                calls.met["ok"] += 1
            except openai.APIError as error:
                calls.met[type(error).__name__] += 1
            due = asked.due[-1] if asked.due else 0.0
            calls.seconds.append(
                max(0.0, time.perf_counter() - began - due / SPEED)
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), rng.uniform(0.1, PAUSE))


class Attack:
    """Every attack at the same time, from one machine, by someone who knows the access token."""

    def __init__(self, url: str, port: int) -> None:
        self.url, self.port, self.met = url, port, Counter()

    async def run(self, over: asyncio.Event) -> None:
        limits = httpx2.Limits(max_connections=60)
        async with httpx2.AsyncClient(
            base_url=self.url, timeout=60, trust_env=False, limits=limits
        ) as http:
            answer = await http.post(
                "/join",
                headers={"authorization": f"Bearer {TOKEN}"},
                json={"name": "mallory"},
            )
            self.key = answer.json()["key"]
            work = [
                self.fill(http),
                self.idle(),
                *(self.guess(http) for _ in range(4)),
                *(self.big(http) for _ in range(12)),
                *(self.flood(http) for _ in range(16)),
            ]
            tasks = [asyncio.create_task(each) for each in work]
            await over.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def repeat(self, what: str, send: object, pause: float = 0.0) -> None:
        while True:
            try:
                status = (await send()).status_code  # type: ignore[operator]
            except httpx2.HTTPError as error:
                status = type(error).__name__
            self.met[f"{what}: {status}"] += 1
            await asyncio.sleep(pause)

    async def fill(self, http: httpx2.AsyncClient) -> None:
        headers = {"authorization": f"Bearer {TOKEN}"}
        names = (f"bot {number}" for number in range(10**9))
        await self.repeat(
            "join",
            lambda: http.post(
                "/join", headers=headers, json={"name": next(names)}
            ),
            0.02,
        )

    async def guess(self, http: httpx2.AsyncClient) -> None:
        headers = {"authorization": "Bearer guess"}
        await self.repeat(
            "guess", lambda: http.get("/admin/faults", headers=headers), 0.02
        )

    async def big(self, http: httpx2.AsyncClient) -> None:
        headers = {"authorization": f"Bearer {self.key}", **JSON}
        await self.repeat(
            "big body",
            lambda: http.post(
                "/v1/chat/completions", headers=headers, content=BIG
            ),
        )

    async def flood(self, http: httpx2.AsyncClient) -> None:
        headers = {"authorization": f"Bearer {self.key}", **JSON}
        body = json.dumps(ASKED[0].body).encode()
        await self.repeat(
            "flood",
            lambda: http.post(
                "/v1/chat/completions", headers=headers, content=body
            ),
            0.01,
        )

    async def idle(self) -> None:
        kept = []
        try:
            while True:
                for _ in range(50):
                    with contextlib.suppress(OSError):
                        kept.append(
                            (
                                await asyncio.open_connection(
                                    "127.0.0.1", self.port
                                )
                            )[1]
                        )
                        self.met["idle connection: opened"] += 1
                if len(kept) > 880:
                    for writer in kept[:50]:
                        writer.close()
                    del kept[:50]
                await asyncio.sleep(0.5)
        finally:
            for writer in kept:
                writer.close()


async def half(
    url: str, keys: list[str], seconds: float, attack: Attack | None
) -> Calls:
    calls, over = Calls(), asyncio.Event()
    work = [
        asyncio.create_task(learn(url, key, number, calls, over))
        for number, key in enumerate(keys)
    ]
    if attack is not None:
        work.append(asyncio.create_task(attack.run(over)))
    await asyncio.sleep(seconds)
    over.set()
    await asyncio.gather(*work)
    return calls


async def main() -> None:
    folder = Path(tempfile.mkdtemp())
    command = [
        sys.executable,
        "-m",
        "coursekit",
        "serve",
        "--class",
        "--class-file",
        str(folder / "class.json"),
        "--port",
        "0",
        "--speed",
        str(SPEED),
        "--quiet",
    ]
    env = {**os.environ, "COURSEKIT_ACCESS_TOKEN": TOKEN}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(re.search(r":(\d+) ", process.stdout.readline())[1])  # type: ignore[index]
            url, headers = (
                f"http://127.0.0.1:{port}",
                {"authorization": f"Bearer {TOKEN}"},
            )
            keys = []
            for number in range(LEARNERS):
                answer = httpx2.post(
                    f"{url}/join",
                    headers=headers,
                    json={"name": f"Learner {number}"},
                )
                keys.append(answer.json()["key"])
            attack = Attack(url, port)
            for what, during in (("quiet", None), ("attack", attack)):
                calls = await half(url, keys, SECONDS / 2, during)
                waits = sorted(calls.seconds)
                cuts = statistics.quantiles(waits, n=100)
                print(f"{what:7} {len(waits)} calls: {dict(calls.met)}")
                print(
                    f"        late by: median {cuts[49]:.3f} s, 95 % {cuts[94]:.3f} s, 99 % "
                    f"{cuts[98]:.3f} s, "
                    f"most {waits[-1]:.2f} s",
                    flush=True,
                )
            print("attacker", dict(sorted(attack.met.items())))
            admin = {
                "authorization": f"Bearer {(folder / 'class.console-token').read_text().strip()}"
            }
            rows = httpx2.get(f"{url}/admin/learners", headers=admin).json()[
                "learners"
            ]
            freed = httpx2.post(
                f"{url}/admin/roll", headers=admin, json={"do": "clear"}
            ).json()
            print(f"rows in the class {len(rows)}; {freed['done']}")
            status = Path(f"/proc/{process.pid}/status")
            if status.exists():
                # type: ignore[index]
                print(
                    "server's memory, most:",
                    re.search(r"VmHWM:\s+(\d+)", status.read_text())[1],
                    "kB",
                )
        finally:
            process.terminate()
            # a long prompt's tokens are still counted
            process.communicate(timeout=200)


asyncio.run(main())
