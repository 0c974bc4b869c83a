"""Run by compile.mjs in Pyodide: compile the wheels and ZIP files in /from, and write them to /to.

A .pyc file replaces each module, except in the packages in ``WITH_SOURCES``, which contain both.
Python uses a .pyc file without checking its source ("unchecked"), and tracebacks show the source's
path.
"""

import importlib.util
import warnings
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc
from pathlib import Path
from site import getsitepackages

# Learners see lines of these packages in tracebacks, and anyio reads its own source.
WITH_SOURCES = ("anyio-", "coursekit-", "httpx2-", "openai-", "pydantic-")


def compiled(source: bytes, name: str) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True)
    return bytes(
        _code_to_hash_pyc(code, importlib.util.source_hash(source), False)
    )


def compile_archive(path: Path, to: Path) -> None:
    wheel = path.suffix == ".whl"
    place = getsitepackages()[0] if wheel else "/lib/python314.zip"
    keep = path.name.startswith(WITH_SOURCES)
    with (
        zipfile.ZipFile(path) as archive,
        zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new,
    ):
        for name in archive.namelist():
            content = archive.read(name)
            if not name.endswith(".py"):
                new.writestr(name, content)
                continue
            if keep:
                new.writestr(name, content)
            pyc = compiled(content, f"{place}/{name}")
            new.writestr(
                importlib.util.cache_from_source(name) if keep else f"{name}c",
                pyc,
            )


warnings.simplefilter("ignore", SyntaxWarning)
for path in sorted(Path("/from").iterdir()):
    compile_archive(path, Path("/to", path.name))
