"""A small open model on the learner's own machine: which one, where it is, and the server that runs
it.

Nothing is loaded at import or downloaded here: ``coursekit local install`` does that.

    model_file  which model
    llama       what runs it, and how
    serving     the server's process, one for all kernels of a user
    server      finds or starts that process
"""

from __future__ import annotations

from .llama import DamagedModel, LocalModelMissing, load
from .model_file import SMOLLM2, ModelFile, local_model_of

__all__ = [
    "SMOLLM2",
    "DamagedModel",
    "LocalModelMissing",
    "ModelFile",
    "load",
    "local_model_of",
]
