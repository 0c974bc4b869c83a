"""How long it takes to run every notebook in four ways: wall time and the CPU time of all
processes.

    .venv/bin/python tests/benchmarks/bench_notebooks.py [--rounds 5] [--nbmake FOLDER]

warm     like ``make test``: nbval, forked kernels, and two workers or as many as the machine has
nbval    plain ``pytest --nbval``: an ordinary kernel for each notebook, one after the other
nbmake   ``pytest --nbmake``, which compares nothing; FOLDER is the folder of
         ``pip install --target FOLDER --no-deps nbmake``
floor    no tests: start a kernel for each notebook, import what the notebook imports, and stop it

All four use the offline environment and this repository's coursekit. The output shows the medians,
with the minimum and the maximum.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from coursekit.workshop import all_notebooks
from coursekit.workshop.commands.environment import offline_environment

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["notebooks", "solutions"]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
SANITIZE = "coursekit/workshop/testing/sanitize.cfg"
# PR_SET_CHILD_SUBREAPER: a process that loses its parent becomes our child, so its CPU time is
# counted
ADOPT = 36


def imports_of(path: Path) -> str:
    """A notebook's import statements, in order."""
    found = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]), mode="exec")
            found += [
                ast.unparse(node)
                for node in ast.walk(tree)
                if isinstance(node, ast.Import | ast.ImportFrom)
            ]
    return "\n".join(found)


def floor() -> None:
    """For each notebook in turn, start a kernel, run the imports, and stop it."""
    from jupyter_client.manager import KernelManager

    for path in all_notebooks(ROOT):
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(cwd=str(path.parent), stderr=subprocess.DEVNULL)
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive(
            imports_of(path),
            timeout=60,
            allow_stdin=False,
            output_hook=lambda _: None,
        )
        assert reply["content"]["status"] == "ok", (path, reply["content"])
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def commands(nbmake: str | None, empty: str) -> dict[str, list[str]]:
    plain = [
        "-c",
        empty,
        f"--rootdir={ROOT}",
        "-p",
        "no:xdist",
        "-p",
        "no:hypothesispytest",
    ]
    nbval = [
        "--nbval",
        "--nbval-current-env",
        f"--nbval-sanitize-with={SANITIZE}",
    ]
    ways = {
        # its conftest forks
        "warm": [
            *PYTEST,
            "-n",
            "auto",
            "tests/benchmarks",
            *FOLDERS,
        ],
        "nbval": [*PYTEST, *plain, *nbval, *FOLDERS],
        "nbmake": [
            *PYTEST,
            *plain,
            "--nbmake",
            "--nbmake-kernel=python3",
            *FOLDERS,
        ],
        "floor": [sys.executable, __file__, "--floor"],
    }
    return (
        ways
        if nbmake
        else {name: way for name, way in ways.items() if name != "nbmake"}
    )


def measured(
    command: Sequence[str], environment: dict[str, str]
) -> tuple[float, float, str]:
    """The wall time in seconds, the CPU time of all descendants in seconds, and the last line of
    output.
    """
    start, before = time.monotonic(), _spent()
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start
    while True:
        try:
            os.wait()  # orphans
        except ChildProcessError:
            break
    last = (ran.stdout.strip().splitlines() or [""])[-1]
    return (
        seconds,
        _spent() - before,
        last if ran.returncode == 0 else f"FAILED {last} {ran.stderr[-300:]}",
    )


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nbmake", metavar="FOLDER")
    parser.add_argument("--floor", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.floor:
        floor()
        return
    ctypes.CDLL(None).prctl(ADOPT, 1)
    environment = offline_environment() | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), asked.nbmake]))
    }
    with tempfile.NamedTemporaryFile(suffix=".ini") as empty:
        Path(empty.name).write_text("[pytest]\n", encoding="ascii")
        ways = commands(asked.nbmake, empty.name)
        wall: dict[str, list[float]] = {name: [] for name in ways}
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(asked.rounds):
            for name, command in ways.items():
                seconds, processor, said = measured(command, environment)
                wall[name].append(seconds)
                spent[name].append(processor)
                load = os.getloadavg()[0]
                print(
                    (
                        f"round {number + 1}  {name:7} {seconds:6.1f} s  {processor:6.1f} s  load "
                        f"{load:.1f}  {said}"
                    ),
                    flush=True,
                )
    print(
        f"\n{len(all_notebooks(ROOT))} notebooks, {os.cpu_count()} processors; seconds: median "
        "(least-most)"
    )
    for name in ways:
        parts = [
            f"{statistics.median(values):6.1f} ({min(values):.1f}-{max(values):.1f})"
            for values in (wall[name], spent[name])
        ]
        print(f"{name:7}  wall {parts[0]:24}  processor {parts[1]:24}")
    for name in [name for name in ways if name != "warm"]:
        ratios = [
            f"{statistics.median(a / b for a, b in zip(values['warm'], values[name], strict=True)):.2f}"
            for values in (wall, spent)
        ]
        print(
            f"warm / {name:7}  wall {ratios[0]}  processor {ratios[1]}  (median of the rounds' "
            "ratios)"
        )


if __name__ == "__main__":
    main()
