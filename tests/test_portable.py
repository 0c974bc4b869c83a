"""coursekit.foundation.portable: exceptions that can be sent between processes."""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

import coursekit
from coursekit.foundation.portable import packed, unpacked
from support.api_errors import disconnected, status_error, timed_out

KEY = "-".join(("sk", "proj", "a" * 30))


def exceptions() -> Iterator[type[BaseException]]:
    """Every exception class that coursekit defines in modules that this machine can import."""
    for module in pkgutil.walk_packages(coursekit.__path__, "coursekit."):
        if module.name.endswith("__main__"):
            continue
        # needs an extra that is not installed here
        with contextlib.suppress(ModuleNotFoundError):
            for value in vars(importlib.import_module(module.name)).values():
                if (
                    inspect.isclass(value)
                    and issubclass(value, BaseException)
                    and value.__module__ == module.name
                ):
                    yield value


def test_every_exception_of_ours_can_be_pickled_and_copied() -> None:
    """An exception's type, message, and attributes survive pickle and copy, whatever its __init__
    takes.
    """
    kinds = list(exceptions())
    assert len(kinds) > 30
    for kind in kinds:
        error = kind.__new__(kind, "what happened")
        error.__dict__["detail"] = {"tokens": 7}
        for other in (
            pickle.loads(pickle.dumps(error)),
            copy.copy(error),
            copy.deepcopy(error),
        ):
            assert type(other) is kind
            assert other.args == ("what happened",) and other.__dict__[
                "detail"
            ] == {"tokens": 7}


def sdk_errors() -> dict[str, Exception]:
    asked = httpx2.Request(
        "POST",
        "https://api.openai.com/v1",
        headers={"authorization": f"Bearer {KEY}"},
    )
    answer = httpx2.Response(
        429,
        json={"error": {"code": "slow_down"}},
        headers={"x-request-id": "req_9"},
        request=asked,
    )
    refused = openai.RateLimitError(
        "Too fast.", response=answer, body={"code": "slow_down"}
    )
    return {
        "refused": refused,
        "bad request": status_error(400, "invalid_value"),
        "timeout": timed_out(),
        "no connection": disconnected(
            httpx2.ConnectError("refused", request=asked)
        ),
        "plain": ValueError("odd"),
    }


@pytest.mark.parametrize("name", sdk_errors())
def test_errors_of_the_sdk_are_restored_as_what_they_were(name: str) -> None:
    """The type, message, status, code, and request ID survive, so that classify() gives the same
    result.
    """
    error = sdk_errors()[name]
    other = unpacked(pickle.loads(pickle.dumps(packed(error))))
    assert type(other) is type(error) and str(other) == str(error)
    for attribute in ("status_code", "code", "request_id"):
        assert getattr(other, attribute, None) == getattr(
            error, attribute, None
        )


@pytest.mark.parametrize("name", sdk_errors())
def test_no_key_travels_with_an_error(name: str) -> None:
    """The request's headers, which contain the key, are left out."""
    assert KEY.encode() not in pickle.dumps(packed(sdk_errors()[name]))


def test_an_error_that_cannot_be_pickled_is_told_by_name() -> None:
    """The exception becomes a RuntimeError with the type's name and the message."""

    class Odd(Exception):
        pass

    error: Any = Odd("no way")
    error.socket = lambda: None
    other = unpacked(pickle.loads(pickle.dumps(packed(error))))
    assert type(other) is RuntimeError and str(other) == "Odd: no way"
