"""llama.cpp, which runs the model with the settings that the course's texts assume."""

from __future__ import annotations

import os
from importlib import metadata, util
from pathlib import Path
from typing import Any

from ..foundation.portable import Portable
from .model_file import SMOLLM2

PROGRAM = "xllamacpp"
CONTEXT = 2048  # tokens, for prompt and reply together
INSTALL = "coursekit local install"


class LocalModelMissing(Portable, RuntimeError):
    """The local model is missing, or the program that runs it; nothing was sent."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}. Nothing was sent.\n"
            f"Run `{INSTALL}` in a terminal, or `%run -m {INSTALL}` in a cell, once (it "
            "first says what it will download). Or leave out local_model and "
            "COURSEKIT_LOCAL: recorded answers do not need a model."
        )


class DamagedModel(Portable, RuntimeError):
    """The file exists, but llama.cpp cannot load it."""

    def __init__(self, path: Path) -> None:
        cure = "Choose another GGUF file"
        if path == SMOLLM2.path:
            cure = f"Run `{INSTALL}`, which replaces a damaged file"
        super().__init__(
            f"llama.cpp cannot load {path}: the file is damaged, is not a GGUF file, or has a "
            "format that this version does not support, or there is not enough memory.\n"
            f"{cure}."
        )


def require(path: Path) -> None:
    """Raise LocalModelMissing if llama.cpp or the file is missing. Loads nothing."""
    if util.find_spec(PROGRAM) is None:
        raise LocalModelMissing(
            f"The program that runs a local model (the package {PROGRAM}) is not installed"
        )
    if not path.is_file():
        raise LocalModelMissing(f"There is no model at {path}")


def load(path: Path, *, special: bool = False, name: str = "") -> Any:
    """Load the model into this process, as an ``xllamacpp.Server``, which also listens on a free
    port on 127.0.0.1 (``listening_address``). Raises LocalModelMissing or DamagedModel.

    special  True: special tokens have their bytes, so that the whole vocabulary can be inspected
    name     the ``model`` in its replies; "": the file's path
    """
    require(path)
    before = os.environ.get("OMP_WAIT_POLICY")
    # Otherwise, its threads spin between two tokens.
    os.environ["OMP_WAIT_POLICY"] = before or "PASSIVE"
    try:
        import xllamacpp  # reads the variable once
    finally:
        if before is None:
            # Other processes, such as kernels, must not inherit this variable.
            del os.environ["OMP_WAIT_POLICY"]

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = CONTEXT
    # Requests run one at a time and do not reuse each other's cache, because a seed must give the
    # same text every time.
    params.n_parallel, params.cache_prompt = 1, False
    params.warmup, params.ui = False, False
    params.verbosity, params.special = -1, special
    if name:
        params.model_alias = {name}
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise DamagedModel(path) from error


def program() -> str:
    """Return the name and version of the program that runs the model; "" if it is not installed."""
    try:
        return f"{PROGRAM} {metadata.version(PROGRAM)}"
    except metadata.PackageNotFoundError:
        return ""


def token_text(token: bytes) -> str:
    """Return a token's text; incomplete characters are written as \\xe3\\x81."""
    return token.decode("utf-8", "backslashreplace")
