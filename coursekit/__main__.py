"""``python -m coursekit`` and the console script ``coursekit``."""

from __future__ import annotations

import sys

from .workshop.commands.command_line import main

if __name__ == "__main__":
    sys.exit(main())
