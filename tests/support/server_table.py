"""Write the table in deploy/SERVERS.md from the results of ``pytest -m servers``. Run this file as
a program.
"""

from __future__ import annotations

import json
from pathlib import Path

from coursekit.course import lessons

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "deploy" / "SERVERS.md"
FOUND = ROOT / "build" / "servers"
KINDS = ("llama.cpp", "litellm")
BEGIN, END = (
    "<!-- the table: written by tests/support/server_table.py -->\n",
    "<!-- end of the table -->\n",
)
WORDS = {
    "lacks": "no price, limits, or log-probabilities",
    "refused": "refused by the server",
    "answer": "its answer cannot be used",
    "follows": "an earlier cell failed",
}


def table() -> str:
    rows = [
        "| chapter | " + " | ".join(KINDS) + " |",
        "| --- |" + " --- |" * len(KINDS),
    ]
    rows += [
        f"| {lesson.stem} | "
        + " | ".join(
            _result(FOUND / f"{kind} {lesson.stem}.json") for kind in KINDS
        )
        + " |"
        for lesson in lessons()
    ]
    return "\n".join(rows) + "\n"


def _result(path: Path) -> str:
    if not path.exists():
        return "not run"
    cells = json.loads(path.read_text("utf-8"))
    ran = sum(cell["what"] == "runs" for cell in cells)
    text = f"{ran} of {len(cells)}"
    for what, words in WORDS.items():
        if numbers := [
            str(cell["number"]) for cell in cells if cell["what"] == what
        ]:
            text += f"; {words}: {', '.join(numbers)}"
    return text


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(
        before + BEGIN + table() + END + rest.partition(END)[2], "utf-8"
    )
