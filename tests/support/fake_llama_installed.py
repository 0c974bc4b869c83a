"""Installs the stand-in for xllamacpp, and a model file for it, where coursekit looks for them."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "fake_llama"


def installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = "a snail"
) -> Path:
    """The path of a model whose every reply is ``text``. The user's cache is in ``folder``."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    monkeypatch.setitem(
        sys.modules, "xllamacpp", importlib.import_module("xllamacpp")
    )
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")]),
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    path = folder / "Tiny-1M.gguf"
    path.write_text(text)
    return path
