"""Put the notebooks into the wheel, so that `coursekit lab` can copy them. An editable install
already has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Specific patterns, so that a checkpoint or somebody's Untitled.ipynb is left out.
COURSE = (
    "notebooks/[0-9]*.ipynb",
    "notebooks/*.md",
    "exercises/[0-9]*.ipynb",
    "solutions/[0-9]*.ipynb",
    ".env.example",
)


class NotebooksInWheel(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version != "standard":
            return
        root = Path(self.root)
        for path in (
            path for pattern in COURSE for path in sorted(root.glob(pattern))
        ):
            build_data["force_include"][str(path)] = (
                f"coursekit/data/course/{path.relative_to(root).as_posix()}"
            )
