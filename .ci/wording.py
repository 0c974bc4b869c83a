"""`make wording`: check the wording and spelling of everything that people read here.

proselint looks for the phrases of wording.toml, codespell for misspelled and British words. Both
see only prose: Markdown without code, docstrings, comments, and messages (strings of five words or
more); in tests, only docstrings and comments. Prints one line for each finding, and exits with 1 if
there is one. `--count` prints how often each habit occurs, including the broader habits in
`[counted]`, which are only counted. `--count COMMIT` also prints how often they occurred in that
commit.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import tokenize
import tomllib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, CheckFlags, types
from proselint.registry.checks.engine import Fancy, RegexOptions
from proselint.tools import LintFile
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Literal, Text

HERE = Path(__file__).parent
ROOT = HERE.parent
LISTS = tomllib.loads((HERE / "wording.toml").read_text("utf-8"))
HABITS: dict[str, str] = LISTS["habits"]
COUNTED: dict[str, str] = LISTS["counted"]
# Pygments' names of the languages in which only comments and messages are prose.
LEXERS = {
    ".yml": "yaml",
    ".yaml": "yaml",
    ".js": "javascript",
    ".mjs": "javascript",
    ".html": "html",
    ".css": "css",
    "Makefile": "make",
    "run": "bash",
}
CODE = re.compile(r"```.*?```|`[^`]*`|\$[^$]*\$|\]\([^)]*\)|<[^>]*>", re.DOTALL)
WORDS = 5  # a string of this many words or more is a message
# Not the course's own prose: the words of models, simulated learners, and the API; and the list of
# habits.
SAID = {
    "recordings",
    "replies",
    "capstone.toml",
    "refusals.toml",
    "wording.toml",
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Words that codespell would report: pieces of words in examples of tokens and streams, German in a
# prompt, "dialogue" (which is also American), and names from the API, asyncio, and our data.
SPELLED_SO = (
    "nd,te,ser,fo,ot,hist,ans,mis,anc,ro,als,hel,sie"
    ",dialogue,dialogues,cancelled,cancelling,licence"
)


def prose(path: Path, root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Yield the prose in a file, each piece with its place."""
    name = path.relative_to(root).as_posix()
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".md", ".example"):
        yield name, CODE.sub(" ", text)
    elif path.suffix == ".ipynb":
        for number, cell in enumerate(json.loads(text)["cells"]):
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                yield f"{name} [{number}]", CODE.sub(" ", source)
            else:
                code = "\n".join(
                    line for line in source.split("\n") if line[:1] not in "%!"
                )
                yield from (
                    (f"{name} [{number}]", said) for _, said in said_in(code)
                )
    elif path.suffix == ".py":
        said = said_in(text, messages=not name.startswith("tests/"))
        yield from ((f"{name}:{line}", what) for line, what in said)
    elif path.suffix == ".toml":
        yield from lexed(name, "toml", text, comments_only=True)
        yield name, CODE.sub(" ", "\n".join(strings(tomllib.loads(text))))
    else:
        yield from lexed(name, LEXERS[path.suffix or path.name], text)


def lexed(
    name: str, language: str, text: str, comments_only: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield the comments and messages in a language that Pygments knows, with their places."""
    line, last, comment = 1, 0, ""  # the lines of a comment, joined
    for kind, words in get_lexer_by_name(language).get_tokens(text):
        if kind in Comment and kind not in Comment.Preproc:
            if line > last + 1:
                yield f"{name}:{last}", CODE.sub(" ", comment)
                comment = ""
            comment += " " + words.strip(" #/*")
            last = line + words.count("\n")
        elif (
            not comments_only
            and (kind in Literal or kind in Text)
            and is_message(words)
        ):
            yield f"{name}:{line}", CODE.sub(" ", words)
        line += words.count("\n")
    yield f"{name}:{last}", CODE.sub(" ", comment)


def said_in(code: str, messages: bool = True) -> Iterator[tuple[int, str]]:
    """Yield the docstrings, messages, and comments in Python code, with their line numbers."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a cell with more than Python in it, or an exercise
        return
    for node in ast.walk(tree):
        if not messages:
            if isinstance(node, DOCUMENTED):
                said = ast.get_docstring(node) or ""
                yield getattr(node, "lineno", 1), CODE.sub(" ", said)
        elif isinstance(node, ast.JoinedStr):
            parts = [
                p.value if isinstance(p, ast.Constant) else "X"
                for p in node.values
            ]
            yield node.lineno, CODE.sub(" ", "".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and is_message(node.value):
            yield node.lineno, CODE.sub(" ", str(node.value))
    comments: list[tuple[int, str]] = []  # the lines of one, joined
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            line, said = token.start[0], token.string.strip("# ")
            if comments and line == comments[-1][0] + 1:
                said = f"{comments.pop()[1]} {said}"
            comments.append((line, said))
    yield from ((line, CODE.sub(" ", said)) for line, said in comments)


def is_message(value: object) -> bool:
    return isinstance(value, str) and len(value.split()) >= WORDS


def strings(value: object) -> Iterator[str]:
    """Yield every message in a TOML document."""
    if is_message(value):
        yield str(value)
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def habits(texts: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the words found, and what to write instead."""
    registry = CheckRegistry()
    for pattern, instead in HABITS.items():
        registry.register(
            Check(
                # (?!) matches nothing: an empty list of exceptions would match everything
                check_type=types.Existence((pattern,), exceptions=(r"(?!)",)),
                engine=Fancy(RegexOptions(case_insensitive=True)),
                path=f"coursekit.{len(registry.checks)}",
                message=instead,
                flags=CheckFlags(allow_quotes=True),
            )
        )
    # One document with a line for each text: much faster than a document for each.
    lines = [" ".join(text.split()) for _, text in texts]
    starts = list(accumulate((len(line) + 1 for line in lines), initial=1))
    document = "\n".join(lines)
    config = {"max_errors": 1_000_000, "checks": {"coursekit": True}}
    for found in LintFile("prose", document).lint(config):
        start, end = found.check_result.span
        number = bisect_right(starts, start) - 1
        start, end = start - starts[number], end - starts[number]
        words = lines[number][max(0, start - 30) : end + 30].strip()
        yield texts[number][0], words, found.check_result.message


def misspelled(texts: list[tuple[str, str]]) -> list[str]:
    """Return codespell's findings, each with its place."""
    lines = [" ".join(text.split()) for _, text in texts]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "prose.txt")
        file.write_text("\n".join(lines), encoding="utf-8")
        command = [
            "codespell",
            "--builtin=clear,en-GB_to_en-US",
            f"-L{SPELLED_SO}",
            str(file),
        ]
        ran = subprocess.run(
            [sys.executable, "-m", "codespell_lib", *command[1:]],
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.findall(r"prose\.txt:(\d+): (.+)", ran.stdout)
    return [f"{texts[int(line) - 1][0]}: {what}" for line, what in found]


def files() -> list[Path]:
    """Return the files in git that contain our prose."""
    listed = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [path for path in map(ROOT.joinpath, listed) if is_prose(path)]


def is_prose(path: Path) -> bool:
    kinds = {".md", ".ipynb", ".py", ".toml", ".example", *LEXERS}
    return (
        (path.suffix or path.name) in kinds
        and path.is_file()
        and not SAID.intersection(path.parts)
    )


def texts_of(commit: str) -> list[tuple[str, str]]:
    """Return the texts in a commit."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["git", "archive", commit],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        root = Path(folder)
        paths = sorted(path for path in root.rglob("*") if is_prose(path))
        return [text for path in paths for text in prose(path, root)]


def count(texts: list[tuple[str, str]]) -> Counter[str]:
    """Count how often each habit occurs, by its pattern."""
    document = "\n".join(" ".join(text.split()) for _, text in texts) + "\n"
    return Counter(
        {
            pattern: sum(
                1 for _ in re.finditer(rf"(?i:\b{pattern}\b)", f"\n{document}")
            )
            for pattern in (*COUNTED, *HABITS)
        }
    )


def print_counts(commits: list[str]) -> None:
    """Print a line for each habit: its count now and in each of the commits."""
    texts = [text for path in files() for text in prose(path)]
    columns = {commit: count(texts_of(commit)) for commit in commits}
    columns["now"] = count(texts)
    print(*(f"{name[:8]:>8}" for name in columns), "", sep="  ")
    for number, pattern in enumerate((*COUNTED, *HABITS)):
        if number == len(COUNTED):
            print("\nRefused:")
        shown = COUNTED.get(pattern, pattern)
        print(*(f"{c[pattern]:8,}" for c in columns.values()), shown, sep="  ")


def main() -> int:
    if sys.argv[1:2] == ["--count"]:
        print_counts(sys.argv[2:])
        return 0
    texts = [text for path in files() for text in prose(path)]
    found = list(habits(texts))
    for place, words, instead in found:
        print(f"{place}: … {words} …  ->  {instead}")
    wrong = misspelled(texts)
    for line in wrong:
        print(line)
    return 1 if found or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
