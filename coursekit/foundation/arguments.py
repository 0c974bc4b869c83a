"""What users pass to a function: the wrong client or argument is reported before anything is
sent.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def takes_client(
    *, is_async: bool = False, instead: str = ""
) -> Callable[[F], F]:
    """Decorate a function whose first argument is a client: see ``check_client``."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            client = args[0] if args else kwargs.get("client")
            check_client(
                function.__name__, client, is_async=is_async, instead=instead
            )
            return function(*args, **kwargs)

        return cast(F, checked)

    return decorate


def check_client(
    name: str, client: Any, *, is_async: bool = False, instead: str = ""
) -> None:
    """Raise TypeError unless ``client`` can send chat completion requests.

    name      the function or class that received the client, for the message
    is_async  which kind of client the function takes
    instead   the function that takes the other kind
    """
    if not hasattr(getattr(client, "chat", None), "completions"):
        given = "None" if client is None else f"a {type(client).__name__}"
        raise TypeError(
            f"{name}() needs a client from connect{'_async' * is_async}() as its first argument, "
            f"but got {given}. Nothing was sent."
        )
    # of OpenAI, of AsyncOpenAI
    other = "__enter__" if is_async else "__aenter__"
    if hasattr(type(client), other):
        kind, right = (
            ("a sync", "connect_async") if is_async else ("an async", "connect")
        )
        cure = f" For {kind} client there is {instead}." if instead else ""
        raise TypeError(
            f"{name}() needs a client from {right}(), but got {kind} client. Nothing was "
            f"sent.{cure}"
        )


def is_number(value: Any, *, whole: bool = False) -> bool:
    """Return whether a value is a finite number, or an int if ``whole``; True and False do not
    count.
    """
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return True
    return (
        not whole
        and isinstance(value, float | Decimal)
        and math.isfinite(value)
    )


def did_you_mean(name: Any, names: Iterable[str], otherwise: str = "") -> str:
    """Return a question with the name that is most similar to a wrong one; ``otherwise`` if none is
    similar.
    """
    close = difflib.get_close_matches(str(name), list(names), n=1)
    return f"Did you mean {close[0]}?" if close else otherwise


def given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that have a value: all except None, ``openai.NOT_GIVEN``, and
    ``openai.omit``.

    ``timeout=None`` is kept, because it means that there is no timeout.
    """
    return {
        name: value
        for name, value in params.items()
        if (value is not None or name == "timeout")
        and type(value).__name__ not in ("NotGiven", "Omit")
    }


def streamed(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same request as a stream with the usage at its end."""
    options = {
        "include_usage": True,
        **given(params.get("stream_options") or {}),
    }
    return {**params, "stream": True, "stream_options": options}


def for_one_answer(
    function: Callable[..., Any],
    client: Any,
    params: Mapping[str, Any],
    *,
    sets: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the arguments for create() after checking that they ask for a single answer.

    function  the function or class that received the arguments, for the errors
    sets      the arguments that the function sets itself

    Raises ValueError for several answers and for arguments that the function sets, and TypeError
    for arguments that create() does not accept.
    """
    params, name = given(params), function.__name__
    for argument in sets:
        if argument in params:
            raise ValueError(f"{name}() sets {argument} itself: leave it out.")
    if params.get("n", 1) != 1:
        raise ValueError(
            f"{name}() returns one answer, but n={params['n']} asks for several: leave n out."
        )
    refuse_unknown(function, client, params)
    return params


def refuse_unknown(
    function: Callable[..., Any],
    client: Any,
    params: Mapping[str, Any] | Iterable[str],
) -> None:
    """Raise TypeError for the first keyword that ``client.chat.completions.create`` does not
    accept, and for a class as response_format.

    function  the function that received the keywords; the error names it, and may suggest its own
              arguments
    client    sync or async; if its create() accepts any keyword, none is refused
    params    the keywords, with or without their values
    """
    form = (
        params.get("response_format") if isinstance(params, Mapping) else None
    )
    if isinstance(form, type):
        raise TypeError(
            f"response_format={form.__name__} is a class, which create() does not accept. Nothing "
            f"was sent. Use client.chat.completions.parse(response_format={form.__name__}, …), or "
            'give {"type": "json_schema", …}.'
        )
    parameters = inspect.signature(client.chat.completions.create).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    own = inspect.signature(function).parameters.values()
    named = [each.name for each in own if each.kind is not each.VAR_KEYWORD]
    refuse(
        params,
        parameters,
        also=named,
        to=f"{function.__name__}() or of client.chat.completions.create()",
        otherwise="Leave it out, or put it into extra_body={…}.",
    )


def refuse(
    names: Iterable[str],
    allowed: Iterable[str],
    *,
    to: str,
    also: Iterable[str] = (),
    otherwise: str = "Leave it out.",
) -> None:
    """Raise TypeError for the first name that is not allowed.

    to         the function whose arguments they are, for the message
    also       more names that may have been meant
    otherwise  what to do if no name is similar
    """
    allowed = list(allowed)
    for name in names:
        if name not in allowed:
            cure = did_you_mean(name, [*also, *allowed], otherwise)
            raise TypeError(f"{name!r} is not an argument of {to}. {cure}")
