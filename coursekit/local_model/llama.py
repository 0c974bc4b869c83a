"""llama.cpp, which runs the model: loaded with the settings without which it is not what the course
says of it.
"""

from __future__ import annotations

import os
from importlib import metadata, util
from pathlib import Path
from typing import Any

from ..foundation.portable import Portable
from .model_file import SMOLLM2

PROGRAM = "xllamacpp"
CONTEXT = 2048  # tokens; of prompt and reply together
INSTALL = "coursekit local install"


class LocalModelMissing(Portable, RuntimeError):
    """There is no local model here, or nothing that runs it; nothing was sent."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}. Nothing was sent.\n"
            f"Run `{INSTALL}` in a terminal, or `%run -m {INSTALL}` in a cell, once (it first says "
            "what it downloads). Or leave out local_model and COURSEKIT_LOCAL: recorded answers "
            "need no model."
        )


class DamagedModel(Portable, RuntimeError):
    """The file is there, and llama.cpp cannot load it."""

    def __init__(self, path: Path) -> None:
        own = path == SMOLLM2.path
        cure = (
            f"Run `{INSTALL}`, which replaces a damaged file"
            if own
            else "Name another GGUF file"
        )
        super().__init__(
            f"llama.cpp cannot load {path}: the file is damaged, is not a GGUF file, or has a "
            "format that this version does not support, or there is not enough memory.\n"
            f"{cure}."
        )


def require(path: Path) -> None:
    """Raise LocalModelMissing unless there are llama.cpp and the file. Loads nothing."""
    if util.find_spec(PROGRAM) is None:
        raise LocalModelMissing(
            f"What runs a local model (the package {PROGRAM}) is not installed"
        )
    if not path.is_file():
        raise LocalModelMissing(f"There is no model at {path}")


def load(path: Path, *, special: bool = False, name: str = "") -> Any:
    """The model in this process, as an ``xllamacpp.Server``, which also listens on a free port of
    127.0.0.1 (``listening_address``). Raises LocalModelMissing or DamagedModel.

    special  True: special tokens come with their bytes, as who looks at a whole vocabulary needs
             them
    name     that its replies give as their model; "": the file's path
    """
    require(path)
    asked = os.environ.get("OMP_WAIT_POLICY")
    # or its threads spin between two tokens
    os.environ["OMP_WAIT_POLICY"] = asked or "PASSIVE"
    try:
        import xllamacpp  # reads it, once
    finally:
        if asked is None:
            # other processes, as kernels, do not get it from us
            del os.environ["OMP_WAIT_POLICY"]

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = CONTEXT
    # One request at a time, and none begins in another's leftovers: a seed must give the same text
    # every time.
    params.n_parallel, params.cache_prompt = 1, False
    params.warmup, params.verbosity, params.special, params.ui = (
        False,
        -1,
        special,
        False,
    )
    if name:
        params.model_alias = {name}
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise DamagedModel(path) from error


def program() -> str:
    """The name and version of what runs the model, "" where it is not installed."""
    try:
        return f"{PROGRAM} {metadata.version(PROGRAM)}"
    except metadata.PackageNotFoundError:
        return ""


def token_text(token: bytes) -> str:
    """A token's text; incomplete characters are written as \\xe3\\x81."""
    return token.decode("utf-8", "backslashreplace")
