"""A small open model on the learner's own machine: which model it is, where it is stored, and the
server that runs it.

Importing this package does not load the model, and nothing is downloaded here: use ``coursekit
local install`` for that.

    model_file  which model
    llama       the program that runs it, and how
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
