"""A llama.cpp server on a free port of 127.0.0.1, started as a person would: ``python
llama_server.py MODEL.gguf``.

The program prints the server's address, and ends when its standard input is closed. Answers have at
most 40 tokens: they need not be good, and a chapter must end within minutes on two slow cores.
"""

from __future__ import annotations

import sys
from typing import Any

NAME = "smollm2"
ANSWER = 40  # tokens
CONTEXT = 8192  # tokens, for two requests at a time


def main(path: str) -> None:
    import xllamacpp

    params: Any = xllamacpp.CommonParams()
    params.model.path, params.model_alias = path, {NAME}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel, params.n_predict = CONTEXT, 2, ANSWER
    params.use_jinja, params.warmup, params.verbosity = True, False, -1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
