"""chat_session: a conversation in a terminal. Taught in 03 §2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..foundation.arguments import for_one_answer, takes_client
from .memory import Memory
from .talk import Conversation

LEAVE = {"quit", "exit"}


@takes_client()
def chat_session(
    client: Any,
    system: str,
    *,
    memory: Memory | None = None,
    read: Callable[[str], str] | None = None,
    write: Callable[[str], None] | None = None,
    **params: Any,
) -> None:
    """Talk in a terminal until you type quit or exit (or end the input).

    client, system, memory, params
           as ``Conversation`` takes them; by default a reply has at most 500 tokens, sampled at
           temperature 0.7
    read   asks for a line, given the prompt; None: input(), which needs a terminal (a notebook run
           by a tool has none)
    write  shows a reply; None: print()

    Raises what ``Conversation.send()`` raises.
    """
    params = for_one_answer(chat_session, client, params)
    limit = {} if "max_tokens" in params else {"max_completion_tokens": 500}
    params = {**limit, "temperature": 0.7, **params}
    conversation = Conversation(client, system, memory, **params)
    while True:
        try:
            text = (read or input)("You: ").strip()
        except EOFError:
            return
        if text.lower() in LEAVE:
            return
        if text:
            (write or print)(f"Assistant: {conversation.send(text)}\n")
