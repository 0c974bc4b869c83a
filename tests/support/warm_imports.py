"""What the kernels of notebooks import. A name that is missing here costs time and nothing else."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import sys

# As Python starts: what `-m` adds in front depends on the kernel, and this folder is only ours.
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
    "1"  # numpy would start threads, and a fork has but one
)
# ipykernel sets this before matplotlib is imported, which reads it
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"


def import_all(names: list[str]) -> None:
    for name in names:
        # the notebook imports it too, and shows the error
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
gc.freeze()  # what the collector leaves alone stays shared by all forks
