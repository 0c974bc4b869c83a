"""A small open model on the learner's own machine: which one, where it lies, what runs it, and its one thread.

Nothing is loaded at import, and nothing is fetched here: ``coursekit local install`` does that.
"""

from __future__ import annotations

from .engine import Engine, Job, engine_for
from .llama import DamagedModel, LocalModelMissing, load
from .model_file import SMOLLM2, ModelFile, local_model_of

__all__ = [
    "SMOLLM2", "DamagedModel", "Engine", "Job", "LocalModelMissing", "ModelFile", "engine_for", "load",
    "local_model_of",
]  # fmt: skip
