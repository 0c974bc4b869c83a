"""Importing this imports what notebooks and their kernels import. What is missing costs time, and
changes nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil

MODULES = (
    "IPython.core.debugger",
    "IPython.extensions.storemagic",
    "PIL.Image",
    "anyio._backends._asyncio",
    "dotenv",
    "genai_prices.data",
    "httpcore2",
    "ipykernel.debugger",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "ipywidgets",
    "markdown_it",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "numpy.random",
    "openai.lib.streaming.chat",
    "openai.resources.chat.completions",
    "psutil",
    "tiktoken",
    "tornado.platform.asyncio",
    "tqdm.auto",
)
OURS = (
    "batching",
    "charts",
    "checks",
    "classroom",
    "client",
    "conversation",
    "logits",
    "metering",
    "migration",
    "offline",
    "reasoning",
    "retrying",
    "streaming",
    "throughput",
    "widgets",
)


def _import(name: str) -> object:
    with contextlib.suppress(
        Exception
    ):  # the notebook imports it too, and shows the error where it belongs
        return importlib.import_module(name)
    return None


os.environ["OPENBLAS_NUM_THREADS"] = (
    "1"  # numpy's import would start threads, and a fork has but one
)
os.environ["MPLBACKEND"] = (
    "module://matplotlib_inline.backend_inline"  # ipykernel sets it before matplotlib reads it
)
for module in MODULES:
    _import(module)
for part in (f"coursekit.{name}" for name in OURS):
    for found in pkgutil.walk_packages(
        getattr(_import(part), "__path__", []), f"{part}."
    ):
        if not found.name.startswith("coursekit.offline.server"):
            _import(found.name)
with contextlib.suppress(Exception):
    from coursekit.charts.picture import Picture, figure
    from coursekit.tokenizer import encode

    encode("", "o200k_base")  # reads the vocabulary
    Picture(figure(title="1", x="2", y="3")[0], "").png()  # reads the fonts
