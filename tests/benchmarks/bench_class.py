"""A long lesson: 60 learners spend five minutes on a class server, with faults from the console and
a kill -9.

    .venv/bin/python tests/benchmarks/bench_class.py [--learners 60] [--seconds 300]

Learners and server share this machine. The client measures lateness from the moment it sent its
request, except while the server is slow on purpose. Half of the learners' clients use the SDK's
default of two retries, and the others use seven.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parent),
    str(Path(__file__).resolve().parents[1]),
]
from server_load import percentile  # noqa: E402

from support.class_simulation import Lesson  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--learners", type=int, default=60)
    parser.add_argument(
        "--seconds",
        type=float,
        default=280.0,
        help="until the kill, 20 s before the end",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lesson = Lesson(
            Path(folder) / "class.json", asked.learners, asked.seconds
        )
        print(
            f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores",
            flush=True,
        )
        asyncio.run(lesson.run())
    streams = sum(bool(call.late) for call in lesson.calls)
    print(
        f"{len(lesson.calls)} calls in {lesson.now:.0f} s, {streams} streams timed, "
        f"{len(lesson.asked)} questions"
    )
    print(
        "met:", dict(Counter(call.how for call in lesson.calls).most_common())
    )
    for trouble in lesson.troubles:
        struck = Counter(
            call.how
            for call in lesson.calls
            if call.how != "ok" and trouble.explains(call)
        )
        print(
            f"  {trouble.name:14} {trouble.start:5.0f} - {trouble.end:5.0f} s  {dict(struck)}"
        )
    print(
        f"unexplained: {len(lesson.unexplained)}",
        *lesson.unexplained[:5],
        sep="\n  ",
    )
    late = [1000 * seconds for seconds in lesson.late()]
    told = " ".join(
        f"p{share * 100:g} {percentile(late, share):.1f}"
        for share in (0.5, 0.9, 0.99, 0.999)
    )
    print(f"lateness of {len(late)} events, ms: {told} max {max(late):.0f}")
    kill = lesson.troubles[-1]
    for who, rest in (("7 retries", 0), ("2 retries", 1)):
        near = [
            c
            for c in lesson.calls
            if c.learner % 2 == rest
            and c.start <= kill.end
            and c.end >= kill.start
        ]
        failed = Counter(call.how for call in near if call.how != "ok")
        print(
            f"killed, {lesson.outage:.1f} s away; {who}: {len(near)} calls, failed {dict(failed)}"
        )
    counted = [
        sum(meter["requests"] for meter in meters)
        for meters in (lesson.before, lesson.after, lesson.final)
    ]
    told = f"{counted[0]} before, {counted[1]} after, {counted[2]} at the end"
    print(
        f"requests on the meters: {told}; {lesson.lag:.1f} s until they were in the file"
    )
    print(
        "memory, MB:",
        ", ".join(
            f"{name} {megabytes:.0f}" for name, megabytes in lesson.memory
        ),
    )


if __name__ == "__main__":
    main()
