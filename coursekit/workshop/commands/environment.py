"""The environment in which notebooks are run for tests and for their stored outputs.

It contains nothing of the machine's owner that could change an output, reach the network or cost
money.
"""

from __future__ import annotations

import os
import re

PERSONAL = re.compile(
    r"COURSEKIT_.*|OPENAI_.*|.*_API_KEY|.*_PROXY", re.IGNORECASE
)


def offline_environment() -> dict[str, str]:
    """This process's environment without keys, proxies and settings; replay mode, no waiting."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not PERSONAL.fullmatch(name)
    }
    return (
        ours
        | {
            "COURSEKIT_MODE": "replay",
            "COURSEKIT_SPEED": "instant",
            "COURSEKIT_PROGRESS": "off",  # an output does not depend on whose exercises are done
            "COURSEKIT_OWN_RECORDINGS": "off",  # nor what they have recorded themselves
            "COURSEKIT_MEMBERSHIP": "off",  # nor which class they have joined
            "PYTHON_DOTENV_DISABLED": "1",  # nor from a .env file
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's warning at each kernel's start
        }
    )
