"""How big and how dense coursekit is, in numbers that anyone can repeat.

    python tests/benchmarks/measure_package.py [FOLDER ...]

FOLDER is a package or a part of one (default: coursekit). Lines of code are those with at least one
token that is neither a comment nor a docstring. If you run it in another clone, it also measures
that clone's `import coursekit; coursekit.connect()`.
"""

from __future__ import annotations

import ast
import io
import json
import statistics
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTIONS)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# The cost of a learner's first cell, and the number of function calls from create() to a reply.
FIRST_CELL = """
import json, sys, time
before, start = set(sys.modules), time.process_time()
import coursekit
client = coursekit.connect("replay", speed="instant")
seconds = time.process_time() - start
ours = sum(name.startswith("coursekit") for name in set(sys.modules) - before)
def ask():
    question = "What does API stand for? Answer in one sentence."
    client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": question}])
ask()
calls = 0
def count(frame, event, argument):
    global calls
    calls += event == "call" and "/coursekit/" in frame.f_code.co_filename.replace("\\\\", "/")
sys.setprofile(count); ask(); sys.setprofile(None)
print(json.dumps([ours, seconds, calls]))
"""


def docstrings(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """The line and column at which each docstring begins."""
    for node in ast.walk(tree):
        if not isinstance(node, DOCUMENTED) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(
            first.value, ast.Constant
        ):
            yield first.lineno, first.col_offset


def measure(folder: Path) -> dict[str, object]:
    """The figures for all Python files in a folder and its subfolders."""
    sums: Counter[str] = Counter()
    functions: list[tuple[int, str]] = []
    classes: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines, tree = text.splitlines(), ast.parse(text)
        skipped = set(docstrings(tree))
        rows: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                sums["comments"] += 1
            if token.type not in NOT_CODE and token.start not in skipped:
                sums["tokens"] += 1
                rows.update(range(token.start[0], token.end[0] + 1))
        sums["files"] += 1
        sums["lines"] += len(lines)
        sums["code lines"] += len(rows)
        sums["over 80"] += sum(len(lines[row - 1]) > 80 for row in rows)
        sums["fmt: skip"] += text.count("fmt: skip")
        for node in ast.walk(tree):
            sums["statements"] += isinstance(node, ast.stmt)
            sums["comprehensions"] += isinstance(node, COMPREHENSIONS)
            sums["conditional expressions"] += isinstance(node, ast.IfExp)
            if isinstance(node, FUNCTIONS):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                functions.append((length, f"{path.name}:{node.name}"))
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name] += 1
    thousands = sums["code lines"] / 1000
    lengths = [length for length, _ in functions]
    return {
        **{name: sums[name] for name in ("files", "lines", "code lines")},
        **{name: sums[name] for name in ("tokens", "statements", "fmt: skip")},
        "tokens a code line": round(sums["tokens"] / sums["code lines"], 1),
        "code lines over 80, %": round(
            100 * sums["over 80"] / sums["code lines"]
        ),
        "comments per 100 code lines": round(
            sums["comments"] / thousands / 10, 1
        ),
        "comprehensions per 1,000": round(sums["comprehensions"] / thousands),
        "conditional expressions per 1,000": round(
            sums["conditional expressions"] / thousands
        ),
        "lines of a function, median": statistics.median(lengths),
        "longest function": "{1}, {0} lines".format(*max(functions)),
        "class names defined twice": sorted(
            n for n, times in classes.items() if times > 1
        ),
    }


def main() -> None:
    for folder in map(Path, sys.argv[1:] or ["coursekit"]):
        print(folder)
        for name, value in measure(folder).items():
            print(
                f"  {name:34} {value if isinstance(value, (str, list)) else f'{value:,}'}"
            )
    command = [sys.executable, "-c", FIRST_CELL]
    runs = [
        json.loads(
            subprocess.run(command, check=True, capture_output=True).stdout
        )
        for _ in range(5)
    ]
    modules, seconds, calls = (
        statistics.median(column) for column in zip(*runs, strict=True)
    )
    print(
        f"import coursekit; connect(): {modules:.0f} of its modules, {seconds:.2f} s of processor (median of 5)"
    )
    print(f"create() to the reply: {calls:.0f} calls of coursekit's functions")


if __name__ == "__main__":
    main()
