"""What only the entry points do, before anything else: the command line and pytest's plugin."""

from __future__ import annotations

import sys

# nbformat and Jupyter's server import jsonschema, which imports, if it is installed, a grammar of
# IRIs that takes more than a second to build. None of their schemas has an IRI.
SLOW_GRAMMAR = "rfc3987_syntax"


def leave_out_slow_grammar() -> None:
    """Make the import of the grammar fail in this process, so that jsonschema works without."""
    sys.modules.setdefault(SLOW_GRAMMAR, None)  # type: ignore[arg-type]
