"""What the notebooks' kernels import. If a name is missing here, it only costs time."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import sys

# As when Python starts: what `-m` puts first depends on the kernel, and this folder is only for us.
TESTS = os.path.dirname(os.path.dirname(__file__))
FRESH_PATH = [path for path in sys.path[1:] if path != TESTS]
MODULES = [
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
    "coursekit.batching",
    "coursekit.charts",
    "coursekit.checks",
    "coursekit.classroom",
    "coursekit.client",
    "coursekit.conversation",
    "coursekit.logits",
    "coursekit.metering",
    "coursekit.migration",
    "coursekit.offline",
    "coursekit.reasoning",
    "coursekit.retrying",
    "coursekit.streaming",
    "coursekit.throughput",
    "coursekit.widgets",
]

# ipykernel reads it: a kernel ends with its parent
os.environ["JPY_PARENT_PID"] = str(os.getpid())
os.environ["OPENBLAS_NUM_THREADS"] = (
    "1"  # NumPy would start threads, but a fork has only one
)
# Matplotlib reads this when it is imported; ipykernel sets it before that
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"


def import_all(names: list[str]) -> None:
    for name in names:
        # the notebook also imports it, and shows the error
        with contextlib.suppress(Exception):
            module = importlib.import_module(name)
            if name.startswith("coursekit."):
                inside = pkgutil.iter_modules(
                    getattr(module, "__path__", []), f"{name}."
                )
                import_all(
                    [each.name for each in inside if "server" not in each.name]
                )


import_all(MODULES)
with contextlib.suppress(Exception):
    from coursekit.charts.picture import Picture, figure
    from coursekit.tokenizer import encode

    encode("", "o200k_base")  # reads the vocabulary
    Picture(
        figure(3, title="1", xlabel="2", ylabel="3")[0], ""
    ).png()  # reads the fonts
gc.collect()
gc.freeze()  # memory that the collector does not touch stays shared by all forks
