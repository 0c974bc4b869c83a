"""wired: the only module that uses the SDK's private names."""

from __future__ import annotations

import gc
import re
import weakref
from pathlib import Path

import httpx2
import openai
import pytest

import coursekit
from coursekit import wired
from coursekit.settings import Mode

PRIVATE = re.compile(
    r"(?<!self)(?<!super\(\))\._(client|custom_headers|platform|base_client"
    r"|calculate_retry_timeout|make_status_error_from_response)\b"
)


def test_only_one_module_uses_the_private_names_of_the_sdk() -> None:
    """No other file in coursekit uses them, so a new SDK breaks only one place."""
    package = Path(coursekit.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if PRIVATE.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"wired.py"}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_is_wired_belongs_to_copies_too(asynchronous: bool) -> None:
    """with_options() passes on the HTTP client and, with it, the clock, the journal, and the
    ledger.
    """
    make = coursekit.connect_async if asynchronous else coursekit.connect
    client = make("replay", speed="instant")
    assert wired.wired_to(client.with_options(max_retries=0)) is wired.wired_to(
        client
    )


def test_a_client_that_is_not_ours_has_nothing_wired() -> None:
    """For the SDK's own client, and anything else, the result is None."""
    assert wired.wired_to(openai.OpenAI(api_key="x")) is None
    assert wired.wired_to(None) is None
    assert wired.wired_to(object()) is None


def test_what_is_wired_goes_with_its_client() -> None:
    """What is stored for a client does not outlive it."""
    client = coursekit.connect("replay", speed="instant")
    journal = weakref.ref(wired.wired_to(client).journal)  # type: ignore[union-attr]
    del client
    gc.collect()
    assert journal() is None


def test_waits_between_attempts_pass_on_the_clients_clock() -> None:
    """At speed 10, the SDK's wait for Retry-After: 5 takes half a second of real time."""
    client = coursekit.connect("replay", speed=10)
    headers = httpx2.Headers({"retry-after": "5"})
    options = openai._models.FinalRequestOptions(method="post", url="/x")
    seconds = client._calculate_retry_timeout(2, options, headers)
    assert seconds == pytest.approx(0.5)


def test_the_sdks_table_of_exceptions() -> None:
    """429 is a RateLimitError."""
    request = httpx2.Request(
        "POST", "https://api.openai.com/v1/chat/completions"
    )
    response = httpx2.Response(
        429, json={"error": {"message": "m"}}, request=request
    )
    error = wired.status_error(openai.OpenAI(api_key="x"), response)
    assert isinstance(error, openai.RateLimitError)


def test_each_mode_says_what_it_costs() -> None:
    """One table says which modes are free: replay and class."""
    assert [mode for mode in Mode if mode.is_free] == ["replay", "class"]
    assert all(mode.costs for mode in Mode)
