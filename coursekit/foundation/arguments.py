"""What users bring to a function: a wrong client or argument is named before anything is sent."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
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
            f"{name}() takes a client first, as connect{'_async' * is_async}() makes it, and "
            f"got {given}. Nothing was sent."
        )
    # of OpenAI, of AsyncOpenAI
    other = "__enter__" if is_async else "__aenter__"
    if hasattr(type(client), other):
        kind, right = (
            ("a sync", "connect_async") if is_async else ("an async", "connect")
        )
        cure = f" For {kind} client there is {instead}." if instead else ""
        raise TypeError(
            f"{name}() got {kind} client, and takes one of {right}(). Nothing was sent.{cure}"
        )


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
            f"response_format={form.__name__} is a class, which create() does not take. Nothing "
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
            close = difflib.get_close_matches(name, [*also, *allowed], n=1)
            cure = f"Did you mean {close[0]}?" if close else otherwise
            raise TypeError(f"{name!r} is not an argument of {to}. {cure}")
