"""Puts the notebooks into the wheel, from where `coursekit lab` copies them. An editable install
has them already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Named by what they are, so that a checkpoint or an Untitled.ipynb of somebody's stays at home.
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
