"""What users bring to a function: a wrong client or argument is named before anything is sent."""

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
    """Decorates a function whose first argument is a client: see ``check_client``."""

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
    """Raise TypeError unless ``client`` can be asked for chat completions.

    name      of the function or class that was given it, for the message
    is_async  which kind of client it takes
    instead   what takes the other kind
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
    """Whether a value is a finite number, or an int if ``whole``; True and False do not count."""
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
    """A question for the name that is nearest to a wrong one; ``otherwise`` if none is near."""
    close = difflib.get_close_matches(str(name), list(names), n=1)
    return f"Did you mean {close[0]}?" if close else otherwise


def given(params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that say something: without None, ``openai.NOT_GIVEN`` and ``openai.omit``.

    ``timeout=None`` stays: it means that there is no timeout.
    """
    return {
        name: value
        for name, value in params.items()
        if (value is not None or name == "timeout")
        and type(value).__name__ not in ("NotGiven", "Omit")
    }


def streamed(params: Mapping[str, Any]) -> dict[str, Any]:
    """The same request, streamed, with the usage at its end."""
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
    """The arguments of create() that were given for a single answer.

    function  the function or class that was given them; the errors name it
    sets      arguments that it sets itself

    Raises ValueError for several answers and for what the function sets, and TypeError for what
    create() does not take.
    """
    params, name = given(params), function.__name__
    for argument in sets:
        if argument in params:
            raise ValueError(f"{name}() sets {argument} itself: leave it out.")
    if params.get("n", 1) != 1:
        raise ValueError(
            f"{name}() takes one answer, but n={params['n']} asks for several: leave n out."
        )
    refuse_unknown(function, client, params)
    return params


def refuse_unknown(
    function: Callable[..., Any],
    client: Any,
    params: Mapping[str, Any] | Iterable[str],
) -> None:
    """Raise TypeError for the first keyword that ``client.chat.completions.create`` does not take,
    and for a class as response_format.

    function  the function that was given them; the error names it, and its own arguments count as
              meant
    client    sync or async; one whose create() takes any keyword refuses none
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

    to         whose arguments they are, for the message
    also       further names that may have been meant
    otherwise  what to do where no name is close
    """
    allowed = list(allowed)
    for name in names:
        if name not in allowed:
            cure = did_you_mean(name, [*also, *allowed], otherwise)
            raise TypeError(f"{name!r} is not an argument of {to}. {cure}")
